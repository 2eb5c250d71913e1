//! `septet run --slurm`: plans by what a node says of itself, has a cluster measure what is missing, waits, and concludes.
//! It must not measure.

use std::path::Path;
use std::time::Duration;

use results::axes::Locality;
use serde::Serialize;

use super::measure::{asked, conclude};
use super::stacks::Where;
use super::{RunArgs, remark, say, say_json, share, stacks};
use crate::conditions::{Conditions, KnownSurroundings, Prospect};
use crate::dispatch::Sequence;
use crate::exit::{Exit, Trouble};
use crate::experiment::{Order, Test};
use crate::plan::Status;
use crate::planned::{Planned, plural};
use crate::preparation;
use crate::run::{self, Finished};
use crate::signals::Signals;
use crate::site::{Cluster, Site};
use crate::slurm::campaign::{Campaign, CampaignError, CampaignInput, Outcome};
use crate::slurm::commands::SlurmError;
use crate::slurm::script::Commanded;
use crate::slurm::shard::{Piece, Setting, WantedTest};
use crate::stand::Ground;
use crate::workspace::Workspace;

impl From<SlurmError> for Trouble {
    fn from(error: SlurmError) -> Trouble {
        match error {
            SlurmError::Interrupted => Trouble { exit: Exit::Interrupted, ..Trouble::host("interrupted") },
            other => Trouble::host(other.to_string()),
        }
    }
}

impl From<CampaignError> for Trouble {
    fn from(error: CampaignError) -> Trouble {
        match error {
            CampaignError::Slurm(error) => error.into(),
            CampaignError::Store(error) => error.into(),
            CampaignError::Script(error) => Trouble::input(error.to_string()),
        }
    }
}

/// What `--detach --json` says.
#[derive(Serialize)]
struct DetachedJson {
    submitted: usize,
    under_way: usize,
}

pub(super) fn run(args: &RunArgs) -> Result<Exit, Trouble> {
    let only = asked(args.only.as_deref(), true)?;
    let force = asked(args.force.as_deref(), false)?;
    let signals = Signals::take().map_err(|error| Trouble::host(format!("failed to take signals: {error}")))?;
    let workspace = Workspace::load(&args.target.file, args.target.store.store.as_deref())?;
    let site = share::site_of(&share::beside(&workspace.file))?;
    let cluster = cluster_of(&site)?;
    let features = features(&workspace, &site, &only)?;
    let ground = ground(&workspace, &args.on)?;
    let conditions = Conditions::new(&ground);
    let mut planned = Planned::make(&workspace, &conditions, &force)?;
    if !args.target.no_remote && share::read_through(&planned, &only)? {
        planned = Planned::make(&workspace, &conditions, &force)?;
    }
    let mut told = |words: &str| {
        if !args.quiet {
            remark(words);
        }
    };
    told(&format!("{}: {}", workspace.experiment.name, planned.plan.counts()));
    if let Some(reasons) = planned.all_skipped(&only) {
        told(&reasons);
    }
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|error| Trouble::input(format!("failed to find {}: {error}", path.display())))
    };
    let septet =
        std::env::current_exe().map_err(|error| Trouble::host(format!("failed to find this program: {error}")))?;
    let (file, store) = (absolute(&workspace.file)?, absolute(workspace.store.root())?);
    let commanded = Commanded { septet: &septet, file: &file, store: &store, keep_going: args.keep_going };
    let pieces = pieces(&planned, &only, &force);
    let asked = CampaignInput {
        workspace: &workspace,
        conditions: &conditions,
        accepted: &planned.acceptances,
        cluster,
        features: &features,
        commanded,
        may_differ: !site.testbed.may_differ.is_empty(),
        about: args.slurm.shard_time,
        interrupted: &|| signals.asked(),
    };
    let outcome = match pieces.is_empty() {
        true => Outcome::default(),
        false => {
            let (mut campaign, words) = Campaign::begin(asked, &pieces)?;
            words.iter().for_each(|words| told(words));
            let (queued, under_way) = campaign.sizes();
            campaign.submit()?;
            if args.slurm.detach && !signals.asked() {
                let (left, _) = campaign.sizes();
                campaign.detach();
                return detached(args, queued - left, under_way, left);
            }
            told(&format!("{} submitted", plural(queued, "shard")));
            campaign.wait(&mut told)?
        }
    };
    let finished = Finished {
        measured: outcome.measured,
        failed: outcome.failed,
        interrupted: outcome.interrupted,
        ..Finished::default()
    };
    let exit = conclude(args, &planned, &only, &[], &finished, None)?;
    match outcome.missing.is_empty() || finished.interrupted || !finished.failed.is_empty() {
        true => Ok(exit),
        false => {
            let why = outcome.missing.iter().map(|(why, count)| format!("{} ({why})", plural(*count, "test")));
            let why = why.collect::<Vec<_>>().join(", ");
            Err(Trouble::host(format!("failed to measure {why}; run again to measure what is missing")))
        }
    }
}

