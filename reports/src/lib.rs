//! Figures, tables, claims and pages: what is made of summaries. Pure functions from specifications and
//! summaries to bytes; the only crate that knows tera. It must not know files, clocks, stores or hosts:
//! the same inputs give the same bytes.

pub mod claim;
pub mod comparison;
pub mod csv;
pub mod figure;
pub mod html;
pub mod json;
pub mod latex;
pub mod model;
pub mod number;
pub mod numbering;
pub mod package;
pub mod plot;
pub mod published;
pub mod render;
pub mod report;
pub mod reproduction;
pub mod select;
pub mod since;
pub mod spec;
pub mod style;
pub mod suggest;
pub mod svg;
pub mod table;
pub mod templates;
pub mod text;
pub mod topology;
