//! A stand at work: a thread that has its agents to itself, leases the hosts, measures what it is given, one repetition
//! after the other, judges it, and gives the hosts back. It must not know what else is wanted, other stands, or how
//! results are stored.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use host_setup::facts::Facts;
use host_setup::protocol::{Achieved, Op, Setup};

use super::RunError;
use super::cabled;
use super::news::{Alarm, Assignment, Idle, News};
use super::writing::Desk;
use crate::clock;
use crate::conditions::Conditions;
use crate::dispatch::{self, Returned};
use crate::drift;
use crate::judge::{self, Circumstances};
use crate::measure::{self, Failed, Keep, Outcome};
use crate::quiet;
use crate::ready::Ready;
use crate::search::Goal;
use crate::stand::{Post, error_of, on_each};
use crate::store::{Pending, Repetition};
use crate::workspace::Workspace;

/// What a run wants of a stand.
pub(super) struct WantedSetups {
    /// What each host is to be.
    pub(super) setups: Vec<Setup>,
    /// Whether there are tests between two hosts.
    pub(super) remote: bool,
}

/// What a thread of a stand has.
pub(super) struct Work<'t> {
    stand: dispatch::Stand,
    pub(super) workspace: &'t Workspace,
    pub(super) hosts: Vec<Post<'t>>,
    pub(super) conditions: &'t Conditions<'t>,
    /// What each host was prepared to; known once it is.
    pub(super) achieved: Vec<Achieved>,
    /// What records call the stand.
    recorded: Option<String>,
    pub(super) desk: Desk<'t>,
    news: Sender<News>,
    pub(super) until: Stopped<'t>,
    _alarm: Alarm,
}

/// Whether whatever is under way is to be stopped.
#[derive(Clone, Copy)]
pub(super) struct Stopped<'t> {
    /// By the user.
    pub(super) interrupted: &'t (dyn Fn() -> bool + Sync),
    /// Since the run has ended.
    pub(super) over: &'t AtomicBool,
    /// Before the next test, since nothing is to be begun any more; a stand whose test fails says so, unless the run
    /// goes on after that.
    pub(super) halted: &'t AtomicBool,
    pub(super) keep_going: bool,
    /// How long a window waits until others leave its CPUs alone, if that was asked for.
    pub(super) quiet: Option<Duration>,
    /// Who looks around where something failed.
    pub(super) keep: Option<Keep<'t>>,
}

impl Stopped<'_> {
    pub(super) fn asked(self) -> bool {
        (self.interrupted)() || self.over.load(Ordering::Relaxed)
    }
}

/// What became of a repetition.
pub(super) enum Made<'t> {
    /// A repetition to store, as a failure if there is a reason; then the trials that it is made of are not needed
    /// any more.
    Done(Box<Repetition>, Option<Failed>, Option<Pending<'t>>),
    /// Nothing was measured.
    Returned(Returned),
}

