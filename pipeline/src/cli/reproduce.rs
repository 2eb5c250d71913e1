//! `septet reproduce`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::measure::{self, Manner};
use super::stacks::Where;
use super::{remark, say, say_json, stands};
use crate::archive::{self, ArchiveError, Compared, Depth, Limits, Verified};
use crate::conditions::Conditions;
use crate::exit::{Exit, Trouble};
use crate::plan::Status;
use crate::planned::{Planned, plural};
use crate::reproduce::{self, Beside, ReproduceError, ReproductionFolder};
use crate::run::{self, Finished};
use crate::signals::Signals;
use crate::store::{Generation, StoreError};
use reports::reproduction::Word;

#[derive(Debug, Args)]
pub(super) struct ReproduceArgs {
    /// The archive.
    archive: PathBuf,
    /// Folder to reproduce it in: new, or of an earlier reproduction of the same archive [default:
    /// NAME-reproduced].
    folder: Option<PathBuf>,
    /// Measure these tests only: `V=ovs,P=64`, or a test's name.
    #[arg(long, value_name = "EXPR")]
    only: Option<String>,
    /// Start nothing that would end later than this: `2h`, `30min`.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    time_limit: Option<Duration>,
    /// A first look: windows and repetitions scaled to this part, 0.1 for a tenth. What it measures is kept apart from
    /// the whole, and every page says so.
    #[arg(long, value_name = "PART")]
    scale: Option<f64>,
    #[command(flatten)]
    on: Where,
    /// Print failures and the outcome only.
    #[arg(short, long)]
    quiet: bool,
    /// Print a line with all flags for each repetition.
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// How long to wait for another run that is using the host.
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// Before each window, wait up to this long until other processes leave the measuring CPUs alone: `30s`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    until_quiet: Option<Duration>,
    /// Most bytes that the archive may unpack to, in $TMPDIR [default: 100 times its size, and 64 MiB].
    #[arg(long, value_name = "BYTES")]
    bytes_max: Option<u64>,
    /// Print JSON: the outcome, on standard output.
    #[arg(long)]
    json: bool,
}

impl From<ReproduceError> for Trouble {
    fn from(error: ReproduceError) -> Trouble {
        match error {
            ReproduceError::Archive(error) => error.into(),
            ReproduceError::Place { .. } | ReproduceError::Scale(_) => Trouble::input(error.to_string()),
            ReproduceError::Workspace(error) => error.into(),
            ReproduceError::Store(error) => error.into(),
            ReproduceError::Report(error) => (*error).into(),
            ReproduceError::Files(ref files) => Trouble::of_files(&error, &files.source),
        }
    }
}

#[derive(Serialize)]
struct ReproducedJson<'a> {
    folder: String,
    report: String,
    report_files_written: usize,
    imported: usize,
    measured: u64,
    failed: &'a [String],
    interrupted: bool,
    out_of_time: bool,
    reproduction: &'a serde_json::Value,
}

/// Measures an archive's experiment here and sets theirs beside ours.
pub(super) fn run(args: &ReproduceArgs) -> Result<Exit, Trouble> {
    let only = measure::asked(args.only.as_deref(), true)?;
    let signals = Signals::take().map_err(|error| Trouble::host(format!("failed to take signals: {error}")))?;
    let opened = archive::open(&args.archive, Limits { bytes_max: args.bytes_max }, Depth::Whole)?;
    let verified = archive::verify(&opened)?;
    believe(&args.archive, &verified)?;
    let verified = sentences(&verified);
    let usual = || PathBuf::from(format!("{}-reproduced", opened.description.experiment));
    let folder = args.folder.clone().unwrap_or_else(usual);
    if let Some(text) = &args.only
        && !opened.sound()?.0.tests().iter().any(&only)
    {
        return Err(Trouble::input(format!("--only '{text}' matches no test of {}", args.archive.display())));
    }
    let place = ReproductionFolder::make(&opened, &folder, args.scale)?;
    let archive = opened.digest.clone();
    drop(opened);
    let workspace = &place.ours;
    if !args.quiet {
        verified.iter().for_each(|line| remark(line));
        remark(&match place.imported {
            0 => format!("{}: its results are there already", folder.display()),
            count => format!("{}: imported {}", folder.display(), plural(count, "result")),
        });
    }
    let mut agents = stands::reach(workspace, &args.on, std::iter::empty())?;
    let grounds = agents.grounds(workspace, args.on.refresh)?;
    let everywhere: Vec<Conditions> = grounds.iter().map(Conditions::new).collect();
    agents.are_alike(&everywhere, workspace.tests().iter().filter(|test| only(test)))?;
    let conditions = everywhere.first().ok_or_else(|| Trouble::host("failed to find a stand to measure on"))?;
    let planned = Planned::make(workspace, conditions, &|_| false)?;
    if !args.quiet {
        remark(planned.text(&only).trim_end());
    }
    let wanted = planned.tests().any(|(test, decision)| decision.status == Status::ToMeasure && only(test));
    let finished = match wanted {
        false => Finished::default(),
        true => {
            let manner = Manner {
                keep_on_failure: false,
                keep_going: true,
                quiet: args.quiet,
                verbose: args.verbose,
                time_limit: args.time_limit,
                wait: args.wait,
                until_quiet: args.until_quiet,
            };
            measure::measured(workspace, agents.stands(&everywhere), &manner, (&only, &|_| false, &[]), &signals)?
        }
    };
    match finished.lost {
        Some(_) => drop(agents),
        None => agents.bye()?,
    }
    let (generation, is_here) = concluded(&planned, &finished)?;
    let theirs = theirs(&place)?;
    let beside = reproduce::beside(&place, &theirs, &generation, &archive, &verified, args.scale)?;
    tell(args, &folder, &place, &finished, &beside)?;
    if let Some(error) = finished.lost {
        return Err(error.into());
    }
    Ok(match () {
        () if finished.interrupted => Exit::Interrupted,
        () if beside.tally.count(Word::NotReproduced) > 0 => Exit::Answer,
        () if !finished.failed.is_empty() => Exit::TestsFailed,
        () if !is_here && planned.all_skipped(&only).is_some() => Exit::Host,
        () => Exit::Well,
    })
}

