//! What measuring will take, of tests that were never measured as they are now: as long as like ones took. It must not
//! decide what is measured.

use std::collections::HashSet;

use rayon::prelude::*;

use super::{Decision, Have, Status, Why, missing, newest, values};
use crate::conditions::Conditions;
use crate::cost::{self, Costs, Estimate, Kin, Often};
use crate::experiment::{Repetitions, Test, Times};
use crate::store::Index;

/// What is to be measured, and was never measured as it is now, will take as long as it took before something changed,
/// or as long as like tests, the nearest first; and as often as the spread of like tests asks for.
pub(super) fn estimate(
    tests: &[Test],
    decisions: &mut [Decision],
    wanted: &Repetitions,
    conditions: &Conditions,
    index: &Index,
) {
    // What has none is not looked up.
    let entries = |decision: &Decision| match (decision.key, &decision.why[..]) {
        (None, _) | (_, [Why::New | Why::Changed(_)]) => &[],
        (Some(key), _) => index.of_key(&key),
    };
    let is_unknown = |decision: &Decision| {
        decision.status == Status::ToMeasure && values(entries(decision)).len() < cost::VALUES_MIN
    };
    let pairs = tests.par_iter().zip(&*decisions).filter(|(_, decision)| is_unknown(decision));
    let kinds = pairs.fold(Vec::new, |mut kinds, (test, _)| {
        let kin = Kin::of(test);
        if kinds.last() != Some(&kin) {
            kinds.push(kin);
        }
        kinds
    });
    let unknown: HashSet<Kin> = kinds.flatten_iter().collect();
    let mut asked: HashSet<Kin> = unknown.into_iter().flat_map(Kin::circles).collect();
    let mut costs = Costs::on(conditions.hosts());
    for (test, decision) in tests.iter().zip(&*decisions) {
        if asked.is_empty() {
            break;
        }
        let circles = Kin::of(test).circles();
        if !circles.iter().any(|kin| asked.contains(kin)) {
            continue;
        }
        let own = entries(decision);
        costs.learn_values(test, &values(own));
        costs.learn_tries(test, own);
        let older = own.is_empty().then(|| newest(index, &test.tuple)).flatten();
        let middle = cost::own(own).map(|(_, middle, _)| middle);
        if let Some(cost_ms) = middle.or(older.map(|entry| u64::from(entry.cost_ms))) {
            costs.learn(test, cost_ms);
        }
        for kin in circles.iter().filter(|kin| costs.are_known(kin)) {
            asked.remove(kin);
        }
    }
    // Of most tests nothing is stored, as of the one before.
    let alike = || None::<(Kin, Times, Have, Often, Estimate)>;
    let unknown = tests.par_iter().zip(decisions).filter(|(_, decision)| is_unknown(decision));
    unknown.for_each_init(alike, |last, (test, decision)| {
        let (own, kin, is_forced) = (entries(decision), Kin::of(test), decision.why == [Why::Forced]);
        let is_alike = own.is_empty() && !is_forced;
        if let Some((like, times, have, missing, eta)) = last
            && is_alike
            && (*like == kin, *times, *have) == (true, test.times, decision.repetitions)
        {
            (decision.missing, decision.eta) = (*missing, *eta);
            return;
        }
        if !is_forced {
            decision.missing = missing(wanted, own, decision.repetitions.have, &|part| costs.variance(test, part));
        }
        decision.eta = costs.of(test, own).times(decision.missing).tried(costs.tries(test));
        if is_alike {
            *last = Some((kin, test.times, decision.repetitions, decision.missing, decision.eta));
        }
    });
}
