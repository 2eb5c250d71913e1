//! The file of interval records: mapped memory, one record after the other, kept up to date in place.
//! It must not know what the counts mean.

use std::fs::OpenOptions;
use std::path::Path;

use wire::{INTERVAL_BYTES, INTERVALS_FILE, IntervalRecord, Schedule};

use crate::failure::{Attempt, Failure};
use crate::sys::memory::Mapped;

/// The records of one measurement and the interval that is being counted.
#[derive(Debug)]
pub struct Intervals {
    file: Mapped,
    places: u64,
    interval_ns: u64,
    epoch_ns: u64,
    place: u64,
    ends_ns: u64,
    current: IntervalRecord,
}

impl Intervals {
    /// Makes the file in `folder`, with room for the intervals of `schedule`.
    ///
    /// # Errors
    /// The file cannot be made, or there is no room for it.
    pub fn create(folder: &Path, schedule: &Schedule) -> Result<Self, Failure> {
        let places = schedule.intervals().max(1);
        Ok(Self {
            file: create_mapped(&folder.join(INTERVALS_FILE), places as usize * INTERVAL_BYTES)?.1,
            places,
            interval_ns: schedule.interval_ns.max(1),
            epoch_ns: 0,
            place: 0,
            ends_ns: 0,
            current: IntervalRecord { index: 1, ..IntervalRecord::default() },
        })
    }

    /// Counts from `epoch_ns` on.
    pub fn start(&mut self, epoch_ns: u64) {
        self.epoch_ns = epoch_ns;
        self.ends_ns = epoch_ns.saturating_add(self.interval_ns);
    }

    /// The interval of `now_ns`. What happens before the start is counted in the first one, what happens
    /// beyond the last place (a caller that stops late) in the last: the sums are those of the run.
    #[inline]
    pub fn at(&mut self, now_ns: u64) -> &mut IntervalRecord {
        if now_ns >= self.ends_ns {
            self.advance(now_ns);
        }
        &mut self.current
    }

    #[cold]
    fn advance(&mut self, now_ns: u64) {
        self.commit();
        let place = now_ns.saturating_sub(self.epoch_ns) / self.interval_ns;
        if place >= self.places - 1 {
            self.ends_ns = u64::MAX;
        } else {
            self.ends_ns = self.epoch_ns + (place + 1) * self.interval_ns;
        }
        while self.place < place.min(self.places - 1) {
            self.place += 1;
            self.current = IntervalRecord { index: self.place as u32 + 1, ..IntervalRecord::default() };
            self.commit();
        }
    }

    /// Puts the counts of the present interval into the file.
    #[inline]
    pub fn commit(&mut self) {
        let start = self.place as usize * INTERVAL_BYTES;
        if let Some(record) = self.file.bytes_mut().get_mut(start..start + INTERVAL_BYTES) {
            record.copy_from_slice(&self.current.encode());
        }
    }
}

/// A new file of `bytes` zeros, mapped.
pub(crate) fn create_mapped(path: &Path, bytes: usize) -> Result<(std::fs::File, Mapped), Failure> {
    let open = || {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        let mapped = Mapped::new(&file, bytes)?;
        Ok((file, mapped))
    };
    open().attempt(|| {
        format!("make the record file {} of {bytes} bytes (is the folder there, with room?)", path.display())
    })
}
