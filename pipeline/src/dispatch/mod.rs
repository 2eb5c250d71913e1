//! Who measures what next: which tests of a run want a repetition, what runs on which stand, and what became of it.
//! A pure state machine, fed with what happened and answering with what is to be done. It must not know clocks
//! (times come with events), files, threads, agents, or how much is enough: whether a test wants more is told to it.
//!
//! A block is one repetition of every test that wants one. Blocks are a priority and no barrier: a stand that finds
//! nothing of a block left begins the next one, with tests of which it is known what they want. A test is wanted
//! while its results say so, and is never measured twice at once. Where tests differ in urgency, the more urgent ones
//! come first in their block, and those that need no more come after all blocks ([`Urgency`]). Of many stands each is
//! given its next test while it measures, so that none waits for this program between two tests.

mod sequence;
mod state;
#[cfg(test)]
mod tests;
mod urgency;
mod words;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

pub use self::sequence::Sequence;
pub use self::state::{GivenUp, StandState, State};
pub use self::urgency::Urgency;
pub use self::words::{End, Event, Impossible, Limits, Number, Order, Returned, Stand, StandAtStart, Stop, Task};

/// A test that loses more stands than this is given up: it may be what they die of.
pub const STANDS_LOST_MAX: u32 = 2;
/// Repetitions that may wait for the store; beyond it no test is begun, so that a slow disk fills no memory.
pub const STORING_MAX: usize = 256;
/// How far down the queue a test is looked for that a stand can have as its next.
const AHEAD_MAX: usize = 16;

#[derive(Debug)]
struct Known {
    task: Task,
    state: State,
    /// Stands that were lost while they measured it.
    lost: u32,
    /// Stands that cannot measure it.
    unfit: BTreeSet<Stand>,
}

/// The state of a run.
#[derive(Debug)]
pub struct Dispatcher {
    limits: Limits,
    sequence: Sequence,
    tests: Vec<Known>,
    stands: Vec<StandAtStart>,
    /// Tests in [`State::Wanted`], the next one first.
    queue: BTreeSet<sequence::Waiting>,
    /// Stands that wait for a test, the one that has waited longest first.
    free: VecDeque<Stand>,
    /// The test in [`State::Next`] of each stand.
    next_on: Vec<Option<Number>>,
    /// Tests that stands have gone on with since orders were last given.
    begun: Vec<(Number, Stand)>,
    /// Tests in [`State::Running`] and in [`State::Storing`].
    running: usize,
    storing: usize,
    /// The latest block that was reviewed; the tests of the first one come reviewed.
    reviewed: u64,
    reviewing: bool,
    /// Tests that some stand cannot measure, and why the last one asked cannot.
    unfit: BTreeMap<Number, String>,
    /// Tests that were given up since orders were last given.
    given_up: Vec<Number>,
    stop: Option<Stop>,
}

impl Dispatcher {
    /// A run of tests that want at least one repetition each.
    pub fn new(tasks: Vec<Task>, stands: Vec<StandAtStart>, sequence: Sequence, limits: Limits) -> Dispatcher {
        let place = |(number, task): (usize, &Task)| sequence.place(task, 0, Number(number));
        let queue = tasks.iter().enumerate().map(place).collect();
        let known = |task| Known { task, state: State::Wanted { block: 0 }, lost: 0, unfit: BTreeSet::new() };
        let free = (0..stands.len()).map(Stand).filter(|stand| stands[stand.0].state == StandState::Free).collect();
        Dispatcher {
            limits,
            sequence,
            tests: tasks.into_iter().map(known).collect(),
            next_on: vec![None; stands.len()],
            begun: Vec::new(),
            stands,
            queue,
            free,
            running: 0,
            storing: 0,
            reviewed: 0,
            reviewing: false,
            unfit: BTreeMap::new(),
            given_up: Vec::new(),
            stop: None,
        }
    }

    /// What became of each test so far.
    pub fn states(&self) -> impl Iterator<Item = &State> {
        self.tests.iter().map(|known| &known.state)
    }

    /// What became of a test so far.
    pub fn state(&self, test: Number) -> Option<&State> {
        self.tests.get(test.0).map(|known| &known.state)
    }

    /// The test that a stand measures.
    pub fn measured_on(&self, stand: Stand) -> Option<Number> {
        self.test_on(stand).ok().map(|(test, _)| test)
    }

    /// Tests that want a repetition and are not under way, the next one first.
    pub fn waiting(&self) -> impl Iterator<Item = Number> {
        self.queue.iter().map(|waiting| waiting.test)
    }

