//! `[experiment]` and `[protocol]`: what the experiment is called, and how each of its tests is measured.
//! It must not know tests, figures or stores.

use host_setup::facts::AskedSettings;
use reports::spec::Id;
use toml::de::DeValue;

use super::document::{self, Findings, Node, Section, duration_ns, proportion, text, whole};
use super::matrix::{Times, WINDOW_NS_MIN};
use super::settings;
use reports::suggest;
use results::statistics::precise;

/// Most repetitions of a test that can be asked for.
pub const REPETITIONS_MAX: u64 = 1_000;
/// Shortest window, nanoseconds.
pub const DURATION_NS_MIN: u64 = 10_000_000;
/// Longest window, warm-up or cool-down, nanoseconds.
pub const DURATION_NS_MAX: u64 = wire::bounds::TIME_NS_MAX;

/// Keys of `[experiment]`.
pub const HEADING_KEYS: [&str; 4] = ["name", "title", "authors", "notes"];
/// Keys of `[protocol]`.
pub const PROTOCOL_KEYS: [&str; 10] =
    ["duration", "warmup", "cooldown", "repetitions", "precision", "cap", "order", "seed", "host", "settings"];
/// Keys of `repetitions` written as a table.
pub const REPETITIONS_KEYS: [&str; 3] = ["min", "max", "ci"];

/// Values of `order`; the first is meant where there is none.
pub const ORDER: [&str; 2] = ["random", "declared"];

/// How often a test is repeated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Repetitions {
    /// At least so often.
    pub min: u32,
    /// At most so often.
    pub max: u32,
    /// Between the two: until the half width of the interval is this part of the mean.
    pub ci: Option<f64>,
    /// Present where `precision` takes the place of `duration` and `repetitions`, so that set-ups are counted by the rule
    /// of [`precise`]: what a test may take of the testbed at most, nanoseconds.
    pub cap_ns: Option<u64>,
}

/// Most set-ups of a test that is measured to a precision.
pub const SET_UPS_MAX: u32 = 200;
/// What such a test may take of the testbed where nothing is said, nanoseconds: half an hour.
const CAP_NS: u64 = 1_800_000_000_000;
/// The least that can be said, nanoseconds: what the fewest set-ups of the shortest windows take.
const CAP_NS_MIN: u64 = precise::SET_UPS_MIN as u64 * WINDOW_NS_MIN;
/// The most, nanoseconds: a week.
const CAP_NS_MAX: u64 = 7 * 86_400_000_000_000;

/// In what order tests are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// In blocks of one repetition of every test, each in random order.
    Random,
    /// In blocks, each in the order of declaration.
    Declared,
}

/// How tests are measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Protocol {
    /// For groups that do not say otherwise.
    pub times: Times,
    /// How often each test is measured.
    pub repetitions: Repetitions,
    /// In what order.
    pub order: Order,
    /// The seed of the random order; absent for one made from the matrix.
    pub seed: Option<u64>,
    /// Whether the host's settings stay as they are: nothing is set but what programs need to run.
    pub leaves_host: bool,
    /// What is set besides what every measurement is given.
    pub asked: AskedSettings,
}

/// `[experiment]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading {
    /// Names the report's folder.
    pub name: Id,
    /// The report's title.
    pub title: String,
    /// Authors, in the order to show them.
    pub authors: Vec<String>,
    /// What a reader should know, in paragraphs.
    pub notes: Option<String>,
}

/// Reads `[experiment]`.
pub fn heading(section: Section<'_, '_>, findings: &mut Findings<'_>) -> Option<Heading> {
    section.only(&HEADING_KEYS, findings);
    let name = section.require("name", "name = \"my-experiment\"", findings);
    let name = name.and_then(|node| document::id(node, "the name of an experiment", findings));
    let title = section.get("title").map(|node| text(node, "title", 200, false, findings));
    let authors = section.get("authors").map(|node| authors(node, findings)).unwrap_or_default();
    let notes = section.get("notes").and_then(|node| text(node, "notes", 10_000, true, findings));
    let name = name?;
    let title = title.flatten().unwrap_or_else(|| name.to_string());
    Some(Heading { name, title, authors, notes })
}

fn authors(node: &Node<'_>, findings: &mut Findings<'_>) -> Vec<String> {
    let Some(array) = node.get_ref().as_array() else {
        let help = Some("write authors = [\"First Author\", \"Second Author\"]".into());
        findings.error(node.span(), format!("authors is a list, not {}", document::kind(node)), help);
        return Vec::new();
    };
    if array.len() > 100 {
        findings.error(node.span(), "there are more than 100 authors", None);
        return Vec::new();
    }
    array.iter().filter_map(|author| text(author, "an author", 200, false, findings)).collect()
}

/// Reads `[protocol]`.
pub fn protocol(section: Section<'_, '_>, findings: &mut Findings<'_>) -> Option<Protocol> {
    section.only(&PROTOCOL_KEYS, findings);
    for (key, example) in [("warmup", "warmup = \"1s\""), ("cooldown", "cooldown = \"1s\"")] {
        section.require(key, example, findings);
    }
    let (times, repetitions) = match section.get("precision") {
        Some(node) => precision(section, node, findings),
        None => repeated(section, findings),
    };
    let order = section.get("order").map_or(Some(ORDER[0]), |node| choice(node, "order", &ORDER, findings));
    let order = order.map(|order| if order == ORDER[0] { Order::Random } else { Order::Declared });
    let seed = section.get("seed").map(|node| whole(node, "seed", 0, i64::MAX as u64, findings));
    let (leaves_host, asked) = settings::read(section, findings)?;
    Some(Protocol { times: times?, repetitions: repetitions?, order: order?, seed: seed.flatten(), leaves_host, asked })
}

