//! `septet run --shard`: what a job of a cluster does on its node. It measures the tests of one shard under the keys under
//! which they are wanted, stores each result, and concludes nothing.

use std::collections::{BTreeMap, BTreeSet};

use super::measure::{Manner, measured};
use super::{RunArgs, remark, share, stacks, stands};
use crate::alike;
use crate::conditions::{Conditions, KnownSurroundings, Prospect};
use crate::exit::{Exit, Trouble};
use crate::experiment::Test;
use crate::key::{Key, ShardId};
use crate::manifest::{Listing, Manifest};
use crate::planned::plural;
use crate::sections::SectionName;
use crate::signals::Signals;
use crate::site::{StandPlan, Testbed};
use crate::slurm::commands;
use crate::slurm::place::{self, ClusterPlace};
use crate::slurm::shard::Shard;
use crate::workspace::Workspace;

pub(super) fn run(args: &RunArgs, id: &ShardId) -> Result<Exit, Trouble> {
    let signals = Signals::take().map_err(|error| Trouble::host(format!("failed to take signals: {error}")))?;
    let workspace = Workspace::load(&args.target.file, args.target.store.store.as_deref())?;
    let shard = workspace.store.shard(id)?;
    if shard.experiment != workspace.experiment.name.as_str() {
        let (file, own) = (workspace.file.display(), &workspace.experiment.name);
        return Err(Trouble::input(format!("shard {} is of {}, and {file} is {own}", id.short(), shard.experiment)));
    }
    let place = ClusterPlace::of_environment();
    let Some(node) = place.node.as_deref() else {
        return Err(Trouble::input("--shard is what a job starts on its node; septet run --slurm submits such jobs"));
    };
    let site = share::site_of(&share::beside(&workspace.file))?;
    let plan = stand(&site.testbed, shard.hosts, node)?;
    let names = stacks::named(&workspace, std::iter::empty(), &site);
    let mut agents = stacks::connect(&site.testbed, &plan, &names, &place)?;
    let ground = agents.ground(&workspace, args.on.refresh)?;
    let conditions = Conditions::new(&ground);
    let excused =
        excused(&workspace, &shard, &conditions, &stands::may_differ(&site.testbed, std::slice::from_ref(&plan)));
    let conditions = conditions.wanted_as(excused);
    let taken = as_planned(&workspace, &shard, &conditions)?;
    remark(&format!("shard {}: {} on {}", id.short(), plural(taken.len(), "test"), plan.name));
    let only = |test: &Test| taken.contains(&test.tuple.to_string());
    let force = |test: &Test| shard.force && only(test);
    let manner = Manner {
        keep_going: args.keep_going,
        keep_on_failure: false,
        quiet: args.quiet,
        verbose: args.verbose,
        // The job has one, which is of Slurm's: with one of ours another order of tests would be the best.
        time_limit: None,
        wait: args.wait,
        until_quiet: args.until_quiet,
    };
    let finished = measured(&workspace, vec![agents.stand(&conditions)], &manner, (&only, &force, &[]), &signals)?;
    match finished.lost {
        Some(error) => return Err(error.into()),
        None => agents.bye()?,
    }
    remark(&format!("shard {}: {} stored", id.short(), plural(finished.measured as usize, "repetition")));
    Ok(match () {
        () if finished.interrupted => Exit::Interrupted,
        () if !finished.failed.is_empty() => Exit::TestsFailed,
        () => Exit::Well,
    })
}

/// The stand of a job: its node, or that and the one at the other end of a cable.
pub(super) fn stand(testbed: &Testbed, hosts: u8, node: &str) -> Result<StandPlan, Trouble> {
    if !testbed.hosts.contains_key(node) {
        return Err(unknown(node));
    }
    if hosts == 1 {
        return Ok(StandPlan { name: node.to_string(), hosts: vec![node.to_string()], cable: None });
    }
    let list = place::nodes_of_environment().unwrap_or_default();
    pair(testbed, &commands::hostnames(&list).map_err(|error| Trouble::host(error.to_string()))?)
}

