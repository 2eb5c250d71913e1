//! Stored manifests, of which many are read: what they share is nearly all of them, and is parsed and digested once. A
//! manifest is the same whether its sections were known or not. It must not know who reads it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{LazyLock, RwLock};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Sealed, Section, key_of_sections};
use crate::conditions::OWN_SECTION;
use crate::key::Key;
use crate::store::bounded;

/// Sections that are remembered, those seen first; most bytes of the text of one.
const SECTIONS_MAX: usize = 1024;
const TEXT_BYTES_MAX: usize = 64 << 10;

static KNOWN: LazyLock<RwLock<HashMap<Box<str>, Sealed>>> = LazyLock::new(RwLock::default);

/// A listing whose sections are texts.
#[derive(Deserialize)]
struct Texts<'a> {
    format: u32,
    #[serde(borrow)]
    sections: BTreeMap<String, &'a RawValue>,
}

/// The sections of a stored manifest in order of name, and the key that it has.
///
/// # Errors
/// What is wrong with its text, in words.
pub fn sections(bytes: &[u8]) -> Result<(Key, Vec<(String, Sealed)>), String> {
    let Texts { format, sections } = bounded::json(bytes)?;
    let sealed = |(name, text): (String, &RawValue)| {
        let section = section(&name, text.get())?;
        Ok((name, section))
    };
    let sections: Vec<(String, Sealed)> = sections.into_iter().map(sealed).collect::<Result<_, String>>()?;
    let key = key_of_sections(format, sections.iter().map(|(name, sealed)| (name.as_str(), *sealed.digest())));
    Ok((key, sections))
}

fn section(name: &str, text: &str) -> Result<Sealed, String> {
    if let Ok(known) = KNOWN.read()
        && let Some(sealed) = known.get(text)
    {
        return Ok(sealed.clone());
    }
    let section: Section = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let sealed = Sealed::new(section);
    // Each test has one of its own, which no other has.
    if name != OWN_SECTION
        && text.len() <= TEXT_BYTES_MAX
        && let Ok(mut known) = KNOWN.write()
        && known.len() < SECTIONS_MAX
    {
        known.insert(text.into(), sealed.clone());
    }
    Ok(sealed)
}

#[cfg(test)]
mod tests {
    use super::super::{Field, Listing, MANIFEST_VERSION};
    use super::*;
    use proptest::prelude::*;

    fn listing() -> impl Strategy<Value = Listing> {
        let field = prop_oneof![
            any::<bool>().prop_map(Field::Flag),
            any::<u64>().prop_map(Field::Number),
            "[a{}\\[\\]\"\\\\é\n]{0,8}".prop_map(Field::Text)
        ];
        let section = prop::collection::btree_map("[a-c]{1,2}", field, 0..3);
        prop::collection::btree_map("[a-c]|test", section, 0..4).prop_map(|sections| {
            let section = |fields: BTreeMap<String, Field>| {
                fields.into_iter().fold(Section::new(), |section, (name, field)| section.with(&name, field))
            };
            let sections = sections.into_iter().map(|(name, fields)| (name, section(fields))).collect();
            Listing { format: MANIFEST_VERSION, sections }
        })
    }

    proptest! {
        #[test]
        fn a_manifest_is_the_same_whether_its_sections_are_known_or_not(listing in listing(), pretty: bool) {
            let text = if pretty { serde_json::to_vec_pretty(&listing) } else { serde_json::to_vec(&listing) };
            let text = text.expect("it is JSON");
            for _ in 0..2 {
                let (key, sections) = sections(&text).expect("it is a manifest");
                prop_assert_eq!(key, listing.key());
                let read: BTreeMap<String, Section> =
                    sections.into_iter().map(|(name, sealed)| (name, sealed.section().clone())).collect();
                prop_assert_eq!(&read, &listing.sections);
            }
        }

        #[test]
        fn a_changed_byte_changes_what_it_changed_before(listing in listing(), at: prop::sample::Index, byte: u8) {
            let mut text = serde_json::to_vec(&listing).expect("it is JSON");
            sections(&text).expect("it is a manifest");
            let at = at.index(text.len());
            text[at] = byte;
            let plain: Result<Listing, _> = serde_json::from_slice(&text);
            prop_assert_eq!(sections(&text).ok().map(|(key, _)| key), plain.ok().map(|listing| listing.key()));
        }
    }

    #[test]
    fn what_is_no_section_is_none_however_much_is_known() {
        for text in [r#"{"a":1.5}"#, r#"{"a":null}"#, "null", "[]", r#"{"a":[]}"#] {
            let text = format!(r#"{{"format":1,"sections":{{"a":{text}}}}}"#);
            assert!(sections(text.as_bytes()).is_err(), "{text}");
            assert!(sections(text.as_bytes()).is_err(), "{text}");
        }
    }
}
