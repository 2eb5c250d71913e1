//! `septet import`.

use std::path::PathBuf;

use clap::Args;

use super::{say, say_json};
use crate::beneath;
use crate::exit::{Exit, Trouble};
use crate::experiment::FILE_BYTES_MAX as EXPERIMENT_BYTES_MAX;
use crate::others::{self, FILE_BYTES_MAX, MAP_BYTES_MAX, OthersError};
use crate::planned::plural;
use serde::Serialize;

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The numbers: JSON of iperf3, TRex or CSIT, what testpmd printed, any CSV.
    file: PathBuf,
    /// Which number is of which tests; `docs/published.md` says how to write one.
    #[arg(long, value_name = "FILE")]
    map: PathBuf,
    /// Put them into this experiment, into the figures, tables and claims that the map names by `for`; without it they are
    /// printed, to be pasted.
    #[arg(long, value_name = "EXPERIMENT")]
    into: Option<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl From<OthersError> for Trouble {
    fn from(error: OthersError) -> Trouble {
        match error {
            OthersError::Invalid(diagnostics) => Trouble::placed(diagnostics),
            other => Trouble::input(other.to_string()),
        }
    }
}

#[derive(Serialize)]
struct ImportedJson<'a> {
    source: &'a str,
    values: usize,
    text: &'a str,
    into: Option<String>,
}

/// Takes numbers that others measured, as published values.
pub(super) fn run(args: &ImportArgs) -> Result<Exit, Trouble> {
    let map_name = args.map.display().to_string();
    let map = others::read(&text(&args.map, MAP_BYTES_MAX)?, &map_name).map_err(Trouble::placed)?;
    let values = others::take(&map, &text(&args.file, FILE_BYTES_MAX)?, &args.file.display().to_string())?;
    let block = others::text(&map.source, &values);
    if let Some(into) = &args.into {
        let name = into.display().to_string();
        let whole = others::insert(&text(into, EXPERIMENT_BYTES_MAX)?, &name, &map.ids, &map.source, &values)?;
        let of_files = |error: beneath::Error| Trouble::of_files(&error, &error.source);
        let mut replacement = beneath::replacing_output(into).map_err(of_files)?;
        replacement.write(whole.as_bytes()).map_err(of_files)?;
        replacement.publish().and_then(|()| replacement.finish_synced()).map_err(of_files)?;
    }
    if args.json {
        let into = args.into.as_ref().map(|path| path.display().to_string());
        return say_json(&ImportedJson { source: &map.source, values: values.len(), text: &block, into });
    }
    match &args.into {
        None => say(&block),
        Some(into) => {
            say(&format!("{}: {} of {}", into.display(), plural(values.len(), "published value"), map.source))
        }
    }
}

/// A file as text.
fn text(path: &std::path::Path, bytes_max: u64) -> Result<String, Trouble> {
    let bytes = beneath::plain_file(path, bytes_max).map_err(|error| Trouble::input(error.to_string()))?;
    String::from_utf8(bytes).map_err(|_| Trouble::input(format!("failed to read {}: it is not UTF-8", path.display())))
}
