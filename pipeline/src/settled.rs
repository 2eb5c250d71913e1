//! That nothing is to be done, known without a plan: a stamp of all that a plan and its report are made of, left by a
//! run that found nothing to do while nothing changed. A cache: a stamp that is missing, of another place or of
//! another time costs a plan, and nothing else. Stamps lie among the user's own caches and not in the store, which may be
//! somebody else's. It must not know how plans and reports are made.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use host_setup::facts::Facts;
use host_setup::settings::planned::left_as_it_is;
use serde::{Deserialize, Serialize};

use crate::beneath::{self, Below, Folder, Look};
use crate::experiment::FILE_BYTES_MAX;
use crate::own_cache;
use crate::plan::Counts;
use crate::report;
use crate::site;
use crate::store::{self, Store};

/// Version of a stamp; one of another version is none.
const VERSION: u32 = 1;
/// The folder of the stamps among the user's caches.
const CACHE: &str = "settled";
/// Most bytes of a stamp.
const BYTES_MAX: u64 = 1 << 16;
/// A file that changed less than this before it was looked at may change once more in the same tick of its file
/// system's clock, and look the same.
pub const TICK: Duration = Duration::from_millis(25);
/// The tick of file systems whose times are whole seconds.
const COARSE_TICK: Duration = Duration::from_secs(2);
/// Folders of a store whose files are looked at one by one; those of the experiment's generations come on top.
const FOLDERS: [&str; 3] = ["index", "acceptances", "results"];
/// The program that runs.
const PROGRAM: &str = "/proc/self/exe";

/// What is asked about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The experiment.
    pub file: &'a Path,
    /// Where its report goes, if that was said.
    pub output: Option<&'a Path>,
    /// Whether a report is wanted.
    pub report: bool,
}

/// All that was seen of the files that a plan is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// What the experiment file says.
    content: blake3::Hash,
    /// All but the generations.
    inputs: blake3::Hash,
    /// The experiment's generations.
    generations: blake3::Hash,
    /// When the last of the files changed, ns since 1970.
    youngest_ns: i128,
}

/// That nothing is to be done as long as nothing changes.
#[derive(Debug, Serialize, Deserialize)]
pub struct Stamp {
    version: u32,
    sight: String,
    facts: String,
    /// The experiment's name.
    pub experiment: String,
    /// The stacks that its tests name, the system's own left out.
    pub stacks: Vec<String>,
    /// Whether the experiment leaves the host as it is, and goes by the facts of such a host.
    pub leaves_host: bool,
    /// Whether a plan says its numbers and nothing else.
    pub says_no_more: bool,
    /// The plan in numbers: all tests, stored ones, those of them that lean on an accepted change, and skipped ones.
    tests: [usize; 4],
    /// The generation that stands on what is stored.
    pub generation: String,
    /// What the report is made of, where one is wanted.
    pub report: Option<report::Inputs>,
}

impl Asked<'_> {
    /// The name of the stamp: there is one for each experiment, store and place of a report.
    fn name(&self, store: &Store) -> Option<String> {
        let output = self.output.unwrap_or(Path::new("")).join(".");
        let mut hasher = blake3::Hasher::new();
        for path in [self.file, &output, store.root()] {
            let path = std::path::absolute(path).ok()?;
            hasher.update(&(path.as_os_str().len() as u64).to_le_bytes());
            hasher.update(path.as_os_str().as_encoded_bytes());
        }
        hasher.update(&[u8::from(self.output.is_some()), u8::from(self.report)]);
        Some(format!("{}.json", &hasher.finalize().to_hex()[..32]))
    }

    /// The stamp that this user left, if it can be understood.
    pub fn recall(&self, store: &Store) -> Option<Stamp> {
        self.recall_in(&Folder::open_if_there(&own_cache::folder(CACHE)?).ok()??, store)
    }

    fn recall_in(&self, cache: &Folder, store: &Store) -> Option<Stamp> {
        let name = cache.name([&self.name(store)?]).ok()?;
        let own = nix::unistd::geteuid().as_raw();
        cache.look(&name).ok()?.filter(|look| look.uid == own)?;
        let bytes = cache.read_if_there(&name, BYTES_MAX).ok()??;
        let stamp: Stamp = serde_json::from_slice(&bytes).ok()?;
        (stamp.version == VERSION).then_some(stamp)
    }

    /// Leaves a stamp in the place of the one that is there.
    ///
    /// # Errors
    /// When it cannot be written: the next run makes a plan then.
    pub fn leave(&self, store: &Store, stamp: &Stamp) -> Result<(), beneath::Error> {
        let Some(path) = own_cache::folder(CACHE) else { return Ok(()) };
        self.leave_in(&Folder::make(&path)?, store, stamp)
    }

    fn leave_in(&self, cache: &Folder, store: &Store, stamp: &Stamp) -> Result<(), beneath::Error> {
        let (Some(name), Ok(bytes)) = (self.name(store), serde_json::to_vec(stamp)) else { return Ok(()) };
        let name = cache.name([&name])?;
        // Another user's with the same words is none.
        cache.remove_file(&name)?;
        cache.replace_if_different(&name, &bytes).map(drop)
    }
}

