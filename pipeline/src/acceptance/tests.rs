//! Invented statements about invented sections: what counts as what, and what leads there.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::conditions::OWN_SECTION;
use crate::manifest::{Common, Listing, Manifest};

const SECTIONS: [&str; 2] = ["kernel", "switch"];

/// A section in one of its states; the first is its absence.
fn section(state: u8) -> Section {
    match state {
        0 => Section::new(),
        state => Section::new().with("release", u64::from(state)),
    }
}

fn common(states: [u8; 2]) -> Common {
    let sections = SECTIONS.iter().zip(states).map(|(name, state)| (*name, Sealed::new(section(state))));
    Common::new(OWN_SECTION, sections.chain([("cpu", Sealed::new(Section::new().with("model", "any")))]))
}

fn own() -> Sealed {
    Sealed::new(Section::new().with("P", 64u64))
}

fn manifest(states: [u8; 2]) -> Manifest {
    Manifest::new(Arc::new(common(states)), own())
}

/// That a section's change from one state to another is harmless; said in order of `number`.
fn harmless(number: u8, section_name: &str, before: u8, now: u8) -> (StatementId, Statement) {
    let step = Step {
        section: section_name.to_string(),
        before: section(before),
        now: section(now),
        versions: BTreeMap::new(),
    };
    (StatementId([number; 32]), said(number, Says::Harmless(step)))
}

fn said(number: u8, says: Says) -> Statement {
    Statement::new("quick", format!("2026-01-31T00:00:{number:02}Z"), "somebody".to_string(), "", says)
}

fn any_statements() -> impl Strategy<Value = Vec<(StatementId, Statement)>> {
    let one = (0usize..2, 0u8..4, 0u8..4);
    prop::collection::vec(one, 0..6).prop_map(|all| {
        let numbered = (0u8..).zip(all);
        numbered.map(|(number, (which, before, now))| harmless(number, SECTIONS[which], before, now)).collect()
    })
}

/// States that count as `now`, by plain search.
fn reached(statements: &[(StatementId, Statement)], which: usize, now: u8) -> BTreeSet<u8> {
    let mut reached = BTreeSet::from([now]);
    loop {
        let before = reached.len();
        for (_, statement) in statements {
            let Says::Harmless(step) = &statement.says else { continue };
            let state = |of: &Section| (0..4).find(|state| section(*state) == *of).expect("one of four");
            if step.section == SECTIONS[which] && reached.contains(&state(&step.now)) {
                reached.insert(state(&step.before));
            }
        }
        if reached.len() == before {
            return reached;
        }
    }
}

proptest! {
    #[test]
    fn exactly_what_statements_lead_from_counts(statements in any_statements(), now in [0u8..4, 0u8..4]) {
        let held = Acceptances::in_force(&statements, "quick");
        let mut leaning = Leaning::new(&held);
        let leans = leaning.keys(manifest(now).keyed());
        prop_assert_eq!(&leans, &leaning.keys(manifest(now).keyed()), "once more, the same");
        let mut expected = BTreeSet::new();
        for kernel in reached(&statements, 0, now[0]) {
            for switch in reached(&statements, 1, now[1]) {
                expected.insert(manifest([kernel, switch]).key());
            }
        }
        expected.remove(&manifest(now).key());
        let found: Vec<_> = leans.iter().map(|lean| lean.key).collect();
        prop_assert_eq!(found.len(), expected.len(), "each once");
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
    }

    #[test]
    fn the_changes_of_a_lean_lead_from_its_key_to_the_one_of_now(
        statements in any_statements(), now in [0u8..4, 0u8..4],
    ) {
        let held = Acceptances::in_force(&statements, "quick");
        let steps: HashMap<StatementId, &Step> = held.iter().map(|one| (one.id, &one.step)).collect();
        let now = manifest(now);
        for older in held.older(now.common()) {
            let before = now.among(older.common.clone()).listing();
            let by: Vec<&Step> = older.by.iter().map(|id| steps[id]).collect();
            prop_assert_eq!(carried(before.clone(), by.iter().copied()), Ok(now.key()));
            prop_assert!(carried(before, by[1..].iter().copied()) != Ok(now.key()), "no change is idle");
        }
    }

    #[test]
    fn what_was_taken_back_or_said_of_another_experiment_counts_for_nothing(
        statements in any_statements(), now in [0u8..4, 0u8..4], gone in prop::collection::vec(any::<bool>(), 6),
    ) {
        let withdrawn: Vec<_> = statements.iter().zip(&gone).filter(|(_, gone)| **gone).map(|((id, _), _)| *id).collect();
        let kept: Vec<_> = statements.iter().filter(|(id, _)| !withdrawn.contains(id)).cloned().collect();
        let mut all = statements.clone();
        all.extend((100u8..).zip(withdrawn).map(|(number, statement)| {
            (StatementId([number; 32]), said(number, Says::Withdrawn { statement }))
        }));
        let keys = |statements: &[_], of: &str| {
            let held = Acceptances::in_force(statements, of);
            Leaning::new(&held).keys(manifest(now).keyed())
        };
        prop_assert_eq!(keys(&all, "quick"), keys(&kept, "quick"));
        prop_assert_eq!(keys(&all, "another"), Vec::new());
    }
}

