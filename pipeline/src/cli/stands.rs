//! The stands that a run spreads its tests over: all of one class that can be reached, and are alike. It must not know
//! how a test is measured.

use std::collections::BTreeSet;
use std::thread;

use results::axes::Locality;

use super::stacks::{self, Agents, Where};
use super::{remark, share};
use crate::alike;
use crate::conditions::Conditions;
use crate::exit::Trouble;
use crate::experiment::Test;
use crate::site::{StandPlan, Testbed};
use crate::slurm::place::ClusterPlace;
use crate::stand::{Ground, Stand};
use crate::workspace::Workspace;

/// Stands that were reached, with their agents.
#[derive(Debug)]
pub(super) struct Stands {
    list: Vec<Agents>,
    /// What may differ between them, as `SECTION FIELD`.
    may_differ: BTreeSet<String>,
    class: String,
}

/// Reaches the stands of an experiment, all at once, with the stacks of its tests and those of `more`. One that cannot
/// be reached is told and done without, as long as another can.
pub(super) fn reach<'a>(
    workspace: &'a Workspace,
    on: &Where,
    more: impl Iterator<Item = &'a str>,
) -> Result<Stands, Trouble> {
    let site = share::site_of(&share::beside(&workspace.file))?;
    if site.testbed.hosts.is_empty() {
        let list = vec![stacks::agents(workspace, on, more)?];
        return Ok(Stands { list, may_differ: BTreeSet::new(), class: String::new() });
    }
    let names = stacks::named(workspace, more, &site);
    let pairs = workspace.tests().iter().any(|test| test.tuple.locality == Locality::Remote);
    let testbed = &site.testbed;
    let (class, plans) = of_one_class(testbed, on, pairs)?;
    let connected = at_once(&plans, |plan| stacks::connect(testbed, plan, &names, &ClusterPlace::outside()))?;
    let mut stands = Stands { list: Vec::new(), may_differ: may_differ(testbed, &plans), class };
    stands.keep(plans.iter().map(|plan| plan.name.clone()).zip(connected))?;
    Ok(stands)
}

/// The stands of a run, and the class that all of them have.
fn of_one_class(testbed: &Testbed, on: &Where, pairs: bool) -> Result<(String, Vec<StandPlan>), Trouble> {
    let mut plans = on.stands(testbed, pairs)?;
    if pairs && plans.iter().any(|plan| plan.hosts.len() == 2) {
        plans.retain(|plan| plan.hosts.len() == 2);
    }
    let classes: BTreeSet<String> = plans.iter().map(|plan| testbed.class_of(plan)).collect();
    match classes.into_iter().collect::<Vec<_>>() {
        classes if classes.len() > 1 => Err(Trouble::input(format!(
            "failed to choose stands: the site has some of classes {}, and a run uses those of one: say which by \
             --class",
            classes.join(", ")
        ))),
        classes => Ok((classes.concat(), plans)),
    }
}

/// What may differ between the hosts of stands, as `SECTION FIELD`.
pub(super) fn may_differ(testbed: &Testbed, plans: &[StandPlan]) -> BTreeSet<String> {
    let hosts = plans.iter().flat_map(|plan| &plan.hosts).filter_map(|name| testbed.hosts.get(name));
    hosts.filter_map(|host| testbed.may_differ.get(&host.class)).flatten().cloned().collect()
}

/// Does something for each, all at once.
pub(super) fn at_once<A: Send, T: Send>(
    list: impl IntoIterator<Item = A>,
    act: impl Fn(A) -> T + Sync,
) -> Result<Vec<T>, Trouble> {
    let no_thread = |reason: String| Trouble::host(format!("failed to speak to several hosts at once: {reason}"));
    thread::scope(|scope| {
        let begin = |one| {
            let act = &act;
            thread::Builder::new().spawn_scoped(scope, move || act(one))
        };
        let threads: Vec<_> = list.into_iter().map(begin).collect();
        let ended = threads.into_iter().map(|thread| match thread {
            Ok(thread) => thread.join().map_err(|_| no_thread("a thread has ended".to_string())),
            Err(error) => Err(no_thread(error.to_string())),
        });
        ended.collect()
    })
}

