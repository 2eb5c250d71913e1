//! What programs of a site's own have mapped, which adapters start with the traffic and which may be gone when that ends:
//! neither the look before it nor the one behind it sees them for certain. It must not know what is expected of them.

use std::collections::BTreeSet;
use std::thread;
use std::time::{Duration, Instant};

use super::{Party, PeerEvidence, Session, Stop};

/// How often it is looked.
const EVERY: Duration = Duration::from_millis(25);

impl Session<'_, '_> {
    /// Adds what such programs have mapped to what was seen before; looked for until each party has more than it had and
    /// nothing comes any more, for so long at most, which is the warm-up where there is one.
    pub(super) fn see_begun(
        &mut self,
        parties: &[Party],
        seen: &mut [PeerEvidence],
        most: Duration,
    ) -> Result<(), Stop> {
        let until = Instant::now() + most;
        let mut begun = BTreeSet::new();
        loop {
            let now = self.each(|_, agent| agent.mapped())?;
            let mut is_new = false;
            for (place, (mapped, _)) in now.into_iter().enumerate() {
                for file in mapped {
                    if !seen[place].mapped.contains(&file) {
                        is_new = true;
                        begun.insert(file.process.clone());
                        seen[place].mapped.push(file);
                    }
                }
            }
            let is_begun = !is_new && parties.iter().all(|party| begun.contains(&party.container));
            if is_begun || Instant::now() >= until || (self.interrupted)() {
                return Ok(());
            }
            thread::sleep(EVERY);
        }
    }
}
