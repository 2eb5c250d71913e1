//! A reproduction: what others measured beside what was measured here, figure by figure, table by table and claim by
//! claim, with what differs between the two environments. Pure; it must not know archives, stores or hosts.

mod claims;
mod drawn;
mod relative;
mod values;
mod word;
mod writing;

pub use claims::{ClaimPair, Tally, pair_claims};
pub use drawn::{FigurePair, TablePair, pair_figure, pair_table};
pub use relative::Relative;
pub use values::{PairRow, Quotient, Sided};
pub use word::{Word, word};
pub(crate) use writing::{json, rows_csv};

use crate::model::Meta;
use crate::since::InputChange;

/// Something of the two hosts that both say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactPair {
    /// What.
    pub label: String,
    /// What it is in the archive; several values are joined.
    pub theirs: String,
    /// What it is here.
    pub ours: String,
}

/// Why tests were not measured here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmeasured {
    /// The reason.
    pub reason: String,
    /// Names of the tests.
    pub tests: Vec<String>,
}

/// All that the page of a reproduction says.
#[derive(Clone, Debug)]
pub struct Reproduction<'a> {
    /// Title, authors and versions of the experiment as measured here.
    pub meta: &'a Meta,
    /// Digest of the archive's contents.
    pub archive: &'a str,
    /// Digest of what their report stands on.
    pub generation_theirs: &'a str,
    /// How far the archive was verified, and what is taken on trust, in sentences.
    pub verified: Vec<String>,
    /// The part to which windows and repetitions were scaled here; absent for the whole.
    pub scale: Option<f64>,
    /// Tests of the experiment.
    pub tests: usize,
    /// Tests that have a result on both sides.
    pub tests_both: usize,
    /// Whether the two sides have different processors, so that absolute values say little.
    pub is_other_hardware: bool,
    /// In order of declaration.
    pub claims: &'a [ClaimPair],
    /// In order of declaration.
    pub figures: &'a [FigurePair],
    /// In order of declaration.
    pub tables: &'a [TablePair],
    /// What the keys of both sides were made of and that differs, with how many tests it concerns.
    pub inputs: &'a [InputChange],
    /// What else both hosts say of themselves.
    pub facts: &'a [FactPair],
    /// Why tests have no result here.
    pub unmeasured: &'a [Unmeasured],
}
