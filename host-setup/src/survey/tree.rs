//! The files that facts are read from, below a root that tests invent. A file that is not there is a fact
//! that is not there. It must not know what any file means.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cpulist;
use crate::lease::tree::HostTree;

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

    /// These files as settings see them.
    pub(super) fn settings(&self) -> HostTree {
        HostTree::at(&self.0)
    }

    /// Names in a folder, in order.
    pub(super) fn list(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.0.join(folder)).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The last part of what a symbolic link points to.
    pub(super) fn target(&self, path: &str) -> Option<String> {
        Some(fs::read_link(self.0.join(path)).ok()?.file_name()?.to_str()?.to_owned())
    }

    /// A list of CPUs like `0-3,8`.
    pub(super) fn cpus(&self, path: &str) -> Vec<u32> {
        self.text(path).map(|list| cpulist::parse(&list)).unwrap_or_default()
    }
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
