//! The windows of one set-up as a record keeps them, and what its samples say of each. It must not measure.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use results::dataset::RawStream;
use results::flags::Flag;
use results::reduce::{CountedWindow, average, reduce};
use results::summary::Reduction;
use results::tuple::Tuple;
use serde::{Deserialize, Serialize};
use wire::Totals;

use super::{Evidence, Party, Record};

/// One of several windows of a set-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SetUpWindow {
    /// The window's samples reduced.
    pub reduction: Reduction,
    /// Doubts about it, sorted; what the host did that raised some of them is in [`Record::seen`].
    pub flags: Vec<Flag>,
    /// The variance of its mean times its length, as in [`Chosen::seen_within`](crate::precise::Chosen::seen_within).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen_within: Option<f64>,
    /// What shows that it was measured; absent of the first, whose evidence is the record's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Evidence>,
}

/// Name of a stream of the window in that place, as the samples of several hold it: `w001.send-0`.
pub fn window_stream(place: usize, source: &str) -> String {
    format!("w{place:03}.{source}")
}

/// The streams of the window in that place, under their own names.
pub fn streams_of_window(streams: &[RawStream], place: usize) -> Vec<RawStream> {
    let prefix = window_stream(place, "");
    let own = streams.iter().filter_map(|stream| {
        let source = stream.source.strip_prefix(&prefix)?.to_string();
        Some(RawStream { source, ..stream.clone() })
    });
    own.collect()
}

impl Record {
    /// The evidence of each of its windows, in their order.
    pub fn evidence_of_windows(&self) -> impl Iterator<Item = &Evidence> {
        let more = self.windows.iter().skip(1).filter_map(|window| window.evidence.as_ref());
        std::iter::once(&self.evidence).chain(more)
    }

    /// The counts of each generator, by container: of several windows their sums, of times the longest.
    pub fn parties(&self) -> BTreeMap<String, Party> {
        let mut parties: BTreeMap<String, Party> = BTreeMap::new();
        for (container, party) in self.evidence_of_windows().flat_map(|evidence| &evidence.parties) {
            match parties.entry(container.clone()) {
                Entry::Vacant(entry) => drop(entry.insert(party.clone())),
                Entry::Occupied(mut entry) => add(&mut entry.get_mut().totals, &party.totals),
            }
        }
        parties
    }

    /// The streams of its first window, under their own names.
    pub fn streams_of_first(&self, streams: Vec<RawStream>) -> Vec<RawStream> {
        if self.windows.is_empty() { streams } else { streams_of_window(&streams, 0) }
    }

    /// What the samples say of each of several windows.
    pub fn reduce_windows(&self, streams: &[RawStream], window: &CountedWindow, tuple: &Tuple) -> Vec<Reduction> {
        (0..self.windows.len()).map(|place| reduce(&streams_of_window(streams, place), window, tuple)).collect()
    }

    /// What the samples say of all of them: the set-up's values.
    pub fn reduce_set_up(&self, streams: &[RawStream], window: &CountedWindow, tuple: &Tuple) -> Reduction {
        match self.windows.is_empty() {
            true => reduce(streams, window, tuple),
            false => average(&self.reduce_windows(streams, window, tuple)),
        }
    }
}

/// Adds the counts of one more run of a generator.
fn add(sum: &mut Totals, more: &Totals) {
    let Totals {
        attempted,
        sent,
        rejected,
        missed,
        received,
        duplicates,
        reordered,
        corrupt,
        foreign,
        lost,
        socket_drops,
        words,
        end_marker_seen,
        rtt_samples,
        rtt_overflow,
        calls,
        cpu_ns,
        involuntary_switches,
        voluntary_switches,
        stalled_ns_max,
    } = more;
    sum.attempted += attempted;
    sum.sent += sent;
    sum.rejected += rejected;
    sum.missed += missed;
    sum.received += received;
    sum.duplicates += duplicates;
    sum.reordered += reordered;
    sum.corrupt += corrupt;
    sum.foreign += foreign;
    sum.lost += lost;
    sum.socket_drops += socket_drops;
    sum.words += words;
    sum.end_marker_seen &= end_marker_seen;
    sum.rtt_samples += rtt_samples;
    sum.rtt_overflow += rtt_overflow;
    sum.calls += calls;
    sum.cpu_ns += cpu_ns;
    sum.involuntary_switches += involuntary_switches;
    sum.voluntary_switches += voluntary_switches;
    sum.stalled_ns_max = sum.stalled_ns_max.max(*stalled_ns_max);
}