/// A node that the site file does not have.
pub(super) fn unknown(node: &str) -> Trouble {
    Trouble::input(format!(
        "failed to find node {node} in the site file: name it under [hosts] or in nodes of [slurm], or keep jobs off it by \
         partition or constraint"
    ))
}

/// The stand of two nodes.
pub(super) fn pair(testbed: &Testbed, nodes: &[String]) -> Result<StandPlan, Trouble> {
    let cable = match nodes {
        [one, other] => testbed.cables.iter().find(|cable| cable.joins(one, other)),
        _ => None,
    };
    let cable = cable.ok_or_else(|| {
        Trouble::host(format!(
            "failed to use {}: the site file names no cable between them; the features of nodes in slurm.conf must be those \
             of cables",
            nodes.join(" and ")
        ))
    })?;
    // Senders are where the site file has them, wherever the job's script runs.
    let hosts: Vec<String> = cable.0.iter().map(|end| end.host.clone()).collect();
    Ok(StandPlan { name: hosts.join("-"), hosts, cable: Some(cable.clone()) })
}

/// The shard's tests that this node may measure although they have other keys here, with the manifests under which they
/// are wanted.
fn excused(
    workspace: &Workspace,
    shard: &Shard,
    conditions: &Conditions,
    may_differ: &BTreeSet<String>,
) -> BTreeMap<String, Manifest> {
    if may_differ.is_empty() {
        return BTreeMap::new();
    }
    let wanted: BTreeMap<&str, Key> = shard.tests.iter().map(|wanted| (&*wanted.test, wanted.key)).collect();
    let planned: BTreeMap<Key, &Listing> = shard.planned.iter().map(|listing| (listing.key(), listing)).collect();
    let mut shared = KnownSurroundings::default();
    let mut excused = |test: &Test| {
        let name = test.tuple.to_string();
        let planned = planned.get(wanted.get(&*name)?)?.manifest(SectionName::Test.name())?;
        let Prospect::Ready(ready) = conditions.judge(test, &mut shared) else { return None };
        alike::excused(&planned, &ready.manifest, may_differ).then_some((name, planned))
    };
    workspace.tests().iter().filter_map(&mut excused).collect()
}

/// Names of the shard's tests that have their keys here.
///
/// # Errors
/// When none has: in what this node is another one than the plan was made for.
fn as_planned(workspace: &Workspace, shard: &Shard, conditions: &Conditions) -> Result<BTreeSet<String>, Trouble> {
    let wanted: BTreeMap<&str, Key> = shard.tests.iter().map(|wanted| (&*wanted.test, wanted.key)).collect();
    let mut shared = KnownSurroundings::default();
    let (mut taken, mut others) = (BTreeSet::new(), BTreeSet::new());
    for test in workspace.tests() {
        let name = test.tuple.to_string();
        let Some(key) = wanted.get(name.as_str()) else { continue };
        match conditions.judge(test, &mut shared) {
            Prospect::Ready(ready) if ready.manifest.key() == *key => drop(taken.insert(name)),
            Prospect::Ready(ready) => others.extend(differences(shard, key, &ready.manifest.listing())),
            Prospect::Skipped(reason) => drop(others.insert(format!("skipped here: {reason}"))),
        }
    }
    for words in others.iter().take(10) {
        remark(&format!("septet: not measured here: {words}"));
    }
    match taken.is_empty() {
        true => Err(Trouble::host(
            "failed to measure what was planned: this node is not what the plan was made for, or the experiment has changed \
             since; septet run --slurm --refresh asks a node again",
        )),
        false => Ok(taken),
    }
}

/// In what a test is another one here than it was planned for.
fn differences(shard: &Shard, planned: &Key, here: &Listing) -> Vec<String> {
    match shard.planned.iter().find(|listing| listing.key() == *planned) {
        Some(planned) => planned.changes_to(here).iter().map(|change| format!("{change} here")).collect(),
        // Another test of the shard says it.
        None => vec!["its key is another one than was planned for".to_string()],
    }
}
