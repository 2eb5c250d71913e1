//! Entries of a tar as Septet and others write them: plain files and folders, long names by extended headers of
//! GNU's and POSIX's kind. Everything that could mean something else is refused. It must not know what the
//! files mean, or write any.

use std::io::Read;

/// Most bytes of an extended header: names, times, owners.
const EXTENSION_BYTES_MAX: u64 = 64 << 10;

/// What an entry is.
#[derive(Debug, PartialEq, Eq)]
pub enum Meaning {
    /// A plain file of this name.
    File(Vec<u8>),
    /// A folder of this name.
    Folder(Vec<u8>),
    /// A header that describes the entry after it.
    Extension,
}

/// What extended headers have said of the entry that follows.
#[derive(Debug, Default)]
pub struct Extensions {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    pending: bool,
    /// Whether there was any.
    pub any: bool,
}

impl Extensions {
    /// What an entry means.
    ///
    /// # Errors
    /// What it is instead, after "is".
    pub fn meaning(&mut self, entry: &mut tar::Entry<impl Read>) -> Result<Meaning, String> {
        use tar::EntryType;
        match entry.header().entry_type() {
            EntryType::GNULongName => {
                let mut name = content(entry)?;
                while name.last() == Some(&0) {
                    name.pop();
                }
                self.say(Some(name), None)
            }
            EntryType::XHeader => {
                let records = content(entry)?;
                let (name, size) = records_of(&records)?;
                self.say(name, size)
            }
            EntryType::XGlobalHeader => {
                let records = content(entry)?;
                match records_of(&records)? {
                    (None, None) => Ok(Meaning::Extension),
                    _ => Err("an extended header that renames all files".to_string()),
                }
            }
            kind => {
                self.pending = false;
                let name = self.name.take().unwrap_or_else(|| entry.path_bytes().into_owned());
                let size = self.size.take();
                if size.is_some_and(|size| size != entry.size()) {
                    return Err("of two sizes".to_string());
                }
                match kind {
                    EntryType::Regular => Ok(Meaning::File(name)),
                    EntryType::Directory => Ok(Meaning::Folder(name)),
                    kind => Err(unwanted(kind).to_string()),
                }
            }
        }
    }

    fn say(&mut self, name: Option<Vec<u8>>, size: Option<u64>) -> Result<Meaning, String> {
        self.any = true;
        self.pending = true;
        // Two that name one file: programs disagree which of them holds.
        if name.is_some() && self.name.is_some() || size.is_some() && self.size.is_some() {
            return Err("the second extended header of one file".to_string());
        }
        self.name = name.or(self.name.take());
        self.size = size.or(self.size);
        Ok(Meaning::Extension)
    }

    /// Whether an extended header waits for its entry.
    pub fn is_pending(&self) -> bool {
        self.pending
    }
}

fn content(entry: &mut tar::Entry<impl Read>) -> Result<Vec<u8>, String> {
    if entry.size() > EXTENSION_BYTES_MAX {
        return Err("an extended header that is longer than any name".to_string());
    }
    let mut bytes = Vec::new();
    let read = entry.take(EXTENSION_BYTES_MAX).read_to_end(&mut bytes);
    read.map(|_| bytes).map_err(|error| format!("an extended header that cannot be read: {error}"))
}

/// Name and size in the records of a POSIX header, `LENGTH KEY=VALUE\n` each.
fn records_of(mut bytes: &[u8]) -> Result<(Option<Vec<u8>>, Option<u64>), String> {
    let malformed = || "an extended header that is no sound one".to_string();
    let (mut name, mut size) = (None, None);
    while !bytes.is_empty() {
        let blank = bytes.iter().position(|byte| *byte == b' ').ok_or_else(malformed)?;
        let len: usize = text(&bytes[..blank]).and_then(|text| text.parse().ok()).ok_or_else(malformed)?;
        let record = bytes.get(blank + 1..len).and_then(|record| record.strip_suffix(b"\n")).ok_or_else(malformed)?;
        let equals = record.iter().position(|byte| *byte == b'=').ok_or_else(malformed)?;
        let (key, value) = (text(&record[..equals]).ok_or_else(malformed)?, &record[equals + 1..]);
        match key {
            "path" | "size" if (key == "path" && name.is_some()) || (key == "size" && size.is_some()) => {
                return Err("an extended header that says a thing twice".to_string());
            }
            "path" => name = Some(value.to_vec()),
            "size" => size = Some(text(value).and_then(|text| text.parse().ok()).ok_or_else(malformed)?),
            "linkpath" => return Err("a link".to_string()),
            key if key.starts_with("GNU.sparse.") => return Err("a sparse file".to_string()),
            // Times, owners, attributes: an archive of Septet has none, and none is taken.
            _ => {}
        }
        bytes = &bytes[len..];
    }
    Ok((name, size))
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

/// What an entry is that may not be in an archive.
fn unwanted(kind: tar::EntryType) -> &'static str {
    use tar::EntryType;
    match kind {
        EntryType::Link | EntryType::GNULongLink => "a hard link",
        EntryType::Symlink => "a symbolic link",
        EntryType::Char => "a character device",
        EntryType::Block => "a block device",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of an unknown kind",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_by_their_lengths() {
        let read = |text: &str| records_of(text.as_bytes());
        assert_eq!(read("13 path=a/bc\n"), Ok((Some(b"a/bc".to_vec()), None)));
        assert_eq!(read("20 mtime=1700000000\n11 size=70\n"), Ok((None, Some(70))));
        assert_eq!(read("19 linkpath=/etc/x\n").unwrap_err(), "a link");
        assert_eq!(read("22 GNU.sparse.major=1\n").unwrap_err(), "a sparse file");
        for wrong in ["x", "5 path=a\n", "99 path=a\n", "0 path=a\n", "3 a\n", "18446744073709551615 a=b\n", " a=b\n"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
