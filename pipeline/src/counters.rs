//! What a switch counted, held against what the generators counted: two who do not know each other. Pure. It must not
//! know which switch it is.

use host_setup::protocol::PortCounters;
use results::flags::Flag;
use wire::Totals;

use crate::store::Evidence;

/// Whether every port of a switch counted what the generators at both of its ends counted, to the packet; also where it
/// counts nothing. They are asked when nothing is under way any more.
pub fn agree(evidence: &Evidence) -> bool {
    let ports = &evidence.after.ports;
    ports.is_empty() || (ports.len() == evidence.parties.len() && ports.iter().all(|port| agrees(evidence, port)))
}

/// A port takes all that its container handed over. It gives what has arrived there; besides that at most what others
/// said to everybody (their announcements), which is no traffic and is not counted where it arrives.
fn agrees(evidence: &Evidence, port: &PortCounters) -> bool {
    let Some(party) = evidence.parties.get(&port.container) else { return false };
    let Totals { received, duplicates, corrupt, foreign, sent, words, .. } = &party.totals;
    let handed_over = sent + words;
    let arrived = received + duplicates + corrupt + foreign;
    let others = evidence.parties.iter().filter(|(container, _)| **container != port.container);
    let announced: u64 = others.map(|(_, other)| other.totals.words).sum();
    port.received.saturating_add(port.received_dropped) == handed_over
        && (arrived..=arrived.saturating_add(announced)).contains(&port.sent)
}

/// What two programs of a site's own say of a run, held against each other: nothing of ours saw the packets, and what
/// came last may have been received by nobody who counts.
pub fn of_foreign(source: &Totals, sink: &Totals) -> Vec<Flag> {
    let counted = sink.received.saturating_add(sink.lost);
    match counted <= source.sent {
        true => Vec::new(),
        false => vec![Flag::AccountingMismatch],
    }
}

/// Whether the ports of a switch saw at least the packets that such programs say they sent and received. Where it counts
/// nothing, nobody did.
pub fn cover(evidence: &Evidence) -> bool {
    let of = |ports: &[PortCounters], container: &str| {
        ports.iter().find(|port| port.container == container).cloned().unwrap_or_default()
    };
    let ports = &evidence.after.ports;
    ports.is_empty()
        || evidence.parties.iter().all(|(container, party)| {
            let (before, after) = (of(&evidence.before.ports, container), of(ports, container));
            let taken = after.received.saturating_add(after.received_dropped);
            taken.saturating_sub(before.received) >= party.totals.sent
                && after.sent.saturating_sub(before.sent) >= party.totals.received
        })
}
