//! What hosts that are reached over the network said of themselves when they were asked last, so that a plan need not
//! ask again; how long ago that was is told with it. Whoever measures always asks. It must not know what facts say.

use std::time::Duration;

use host_setup::facts::Facts;
use serde::{Deserialize, Serialize};

use crate::beneath::{self, Folder};
use crate::{clock, own_cache};

/// Version of the files. One of another version is as good as none.
const FORMAT: u32 = 1;
/// Largest file, bytes.
const BYTES_MAX: u64 = 64 << 20;

/// What a host said of itself.
#[derive(Debug)]
pub struct Remembered {
    /// The facts.
    pub facts: Facts,
    /// How long ago it was asked, by this host's clock.
    pub age: Duration,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    format: u32,
    /// When it was asked, UTC, RFC 3339.
    asked: String,
    facts: Facts,
}

/// The folder of the answers among the user's caches.
const FOLDER: &str = "hosts";

/// The file of a question: how a host is reached, and all that it was asked.
fn file(question: &str) -> String {
    format!("{}.json", blake3::hash(question.as_bytes()).to_hex())
}

/// The answer to a question, if it was put before. A file that cannot be understood is no answer.
pub fn answer(question: &str) -> Option<Remembered> {
    let folder = Folder::open_if_there(&own_cache::folder(FOLDER)?).ok()??;
    let bytes = folder.read_if_there(&folder.name([&file(question)]).ok()?, BYTES_MAX).ok()??;
    let kept: Kept = serde_json::from_slice(&bytes).ok().filter(|kept: &Kept| kept.format == FORMAT)?;
    let [then, now] = [kept.asked, clock::now_rfc3339().ok()?].map(|text| clock::parse_rfc3339_ms(&text));
    Some(Remembered { facts: kept.facts, age: Duration::from_millis(now?.saturating_sub(then?)) })
}

/// Keeps the answer to a question. Without a home nothing is kept.
///
/// # Errors
/// When it cannot be written: it is asked again then.
pub fn keep(question: &str, facts: &Facts) -> Result<(), beneath::Error> {
    let (Some(path), Ok(asked)) = (own_cache::folder(FOLDER), clock::now_rfc3339()) else { return Ok(()) };
    let Ok(bytes) = serde_json::to_vec(&Kept { format: FORMAT, asked, facts: facts.clone() }) else { return Ok(()) };
    let folder = Folder::make(&path)?;
    folder.replace_if_different(&folder.name([&file(question)])?, &bytes).map(drop)
}
