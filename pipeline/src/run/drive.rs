//! Drives a run: what threads tell becomes events for the dispatcher, what it orders becomes assignments for stands
//! and slips for the writer, and the user is told. It must not decide who measures what, or how much is enough.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Instant;

use super::news::{Assignment, News};
use super::tally::Tally;
use super::{Finished, RunError, RunRequest, Watcher, without_failed_to};
use crate::agent::AgentError;
use crate::alike;
use crate::conditions::{Conditions, KnownSurroundings, Prospect};
use crate::dispatch::{Dispatcher, End, Event, Number, Order, Stand, State, Stop};
use crate::measure::Failed;
use crate::workspace::Workspace;

/// A stand as the run that uses it sees it.
pub(super) struct Post<'t> {
    pub(super) name: String,
    pub(super) conditions: &'t Conditions<'t>,
    pub(super) shared: KnownSurroundings,
    pub(super) orders: Sender<Assignment<'t>>,
    /// Whether this program runs on its host.
    pub(super) quiet: bool,
    /// What of its manifests may differ from those of the first stand.
    pub(super) may_differ: BTreeSet<String>,
}

/// A run under way.
pub(super) struct Drive<'r, 't> {
    workspace: &'t Workspace,
    request: &'r RunRequest<'t>,
    watcher: &'r mut dyn Watcher,
    posts: Vec<Post<'t>>,
    tally: Tally<'t>,
    dispatcher: Dispatcher,
    began: Instant,
    finished: Finished,
    /// Tests on their way into the store, and why those failed that did.
    storing: BTreeMap<Number, Option<Failed>>,
    /// What the last stand that was lost died of.
    lost: Option<RunError>,
    /// Told to stands: nothing is to be begun any more.
    halted: Option<&'r AtomicBool>,
}

impl<'r, 't> Drive<'r, 't> {
    pub(super) fn new(
        workspace: &'t Workspace,
        request: &'r RunRequest<'t>,
        watcher: &'r mut dyn Watcher,
        posts: Vec<Post<'t>>,
        tally: Tally<'t>,
        dispatcher: Dispatcher,
        began: Instant,
    ) -> Drive<'r, 't> {
        let (finished, storing) = Default::default();
        Drive {
            workspace,
            request,
            watcher,
            posts,
            tally,
            dispatcher,
            began,
            finished,
            storing,
            lost: None,
            halted: None,
        }
    }

    /// The same, with what tells stands that nothing is to be begun any more.
    pub(super) fn telling(self, halted: &'r AtomicBool) -> Drive<'r, 't> {
        Drive { halted: Some(halted), ..self }
    }

    /// Goes on until nothing is under way and nothing can be begun.
    ///
    /// # Errors
    /// What ends the whole run.
    pub(super) fn run(mut self, news: &Receiver<News>) -> Result<Finished, RunError> {
        if (self.request.interrupted)() {
            self.happened(Event::Stop(Stop::Interrupted))?;
        }
        let orders = self.dispatcher.orders(self.began.elapsed())?;
        self.follow(orders)?;
        let end = loop {
            if let Some(end) = self.dispatcher.end() {
                break end;
            }
            match news.recv() {
                Ok(news) => self.take(news)?,
                Err(_) => return Err(RunError::Ended),
            }
        };
        match end {
            End::Settled | End::Stopped(Stop::Failure) => {}
            End::Stopped(Stop::Interrupted) => self.finished.interrupted = true,
            End::Stopped(Stop::OutOfTime) => self.finished.out_of_time = true,
            End::NoStand => self.finished.lost = self.lost,
        }
        Ok(self.finished)
    }

    fn take(&mut self, news: News) -> Result<(), RunError> {
        match news {
            News::Waiting(holder) => self.watcher.waiting(&holder),
            News::Unquiet(words) => self.watcher.unquiet(&words),
            News::Prepared { stand, achieved } => {
                achieved.iter().for_each(|achieved| self.watcher.prepared(achieved));
                self.happened(Event::Prepared(stand))?;
            }
            News::Unprepared { stand, error: RunError::Agent(AgentError::Interrupted) } => {
                self.happened(Event::Lost { stand, reason: "the user wants to stop".to_string() })?;
            }
            News::Unprepared { stand, error } => self.set_aside(stand, error)?,
            News::Lost { stand, error } => self.set_aside(stand, error.into())?,
            News::Tried { test, rate_pps, loss_ratio } => {
                self.watcher.tried(self.tally.asked(test).test, rate_pps, loss_ratio);
            }
            News::Returned { stand, why } => self.happened(Event::Returned { stand, why })?,
            News::Measured { stand, failed } => {
                let is_failed = failed.is_some();
                let Some(test) = self.dispatcher.measured_on(stand) else { return Err(RunError::Ended) };
                self.storing.insert(test, failed);
                self.happened(Event::Measured { stand, failed: is_failed })?;
            }
            News::Kept { test, entry, record } => {
                let asked = self.tally.asked(test).test;
                let more = match self.storing.remove(&test).flatten() {
                    Some(failed) => {
                        self.finished.failed.push(asked.tuple.to_string());
                        self.watcher.failed(asked, &failed.reason, &failed.last_lines);
                        None
                    }
                    None => {
                        self.finished.measured += 1;
                        self.watcher.stored(asked, &record);
                        self.tally.stored(test, entry, &record)
                    }
                };
                self.tally.done(test);
                self.happened(Event::Stored { test, more })?;
            }
            News::Trouble(error) => return Err(error),
        }
        Ok(())
    }

