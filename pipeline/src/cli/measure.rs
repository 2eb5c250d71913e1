//! `septet run`.

use std::time::Duration;

use serde::Serialize;

use super::settled::{Before, Settled};
use super::{
    PlanArgs, RunArgs, experiment, remark, results, say, say_json, settled, shard, share, shell, slurm, stands,
};
use crate::clock;
use crate::conditions::Conditions;
use crate::exit::{Exit, Trouble};
use crate::experiment::{Order, Test, select};
use crate::pair::{self, Twin};
use crate::plan::{Have, Why};
use crate::planned::{Planned, plural};
use crate::preparation;
use crate::progress::Progress;
use crate::run::{self, Finished, RunRequest};
use crate::signals::Signals;
use crate::stand::Stand;
use crate::store::Generation;
use crate::workspace::Workspace;

/// What a run says that measured nothing.
const NOTHING: &str = "nothing to measure";

#[derive(Serialize)]
struct RunJson<'a> {
    measured: u64,
    failed: &'a [String],
    /// Tests of which too many attempts gave nothing valid, in this run or before.
    given_up: Vec<&'a str>,
    interrupted: bool,
    out_of_time: bool,
    generation: Option<String>,
    report: Option<String>,
    report_files_written: usize,
}

/// A selection as a question; without an expression the answer is always `default`.
pub(super) fn asked(text: Option<&str>, default: bool) -> Result<impl Fn(&Test) -> bool + Sync, Trouble> {
    let selection = text.map(select::parse).transpose();
    let selection = selection
        .map_err(|error| Trouble::input(format!("failed to understand '{}': {error}", text.unwrap_or_default())))?;
    Ok(move |test: &Test| selection.as_ref().map_or(default, |selection| selection.takes(&test.tuple)))
}

/// Measures what is missing and writes the report.
pub(super) fn run(args: &RunArgs) -> Result<Exit, Trouble> {
    if let Some(id) = &args.slurm.shard {
        return shard::run(args, id);
    }
    if args.slurm.slurm {
        return slurm::run(args);
    }
    let only = asked(args.only.as_deref(), true)?;
    let force = asked(args.force.as_deref(), false)?;
    if args.dry_run {
        let asked = PlanArgs { json: args.json, on: args.on.clone(), assumptions: Vec::new() };
        return experiment::plan(&args.target, &asked, &only, &force, None);
    }
    if let Some(settled) = settled::run(args) {
        return nothing_to_do(args, &settled);
    }
    let signals = Signals::take().map_err(|error| Trouble::host(format!("failed to take signals: {error}")))?;
    let workspace = Workspace::load(&args.target.file, args.target.store.store.as_deref())?;
    for (name, text, takes) in
        [("--only", &args.only, &only as &dyn Fn(&Test) -> bool), ("--force", &args.force, &force)]
    {
        if let Some(text) = text
            && !workspace.tests().iter().any(takes)
        {
            return Err(Trouble::input(format!("{name} '{text}' matches no test in {}", workspace.file.display())));
        }
    }
    let before = Before::of(args, &workspace);
    let mut agents = stands::reach(&workspace, &args.on, args.pair.as_deref().into_iter())?;
    let grounds = agents.grounds(&workspace, args.on.refresh)?;
    let before = before.and_then(|before| before.on(&grounds));
    let conditions: Vec<Conditions> = grounds.iter().map(Conditions::new).collect();
    agents.are_alike(&conditions, workspace.tests().iter().filter(|test| only(test)))?;
    let everywhere = &conditions;
    let conditions = everywhere.first().ok_or_else(|| Trouble::host("failed to find a stand to measure on"))?;
    if args.require_paper_grade {
        paper_grade(conditions, workspace.tests().iter().filter(|test| only(test)))?;
    }
    let mut planned = Planned::make(&workspace, conditions, &force)?;
    if !args.target.no_remote && share::read_through(&planned, &only)? {
        planned = Planned::make(&workspace, conditions, &force)?;
    }
    if !args.quiet {
        remark(&format!("{}: {}", workspace.experiment.name, planned.plan.counts()));
    }
    if let (Some(limit), false) = (args.time_limit, args.quiet) {
        remark(&first_in(&workspace, limit));
    }
    let twins = match &args.pair {
        Some(stack) => pair::twins(&planned, stack, &only)
            .map_err(|problem| Trouble::input(format!("failed to pair with --pair {stack}: {problem}")))?,
        None => Vec::new(),
    };
    if let (Some(stack), false, false) = (&args.pair, twins.is_empty(), args.quiet) {
        remark(&format!("{} measured with stack {stack} as well", plural(twins.len(), "test")));
    }
    let wanted =
        planned.tests().any(|(test, decision)| decision.status == crate::plan::Status::ToMeasure && only(test));
    if let Some(reasons) = planned.all_skipped(&only).filter(|_| !args.quiet) {
        remark(&reasons);
    }
    let finished = match wanted {
        false => Finished::default(),
        true => {
            let manner = Manner {
                keep_going: args.keep_going && !args.keep_on_failure,
                keep_on_failure: args.keep_on_failure,
                quiet: args.quiet,
                verbose: args.verbose,
                time_limit: args.time_limit,
                wait: args.wait,
                until_quiet: args.until_quiet,
            };
            measured(&workspace, agents.stands(everywhere), &manner, (&only, &force, &twins), &signals)?
        }
    };
    match finished.lost {
        // It is gone, and so is what it held.
        Some(_) => drop(agents),
        None => agents.bye()?,
    }
    let exit = conclude(args, &planned, &only, &twins, &finished, before)?;
    match finished.lost {
        Some(error) => Err(error.into()),
        None => Ok(exit),
    }
}