    /// Whether nothing is begun any more.
    pub fn is_stopped(&self) -> bool {
        self.stop.is_some()
    }

    /// What each stand does.
    pub fn stands(&self) -> impl Iterator<Item = &StandState> {
        self.stands.iter().map(|place| &place.state)
    }

    /// How the run ended; none while anything is under way or can still be begun.
    pub fn end(&self) -> Option<End> {
        if self.running + self.storing > 0 || self.reviewing {
            return None;
        }
        let usable = || self.stands().any(|state| !matches!(state, StandState::Aside(_)));
        match self.stop {
            Some(stop) => Some(End::Stopped(stop)),
            None if self.queue.is_empty() => Some(End::Settled),
            None if !usable() => Some(End::NoStand),
            None => None,
        }
    }

    /// Takes note of what happened so long after the run began, and says what is to be done now.
    ///
    /// # Errors
    /// When that cannot have happened; nothing is changed then.
    pub fn handle(&mut self, event: Event, now: Duration) -> Result<Vec<Order>, Impossible> {
        match event {
            Event::Prepared(stand) => self.prepared(stand)?,
            Event::Measured { stand, failed } => self.measured(stand, failed)?,
            Event::Returned { stand, why } => self.returned(stand, why)?,
            Event::Unfit { test, stand, reason } => self.unfit(test, stand, reason)?,
            Event::Lost { stand, reason } => self.lost(stand, reason)?,
            Event::Stored { test, more } => self.stored(test, more)?,
            Event::Reviewed(wanted) => self.review(&wanted)?,
            Event::Urgent(urgencies) => self.urgent(&urgencies)?,
            Event::Stop(stop) => self.halt(stop),
        }
        if !self.unfit.is_empty() {
            self.give_up()?;
        }
        self.orders(now)
    }

    /// What can be begun now.
    pub fn orders(&mut self, now: Duration) -> Result<Vec<Order>, Impossible> {
        let mut orders: Vec<Order> = self.given_up.drain(..).map(Order::GiveUp).collect();
        orders.extend(self.begun.drain(..).map(|(test, stand)| Order::Begun { test, stand }));
        while self.stop.is_none() && !self.reviewing && self.storing + self.running < STORING_MAX + self.stands.len() {
            let Some((block, test, stand)) = self.next() else { break };
            if block > self.reviewed {
                (self.reviewed, self.reviewing) = (block, true);
                orders.push(Order::Review(block));
                break;
            }
            if self.limits.time.is_some_and(|limit| now + self.tests[test.0].task.cost > limit) {
                self.halt(Stop::OutOfTime);
                break;
            }
            self.set(test, State::Running { block, stand })?;
            orders.push(Order::Measure { test, stand });
        }
        while let Some((block, test, stand)) = self.next_ahead() {
            self.set(test, State::Next { block, stand })?;
            orders.push(Order::Measure { test, stand });
        }
        Ok(orders)
    }

    /// A test for a stand that measures and has no next one, as long as more tests wait than there are stands: then no
    /// other stand is in want of it.
    fn next_ahead(&self) -> Option<(u64, Number, Stand)> {
        let under_way = self.storing + self.running < STORING_MAX + self.stands.len();
        let may = self.limits.ahead && self.limits.time.is_none() && self.stop.is_none() && !self.reviewing;
        if !may || !under_way || self.queue.len() <= self.stands.len() {
            return None;
        }
        let takes = |(place, known): (usize, &StandAtStart)| {
            let is_at_work = matches!(known.state, StandState::Busy(_)) && !known.quiet;
            (is_at_work && self.next_on[place].is_none()).then_some(Stand(place))
        };
        self.stands.iter().enumerate().filter_map(takes).find_map(|stand| {
            let near = self.queue.iter().take(AHEAD_MAX).take_while(|waiting| waiting.turn.block <= self.reviewed);
            let mut fit = near.filter(|waiting| !self.tests[waiting.test.0].unfit.contains(&stand));
            fit.next().map(|waiting| (waiting.turn.block, waiting.test, stand))
        })
    }

    /// The next test for which a stand is free that can measure it, and the block in which it is wanted.
    fn next(&self) -> Option<(u64, Number, Stand)> {
        if self.free.is_empty() {
            return None;
        }
        self.queue.iter().find_map(|sequence::Waiting { turn, test, .. }| {
            let unfit = &self.tests[test.0].unfit;
            let stand = self.free.iter().find(|stand| !unfit.contains(stand))?;
            Some((turn.block, *test, *stand))
        })
    }

