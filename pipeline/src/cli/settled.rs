//! What commands say where a stamp proves that nothing is to be done, without making a plan, and when such a stamp is
//! left. Whatever is in doubt is no answer: the command then does all of its work.

use host_setup::application::PREFIX;
use host_setup::protocol::Names;
use host_setup::stack::SYSTEM;
use reports::spec::Id;

use super::stacks::{Known, Where};
use super::{OutputArgs, PlanArgs, RunArgs, Target, experiment, results, say, share};
use crate::beneath::{Destination, Folder};
use crate::clock;
use crate::exit::{Exit, Trouble};
use crate::experiment::Test;
use crate::plan::Counts;
use crate::planned::Planned;
use crate::report;
use crate::settled::{self, Asked, Sight, Stamp};
use crate::site;
use crate::stand::Ground;
use crate::store::{GenerationName, Store};
use crate::workspace::{Workspace, usual_output};

/// What a stamp proves.
pub(super) struct Settled {
    pub(super) stamp: Stamp,
    /// The folder of the report, where one is wanted.
    pub(super) report: Option<Folder>,
}

/// What a run sees before it begins, so that it can tell whether anything changed in the meantime.
pub(super) struct Before {
    /// All files; none if a change of them could go unseen.
    sight: Option<Sight>,
    /// The digest of the host's facts.
    facts: Option<String>,
}

/// What is asked by a run that measures and reports all of an experiment; none for others.
fn asked(args: &RunArgs) -> Option<Asked<'_>> {
    let RunArgs { target, output: OutputArgs { output, pdf, strict_claims }, .. } = args;
    let is_part = args.only.is_some() || args.force.is_some() || args.pair.is_some() || args.on.class.is_some();
    let is_more = args.time_limit.is_some()
        || *pdf
        || *strict_claims
        || args.on.refresh
        || args.require_paper_grade
        || args.dry_run;
    let plain = !is_part && !is_more;
    plain.then_some(Asked { file: &target.file, output: output.as_deref(), report: !args.no_report })
}

/// All files, if any change from now on would be seen and the experiment is still what was read.
fn seen(args: &RunArgs, workspace: &Workspace) -> Option<Sight> {
    let now_ns = clock::wall_ns();
    let sight = Sight::take(asked(args)?.file, &workspace.store, workspace.experiment.name.as_str())?;
    (sight.has(&workspace.text) && sight.would_tell(now_ns)).then_some(sight)
}

/// Whether a run has nothing to do.
pub(super) fn run(args: &RunArgs) -> Option<Settled> {
    let mut known = None;
    let settled = settled(&args.target, &asked(args)?, true, &mut known);
    // A run looks at the host by an agent that it keeps, and alone.
    known.and_then(Known::wait);
    settled
}

/// `plan`, without one where there is nothing to measure and nothing to explain.
pub(super) fn plan(target: &Target, asked: &PlanArgs) -> Result<Exit, Trouble> {
    let PlanArgs { json, on, assumptions } = asked;
    let mut known = None;
    if !*json
        && assumptions.is_empty()
        && let Some(Settled { stamp, .. }) = usual(target, on, &mut known)
        && stamp.says_no_more
    {
        return say(&in_numbers(&stamp.experiment, stamp.counts()));
    }
    experiment::plan(target, asked, &|_| true, &|_| false, known)
}

/// `status`, under `-q` without a plan where there is nothing to measure.
pub(super) fn status(target: &Target, on: &Where, quiet: bool, json: bool) -> Result<Exit, Trouble> {
    let mut known = None;
    if quiet && usual(target, on, &mut known).is_some() {
        return Ok(Exit::Well);
    }
    experiment::status(target, on, quiet, json, known)
}

fn in_numbers(experiment: &str, counts: Counts) -> String {
    format!("{experiment}: {counts}\n")
}

/// What is known of an experiment by runs that put their reports into the usual place.
fn usual(target: &Target, on: &Where, known: &mut Option<Known>) -> Option<Settled> {
    if on.refresh || on.class.is_some() {
        return None;
    }
    settled(target, &Asked { file: &target.file, output: None, report: true }, false, known)
}

