//! What names a machine and its user: found in the records and on the machine that makes an archive; replaced in texts,
//! and searched for in everything that is given away. It must not know what texts mean.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv6Addr;

use super::super::ArchiveError;
use super::super::bag::{Content, Piece};
use crate::beneath;
use crate::store::bounded;

/// Words that name nobody: there are users and hosts of these names, and texts that mean something else by them.
const COMMON: [&str; 18] = [
    "root",
    "user",
    "users",
    "admin",
    "test",
    "nobody",
    "localhost",
    "host",
    "server",
    "client",
    "debian",
    "ubuntu",
    "fedora",
    "arch",
    "linux",
    "guest",
    "system",
    "septet",
];
/// Shortest word that is searched for in texts, and in what is none: shorter ones are in everything.
const WORD_CHARS_MIN: usize = 2;
const WORD_CHARS_MIN_BINARY: usize = 6;
/// Most bytes that a compressed file of an archive may become here.
const UNPACKED_BYTES_MAX: u64 = 1 << 30;

/// Words that may be in nothing that is given away, each with what stands for it.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// Longest first, so that a path is replaced before the name in it.
    words: Vec<(String, String)>,
    hosts: BTreeMap<String, String>,
}

impl Identity {
    /// What identifies the hosts of some records, and this machine and its user.
    pub fn of(hosts: impl Iterator<Item = String>) -> Identity {
        let names: BTreeSet<String> = hosts.filter(|name| !name.is_empty()).collect();
        let hosts: BTreeMap<String, String> =
            names.into_iter().zip(1..).map(|(name, number)| (name, format!("host-{number}"))).collect();
        let mut words: BTreeMap<String, String> = BTreeMap::new();
        let read = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_string()).unwrap_or_default();
        let here = read("/proc/sys/kernel/hostname");
        let known = hosts.iter().map(|(name, other)| (name.clone(), other.clone()));
        for (name, other) in known.chain([(here, "host".to_string())]) {
            if let Some((short, _)) = name.split_once('.') {
                words.entry(short.to_string()).or_insert(other.clone());
            }
            words.entry(name).or_insert(other);
        }
        let variable = |name: &str| std::env::var(name).unwrap_or_default();
        for name in ["USER", "LOGNAME", "SUDO_USER"].map(variable) {
            words.entry(name).or_insert("user".to_string());
        }
        let own = nix::unistd::User::from_uid(nix::unistd::getuid()).ok().flatten();
        words.entry(own.map(|user| user.name).unwrap_or_default()).or_insert("user".to_string());
        words.entry(variable("HOME")).or_insert("/home/user".to_string());
        for address in addresses() {
            words.entry(address).or_insert("address".to_string());
        }
        let is_telling = |word: &str| {
            let is_path = word.starts_with('/') && word.len() > 1;
            is_path || word.chars().count() >= WORD_CHARS_MIN && !COMMON.contains(&word.to_ascii_lowercase().as_str())
        };
        let mut words: Vec<(String, String)> = words.into_iter().filter(|(word, _)| is_telling(word)).collect();
        words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
        Identity { words, hosts }
    }

    /// What stands for a host.
    pub fn host(&self, name: &str) -> String {
        self.hosts.get(name).cloned().unwrap_or_else(|| "host".to_string())
    }

    /// A text without any of the words, and without the names of others' homes.
    pub fn without(&self, text: &str) -> String {
        let mut out = text.to_string();
        for (word, other) in &self.words {
            out = replaced(&out, word, other);
        }
        homes(&out)
    }

    /// The first of the words that is in some bytes.
    fn found_in(&self, bytes: &[u8]) -> Option<&str> {
        let text = String::from_utf8_lossy(bytes);
        let is_text = matches!(text, std::borrow::Cow::Borrowed(_));
        let fits = |word: &str| is_text || word.chars().count() >= WORD_CHARS_MIN_BINARY;
        let mut words = self.words.iter().map(|(word, _)| word.as_str());
        words.find(|word| fits(word) && places(&text, word).next().is_some())
    }

    /// Searches everything that an archive is made of.
    ///
    /// # Errors
    /// Where a word is in it, with the file's name.
    pub fn refuse_in(&self, pieces: &[Piece]) -> Result<(), ArchiveError> {
        for piece in pieces {
            let read;
            let bytes: &[u8] = match &piece.content {
                Content::Bytes(bytes) => bytes,
                Content::File(path) => {
                    read = beneath::plain_file(path, u64::MAX)?;
                    &read
                }
            };
            let unpacked = match piece.name.ends_with(".zst") {
                true => bounded::unpack(bytes, UNPACKED_BYTES_MAX).ok(),
                false => None,
            };
            let bytes = unpacked.as_deref().unwrap_or(bytes);
            if let Some(word) = self.found_in(bytes).or_else(|| self.found_in(piece.name.as_bytes())) {
                let why = match piece.name.starts_with("store/manifests/") {
                    true => {
                        "; a key is the digest of its manifest, so that it cannot be left out and the key still be checked"
                    }
                    false => "; it is in the experiment's own words, or in what was measured: take it out there",
                };
                return Err(ArchiveError::unfit("without names", format!("{} holds '{word}'{why}", piece.name)));
            }
        }
        Ok(())
    }
}

