//! The agent's types and its pure decisions, for whoever talks to it: the protocol, the facts of a host,
//! scenes, core plans and rendered switch configurations; and behind [`program`], and nowhere else, the
//! agent itself. It must not know experiments, traffic, stores or reports; what a generator is asked passes
//! through as opaque JSON.

pub mod application;
pub mod check;
pub mod commander;
pub mod containers;
pub mod cores;
pub mod disturbance;
pub mod eal;
pub mod facts;
pub mod inherited;
pub mod lease;
pub mod meanings;
pub mod program;
pub mod programs;
pub mod protocol;
mod provided;
pub mod scene;
pub mod settings;
pub mod stack;
pub mod survey;
pub mod switch;
pub mod written;

mod affinity;
mod applications;
mod component;
pub mod cpulist;
mod failure;
mod functions;
mod lines;
mod links;
mod netlink;
mod patience;
mod plain;
mod privilege;
mod root;
mod site;
mod snapshot;
mod supervisor;
mod sys;
mod worker;

pub use supervisor::parse_request;
