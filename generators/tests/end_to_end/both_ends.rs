//! Two generators that are joined: run to their ends, and what must hold between their accounts then.
//! It must not know what joins them.

use wire::{Request, Totals};

use crate::generator::{Generator, check_books, soon};

/// Both ends after their ends.
pub struct Ran {
    pub left: Generator,
    pub right: Generator,
    pub sent: Totals,
    pub received: Totals,
    /// Packets that the left end's schedule wanted sent.
    pub intended: u64,
}

impl Ran {
    /// Starts both, which were asked already, at one moment; `request` is the left end's.
    pub fn to_the_end(mut left: Generator, mut right: Generator, request: &Request) -> Self {
        right.await_ready();
        left.await_ready();
        let epoch_ns = soon();
        right.start(epoch_ns);
        left.start(epoch_ns);
        let sent = left.await_done();
        right.stop();
        let received = right.await_done();
        Self { left, right, sent, received, intended: request.packets_intended() }
    }
}

/// Every count, and the order.
fn check(ran: &Ran) {
    let (sent, received) = (&ran.sent, &ran.received);
    assert!(sent.sent > 0, "{sent:?}");
    assert_eq!(sent.intended(), ran.intended, "{sent:?}");
    assert!(received.end_marker_seen);
    assert_eq!(sent.sent, received.received + received.lost + received.corrupt, "{sent:?} {received:?}");
    assert_eq!((received.duplicates, received.reordered, received.corrupt), (0, 0, 0), "{received:?}");
    check_books(received, &ran.right.intervals(), received.received);
}

/// What holds between a sender and a receiver.
pub fn check_send(ran: &Ran) {
    check(ran);
    check_books(&ran.sent, &ran.left.intervals(), ran.sent.sent);
    assert_eq!(ran.received.attempted, 0);
}

/// What holds between a client and a server.
pub fn check_client(ran: &Ran, burst: u16) {
    check(ran);
    let (client, server) = (&ran.sent, &ran.received);
    check_books(client, &ran.left.intervals(), client.received);
    assert_eq!(server.attempted, server.received + server.duplicates);
    assert_eq!(client.sent, client.received + client.lost + client.corrupt, "{client:?}");
    assert!(client.received <= server.sent);
    assert_eq!(client.rtt_samples + client.rtt_overflow, client.received);
    let round_trips = ran.left.round_trips();
    assert_eq!(round_trips.len() as u64, client.rtt_samples);
    let bursts = ran.intended / u64::from(burst);
    for sample in &round_trips {
        assert!(u64::from(sample.burst) < bursts && sample.place < u32::from(burst), "{sample:?}");
        assert!(sample.rtt_ns > crate::RTT_NS_MIN && sample.rtt_ns < 1_000_000_000, "{sample:?}");
    }
    let mut places: Vec<_> = round_trips.iter().map(|sample| (sample.burst, sample.place)).collect();
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), round_trips.len(), "a packet was timed twice");
}