/// What is known to differ ends it, before anything was written.
fn believe(path: &Path, verified: &Verified) -> Result<(), ArchiveError> {
    let levels = [&verified.digests, &verified.summaries, &verified.pages];
    let differences = levels.into_iter().flat_map(|level| match level {
        Compared::Differs(differences) => differences.clone(),
        Compared::Equal(_) | Compared::Unknown(_) => Vec::new(),
    });
    let differences: Vec<String> = differences.collect();
    match differences.is_empty() {
        true => Ok(()),
        false => Err(ArchiveError::Damaged { path: path.display().to_string(), differences }),
    }
}

fn sentences(verified: &Verified) -> Vec<String> {
    let mut lines = vec![format!(
        "The archive has {} of {} and is verified up to level {} of 3.",
        plural(verified.results, "result"),
        plural(verified.tests, "test"),
        verified.level()
    )];
    for level in [&verified.summaries, &verified.pages] {
        if let Compared::Unknown(why) = level {
            lines.push(format!("Not compared: {why}."));
        }
    }
    lines.extend(verified.on_trust.iter().map(|what| format!("Taken on trust: {what}.")));
    lines
}

/// What was measured here so far, kept as a generation; whether there is anything.
fn concluded(before: &Planned, finished: &Finished) -> Result<(Generation, bool), Trouble> {
    let workspace = before.workspace;
    let again;
    let after = match finished.measured > 0 || !finished.failed.is_empty() {
        true => {
            again = Planned::make(workspace, before.conditions, &|_| false)?;
            &again
        }
        false => before,
    };
    let generation = run::generation(workspace, &after.plan, &after.index, std::iter::empty())?;
    let is_here = generation.tests.iter().any(|test| !test.repetitions.is_empty());
    if is_here {
        measure::kept(workspace, &generation, finished)?;
    }
    Ok((generation, is_here))
}

fn theirs(place: &ReproductionFolder) -> Result<Generation, Trouble> {
    let experiment = place.theirs.experiment.name.as_str();
    let latest = place.theirs.store.latest_generation(experiment)?;
    let damaged = || StoreError::damaged(place.theirs.store.root(), "it has no generation");
    Ok(latest.ok_or_else(damaged)?.1)
}

fn tell(
    args: &ReproduceArgs,
    folder: &Path,
    place: &ReproductionFolder,
    finished: &Finished,
    beside: &Beside,
) -> Result<Exit, Trouble> {
    if args.json {
        return say_json(&ReproducedJson {
            folder: folder.display().to_string(),
            report: beside.page.display().to_string(),
            report_files_written: beside.files,
            imported: place.imported,
            measured: finished.measured,
            failed: &finished.failed,
            interrupted: finished.interrupted,
            out_of_time: finished.out_of_time,
            reproduction: &beside.json,
        });
    }
    let mut out = format!("{}: {}\n", place.ours.experiment.name, beside.tally);
    let width = beside.claims.iter().map(|(id, ..)| id.chars().count()).max().unwrap_or(0).min(40);
    for (id, theirs, ours, word) in &beside.claims {
        out.push_str(&format!("  {id:<width$}  theirs {theirs:<12}  ours {ours:<12}  {}\n", word.name()));
    }
    if !finished.failed.is_empty() {
        out.push_str(&format!("{} failed\n", plural(finished.failed.len(), "test")));
    }
    if finished.interrupted {
        out.push_str("interrupted; what was finished is kept, reproduce again to continue\n");
    }
    if finished.out_of_time {
        out.push_str("time limit reached; reproduce again to continue\n");
    }
    out.push_str(&match beside.files {
        0 => format!("the report is up to date: {}", beside.page.display()),
        count => format!("report: {} ({} written)", beside.page.display(), plural(count, "file")),
    });
    say(&out)
}
