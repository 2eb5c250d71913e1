//! Figures, tables, claims and pages: what is made of summaries. Pure functions from specifications and
//! summaries to bytes; the only crate that knows tera. It must not know files, clocks, stores or hosts:
//! the same inputs give the same bytes.

pub mod spec;
