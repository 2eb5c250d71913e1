//! The meaning of results: names and values of axes, raw samples as Parquet, statistics, and the summaries
//! that reports may see. Pure functions of their arguments; the only crate that knows polars.
//! It must not know files of a store, keys, hosts or pages.

pub mod accounting;
pub mod axes;
pub mod dataset;
pub mod dictionary;
pub mod flags;
pub mod metric;
pub mod reduce;
pub mod statistics;
pub mod summary;
pub mod tuple;
