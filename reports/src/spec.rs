//! What an experiment file declares of figures, tables and claims. Types only; parsed by whoever reads the
//! file, built into drawables by `build`. They must not know places in files or measured values.

use results::axes::Axis;
use results::metric::Metric;
use results::tuple::{Tuple, Value};
use serde::{Deserialize, Serialize};

/// An identifier of a group, figure, table or claim: `[A-Za-z0-9._-]+`, not `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(String);

impl Id {
    /// Longest identifier, characters: with the end of a file's name behind it, it is a name that an archive can hold
    /// (100 bytes of a ustar header).
    pub const LEN_MAX: usize = 90;

    /// `text` as an identifier, if it is one: a name for files, wherever they are unpacked.
    pub fn new(text: &str) -> Option<Id> {
        let fits = !text.is_empty()
            && text.len() <= Id::LEN_MAX
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
            && !text.ends_with('.')
            && !Id::is_reserved(text);
        fits.then(|| Id(text.to_string()))
    }

    /// Whether a file system takes a name for a device, whatever stands behind its first dot.
    pub fn is_reserved(text: &str) -> bool {
        let stem = text.split('.').next().unwrap_or_default().to_ascii_lowercase();
        let numbered = |name: &str| {
            stem.strip_prefix(name)
                .is_some_and(|rest| rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_digit()))
        };
        ["con", "prn", "aux", "nul"].contains(&stem.as_str()) || numbered("com") || numbered("lpt")
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Id {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// A selection of tests: each axis named must have one of the values listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(pub Vec<(Axis, Vec<Value>)>);

impl Selection {
    /// Whether a test is in it. An empty selection takes every test.
    pub fn takes(&self, tuple: &Tuple) -> bool {
        self.0.iter().all(|(axis, values)| values.contains(&tuple.value(*axis)))
    }
}

/// How a numeric axis of a plot is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// In proportion.
    Linear,
    /// Logarithmic, ticks at powers of 2 or at the values themselves.
    Log2,
    /// Logarithmic, ticks at powers of 10.
    Log10,
}

/// What becomes of tests that differ only on one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fold {
    /// The largest mean counts, and is shown with the value of the axis that gave it.
    Max,
    /// The smallest mean counts.
    Min,
}

/// How a published number is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Published as a value.
    Exactly,
    /// Published as an upper bound.
    AtMost,
    /// Published as a lower bound.
    AtLeast,
}

/// A number that others have published of a test, or of several.
#[derive(Clone, Debug, PartialEq)]
pub struct PublishedValue {
    /// Which tests, of those that the figure, table or claim is about.
    pub selection: Selection,
    /// What was published, in the unit of `value`.
    pub metric: Metric,
    /// How it is meant.
    pub bound: Bound,
    /// The number.
    pub value: f64,
}

/// What others have published of the same tests.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// Where: a reference as readers know it.
    pub source: String,
    /// In order of declaration, at least one.
    pub values: Vec<PublishedValue>,
}

/// A figure: one plot. Neighbours whose ids are one number and a letter (`4a`, `4b`) are panels of one plate.
#[derive(Clone, Debug, PartialEq)]
pub struct FigureSpec {
    /// Unique among figures, tables and claims.
    pub id: Id,
    /// Groups of tests that it is made of.
    pub from: Vec<Id>,
    /// Which of their tests.
    pub selection: Selection,
    /// Horizontal axis.
    pub x: Axis,
    /// Scale of the x axis; for an axis of names it is not looked at.
    pub x_scale: Scale,
    /// Vertical axis.
    pub y: Metric,
    /// Scale of the y axis.
    pub y_scale: Scale,
    /// One line or set of bars for each value of this axis.
    pub series: Option<Axis>,
    /// Folded axis.
    pub over: Option<(Axis, Fold)>,
    /// Heading above the plot; absent for none.
    pub title: Option<String>,
    /// Text below it.
    pub caption: Option<String>,
    /// What others have published of the same tests.
    pub published: Option<Published>,
}

/// A table: rows by an axis, columns by an axis or only one.
#[derive(Clone, Debug, PartialEq)]
pub struct TableSpec {
    /// Unique among figures, tables and claims.
    pub id: Id,
    /// Groups of tests that it is made of.
    pub from: Vec<Id>,
    /// Which of their tests.
    pub selection: Selection,
    /// A row for each value of this axis.
    pub rows: Axis,
    /// A column for each value of this axis; absent for one column a metric.
    pub columns: Option<Axis>,
    /// What the cells show; several only without `columns`.
    pub values: Vec<Metric>,
    /// Folded axis.
    pub over: Option<(Axis, Fold)>,
    /// Text above it.
    pub caption: Option<String>,
    /// What others have published of the same tests.
    pub published: Option<Published>,
}

/// A claim: a statement that a program can test.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimSpec {
    /// Unique among figures, tables and claims.
    pub id: Id,
    /// Groups of tests that it is about.
    pub from: Vec<Id>,
    /// The statement in words.
    pub text: String,
    /// The statement as an expression, as written.
    pub test: String,
    /// The numbers that the statement was published with.
    pub published: Option<Published>,
}

/// Figures, tables and claims of one experiment, each in order of declaration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReportSpec {
    /// In order of declaration.
    pub figures: Vec<FigureSpec>,
    /// In order of declaration.
    pub tables: Vec<TableSpec>,
    /// In order of declaration.
    pub claims: Vec<ClaimSpec>,
}

#[cfg(test)]
mod tests {
    use super::Id;

    #[test]
    fn an_id_names_a_file_wherever_it_is_unpacked() {
        for text in ["a", "4a", "x.y-z_0", ".hidden", "console", "com", "com10", "nully", "aux-1", &"x".repeat(90)] {
            assert!(Id::new(text).is_some(), "{text}");
        }
        for text in
            ["", ".", "..", "a.", "CON", "nul", "Aux.svg", "com1", "LPT9.x.y", "prn", "a b", "a/b", &"x".repeat(91)]
        {
            assert!(Id::new(text).is_none(), "{text}");
        }
    }
}
