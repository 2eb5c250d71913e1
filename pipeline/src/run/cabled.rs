//! The cable of a stand: given to the agents at both ends for as long as the lease lasts, and tried out before anything
//! is measured over it. It must not know tests.

use std::time::{SystemTime, UNIX_EPOCH};

use host_setup::protocol::{CABLE_MTU_BYTES, CableSeen, Op};

use super::RunError;
use crate::stand::{Cable, Post, error_of, on_each};

/// How long the agents wait for a carrier and for each other, milliseconds.
const PATIENCE_MS: u64 = 8000;

/// Moves both ends in, and has the agents speak over the cable.
///
/// # Errors
/// When an end cannot be had, or the two do not hear each other.
pub(super) fn join(posts: &mut [Post], cable: &Cable) -> Result<(), RunError> {
    let ends = &cable.ends;
    let moved = on_each(posts, |place, agent| {
        agent.done("take the cable", Op::MoveIn { interface: ends[place].device.clone() })
    });
    moved.map_err(|(place, error)| error_of(posts, place, error))?;
    // Of nobody else who tries out a cable of his own at the same time.
    let word = u64::from(std::process::id())
        ^ SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let seen = on_each(posts, |place, agent| {
        let end = u8::try_from(place).unwrap_or(u8::MAX);
        agent.cable(Op::Cable { interface: ends[place].device.clone(), end, word, patience_ms: PATIENCE_MS })
    });
    let seen = seen.map_err(|(place, error)| error_of(posts, place, error))?;
    match problem(posts, cable, &seen) {
        Some(problem) => Err(RunError::Cable(problem)),
        None => Ok(()),
    }
}

/// What is wrong with a cable, in words, if anything is.
fn problem(posts: &[Post], cable: &Cable, seen: &[CableSeen]) -> Option<String> {
    let at = |place: usize| format!("{} of host {}", cable.ends[place].device, posts[place].name);
    for (place, CableSeen { carrier, mtu_bytes, .. }) in seen.iter().enumerate() {
        if !carrier {
            return Some(format!("{} has no link: is the cable plugged in, and the other end up?", at(place)));
        }
        if *mtu_bytes < CABLE_MTU_BYTES {
            let to_do = format!("ip link set {} mtu {CABLE_MTU_BYTES}", cable.ends[place].device);
            return Some(format!(
                "{} takes packets of {mtu_bytes} bytes, not of {CABLE_MTU_BYTES}: {to_do}",
                at(place)
            ));
        }
    }
    let deaf = seen.iter().position(|seen| !seen.heard)?;
    Some(format!(
        "{} hears nothing of {}: are these two the ends of one cable, and does it carry {CABLE_MTU_BYTES} bytes?",
        at(deaf),
        at(1 - deaf.min(1))
    ))
}
