//! Septet's command line as a library: from an experiment file over a plan to results and a report.
//! `main.rs` prints and exits; everything else is here. It must not know how packets are sent, how a host is
//! changed, how samples are reduced or how a figure is drawn: four other crates do.

pub mod acceptance;
pub mod agent;
pub mod alike;
pub mod archive;
pub mod beneath;
pub mod cli;
pub mod clock;
pub mod clocks;
pub mod compare;
pub mod conditions;
pub mod difference;
pub mod dispatch;
pub mod drift;
pub mod eal;
pub mod exit;
pub mod experiment;
pub mod inside;
pub mod judge;
pub mod key;
mod last_lines;
pub mod manifest;
pub mod measure;
pub mod offer;
pub mod pair;
pub mod plan;
pub mod planned;
pub mod preparation;
pub mod progress;
pub mod quiet;
pub mod ready;
pub mod remembered;
pub mod remote;
pub mod report;
pub mod run;
pub mod search;
pub mod sections;
pub mod signals;
pub mod site;
pub mod stand;
pub mod stood;
pub mod store;
pub mod threads;
pub mod traffic;
pub mod visible;
pub mod workspace;
