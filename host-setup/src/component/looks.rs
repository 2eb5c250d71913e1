//! Files are looked at once while a host is surveyed: programs share most of their libraries, and one library is asked
//! for by dozens of them. It must not know what the files are.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::digests::{Identity, identity};

/// What was seen at a path: a file, whether it is a plain one, or the system's number of an error.
type Seen = Result<(Identity, bool), i32>;

thread_local! {
    /// What was seen since a survey began; nothing is kept outside of one.
    static SEEN: RefCell<Option<HashMap<PathBuf, Seen>>> = const { RefCell::new(None) };
}

/// Surveys, looking at each file once.
pub(crate) fn look_once<T>(survey: impl FnOnce() -> T) -> T {
    /// Forgets what was seen, also where the survey panics.
    struct Forget;
    impl Drop for Forget {
        fn drop(&mut self) {
            SEEN.set(None);
        }
    }
    let _forget = Forget;
    SEEN.set(Some(HashMap::new()));
    survey()
}

/// What tells one content of the file at a path from another.
pub(super) fn identity_of(path: &Path) -> io::Result<Identity> {
    look(path).map(|(identity, _)| identity).map_err(io::Error::from_raw_os_error)
}

/// Whether there is a plain file, or a link to one.
pub(crate) fn is_file(path: &Path) -> bool {
    look(path).is_ok_and(|(_, is_file)| is_file)
}

fn look(path: &Path) -> Seen {
    SEEN.with_borrow_mut(|seen| {
        let now = || match fs::metadata(path) {
            Ok(about) => Ok((identity(&about), about.is_file())),
            Err(error) => Err(error.raw_os_error().unwrap_or_default()),
        };
        match seen {
            Some(seen) => match seen.get(path) {
                Some(known) => *known,
                None => *seen.entry(path.to_path_buf()).or_insert_with(now),
            },
            None => now(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_looked_at_once_in_a_survey_and_anew_in_the_next() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a");
        let sees = || (is_file(&path), identity_of(&path).ok());
        assert_eq!(sees(), (false, None));
        look_once(|| {
            assert!(!is_file(&path));
            fs::write(&path, "a").expect("a file");
            assert_eq!(sees(), (false, None));
        });
        assert!(is_file(&path));
        let before = look_once(sees);
        fs::write(&path, "another").expect("a file");
        assert_ne!(look_once(sees), before);
    }
}
