//! Claims: statements of a paper that a program can test. A small expression language over summaries, its
//! sense check against the declared tests, and its verdict. It must not know files or pages.
//!
//! # Grammar
//!
//! ```text
//! claim      = ( "for" [ "all" | "some" ] binder { "," binder } ":" claim ) | or
//! or         = and { "or" and }
//! and        = not { "and" not }
//! not        = "not" not | relation
//! relation   = sum { ( "<" | "<=" | ">" | ">=" ) sum | "~" sum "within" percent }
//! sum        = product { ( "+" | "-" ) product }
//! product    = unary { ( "*" | "/" ) unary }
//! unary      = "-" unary | primary
//! primary    = NUMBER [ unit ] | selection | fold | shape | "(" claim ")"
//! selection  = METRIC [ "[" condition { "," condition } "]" ]
//! fold       = ( "max" | "min" | "mean" ) "(" sum "," "over" axes ")"
//! shape      = ( "flat" | "logarithmic" ) "(" sum "," "over" axes "," "within" percent ")"
//!            | ( "increasing" | "decreasing" ) "(" sum "," "over" AXIS ")"
//!            | "plateau" "(" sum "," sum "," "over" AXIS "," "within" percent ")"
//! binder     = AXIS | condition
//! condition  = AXIS ( "=" values | "in" "(" values ")" | "!=" values | "except" values
//!            | ( "<" | "<=" | ">" | ">=" ) VALUE )
//! values     = VALUE { "|" VALUE } | "(" VALUE { "," VALUE } ")"
//! axes       = AXIS { "," AXIS }
//! percent    = NUMBER [ "%" ]
//! unit       = "pps" "kpps" "Mpps" "bps" "kbps" "Mbps" "Gbps" "ns" "us" "ms" "s" "%"
//! ```
//!
//! White space and line breaks separate words. `METRIC` is a name such as `rx_mpps` or `rtt_us_p99`; its unit
//! is that of numbers shown, comparisons convert. `VALUE` is written as in experiments (`64`, `20Mpps`,
//! `4vs4`, `udp-mmsg`). A number that stands beside a rate or a time needs a unit.
//!
//! # Meaning
//!
//! - A selection must come to exactly one test: what its conditions, the binders and the folds around it
//!   leave open must not vary among the claim's tests. A condition with one value (`[V=sriov]`) overrides a
//!   binder of that axis; any other condition (`[V != sriov]`, `[P <= 256]`) only narrows.
//! - `for V, P: ...` is meant for each pair of values that occurs among the claim's tests; binders may narrow.
//!   It is judged over what was measured, and what was not is named. `for some` asks for one.
//! - `max(x, over R)` folds `x` over the values of R that occur; several axes fold together.
//! - `flat(x, over B, within 5%)`: the smallest is at least 95 % of the largest.
//! - `increasing`/`decreasing(x, over P)`: each value lies above/below the one before.
//! - `logarithmic(x, over P, within 20%)`: x grows as a + b log P with b > 0 (least squares), no point further
//!   than 20 % of the largest value from the line.
//! - `plateau(x, y, over R, within 5%)`: x equals y within 5 % up to some R, and is flat from there on (either
//!   part may be empty).
//! - `a ~ b within 5%`: a differs from b by at most 5 % of b.
//!
//! # Verdict
//!
//! Every value is an interval (95 %, over repetitions), arithmetic is interval arithmetic (Moore, "Interval
//! Analysis", 1966), and a comparison holds or is refuted only when every value of both intervals agrees;
//! otherwise it is inconclusive. That two 95 % intervals do not overlap is a stricter test than a t-test at
//! 5 %. A value of one repetition has no interval and decides nothing. The maximum over noisy values is
//! biased upwards; its interval is that of the maximum of the ends. A comparison between switches whose cores
//! were shared is inconclusive: the sleep policy decides such races.

mod condition;
mod evaluate;
mod evidence;
pub(crate) mod interval;
mod parser;
mod scan;
mod shape;
mod sort;
mod syntax;
mod truth;
mod universe;

use std::collections::BTreeMap;
use std::ops::Range;

use results::axes::Axis;
use results::summary::Grade;
use results::tuple::Tuple;

use crate::model::TestView;

/// Longest expression, bytes.
pub const LEN_MAX: usize = 4096;
/// Deepest nesting of parentheses, `not`, `-` and `for`.
pub const DEPTH_MAX: usize = 48;

/// A claim's expression, parsed; units and kinds of values fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    source: String,
    root: syntax::Node,
}