/// Where a word stands as a word of its own.
fn places<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let joins = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(joins) && !after.is_some_and(joins)
    })
}

fn replaced(text: &str, word: &str, other: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut from = 0;
    for at in places(text, word) {
        out.push_str(&text[from..at]);
        out.push_str(other);
        from = at + word.len();
    }
    out.push_str(&text[from..]);
    out
}

/// A text in which every home is that of `user`.
fn homes(text: &str) -> String {
    const HOME: &str = "/home/";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(HOME) {
        let (before, after) = rest.split_at(at + HOME.len());
        out.push_str(before);
        let end = after.find(|character: char| !(character.is_alphanumeric() || "._-".contains(character)));
        let end = end.unwrap_or(after.len());
        out.push_str(if end == 0 { "" } else { "user" });
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

/// Addresses of this machine's interfaces: of Ethernet, IPv4 and IPv6, without those that every machine has.
fn addresses() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        let address = fs::read_to_string(entry.path().join("address")).unwrap_or_default();
        found.insert(address.trim().to_string());
    }
    let routes = fs::read_to_string("/proc/net/fib_trie").unwrap_or_default();
    let mut last = "";
    for line in routes.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            last = address;
        } else if line == "/32 host LOCAL" {
            found.insert(last.to_string());
        }
    }
    for line in fs::read_to_string("/proc/net/if_inet6").unwrap_or_default().lines() {
        let digits = line.split_whitespace().next().and_then(|digits| u128::from_str_radix(digits, 16).ok());
        found.extend(digits.map(|digits| Ipv6Addr::from(digits).to_string()));
    }
    found.retain(|address| {
        !address.is_empty()
            && !address.starts_with("127.")
            && address != "::1"
            && !address.starts_with("00:00:00:00:00:00")
    });
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn identity() -> Identity {
        let mut identity = Identity::of(["lab7.example.org".to_string(), "kvm".to_string()].into_iter());
        identity.words.push(("ada".to_string(), "user".to_string()));
        identity
    }

    #[test]
    fn words_are_replaced_where_they_stand_alone() {
        let identity = identity();
        assert_eq!(
            identity.without("kvm said kvm-clock on lab7.example.org, lab7"),
            "host-1 said kvm-clock on host-2, host-2"
        );
        assert_eq!(
            identity.without("/home/ada/x and /home/bob: ada's adamant"),
            "/home/user/x and /home/user: user's adamant"
        );
        assert_eq!(identity.host("kvm"), "host-1");
        assert_eq!(identity.host("elsewhere"), "host");
    }

    #[test]
    fn what_holds_a_word_is_refused_by_its_name() {
        let identity = identity();
        let log = zstd::bulk::compress(b"measured by ada", 3).expect("zstd works");
        let refused = |piece: Piece| identity.refuse_in(&[piece]).expect_err("it names somebody").to_string();
        assert!(refused(Piece::new("store/results/aa/log.zst", log)).contains("log.zst holds 'ada'"));
        assert!(
            refused(Piece::new("store/manifests/aa/k.json", b"kvm".to_vec())).contains("the digest of its manifest")
        );
        assert!(refused(Piece::new("report/lab7.html", b"x".to_vec())).contains("holds 'lab7'"));
        assert!(identity.refuse_in(&[Piece::new("a", b"adamant kvm-clock".to_vec())]).is_ok());
    }

    proptest! {
        #[test]
        fn nothing_is_left_of_any_text(text in "(ada|kvm|lab7| |/home/|-|x|é){0,20}") {
            let identity = identity();
            let left = identity.without(&text);
            prop_assert_eq!(identity.found_in(left.as_bytes()), None);
        }
    }
}
