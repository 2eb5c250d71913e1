//! Promise 10: do two processes' own counts of the same packets agree? Pure; from the totals of whole runs,
//! drain included, so that nothing is in flight. It must not know samples or windows.

use wire::Totals;

use crate::axes::Dimension;
use crate::flags::Flag;

/// Holds the totals of a pair against each other: sender and receiver (throughput) or client and server
/// (latency). Frames that are not ours (`foreign`) and the order of arrival enter no equation, copies
/// (`duplicates`) only where they were answered. [`Flag::AccountingMismatch`] is raised unless all of these hold:
///
/// | equation | who counted what |
/// |---|---|
/// | `source.attempted = source.sent + source.rejected` | the source |
/// | `source.sent = sink.received + sink.lost + sink.corrupt` | the sink, from its gaps, against the source |
/// | `server.received + server.duplicates = server.sent + server.rejected` | the server: it answers each arrival |
/// | `client.sent = client.received + client.lost + client.corrupt` | the client, from its gaps in answers |
/// | `client.received + client.corrupt <= server.sent` | the client against the server |
/// | `client.received = client.rtt_samples + client.rtt_overflow` | the client: each answer was timed |
///
/// What a client lost is thus the sum of what the server lost, found corrupt and could not answer, and of the
/// answers lost. Where no end marker arrived, [`Flag::EndMarkerLost`], the sink's gaps end at the highest
/// number that it saw, and the second equation can only be held to `>=`.
pub fn check_totals(dimension: Dimension, source: &Totals, sink: &Totals) -> Vec<Flag> {
    let arrived = sum([sink.received, sink.lost, sink.corrupt]);
    let sent = u128::from(source.sent);
    let mut agree = u128::from(source.attempted) == sum([source.sent, source.rejected])
        && if sink.end_marker_seen { sent == arrived } else { sent >= arrived };
    if dimension == Dimension::Latency {
        let (client, server) = (source, sink);
        agree &= sum([server.received, server.duplicates]) == sum([server.sent, server.rejected])
            && sent == sum([client.received, client.lost, client.corrupt])
            && sum([client.received, client.corrupt]) <= u128::from(server.sent)
            && u128::from(client.received) == sum([client.rtt_samples, client.rtt_overflow]);
    }
    let mut flags = Vec::new();
    if !agree {
        flags.push(Flag::AccountingMismatch);
    }
    if !sink.end_marker_seen {
        flags.push(Flag::EndMarkerLost);
    }
    flags
}

/// Holds a sender's or client's totals against its schedule of `intended` packets
/// ([`wire::Request::packets_intended`]): each was sent, rejected or missed, or [`Flag::RateUnexplained`] is
/// raised. Exact: a generator that was not stopped early has no packet to spare.
pub fn check_offer(intended: u64, source: &Totals) -> Vec<Flag> {
    let is_explained = u128::from(intended) == sum([source.sent, source.rejected, source.missed]);
    if is_explained { Vec::new() } else { vec![Flag::RateUnexplained] }
}

fn sum<const N: usize>(counts: [u64; N]) -> u128 {
    counts.into_iter().map(u128::from).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_way(received: u64, lost: u64, corrupt: u64, rejected: u64) -> (Totals, Totals) {
        let sent = received + lost + corrupt;
        let sender = Totals { attempted: sent + rejected, sent, rejected, missed: 5, ..Totals::default() };
        let receiver = Totals { received, lost, corrupt, duplicates: 3, foreign: 2, reordered: 1, ..Totals::default() };
        (sender, Totals { end_marker_seen: true, ..receiver })
    }

    #[test]
    fn an_end_marker_that_is_lost_loosens_one_equation() {
        let (sender, mut receiver) = one_way(90, 10, 0, 0);
        receiver.end_marker_seen = false;
        receiver.lost = 4;
        assert_eq!(check_totals(Dimension::Throughput, &sender, &receiver), [Flag::EndMarkerLost]);
        receiver.lost = 11;
        assert_eq!(
            check_totals(Dimension::Throughput, &sender, &receiver),
            [Flag::AccountingMismatch, Flag::EndMarkerLost]
        );
    }

    #[test]
    fn absurd_totals_are_a_mismatch_and_no_overflow() {
        let absurd = Totals { sent: 1, received: u64::MAX, lost: u64::MAX, corrupt: u64::MAX, ..Totals::default() };
        let flags = check_totals(Dimension::Latency, &absurd, &absurd);
        assert_eq!(flags, [Flag::AccountingMismatch, Flag::EndMarkerLost]);
        assert_eq!(check_offer(u64::MAX, &Totals { sent: u64::MAX, missed: 1, ..absurd }), [Flag::RateUnexplained]);
    }

    proptest! {
        #[test]
        fn what_is_accounted_for_is_not_flagged_and_one_packet_astray_is(
            received in 0u64..1000, lost in 0u64..1000, corrupt in 0u64..1000, rejected in 0u64..1000, astray in 0usize..5,
        ) {
            let (mut sender, mut receiver) = one_way(received, lost, corrupt, rejected);
            prop_assert_eq!(check_totals(Dimension::Throughput, &sender, &receiver), []);
            prop_assert_eq!(check_offer(received + lost + corrupt + rejected + 5, &sender), []);
            let counts = [
                &mut sender.sent, &mut sender.attempted, &mut receiver.received, &mut receiver.lost, &mut receiver.corrupt,
            ];
            *counts.into_iter().nth(astray).unwrap() += 1;
            let flags = check_totals(Dimension::Throughput, &sender, &receiver);
            prop_assert_eq!(flags, [Flag::AccountingMismatch]);
        }

        #[test]
        fn a_round_trip_is_accounted_for_on_all_four_ways(
            answered in 0u64..1000, answers_lost in 0u64..100, answers_corrupt in 0u64..100, answers_rejected in 0u64..100,
            requests_lost in 0u64..100, requests_corrupt in 0u64..100, copies in 0u64..100, kept in 0u64..1000,
            astray in 0usize..7,
        ) {
            let answers = answered + answers_lost + answers_corrupt;
            let server = Totals {
                received: answers + answers_rejected, lost: requests_lost, corrupt: requests_corrupt,
                attempted: answers + copies + answers_rejected, sent: answers + copies, rejected: answers_rejected,
                duplicates: copies, end_marker_seen: true, ..Totals::default()
            };
            let sent = server.received + requests_lost + requests_corrupt;
            let kept = kept.min(answered);
            let client = Totals {
                attempted: sent, sent, received: answered, corrupt: answers_corrupt,
                lost: answers_lost + answers_rejected + requests_lost + requests_corrupt,
                rtt_samples: kept, rtt_overflow: answered - kept, ..Totals::default()
            };
            prop_assert_eq!(check_totals(Dimension::Latency, &client, &server), []);
            let (mut client, mut server) = (client, server);
            let counts = [
                &mut client.sent, &mut client.received, &mut client.lost, &mut client.rtt_samples,
                &mut server.received, &mut server.sent, &mut server.lost,
            ];
            *counts.into_iter().nth(astray).unwrap() += 1;
            let flags = check_totals(Dimension::Latency, &client, &server);
            prop_assert_eq!(flags, [Flag::AccountingMismatch]);
        }
    }
}
