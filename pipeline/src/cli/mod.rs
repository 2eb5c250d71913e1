//! The command line: what may be asked, and who answers. One file a group of commands. Commands print;
//! what they print comes from the rest of the crate.

mod accept;
mod archive;
mod artifact;
mod compare;
mod completions;
mod experiment;
mod gc;
mod host;
mod import;
mod man;
mod measure;
mod pdf;
mod place;
mod reproduce;
mod results;
mod schema;
mod settled;
mod shard;
mod share;
mod shell;
mod site;
mod slurm;
mod stacks;
mod stands;
mod store;
mod verify;

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::exit::{Exit, Trouble};
use crate::key::ShardId;
use crate::visible;

const FIRST_STEPS: &str = "First steps:
  septet init mine                      a commented experiment, which runs as it is
  septet plan mine/experiment.toml      what would be measured, and why
  septet run mine/experiment.toml       measure it, and write the report";

/// make for a testbed: measure what was never measured, rewrite what changed.
#[derive(Debug, Parser)]
#[command(name = "septet", version, arg_required_else_help = true, max_term_width = 100, after_help = FIRST_STEPS)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented starter experiment, which runs as it is.
    Init {
        /// Folder to write into; made if it is missing.
        #[arg(default_value = ".")]
        folder: PathBuf,
    },
    /// Validate an experiment and count its tests.
    Check {
        /// The experiment.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what would be measured and why, and how long it would take.
    Plan {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        asked: PlanArgs,
    },
    /// Measure what is missing, then write the report.
    Run(RunArgs),
    /// Bring one test up, with a shell beside its switch or in a container; leaving the shell takes it down.
    Shell(shell::ShellArgs),
    /// Capture the first packets of a test at each end, in a run of it that measures nothing.
    Pcap(shell::PcapArgs),
    /// Say how much of an experiment is measured.
    Status {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        on: stacks::Where,
        /// Print nothing; exit 4 if something is stale.
        #[arg(short, long)]
        quiet: bool,
        /// Print JSON.
        #[arg(long, conflicts_with = "quiet")]
        json: bool,
    },
    /// Show the stored repetitions of a key, or one repetition.
    Show {
        /// A key or a result's name, or the first digits of one.
        key: String,
        #[command(flatten)]
        store: StoreArgs,
        /// Print JSON: the whole records.
        #[arg(long)]
        json: bool,
        /// Also print the logs.
        #[arg(long, conflicts_with = "json")]
        log: bool,
    },
    /// List every input of a test's key, and what changed since it was measured.
    Explain {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        on: stacks::Where,
        /// Name of the test, or a selection that takes one: `V=ovs,P=64`.
        test: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Declare a change harmless, so that earlier results stay valid.
    ///
    /// Without --trigger, list what is accepted and what could be. The acceptance is recorded, and every report that
    /// relies on it says so.
    Accept(accept::AcceptArgs),
    /// Write the report from what is stored, measuring nothing.
    Report {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        output: OutputArgs,
        /// Also write a page of what changed since an older generation: `latest~1`, or the beginning of its name
        /// or digest.
        #[arg(long, value_name = "GENERATION")]
        since: Option<String>,
        /// Take tests that were never measured here from what was imported under this name; whatever shows one
        /// says so.
        #[arg(long, value_name = "ORIGIN", conflicts_with = "since")]
        with_origin: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write the appendix that an artifact committee asks for: claims and their commands, hardware, times, first steps.
    Artifact(artifact::ArtifactArgs),
    /// Take numbers that others measured (iperf3, testpmd, TRex, CSIT, any CSV) as published values, never as results.
    Import(import::ImportArgs),
    /// Make, check and import archives: one file with results, report and what proves them.
    #[command(subcommand)]
    Archive(archive::ArchiveCommand),
    /// Measure an archive's experiment here, and set theirs beside yours; exit 4 if a claim is not reproduced.
    Reproduce(reproduce::ReproduceArgs),
    /// Say what moved between two generations, by how much, and whether it is real.
    Compare(compare::CompareArgs),
    /// Look after stored results: check, delete, share, count.
    #[command(subcommand)]
    Store(StoreCommand),
    /// Show what the site file says; trust one that lies beside an experiment.
    #[command(subcommand)]
    Site(SiteCommand),
    /// Show this host, check it, set it for measuring, give it back.
    #[command(subcommand)]
    Host(host::HostCommand),
    /// Print a JSON Schema, by which editors and taplo check files.
    Schema {
        /// Which file's schema.
        #[arg(value_enum, default_value = "experiment")]
        of: SchemaOf,
    },
    /// Write manual pages into a folder.
    Man {
        /// The folder; made if it is missing.
        folder: PathBuf,
    },
    /// Print shell completions.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// An experiment and its store.
#[derive(Debug, Args)]
struct Target {
    /// The experiment.
    file: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// Do not look into the site's shared store.
    #[arg(long)]
    no_remote: bool,
}

#[derive(Debug, Args)]
struct PlanArgs {
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    on: stacks::Where,
    /// Say what an upgrade would touch before it is made: as if this component came from that stack.
    #[arg(long = "if", value_name = "COMPONENT=STACK")]
    assumptions: Vec<stacks::Assumption>,
}

#[derive(Debug, Args)]
struct StoreArgs {
    /// The store [default: $SEPTET_STORE, else .septet beside the experiment].
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
struct OutputArgs {
    /// Folder of the report [default: out/NAME].
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Compile report.tex by latexmk as well.
    #[arg(long)]
    pdf: bool,
    /// Exit with 4 if a claim is refuted.
    #[arg(long)]
    strict_claims: bool,
}

#[derive(Debug, Args)]
struct RunArgs {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    output: OutputArgs,
    /// Only say what would be measured (as `plan`).
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    on: stacks::Where,
    /// Go on after a failed test.
    #[arg(short, long)]
    keep_going: bool,
    /// Leave the first test that fails standing, with a shell beside its switch; the run ends when that ends.
    #[arg(long, conflicts_with_all = ["keep_going", "json"])]
    keep_on_failure: bool,
    /// Print failures only.
    #[arg(short, long)]
    quiet: bool,
    /// Print a line with all flags for each repetition.
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// Measure these tests only: `V=ovs,P=64`, or a test's name.
    #[arg(long, value_name = "EXPR")]
    only: Option<String>,
    /// Measure these tests again, whatever is stored; the new repetitions join the old ones.
    #[arg(long, value_name = "EXPR")]
    force: Option<String>,
    /// Also re-measure the affected tests with STACK, interleaved; `compare FILE stack:STACK stack:system` then says
    /// what moved.
    #[arg(long, value_name = "STACK", conflicts_with = "dry_run")]
    pair: Option<String>,
    /// Start nothing that would end later than this, and begin with what is most in doubt: `2h`, `30min`.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    time_limit: Option<Duration>,
    /// How long to wait for another run that is using the host.
    #[arg(long, value_name = "TIME", default_value = "1day", value_parser = humantime::parse_duration)]
    wait: Duration,
    /// Before each window, wait up to this long until other processes leave the measuring CPUs alone: `30s`.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
    until_quiet: Option<Duration>,
    /// Measure without writing a report.
    #[arg(long)]
    no_report: bool,
    #[command(flatten)]
    slurm: SlurmArgs,
    /// Refuse (exit 3) to measure on a host that gives indicative results only.
    #[arg(long)]
    require_paper_grade: bool,
    /// Print JSON: the outcome, on standard output.
    #[arg(long)]
    json: bool,
}

/// How a cluster is used.
#[derive(Debug, Args)]
struct SlurmArgs {
    /// Have the nodes of a Slurm cluster measure what is missing, and wait for them.
    #[arg(long, conflicts_with_all = ["pair", "keep_on_failure", "time_limit", "until_quiet", "dry_run"])]
    slurm: bool,
    /// Submit what is missing, and do not wait; the same command without --detach does, and concludes.
    #[arg(long, requires = "slurm")]
    detach: bool,
    /// About how long each job of the cluster is to measure.
    #[arg(long, value_name = "TIME", requires = "slurm", default_value = "20min", value_parser = humantime::parse_duration)]
    shard_time: Duration,
    /// On a node: measure what one job is to measure.
    #[arg(long, value_name = "HASH", hide = true, conflicts_with_all = ["slurm", "only", "force", "dry_run", "json"])]
    shard: Option<ShardId>,
}

#[derive(Debug, Subcommand)]
enum StoreCommand {
    /// Read every result; put aside what is not what it should be, and say which tests to run again.
    Verify {
        #[command(flatten)]
        place: PlaceArgs,
        /// Only look; put nothing aside.
        #[arg(short = 'n', long)]
        dry_run: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List what could be deleted, and how long it took to measure; delete it with --delete.
    Gc(GcArgs),
    /// Copy results to a shared store that it does not have.
    Push {
        /// Address of the shared store: s3://, https:// or file:/// [default: `remote` of the site].
        url: Option<String>,
        #[command(flatten)]
        place: PlaceArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Copy results from a shared store that this one does not have, and check each.
    ///
    /// Of each experiment that was never run here, the latest generation comes as well, so that `report` needs nothing
    /// else.
    Pull {
        /// Address of the shared store: s3://, https:// or file:/// [default: `remote` of the site].
        url: Option<String>,
        #[command(flatten)]
        place: PlaceArgs,
        /// Only results of this key, or of keys that begin with it; no generations.
        #[arg(long)]
        key: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say how much is stored.
    Stats {
        #[command(flatten)]
        place: PlaceArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SchemaOf {
    /// The experiment file.
    Experiment,
    /// The site file.
    Site,
    /// A report's summary.json.
    Summary,
    /// A result's record.json.
    Record,
    /// The columns of a result's samples.parquet, as a Table Schema of Frictionless Data.
    Samples,
}

#[derive(Debug, Subcommand)]
enum SiteCommand {
    /// Print what holds for experiments in a folder.
    Show {
        /// The folder.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say what is wrong with the site file, reach every host that it names, and try out every cable.
    Check {
        /// The folder whose experiments the site is for.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Trust a site.toml that lies beside an experiment, as it is now.
    Trust {
        /// The file.
        file: PathBuf,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
struct GcArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// What may be deleted. What a kept generation stands on stays in any case.
    #[arg(long, value_delimiter = ',', value_name = "SCOPE,...")]
    scope: Vec<GcScope>,
    /// Keep this many of the newest generations of each experiment (and the latest complete one, and those that were
    /// archived), and delete the others [default: keep all].
    #[arg(long, value_name = "N")]
    keep_generations: Option<usize>,
    /// An experiment whose results stay, besides those that lie beside the store.
    #[arg(long = "experiment", value_name = "FILE")]
    experiments: Vec<PathBuf>,
    /// Delete what was listed without this option: the digest at the end of that list.
    #[arg(long, value_name = "DIGEST")]
    delete: Option<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum GcScope {
    /// Attempts that failed.
    Failed,
    /// Suspect repetitions.
    Suspect,
    /// Results of tests that were measured again since, under another key.
    Superseded,
    /// Results of tests that no experiment has any more.
    Unreferenced,
}

#[derive(Debug, Args)]
struct PlaceArgs {
    /// The store [default: $SEPTET_STORE, else .septet here].
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> Result<Exit, Trouble> {
        match self.command {
            Command::Init { folder } => experiment::init(&folder),
            Command::Check { file, json } => experiment::check(&file, json),
            Command::Plan { target, asked } => settled::plan(&target, &asked),
            Command::Run(args) => measure::run(&args),
            Command::Shell(args) => shell::shell(&args),
            Command::Pcap(args) => shell::pcap(&args),
            Command::Status { target, on, quiet, json } => settled::status(&target, &on, quiet, json),
            Command::Show { key, store, json, log } => results::show(&key, &store, json, log),
            Command::Explain { target, on, test, json } => experiment::explain(&target, &on, &test, json),
            Command::Accept(args) => accept::run(&args),
            Command::Report { target, output, since, with_origin, json } => {
                results::report(&target, &output, since.as_deref(), with_origin.as_deref(), json)
            }
            Command::Import(args) => import::run(&args),
            Command::Artifact(args) => artifact::run(&args),
            Command::Archive(command) => archive::run(command),
            Command::Reproduce(args) => reproduce::run(&args),
            Command::Compare(args) => compare::run(&args),
            Command::Store(command) => store::run(command),
            Command::Site(command) => share::site(command),
            Command::Host(command) => host::run(&command),
            Command::Schema { of } => schema::schema(of),
            Command::Man { folder } => man::man(&folder),
            Command::Completions { shell } => completions::completions(shell),
        }
    }
}

/// Prints to standard output. A reader who has gone away (`| head`) is no error.
fn say(text: &str) -> Result<Exit, Trouble> {
    print(&visible::shown(text))
}

fn print(text: &str) -> Result<Exit, Trouble> {
    let mut out = io::stdout().lock();
    let written = out.write_all(text.as_bytes()).and_then(|()| match text.ends_with('\n') {
        true => out.flush(),
        false => out.write_all(b"\n").and_then(|()| out.flush()),
    });
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Trouble::host(format!("failed to print: {error}")))
        }
        _ => Ok(Exit::Well),
    }
}

/// Prints to standard error; if that cannot be, nobody can be told.
fn remark(text: &str) {
    drop(writeln!(io::stderr().lock(), "{}", visible::shown(text)));
}

/// Prints JSON.
fn say_json(value: &impl serde::Serialize) -> Result<Exit, Trouble> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Trouble::host(error.to_string()))?;
    print(&visible::json(&text))
}
