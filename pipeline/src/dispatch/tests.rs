//! Runs of invented tests on invented stands, in every interleaving that a generator thinks of.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::key::Key;

fn key(test: usize) -> Key {
    Key(*blake3::hash(&test.to_le_bytes()).as_bytes())
}

fn tasks(count: usize) -> Vec<Task> {
    (0..count).map(|test| Task { key: key(test), cost: Duration::from_secs(1), urgency: Urgency::UNKNOWN }).collect()
}

fn more(wanted: u32) -> Option<Duration> {
    (wanted > 0).then_some(Duration::from_secs(1))
}

fn free(quiet: bool) -> StandAtStart {
    StandAtStart { quiet, state: StandState::Free }
}

fn dispatcher(tests: usize, stands: Vec<StandAtStart>, keep_going: bool) -> Dispatcher {
    limited(tests, stands, Limits { keep_going, ..Limits::default() })
}

fn limited(tests: usize, stands: Vec<StandAtStart>, limits: Limits) -> Dispatcher {
    Dispatcher::new(tasks(tests), stands, Sequence::Random("00000000000000aa".to_string()), limits)
}

/// What somebody who only hears orders knows of a run, by which they are held to account.
struct Model {
    dispatcher: Dispatcher,
    /// Repetitions that each test still wants.
    wants: Vec<u32>,
    /// Repetitions that were stored, and failures.
    stored: Vec<u32>,
    failed: BTreeSet<usize>,
    given_up: BTreeSet<usize>,
    /// What each stand measures, and has next.
    on: BTreeMap<usize, VecDeque<usize>>,
    /// Stands that have a test that they have not begun, since a failure halted the run.
    halted: BTreeSet<usize>,
    /// What is on its way into the store: by test, whether it failed.
    storing: BTreeMap<usize, bool>,
    reviewing: bool,
    stopped: bool,
}

impl Model {
    fn new(dispatcher: Dispatcher, wants: Vec<u32>) -> Model {
        let stored = vec![0; wants.len()];
        let (failed, given_up, on, halted, storing) = Default::default();
        let (reviewing, stopped) = (false, false);
        let mut model = Model { dispatcher, wants, stored, failed, given_up, on, halted, storing, reviewing, stopped };
        let orders = model.dispatcher.orders(Duration::ZERO).expect("it begins");
        model.obey(orders);
        model
    }

