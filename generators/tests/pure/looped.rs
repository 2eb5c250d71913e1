//! A port whose packets come back: the least that a backend must bring. The page "Extending Septet" shows it.

use std::collections::VecDeque;
use std::io;

use generators::payload::{Arrival, Header};
use generators::port::{Found, Port};

/// Room for packets that nobody has received yet.
const ROOM: usize = 1024;
/// Packets that one poll takes.
const BURST: usize = 32;

#[derive(Default)]
pub struct Looped {
    packets: VecDeque<Header>,
    calls: u64,
}

impl Port for Looped {
    fn send(&mut self, burst: &[Header]) -> io::Result<usize> {
        self.calls += 1;
        let taken = burst.len().min(ROOM - self.packets.len());
        self.packets.extend(&burst[..taken]);
        Ok(taken)
    }

    fn receive(&mut self, arrivals: &mut Vec<Arrival>) -> io::Result<Found> {
        self.calls += 1;
        let count = self.packets.len().min(BURST);
        arrivals.clear();
        arrivals.extend(self.packets.drain(..count).map(Arrival::Ours));
        Ok(Found::of(count, BURST))
    }

    fn calls(&self) -> u64 {
        self.calls
    }

    fn drops(&self) -> io::Result<u64> {
        Ok(0)
    }

    fn in_flight(&self) -> usize {
        self.packets.len()
    }
}

#[test]
fn what_is_taken_comes_back_and_what_has_no_room_is_refused() {
    use generators::payload::Kind;

    let header = |sequence| Header { kind: Kind::Data, flow: 0, sequence, stamp_ns: 7 };
    let burst: Vec<Header> = (0..1040).map(header).collect();
    let (mut port, mut arrivals) = (Looped::default(), Vec::new());
    assert_eq!(port.send(&burst).expect("it goes on"), ROOM);
    assert_eq!(port.receive(&mut arrivals).expect("it goes on"), Found::Burst);
    assert_eq!(arrivals.first(), Some(&Arrival::Ours(header(0))));
    assert_eq!((arrivals.len(), port.in_flight(), port.calls()), (BURST, ROOM - BURST, 2));
    while port.receive(&mut arrivals).expect("it goes on") != Found::Nothing {}
    assert!(arrivals.is_empty() && port.in_flight() == 0);
}
