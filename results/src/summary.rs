//! What reports may see of measurements: one repetition reduced, and a test summarised over repetitions.
//! Values are in base units (packets/s, bits/s, ratio, ns). It must not know samples or files.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::flags::Flag;
use crate::metric::Quantity;

/// Version of the reduction. Summaries of another version are recomputed from the raw samples.
pub const REDUCTION_VERSION: u32 = 1;

/// One repetition, reduced over its window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reduction {
    /// Values by quantity; those that the test does not have are absent.
    pub values: BTreeMap<Quantity, f64>,
    /// Number of round trips in the window; 0 for throughput tests.
    pub rtt_count: u64,
    /// Flags that the samples themselves raise; the run adds those of the host.
    pub flags: Vec<Flag>,
}

/// A mean over repetitions and its doubt, in base units.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// Valid repetitions that it is made of.
    pub n: u32,
    /// Mean over them.
    pub mean: f64,
    /// Half width of the 95 % interval (Student's t); absent with fewer than two repetitions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_width: Option<f64>,
}

impl Estimate {
    /// Lower and upper end of the interval; the mean twice where there is none.
    pub fn interval(&self) -> (f64, f64) {
        let half = self.half_width.unwrap_or(0.0);
        (self.mean - half, self.mean + half)
    }
}

/// How far results may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Grade {
    /// The host was what the paper asks for.
    PaperGrade,
    /// Something could not be provisioned; the flags say what.
    Indicative,
}

/// A test over its repetitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Repetitions that count.
    pub valid: u32,
    /// Repetitions kept but left out.
    pub suspect: u32,
    /// Estimates by quantity.
    pub values: BTreeMap<Quantity, Estimate>,
    /// Round trips of all valid repetitions together.
    pub rtt_count: u64,
    /// Every flag of every repetition, sorted, with the number of repetitions that have it.
    pub flags: Vec<(Flag, u32)>,
    /// Grade of the whole.
    pub grade: Grade,
}

impl Summary {
    /// The estimate of a quantity, if the test has it.
    pub fn get(&self, quantity: Quantity) -> Option<&Estimate> {
        self.values.get(&quantity)
    }
}
