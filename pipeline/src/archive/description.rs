//! `septet.json`: what an archive says of itself to septet. Types only; it must not know files.

use reports::templates::{self, RENDERER_VERSION};
use results::summary::REDUCTION_VERSION;
use serde::{Deserialize, Serialize};

use super::front::FRONT_VERSION;

/// Version of the archive's layout. A newer one is refused with its number. Since 2 all that a reader meets first
/// follows from the rest.
pub const ARCHIVE_FORMAT: u32 = 2;

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
    /// Version of what a reader meets first (`FRONT_VERSION`); 0 before format 2.
    #[serde(default)]
    pub front: u32,
    /// The licence, as the SPDX list names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Whether the text of the licence is the author's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub license_given: bool,
    /// Whether the citation is the author's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub citation_given: bool,
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
    /// The renderer of this program.
    pub fn here() -> Renderer {
        let templates = blake3::hash(&templates::digest_input()).to_hex().to_string();
        Renderer { version: RENDERER_VERSION, templates }
    }
}

impl Description {
    /// The description of an archive that this program makes.
    pub fn new(experiment: &str, file: &str, generation: &str) -> Description {
        Description {
            format: ARCHIVE_FORMAT,
            experiment: experiment.to_string(),
            file: file.to_string(),
            generation: generation.to_string(),
            reduction_version: REDUCTION_VERSION,
            renderer: Renderer::here(),
            septet: env!("CARGO_PKG_VERSION").to_string(),
            front: FRONT_VERSION,
            license: None,
            license_given: false,
            citation_given: false,
        }
    }
}