impl<'t> Work<'t> {
    pub(super) fn new(
        stand: dispatch::Stand,
        workspace: &'t Workspace,
        hosts: Vec<Post<'t>>,
        conditions: &'t Conditions<'t>,
        desk: Desk<'t>,
        news: Sender<News>,
        until: Stopped<'t>,
    ) -> Work<'t> {
        let alarm = Alarm(news.clone());
        Work {
            stand,
            workspace,
            hosts,
            conditions,
            achieved: Vec::new(),
            recorded: None,
            desk,
            news,
            until,
            _alarm: alarm,
        }
    }

    /// Sets the name that records give to the stand.
    pub(super) fn recorded_as(mut self, name: Option<String>) -> Work<'t> {
        self.recorded = name;
        self
    }

    /// Prepares the stand, takes assignments until none comes any more, and gives the host back.
    ///
    /// # Errors
    /// When the host could not be given back.
    pub(super) fn run(
        mut self,
        wait: Duration,
        wanted: &WantedSetups,
        orders: &Receiver<Assignment<'t>>,
    ) -> Result<Idle, RunError> {
        let mut idle = Idle::default();
        match self.prepare(wait, wanted) {
            Ok(()) => self.tell(News::Prepared { stand: self.stand, achieved: self.achieved.clone() }),
            Err(error) => {
                self.release();
                self.tell(News::Unprepared { stand: self.stand, error });
                return Ok(idle);
            }
        }
        let mut since: Option<Instant> = None;
        for assignment in orders {
            if let Some(since) = since {
                idle.add(since.elapsed());
            }
            if self.until.halted.load(Ordering::Relaxed) {
                self.tell(News::Returned { stand: self.stand, why: Returned::Halted });
                continue;
            }
            match self.one(&assignment) {
                Ok(Made::Done(mut repetition, failed, trials)) => {
                    if failed.is_some() && !self.until.keep_going {
                        self.until.halted.store(true, Ordering::Relaxed);
                    }
                    repetition.record.stand.clone_from(&self.recorded);
                    // That it is there is told before it can be stored.
                    self.tell(News::Measured { stand: self.stand, failed });
                    self.desk.keep(assignment.number, repetition, assignment.ready.manifest.clone(), trials);
                }
                Ok(Made::Returned(why)) => self.tell(News::Returned { stand: self.stand, why }),
                Err(RunError::Agent(error)) => {
                    self.release();
                    self.tell(News::Lost { stand: self.stand, error });
                    return Ok(idle);
                }
                Err(error) => self.tell(News::Trouble(error)),
            }
            since = Some(Instant::now());
        }
        let released = on_each(&mut self.hosts, |_, agent| agent.done("give the host back", Op::Release));
        released.map_err(|(place, error)| error_of(&self.hosts, place, error))?;
        Ok(idle)
    }

    /// Gives back what is still held of a stand that cannot go on. Who has died has given back what it had, or the
    /// journal has.
    fn release(&mut self) {
        for host in self.hosts.iter_mut().filter(|host| host.agent.is_heard()) {
            let _ = host.agent.done("give the host back", Op::Release);
        }
    }

    pub(super) fn tell(&self, news: News) {
        // Nobody listens any more once the run has ended.
        let _ = self.news.send(news);
    }

    /// Leases the hosts one after the other, in the order of their names, which is the same for every run: so no two
    /// wait for each other.
    fn prepare(&mut self, wait: Duration, wanted: &WantedSetups) -> Result<(), RunError> {
        let mut order: Vec<usize> = (0..self.hosts.len()).collect();
        order.sort_by(|a, b| self.hosts[*a].name.cmp(&self.hosts[*b].name));
        self.achieved = vec![Achieved::default(); self.hosts.len()];
        for place in order {
            let (news, until) = (&self.news, self.until);
            let setup = wanted.setups.get(place).cloned().unwrap_or_default();
            let leased = self.hosts[place].agent.lease(wait, setup, &mut |holder| {
                if !holder.is_empty() {
                    let _ = news.send(News::Waiting(holder.to_string()));
                }
                !until.asked()
            });
            self.achieved[place] = leased.map_err(|error| error_of(&self.hosts, place, error))?;
        }
        for (facts, achieved) in self.conditions.hosts().zip(&self.achieved) {
            if let Some(file) = changed_since(facts, achieved) {
                return Err(RunError::Changed(file));
            }
        }
        match (wanted.remote, &self.conditions.ground().cable) {
            (true, Some(cable)) => cabled::join(&mut self.hosts, &cable.interfaces(self.conditions.hosts())).map(drop),
            _ => Ok(()),
        }
    }

    /// Waits for a quiet host, if that was asked for.
    pub(super) fn await_quiet(&mut self, ready: &Ready) -> Result<(), RunError> {
        let until = self.until;
        let Some(patience) = until.quiet else { return Ok(()) };
        for (place, side) in ready.sides.iter().enumerate().take(self.hosts.len()) {
            let cpus = drift::measuring(&side.cores);
            let waited = quiet::wait(self.hosts[place].agent, &cpus, patience, &|| until.asked());
            if let Some(load) = waited.map_err(|error| error_of(&self.hosts, place, error))? {
                self.tell(News::Unquiet(drift::others(&load)));
            }
        }
        Ok(())
    }

    /// Measures one repetition and judges it.
    fn one(&mut self, assignment: &Assignment<'t>) -> Result<Made<'t>, RunError> {
        let Assignment { test, ready, facts, chosen, .. } = assignment;
        if let Some(goal) = Goal::of(test.tuple.rate, test.times.duration_ns) {
            return self.search(assignment, goal);
        }
        self.await_quiet(ready)?;
        let started = clock::now_rfc3339()?;
        let mut log = String::new();
        let until = self.until;
        let timed = chosen.as_ref().map(|(window_ns, _)| test.with_window(*window_ns));
        let test = timed.as_ref().unwrap_or(test);
        let windows = chosen.as_ref().map_or(1, |(_, chosen)| chosen.windows);
        let outcome = measure::measure(&mut self.hosts, test, ready, windows, &|| until.asked(), until.keep, &mut log)?;
        let about = Circumstances::new(test, ready, facts, &self.achieved, started).ok_or(RunError::Ended)?;
        let about = Circumstances { chosen: chosen.as_ref().map(|(_, chosen)| chosen.clone()), ..about };
        match outcome {
            Outcome::Interrupted => Ok(Made::Returned(Returned::Interrupted)),
            Outcome::Failed(failed) => failure(failed, &about, log),
            Outcome::Measured(measured) => {
                let cost = measured.cost;
                match judge::judge(*measured, &about, log.clone()) {
                    Ok(repetition) => Ok(Made::Done(Box::new(repetition), None, None)),
                    Err(refused) => {
                        let reason = refused.to_string();
                        failure(Failed { reason, last_lines: Vec::new(), cost }, &about, log)
                    }
                }
            }
        }
    }
}

/// A failure as it is kept and told.
pub(super) fn failure<'t>(failed: Failed, about: &Circumstances, log: String) -> Result<Made<'t>, RunError> {
    let repetition = judge::failure(&failed, about, log)?;
    Ok(Made::Done(Box::new(repetition), Some(failed), None))
}

/// The first file that the agent staged for containers and that is not what keys were made of.
fn changed_since(facts: &Facts, achieved: &Achieved) -> Option<String> {
    let known = |staged: &(String, String)| facts.components.iter().any(|component| component.files.contains(staged));
    achieved.staged.iter().find(|staged| !known(staged)).map(|(name, _)| name.clone())
}
