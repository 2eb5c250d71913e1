//! Runs of invented tests on invented stands, in every interleaving that a generator thinks of.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;

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
    let sequence = Sequence::Random("00000000000000aa".to_string());
    Dispatcher::new(tasks(tests), stands, sequence, Limits { keep_going, time: None })
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
    /// What each stand measures.
    on: BTreeMap<usize, usize>,
    /// What is on its way into the store: by test, whether it failed.
    storing: BTreeMap<usize, bool>,
    reviewing: bool,
    stopped: bool,
}

impl Model {
    fn new(dispatcher: Dispatcher, wants: Vec<u32>) -> Model {
        let stored = vec![0; wants.len()];
        let (failed, given_up, on, storing) = Default::default();
        let mut model =
            Model { dispatcher, wants, stored, failed, given_up, on, storing, reviewing: false, stopped: false };
        let orders = model.dispatcher.orders(Duration::ZERO).expect("it begins");
        model.obey(orders);
        model
    }

    fn obey(&mut self, orders: Vec<Order>) {
        for order in orders {
            let begins = !matches!(order, Order::GiveUp(_));
            assert!(!begins || !self.stopped && !self.reviewing, "{order:?} after a stop, or in the midst of a review");
            match order {
                Order::Review(_) => self.reviewing = true,
                Order::GiveUp(test) => {
                    assert!(matches!(self.dispatcher.state(test), Some(State::GivenUp(_))));
                    assert!(self.given_up.insert(test.0), "{test:?} is given up twice");
                }
                Order::Measure { test: Number(test), stand: Stand(stand) } => {
                    assert_eq!(self.on.insert(stand, test), None, "stand {stand} has two tests");
                    assert!(!self.storing.contains_key(&test), "test {test} is measured while it is stored");
                    let running = self.on.values().filter(|other| **other == test).count();
                    assert_eq!(running, 1, "test {test} is measured twice at once");
                    assert!(self.wants[test] > 0 && !self.failed.contains(&test), "nobody wants test {test}");
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let orders = self.dispatcher.handle(event.clone(), Duration::ZERO);
        self.obey(orders.unwrap_or_else(|error| panic!("{event:?}: {error}")));
    }

    /// Something that can happen now, by the choice of a number.
    fn step(&mut self, choice: u16) {
        let pick = |count: usize| usize::from(choice >> 4) % count.max(1);
        let preparing: Vec<usize> = self.in_state(|state| *state == StandState::Preparing);
        let usable: Vec<usize> = self.in_state(|state| !matches!(state, StandState::Aside(_)));
        let running: Vec<(usize, usize)> = self.on.iter().map(|(stand, test)| (*stand, *test)).collect();
        let storing: Vec<(usize, bool)> = self.storing.iter().map(|(test, failed)| (*test, *failed)).collect();
        match choice % 16 {
            0 | 1 if !preparing.is_empty() => self.handle(Event::Prepared(Stand(preparing[pick(preparing.len())]))),
            2 if !usable.is_empty() => {
                let stand = usable[pick(usable.len())];
                self.on.remove(&stand);
                self.handle(Event::Lost { stand: Stand(stand), reason: "its cable was cut".to_string() });
            }
            3 if !running.is_empty() => {
                let (stand, _) = running[pick(running.len())];
                self.on.remove(&stand);
                let why = Returned::Unfit("it has no such switch".to_string());
                self.handle(Event::Returned { stand: Stand(stand), why });
            }
            4..=9 if !running.is_empty() => {
                let (stand, test) = running[pick(running.len())];
                let failed = choice % 16 == 4;
                self.on.remove(&stand);
                self.storing.insert(test, failed);
                self.stopped |= failed && !self.dispatcher.limits.keep_going;
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
                State::Running { .. } | State::Storing { .. } => panic!("test {test} is under way after the end"),
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
                Order::GiveUp(test) => panic!("{test:?} can be measured"),
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
        choices in prop::collection::vec(any::<u16>(), 0..300),
    ) {
        let place = |(quiet, ready): &(bool, bool)| StandAtStart {
            quiet: *quiet,
            state: if *ready { StandState::Free } else { StandState::Preparing },
        };
        let places = stands.iter().map(place).collect();
        let mut model = Model::new(dispatcher(wanted.len(), places, keep_going), wanted.clone());
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
                Order::GiveUp(test) => panic!("{test:?} can be measured"),
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

    let limits = Limits { keep_going: true, time: Some(Duration::from_millis(2500)) };
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
