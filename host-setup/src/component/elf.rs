//! What an ELF file asks the dynamic linker for. It must not know where libraries are.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use object::Endianness;
use object::elf::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRSZ, DT_STRTAB, FileHeader64, NT_GNU_BUILD_ID};
use object::read::elf::{Dyn as _, FileHeader as _, NoteIterator, ProgramHeader as _};
use object::read::{ReadCache, ReadRef};
use serde::{Deserialize, Serialize};

use super::remembered::Remembered;

/// What a file asks for. All of it is empty for a static program.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Wants {
    /// Path of the dynamic linker.
    pub interpreter: Option<String>,
    /// Names of libraries, in order.
    pub needed: Vec<String>,
    /// Folders to look in, `$ORIGIN` included, for this file and all that it loads; ignored with a runpath.
    pub rpath: Vec<String>,
    /// Folders to look in, for this file only.
    pub runpath: Vec<String>,
}

/// Whether bytes are of an ELF file at all.
pub(crate) fn is_elf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x7fELF")
}

/// Whether a file is an ELF program that loads nothing.
pub(crate) fn is_static(path: &Path) -> bool {
    static KNOWN: Remembered<bool> = Remembered::new();
    let read = |mut file: File| {
        let mut magic = Vec::new();
        (&mut file).take(4).read_to_end(&mut magic)?;
        Ok(is_elf(&magic) && wants(&ReadCache::new(file)).is_ok_and(|wants| wants == Wants::default()))
    };
    KNOWN.of_kept("static", path, read).unwrap_or(false)
}

/// What a file asks for, reading no more of it than that; nothing for one that is no ELF file. The inner error
/// is what [`wants`] says.
pub(crate) fn wants_of_file(path: &Path) -> std::io::Result<Result<Wants, String>> {
    static KNOWN: Remembered<Result<Wants, String>> = Remembered::new();
    KNOWN.of_kept("wants", path, |mut file| {
        let mut magic = Vec::new();
        (&mut file).take(4).read_to_end(&mut magic)?;
        if !is_elf(&magic) {
            return Ok(Ok(Wants::default()));
        }
        Ok(wants(&ReadCache::new(file)))
    })
}

/// The GNU build-id of a file, hex; none for one without, or that is no ELF file.
pub(crate) fn build_id(path: &Path) -> Option<String> {
    static KNOWN: Remembered<Option<String>> = Remembered::new();
    KNOWN.of_kept("build-id", path, |file| Ok(build_id_of(file))).ok()?
}

fn build_id_of(file: File) -> Option<String> {
    let bytes = ReadCache::new(file);
    let header = FileHeader64::<Endianness>::parse(&bytes).ok()?;
    let endian = header.endian().ok()?;
    let segments = header.program_headers(endian, &bytes).ok()?;
    let mut notes = segments.iter().filter_map(|segment| segment.notes(endian, &bytes).ok().flatten());
    notes.find_map(|notes| among(notes, endian))
}

/// The build-id among ELF notes alone, as the kernel shows its own.
pub(crate) fn build_id_in(notes: &[u8]) -> Option<String> {
    /// What names and contents are padded to, bytes.
    const ALIGNMENT: u64 = 4;
    let own = Endianness::default();
    among(NoteIterator::new(own, ALIGNMENT, notes).ok()?, own)
}

fn among(mut notes: NoteIterator<FileHeader64<Endianness>>, endian: Endianness) -> Option<String> {
    while let Some(note) = notes.next().ok()? {
        if note.name() == b"GNU" && note.n_type(endian) == NT_GNU_BUILD_ID {
            return Some(note.desc().iter().map(|byte| format!("{byte:02x}")).collect());
        }
    }
    None
}

/// Reads it. The error is what the `object` crate says of a file that is damaged, or not of 64 bits.
pub(crate) fn wants<'data>(bytes: impl ReadRef<'data>) -> Result<Wants, String> {
    let text = |error: object::Error| error.to_string();
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(text)?;
    let endian = header.endian().map_err(text)?;
    let segments = header.program_headers(endian, bytes).map_err(text)?;
    let mut wants = Wants::default();
    let mut dynamic: &[_] = &[];
    for segment in segments {
        if let Some(interpreter) = segment.interpreter(endian, bytes).map_err(text)? {
            wants.interpreter = Some(String::from_utf8_lossy(interpreter).into_owned());
        }
        if let Some(entries) = segment.dynamic(endian, bytes).map_err(text)? {
            dynamic = entries;
        }
    }
    let value = |tag: i64| dynamic.iter().find(|entry| entry.tag(endian) == tag).map(|entry| entry.val(endian));
    let (Some(address), Some(size)) = (value(DT_STRTAB), value(DT_STRSZ)) else { return Ok(wants) };
    let strings = segments
        .iter()
        .find_map(|segment| segment.data_range(endian, bytes, address, size).ok().flatten())
        .ok_or("its strings are outside of it")?;
    for entry in dynamic {
        let tag = entry.tag(endian);
        if ![DT_NEEDED, DT_RPATH, DT_RUNPATH].contains(&tag) {
            continue;
        }
        let start = usize::try_from(entry.val(endian)).ok().filter(|start| *start < strings.len());
        let rest = &strings[start.ok_or("a name is outside of its strings")?..];
        let end = rest.iter().position(|byte| *byte == 0).ok_or("a name does not end")?;
        let text = String::from_utf8_lossy(&rest[..end]).into_owned();
        match tag {
            DT_NEEDED => wants.needed.push(text),
            DT_RPATH => wants.rpath.extend(text.split(':').map(str::to_owned)),
            _ => wants.runpath.extend(text.split(':').map(str::to_owned)),
        }
    }
    Ok(wants)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_build_id_is_found_among_other_notes() {
        let mut notes = Vec::new();
        for (name, kind, content) in [(&b"Xen\0"[..], 3u32, &b"no"[..]), (b"GNU\0", 3, b"\x01\xab\xff")] {
            notes.extend((name.len() as u32).to_ne_bytes());
            notes.extend((content.len() as u32).to_ne_bytes());
            notes.extend(kind.to_ne_bytes());
            notes.extend(name);
            notes.extend(content);
            notes.resize(notes.len().next_multiple_of(4), 0);
        }
        assert_eq!(build_id_in(&notes).as_deref(), Some("01abff"));
        for cut in 0..notes.len() - 1 {
            assert_eq!(build_id_in(&notes[..cut]), None);
        }
        assert_eq!(build_id_in(&[0xff; 64]), None);
    }

    #[test]
    fn this_test_wants_the_c_library() {
        let bytes = std::fs::read(std::env::current_exe().expect("this test")).expect("its bytes");
        let wants = wants(&*bytes).expect("a program");
        assert!(wants.needed.iter().any(|name| name.starts_with("libc.so")), "{wants:?}");
        assert!(wants.interpreter.is_some());
    }

    #[test]
    fn the_c_library_has_a_build_id_and_a_text_has_none() {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("what this test has mapped");
        let mut paths = maps.lines().filter_map(|line| Some(&line[line.find('/')?..]));
        let libc = paths.find(|path| path.contains("libc.so"));
        let id = build_id(Path::new(libc.expect("the C library"))).expect("its build-id");
        assert!(id.len() >= 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert_eq!(build_id(Path::new("/proc/self/maps")), None);
    }

    proptest! {
        #[test]
        fn damaged_files_are_refused_not_feared(flips in prop::collection::vec((0usize..4096, any::<u8>()), 0..20)) {
            let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
            bytes.truncate(1 << 20);
            for (place, byte) in flips {
                bytes[place] = byte;
            }
            let _ = wants(&*bytes);
        }
    }
}
