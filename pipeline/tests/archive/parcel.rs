//! An archive as a list of named contents that can be changed and packed again, honestly or not.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};
use tar::EntryType;

/// Contents by name, the bag's folder included.
#[derive(Clone)]
pub struct Parcel(pub BTreeMap<String, Vec<u8>>);

impl Parcel {
    pub fn read(path: &Path) -> Parcel {
        let stream = zstd::stream::read::Decoder::new(fs::File::open(path).expect("it is there")).expect("it is zstd");
        let mut archive = tar::Archive::new(stream);
        let mut contents = BTreeMap::new();
        for entry in archive.entries().expect("it is tar") {
            let mut entry = entry.expect("it is sound");
            let name = String::from_utf8(entry.path_bytes().into_owned()).expect("names are text");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).expect("it is whole");
            contents.insert(name, bytes);
        }
        Parcel(contents)
    }

    /// The one name that ends so.
    pub fn named(&self, end: &str) -> String {
        self.all(end).into_iter().next().unwrap_or_else(|| panic!("nothing ends in {end}"))
    }

    /// All names that end so.
    pub fn all(&self, end: &str) -> Vec<String> {
        self.0.keys().filter(|name| name.ends_with(end)).cloned().collect()
    }

    /// A content changed as text.
    pub fn edit(&mut self, name: &str, from: &str, to: &str) {
        let text = String::from_utf8(self.0[name].clone()).expect("it is text");
        assert!(text.contains(from), "{name} has no {from:?}");
        self.0.insert(name.to_string(), text.replacen(from, to, 1).into_bytes());
    }

    /// Makes the tag files fit the contents again, as a forger would.
    pub fn seal(&mut self) -> &mut Parcel {
        let hex = |bytes: &[u8]| -> String { Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect() };
        let payload: Vec<(&String, &Vec<u8>)> =
            self.0.iter().filter(|(name, _)| name.starts_with("small/data/")).collect();
        let manifest: String =
            payload.iter().map(|(name, bytes)| format!("{}  {}\n", hex(bytes), &name["small/".len()..])).collect();
        let oxum = format!("{}.{}", payload.iter().map(|(_, bytes)| bytes.len()).sum::<usize>(), payload.len());
        let info = String::from_utf8(self.0["small/bag-info.txt"].clone()).expect("it is text");
        let info: String =
            info.lines()
                .map(|line| {
                    if line.starts_with("Payload-Oxum") {
                        format!("Payload-Oxum: {oxum}\n")
                    } else {
                        format!("{line}\n")
                    }
                })
                .collect();
        self.0.insert("small/manifest-sha256.txt".to_string(), manifest.into_bytes());
        self.0.insert("small/bag-info.txt".to_string(), info.into_bytes());
        let tags: String = ["bagit.txt", "bag-info.txt", "manifest-sha256.txt"]
            .map(|tag| format!("{}  {tag}\n", hex(&self.0[&format!("small/{tag}")])))
            .concat();
        self.0.insert("small/tagmanifest-sha256.txt".to_string(), tags.into_bytes());
        self
    }

    pub fn entries(&self) -> Vec<Entry> {
        self.0.iter().map(|(name, bytes)| Entry::file(name, bytes)).collect()
    }

    pub fn write(&self, path: &Path) {
        write(path, &self.entries());
    }
}

/// An entry of a tar, whatever it is.
pub struct Entry {
    pub name: String,
    pub kind: EntryType,
    pub target: String,
    pub bytes: Vec<u8>,
}

impl Entry {
    pub fn file(name: &str, bytes: &[u8]) -> Entry {
        Entry { name: name.to_string(), kind: EntryType::Regular, target: String::new(), bytes: bytes.to_vec() }
    }

    pub fn special(name: &str, kind: EntryType, target: &str) -> Entry {
        Entry { name: name.to_string(), kind, target: target.to_string(), bytes: Vec::new() }
    }

    /// An extended header of POSIX's kind.
    pub fn pax(kind: EntryType, records: &[(&str, &str)]) -> Entry {
        let record = |(key, value): &(&str, &str)| {
            // The length counts its own digits.
            let rest = key.len() + value.len() + 3;
            let len = (1..).map(|digits| rest + digits).find(|len| len.to_string().len() + rest == *len);
            format!("{} {key}={value}\n", len.expect("there is such a length"))
        };
        let bytes = records.iter().map(record).collect::<String>().into_bytes();
        Entry { bytes, ..Entry::special("small/PaxHeaders/x", kind, "") }
    }

    /// The header, its name unchecked.
    pub fn header(&self, size: u64) -> tar::Header {
        let mut header = tar::Header::new_ustar();
        let ustar = header.as_ustar_mut().expect("it is one");
        // A long name is split at a slash, as the format wants it.
        let split = match self.name.len() > 100 {
            true => {
                self.name.rmatch_indices('/').map(|(at, _)| at).find(|at| self.name.len() - at - 1 <= 100 && *at <= 155)
            }
            false => None,
        };
        let (prefix, name) = split.map_or(("", self.name.as_str()), |at| (&self.name[..at], &self.name[at + 1..]));
        ustar.prefix[..prefix.len()].copy_from_slice(prefix.as_bytes());
        ustar.name[..name.len()].copy_from_slice(name.as_bytes());
        ustar.linkname[..self.target.len()].copy_from_slice(self.target.as_bytes());
        header.set_entry_type(self.kind);
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(size);
        header.set_cksum();
        header
    }
}

/// Packs entries as they are.
pub fn write(path: &Path, entries: &[Entry]) {
    let stream = zstd::stream::write::Encoder::new(fs::File::create(path).expect("the bench is writable"), 1);
    let mut tar = tar::Builder::new(stream.expect("zstd works"));
    for entry in entries {
        tar.append(&entry.header(entry.bytes.len() as u64), &entry.bytes[..]).expect("it can be written");
    }
    tar.into_inner().and_then(|stream| stream.finish()).expect("it can be written");
}