impl Stamp {
    /// A stamp of what was seen.
    pub fn of(sight: &Sight, facts: &str, counts: Counts) -> Stamp {
        Stamp {
            version: VERSION,
            sight: sight.digest(),
            facts: facts.to_string(),
            experiment: String::new(),
            stacks: Vec::new(),
            leaves_host: false,
            says_no_more: false,
            tests: [counts.total, counts.stored, counts.leaning, counts.skipped],
            generation: String::new(),
            report: None,
        }
    }

    /// Whether all files are as they were.
    pub fn is_of(&self, sight: &Sight) -> bool {
        self.sight == sight.digest()
    }

    /// Whether a host is as it was.
    pub fn stands_on(&self, facts: Facts) -> bool {
        let facts = if self.leaves_host { left_as_it_is(facts) } else { facts };
        digest(&facts).is_some_and(|digest| digest == self.facts)
    }

    /// The plan in numbers.
    pub fn counts(&self) -> Counts {
        let [total, stored, leaning, skipped] = self.tests;
        Counts { total, stored, leaning, to_measure: 0, skipped, eta: Default::default() }
    }
}

/// The digest of a host's facts, as an experiment goes by them; what is told beside them decides nothing.
pub fn digest(facts: &Facts) -> Option<String> {
    let facts = Facts { aside: Default::default(), ..facts.clone() };
    serde_json::to_vec(&facts).ok().map(|bytes| blake3::hash(&bytes).to_hex().to_string())
}

/// The digest of an experiment file; none where it cannot be read.
fn content(file: &Path) -> Option<blake3::Hash> {
    let mut bytes = Vec::new();
    beneath::open_input(file).ok()?.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).ok()?;
    Some(blake3::hash(&bytes))
}

impl Sight {
    /// Looks at all files; none where something cannot be looked at, or is to be told to the user.
    pub fn take(file: &Path, store: &Store, experiment: &str) -> Option<Sight> {
        let mut eye = Eye { hasher: blake3::Hasher::new(), youngest_ns: 0 };
        let program = fs::metadata(PROGRAM).ok()?;
        eye.numbers(&[program.dev(), program.ino(), program.len()]);
        eye.times(&[(program.mtime(), program.mtime_nsec()), (program.ctime(), program.ctime_nsec())]);

        let content = content(file)?;
        eye.hasher.update(content.as_bytes());
        eye.text(std::path::absolute(file).ok()?.as_os_str().as_encoded_bytes());
        let beside = match file.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let folder = Folder::open(beside).ok()?;
        eye.folder(&folder, &folder.name([report::TEMPLATES]).ok()?)?;
        let site = site::find(beside).ok().filter(|found| found.untrusted.is_none() && found.unread.is_none())?;
        eye.text(format!("{:?}", site.site).as_bytes());

        let root = store.folder().ok()??;
        eye.text(store.root().as_os_str().as_encoded_bytes());
        eye.look(root.look(&root.name([store::FORMAT]).ok()?).ok()?);
        // Somebody is at work, or was, and what is left of it is to be cleared.
        let unfinished = root.folder_if_there(&root.name([store::TMP]).ok()?).ok()?;
        if unfinished.is_some_and(|folder| folder.list().map_or(true, |listed| !listed.is_empty())) {
            return None;
        }
        for name in FOLDERS {
            eye.folder(&root, &root.name([name]).ok()?)?;
        }
        eye.folder(&root, &root.name(["forgotten", experiment]).ok()?)?;
        let inputs = std::mem::take(&mut eye.hasher).finalize();
        eye.folder(&root, &root.name(["generations", experiment]).ok()?)?;
        Some(Sight { content, inputs, generations: eye.hasher.finalize(), youngest_ns: eye.youngest_ns })
    }

    /// Whether the experiment file said this.
    pub fn has(&self, text: &[u8]) -> bool {
        blake3::hash(text) == self.content
    }

    /// Whether any change after this moment, ns since 1970, would be seen: none of the files changed just before it.
    pub fn would_tell(&self, now_ns: i128) -> bool {
        let knows_parts = self.youngest_ns % 1_000_000_000 != 0;
        let tick = if knows_parts { TICK } else { COARSE_TICK };
        now_ns > self.youngest_ns + tick.as_nanos() as i128
    }