/// What comes first in a run of so long, and how its order can be had again.
fn first_in(workspace: &Workspace, limit: Duration) -> String {
    let equals = match workspace.experiment.protocol.order {
        Order::Random => format!("at random by seed {}", run::seed(workspace)),
        Order::Declared => "as declared".to_string(),
    };
    format!("for {}: what is most in doubt is measured first; equals {equals}", clock::shown(limit))
}

/// How tests are measured, besides which.
pub(super) struct Manner {
    pub(super) keep_going: bool,
    pub(super) keep_on_failure: bool,
    pub(super) quiet: bool,
    pub(super) verbose: bool,
    pub(super) time_limit: Option<Duration>,
    pub(super) wait: Duration,
    pub(super) until_quiet: Option<Duration>,
}

/// A question about a test.
type Selects<'a> = &'a (dyn Fn(&Test) -> bool + Sync);

/// Measures what is missing on stands, saying how it goes. Asked are which tests only, which in any case, and which
/// besides.
pub(super) fn measured(
    workspace: &Workspace,
    stands: Vec<Stand>,
    manner: &Manner,
    (only, force, twins): (Selects, Selects, &[Twin]),
    signals: &Signals,
) -> Result<Finished, Trouble> {
    let mut progress = Progress::new(manner.quiet, manner.verbose, &share::beside(&workspace.file));
    let request = RunRequest {
        keep_going: manner.keep_going,
        only,
        force,
        twins,
        time_limit: manner.time_limit,
        wait: manner.wait,
        until_quiet: manner.until_quiet,
        keep: manner.keep_on_failure.then_some(&shell::look_around),
        interrupted: &|| signals.asked(),
    };
    let finished = run::run(workspace, stands, &request, &mut progress);
    progress.finish();
    Ok(finished?)
}

/// Keeps the generation, writes the report, says how it went.
pub(super) fn conclude(
    args: &RunArgs,
    before: &Planned,
    only: &dyn Fn(&Test) -> bool,
    twins: &[Twin],
    finished: &Finished,
    seen: Option<Before>,
) -> Result<Exit, Trouble> {
    let workspace = before.workspace;
    let has_measured = finished.measured > 0 || !finished.failed.is_empty();
    let seen = match has_measured {
        true => seen.map(|seen| seen.again(args, workspace)),
        false => seen,
    };
    let planned;
    let after = match has_measured {
        true => {
            planned = Planned::make(workspace, before.conditions, &|_| false)?;
            &planned
        }
        false => before,
    };
    let given_up = given_up(after, only);
    for lost in &given_up {
        remark(&format!("GIVEN UP {}", lost.words));
    }
    let paired = run::paired(twins, &before.index, &after.index);
    let generation = run::generation(workspace, &after.plan, &after.index, paired)?;
    let stands = generation.tests.iter().any(|test| !test.repetitions.is_empty());
    let name = if stands { kept(workspace, &generation, finished)? } else { None };

    let mut written = None;
    if !args.no_report && !finished.interrupted {
        written = Some(results::write(workspace, &generation, &args.output)?);
    }
    if let (Some(seen), Some(name), []) = (seen, &name, &given_up[..]) {
        seen.leave(args, after, name, written.as_ref());
    }
    if args.json {
        say_json(&RunJson {
            measured: finished.measured,
            failed: &finished.failed,
            given_up: given_up.iter().map(|lost| lost.name.as_str()).collect(),
            interrupted: finished.interrupted,
            out_of_time: finished.out_of_time,
            generation: name,
            report: written.as_ref().map(|written| written.folder.shown().display().to_string()),
            report_files_written: written.as_ref().map_or(0, |written| written.files),
        })?;
    } else if !args.quiet {
        say(&summary(finished, given_up.len(), written.as_ref()))?;
    }
    Ok(match () {
        () if finished.interrupted => Exit::Interrupted,
        () if !finished.failed.is_empty() || !given_up.is_empty() => Exit::TestsFailed,
        () => results::strict_claims(workspace, &generation, &args.output)?,
    })
}