    fn obey(&mut self, orders: Vec<Order>) {
        for order in orders {
            let begins = matches!(order, Order::Measure { .. } | Order::Review(_));
            assert!(!begins || !self.stopped && !self.reviewing, "{order:?} after a stop, or in the midst of a review");
            match order {
                Order::Review(_) => self.reviewing = true,
                Order::GiveUp(test) => {
                    assert!(matches!(self.dispatcher.state(test), Some(State::GivenUp(_))));
                    assert!(self.given_up.insert(test.0), "{test:?} is given up twice");
                }
                Order::Measure { test: Number(test), stand: Stand(stand) } => {
                    let on = self.on.entry(stand).or_default();
                    on.push_back(test);
                    let place = &self.dispatcher.stands[stand];
                    let most = if self.dispatcher.limits.ahead && !place.quiet { 2 } else { 1 };
                    assert!(on.len() <= most, "stand {stand} has {on:?}");
                    assert!(!self.storing.contains_key(&test), "test {test} is measured while it is stored");
                    let running = self.on.values().flatten().filter(|other| **other == test).count();
                    assert_eq!(running, 1, "test {test} is measured twice at once");
                    assert!(self.wants[test] > 0 && !self.failed.contains(&test), "nobody wants test {test}");
                }
                Order::Begun { test, stand } => {
                    assert_eq!(self.on[&stand.0].front(), Some(&test.0), "what a stand has next it begins next");
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let orders = self.dispatcher.handle(event.clone(), Duration::ZERO);
        self.obey(orders.unwrap_or_else(|error| panic!("{event:?}: {error}")));
    }

    /// A stand is done with the first of its tests, and begins the next one unless the run is halted.
    fn done(&mut self, stand: usize) {
        let on = self.on.get_mut(&stand).expect("it has a test");
        on.pop_front();
        match (on.is_empty(), self.stopped) {
            (true, _) => drop(self.on.remove(&stand)),
            (false, true) => drop(self.halted.insert(stand)),
            (false, false) => {}
        }
    }

    /// Something that can happen now, by the choice of a number.
    fn step(&mut self, choice: u16) {
        let pick = |count: usize| usize::from(choice >> 4) % count.max(1);
        let preparing: Vec<usize> = self.in_state(|state| *state == StandState::Preparing);
        let usable: Vec<usize> = self.in_state(|state| !matches!(state, StandState::Aside(_)));
        let running: Vec<(usize, usize)> = self.on.iter().map(|(stand, tests)| (*stand, tests[0])).collect();
        let storing: Vec<(usize, bool)> = self.storing.iter().map(|(test, failed)| (*test, *failed)).collect();
        match choice % 16 {
            0 | 1 if !preparing.is_empty() => self.handle(Event::Prepared(Stand(preparing[pick(preparing.len())]))),
            2 if !usable.is_empty() => {
                let stand = usable[pick(usable.len())];
                self.on.remove(&stand);
                self.halted.remove(&stand);
                self.handle(Event::Lost { stand: Stand(stand), reason: "its cable was cut".to_string() });
            }
            3 if !running.is_empty() => {
                // The one that was ordered last.
                let (stand, _) = running[pick(running.len())];
                let on = self.on.get_mut(&stand).expect("it has a test");
                let test = Number(on.pop_back().expect("it has a test"));
                if on.is_empty() {
                    self.on.remove(&stand);
                    self.halted.remove(&stand);
                }
                let reason = "it has no such switch".to_string();
                self.handle(Event::Unfit { test, stand: Stand(stand), reason });
            }
            4..=9 if !running.is_empty() && self.halted.contains(&running[pick(running.len())].0) => {
                let (stand, _) = running[pick(running.len())];
                self.halted.remove(&stand);
                self.done(stand);
                self.handle(Event::Returned { stand: Stand(stand), why: Returned::Halted });
            }
            4..=9 if !running.is_empty() => {
                let (stand, test) = running[pick(running.len())];
                let failed = choice % 16 == 4;
                self.stopped |= failed && !self.dispatcher.limits.keep_going;
                self.done(stand);
                self.storing.insert(test, failed);
                self.handle(Event::Measured { stand: Stand(stand), failed });
            }
            10..=14 if !storing.is_empty() => {
                let (test, failed) = storing[pick(storing.len())];
                self.storing.remove(&test);
                match failed {
                    true => drop(self.failed.insert(test)),
                    false => {
                        self.wants[test] -= 1;
                        self.stored[test] += 1;
                    }
                }
                self.handle(Event::Stored { test: Number(test), more: more(self.wants[test]) });
            }
            15 if self.reviewing => {
                self.reviewing = false;
                let waiting: Vec<Number> = self.dispatcher.waiting().collect();
                let (gone, more) = (pick(7), more);
                let reviewed = waiting.into_iter().map(|test| {
                    if test.0 % 7 == gone {
                        self.wants[test.0] = 0;
                    }
                    (test, more(self.wants[test.0]))
                });
                let reviewed = reviewed.collect();
                self.handle(Event::Reviewed(reviewed));
            }
            _ => self.stray(choice),
        }
    }

    fn in_state(&self, is: impl Fn(&StandState) -> bool) -> Vec<usize> {
        self.dispatcher.stands().enumerate().filter(|(_, state)| is(state)).map(|(stand, _)| stand).collect()
    }

    /// What cannot have happened changes nothing.
    fn stray(&mut self, choice: u16) {
        let before: Vec<State> = self.dispatcher.states().cloned().collect();
        let stands: Vec<StandState> = self.dispatcher.stands().cloned().collect();
        let stand = usize::from(choice >> 8) % (stands.len() + 1);
        let test = usize::from(choice >> 8) % (before.len() + 1);
        let mut events = Vec::new();
        if !self.on.contains_key(&stand) {
            events.push(Event::Measured { stand: Stand(stand), failed: false });
            events.push(Event::Returned { stand: Stand(stand), why: Returned::OutOfTime });
        }
        if stands.get(stand) != Some(&StandState::Preparing) {
            events.push(Event::Prepared(Stand(stand)));
        }
        if !self.on.get(&stand).is_some_and(|on| on.contains(&test)) {
            events.push(Event::Unfit { test: Number(test), stand: Stand(stand), reason: "it is odd".to_string() });
        }
        if !self.storing.contains_key(&test) {
            events.push(Event::Stored { test: Number(test), more: more(1) });
        }
        for event in events {
            assert!(self.dispatcher.handle(event.clone(), Duration::ZERO).is_err(), "{event:?} was believed");
        }
        assert!(self.dispatcher.states().eq(&before) && self.dispatcher.stands().eq(&stands));
    }

    /// Whatever is under way ends well.
    fn run_out(&mut self) {
        for _ in 0..10_000 {
            if self.dispatcher.end().is_some() {
                return;
            }
            let choice = match () {
                () if self.reviewing => 15,
                () if !self.storing.is_empty() => 10,
                () if !self.on.is_empty() => 5,
                () => 0,
            };
            self.step(choice);
        }
        panic!("a run without an end: {:?}", self.dispatcher);
    }

    /// Each wanted repetition is stored, or there is a reason why not.
    fn account(&self, wanted: &[u32]) {
        let end = self.dispatcher.end().expect("it has ended");
        for (test, state) in self.dispatcher.states().enumerate() {
            match state {
                State::Stored => assert_eq!(self.wants[test], 0, "test {test} wants more"),
                State::Failed => assert!(self.failed.contains(&test)),
                State::GivenUp(GivenUp::Lost { stands, .. }) => assert!(*stands > STANDS_LOST_MAX),
                State::GivenUp(GivenUp::Unfit(reason)) => assert!(!reason.is_empty()),
                State::Wanted { .. } => {
                    assert!(matches!(end, End::Stopped(Stop::Failure) | End::NoStand), "{end:?} forgets test {test}");
                    assert!(end != End::NoStand || self.in_state(|s| !matches!(s, StandState::Aside(_))).is_empty());
                }
                State::Next { .. } | State::Running { .. } | State::Storing { .. } => {
                    panic!("test {test} is under way after the end")
                }
            }
            assert!(self.stored[test] <= wanted[test]);
            let given_up = matches!(state, State::GivenUp(_));
            assert_eq!(given_up, self.given_up.contains(&test), "that test {test} is given up is told");
        }
    }
}

proptest! {
    #[test]
    fn what_is_most_in_doubt_comes_first_and_the_settled_after_all_blocks(
        tests in prop::collection::vec((1u32..5, prop_oneof![0.0..1.0f64, 1.0..50.0f64]), 1..20),
    ) {
        let wanted: Vec<u32> = tests.iter().map(|(wanted, _)| *wanted).collect();
        let mut dispatcher = dispatcher(wanted.len(), vec![free(false)], false);
        let urgency = |test: usize| Urgency::of_width(tests[test].1);
        let urgent = || (0..wanted.len()).map(|test| (Number(test), urgency(test))).collect();
        let mut left = wanted.clone();
        let mut orders = dispatcher.handle(Event::Urgent(urgent()), Duration::ZERO).expect("it begins");
        let mut measured: Vec<(usize, u32)> = Vec::new();
        while let Some(order) = orders.pop() {
            let mut happens = |event| dispatcher.handle(event, Duration::ZERO).expect("it can happen");
            orders = match order {
                Order::GiveUp(test) | Order::Begun { test, .. } => panic!("{test:?} can be measured, and none is given ahead"),
                Order::Review(_) => {
                    prop_assert_eq!(happens(Event::Urgent(urgent())), []);
                    happens(Event::Reviewed(Vec::new()))
                }
                Order::Measure { test, stand } => {
                    measured.push((test.0, wanted[test.0] - left[test.0]));
                    left[test.0] -= 1;
                    let mut next = happens(Event::Measured { stand, failed: false });
                    let after = happens(Event::Stored { test, more: more(left[test.0]) });
                    next.extend(after);
                    next
                }
            };
        }
        // A free stand is given the next test before the one before it is stored: that one may come in between.
        let turn = |(test, block): &(usize, u32)| (urgency(*test).turn(u64::from(*block)), *test, *block);
        prop_assert_eq!(measured.len() as u32, wanted.iter().sum::<u32>());
        for (place, one) in measured.iter().enumerate() {
            let later = measured[(place + 2).min(measured.len())..].iter();
            let overtaken = later.clone().find(|other| turn(other).0 < turn(one).0 && other.0 != one.0);
            prop_assert!(overtaken.is_none_or(|other| other.1 > 0), "{one:?} before {overtaken:?} in {measured:?}");
        }
        prop_assert_eq!(dispatcher.end(), Some(End::Settled));
    }

    #[test]
    fn every_wanted_repetition_is_stored_or_has_a_reason(
        wanted in prop::collection::vec(1u32..4, 1..12),
        stands in prop::collection::vec(any::<(bool, bool)>(), 1..6),
        keep_going: bool,
        ahead: bool,
        choices in prop::collection::vec(any::<u16>(), 0..300),
    ) {
        let place = |(quiet, ready): &(bool, bool)| StandAtStart {
            quiet: *quiet,
            state: if *ready { StandState::Free } else { StandState::Preparing },
        };
        let places = stands.iter().map(place).collect();
        let limits = Limits { keep_going, time: None, ahead };
        let mut model = Model::new(limited(wanted.len(), places, limits), wanted.clone());
        for choice in choices {
            model.step(choice);
        }
        model.run_out();
        model.account(&wanted);
    }

    #[test]
    fn one_stand_measures_blocks_in_the_order_that_the_seed_decides(wanted in prop::collection::vec(1u32..5, 1..20)) {
        let mut dispatcher = dispatcher(wanted.len(), vec![free(true)], false);
        let mut left = wanted.clone();
        let mut orders = dispatcher.orders(Duration::ZERO).expect("it begins");
        let mut measured = Vec::new();
        while let Some(order) = orders.pop() {
            orders = match order {
                Order::GiveUp(test) | Order::Begun { test, .. } => panic!("{test:?} can be measured, by a quiet stand"),
                Order::Review(_) => dispatcher.handle(Event::Reviewed(Vec::new()), Duration::ZERO),
                Order::Measure { test, stand } => {
                    measured.push(test.0);
                    left[test.0] -= 1;
                    let none = dispatcher.handle(Event::Measured { stand, failed: false }, Duration::ZERO);
                    prop_assert_eq!(none, Ok(Vec::new()), "it is quiet until it is stored");
                    dispatcher.handle(Event::Stored { test, more: more(left[test.0]) }, Duration::ZERO)
                }
            }
            .expect("it goes on");
        }
        let sequence = Sequence::Random("00000000000000aa".to_string());
        let mut expected = Vec::new();
        for block in 0..5 {
            let mut of_block: Vec<usize> = (0..wanted.len()).filter(|test| wanted[*test] > block).collect();
            of_block.sort_by_key(|test| sequence.rank(u64::from(block), &key(*test)));
            expected.extend(of_block);
        }
        prop_assert_eq!(measured, expected);
        prop_assert_eq!(dispatcher.end(), Some(End::Settled));
    }
}

#[test]
fn a_test_that_loses_one_stand_after_the_other_is_given_up_and_the_others_are_not() {
    let mut dispatcher = dispatcher(2, vec![free(false); 5], true);
    let mut orders = dispatcher.orders(Duration::ZERO).expect("it begins");
    let mut lost = 0;
    while let Some(order) = orders.pop() {
        let Order::Measure { test, stand } = order else { continue };
        orders.extend(if test.0 == 0 {
            lost += 1;
            let event = Event::Lost { stand, reason: "it fell silent".to_string() };
            dispatcher.handle(event, Duration::ZERO).expect("a stand can be lost")
        } else {
            dispatcher.handle(Event::Measured { stand, failed: false }, Duration::ZERO).expect("it can be measured");
            dispatcher.handle(Event::Stored { test, more: None }, Duration::ZERO).expect("it can be stored")
        });
    }
    assert_eq!(lost, STANDS_LOST_MAX + 1);
    assert!(matches!(dispatcher.state(Number(0)), Some(State::GivenUp(GivenUp::Lost { stands: 3, .. }))));
    assert_eq!(dispatcher.state(Number(1)), Some(&State::Stored));
    assert_eq!(dispatcher.end(), Some(End::Settled));
}

#[test]
fn the_last_stand_takes_the_run_with_it_and_nothing_is_begun_that_would_end_too_late() {
    let mut alone = dispatcher(3, vec![free(true)], true);
    assert_eq!(alone.orders(Duration::ZERO).expect("it begins").len(), 1);
    let lost = Event::Lost { stand: Stand(0), reason: "its agent died".to_string() };
    assert_eq!(alone.handle(lost, Duration::ZERO), Ok(Vec::new()));
    assert_eq!(alone.end(), Some(End::NoStand));
    assert_eq!(alone.states().filter(|state| matches!(state, State::Wanted { .. })).count(), 3);

    let limits = Limits { keep_going: true, time: Some(Duration::from_millis(2500)), ahead: true };
    let mut short = Dispatcher::new(tasks(3), vec![free(true)], Sequence::Declared, limits);
    let first = Order::Measure { test: Number(0), stand: Stand(0) };
    assert_eq!(short.orders(Duration::from_millis(1400)), Ok(vec![first]));
    let now = Duration::from_millis(1600);
    assert_eq!(short.handle(Event::Measured { stand: Stand(0), failed: false }, now), Ok(Vec::new()));
    assert_eq!(short.end(), None, "what is measured is still stored");
    assert_eq!(short.handle(Event::Stored { test: Number(0), more: more(1) }, now), Ok(Vec::new()));
    assert_eq!(short.end(), Some(End::Stopped(Stop::OutOfTime)));
}

#[test]
fn the_stand_that_has_waited_longest_is_next() {
    let mut dispatcher = dispatcher(1, vec![free(false), free(false), free(false)], true);
    let mut orders = dispatcher.orders(Duration::ZERO).expect("it begins");
    let mut taken = Vec::new();
    for _ in 0..7 {
        let [Order::Measure { test, stand }] = orders[..] else { panic!("one test, not {orders:?}") };
        taken.push(stand.0);
        let mut happens = |event| dispatcher.handle(event, Duration::ZERO).expect("it can happen");
        assert_eq!(happens(Event::Measured { stand, failed: false }), []);
        let review = happens(Event::Stored { test, more: more(1) });
        assert!(matches!(review[..], [Order::Review(_)]), "{review:?}");
        orders = happens(Event::Reviewed(vec![(test, more(1))]));
    }
    assert_eq!(taken, [0, 1, 2, 0, 1, 2, 0]);
}

#[test]
fn a_stand_has_its_next_test_before_it_is_done_as_long_as_none_is_in_want() {
    let ahead = Limits { ahead: true, keep_going: true, ..Limits::default() };
    let mut two = limited(7, vec![free(false), free(true)], ahead);
    let orders = two.orders(Duration::ZERO).expect("it begins");
    let on = |orders: &[Order], wanted: usize| -> Vec<usize> {
        let of = |order: &Order| match order {
            Order::Measure { test, stand } if stand.0 == wanted => Some(test.0),
            _ => None,
        };
        orders.iter().filter_map(of).collect()
    };
    // One for each, and one more for the one that nobody needs to wait for.
    let [first, second] = on(&orders, 0)[..] else { panic!("two tests, not {orders:?}") };
    assert_eq!(on(&orders, 1).len(), 1);
    assert!(matches!(two.state(Number(second)), Some(State::Next { .. })));
    let orders =
        two.handle(Event::Measured { stand: Stand(0), failed: false }, Duration::ZERO).expect("it is measured");
    assert_eq!(orders[0], Order::Begun { test: Number(second), stand: Stand(0) });
    assert!(matches!(two.state(Number(first)), Some(State::Storing { .. })));
    assert_eq!(two.measured_on(Stand(0)), Some(Number(second)));
    let [third] = on(&orders, 0)[..] else { panic!("the next one, not {orders:?}") };
    // What a lost stand has next is as wanted as before, and no reason to give it up.
    let lost = Event::Lost { stand: Stand(0), reason: "its cable was cut".to_string() };
    two.handle(lost, Duration::ZERO).expect("it is lost");
    assert!(matches!(two.state(Number(third)), Some(State::Wanted { .. })));
    assert_eq!((two.tests[second].lost, two.tests[third].lost), (1, 0));

    // Of few tests none is kept for a stand that is at work.
    let mut few = limited(4, vec![free(false), free(false)], ahead);
    assert_eq!(few.orders(Duration::ZERO).expect("it begins").len(), 2);
}
