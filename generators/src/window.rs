//! Which sequence numbers have arrived: a bitmap over the newest ones, the highest number seen, and how many
//! came once. It must not know packets, time or what the counts are for.
//!
//! Late arrivals are told from duplicates as far back as the bitmap reaches, [`WINDOW`] numbers below the
//! highest. An older one can no longer be told from either: its number was given up as lost when it left the
//! window, and it counts as a duplicate, so that `received` never counts a number twice.

/// How many sequence numbers below the highest are remembered (less than one word of them may be fewer).
pub const WINDOW: u64 = 1 << 20;
/// A number so far above the highest seen cannot be true (at 20 Mpps it would be 3.5 minutes of unbroken loss).
pub const LEAP_MAX: u64 = 1 << 32;
const WORDS: u64 = WINDOW / 64;

/// What a sequence number turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not seen before.
    First {
        /// How many numbers below it, and above the highest before it, have not been seen.
        gap: u64,
        /// Whether the packet fills a gap that was noticed earlier.
        fills: bool,
        /// Whether the packet comes after a higher number of its flow (RFC 4737, section 3.3: type-P-reordered).
        reordered: bool,
    },
    /// Seen before, or too old to tell.
    Again,
    /// More than [`LEAP_MAX`] above the highest: not a number that a sender of ours has reached.
    Absurd,
}

/// The sequence numbers of one sender.
#[derive(Clone, Debug)]
pub struct Window {
    /// One bit a number, `number % WINDOW`; from `next` on to the end of its word all are 0.
    words: Box<[u64]>,
    /// The highest number seen, plus one.
    next: u64,
    /// The lowest number that was not yet seen, for each flow.
    next_of_flow: Box<[u64]>,
    received: u64,
}

impl Window {
    /// Nothing seen, of a sender with `flows` flows (at least one).
    pub fn new(flows: u16) -> Self {
        Self {
            words: vec![0; WORDS as usize].into_boxed_slice(),
            next: 0,
            next_of_flow: vec![0; usize::from(flows.max(1))].into_boxed_slice(),
            received: 0,
        }
    }

    /// How many numbers were seen.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// The highest number seen, plus one; 0 if none was.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Takes note of the first of `numbers`, with their flows, as long as each is the one that is expected next, and
    /// returns how many were. Nearly all are: this is [`Self::note`] for all of them at once.
    #[inline]
    pub fn note_expected(&mut self, numbers: impl Iterator<Item = (u16, u64)>) -> u64 {
        let first = self.next;
        for (expected, (flow, sequence)) in (first..u64::MAX).zip(numbers) {
            let Some(next_of_flow) = self.next_of_flow.get_mut(usize::from(flow)) else { break };
            if sequence != expected {
                break;
            }
            self.next = sequence + 1;
            *next_of_flow = self.next;
        }
        self.mark_from(first)
    }

    /// Takes note of `count` numbers of the first flow, of which the first is the one that is expected next.
    #[inline]
    pub fn note_series(&mut self, count: u64) {
        let first = self.next;
        self.next += count;
        self.next_of_flow[0] = self.next;
        self.mark_from(first);
    }

    /// Marks the numbers from `first` to below `next` as seen, and returns how many they are.
    #[inline]
    fn mark_from(&mut self, first: u64) -> u64 {
        let mut from = first;
        while from < self.next {
            let until = (from / 64 + 1).saturating_mul(64).min(self.next);
            let bits = (u64::MAX >> (64 - (until - from))) << (from % 64);
            let word = &mut self.words[Self::word(from)];
            // A word that enters the window is made anew.
            *word = if from.is_multiple_of(64) { bits } else { *word | bits };
            from = until;
        }
        self.received += self.next - first;
        self.next - first
    }

    /// Takes note of `sequence`, which arrived in `flow`.
    #[inline]
    pub fn note(&mut self, flow: u16, sequence: u64) -> Verdict {
        let gap = match sequence.checked_sub(self.next) {
            Some(gap) if gap >= LEAP_MAX || sequence == u64::MAX => return Verdict::Absurd,
            Some(gap) => {
                self.advance(sequence);
                gap
            }
            None if self.is_past(sequence) || self.is_set(sequence) => return Verdict::Again,
            None => 0,
        };
        let fills = sequence < self.next;
        self.words[Self::word(sequence)] |= 1 << (sequence % 64);
        self.next = self.next.max(sequence + 1);
        self.received += 1;
        let flows = self.next_of_flow.len();
        let next_of_flow = &mut self.next_of_flow[usize::from(flow) % flows];
        let reordered = sequence < *next_of_flow;
        *next_of_flow = (*next_of_flow).max(sequence + 1);
        Verdict::First { gap, fills, reordered }
    }

    /// Clears the words that enter the window when `sequence` becomes the highest number.
    #[inline]
    fn advance(&mut self, sequence: u64) {
        let entering = self.next.div_ceil(64)..sequence / 64 + 1;
        if entering.end.saturating_sub(entering.start) >= WORDS {
            self.words.fill(0);
        } else {
            for word in entering {
                self.words[(word % WORDS) as usize] = 0;
            }
        }
    }

    fn word(sequence: u64) -> usize {
        (sequence / 64 % WORDS) as usize
    }

    /// Whether the word of `sequence`, below `next`, has been given to newer numbers.
    fn is_past(&self, sequence: u64) -> bool {
        (self.next - 1) / 64 - sequence / 64 >= WORDS
    }

    fn is_set(&self, sequence: u64) -> bool {
        self.words[Self::word(sequence)] >> (sequence % 64) & 1 == 1
    }
}