/// A test that is measured no more.
struct GivenUp {
    name: String,
    words: String,
}

/// The tests of which too many attempts gave nothing valid: what was asked for is not there, however often it is run.
fn given_up(planned: &Planned, only: &dyn Fn(&Test) -> bool) -> Vec<GivenUp> {
    let asked = planned.tests().filter(|(test, _)| only(test));
    let given_up = asked.filter_map(|(test, decision)| {
        let attempts = decision.why.iter().find_map(|why| match why {
            Why::GivenUp(attempts) => Some(*attempts),
            _ => None,
        })?;
        let (name, Have { have, min, .. }) = (test.tuple.to_string(), decision.repetitions);
        let key = decision.key.map(|key| key.short()).unwrap_or_default();
        let words = format!(
            "{name}: {attempts} attempts, {have} of them valid, {min} wanted: `septet show {key}` has their flags, \
             `septet run --force` tries again"
        );
        Some(GivenUp { name, words })
    });
    given_up.collect()
}

/// What is said where nothing is to be done: the same as after a plan.
fn nothing_to_do(args: &RunArgs, settled: &Settled) -> Result<Exit, Trouble> {
    let Settled { stamp, report } = settled;
    if !args.quiet {
        remark(&format!("{}: {}", stamp.experiment, stamp.counts()));
    }
    if args.json {
        return say_json(&RunJson {
            measured: 0,
            failed: &[],
            given_up: Vec::new(),
            interrupted: false,
            out_of_time: false,
            generation: Some(stamp.generation.clone()),
            report: report.as_ref().map(|folder| folder.shown().display().to_string()),
            report_files_written: 0,
        });
    }
    if args.quiet {
        return Ok(Exit::Well);
    }
    let report = report.as_ref().map(|folder| format!("\n{}", results::up_to_date(folder)));
    say(&format!("{NOTHING}{}", report.unwrap_or_default()))
}

/// Keeps a generation; its name. Where nothing was measured and the store cannot be written to, the report is made of
/// it all the same.
pub(super) fn kept(
    workspace: &Workspace,
    generation: &Generation,
    finished: &Finished,
) -> Result<Option<String>, Trouble> {
    match workspace.store.keep_generation(generation) {
        Err(error) if error.is_refusal() && finished.measured == 0 => {
            remark(&format!("septet: {error}; the generation of this run is not kept"));
            Ok(None)
        }
        other => Ok(Some(other?.to_string())),
    }
}

fn summary(finished: &Finished, given_up: usize, written: Option<&results::Written>) -> String {
    let mut out = match finished.measured {
        0 => NOTHING.to_string(),
        count => format!("measured {}", plural(count as usize, "repetition")),
    };
    if !finished.failed.is_empty() {
        out.push_str(&format!(", {} failed", plural(finished.failed.len(), "test")));
    }
    if given_up > 0 {
        out.push_str(&format!(", {} given up", plural(given_up, "test")));
    }
    if finished.interrupted {
        out.push_str("; interrupted; what was finished is kept, run again to continue");
    }
    if finished.out_of_time {
        out.push_str("; time limit reached; run again to continue");
    }
    if let Some(written) = written {
        out.push_str(&format!("\n{written}"));
    }
    out
}

/// Refuses a host on which results of these tests would be indicative.
fn paper_grade<'t>(conditions: &Conditions, tests: impl Iterator<Item = &'t Test>) -> Result<(), Trouble> {
    let reasons = preparation::indicative(conditions, tests);
    match reasons.is_empty() {
        true => Ok(()),
        false => Err(Trouble::host(format!(
            "failed to prepare the host for paper-grade results: {}; septet host check says what can be done",
            reasons.join("; ")
        ))),
    }
}