    fn prepared(&mut self, stand: Stand) -> Result<(), Impossible> {
        match self.place(stand)?.state {
            StandState::Preparing => self.set_stand(stand, StandState::Free),
            _ => Err(Impossible(format!("{stand:?} is prepared twice"))),
        }
    }

    fn measured(&mut self, stand: Stand, failed: bool) -> Result<(), Impossible> {
        let (test, block) = self.test_on(stand)?;
        self.set(test, State::Storing { block, stand, failed })?;
        if failed && !self.limits.keep_going {
            self.halt(Stop::Failure);
        }
        self.go_on(stand)
    }

    /// The stand has begun its next test, if it was given one.
    fn go_on(&mut self, stand: Stand) -> Result<(), Impossible> {
        let Some(test) = self.next_on[stand.0] else { return Ok(()) };
        let State::Next { block, .. } = self.tests[test.0].state else { return Ok(()) };
        self.set(test, State::Running { block, stand })?;
        self.begun.push((test, stand));
        Ok(())
    }

    fn returned(&mut self, stand: Stand, why: Returned) -> Result<(), Impossible> {
        let (test, block) = self.test_on(stand)?;
        match why {
            Returned::Interrupted => self.halt(Stop::Interrupted),
            Returned::OutOfTime => self.halt(Stop::OutOfTime),
            Returned::Halted => self.halt(Stop::Failure),
        }
        self.set(test, State::Wanted { block })?;
        self.go_on(stand)
    }

    fn unfit(&mut self, test: Number, stand: Stand, reason: String) -> Result<(), Impossible> {
        let block = match self.known(test)?.state {
            State::Running { block, stand: of } | State::Next { block, stand: of } if of == stand => block,
            _ => return Err(Impossible(format!("{test:?} is refused by {stand:?}, which was not given it"))),
        };
        self.tests[test.0].unfit.insert(stand);
        self.unfit.insert(test, reason);
        self.set(test, State::Wanted { block })
    }

    fn lost(&mut self, stand: Stand, reason: String) -> Result<(), Impossible> {
        if matches!(self.place(stand)?.state, StandState::Aside(_)) {
            return Err(Impossible(format!("{stand:?} is lost twice")));
        }
        let measured = self.test_on(stand).ok();
        if let Some((test, block)) = measured {
            self.tests[test.0].lost += 1;
            let stands = self.tests[test.0].lost;
            let again = State::Wanted { block };
            let given_up = || State::GivenUp(GivenUp::Lost { stands, reason: reason.clone() });
            self.set(test, if stands > STANDS_LOST_MAX { given_up() } else { again })?;
        }
        if let Some(next) = self.next_on[stand.0]
            && let State::Next { block, .. } = self.tests[next.0].state
        {
            self.set(next, State::Wanted { block })?;
        }
        self.set_stand(stand, StandState::Aside(reason))
    }

    fn stored(&mut self, test: Number, more: Option<Duration>) -> Result<(), Impossible> {
        match (&self.known(test)?.state, more) {
            (State::Storing { failed: true, .. }, _) => self.set(test, State::Failed),
            (State::Storing { block, .. }, Some(cost)) => {
                let block = block + 1;
                self.tests[test.0].task.cost = cost;
                self.set(test, State::Wanted { block })
            }
            (State::Storing { .. }, None) => self.set(test, State::Stored),
            _ => Err(Impossible(format!("a repetition of {test:?} that was not measured"))),
        }
    }

    fn review(&mut self, wanted: &[(Number, Option<Duration>)]) -> Result<(), Impossible> {
        if !self.reviewing {
            return Err(Impossible("a review that nobody asked for".to_string()));
        }
        let is_wanted = |test: &Number| matches!(self.state(*test), Some(State::Wanted { .. }));
        if let Some((test, _)) = wanted.iter().find(|(test, _)| !is_wanted(test)) {
            return Err(Impossible(format!("a review of {test:?}, which does not wait")));
        }
        self.reviewing = false;
        wanted.iter().try_for_each(|(test, cost)| match cost {
            Some(cost) => {
                self.tests[test.0].task.cost = *cost;
                Ok(())
            }
            None => self.set(*test, State::Stored),
        })
    }

    /// Tests that wait take another place; of others it is known for when they do.
    fn urgent(&mut self, urgencies: &[(Number, Urgency)]) -> Result<(), Impossible> {
        urgencies.iter().try_for_each(|(test, _)| self.known(*test).map(drop))?;
        for (test, urgency) in urgencies {
            let known = &mut self.tests[test.0];
            let before = std::mem::replace(&mut known.task.urgency, *urgency);
            if let State::Wanted { block } = known.state {
                let task = known.task;
                self.queue.remove(&self.sequence.place(&Task { urgency: before, ..task }, block, *test));
                self.queue.insert(self.sequence.place(&task, block, *test));
            }
        }
        Ok(())
    }