impl Stands {
    /// Keeps those that could be had.
    ///
    /// # Errors
    /// When none could: that of the first.
    fn keep(&mut self, results: impl Iterator<Item = (String, Result<Agents, Trouble>)>) -> Result<(), Trouble> {
        let mut lost = Vec::new();
        for (name, result) in results {
            match result {
                Ok(agents) => self.list.push(agents),
                Err(trouble) => lost.push((name, trouble)),
            }
        }
        if self.list.is_empty() {
            return lost.into_iter().next().map_or(Ok(()), |(_, trouble)| Err(trouble));
        }
        for (name, trouble) in lost {
            remark(&format!("LOST {name}: {}; the run goes on without it", trouble.text.trim_end()));
        }
        Ok(())
    }

    /// What each stand is, asked of all at once; those that cannot say are done without.
    pub(super) fn grounds(&mut self, workspace: &Workspace, refresh: bool) -> Result<Vec<Ground>, Trouble> {
        let names: Vec<String> = self.list.iter().map(|agents| agents.name.clone()).collect();
        let asked = at_once(self.list.drain(..), |mut agents| {
            let ground = agents.ground(workspace, refresh)?;
            Ok((agents, ground))
        })?;
        let mut grounds = Vec::new();
        let results = asked.into_iter().map(|result: Result<(Agents, Ground), Trouble>| {
            result.map(|(agents, ground)| {
                grounds.push(ground);
                agents
            })
        });
        self.keep(names.into_iter().zip(results.collect::<Vec<_>>()))?;
        Ok(grounds)
    }

    /// Whether these stands can share the tests.
    ///
    /// # Errors
    /// When they differ in what may not: in what.
    pub(super) fn are_alike<'t>(
        &self,
        conditions: &[Conditions],
        tests: impl Iterator<Item = &'t Test> + Clone,
    ) -> Result<(), Trouble> {
        let mut out = String::new();
        let mut first: Option<String> = None;
        for (agents, other) in self.list.iter().zip(conditions).skip(1) {
            let differences = alike::differences(tests.clone(), &conditions[0], other, &self.may_differ);
            if !differences.is_empty() {
                out.push_str(&format!("\n  {} differs from {}:", agents.name, self.list[0].name));
                differences.iter().for_each(|words| out.push_str(&format!("\n    {words}")));
                first.get_or_insert_with(|| differences[0].split(':').next().unwrap_or_default().to_string());
            }
        }
        let Some(first) = first else { return Ok(()) };
        Err(Trouble::host(format!(
            "failed to share tests among the stands of class {}, which are not alike:{out}\nmake them alike, give them \
             classes of their own, name the stands to be used under [stands], or say of each input that it may differ: \
             [classes.NAME] may-differ = [\"{first}\"]",
            self.class
        )))
    }

    /// The stands, for measuring under conditions that were made of their grounds.
    pub(super) fn stands<'a>(&'a mut self, conditions: &'a [Conditions<'a>]) -> Vec<Stand<'a>> {
        let may_differ = &self.may_differ;
        let stand = |(agents, conditions): (&'a mut Agents, &'a Conditions<'a>)| Stand {
            may_differ: may_differ.clone(),
            ..agents.stand(conditions)
        };
        self.list.iter_mut().zip(conditions).map(stand).collect()
    }

    /// The clean end of all of them. Of several, one that has been lost was told of.
    pub(super) fn bye(self) -> Result<(), Trouble> {
        let several = self.list.len() > 1;
        let ended = at_once(self.list, Agents::bye)?;
        if several { Ok(()) } else { ended.into_iter().collect() }
    }
}