/// An expression that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ClaimError {
    /// Which bytes of the expression.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
}

impl ClaimError {
    fn new(at: Range<usize>, message: impl Into<String>) -> ClaimError {
        ClaimError { at, message: message.into(), suggestion: None }
    }

    fn suggesting(mut self, suggestion: Option<&str>) -> ClaimError {
        self.suggestion = suggestion.map(str::to_string);
        self
    }
}

/// What came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every value within its interval agrees.
    Holds,
    /// Some instance is contradicted by every value within its interval.
    Refuted,
    /// Intervals overlap, or cores were shared.
    Inconclusive,
    /// What it needs was not measured.
    NotMeasured,
}

impl Outcome {
    /// The word that reports use.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Holds => "holds",
            Outcome::Refuted => "refuted",
            Outcome::Inconclusive => "inconclusive",
            Outcome::NotMeasured => "not measured",
        }
    }

    /// The class of its badge in pages.
    pub fn class(self) -> &'static str {
        match self {
            Outcome::Holds => "holds",
            Outcome::Refuted => "refuted",
            Outcome::Inconclusive => "doubtful",
            Outcome::NotMeasured => "open",
        }
    }
}

/// One comparison that a verdict rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// What came out of it.
    pub outcome: Outcome,
    /// The axes that are bound, with their values as shown.
    pub at: Vec<(Axis, String)>,
    /// What is said of the values: `<`, or a shape as written.
    pub relation: String,
    /// What is compared, in order.
    pub values: Vec<Compared>,
}

/// A value of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// The operand as the claim writes it; for a shape, the value of the axis that it runs along.
    pub what: String,
    /// In its unit.
    pub value: f64,
    /// Ends of its 95 % interval; absent where there is none.
    pub interval: Option<(f64, f64)>,
    /// The value's unit; empty for a plain number and a ratio.
    pub unit: &'static str,
}

/// The judgement of a claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What came out.
    pub outcome: Outcome,
    /// The worst grade of the results it rests on; [`Grade::Indicative`] when it rests on none.
    pub grade: Grade,
    /// Comparisons it rests on with their numbers, contradicting ones first.
    pub numbers: Vec<String>,
    /// The lines above as numbers, in the same order.
    pub comparisons: Vec<Comparison>,
    /// Switches without any result, then tests without results that it would need, with the reason, in order of
    /// their names.
    pub missing: Vec<String>,
    /// Why something could not be told, in sentences.
    pub doubts: Vec<String>,
}

impl Verdict {
    /// Whether any measured value is behind it.
    pub fn rests_on_something(&self) -> bool {
        !self.numbers.is_empty()
    }
}

/// Reads an expression. Fails on syntax, unknown metrics and axes, values that their axis does not have,
/// and units that do not fit.
pub fn parse(source: &str) -> Result<Claim, ClaimError> {
    let root = parser::parse(source)?;
    sort::check(&root, source)?;
    Ok(Claim { source: source.to_string(), root })
}

impl Claim {
    /// Whether it can be judged over `tests` (those of its groups): each selection comes to one test, each
    /// axis that is run through has values.
    pub fn check(&self, tests: &[&Tuple]) -> Result<(), ClaimError> {
        let subjects = tests.iter().map(|tuple| universe::Subject { tuple, view: None }).collect();
        evaluate::run(&self.root, &self.source, subjects).map(|_| ())
    }

    /// What further repetitions could decide of it: places in `tests` (those of its groups) of the tests that its
    /// inconclusive comparisons rest on, each with how many times too wide its interval is for one of them at least,
    /// which is infinity for a value of one repetition. Nothing where the verdict is settled, or cannot be told.
    pub fn open(&self, tests: &[&TestView]) -> BTreeMap<usize, f64> {
        let subjects = tests.iter().map(|test| universe::Subject { tuple: &test.tuple, view: Some(test) }).collect();
        evaluate::open(&self.root, &self.source, subjects).unwrap_or_default()
    }

    /// The claim's verdict over `tests` (those of its groups). What [`Claim::check`] would refuse is not measured.
    pub fn judge(&self, tests: &[&TestView]) -> Verdict {
        let subjects = tests.iter().map(|test| universe::Subject { tuple: &test.tuple, view: Some(test) }).collect();
        evaluate::run(&self.root, &self.source, subjects).unwrap_or_else(|error| Verdict {
            outcome: Outcome::NotMeasured,
            grade: Grade::Indicative,
            numbers: Vec::new(),
            comparisons: Vec::new(),
            missing: Vec::new(),
            doubts: vec![error.message],
        })
    }
}