/// Windows of one length, so many times.
fn repeated(section: Section<'_, '_>, findings: &mut Findings<'_>) -> (Option<Times>, Option<Repetitions>) {
    section.require(
        "duration",
        "duration = \"10s\", or precision = 0.02 in its place and that of repetitions",
        findings,
    );
    let times = times(section, None, findings);
    let node = section.require("repetitions", "repetitions = 5", findings);
    if let Some(cap) = section.get("cap") {
        let help = Some("write precision = 0.02 in place of duration and repetitions, or take cap out".into());
        findings.error(cap.span(), "cap is for tests that are measured to a precision", help);
    }
    (times, node.and_then(|node| repetitions(node, findings)))
}

/// Windows and set-ups as many and as long as a precision takes.
fn precision(
    section: Section<'_, '_>,
    node: &Node<'_>,
    findings: &mut Findings<'_>,
) -> (Option<Times>, Option<Repetitions>) {
    let ratio = proportion(node, "precision", findings);
    let mut alone = true;
    for key in ["duration", "repetitions"] {
        if let Some(other) = section.get(key) {
            let help = format!("take {key} out, or precision; a group of tests may have a duration of its own");
            findings.error(other.span(), format!("precision takes the place of {key}"), Some(help));
            alone = false;
        }
    }
    let cap = section.get("cap");
    let cap_ns = cap.map_or(Some(CAP_NS), |cap| duration_ns(cap, "cap", CAP_NS_MIN, CAP_NS_MAX, findings));
    let shortest = Times { duration_ns: WINDOW_NS_MIN, warmup_ns: 0, cooldown_ns: 0, chosen: true };
    let mut time =
        |key: &'static str| section.get(key).and_then(|node| duration_ns(node, key, 0, DURATION_NS_MAX, findings));
    let (warmup_ns, cooldown_ns) = (time("warmup"), time("cooldown"));
    let times = warmup_ns.zip(cooldown_ns);
    let times = times.map(|(warmup_ns, cooldown_ns)| Times { warmup_ns, cooldown_ns, ..shortest });
    let repetitions = ratio.zip(cap_ns).map(|(ratio, cap_ns)| Repetitions {
        min: precise::SET_UPS_MIN as u32,
        max: SET_UPS_MAX,
        ci: Some(ratio),
        cap_ns: Some(cap_ns),
    });
    (times, repetitions.filter(|_| alone))
}

/// The times that a section gives, those that it leaves out from `default`.
pub fn times(section: Section<'_, '_>, default: Option<Times>, findings: &mut Findings<'_>) -> Option<Times> {
    let mut time = |key: &'static str, least: u64, default: Option<u64>| match section.get(key) {
        Some(node) => duration_ns(node, key, least, DURATION_NS_MAX, findings),
        None => default,
    };
    let chosen = default.is_some_and(|times| times.chosen) && section.get("duration").is_none();
    let duration_ns = time("duration", DURATION_NS_MIN, default.map(|times| times.duration_ns));
    let warmup_ns = time("warmup", 0, default.map(|times| times.warmup_ns));
    let cooldown_ns = time("cooldown", 0, default.map(|times| times.cooldown_ns));
    Some(Times { duration_ns: duration_ns?, warmup_ns: warmup_ns?, cooldown_ns: cooldown_ns?, chosen })
}

fn repetitions(node: &Node<'_>, findings: &mut Findings<'_>) -> Option<Repetitions> {
    let count = |node: &Node<'_>, what: &str, findings: &mut Findings<'_>| {
        whole(node, what, 1, REPETITIONS_MAX, findings).and_then(|count| u32::try_from(count).ok())
    };
    if !matches!(node.get_ref(), DeValue::Table(_)) {
        let exactly = count(node, "repetitions", findings)?;
        return Some(Repetitions { min: exactly, max: exactly, ci: None, cap_ns: None });
    }
    let section = Section::of("repetitions", node, findings)?;
    section.only(&REPETITIONS_KEYS, findings);
    let example = "repetitions = { min = 5, max = 10, ci = 0.02 }, or a plain number";
    let min = section.require("min", example, findings).and_then(|node| count(node, "min", findings));
    let max = section.require("max", example, findings).and_then(|node| count(node, "max", findings));
    let ci_node = section.get("ci");
    let ci = ci_node.and_then(|node| proportion(node, "ci", findings));
    let (min, max) = (min?, max?);
    if min > max {
        findings.error(node.span(), format!("repetitions has min = {min} above max = {max}"), None);
        return None;
    }
    if min < max && ci_node.is_none() {
        let help = Some("add ci = 0.02: more are made until the interval is within 2 % of the mean".into());
        findings.missing(node.span(), "min < max needs ci", help);
        return None;
    }
    Some(Repetitions { min, max, ci, cap_ns: None })
}

/// The one of a few words that a value is.
pub(super) fn choice(
    node: &Node<'_>,
    what: &str,
    words: &[&'static str],
    findings: &mut Findings<'_>,
) -> Option<&'static str> {
    let asked = node.get_ref().as_str();
    let word = words.iter().copied().find(|word| Some(*word) == asked);
    if word.is_none() {
        let help = suggest::help(asked.unwrap_or_default(), words.iter().copied()).filter(|_| asked.is_some());
        let words: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
        findings.error(node.span(), format!("{what} is {}", words.join(" or ")), help);
    }
    word
}
