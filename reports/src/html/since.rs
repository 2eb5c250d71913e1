//! The page that says what changed since an older generation. It must not find out what did.

use serde::Serialize;

use results::summary::Estimate;

use crate::model::Meta;
use crate::number;
use crate::since::{Changes, InputChange, TestChange};
use crate::svg;
use crate::templates::{RenderError, Templates};
use crate::text::{self, LABEL_MAX, PROSE_MAX};

#[derive(Serialize)]
struct Page {
    title: String,
    base: String,
    generation: String,
    nothing: bool,
    unchanged: String,
    inputs: Vec<InputLine>,
    figures: Vec<String>,
    tables: Vec<String>,
    claims: Vec<ClaimLine>,
    tests: Vec<TestLine>,
}

#[derive(Serialize)]
struct InputLine {
    input: String,
    was: String,
    is: String,
    tests: String,
}

#[derive(Serialize)]
struct ClaimLine {
    id: String,
    was: &'static str,
    is: &'static str,
    moved: bool,
}

#[derive(Serialize)]
struct TestLine {
    name: String,
    link: String,
    what: String,
    was: String,
    is: String,
    change: String,
    sort: String,
}

/// The text of the page.
pub fn since(templates: &Templates, meta: &Meta, changes: &Changes) -> Result<String, RenderError> {
    let page = Page {
        title: text::cleaned(meta.title.as_deref().unwrap_or(meta.name.as_str()), LABEL_MAX),
        base: text::cleaned(&changes.base, LABEL_MAX),
        generation: text::cleaned(&meta.generation, LABEL_MAX),
        nothing: changes.tests.is_empty() && changes.claims.is_empty() && changes.figures.is_empty(),
        unchanged: number::count(changes.unchanged as u64),
        inputs: changes.inputs.iter().map(input_line).collect(),
        figures: changes.figures.clone(),
        tables: changes.tables.clone(),
        claims: changes
            .claims
            .iter()
            .map(|claim| ClaimLine {
                id: claim.id.clone(),
                was: claim.was.unwrap_or("new"),
                is: claim.is,
                moved: claim.was != Some(claim.is),
            })
            .collect(),
        tests: changes.tests.iter().map(test_line).collect(),
    };
    templates.markup("since.html", &page)
}

fn input_line(change: &InputChange) -> InputLine {
    let shown = |value: &str| if value.is_empty() { "–".to_string() } else { text::cleaned(value, LABEL_MAX) };
    InputLine {
        input: text::cleaned(&change.input, LABEL_MAX),
        was: shown(&change.was),
        is: shown(&change.is),
        tests: number::count(change.tests as u64),
    }
}

fn test_line(change: &TestChange) -> TestLine {
    let shown = |estimate: &Option<Estimate>| match estimate {
        None => "–".to_string(),
        Some(estimate) => {
            let scale = change.metric.unit.scale();
            let decimals = number::decimals_for(estimate.mean / scale);
            let half = estimate
                .half_width
                .map(|half| format!(" {}", number::doubt(estimate.mean / scale, half / scale, decimals)));
            let mean = number::shown(estimate.mean / scale, decimals);
            format!("{mean}{} {}", half.unwrap_or_default(), change.metric.unit.symbol())
        }
    };
    let moved = match (&change.was, &change.is) {
        (Some(was), Some(is)) if was.mean != 0.0 => Some((is.mean / was.mean - 1.0) * 100.0),
        _ => None,
    };
    TestLine {
        name: text::cleaned(&change.name, PROSE_MAX),
        link: svg::test_page(change.key.as_deref()).unwrap_or_default(),
        what: change.what.clone(),
        was: shown(&change.was),
        is: shown(&change.is),
        change: moved.map(percent).unwrap_or_default(),
        sort: moved.map(number::machine).unwrap_or_default(),
    }
}

fn percent(moved: f64) -> String {
    let text = number::shown(moved, 1);
    if text.starts_with('-') { format!("−{} %", text.trim_start_matches('-')) } else { format!("+{text} %") }
}
