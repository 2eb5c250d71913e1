//! How long the figures of the paper take: all of them from 1,096 synthetic summaries, and again after one
//! test has changed, with the pages that hold them.
//!
//!   cargo bench --workspace --bench paper

// A benchmark prints what it measured.
#![allow(clippy::print_stdout)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::{Duration, Instant};

use reports::figure::{Figure, build_figure};
use reports::model::TestView;
use reports::render;
use reports::report::{ClaimView, Report};
use results::metric::Quantity;
use support::*;

/// Timed runs of each; the slowest counts.
const RUNS: u32 = 5;
/// Goal for rendering everything.
const ALL_MAX: Duration = Duration::from_secs(3);
/// Goal for rendering after one changed test.
const ONE_MAX: Duration = Duration::from_millis(300);

fn main() {
    let tests = paper_tests();
    let (mut all, mut one) = (Duration::ZERO, Duration::ZERO);
    let mut rewritten = 0;
    for run in 0..RUNS {
        let began = Instant::now();
        let (held, files) = rendered(&tests, &[]);
        all = all.max(began.elapsed());
        assert_eq!(held.len(), 14, "the paper has 14 panels");
        assert!(files > 3 * held.len());

        let mut changed = tests.clone();
        let summary = changed[100 + run as usize].summary.as_mut().expect("it is measured");
        summary.values.get_mut(&Quantity::RxPps).expect("it has a rate").mean *= 1.01;
        let began = Instant::now();
        (_, rewritten) = rendered(&changed, &held);
        one = one.max(began.elapsed());
    }
    println!("{} tests, 14 panels and their pages, slowest of {RUNS} runs", tests.len());
    println!("  all of them       {:>8.1} ms (goal {} ms)", all.as_secs_f64() * 1e3, ALL_MAX.as_millis());
    println!(
        "  one test changed  {:>8.1} ms (goal {} ms), {rewritten} files",
        one.as_secs_f64() * 1e3,
        ONE_MAX.as_millis()
    );
}

/// Builds every figure, renders those that are not among `held`, and the pages that hold all of them.
fn rendered(tests: &[TestView], held: &[Figure]) -> (Vec<Figure>, usize) {
    let views: Vec<&TestView> = tests.iter().collect();
    let figures: Vec<Figure> =
        paper_figures().iter().map(|spec| build_figure(spec, &views).expect("a figure")).collect();
    let tables = [reports::table::build_table(&paper_table(), &views).expect("a table")];
    let claims = [ClaimView::judged(
        &claim("plateau", &["local"], "for V, P: plateau(rx_pps, offered_pps, over R, within 5%)"),
        &views,
    )];
    let mut files = 0;
    for figure in figures.iter().filter(|figure| !held.contains(figure)) {
        files += render::render_figure(built_in(), figure).expect("a figure's files").len();
    }
    let meta = meta("The paper's figures");
    let report = Report { meta: &meta, figures: &figures, tables: &tables, claims: &claims, tests: &views };
    render::render_index(built_in(), &report).expect("a front page");
    render::render_claims(built_in(), &report).expect("a page of claims");
    render::render_latex_document(built_in(), &report).expect("a document");
    render::render_summary(&report);
    (figures, files + 4)
}