    /// Whether nothing but generations became another since.
    pub fn is_but_for_generations(&self, now: &Sight) -> bool {
        (self.content, self.inputs) == (now.content, now.inputs)
    }

    fn digest(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.inputs.as_bytes());
        hasher.update(self.generations.as_bytes());
        hasher.finalize().to_hex().to_string()
    }
}

/// Takes note of what is seen.
struct Eye {
    hasher: blake3::Hasher,
    youngest_ns: i128,
}

impl Eye {
    fn text(&mut self, text: &[u8]) {
        self.numbers(&[text.len() as u64]);
        self.hasher.update(text);
    }

    fn numbers(&mut self, numbers: &[u64]) {
        for number in numbers {
            self.hasher.update(&number.to_le_bytes());
        }
    }

    /// Times in seconds and nanoseconds.
    fn times(&mut self, times: &[(i64, i64)]) {
        for (s, ns) in times {
            self.time(i128::from(*s) * 1_000_000_000 + i128::from(*ns));
        }
    }

    fn time(&mut self, ns: i128) {
        self.hasher.update(&ns.to_le_bytes());
        self.youngest_ns = self.youngest_ns.max(ns);
    }

    fn look(&mut self, look: Option<Look>) {
        let Some(Look { kind, len, mtime_ns, ctime_ns, device, inode, uid }) = look else {
            return self.text(b"nothing");
        };
        self.text(kind.to_string().as_bytes());
        self.numbers(&[len, device, inode, u64::from(uid)]);
        self.time(mtime_ns);
        self.time(ctime_ns);
    }

    /// A folder and what lies in it.
    fn folder(&mut self, above: &Folder, name: &Below) -> Option<()> {
        self.text(name.as_str().as_bytes());
        self.look(above.look(name).ok()?);
        let Some(folder) = above.folder_if_there(name).ok()? else { return Some(()) };
        let mut listed = folder.list().ok()?;
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        self.numbers(&[listed.len() as u64]);
        for entry in listed {
            self.text(entry.name.as_encoded_bytes());
            self.look(folder.look(&entry.below()?).ok()?);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Place {
            let place = Place(tempfile::tempdir().expect("a temporary folder can be made"));
            for (name, text) in FILES {
                place.put(name, text);
            }
            place
        }

        fn put(&self, name: &str, text: &str) {
            let path = self.0.path().join(name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("it is ours");
            fs::write(path, text).expect("it is ours");
        }

        fn asked(&self) -> std::path::PathBuf {
            self.0.path().join("a.toml")
        }

        fn sight(&self) -> Sight {
            let store = Store::open(&self.0.path().join("store")).expect("a store");
            Sight::take(&self.asked(), &store, "a").expect("all of it can be looked at")
        }

        /// Waits until a change now has another time than all before.
        fn tick(&self) {
            let time = || {
                self.put("clock", "");
                fs::metadata(self.0.path().join("clock")).expect("it is there").modified().expect("it has a time")
            };
            let before = time();
            while time() == before {}
        }
    }

    /// A store with some of everything, and what lies beside its experiment.
    const FILES: [(&str, &str); 9] = [
        ("a.toml", "an experiment"),
        ("templates/index.html", "a template"),
        ("store/index/checkpoint", "entries"),
        ("store/index/1-2-3.log", "more"),
        ("store/acceptances/0.json", "a statement"),
        ("store/results/ab/abc/record.json", "a record"),
        ("store/generations/a/1.json.zst", "a generation"),
        ("store/generations/b/1.json.zst", "another experiment's"),
        ("store/forgotten/a/0.json", "a head"),
    ];

    #[test]
    fn the_same_is_seen_as_long_as_nothing_changes() {
        let place = Place::new();
        let before = place.sight();
        assert_eq!(place.sight(), before);
        for (name, text) in [
            ("store/generations/b/2.json.zst", "no matter of this experiment"),
            ("store/reports/a-0/head.json", "{}"),
            ("store/manifests/00/0.json", "{}"),
            ("b.toml", "another experiment"),
        ] {
            place.put(name, text);
            assert_eq!(place.sight(), before, "{name}");
        }
    }

    #[test]
    fn beside_unfinished_work_nothing_is_known() {
        let place = Place::new();
        place.put("store/tmp/1-2-3/data", "half");
        let store = Store::open(&place.0.path().join("store")).expect("a store");
        assert_eq!(Sight::take(&place.asked(), &store, "a"), None);
        fs::remove_dir_all(place.0.path().join("store/tmp/1-2-3")).expect("it is ours");
        assert!(Sight::take(&place.asked(), &store, "a").is_some());
    }

    #[test]
    fn any_single_change_is_seen() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 6] = [
            ("other words of the same length", |path| {
                let text = fs::read_to_string(path).expect("it is ours");
                fs::write(path, text.to_uppercase()).expect("it is ours");
            }),
            ("more", |path| {
                fs::write(path, "much more than was in any of them").expect("it is ours");
            }),
            ("another file in its place", |path| {
                let text = fs::read(path).expect("it is ours");
                fs::remove_file(path).expect("it is ours");
                fs::write(path, text).expect("it is ours");
            }),
            ("gone", |path| fs::remove_file(path).expect("it is ours")),
            ("one more beside it", |path| fs::write(path.with_file_name("one-more"), "").expect("it is ours")),
            ("a link in its place", |path| {
                fs::rename(path, path.with_extension("away")).expect("it is ours");
                symlink(path.with_extension("away"), path).expect("it is ours");
            }),
        ];
        let of_this = FILES.iter().map(|(name, _)| *name);
        // The experiment is told by what it says; what is in a result is the result's own to prove.
        let looked_at = of_this.filter(|name| !["a.toml", "store/generations/b/1.json.zst"].contains(name));
        for name in looked_at.map(|name| name.trim_end_matches("/abc/record.json")) {
            for (what, change) in changes {
                if name == "store/results/ab" && what != "one more beside it" {
                    continue;
                }
                let place = Place::new();
                let before = place.sight();
                place.tick();
                change(&place.0.path().join(name));
                assert_ne!(place.sight(), before, "{name}: {what}");
            }
        }
        let place = Place::new();
        let before = place.sight();
        place.put("a.toml", "An experiment");
        assert_ne!(place.sight(), before);
        // A result that came by other means, and one that went.
        for change in [
            |path: &Path| fs::create_dir(path.join("ab/abd")).expect("it is ours"),
            |path: &Path| fs::remove_dir_all(path.join("ab/abc")).expect("it is ours"),
        ] {
            let place = Place::new();
            let before = place.sight();
            place.tick();
            change(&place.0.path().join("store/results"));
            assert_ne!(place.sight(), before);
        }
    }

