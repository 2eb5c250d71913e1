//! Round trips: from the hand-over of a burst to the return of each of its packets, one by one in a file up
//! to the cap, in a histogram beyond. It must not know ports; sequence numbers and times come in.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use hdrhistogram::Histogram;
use wire::{OVERFLOW_FILE, OverflowRecord, RTT_BYTES, RTT_FILE, RttRecord};

use crate::failure::{Attempt, Failure};
use crate::intervals::create_mapped;
use crate::payload::{Header, STAMP_MASK};
use crate::sys::memory::Mapped;
use crate::traffic::Traffic;

/// Longest round trip that the histogram tells from longer ones.
const RTT_NS_MAX: u64 = 3_600_000_000_000;
/// Significant digits of the histogram.
const DIGITS: u8 = 3;
/// How long bursts are remembered for, at the offered rate.
const MEMORY_NS: u64 = 1_000_000_000;
/// Bursts that are remembered at least and at most.
const MEMORY_BURSTS: (u64, u64) = (1 << 10, 1 << 20);

/// A burst that was sent.
#[derive(Clone, Copy, Debug, Default)]
struct Sent {
    first_sequence: u64,
    at_ns: u64,
    burst: u32,
    late_ns: u32,
}

/// The round trips of one client.
#[derive(Debug)]
pub struct RoundTrips {
    /// The last bursts, burst `n` of those sent at `n % len`.
    memory: Box<[Sent]>,
    bursts_sent: u64,
    /// The burst of the last answer: the next answer is mostly of the same or of the one after.
    last_hit: u64,
    file: File,
    samples: Mapped,
    samples_max: u64,
    samples_len: u64,
    beyond: Histogram<u64>,
    folder: PathBuf,
}

impl RoundTrips {
    /// Makes the file of samples, with room for as many as the schedule can bring or the cap allows.
    ///
    /// # Errors
    /// The file cannot be made, or there is no room for it.
    pub fn create(traffic: &Traffic) -> Result<Self, Failure> {
        let samples_max = traffic.rtt_samples_max.min(traffic.packets_intended());
        let (file, samples) = create_mapped(&traffic.output.join(RTT_FILE), samples_max as usize * RTT_BYTES)?;
        let beyond = Histogram::new_with_bounds(1, RTT_NS_MAX, DIGITS)
            .map_err(|error| Failure::because("make the histogram of round trips", error))?;
        let (least, most) = MEMORY_BURSTS;
        let remembered = wire::bursts_intended(MEMORY_NS, traffic.rate_pps, traffic.burst).clamp(least, most);
        Ok(Self {
            memory: vec![Sent::default(); remembered as usize].into_boxed_slice(),
            bursts_sent: 0,
            last_hit: 0,
            file,
            samples,
            samples_max,
            samples_len: 0,
            beyond,
            folder: traffic.output.clone(),
        })
    }

    /// Burst number `burst` of the schedule was handed over at `at_ns`, `late_ns` after its deadline; its
    /// packets carry sequence numbers from `first_sequence` on.
    pub fn sent(&mut self, burst: u64, first_sequence: u64, at_ns: u64, late_ns: u64) {
        let late_ns = u32::try_from(late_ns).unwrap_or(u32::MAX);
        let place = self.bursts_sent % self.memory.len() as u64;
        self.memory[place as usize] = Sent { first_sequence, at_ns, burst: burst as u32, late_ns };
        self.bursts_sent += 1;
    }

    /// The packet of `header` came back at `now_ns`. If its burst is no longer remembered, its round trip is
    /// taken from its time stamp, and goes to the histogram.
    #[inline]
    pub fn answered(&mut self, header: &Header, now_ns: u64) {
        let Some(sent) = self.burst_of(header.sequence) else {
            return self.beyond.saturating_record(now_ns.wrapping_sub(header.stamp_ns) & STAMP_MASK);
        };
        let rtt_ns = now_ns.saturating_sub(sent.at_ns);
        let start = self.samples_len as usize * RTT_BYTES;
        match self.samples.bytes_mut().get_mut(start..start + RTT_BYTES) {
            Some(record) if self.samples_len < self.samples_max => {
                let sample = RttRecord {
                    burst: sent.burst,
                    place: (header.sequence - sent.first_sequence) as u32,
                    late_ns: sent.late_ns,
                    rtt_ns: u32::try_from(rtt_ns).unwrap_or(u32::MAX),
                };
                record.copy_from_slice(&sample.encode());
                self.samples_len += 1;
            }
            _ => self.beyond.saturating_record(rtt_ns),
        }
    }

    fn at(&self, index: u64) -> Sent {
        self.memory[(index % self.memory.len() as u64) as usize]
    }

    #[inline]
    fn burst_of(&mut self, sequence: u64) -> Option<Sent> {
        let oldest = self.bursts_sent.saturating_sub(self.memory.len() as u64);
        let holds = |index: u64| {
            (oldest..self.bursts_sent).contains(&index)
                && self.at(index).first_sequence <= sequence
                && (index + 1 == self.bursts_sent || sequence < self.at(index + 1).first_sequence)
        };
        let near = [self.last_hit, self.last_hit + 1].into_iter().find(|index| holds(*index));
        let index = match near {
            Some(index) => index,
            None => {
                let (mut low, mut high) = (oldest, self.bursts_sent);
                while low < high {
                    let middle = low + (high - low) / 2;
                    if self.at(middle).first_sequence <= sequence { low = middle + 1 } else { high = middle }
                }
                low.checked_sub(1).filter(|index| *index >= oldest)?
            }
        };
        self.last_hit = index;
        Some(self.at(index))
    }

    /// Cuts the file of samples to what was used, writes the histogram's, and returns how many round trips
    /// are in each.
    ///
    /// # Errors
    /// The files cannot be written.
    pub fn close(self) -> Result<(u64, u64), Failure> {
        self.file.set_len(self.samples_len * RTT_BYTES as u64).attempt(|| format!("cut {RTT_FILE} to its samples"))?;
        write_histogram(&self.folder, &self.beyond).attempt(|| format!("write {OVERFLOW_FILE}"))?;
        Ok((self.samples_len, self.beyond.len()))
    }
}

fn write_histogram(folder: &Path, histogram: &Histogram<u64>) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    for bucket in histogram.iter_recorded() {
        let record = OverflowRecord { rtt_ns: bucket.value_iterated_to(), count: bucket.count_since_last_iteration() };
        bytes.extend(record.encode());
    }
    File::create(folder.join(OVERFLOW_FILE))?.write_all(&bytes)
}