fn detached(args: &RunArgs, submitted: usize, under_way: usize, left: usize) -> Result<Exit, Trouble> {
    let shards = plural(submitted, "shard");
    match (left, args.json) {
        (0, true) => say_json(&DetachedJson { submitted, under_way }),
        (0, false) => say(&format!(
            "{shards} submitted, {under_way} under way; the same command without --detach waits, and \
                                    concludes when all is there"
        )),
        (left, _) => Err(Trouble::host(format!(
            "failed to submit all: {shards} submitted, and the queue takes no more; {left} are left: run again without \
             --detach, or when there is room"
        ))),
    }
}

/// The cluster of a site.
pub(super) fn cluster_of(site: &Site) -> Result<&Cluster, Trouble> {
    site.cluster.as_ref().ok_or_else(|| {
        Trouble::input(
            "failed to use a cluster: the site file has no [slurm]; write its nodes there, as in nodes = \"n[1-100]\" \
             (docs/slurm.md)",
        )
    })
}

/// By what Slurm finds two nodes that a cable joins, where tests need two.
fn features<'s>(workspace: &Workspace, site: &'s Site, only: &dyn Fn(&Test) -> bool) -> Result<Vec<&'s str>, Trouble> {
    let features: Vec<&str> = site.testbed.features.iter().flatten().map(String::as_str).collect();
    let is_remote = |test: &Test| test.tuple.locality == Locality::Remote && only(test);
    let is_told = features.is_empty() && !site.testbed.cables.is_empty();
    match workspace.tests().iter().any(is_remote) && is_told {
        true => Err(Trouble::input(
            "failed to ask for two nodes with a cable between them: no cable of the site file has a feature; give both nodes \
             of a cable a Feature of their own in slurm.conf, and write it: [[cables]] feature = \"cab1\" (docs/slurm.md)",
        )),
        false => Ok(features),
    }
}

/// What nodes are: as one says now; while jobs of this experiment are under way, as it said before them.
fn ground(workspace: &Workspace, on: &Where) -> Result<Ground, Trouble> {
    let name = workspace.experiment.name.as_str();
    let user = nix::unistd::geteuid().as_raw();
    let batches = workspace.store.batches(name)?;
    let is_known = |batch: Option<crate::key::BatchId>| {
        batch.is_some_and(|id| batches.iter().any(|(known, batch)| *known == id && batch.user == user))
    };
    let is_alive = |job: &crate::slurm::queue::Job| !matches!(job.seen, crate::slurm::ledger::Seen::Ended(_));
    let is_under_way =
        !batches.is_empty() && crate::slurm::commands::jobs()?.iter().any(|job| is_known(job.batch) && is_alive(job));
    match is_under_way && !on.refresh {
        true => stacks::ground(workspace, on, &[]),
        false => stacks::asked(workspace, on),
    }
}

/// What is to be measured, in the order in which the experiment has it measured.
fn pieces(planned: &Planned, only: &dyn Fn(&Test) -> bool, force: &dyn Fn(&Test) -> bool) -> Vec<Piece> {
    let workspace = planned.workspace;
    let mut shared = KnownSurroundings::default();
    let mut pieces = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for (test, decision) in planned.tests() {
        let (Status::ToMeasure, Some(key), true) = (decision.status, decision.key, only(test)) else { continue };
        if !seen.insert(key) {
            continue;
        }
        let Prospect::Ready(ready) = planned.conditions.judge(test, &mut shared) else { continue };
        let hosts = ready.sides.len().clamp(1, 2);
        let setup = |place| preparation::setup(planned.conditions, place, std::iter::once(test));
        let setup = (0..hosts).map(|place| format!("{:?}", setup(place))).collect::<Vec<_>>().join(" ");
        let setting = Setting { hosts: if hosts == 2 { 2 } else { 1 }, setup, force: force(test) };
        let cost = Duration::from_millis(decision.eta.ms);
        pieces.push(Piece { wanted: WantedTest { test: test.tuple.to_string(), key }, cost, setting });
    }
    if workspace.experiment.protocol.order == Order::Random {
        let sequence = Sequence::Random(run::seed(workspace));
        pieces.sort_by_key(|piece| sequence.rank(0, &piece.wanted.key));
    }
    pieces
}