    /// The first reason is the one that counts, but that the user wants to stop counts more.
    fn halt(&mut self, stop: Stop) {
        if self.stop.is_none() || stop == Stop::Interrupted {
            self.stop = Some(stop);
        }
    }

    /// Gives up tests that wait for nothing: each stand that is left has refused them. Without any stand left the run
    /// ends, and they are as wanted as all others.
    fn give_up(&mut self) -> Result<(), Impossible> {
        let usable = |place: &usize| !matches!(self.stands[*place].state, StandState::Aside(_));
        let usable: Vec<Stand> = (0..self.stands.len()).filter(usable).map(Stand).collect();
        let is_hopeless = |test: &Number| {
            let Known { state, unfit, .. } = &self.tests[test.0];
            matches!(state, State::Wanted { .. }) && usable.iter().all(|stand| unfit.contains(stand))
        };
        let hopeless: Vec<Number> = self.unfit.keys().copied().filter(is_hopeless).collect();
        for test in hopeless.into_iter().filter(|_| !usable.is_empty()) {
            let reason = self.unfit.remove(&test).unwrap_or_default();
            self.set(test, State::GivenUp(GivenUp::Unfit(reason)))?;
        }
        Ok(())
    }

    fn known(&self, test: Number) -> Result<&Known, Impossible> {
        self.tests.get(test.0).ok_or_else(|| Impossible(format!("there is no {test:?}")))
    }

    fn place(&self, stand: Stand) -> Result<&StandAtStart, Impossible> {
        self.stands.get(stand.0).ok_or_else(|| Impossible(format!("there is no {stand:?}")))
    }

    /// The test that runs on a stand, and in which block it is wanted.
    fn test_on(&self, stand: Stand) -> Result<(Number, u64), Impossible> {
        match self.place(stand)?.state {
            StandState::Busy(test) => match self.tests[test.0].state {
                State::Running { block, .. } => Ok((test, block)),
                _ => Err(Impossible(format!("{stand:?} has measured already"))),
            },
            _ => Err(Impossible(format!("{stand:?} measures nothing"))),
        }
    }

    /// The only way in which a test becomes anything: what it was, what it is now, and its stand and the queue with
    /// it.
    fn set(&mut self, test: Number, next: State) -> Result<(), Impossible> {
        let known = self.known(test)?;
        let (was, task) = (known.state.clone(), known.task);
        if !was.leads_to(&next) {
            return Err(Impossible(format!("{test:?} cannot go from {was:?} to {next:?}")));
        }
        if let State::Running { stand, .. } = next {
            self.set_stand(stand, StandState::Busy(test))?;
        }
        let entry = |sequence: &Sequence, block: u64| sequence.place(&task, block, test);
        match was {
            State::Wanted { block } => drop(self.queue.remove(&entry(&self.sequence, block))),
            State::Next { stand, .. } => self.next_on[stand.0] = None,
            State::Running { stand, .. } => {
                self.running -= 1;
                let waits = matches!(next, State::Storing { .. }) && self.place(stand)?.quiet;
                if !waits {
                    self.set_stand(stand, StandState::Free)?;
                }
            }
            State::Storing { stand, .. } => {
                self.storing -= 1;
                if self.place(stand)?.state == StandState::Busy(test) {
                    self.set_stand(stand, StandState::Free)?;
                }
            }
            State::Stored | State::Failed | State::GivenUp(_) => {}
        }
        match next {
            State::Wanted { block } => drop(self.queue.insert(entry(&self.sequence, block))),
            State::Next { stand, .. } => self.next_on[stand.0] = Some(test),
            State::Running { .. } => self.running += 1,
            State::Storing { .. } => self.storing += 1,
            State::GivenUp(_) => self.given_up.push(test),
            State::Stored | State::Failed => {}
        }
        self.tests[test.0].state = next;
        Ok(())
    }

    /// The only way in which a stand becomes anything.
    fn set_stand(&mut self, stand: Stand, next: StandState) -> Result<(), Impossible> {
        let was = &self.place(stand)?.state;
        if !was.leads_to(&next) {
            return Err(Impossible(format!("{stand:?} cannot go from {was:?} to {next:?}")));
        }
        match next {
            StandState::Free => self.free.push_back(stand),
            _ => self.free.retain(|free| *free != stand),
        }
        self.stands[stand.0].state = next;
        Ok(())
    }
}
