//! `[artifact]`: what an artifact's appendix says and no store can know. It must not know what was measured.

use super::document::{self, Findings, Node, Section, text};

/// Keys of `[artifact]`.
pub const ARTIFACT_KEYS: [&str; 6] = ["doi", "url", "contact", "badges", "requirements", "notes"];

/// Most badges and requirements.
const LIST_MAX: usize = 20;

/// `[artifact]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Artifact {
    /// Under which it is published.
    pub doi: Option<String>,
    /// Where it can be had.
    pub url: Option<String>,
    /// Whom to ask.
    pub contact: Option<String>,
    /// Badges that are asked for.
    pub badges: Vec<String>,
    /// What it needs besides what was measured through: a switch, two hosts.
    pub requirements: Vec<String>,
    /// What a reviewer should know, in paragraphs.
    pub notes: Option<String>,
}

/// Reads `[artifact]`.
pub fn read(section: Section<'_, '_>, findings: &mut Findings<'_>) -> Artifact {
    section.only(&ARTIFACT_KEYS, findings);
    let mut line = |key: &'static str| section.get(key).and_then(|node| text(node, key, 300, false, findings));
    let (doi, url, contact) = (line("doi"), line("url"), line("contact"));
    let mut list = |key: &'static str| section.get(key).map(|node| list(node, key, findings)).unwrap_or_default();
    let (badges, requirements) = (list("badges"), list("requirements"));
    let notes = section.get("notes").and_then(|node| text(node, "notes", 10_000, true, findings));
    Artifact { doi, url, contact, badges, requirements, notes }
}

fn list(node: &Node<'_>, key: &str, findings: &mut Findings<'_>) -> Vec<String> {
    let Some(array) = node.get_ref().as_array() else {
        let help = Some(format!("write {key} = [\"one\", \"another\"]"));
        findings.error(node.span(), format!("{key} is a list, not {}", document::kind(node)), help);
        return Vec::new();
    };
    if array.len() > LIST_MAX {
        findings.error(node.span(), format!("there are more than {LIST_MAX} {key}"), None);
        return Vec::new();
    }
    array.iter().filter_map(|one| text(one, key, 300, false, findings)).collect()
}
