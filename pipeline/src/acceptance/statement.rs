//! What somebody said of a change of inputs, as it is stored: that it is harmless, or that this is taken back. It
//! must not know which results lean on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::STATEMENT_VERSION;
use crate::key::StatementId;
use crate::manifest::Section;

/// A statement: `acceptances/ID.json`, where ID is the BLAKE3 of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// [`STATEMENT_VERSION`].
    pub format: u32,
    /// Name of the experiment for which it holds.
    pub experiment: String,
    /// When it was made, UTC, RFC 3339.
    pub made: String,
    /// Who made it: the user's name on that host.
    pub by: String,
    /// Why, in their words; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What is declared.
    pub says: Says,
}

/// What a statement says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// The change affects no measurement.
    Harmless(Step),
    /// An earlier statement does not hold any more.
    Withdrawn {
        /// The statement that is taken back.
        statement: StatementId,
    },
}

/// A section's change from one content to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Name of the section.
    pub section: String,
    /// What it was; without fields if it was not there.
    pub before: Section,
    /// What it is; without fields if it is not there any more.
    pub now: Section,
    /// Versions of the components whose digests are in the two, by digest, where they have any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub versions: BTreeMap<String, String>,
}

impl Step {
    /// What changed, in a line: `kernel release 6.1.0 → 6.1.1; kernel version #1 → #2`.
    pub fn words(&self) -> String {
        let changes = self.before.changes_to(&self.now, &self.section);
        let words: Vec<String> = changes.iter().map(|change| change.told(&self.versions)).collect();
        words.join("; ")
    }
}

impl Statement {
    /// A statement of this version.
    pub fn new(experiment: &str, made: String, by: String, reason: &str, says: Says) -> Statement {
        let (experiment, reason) = (experiment.to_string(), reason.trim().to_string());
        Statement { format: STATEMENT_VERSION, experiment, made, by, reason, says }
    }

    /// A statement from its bytes.
    ///
    /// # Errors
    /// What is wrong with them, in words.
    pub fn parse(bytes: &[u8]) -> Result<Statement, String> {
        #[derive(Deserialize)]
        struct Versioned {
            format: u32,
        }
        let versioned: Versioned = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if versioned.format > STATEMENT_VERSION {
            return Err(format!("it has format {}, this septet reads up to {STATEMENT_VERSION}", versioned.format));
        }
        serde_json::from_slice(bytes).map_err(|error| error.to_string())
    }
}
