//! The page of a reproduction: the sum, each claim with two verdicts, figures and tables of both sides, and what differs
//! between the two environments. It must not judge.

use serde::Serialize;

use results::axes::Axis;

use crate::claim::Verdict;
use crate::number;
use crate::report::ClaimView;
use crate::reproduction::{
    ClaimPair, FactPair, FigurePair, PairRow, Quotient, Reproduction, Sided, TablePair, Tally, Word,
};
use crate::since::InputChange;
use crate::svg;
use crate::templates::{RenderError, Templates};
use crate::text::{self, LABEL_MAX, PROSE_MAX};

/// Where the two sides' own reports lie, beside the page.
const THEIRS: &str = "theirs/";
const OURS: &str = "ours/";
/// Names of tests that are listed for a reason.
const TESTS_MAX: usize = 12;

#[derive(Serialize)]
struct Page {
    title: String,
    authors: String,
    archive: String,
    generation_theirs: String,
    generation_ours: String,
    sum: String,
    class: &'static str,
    lead: Vec<String>,
    verified: Vec<String>,
    claims: Vec<ClaimLine>,
    figures: Vec<FigureView>,
    tables: Vec<TableView>,
    inputs: Vec<Difference>,
    facts: Vec<Difference>,
    unmeasured: Vec<ReasonLine>,
}

#[derive(Serialize)]
struct ClaimLine {
    id: String,
    text: String,
    expression: String,
    word: &'static str,
    class: &'static str,
    theirs: SideLine,
    ours: SideLine,
    note: String,
}

#[derive(Serialize)]
struct SideLine {
    outcome: &'static str,
    class: &'static str,
    numbers: Vec<String>,
    why: Vec<String>,
}

#[derive(Serialize)]
struct FigureView {
    id: String,
    title: String,
    caption: String,
    svg: String,
    notes: Vec<String>,
    values: Values,
}

#[derive(Serialize)]
struct TableView {
    id: String,
    caption: String,
    notes: Vec<String>,
    values: Values,
}

#[derive(Serialize)]
struct Values {
    axes: Vec<String>,
    base: String,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    place: Vec<String>,
    metric: String,
    theirs: Cell,
    ours: Cell,
    ratio: Cell,
    relative: Vec<Cell>,
}

#[derive(Clone, Default, Serialize)]
struct Cell {
    value: String,
    doubt: String,
    sort: String,
    link: String,
}

#[derive(Serialize)]
struct Difference {
    what: String,
    theirs: String,
    ours: String,
    tests: String,
}

#[derive(Serialize)]
struct ReasonLine {
    reason: String,
    count: String,
    tests: Vec<String>,
    more: String,
}

/// The text of the page.
pub fn reproduction(templates: &Templates, reproduction: &Reproduction) -> Result<String, RenderError> {
    let meta = reproduction.meta;
    let tally = Tally::of(reproduction.claims);
    let figures = reproduction.figures.iter().map(|pair| figure(templates, pair));
    let page = Page {
        title: text::cleaned(meta.title.as_deref().unwrap_or(meta.name.as_str()), LABEL_MAX),
        authors: text::cleaned(&meta.authors.join(", "), PROSE_MAX),
        archive: text::cleaned(reproduction.archive, LABEL_MAX),
        generation_theirs: text::cleaned(reproduction.generation_theirs, LABEL_MAX),
        generation_ours: text::cleaned(&meta.generation, LABEL_MAX),
        sum: first_upper(&tally.to_string()),
        class: match (tally.count(Word::NotReproduced), tally.count(Word::Reproduced)) {
            (0, 0) => "open",
            (0, _) => "holds",
            _ => "refuted",
        },
        lead: lead(reproduction),
        verified: reproduction.verified.iter().map(|line| text::cleaned(line, PROSE_MAX)).collect(),
        claims: reproduction.claims.iter().map(claim).collect(),
        figures: figures.collect::<Result<_, _>>()?,
        tables: reproduction.tables.iter().map(table).collect(),
        inputs: reproduction.inputs.iter().map(input).collect(),
        facts: reproduction.facts.iter().map(fact).collect(),
        unmeasured: reproduction
            .unmeasured
            .iter()
            .map(|some| ReasonLine {
                reason: text::cleaned(&some.reason, PROSE_MAX),
                count: number::count(some.tests.len() as u64),
                tests: some.tests.iter().take(TESTS_MAX).map(|name| text::cleaned(name, PROSE_MAX)).collect(),
                more: match some.tests.len().saturating_sub(TESTS_MAX) {
                    0 => String::new(),
                    more => number::count(more as u64),
                },
            })
            .collect(),
    };
    templates.markup("reproduction.html", &page)
}

