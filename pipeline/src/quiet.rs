//! Waits until others leave the measuring CPUs alone, or the patience for it ends. It must not know tests.

use std::time::{Duration, Instant};

use host_setup::protocol::Load;

use crate::agent::{Agent, AgentError};
use crate::drift;

/// Over how long others are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// How often an interruption is looked for.
const STEP: Duration = Duration::from_millis(50);

/// Looks until it is quiet, for `patience` at most; what others took at last, if it is not.
///
/// # Errors
/// When the agent cannot go on.
pub fn wait(
    agent: &mut Agent,
    cpus: &[u32],
    patience: Duration,
    interrupted: &dyn Fn() -> bool,
) -> Result<Option<Load>, AgentError> {
    let began = Instant::now();
    agent.load(cpus)?;
    loop {
        let look = Instant::now();
        while look.elapsed() < LOOK && !interrupted() {
            std::thread::sleep(STEP);
        }
        let load = agent.load(cpus)?;
        if drift::is_quiet(&load) {
            return Ok(None);
        }
        if interrupted() || began.elapsed() >= patience {
            return Ok(Some(load));
        }
    }
}
