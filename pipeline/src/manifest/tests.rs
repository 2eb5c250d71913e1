//! Tests of manifests: what is pinned, and what no two of them share.

use super::*;
use proptest::prelude::*;

#[test]
fn the_encoding_is_pinned() {
    let kernel = || ("kernel", Sealed::new(Section::new().with("release", "6.1.0").with("version", "#1 SMP")));
    let test = || ("test", Sealed::new(Section::new().with("P", 64u64).with("touch", true)));
    let nic = || ("nic", Sealed::new(Section::new()));
    let pinned = "ee0e2b5b19083ea182e153d7c1d426c5896dbc41fcf3ece841645fed748238df";
    let of = |own: (&'static str, Sealed), others| Manifest::new(Arc::new(Common::new(own.0, others)), own.1);
    for manifest in [of(test(), [kernel(), nic()]), of(kernel(), [nic(), test()]), of(nic(), [test(), kernel()])] {
        assert_eq!(manifest.key().to_string(), pinned);
        assert_eq!(manifest.listing().key(), manifest.key());
        let listed = manifest.listing().common(manifest.common().own).unwrap();
        assert_eq!(manifest.among(Arc::new(listed)).key(), manifest.key());
        let listed = manifest.listing().manifest(manifest.common().own).unwrap();
        assert_eq!(listed.key(), manifest.key());
    }
}

#[test]
fn absent_sections_and_fields_encode_to_nothing() {
    let kernel = || ("kernel", Sealed::new(Section::new().with("release", "6.1.0")));
    let none: Option<u64> = None;
    let nic = || ("nic", Sealed::new(Section::new().with_some("speed", none)));
    let test = || Sealed::new(Section::new().with("P", 64u64));
    let bare = Manifest::new(Arc::new(Common::new("test", [kernel()])), test());
    let with_empty = Manifest::new(Arc::new(Common::new("test", [kernel(), nic()])), test());
    assert_eq!(bare.key(), with_empty.key());
    assert_eq!(bare.listing(), with_empty.listing());
}

fn any_field() -> impl Strategy<Value = Field> {
    prop_oneof![
        any::<bool>().prop_map(Field::Flag),
        any::<u64>().prop_map(Field::Number),
        "[a-z\\x00]{0,6}".prop_map(Field::Text),
    ]
}

fn any_listing() -> impl Strategy<Value = Listing> {
    let section = prop::collection::btree_map("[a-c]{0,3}", any_field(), 1..4).prop_map(Section);
    prop::collection::btree_map("[a-c]{0,3}", section, 0..4)
        .prop_map(|sections| Listing { format: MANIFEST_VERSION, sections })
}

proptest! {
    #[test]
    fn no_two_sections_share_an_encoding(a in any_listing(), b in any_listing()) {
        prop_assert_eq!(a == b, a.key() == b.key());
        for (x, y) in a.sections.values().zip(b.sections.values()) {
            prop_assert_eq!(x == y, x.encode() == y.encode());
        }
    }

    #[test]
    fn a_listing_survives_storage_and_names_what_changed(a in any_listing(), b in any_listing()) {
        let stored: Listing = serde_json::from_str(&serde_json::to_string(&a).unwrap()).unwrap();
        prop_assert_eq!(&stored, &a);
        prop_assert_eq!(a.changes_to(&b).is_empty(), a == b);
        prop_assert_eq!(a.changes_to(&b).len(), b.changes_to(&a).len());
    }
}