    /// A stand cannot go on: the run does, if another one can.
    fn set_aside(&mut self, stand: Stand, error: RunError) -> Result<(), RunError> {
        let reason = without_failed_to(&error);
        if self.posts.len() > 1 {
            self.watcher.lost(&self.posts[stand.0].name, &reason);
        }
        self.lost = Some(error);
        self.happened(Event::Lost { stand, reason })
    }

    fn happened(&mut self, event: Event) -> Result<(), RunError> {
        if (self.request.interrupted)() {
            // Nothing is ordered after that.
            self.dispatcher.handle(Event::Stop(Stop::Interrupted), self.began.elapsed())?;
        }
        let orders = self.dispatcher.handle(event, self.began.elapsed())?;
        self.follow(orders)
    }

    /// Does what is ordered, and what is ordered because of it.
    fn follow(&mut self, orders: Vec<Order>) -> Result<(), RunError> {
        if let Some(halted) = self.halted.filter(|_| self.dispatcher.is_stopped()) {
            halted.store(true, Ordering::Relaxed);
        }
        let mut orders = VecDeque::from(orders);
        while let Some(order) = orders.pop_front() {
            if let Some(event) = self.obey(order)? {
                orders.extend(self.dispatcher.handle(event, self.began.elapsed())?);
            }
        }
        Ok(())
    }

    /// Does what is ordered; what comes of it at once.
    fn obey(&mut self, order: Order) -> Result<Option<Event>, RunError> {
        match order {
            Order::Measure { test, stand } => {
                let unfit = |reason| Event::Unfit { test, stand, reason };
                Ok(self.measure(test, stand).err().map(unfit))
            }
            Order::Begun { test, stand } => {
                self.tell_begun(test, stand);
                Ok(None)
            }
            Order::Review(_) => {
                let index = self.workspace.store.index()?;
                let reviewed = self.tally.review(self.dispatcher.states(), index)?;
                let urgencies = self.tally.urgencies();
                if !urgencies.is_empty() {
                    // Nothing is ordered before the review is answered.
                    self.dispatcher.handle(Event::Urgent(urgencies), self.began.elapsed())?;
                }
                Ok(Some(Event::Reviewed(reviewed)))
            }
            Order::GiveUp(number) => {
                let test = self.tally.asked(number).test;
                if let Some(State::GivenUp(why)) = self.dispatcher.state(number) {
                    self.finished.failed.push(test.tuple.to_string());
                    self.watcher.failed(test, &why.to_string(), &[]);
                }
                self.tally.done(number);
                Ok(None)
            }
        }
    }

    /// Gives a test to a stand, which must measure it under the key under which it is wanted.
    ///
    /// # Errors
    /// When it cannot be measured there, in words.
    fn measure(&mut self, number: Number, stand: Stand) -> Result<(), String> {
        let chosen = self.tally.window(number);
        let asked = self.tally.asked(number);
        let (test, key) = (asked.test, asked.key);
        let post = &mut self.posts[stand.0];
        let ready = match post.conditions.judge(test, &mut post.shared) {
            Prospect::Ready(ready) if ready.manifest.key() == key => ready,
            Prospect::Ready(mut ready) if alike::excused(&asked.manifest, &ready.manifest, &post.may_differ) => {
                ready.manifest = asked.manifest.clone();
                ready
            }
            Prospect::Ready(_) => return Err(format!("{} differs from the stand of the plan", post.name)),
            Prospect::Skipped(reason) => return Err(reason),
        };
        let facts = post.conditions.facts_of(&test.tuple)?;
        let until = self.request.time_limit.map(|limit| self.began + limit);
        // A thread that has ended has said why: that is among the news.
        let _ = post.orders.send(Assignment { number, test, ready, facts, chosen, until });
        if !matches!(self.dispatcher.state(number), Some(State::Next { .. })) {
            self.tell_begun(number, stand);
        }
        Ok(())
    }

    fn tell_begun(&mut self, number: Number, stand: Stand) {
        let (left, eta) = self.tally.left();
        self.watcher.left(left, eta);
        self.watcher.begins(self.tally.asked(number).test, &self.posts[stand.0].name);
    }
}
