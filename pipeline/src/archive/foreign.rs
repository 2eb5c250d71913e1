//! What an archive is that is none of Septet's: a bag of another tool, or any tar. Only names are read, within the
//! bounds of any archive. It must not know why it was not taken.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::ArchiveError;
use super::entries::{Extensions, Meaning};
use super::unpack::{FILES_MAX, Limits, refused};
use super::{folder, packed};

/// Most bytes of a bag's own description.
const INFO_BYTES_MAX: u64 = 16 << 10;

/// What is found out by looking at names.
#[derive(Default)]
struct Look {
    is_bag: bool,
    is_ours: bool,
    maker: Option<String>,
}

impl Look {
    fn at(&mut self, name: &str, content: &mut dyn Read) {
        let last = name.rsplit('/').next().unwrap_or(name);
        self.is_bag |= last == "bagit.txt";
        self.is_ours |= name.ends_with("data/septet.json");
        if last == "bag-info.txt" && self.maker.is_none() {
            let mut text = String::new();
            // What cannot be read names nobody.
            let _ = content.take(INFO_BYTES_MAX).read_to_string(&mut text);
            let agent = text.lines().find_map(|line| line.strip_prefix("Bag-Software-Agent: "));
            self.maker = agent.map(|agent| agent.chars().filter(|c| !c.is_control()).take(80).collect());
        }
    }
}

/// The refusal of what is no archive of Septet; none if it is one, or cannot be looked at.
pub fn named(archive: &Path, limits: Limits) -> Option<ArchiveError> {
    let look = match fs::metadata(archive).ok()?.is_dir() {
        true => in_folder(archive)?,
        false => in_tar(archive, limits)?,
    };
    if look.is_ours {
        return None;
    }
    let what = match (look.is_bag, look.maker) {
        (true, Some(maker)) => format!("it is a bag of another program ({maker}): it has no data/septet.json"),
        (true, None) => "it is a bag of another program: it has no data/septet.json".to_string(),
        (false, _) => "it is a tar of something else: it has neither bagit.txt nor data/septet.json".to_string(),
    };
    Some(refused(archive, what))
}

fn in_folder(archive: &Path) -> Option<Look> {
    let bag = folder::bag(archive).ok()?;
    let mut look = Look { is_bag: true, is_ours: bag.has("data/septet.json"), ..Look::default() };
    let info = bag.head("bag-info.txt", INFO_BYTES_MAX).unwrap_or_default();
    look.at("bag-info.txt", &mut &info[..]);
    Some(look)
}

fn in_tar(archive: &Path, limits: Limits) -> Option<Look> {
    let file = packed::open(archive).ok()?;
    let bytes_max = limits.of(file.metadata().ok()?.len());
    let (stream, _) = packed::tar_of(archive, file).ok()?;
    let mut tar = tar::Archive::new(stream.take(bytes_max.saturating_mul(2)));
    let (mut look, mut extensions) = (Look::default(), Extensions::default());
    for entry in tar.entries().ok()?.raw(true).take(FILES_MAX) {
        let Ok(mut entry) = entry else { break };
        if let Ok(Meaning::File(name)) = extensions.meaning(&mut entry) {
            look.at(&String::from_utf8_lossy(&name), &mut entry);
        }
    }
    Some(look)
}
