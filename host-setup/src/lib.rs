//! The agent's types and its pure decisions, for whoever talks to it: the protocol, the facts of a host,
//! scenes and rendered switch configurations. It must not know experiments, traffic, stores or reports;
//! what a generator is asked passes through as opaque JSON.

pub mod cores;
pub mod facts;
pub mod protocol;
pub mod scene;
