//! Applications that a site defines: a pair of programs of the user's own in place of ours, as data. An adapter in the
//! container starts them and speaks for them. It must not know how a container is made, or what the programs do.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::switch::custom::{is_name, is_no_path};
use crate::written::{Problem, Table};

/// What a test says in place of a stack that runs one: `stack = "application:NAME"`.
pub const PREFIX: &str = "application:";
/// The program that speaks for them; it lies beside the agent.
pub const ADAPTER: &str = "septet-adapter";
/// Where the adapter finds what it is to start, in its container.
pub const DEFINITION_FILE: &str = "/definition.json";
/// Keys of `[applications.NAME]`.
pub const KEYS: [&str; 6] = ["sender", "receiver", "files", "packages", "ready", "reads"];
/// Most words of a command line.
const WORDS_MAX: usize = 256;
/// Longest of them, bytes.
const WORD_BYTES_MAX: usize = 4096;

/// A pair of programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Program and arguments of the end that sends.
    pub sender: Vec<String>,
    /// Program and arguments of the end that receives.
    pub receiver: Vec<String>,
    /// Files and folders that they load or read besides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<PathBuf>,
    /// Packages that have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub packages: Vec<String>,
    /// What the receiver says when it receives; absent if it is ready at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
    /// How they say what they counted.
    pub reads: Reads,
}

/// How programs say what they counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reads {
    /// Lines of JSON on standard output: `{"interval": {"from_s": 0.0, "to_s": 0.1, "packets": 10, "lost": 0}}`, and at
    /// last `{"total": {"packets": 100, "lost": 0}}`.
    Lines,
    /// What iperf3 prints with `--json`.
    Iperf3,
}

