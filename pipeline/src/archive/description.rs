//! `septet.json`: what an archive says of itself to septet. Types only; it must not know files.

use reports::templates::{self, RENDERER_VERSION};
use results::summary::REDUCTION_VERSION;
use serde::{Deserialize, Serialize};

/// Version of the archive's layout. A newer one is refused with its number.
pub const ARCHIVE_FORMAT: u32 = 1;

/// What an archive holds, and what made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// [`ARCHIVE_FORMAT`].
    pub format: u32,
    /// Name of the experiment.
    pub experiment: String,
    /// Name of its file in `experiment/`.
    pub file: String,
    /// Name of the generation that the report stands on.
    pub generation: String,
    /// Version of the reduction of its summaries.
    pub reduction_version: u32,
    /// What rendered its pages.
    pub renderer: Renderer,
    /// Version of septet that made it.
    pub septet: String,
}

/// What renders pages: the same one makes the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renderer {
    /// [`RENDERER_VERSION`].
    pub version: u32,
    /// BLAKE3 of its templates, hex.
    pub templates: String,
}

impl Renderer {
    /// Of this program.
    pub fn here() -> Renderer {
        let templates = blake3::hash(&templates::digest_input()).to_hex().to_string();
        Renderer { version: RENDERER_VERSION, templates }
    }
}

impl Description {
    /// Of an archive that this program makes.
    pub fn new(experiment: &str, file: &str, generation: &str) -> Description {
        Description {
            format: ARCHIVE_FORMAT,
            experiment: experiment.to_string(),
            file: file.to_string(),
            generation: generation.to_string(),
            reduction_version: REDUCTION_VERSION,
            renderer: Renderer::here(),
            septet: env!("CARGO_PKG_VERSION").to_string(),
        }
    }
}