/// What a stamp proves; what is seen of this host for it goes to `known`, for a plan.
fn settled(target: &Target, asked: &Asked, with_report: bool, known: &mut Option<Known>) -> Option<Settled> {
    let store = Store::meant(target.store.store.as_deref(), asked.file.parent()?).ok()?;
    // What cannot be dated is told, also where nothing is to be done.
    clock::now_rfc3339().ok()?;
    let stamp = asked.recall(&store)?;
    // What a store says may be somebody else's word.
    let name = Id::new(&stamp.experiment)?;
    stamp.generation.parse::<GenerationName>().ok()?;
    let site = site::find(&share::beside(asked.file)).ok()?.site;
    if !site.testbed.hosts.is_empty() {
        return None;
    }
    let meant = |name: &String| (name.clone(), site.stacks.get(name).cloned());
    let names = Names { stacks: stamp.stacks.iter().map(meant).collect(), ..Names::default() };
    let of_files = || {
        if !stamp.is_of(&Sight::take(asked.file, &store, name.as_str())?) {
            return None;
        }
        let Some(made_of) = stamp.report.filter(|_| with_report) else { return Some(None) };
        let to = match asked.output {
            Some(named) => Destination::Named(named.to_path_buf()),
            None => usual_output(name.as_str()).ok()?,
        };
        report::stands(&store, name.as_str(), &to, made_of).map(Some)
    };
    // The agent looks at the host while files are looked at here. Where these say that there is a plan to be made, what it
    // sees is for that.
    let host = Known::ask(names)?;
    let Some(report) = of_files() else {
        *known = Some(host);
        return None;
    };
    let host = host.wait()?;
    if !stamp.stands_on(host.facts.clone()) {
        *known = Some(Known::Told(Box::new(host)));
        return None;
    }
    Some(Settled { stamp, report })
}

impl Before {
    /// What is seen before anything is planned; none where no stamp is to be left.
    pub(super) fn of(args: &RunArgs, workspace: &Workspace) -> Option<Before> {
        asked(args)?;
        Some(Before { sight: seen(args, workspace), facts: None })
    }

    /// Looks again once a run has measured, before it plans anew.
    pub(super) fn again(self, args: &RunArgs, workspace: &Workspace) -> Before {
        // What was stored last is seen to change from now on.
        std::thread::sleep(settled::TICK);
        Before { sight: seen(args, workspace), ..self }
    }

    /// With what is known of this host; none where others take part.
    pub(super) fn on(self, grounds: &[Ground]) -> Option<Before> {
        let [Ground { hosts, cable: None }] = grounds else { return None };
        let [host] = &hosts[..] else { return None };
        Some(Before { facts: settled::digest(&host.facts), ..self })
    }

    /// Leaves a stamp if all is stored, the report is as it was, and nothing changed in the meantime.
    pub(super) fn leave(self, args: &RunArgs, planned: &Planned, generation: &str, report: Option<&results::Written>) {
        let counts = planned.plan.counts();
        let workspace = planned.workspace;
        let name = workspace.experiment.name.as_str();
        let is_told = report.is_some_and(|written| written.is_told);
        let made_of = report.and_then(|written| written.made_of);
        let (Some(asked), Some(facts), Some(before)) = (asked(args), self.facts, self.sight) else { return };
        if counts.to_measure > 0 || counts.stored == 0 || is_told || asked.report != made_of.is_some() {
            return;
        }
        // What a site defines is asked for by more names than a stamp has.
        let defined = |test: &Test| test.tuple.vswitch.is_custom() || test.tuple.variant.stack.starts_with(PREFIX);
        if workspace.tests().iter().any(defined) {
            return;
        }
        let Some(now) = Sight::take(asked.file, &workspace.store, name) else { return };
        // A run that measured has kept a generation, and nobody a later one.
        let latest = || workspace.store.latest_generation(name).ok().flatten().map(|(latest, _)| latest.to_string());
        if !before.is_but_for_generations(&now) || now != before && latest().as_deref() != Some(generation) {
            return;
        }
        let mut stacks: Vec<String> =
            workspace.tests().iter().map(|test| test.tuple.variant.stack.to_string()).collect();
        stacks.sort();
        stacks.dedup();
        stacks.retain(|stack| stack != SYSTEM);
        let mut stamp = Stamp::of(&now, &facts, counts);
        (stamp.experiment, stamp.stacks) = (name.to_string(), stacks);
        (stamp.generation, stamp.report) = (generation.to_string(), made_of);
        stamp.says_no_more = planned.text(&|_| true) == in_numbers(name, counts);
        stamp.leaves_host = workspace.experiment.protocol.leaves_host;
        // Without it the next run makes a plan.
        let _ = asked.leave(&workspace.store, &stamp);
    }
}
