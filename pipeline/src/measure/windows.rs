//! Several windows of one set-up: the same switch and the same links, with traffic started again. It must not know why
//! there are so many.

use std::time::Instant;

use super::{MeasuredWindow, Session, Stop, WindowPlan, ms};
use crate::traffic::Party;

impl Session<'_, '_> {
    /// Measures so many windows one after the other, or fewer where generators cannot be started again.
    pub(super) fn windows(
        &mut self,
        parties: &[Party],
        plan: &WindowPlan,
        count: u32,
    ) -> Result<Vec<MeasuredWindow>, Stop> {
        let mut windows = vec![self.traffic(parties, plan)?];
        for number in 1..count {
            let began = Instant::now();
            if self.each(|_, agent| agent.renew())?.contains(&false) {
                self.note(&format!("no more windows than {number}: generators cannot be started again here"));
                break;
            }
            self.cost.ready_ms += ms(began.elapsed());
            self.note(&format!("window {} of {count}", number + 1));
            windows.push(self.traffic(parties, plan)?);
        }
        Ok(windows)
    }
}
