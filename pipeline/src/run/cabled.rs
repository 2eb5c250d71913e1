//! The cable of a stand: given to the agents at both ends for as long as the lease lasts, and tried out before anything
//! is measured over it. It must not know tests.

use std::time::{SystemTime, UNIX_EPOCH};

use host_setup::protocol::{CABLE_MTU_BYTES, CableSeen, Op};

use super::RunError;
use crate::stand::{Post, error_of, on_each};

/// How long the agents wait for a carrier and for each other, milliseconds.
const PATIENCE_MS: u64 = 8000;

/// Moves both ends in, by what the kernel calls them, and has the agents speak over the cable.
/// The speed of the link, Mbit/s, where the drivers tell.
///
/// # Errors
/// When an end cannot be had, or the two do not hear each other.
pub(super) fn join(posts: &mut [Post], interfaces: &[String]) -> Result<Option<u32>, RunError> {
    let [_, _] = interfaces else {
        return Err(RunError::Cable("a cable has two ends".to_string()));
    };
    let moved = on_each(posts, |place, agent| {
        agent.done("take the cable", Op::MoveIn { interface: interfaces[place].clone() })
    });
    moved.map_err(|(place, error)| error_of(posts, place, error))?;
    // Of nobody else who tries out a cable of his own at the same time.
    let word = u64::from(std::process::id())
        ^ SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    let seen = on_each(posts, |place, agent| {
        let end = u8::try_from(place).unwrap_or(u8::MAX);
        agent.cable(Op::Cable { interface: interfaces[place].clone(), end, word, patience_ms: PATIENCE_MS })
    });
    let seen = seen.map_err(|(place, error)| error_of(posts, place, error))?;
    let [Some(first), Some(second)] = [0, 1].map(|place| posts.get(place).map(|post| post.name.as_str())) else {
        return Err(RunError::Cable("a cable has two ends".to_string()));
    };
    match problem([first, second], interfaces, &seen) {
        Some(problem) => Err(RunError::Cable(problem)),
        None => Ok(seen.iter().find_map(|seen| seen.speed_mbps)),
    }
}

/// What is wrong with a cable, in words, if anything is.
fn problem(hosts: [&str; 2], interfaces: &[String], seen: &[CableSeen]) -> Option<String> {
    let at = |place: usize| format!("{} of host {}", interfaces[place], hosts[place]);
    for (place, CableSeen { carrier, mtu_bytes, .. }) in seen.iter().enumerate() {
        if !carrier {
            return Some(format!("{} has no link: is the cable plugged in, and the other end up?", at(place)));
        }
        if *mtu_bytes < CABLE_MTU_BYTES {
            let to_do = format!("ip link set {} mtu {CABLE_MTU_BYTES}", interfaces[place]);
            return Some(format!(
                "{} takes packets of {mtu_bytes} bytes, not of {CABLE_MTU_BYTES}: {to_do}",
                at(place)
            ));
        }
    }
    if let [CableSeen { speed_mbps: Some(one), .. }, CableSeen { speed_mbps: Some(other), .. }] = seen
        && one != other
    {
        return Some(format!(
            "{} runs at {one} Mbit/s and {} at {other}: they are not the ends of one cable, or a switch is between them; \
             set both to one speed (ethtool -s)",
            at(0),
            at(1)
        ));
    }
    let deaf = seen.iter().position(|seen| !seen.heard)?;
    Some(format!(
        "{} hears nothing of {}: are these two the ends of one cable, and does it carry {CABLE_MTU_BYTES} bytes?",
        at(deaf),
        at(1 - deaf.min(1))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_cable_is_told_with_its_end() {
        let interfaces = ["enp1s0", "enp2s0"].map(str::to_string);
        let well = CableSeen { carrier: true, mtu_bytes: 1500, speed_mbps: Some(10_000), heard: true };
        let told = |one: CableSeen, other: CableSeen| problem(["north", "south"], &interfaces, &[one, other]);
        assert_eq!(told(well.clone(), well.clone()), None);
        assert_eq!(told(well.clone(), CableSeen { speed_mbps: None, ..well.clone() }), None);
        let words = |seen: CableSeen| told(well.clone(), seen).expect("something is wrong");
        let dead = words(CableSeen { carrier: false, mtu_bytes: 1500, ..CableSeen::default() });
        assert!(dead.starts_with("enp2s0 of host south has no link"), "{dead}");
        let small = words(CableSeen { mtu_bytes: 1400, ..well.clone() });
        assert!(small.contains("ip link set enp2s0 mtu 1500"), "{small}");
        let slow = words(CableSeen { speed_mbps: Some(1000), ..well.clone() });
        assert!(
            slow.starts_with("enp1s0 of host north runs at 10000 Mbit/s and enp2s0 of host south at 1000"),
            "{slow}"
        );
        let deaf = words(CableSeen { heard: false, ..well.clone() });
        assert!(deaf.starts_with("enp2s0 of host south hears nothing of enp1s0 of host north"), "{deaf}");
    }
}