#[test]
fn what_an_experiment_asks_for_is_no_trigger() {
    let statements = [harmless(1, "protocol", 0, 1)];
    assert!(Acceptances::in_force(&statements, "quick").is_empty());
    let Says::Harmless(step) = &statements[0].1.says else { unreachable!("it was made so") };
    assert!(carried(manifest([1, 1]).listing(), [step]).is_err());
}

#[test]
fn triggers_are_named_by_their_section_and_by_whose_it_is() {
    let (none, ovs) = (Section::new(), Section::new().with("kind", "ovs").with("ovs-vswitchd", "00"));
    assert_eq!(trigger("kernel", &none, &section(1)), "kernel");
    assert_eq!(trigger("switch", &none, &ovs), "switch:ovs");
    assert_eq!(trigger("switch", &ovs, &none), "switch:ovs");
    assert!(means("switch", "switch:ovs") && means("switch:ovs", "switch:ovs") && means("kernel", "kernel"));
    assert!(!means("ovs", "switch:ovs") && !means("switch:ovs", "switch") && !means("switch", "kernel"));
}

#[test]
fn a_statement_says_what_changed_with_versions_where_they_are_known() {
    let digests = ["0".repeat(64), "1".repeat(64)];
    let of = |digest: &String| Section::new().with("kind", "ovs").with("ovs-vswitchd", digest.clone());
    let versions = digests.iter().cloned().zip(["3.1.0".to_string(), "3.3.1".to_string()]).collect();
    let step = Step { section: "switch".to_string(), before: of(&digests[0]), now: of(&digests[1]), versions };
    assert_eq!(step.words(), "switch ovs-vswitchd 3.1.0 [000000000000] → 3.3.1 [111111111111]");
    let statement = said(1, Says::Harmless(step));
    let bytes = serde_json::to_vec(&statement).expect("it is JSON");
    assert_eq!(Statement::parse(&bytes), Ok(statement.clone()));
    let newer = Statement { format: STATEMENT_VERSION + 1, ..statement.clone() };
    let refused = Statement::parse(&serde_json::to_vec(&newer).expect("it is JSON"));
    assert!(refused.is_err_and(|reason| reason.contains("it has format 2")));
    let accepted = Acceptance::of(StatementId([1; 32]), &statement).expect("it accepts");
    assert!(accepted.words().ends_with(", accepted on 2026-01-31"), "{}", accepted.words());
}

#[test]
fn a_listing_with_the_same_sections_has_the_key_of_its_manifest() {
    let Listing { sections, .. } = manifest([1, 0]).listing();
    assert!(!sections.contains_key("switch") && sections.contains_key("kernel"));
    let differing = common([1, 0]).differing(&common([2, 3]));
    assert_eq!(differing.keys().map(String::as_str).collect::<Vec<_>>(), SECTIONS);
}
