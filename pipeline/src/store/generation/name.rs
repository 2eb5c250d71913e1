//! Names of generations. It must not know what they hold.
//!
//! `TIME-STANDS-OWN`: when, 16 digits of the digest of what it stands on, and 16 of the digest of everything that its
//! head says. Formats before 3 have `TIME-STANDS`. The time is for people; nothing compares it but among those.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Digits of a digest in a name.
const DIGITS: usize = 16;
/// Longest time in a name, bytes.
const TIME_BYTES_MAX: usize = 40;

/// The name of a generation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GenerationName(String);

/// A text that names no generation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' names no generation", _0.escape_debug())]
pub struct NotAName(String);

impl GenerationName {
    /// The name of what was made at that time, with these digests; `own` is absent in formats before 3.
    pub(super) fn new(created: &str, stands_on: &str, own: Option<&str>) -> GenerationName {
        let time = file_time(created);
        let short = |digest: &str| digest.chars().take(DIGITS).collect::<String>();
        GenerationName(match own {
            Some(own) => format!("{time}-{}-{}", short(stands_on), short(own)),
            None => format!("{time}-{}", short(stands_on)),
        })
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is of a format that knows no predecessors.
    pub fn is_older(&self) -> bool {
        self.0.bytes().filter(|byte| *byte == b'-').count() == 1
    }

    /// The digests in it: of what it stands on, and its own, if it has one.
    pub fn digests(&self) -> impl Iterator<Item = &str> {
        self.0.split('-').skip(1)
    }

    /// The digest of what it stands on.
    pub fn stands_on(&self) -> &str {
        self.digests().next().unwrap_or_default()
    }

    /// The digest that tells it from every other one.
    pub fn own(&self) -> &str {
        self.digests().last().unwrap_or_default()
    }
}

impl FromStr for GenerationName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<GenerationName, NotAName> {
        let parts: Vec<&str> = text.split('-').collect();
        let is_time = |part: &str| {
            (1..=TIME_BYTES_MAX).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        let is_digest =
            |part: &&str| part.len() == DIGITS && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match &parts[..] {
            [time, digests @ ..]
                if (1..=2).contains(&digests.len()) && is_time(time) && digests.iter().all(is_digest) =>
            {
                Ok(GenerationName(text.to_string()))
            }
            _ => Err(NotAName(text.chars().take(100).collect())),
        }
    }
}

impl TryFrom<String> for GenerationName {
    type Error = NotAName;
    fn try_from(text: String) -> Result<GenerationName, NotAName> {
        text.parse()
    }
}

impl From<GenerationName> for String {
    fn from(name: GenerationName) -> String {
        name.0
    }
}

impl fmt::Display for GenerationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `2026-01-02T03:04:05.678Z` as a file name's part: `20260102T030405678Z`.
pub(super) fn file_time(created: &str) -> String {
    created.chars().filter(char::is_ascii_alphanumeric).collect()
}
