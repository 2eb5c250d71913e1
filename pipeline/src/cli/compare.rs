//! `septet compare`: what moved between two sides, as a table, a plot and JSON.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use reports::comparison::{self, RatioRow};
use reports::since::InputChange;
use reports::text::cleaned;
use results::metric::Metric;
use results::statistics::family::FAMILY_ERROR_MAX;
use results::summary::{Estimate, Grade};
use serde::Serialize;

use super::{Target, remark, say, say_json, share};
use crate::archive::ArchiveError;
use crate::beneath;
use crate::compare::{Comparison, Row, SideError, compare, resolve};
use crate::exit::{Exit, Trouble};
use crate::planned::plural;
use crate::workspace::Workspace;

#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    #[command(flatten)]
    target: Target,
    /// The earlier side: a generation, by the beginning of its name or digest, or `latest~1`; `stack:NAME`; an
    /// archive, or `origin:NAME` for an imported one.
    before: String,
    /// The later side, likewise.
    #[arg(default_value = "latest")]
    after: String,
    /// Compare by this metric (rx_mpps, rtt_us_p99, ...) [default: received rate, mean round trip].
    #[arg(long)]
    metric: Option<String>,
    /// Exit with 4 if a test is significantly slower, by at least this part: `5%`.
    #[arg(long, value_name = "PART", value_parser = part)]
    fail_if_slower: Option<f64>,
    /// Write the plot into this file, as SVG.
    #[arg(long, value_name = "FILE")]
    plot: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Characters of an input's value that are shown; JSON has the whole.
const INPUT_CHARS_MAX: usize = 60;

/// `5%` or `0.05`.
fn part(text: &str) -> Result<f64, String> {
    let (digits, scale) = text.strip_suffix('%').map_or((text, 1.0), |digits| (digits, 100.0));
    match digits.trim().parse::<f64>() {
        Ok(part) if (0.0..=1.0).contains(&(part / scale)) => Ok(part / scale),
        _ => Err(format!("'{text}' is not a fraction: write 5% or 0.05")),
    }
}

impl From<SideError> for Trouble {
    fn from(error: SideError) -> Trouble {
        match error {
            SideError::Store(error) => error.into(),
            // Exit 4 says that something is slower, so that what cannot be compared is not to be taken for it.
            SideError::Archive(error @ ArchiveError::Damaged { .. }) => Trouble::input(error.to_string()),
            SideError::Archive(error) => error.into(),
            other => Trouble::input(other.to_string()),
        }
    }
}

pub(super) fn run(args: &CompareArgs) -> Result<Exit, Trouble> {
    let metric = args.metric.as_deref().map(str::parse::<Metric>).transpose();
    let metric = metric.map_err(|error| Trouble::input(format!("failed to compare: {error}; rx_mpps is one")))?;
    let workspace = Workspace::load(&args.target.file, args.target.store.store.as_deref())?;
    share::tell(&workspace.store.line(workspace.experiment.name.as_str())?);
    let before = resolve(&workspace, &args.before)?;
    let after = resolve(&workspace, &args.after)?;
    let comparison = compare(&before, &after, metric);
    if let Some(path) = &args.plot {
        let rows: Vec<RatioRow> = comparison.rows.iter().map(drawn).collect();
        let title = format!("{}: {} against {}", workspace.experiment.name, comparison.after, comparison.before);
        let svg = comparison::svg(&title, &rows)
            .map_err(|error| Trouble::host(format!("failed to draw the comparison: {error}")))?;
        beneath::write_output(path, svg.as_ref()).map_err(|error| Trouble::input(error.to_string()))?;
    }
    match args.json {
        true => say_json(&json(workspace.experiment.name.as_str(), &comparison))?,
        false => say(&text(workspace.experiment.name.as_str(), &comparison))?,
    };
    let slower = args.fail_if_slower.map_or(0, |part| comparison.slower(part).count());
    if slower > 0 {
        remark(&format!("septet: {} slower than allowed", plural(slower, "test")));
        return Ok(Exit::Answer);
    }
    Ok(Exit::Well)
}

fn drawn(row: &Row) -> RatioRow {
    RatioRow {
        test: row.test.clone(),
        n: row.before.n + row.after.n,
        ratio: row.ratio.value,
        interval: row.ratio.interval,
        moved: row.moved(),
    }
}

#[derive(Serialize)]
struct CompareJson<'a> {
    experiment: &'a str,
    before: &'a str,
    after: &'a str,
    /// Part of such comparisons of two equal sides that call anything moved, at most.
    family_error_max: f64,
    compared: usize,
    moved: usize,
    same: usize,
    /// Median over tests of the least change that is detected with 50 % power.
    detectable: Option<f64>,
    /// What the two sides were measured under and that is not the same.
    inputs: Vec<InputJson<'a>>,
    /// Tests of which that is not known, since a manifest is missing.
    inputs_unknown: usize,
    tests: Vec<RowJson<'a>>,
    left_out: Vec<LeftOutJson<'a>>,
}

#[derive(Serialize)]
struct RowJson<'a> {
    name: &'a str,
    metric: String,
    before: Estimate,
    after: Estimate,
    ratio: f64,
    ratio_ci95: Option<(f64, f64)>,
    p: f64,
    p_adjusted: f64,
    moved: bool,
    slower_by: f64,
    detectable: Option<f64>,
    grade: Grade,
    /// Names of the triggers that differ.
    changed: &'a [String],
}

#[derive(Serialize)]
struct InputJson<'a> {
    input: &'a str,
    was: &'a str,
    is: &'a str,
    tests: usize,
}