/// What can stand between braces in a command line, each with what it stands for.
#[derive(Clone, Debug)]
pub struct Filling(pub BTreeMap<&'static str, String>);

/// Names of what can stand there.
pub const HOLES: [&str; 10] = [
    "address",
    "peer",
    "port",
    "packets",
    "payload_bytes",
    "rate_pps",
    "rate_bits_per_s",
    "burst",
    "seconds",
    "milliseconds",
];

impl Filling {
    /// A word with its holes filled; one that was not understood when it was defined stays as it is.
    pub fn fill(&self, word: &str) -> String {
        self.0.iter().fold(word.to_string(), |word, (hole, value)| word.replace(&format!("{{{hole}}}"), value))
    }
}

/// What is wrong with a word, and where in it.
fn misfit(word: &str) -> Option<(Range<usize>, String)> {
    let start = word.find(['{', '}'])?;
    let mut at = start;
    while let Some(found) = word[at..].find(['{', '}']) {
        let brace = at + found;
        let end = word[brace..].find('}').filter(|_| word[brace..].starts_with('{'))?;
        let name = &word[brace + 1..brace + end];
        if !HOLES.contains(&name) {
            return Some((
                brace..brace + end + 1,
                format!("nothing fills {{{}}}", name.chars().take(40).collect::<String>()),
            ));
        }
        at = brace + end + 1;
    }
    None
}

/// Whether every brace of a word has its other.
fn pairs(word: &str) -> bool {
    let mut open = false;
    for c in word.chars().filter(|c| matches!(c, '{' | '}')) {
        if (c == '{') == open {
            return false;
        }
        open = !open;
    }
    !open
}

/// What is wrong with a definition: the key, the word and where in it, and what, in words.
pub type DefinitionProblem = (&'static str, Option<(String, Range<usize>)>, String);

impl Definition {
    /// The first thing that is wrong with it, but for what is on the host: the key, the word and what, in words.
    pub fn problem(&self) -> Option<DefinitionProblem> {
        let files = self.files.iter().map(|file| ("files", file.clone()));
        let programs = [("sender", &self.sender), ("receiver", &self.receiver)];
        for (key, words) in programs {
            let Some(program) = words.first() else { return Some((key, None, format!("{key} names no program"))) };
            if is_no_path(program.as_ref()).is_some() {
                let problem = format!("{key} begins with no program: write an absolute path without '..'");
                return Some((key, None, problem));
            }
            let long = words.len() > WORDS_MAX || words.iter().any(|word| word.len() > WORD_BYTES_MAX);
            if long || words.iter().any(|word| word.contains('\0')) {
                return Some((key, None, format!("{key} is too long, or has a NUL in it")));
            }
            for word in &words[1..] {
                let all = 0..word.len();
                let found =
                    misfit(word).or_else(|| (!pairs(word)).then(|| (all, "a brace that does not pair".to_string())));
                if let Some((at, problem)) = found {
                    return Some((key, Some((word.clone(), at)), problem));
                }
            }
        }
        files
            .into_iter()
            .find_map(|(key, file)| is_no_path(&file).map(|help| (key, None, format!("files names no file: {help}"))))
    }

    /// Every file that is run or read because of it.
    pub(crate) fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let programs = [self.sender.first(), self.receiver.first()].into_iter().flatten().map(PathBuf::from);
        programs.chain(self.files.iter().cloned())
    }

    /// What the adapter reads, and what is in keys.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// What an application is called in a scene and in facts.
pub fn id(name: &str) -> String {
    format!("application.{name}")
}

/// Whether that can name an application of a site: it becomes a part of paths, in lower case.
pub fn is_application_name(name: &str) -> bool {
    is_name(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// Reads the definition in a table of `source`.
///
/// # Errors
/// All that is wrong with it, each with its place.
pub fn read(name: &str, table: &DeTable<'_>, span: Range<usize>, source: &str) -> Result<Definition, Vec<Problem>> {
    let mut table = Table::new(format!("[applications.{name}]"), table, span, source);
    table.only(&KEYS);
    let example = "[\"/usr/bin/PROGRAM\", \"--to\", \"{peer}\"]";
    let sender = table.required("sender", example).and_then(|node| words(&mut table, "sender", node));
    let receiver = table.required("receiver", example).and_then(|node| words(&mut table, "receiver", node));
    let files = table.get("files").and_then(|node| words(&mut table, "files", node)).unwrap_or_default();
    let packages = table.get("packages").and_then(|node| words(&mut table, "packages", node)).unwrap_or_default();
    let ready = table.get("ready").and_then(|node| table.text("ready", node));
    let reads = table.required("reads", "\"lines\" or \"iperf3\"");
    let reads = reads.and_then(|node| table.word::<Reads>("reads", node, "\"lines\" or \"iperf3\""));
    let (Some(sender), Some(receiver), Some(reads)) = (sender, receiver, reads) else { return Err(table.problems) };
    let files = files.into_iter().map(PathBuf::from).collect();
    let definition = Definition { sender, receiver, files, packages, ready, reads };
    if let Some((key, text, problem)) = definition.problem() {
        let help = format!("holes are {}", HOLES.map(|hole| format!("{{{hole}}}")).join(", "));
        table.problem(table.places.of(key, text.as_ref()), problem, Some(&help));
    }
    if table.problems.is_empty() { Ok(definition) } else { Err(table.problems) }
}

fn words(table: &mut Table<'_, '_>, key: &str, node: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
    let Some(list) = node.get_ref().as_array() else {
        table.problem(node.span(), format!("{key} is a list of texts"), Some("write it as [\"...\"]"));
        return None;
    };
    list.iter().map(|node| table.text(key, node)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Definition {
        let sender = words.iter().map(|word| (*word).to_string()).collect();
        let receiver = vec!["/bin/cat".to_string()];
        Definition { sender, receiver, files: Vec::new(), packages: Vec::new(), ready: None, reads: Reads::Lines }
    }

    #[test]
    fn holes_are_filled_and_what_nothing_fills_is_told() {
        let filling = Filling([("peer", "10.0.0.2".to_string()), ("packets", "7".to_string())].into());
        assert_eq!(filling.fill("{peer}:{packets}"), "10.0.0.2:7");
        assert_eq!(of(&["/bin/a", "--to={peer}", "{packets}{burst}"]).problem(), None);
        for wrong in [&["/bin/a", "{paket}"][..], &["/bin/a", "{"], &["/bin/a", "}"], &["/bin/a", "{peer"], &["a"], &[]]
        {
            assert!(of(wrong).problem().is_some(), "{wrong:?}");
        }
        assert!(of(&["/bin/../a"]).problem().is_some());
        assert!(is_application_name("iperf3") && !is_application_name("../a") && !is_application_name("A"));
    }
}
