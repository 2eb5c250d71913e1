//! Changes that somebody has declared harmless, so that results of before them stay in use: what was said, and
//! which older manifests count by it as another one. Nothing said is ever edited; taking it back is said, too.
//! Pure. It must not know what is stored under which key.

mod older;
mod statement;

pub use older::{Lean, Leaning, Older, carried};
pub use statement::{Says, Statement, Step};

use std::collections::{BTreeSet, HashSet};

use crate::key::StatementId;
use crate::manifest::{Sealed, Section};
use crate::sections::SectionName;

/// Version of a statement. A newer one is refused with its number.
pub const STATEMENT_VERSION: u32 = 1;

/// Whether a section's change can be declared harmless. A change of what the experiment asks for is another question.
pub fn is_trigger(section: &str) -> bool {
    !SectionName::ALL.iter().any(|known| known.is_asked_for() && known.name() == section)
}

/// The name of a trigger: that of the section, and whose it is where it says so: `kernel`, `switch:ovs`.
pub fn trigger(section: &str, before: &Section, now: &Section) -> String {
    let whose = |of: &Section| of.get("kind").or(of.get("name")).map(|field| field.whole());
    match whose(now).or(whose(before)) {
        Some(whose) => format!("{section}:{whose}"),
        None => section.to_string(),
    }
}

/// Whether what a user names means a trigger: all of it, or the section alone.
pub fn means(asked: &str, trigger: &str) -> bool {
    asked == trigger || trigger.split_once(':').is_some_and(|(section, _)| section == asked)
}

/// A change that is declared harmless.
#[derive(Clone, Debug)]
pub struct Acceptance {
    /// What names the statement.
    pub id: StatementId,
    /// When it was made, UTC, RFC 3339.
    pub made: String,
    /// Who made it.
    pub by: String,
    /// Why, in their words; may be empty.
    pub reason: String,
    /// The change.
    pub step: Step,
    before: Sealed,
    now: Sealed,
}

impl Acceptance {
    /// What a statement accepts, if it accepts anything that can be.
    pub fn of(id: StatementId, statement: &Statement) -> Option<Acceptance> {
        let Says::Harmless(step) = &statement.says else { return None };
        is_trigger(&step.section).then(|| Acceptance {
            id,
            made: statement.made.clone(),
            by: statement.by.clone(),
            reason: statement.reason.clone(),
            before: Sealed::new(step.before.clone()),
            now: Sealed::new(step.now.clone()),
            step: step.clone(),
        })
    }

    /// Name of the trigger.
    pub fn trigger(&self) -> String {
        trigger(&self.step.section, &self.step.before, &self.step.now)
    }

    /// In a line: `kernel release 6.1.0 → 6.1.1, accepted on 2026-01-31`.
    pub fn words(&self) -> String {
        format!("{}, accepted on {}", self.step.words(), self.day())
    }

    /// The day on which it was made.
    pub fn day(&self) -> &str {
        self.made.split('T').next().unwrap_or(&self.made)
    }
}

/// The changes that hold for an experiment: declared harmless, and not taken back.
#[derive(Clone, Debug, Default)]
pub struct Acceptances(Vec<Acceptance>);

impl Acceptances {
    /// The acceptances of an experiment among all statements, oldest first.
    pub fn in_force(statements: &[(StatementId, Statement)], experiment: &str) -> Acceptances {
        let withdrawn: HashSet<StatementId> = statements
            .iter()
            .filter_map(|(_, statement)| match &statement.says {
                Says::Withdrawn { statement } => Some(*statement),
                Says::Harmless(_) => None,
            })
            .collect();
        let own = statements.iter().filter(|(id, said)| said.experiment == experiment && !withdrawn.contains(id));
        let mut held: Vec<Acceptance> = own.filter_map(|(id, statement)| Acceptance::of(*id, statement)).collect();
        held.sort_by(|a, b| (&a.made, a.id).cmp(&(&b.made, b.id)));
        Acceptances(held)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &Acceptance> {
        self.0.iter()
    }

    /// The one of that name.
    pub fn get(&self, id: &StatementId) -> Option<&Acceptance> {
        self.0.iter().find(|acceptance| acceptance.id == *id)
    }

    /// Whether a section that was `before` counts as the one that is `now`.
    pub fn cover(&self, section: &str, before: &Sealed, now: &Sealed) -> bool {
        self.chains(section, now).iter().any(|(older, _)| older.digest() == before.digest())
    }

    /// Every section that counts as `now`, with the changes from it to `now` in their order; the fewest changes
    /// first, and of as many the older ones.
    fn chains(&self, section: &str, now: &Sealed) -> Vec<(Sealed, Vec<StatementId>)> {
        let mut seen = BTreeSet::from([*now.digest()]);
        let mut found: Vec<(Sealed, Vec<StatementId>)> = Vec::new();
        let mut reached = vec![(now.clone(), Vec::new())];
        while !reached.is_empty() {
            let mut next = Vec::new();
            for (from, by) in &reached {
                let to = self.0.iter().filter(|one| one.step.section == section && one.now.digest() == from.digest());
                for acceptance in to.filter(|acceptance| seen.insert(*acceptance.before.digest())) {
                    let steps: Vec<StatementId> = std::iter::once(acceptance.id).chain(by.iter().copied()).collect();
                    next.push((acceptance.before.clone(), steps));
                }
            }
            found.extend(next.iter().cloned());
            reached = next;
        }
        found
    }
}

#[cfg(test)]
mod tests;
