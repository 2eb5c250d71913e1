//! Pages: what `index.html` and a test's page hold, prepared for their templates. It must not know where
//! pages are stored, nor measure anything.

mod claims;
mod comparison;
mod index;
mod reproduction;
mod scenarios;
mod since;
mod tables;
mod test_page;

pub use claims::claims;
pub(crate) use index::abstract_of;
pub use index::index;
pub use reproduction::reproduction;
pub use since::since;
pub use test_page::{inputs, test_page};

use serde::Serialize;

use results::flags::Flag;
use results::summary::Grade;

use crate::model::{Accepted, ComponentRow, Fact, FactList};
use crate::templates::{Prepared, RenderError, Templates};
use crate::text::{self, LABEL_MAX, PROSE_MAX};

/// A label and a value, cleaned.
#[derive(Serialize)]
struct FactRow {
    label: String,
    value: String,
}

#[derive(Serialize)]
struct FactTable {
    heading: String,
    #[serde(flatten)]
    rows: Shown<FactRow>,
}

/// Rows, and the markup that shows them.
#[derive(Serialize)]
struct Shown<Row> {
    rows: Vec<Row>,
    shown: String,
}

impl<Row: Serialize> Shown<Row> {
    fn by(templates: &Templates, template: &str, rows: Vec<Row>) -> Result<Shown<Row>, RenderError> {
        let mut list = Shown { rows, shown: String::new() };
        list.shown = templates.piece(template, &list)?;
        Ok(list)
    }
}

#[derive(Serialize)]
struct ComponentLine {
    name: String,
    version: String,
    digest: String,
    digest_short: String,
}

#[derive(Serialize)]
struct AcceptedChange {
    day: String,
    change: String,
    reason: String,
}

#[derive(Serialize)]
struct FlagLine {
    name: &'static str,
    harm: &'static str,
    meaning: &'static str,
    advice: &'static str,
    count: String,
}

fn fact_row(fact: &Fact) -> FactRow {
    FactRow { label: text::cleaned(&fact.label, LABEL_MAX), value: text::cleaned(&fact.value, PROSE_MAX) }
}

fn fact_table(templates: &Templates, list: &FactList) -> Result<FactTable, RenderError> {
    let rows = Shown::by(templates, "fact-list.html", list.facts.iter().map(fact_row).collect())?;
    Ok(FactTable { heading: text::cleaned(&list.heading, LABEL_MAX), rows })
}

/// Facts as a test's page shows them.
pub fn facts(templates: &Templates, list: &FactList) -> Result<Prepared, RenderError> {
    Prepared::new(&fact_table(templates, list)?)
}

/// Components as a test's page shows them.
pub fn components(rows: &[ComponentRow]) -> Result<Prepared, RenderError> {
    Prepared::new(&rows.iter().map(component_line).collect::<Vec<_>>())
}

fn component_line(row: &ComponentRow) -> ComponentLine {
    let digest = text::cleaned(&row.digest, LABEL_MAX);
    ComponentLine {
        name: text::cleaned(&row.name, LABEL_MAX),
        version: text::cleaned(&row.version, LABEL_MAX),
        digest_short: digest.chars().take(12).collect(),
        digest,
    }
}

fn accepted_change(accepted: &Accepted) -> AcceptedChange {
    AcceptedChange {
        day: text::cleaned(&accepted.day, LABEL_MAX),
        change: text::cleaned(&accepted.change, PROSE_MAX),
        reason: text::cleaned(&accepted.reason, PROSE_MAX),
    }
}

fn flag_line(flag: Flag, count: String) -> FlagLine {
    let harm = match (flag.suspect(), flag.indicative()) {
        (true, _) => "left out of averages",
        (false, true) => "makes results indicative",
        (false, false) => "informational",
    };
    FlagLine { name: flag.name(), harm, meaning: flag.meaning(), advice: flag.advice(), count }
}

fn grade_name(grade: Grade) -> &'static str {
    match grade {
        Grade::PaperGrade => "paper-grade",
        Grade::Indicative => "indicative",
    }
}
