//! `septet artifact`.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{Target, archive as of_archives, say, say_json, share};
use crate::archive::{self, APPENDIX_LATEX, APPENDIX_MARKDOWN, License};
use crate::beneath::Destination;
use crate::exit::{Exit, Trouble};
use crate::workspace::{Workspace, usual_output};

#[derive(Debug, Args)]
pub(super) struct ArtifactArgs {
    #[command(flatten)]
    target: Target,
    /// Folder to write ARTIFACT.md and ARTIFACT.tex into [default: out/NAME-artifact].
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// Licence of the data, as the SPDX list names it: CC-BY-4.0.
    #[arg(long, value_name = "ID")]
    license: Option<String>,
    /// For double-blind review: leave out authors, contact, names of hosts and users, and their paths and addresses.
    #[arg(long)]
    anonymous: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct WrittenJson {
    markdown: String,
    latex: String,
    files_written: usize,
}

/// Writes the appendix of an experiment's latest generation.
pub(super) fn run(args: &ArtifactArgs) -> Result<Exit, Trouble> {
    let workspace = Workspace::load(&args.target.file, args.target.store.store.as_deref())?;
    let generation = share::generation(&args.target, &workspace)?;
    let license = License::find(args.license.as_deref(), args.target.file.parent().unwrap_or(Path::new("")))?;
    let appendix = match args.anonymous {
        true => archive::anonymous::appendix(&workspace, &generation, &of_archives::withheld(license))?,
        false => archive::appendix_of(&workspace, &generation, &license)?,
    };
    let to = match &args.output {
        Some(named) => Destination::Named(named.clone()),
        None => usual_output(&format!("{}-artifact", workspace.experiment.name))
            .map_err(|error| Trouble::input(format!("failed to name the appendix's folder: {error}")))?,
    };
    let of_files = |error: crate::beneath::Error| Trouble::of_files(&error, &error.source);
    let folder = to.make().map_err(of_files)?;
    let mut files_written = 0;
    let mut put = |name: &str, text: String| -> Result<String, Trouble> {
        let below = folder.name([name]).map_err(of_files)?;
        files_written += usize::from(folder.replace_if_different(&below, text.as_bytes()).map_err(of_files)?);
        Ok(folder.path_of(&below).display().to_string())
    };
    let markdown = put(APPENDIX_MARKDOWN, appendix.markdown())?;
    let latex = put(APPENDIX_LATEX, appendix.latex())?;
    match args.json {
        true => say_json(&WrittenJson { markdown, latex, files_written }),
        false => say(&format!("{markdown}\n{latex}")),
    }
}
