//! A stand: what one measurement needs for itself, which is a host with its agent. It must not know what is measured
//! on it, or that there are others.

use crate::agent::Agent;
use crate::conditions::Conditions;

/// A host that a run measures on.
#[derive(Debug)]
pub struct Stand<'a> {
    /// What people call it.
    pub name: String,
    /// The agent of the stand's host.
    pub agent: &'a mut Agent,
    /// What measurements on it stand on.
    pub conditions: &'a Conditions<'a>,
    /// Whether this program runs on the same host: what it writes would disturb a window.
    pub shares_host: bool,
}