    #[test]
    fn a_stamp_holds_where_and_when_it_was_left_and_nowhere_else() {
        let place = Place::new();
        let (file, store) = (place.asked(), Store::open(&place.0.path().join("store")).expect("a store"));
        let asked = Asked { file: &file, output: None, report: true };
        let cache = Folder::make(&place.0.path().join("cache")).expect("it is ours");
        assert!(asked.recall_in(&cache, &store).is_none());
        let sight = place.sight();
        let stamp = Stamp { experiment: "a".into(), ..Stamp::of(&sight, "facts", Counts::default()) };
        asked.leave_in(&cache, &store, &stamp).expect("the cache is ours");
        let recalled = asked.recall_in(&cache, &store).expect("it was left");
        assert!(recalled.is_of(&sight));
        // Another question has another stamp.
        let elsewhere = place.0.path().join("elsewhere");
        assert!(Asked { output: Some(&elsewhere), ..asked }.recall_in(&cache, &store).is_none());
        assert!(Asked { report: false, ..asked }.recall_in(&cache, &store).is_none());
        // The same files at another place are others.
        let other = Place::new();
        assert!(!recalled.is_of(&other.sight()));
        // What cannot be understood is no stamp.
        let name = asked.name(&store).expect("a name");
        for text in ["", "{", "{\"version\": 1}", "[]"] {
            place.put(&format!("cache/{name}"), text);
            assert!(asked.recall_in(&cache, &store).is_none(), "{text}");
        }
    }

    #[test]
    fn what_changed_just_before_may_change_unseen() {
        let place = Place::new();
        let sight = place.sight();
        let youngest_ns = sight.youngest_ns;
        assert!(!sight.would_tell(youngest_ns) && !sight.would_tell(youngest_ns + 20_000_000));
        assert!(sight.would_tell(youngest_ns + 25_000_001));
        let coarse = Sight { youngest_ns: 1_700_000_000_000_000_000, ..sight.clone() };
        assert!(
            !coarse.would_tell(coarse.youngest_ns + 1_500_000_000)
                && coarse.would_tell(coarse.youngest_ns + 2_000_000_001)
        );
        // A clock that was set back knows nothing.
        assert!(!sight.would_tell(youngest_ns - 3_600_000_000_000));
    }

    #[test]
    fn a_generation_more_is_told_from_other_changes() {
        let place = Place::new();
        let before = place.sight();
        place.put("store/generations/a/2.json.zst", "one more");
        let after = place.sight();
        assert!(before != after && before.is_but_for_generations(&after));
        place.put("store/index/2-3-4.log", "an entry");
        assert!(!before.is_but_for_generations(&place.sight()));
    }
}
