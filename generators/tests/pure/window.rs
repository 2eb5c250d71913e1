//! The window of sequence numbers against a set of all that came.

use std::collections::HashSet;

use generators::window::{LEAP_MAX, Verdict, WINDOW, Window};
use proptest::prelude::*;

/// What the window does, with memory without bounds.
#[derive(Default)]
struct Model {
    seen: HashSet<u64>,
    next: u64,
    next_of_flow: [u64; 3],
}

impl Model {
    fn note(&mut self, flow: u16, sequence: u64) -> Verdict {
        if sequence >= self.next && sequence - self.next >= LEAP_MAX {
            return Verdict::Absurd;
        }
        let too_old = sequence < self.next && (self.next - 1) / 64 - sequence / 64 >= WINDOW / 64;
        if too_old || !self.seen.insert(sequence) {
            return Verdict::Again;
        }
        let gap = sequence.saturating_sub(self.next);
        let fills = sequence < self.next;
        let next_of_flow = &mut self.next_of_flow[usize::from(flow)];
        let reordered = sequence < *next_of_flow;
        *next_of_flow = (*next_of_flow).max(sequence + 1);
        self.next = self.next.max(sequence + 1);
        Verdict::First { gap, fills, reordered }
    }
}

/// A stream as a network would make it: some packets lost, some twice, some late.
pub fn stream() -> impl Strategy<Value = Vec<u64>> {
    let packet = prop_oneof![
        12 => Just((1u64, 0u64, 1usize)),
        2 => (1u64..200, 0u64..1, 1usize..2),
        1 => (1u64..3, 1u64..300, 1usize..4),
        1 => (1u64..3, (WINDOW - 200)..(WINDOW + 200), 1usize..3),
        1 => ((WINDOW - 100)..(2 * WINDOW), 0u64..1, 1usize..2),
    ];
    prop::collection::vec(packet, 1..400).prop_map(|packets| {
        let mut position = 0u64;
        let mut stream = Vec::new();
        for (ahead, back, copies) in packets {
            position += ahead;
            stream.extend(std::iter::repeat_n((position - 1).saturating_sub(back), copies));
        }
        stream
    })
}

proptest! {
    #[test]
    fn the_window_agrees_with_a_set(stream in stream(), flows in 1u16..=3, burst in 1usize..100) {
        let (mut window, mut model) = (Window::new(flows), Model::default());
        let (mut noticed, mut filled) = (0, 0);
        let flow_of = |sequence| (sequence % u64::from(flows)) as u16;
        for burst in stream.chunks(burst) {
            let expected = window.note_expected(burst.iter().map(|sequence| (flow_of(*sequence), *sequence))) as usize;
            let (expected, others) = burst.split_at(expected);
            for sequence in expected {
                let verdict = Verdict::First { gap: 0, fills: false, reordered: false };
                prop_assert_eq!(verdict, model.note(flow_of(*sequence), *sequence), "at {}", sequence);
            }
            // It stops at the first that is not expected, and not before.
            prop_assert!(others.first().is_none_or(|sequence| *sequence != window.next()));
            for sequence in others {
                let verdict = window.note(flow_of(*sequence), *sequence);
                prop_assert_eq!(verdict, model.note(flow_of(*sequence), *sequence), "at {}", sequence);
                if let Verdict::First { gap, fills, .. } = verdict {
                    noticed += gap;
                    filled += u64::from(fills);
                }
            }
        }
        prop_assert_eq!(window.received(), model.seen.len() as u64);
        prop_assert_eq!(window.next(), model.next);
        // Gaps as they were noticed, and as they are left: the same number.
        prop_assert_eq!(noticed - filled, window.next() - window.received());
    }
}

#[test]
fn numbers_beyond_belief_are_refused_and_leave_no_trace() {
    let mut window = Window::new(1);
    assert_eq!(window.note(0, LEAP_MAX), Verdict::Absurd);
    assert_eq!(window.note(0, u64::MAX), Verdict::Absurd);
    assert_eq!(window.note_expected([(0, LEAP_MAX)].into_iter()), 0);
    assert_eq!(window.note_expected([(1, 0)].into_iter()), 0);
    assert_eq!(window.note(0, 0), Verdict::First { gap: 0, fills: false, reordered: false });
    assert_eq!((window.received(), window.next()), (1, 1));
}

#[test]
fn order_is_a_matter_of_each_flow() {
    let mut window = Window::new(2);
    window.note(1, 1);
    assert_eq!(window.note(0, 0), Verdict::First { gap: 0, fills: true, reordered: false });
    window.note(1, 5);
    assert_eq!(window.note(1, 3), Verdict::First { gap: 0, fills: true, reordered: true });
    assert_eq!(window.note(1, 3), Verdict::Again);
}
