//! Trials of a search that is not finished: kept so that a run that was cut loses none, and used again only
//! within the same boot, the same generation and the same day, since trials of other conditions must not feed
//! a bracket. It must not know how rates are chosen.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{RECORD_BYTES_MAX, Record, SAMPLES_BYTES_MAX, Store, StoreError};
use crate::beneath::Below;
use crate::clock;
use crate::key::Key;
use crate::search::trials::Trial;

/// Trials older than this are of another day, ms.
const AGE_MS_MAX: u64 = 24 * 3600 * 1000;
const HEAD: &str = "search.json";

/// What trials belong to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Occasion {
    /// The boot of the host.
    pub boot_id: String,
    /// The latest complete generation when the search began; absent if there was none.
    pub generation: Option<String>,
}

/// A trial as it is kept until its search is finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PendingTrial {
    /// What the search sees.
    pub trial: Trial,
    /// The trial's record, as a repetition at a fixed rate.
    pub record: Record,
    /// What was said while it ran.
    pub log: String,
}

/// The trials of one key on one boot.
#[derive(Debug)]
pub struct Pending<'a> {
    store: &'a Store,
    folder: Below,
    /// In the order in which they were made.
    pub trials: Vec<PendingTrial>,
}

impl<'a> Pending<'a> {
    /// The trials that a search of `key` may go on from; those of another occasion are thrown away.
    pub fn open(store: &'a Store, key: &Key, occasion: &Occasion) -> Result<Pending<'a>, StoreError> {
        let boot: String = occasion.boot_id.chars().filter(char::is_ascii_hexdigit).take(8).collect();
        let folder = store.name(["searches", &format!("{key}-{boot}")])?;
        let mut pending = Pending { store, folder, trials: Vec::new() };
        let head: Option<Occasion> = pending.read(HEAD)?;
        if head.as_ref() == Some(occasion) {
            while let Some(trial) = pending.read(&name(pending.trials.len(), "json"))? {
                pending.trials.push(trial);
            }
            if pending.trials.iter().all(is_of_today) {
                return Ok(pending);
            }
        }
        pending.discard()?;
        pending.write(HEAD, &pending.encoded(occasion)?)?;
        Ok(pending)
    }

    /// Keeps one more trial. Its samples are there before it is.
    pub fn add(&mut self, trial: PendingTrial, samples: &[u8]) -> Result<(), StoreError> {
        let place = self.trials.len();
        self.write(&name(place, "parquet"), samples)?;
        self.write(&name(place, "json"), &self.encoded(&trial)?)?;
        self.trials.push(trial);
        Ok(())
    }

    /// The samples of the trial in that place, as Parquet.
    pub fn samples(&self, place: usize) -> Result<(PathBuf, Vec<u8>), StoreError> {
        let name = self.file(&name(place, "parquet"))?;
        Ok((self.store.path_of(&name), self.store.read_there(&name, SAMPLES_BYTES_MAX)?))
    }

    /// Throws all trials away: the search is finished, or they belong to another occasion.
    pub fn discard(&mut self) -> Result<(), StoreError> {
        self.trials.clear();
        if let Some(root) = self.store.folder()? {
            root.remove_tree(&self.folder)?;
        }
        Ok(())
    }

    fn file(&self, name: &str) -> Result<Below, StoreError> {
        self.store.name([self.folder.as_str(), name])
    }

    fn encoded(&self, value: &impl Serialize) -> Result<Vec<u8>, StoreError> {
        let path = self.store.path_of(&self.folder);
        serde_json::to_vec(value).map(sealed).map_err(|error| StoreError::io("encode", &path)(error.into()))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        self.store.put(&self.file(name)?, bytes)
    }

    /// A file of the folder; none where it is not there, is damaged or cannot be understood: such a search begins anew.
    fn read<T: for<'de> Deserialize<'de>>(&self, name: &str) -> Result<Option<T>, StoreError> {
        let bytes = self.store.read(&self.file(name)?, RECORD_BYTES_MAX)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(unsealed(&bytes)?).ok()))
    }
}

/// JSON, and in a line of its own its digest: what becomes a result must be what was measured.
fn sealed(mut json: Vec<u8>) -> Vec<u8> {
    let digest = blake3::hash(&json).to_hex();
    json.extend(format!("\n{digest}\n").bytes());
    json
}

/// The JSON, if it has its digest. An older septet wrote none.
fn unsealed(bytes: &[u8]) -> Option<&[u8]> {
    let (json, digest) = match bytes.strip_suffix(b"\n") {
        Some(lines) => lines.split_at(lines.iter().rposition(|byte| *byte == b'\n')?),
        None => return Some(bytes),
    };
    (blake3::hash(json).to_hex().as_bytes() == &digest[1..]).then_some(json)
}

fn name(place: usize, extension: &str) -> String {
    format!("{place:03}.{extension}")
}

fn is_of_today(pending: &PendingTrial) -> bool {
    let now = clock::now_rfc3339().ok().and_then(|now| clock::parse_rfc3339_ms(&now));
    match (clock::parse_rfc3339_ms(&pending.trial.started), now) {
        (Some(then), Some(now)) => now.abs_diff(then) < AGE_MS_MAX,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_flipped_bit_in_a_trial_is_seen() {
        let sound = sealed(b"{\"rate_pps\":1000}".to_vec());
        assert_eq!(unsealed(&sound), Some(&b"{\"rate_pps\":1000}"[..]));
        for place in 0..sound.len() {
            for bit in 0..8 {
                let mut harmed = sound.clone();
                harmed[place] ^= 1 << bit;
                let taken = unsealed(&harmed).and_then(|json| serde_json::from_slice::<serde_json::Value>(json).ok());
                assert_eq!(taken, None, "byte {place}, bit {bit}");
            }
        }
        assert_eq!(unsealed(b"{}"), Some(&b"{}"[..]), "as older ones are");
    }

    #[test]
    fn trials_of_another_occasion_are_thrown_away() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = Store::open(&folder.path().join("store")).expect("a store");
        let key = Key([7; 32]);
        let occasion = |boot_id: &str, generation: Option<&str>| Occasion {
            boot_id: boot_id.to_string(),
            generation: generation.map(str::to_string),
        };
        let opened = |occasion: &Occasion| {
            let pending = Pending::open(&store, &key, occasion).expect("it can be opened");
            let folder = store.path_of(&pending.folder);
            (folder.clone(), folder.join("mark").exists())
        };
        let first = occasion("0a1b2c3d-4444", Some("one"));
        let (place, _) = opened(&first);
        fs::write(place.join("mark"), "x").expect("it is a folder");
        assert_eq!(opened(&first), (place.clone(), true), "the same occasion goes on");
        assert_ne!(opened(&occasion("ffffffff-4444", Some("one"))).0, place, "another boot never sees them");
        let torn = name(0, "json");
        fs::write(place.join(&torn), "{\"trial\": ").expect("it is a folder");
        assert!(Pending::open(&store, &key, &first).expect("it can be opened").trials.is_empty());
        assert_eq!(opened(&occasion("0a1b2c3d-4444", Some("two"))), (place, false), "another generation");
    }
}
