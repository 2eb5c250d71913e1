//! The files that facts are read from, below a root that tests invent. A file that is not there is a fact
//! that is not there. It must not know what any file means.

use std::fs;
use std::path::{Path, PathBuf};

pub(super) struct Tree(PathBuf);

impl Tree {
    pub(super) fn at(root: &Path) -> Tree {
        Tree(root.to_path_buf())
    }

    pub(super) fn bytes(&self, path: &str) -> Option<Vec<u8>> {
        fs::read(self.0.join(path)).ok()
    }

    /// Content without white space around it; absent if it is empty.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        let text = String::from_utf8_lossy(&self.bytes(path)?).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    pub(super) fn number<T: std::str::FromStr>(&self, path: &str) -> Option<T> {
        self.text(path)?.parse().ok()
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.0.join(path).exists()
    }

    /// Numbers at the end of a folder's entries that are called `prefix` and a number, in order.
    pub(super) fn numbered(&self, folder: &str, prefix: &str) -> Vec<u32> {
        let entries = fs::read_dir(self.0.join(folder)).into_iter().flatten().flatten();
        let number = |entry: fs::DirEntry| entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok();
        let mut numbers: Vec<u32> = entries.filter_map(number).collect();
        numbers.sort_unstable();
        numbers
    }

    /// A list of CPUs like `0-3,8`.
    pub(super) fn cpus(&self, path: &str) -> Vec<u32> {
        self.text(path).map(|list| parse_cpus(&list)).unwrap_or_default()
    }
}

/// What is not understood of it is left out, a range longer than any machine too.
fn parse_cpus(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last): (u32, u32) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (last.saturating_sub(first) < 1 << 16).then_some(first..=last)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
pub(super) fn invent(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
    let root = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).and_then(|()| fs::write(path, text)).expect("a file");
    }
    let tree = Tree::at(root.path());
    (root, tree)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_cpus() {
        assert_eq!(parse_cpus("0-2,8,10-11"), [0, 1, 2, 8, 10, 11]);
        assert!(parse_cpus("").is_empty());
        assert_eq!(parse_cpus("3-1,x,5,0-4294967295"), [5]);
    }
}