fn first_upper(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// What has to be known before anything is read off the page.
fn lead(reproduction: &Reproduction) -> Vec<String> {
    let count = |count: usize| number::count(count as u64);
    let mut lead = vec![format!(
        "Of {} tests, {} have results on both sides.",
        count(reproduction.tests),
        count(reproduction.tests_both)
    )];
    if let Some(scale) = reproduction.scale {
        lead.push(format!(
            "Here windows and repetitions were scaled to {} of theirs: intervals are wider, and what needs a long window \
             may come out otherwise. It is a first look, not the reproduction itself.",
            number::machine(scale)
        ));
    }
    lead.push(match reproduction.is_other_hardware {
        true => "The two sides have different processors, so that absolute values say little of each other. Where a \
                 figure or table has a base (a path without a switch, or the plainest technique), each side is shown in \
                 parts of its own base, and these parts are compared: a ratio of ratios."
            .to_string(),
        false => "Both sides have processors of the same model. Where a figure or table has a base (a path without a \
                  switch, or the plainest technique), each side is also shown in parts of its own base."
            .to_string(),
    });
    lead
}

fn claim(pair: &ClaimPair) -> ClaimLine {
    let note = match pair.one_sided {
        0 => String::new(),
        count => format!(
            "{} of its tests {} measured on one side only; over those of both sides it is {} there, {} here.",
            number::count(count as u64),
            if count == 1 { "was" } else { "were" },
            pair.theirs_both.name(),
            pair.ours_both.name()
        ),
    };
    ClaimLine {
        id: pair.ours.id.to_string(),
        text: text::cleaned(&pair.ours.text, PROSE_MAX),
        expression: text::cleaned_lines(pair.ours.expression.trim()),
        word: pair.word.name(),
        class: pair.word.class(),
        theirs: side(&pair.theirs),
        ours: side(&pair.ours),
        note,
    }
}

fn side(view: &ClaimView) -> SideLine {
    let verdict = view.verdict.as_ref();
    let cleaned = |pick: fn(&Verdict) -> &[String]| -> Vec<String> {
        verdict
            .map(|verdict| pick(verdict).iter().map(|line| text::cleaned(line, PROSE_MAX)).collect())
            .unwrap_or_default()
    };
    let mut why = cleaned(|verdict| &verdict.doubts);
    why.extend(cleaned(|verdict| &verdict.missing));
    SideLine {
        outcome: verdict.map_or("not judged", |verdict| verdict.outcome.name()),
        class: verdict.map_or("open", |verdict| verdict.outcome.class()),
        numbers: cleaned(|verdict| &verdict.numbers),
        why,
    }
}

fn figure(templates: &Templates, pair: &FigurePair) -> Result<FigureView, RenderError> {
    let figure = &pair.figure;
    Ok(FigureView {
        id: figure.id.to_string(),
        title: figure.title.clone().unwrap_or_default(),
        caption: figure.caption.clone().unwrap_or_default(),
        svg: svg::figure_inline(templates, figure, true, (OURS, THEIRS))?,
        notes: figure.notes.clone(),
        values: values(&pair.axes, &pair.rows),
    })
}

fn table(pair: &TablePair) -> TableView {
    TableView {
        id: pair.id.to_string(),
        caption: pair.caption.clone().unwrap_or_default(),
        notes: pair.notes.clone(),
        values: values(&pair.axes, &pair.rows),
    }
}

fn values(axes: &[Axis], rows: &[PairRow]) -> Values {
    let base = rows.iter().find_map(|row| Some(row.relative.as_ref()?.base.clone()));
    let made = rows.iter().map(|row| Row {
        place: row.place.clone(),
        metric: row.metric.label(),
        theirs: sided(row.theirs.as_ref(), THEIRS),
        ours: sided(row.ours.as_ref(), OURS),
        ratio: row.ratio.map(quotient).unwrap_or_default(),
        relative: match (&base, &row.relative) {
            (None, _) => Vec::new(),
            (Some(_), None) => vec![Cell::default(); 3],
            (Some(_), Some(relative)) => [relative.theirs, relative.ours, relative.ratio].map(quotient).to_vec(),
        },
    });
    Values {
        axes: axes.iter().map(|axis| axis.label().to_string()).collect(),
        rows: made.collect(),
        base: text::cleaned(&base.unwrap_or_default(), LABEL_MAX),
    }
}

fn sided(sided: Option<&Sided>, base: &str) -> Cell {
    let Some(sided) = sided else { return Cell { value: "–".to_string(), ..Cell::default() } };
    let decimals = number::decimals_for(sided.mean);
    Cell {
        value: number::shown(sided.mean, decimals),
        doubt: doubt(sided.mean, sided.interval, decimals),
        sort: number::machine(sided.mean),
        link: svg::test_page(sided.key.as_deref()).map(|page| format!("{base}{page}")).unwrap_or_default(),
    }
}

fn quotient(quotient: Quotient) -> Cell {
    Cell {
        value: number::shown(quotient.value, 2),
        doubt: quotient
            .interval
            .map(|(low, high)| format!("[{}, {}]", number::shown(low, 2), number::shown(high, 2)))
            .unwrap_or_default(),
        sort: number::machine(quotient.value),
        link: String::new(),
    }
}

/// `± 0.3`, or both ends where they are not equally far.
fn doubt(mean: f64, interval: Option<(f64, f64)>, decimals: usize) -> String {
    let Some((low, high)) = interval else { return String::new() };
    let (below, above) = (mean - low, high - mean);
    match (below - above).abs() <= 1e-6 * above.abs() {
        true => number::doubt(mean, above, decimals),
        false => format!("[{}, {}]", number::shown(low, decimals), number::shown(high, decimals)),
    }
}

fn difference(what: &str, theirs: &str, ours: &str, tests: Option<usize>) -> Difference {
    let shown = |value: &str| if value.is_empty() { "–".to_string() } else { text::cleaned(value, LABEL_MAX) };
    Difference {
        what: text::cleaned(what, LABEL_MAX),
        theirs: shown(theirs),
        ours: shown(ours),
        tests: tests.map(|tests| number::count(tests as u64)).unwrap_or_default(),
    }
}

fn input(change: &InputChange) -> Difference {
    difference(&change.input, &change.was, &change.is, Some(change.tests))
}

fn fact(fact: &FactPair) -> Difference {
    difference(&fact.label, &fact.theirs, &fact.ours, None)
}
