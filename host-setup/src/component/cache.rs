//! The dynamic linker's cache of libraries. It must not know who asks for them.

/// A library of 64 bits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cached {
    /// The name by which it is asked for.
    pub soname: String,
    /// Where it is, from the root.
    pub path: String,
    /// What a processor must be able to do for it: `x86-64-v3`; absent for any.
    pub level: Option<String>,
}

const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const HEADER_BYTES: usize = 48;
/// Place in the header of the place of extensions.
const EXTENSIONS: usize = 32;
const EXTENSIONS_MAGIC: u32 = 0xeaa4_2174;
/// The extension that names what processors can do.
const LEVELS_TAG: u32 = 1;
const ENTRY_BYTES: usize = 24;
/// Marks, in the upper half of what an entry asks of the hardware, that the lower half is a place in that extension.
const BY_LEVEL: u32 = 1 << 30;
/// ELF of the C library 6, for x86-64 and AArch64.
const KINDS: [u32; 2] = [0x0303, 0x0a03];

/// The libraries of a cache; those of older marks for hardware are left out. Empty for a cache that is not
/// understood: the default folders remain.
pub(super) fn read_cache(bytes: &[u8]) -> Vec<Cached> {
    let Some(start) = bytes.windows(MAGIC.len()).position(|window| window == MAGIC) else { return Vec::new() };
    let bytes = &bytes[start..];
    let levels = levels(bytes).unwrap_or_default();
    let entry = |index: usize| -> Option<Option<Cached>> {
        let place = HEADER_BYTES + index * ENTRY_BYTES;
        let (soname, path) = (text(bytes, number(bytes, place + 4)?)?, text(bytes, number(bytes, place + 8)?)?);
        let level = match (number(bytes, place + 20)?, number(bytes, place + 16)?) {
            (0, 0) => None,
            (BY_LEVEL, index) => match levels.get(index as usize) {
                Some(level) => Some(level.clone()),
                None => return Some(None),
            },
            _ => return Some(None),
        };
        Some(KINDS.contains(&number(bytes, place)?).then_some(Cached { soname, path, level }))
    };
    let count = number(bytes, MAGIC.len()).unwrap_or(0) as usize;
    (0..count).map_while(entry).flatten().collect()
}

fn levels(bytes: &[u8]) -> Option<Vec<String>> {
    let start = number(bytes, EXTENSIONS)? as usize;
    if start == 0 || number(bytes, start)? != EXTENSIONS_MAGIC {
        return None;
    }
    let mut sections = (0..number(bytes, start + 4)? as usize).map(|index| start + 8 + index * 16);
    let section = sections.find(|place| number(bytes, *place).is_none_or(|tag| tag == LEVELS_TAG))?;
    let (place, size) = (number(bytes, section + 8)? as usize, number(bytes, section + 12)? as usize);
    (0..size / 4).map(|index| text(bytes, number(bytes, place + index * 4)?)).collect()
}

fn number(bytes: &[u8], place: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(place..place.checked_add(4)?)?.try_into().ok()?))
}

fn text(bytes: &[u8], place: u32) -> Option<String> {
    let rest = bytes.get(place as usize..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::print_stdout, reason = "a skipped test prints its reason")]
    fn the_cache_of_this_machine_knows_the_c_library() {
        let Ok(bytes) = std::fs::read("/etc/ld.so.cache") else {
            println!("skipped: this machine has no /etc/ld.so.cache");
            return;
        };
        let cache = read_cache(&bytes);
        let is_libc = |cached: &Cached| cached.soname == "libc.so.6" && cached.path.starts_with('/');
        assert!(cache.iter().any(is_libc), "{cache:?}");
        assert!(read_cache(&bytes[..bytes.len() / 2]).len() <= cache.len());
        assert!(read_cache(b"nonsense").is_empty());
    }

    #[test]
    fn libraries_for_better_processors_are_marked() {
        // Two entries of one name, the second for what the extension names.
        let names = b"liba.so\0/a\0/b\0x86-64-v3\0";
        let strings = HEADER_BYTES + 2 * ENTRY_BYTES;
        let extension = strings + names.len();
        let mut bytes = vec![0u8; HEADER_BYTES];
        bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        bytes[20..24].copy_from_slice(&2u32.to_le_bytes());
        bytes[32..36].copy_from_slice(&(extension as u32).to_le_bytes());
        let at = |offset: usize| (strings + offset) as u32;
        for (path, upper) in [(8, 0), (11, BY_LEVEL)] {
            for word in [KINDS[0], at(0), at(path), 0, 0, upper] {
                bytes.extend(word.to_le_bytes());
            }
        }
        bytes.extend(names);
        let list = extension + 8 + 16;
        for word in [EXTENSIONS_MAGIC, 1, LEVELS_TAG, 0, list as u32, 4, at(14)] {
            bytes.extend(word.to_le_bytes());
        }
        let cached = |path: &str, level: Option<&str>| Cached {
            soname: "liba.so".into(),
            path: path.into(),
            level: level.map(str::to_owned),
        };
        assert_eq!(read_cache(&bytes), [cached("/a", None), cached("/b", Some("x86-64-v3"))]);
        for cut in 0..bytes.len() {
            let _ = read_cache(&bytes[..cut]);
        }
    }
}