#[derive(Serialize)]
struct LeftOutJson<'a> {
    name: &'a str,
    reason: &'a str,
}

/// Values of `before` and `after` are in base units, whatever unit the metric has.
fn json<'a>(experiment: &'a str, comparison: &'a Comparison) -> CompareJson<'a> {
    let row = |row: &'a Row| RowJson {
        name: &row.test,
        metric: row.metric.to_string(),
        before: row.before,
        after: row.after,
        ratio: row.ratio.value,
        ratio_ci95: row.ratio.interval,
        p: row.judged.p,
        p_adjusted: row.judged.p_adjusted,
        moved: row.moved(),
        slower_by: row.slower_by(),
        detectable: row.judged.detectable,
        grade: row.grade,
        changed: &row.changed,
    };
    let input = |change: &'a InputChange| InputJson {
        input: &change.input,
        was: &change.was,
        is: &change.is,
        tests: change.tests,
    };
    CompareJson {
        experiment,
        before: &comparison.before,
        after: &comparison.after,
        family_error_max: FAMILY_ERROR_MAX,
        compared: comparison.rows.len(),
        moved: comparison.rows.iter().filter(|row| row.moved()).count(),
        same: comparison.same,
        detectable: comparison.detectable(),
        inputs: comparison.inputs.iter().map(input).collect(),
        inputs_unknown: comparison.unknown,
        tests: comparison.rows.iter().map(row).collect(),
        left_out: comparison.left_out.iter().map(|(name, reason)| LeftOutJson { name, reason }).collect(),
    }
}

fn text(experiment: &str, comparison: &Comparison) -> String {
    let moved = comparison.rows.iter().filter(|row| row.moved()).count();
    let mut out = format!(
        "{experiment}: {} against {}\n{} compared, {moved} moved (family-wise error rate at most {:.0} %)",
        comparison.after,
        comparison.before,
        plural(comparison.rows.len(), "test"),
        FAMILY_ERROR_MAX * 100.0,
    );
    if comparison.same > 0 {
        let _ = write!(out, "\n{} on the very same repetitions on both sides", plural(comparison.same, "test"));
    }
    if let Some(part) = comparison.detectable() {
        let _ = write!(
            out,
            "\nwith these repetitions a change of {:.1} % is detected with 50 % power (median over tests)",
            part * 100.0
        );
    }
    if comparison.rows.iter().any(|row| row.grade == Grade::Indicative) {
        out.push_str("\nindicative: this host does not meet the paper-grade requirements");
    }
    out.push_str(&differing(comparison));
    if !comparison.rows.is_empty() {
        let _ = write!(out, "\n\n{}", table(&comparison.rows));
    }
    for (name, reason) in &comparison.left_out {
        let _ = write!(out, "\nnot compared: {name}: {reason}");
    }
    out
}

/// What the two sides were measured under and that is not the same.
fn differing(comparison: &Comparison) -> String {
    let mut out = String::new();
    for InputChange { input, was, is, tests } in &comparison.inputs {
        // What an archive says is somebody else's text.
        let shown = |text: &str| if text.is_empty() { "none".to_string() } else { cleaned(text, INPUT_CHARS_MAX) };
        let input = cleaned(input, INPUT_CHARS_MAX);
        let _ = write!(out, "\ndiffers: {input} {} → {}, {}", shown(was), shown(is), plural(*tests, "test"));
    }
    if comparison.inputs.is_empty() && comparison.unknown == 0 && !comparison.rows.is_empty() {
        out.push_str("\nnothing differs that is in keys: the same software, kernel, processor and settings");
    }
    if comparison.unknown > 0 {
        let tests = plural(comparison.unknown, "test");
        let _ = write!(out, "\nwhat differs for {tests} is not known: a manifest is missing, as store verify says");
    }
    out
}

fn table(rows: &[Row]) -> String {
    const HEADS: [&str; 7] = ["#", "later / earlier", "95 % interval", "p", "earlier → later", "differs", "test"];
    let mut cells = vec![HEADS.map(str::to_string)];
    for (number, row) in (1..).zip(rows) {
        let interval = match row.ratio.interval {
            Some((low, high)) => format!("[{low:.4}, {high:.4}]"),
            None => "unbounded".to_string(),
        };
        let scale = row.metric.unit.scale();
        let unit = row.metric.unit.symbol();
        let values = format!("{} → {} {unit}", shown(row.before.mean / scale), shown(row.after.mean / scale));
        let mark = if row.moved() { "*" } else { " " };
        let p =
            if row.judged.p_adjusted < 0.0005 { "<0.001".to_string() } else { format!("{:.3}", row.judged.p_adjusted) };
        cells.push([
            number.to_string(),
            format!("{:.4}{mark}", row.ratio.value),
            interval,
            p,
            values.trim_end().to_string(),
            cleaned(&row.changed.join(" "), INPUT_CHARS_MAX),
            row.test.clone(),
        ]);
    }
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..HEADS.len()).map(width).collect();
    let mut out = String::new();
    for row in &cells {
        let padded = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
        let line = padded.collect::<Vec<_>>().join("  ");
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str("* moved; p is corrected for all tests together (Holm)");
    out
}

/// Four significant digits at least.
fn shown(value: f64) -> String {
    let decimals = reports::number::decimals_for(value);
    reports::number::shown(value, decimals)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_as_percent_or_as_they_are() {
        assert_eq!(part("5%"), Ok(0.05));
        assert_eq!(part("0.05"), Ok(0.05));
        for wrong in ["5", "-1%", "five", "", "nan%"] {
            assert!(part(wrong).is_err(), "{wrong}");
        }
    }
}
