//! Commands that look after a store and what is made of it, each in a folder in which it has something to do, and what
//! must be so when one was cut short, or refused by the system at some call. It must not know how it was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::bench::{Bench, Ran, SMALL};

/// Where commands run; a copy of what `bases/` has for each.
const YARD: &str = "yard";

/// A command.
#[derive(Clone, Debug)]
pub struct Chore {
    pub name: &'static str,
    arguments: Vec<String>,
    /// The exit code that it has when it is left alone.
    pub code: i32,
    /// What it makes, which is the same whenever it is made.
    makes: &'static [&'static str],
    /// Results that it may take away.
    takes: Takes,
}

/// What becomes of results.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    /// All stay.
    Nothing,
    /// Those that are damaged are put aside.
    Damaged,
    /// Those that `gc` shows are deleted.
    Shown,
}

/// What a chore leaves when nobody disturbs it.
pub struct Done {
    makes: BTreeMap<String, Vec<u8>>,
    results: Vec<String>,
}

/// A bench with a folder for each chore.
pub struct Chores {
    pub bench: Bench,
    pub all: Vec<Chore>,
}

fn sh(bench: &Bench, script: &str) {
    let done = Command::new("sh").args(["-ec", script]).current_dir(bench.path("")).status();
    assert!(done.is_ok_and(|status| status.success()), "{script}");
}

impl Chores {
    pub fn new() -> Chores {
        let bench = Bench::measured();
        // A second generation: of the first, two results are nobody's then.
        bench.edit("small.toml", "R = \"50kpps\"", "R = 50001");
        bench.septet(&["run", "small.toml"]).code(0);
        bench.septet(&["archive", "create", "small.toml", "-o", "a.tar.zst", "--license", "MIT"]).code(0);
        sh(
            &bench,
            "mkdir -p bases/plain/t; cp -a .septet out small.toml a.tar.zst bases/plain; mkdir bases/plain/cache",
        );
        bench.upgrade("septet-gen");
        let mut all = Vec::new();
        let mut add = |name, line: &str, code, makes, takes| {
            let arguments = line.split(' ').map(str::to_string).collect();
            all.push(Chore { name, arguments, code, makes, takes });
        };
        let plain = |name: &str, script: &str| {
            sh(&bench, &format!("cp -a bases/plain bases/{name}; cd bases/{name}; {script}"));
        };
        plain("report", "rm -r out .septet/reports");
        add("report", "report small.toml --no-remote", 0, &["out"][..], Takes::Nothing);
        plain("report-again", "sed -i 's/title = \"Small\"/title = \"Smaller\"/' small.toml");
        add("report-again", "report small.toml --no-remote", 0, &["out"], Takes::Nothing);
        plain("create", "rm -r .septet/archives");
        add(
            "create",
            "archive create small.toml -o b.tar.zst --license MIT --no-remote",
            0,
            &["b.tar.zst"],
            Takes::Nothing,
        );
        plain("verify-archive", ":");
        add("verify-archive", "archive verify a.tar.zst", 0, &[], Takes::Nothing);
        plain("import", ":");
        add(
            "import",
            "archive import a.tar.zst --as theirs",
            0,
            &[".septet/origins/theirs/origin.json"],
            Takes::Nothing,
        );
        plain("compare", ":");
        add("compare", "compare small.toml latest~1 latest --json", 0, &[], Takes::Nothing);
        plain("accept", ":");
        add("accept", "accept small.toml --trigger generator", 0, &[], Takes::Nothing);
        let built = Path::new(env!("CARGO_BIN_EXE_septet")).with_file_name("septet-remote");
        let has_remote = built.is_file();
        if has_remote {
            sh(&bench, &format!("cp -p {} .", built.display()));
        } else {
            println!("skipped: push and pull: there is no septet-remote (make build makes it)");
        }
        plain("push", ":");
        let shared = format!("file://{}", bench.path(YARD).join("shared").display());
        add("push", &format!("store push {shared}"), 0, &["shared/results"], Takes::Nothing);
        plain("pull", "rm -r .septet");
        fs::create_dir_all(bench.path(YARD)).expect("the bench is writable");
        if has_remote {
            bench.septet(&["store", "push", &shared, "--store", "bases/push/.septet"]).code(0);
            sh(&bench, &format!("mv {YARD}/shared bases/pull/shared"));
        }
        add("pull", &format!("store pull {shared}"), 0, &[], Takes::Nothing);
        plain(
            "verify",
            "f=$(find .septet/results -name samples.parquet | sort | head -n 1); printf x >>$f; \
             f=$(find .septet/generations -name '*.zst' | sort | head -n 1); printf x >$f; \
             printf x >.septet/index/checkpoint",
        );
        add("verify", "store verify", 4, &[], Takes::Damaged);
        plain("sound", ":");
        add("sound", "store verify", 0, &[], Takes::Nothing);
        plain("gc", "rm -r .septet/archives");
        add("gc", "store gc --scope unreferenced,superseded --keep-generations 1", 0, &[], Takes::Shown);
        all.retain(|chore| has_remote || !["push", "pull"].contains(&chore.name));
        Chores { bench, all }
    }

    /// The folder in which a chore has to be done again, as it was in the beginning.
    pub fn fresh(&self, chore: &Chore) {
        sh(&self.bench, &format!("rm -rf {YARD}; cp -a bases/{} {YARD}", chore.name));
    }

    fn at(&self, arguments: &[&str]) -> Command {
        let mut command = self.bench.command(arguments);
        let yard = self.bench.path(YARD);
        command.current_dir(&yard).env("TMPDIR", yard.join("t")).env("XDG_CACHE_HOME", yard.join("cache"));
        command
    }

    fn septet(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.at(arguments).output().expect("septet can be started"))
    }

    /// The chore's command, in its folder, not started yet. What `gc` deletes it has shown before.
    pub fn command(&self, chore: &Chore) -> Command {
        let mut arguments: Vec<&str> = chore.arguments.iter().map(String::as_str).collect();
        if chore.takes != Takes::Shown {
            return self.at(&arguments);
        }
        let shown = self.septet(&[&arguments[..], &["--json"]].concat()).code(0).json();
        let list = shown["list"].as_str().expect("it has a digest").to_string();
        arguments.extend(["--delete", &list]);
        self.at(&arguments)
    }

    fn makes(&self, chore: &Chore) -> BTreeMap<String, Vec<u8>> {
        let mut made = BTreeMap::new();
        for name in chore.makes {
            let path: PathBuf = self.bench.path(YARD).join(name);
            match path.is_dir() {
                true => {
                    let files = self.bench.files(&format!("{YARD}/{name}"));
                    made.extend(files.into_iter().map(|(file, (_, _, bytes))| (format!("{name}/{file}"), bytes)));
                }
                false => drop(made.insert((*name).to_string(), fs::read(path).unwrap_or_default())),
            }
        }
        made
    }

    /// Files of results that are there.
    fn results(&self) -> Vec<String> {
        self.bench.files(&format!("{YARD}/.septet/results")).into_keys().filter(|name| name.len() > 60).collect()
    }

    /// Does a chore with nobody to disturb it.
    #[track_caller]
    pub fn done(&self, chore: &Chore) -> Done {
        self.fresh(chore);
        Ran::of(self.command(chore).output().expect("it starts")).code(chore.code);
        Done { makes: self.makes(chore), results: self.results() }
    }

    /// What must be so of a chore that was disturbed and says that it is done.
    #[track_caller]
    pub fn is_done(&self, chore: &Chore, done: &Done, about: &str) {
        let made = self.makes(chore);
        let differ: Vec<&String> =
            made.keys().chain(done.makes.keys()).filter(|name| made.get(*name) != done.makes.get(*name)).collect();
        assert!(differ.is_empty(), "{about}: {differ:?} are not what they are without it");
    }

    /// What must be so after a chore was disturbed, however it ended: nothing is lost, and doing it again does it.
    #[track_caller]
    pub fn goes_on(&self, chore: &Chore, done: &Done, about: &str) {
        let there = self.results();
        let missing: Vec<&String> = done.results.iter().filter(|name| !there.contains(name)).collect();
        // What was pulled is all of it.
        assert!(missing.is_empty() || chore.name == "pull", "{about}: {missing:?} are lost");
        let again = Ran::of(self.command(chore).output().expect("it starts"));
        let is_over = |words: &str| again.code == 2 && again.stderr.contains(words);
        let may_be_over = chore.takes == Takes::Damaged && again.code == 0 || is_over("is accepted already");
        assert!(again.code == chore.code || may_be_over, "{about}: again: {again:?}");
        assert!(!again.stderr.contains("panicked"), "{about}: again: {again:?}");
        if !may_be_over {
            self.is_done(chore, done, about);
        }
        assert_eq!(self.results(), done.results, "{about}: results after doing it again");
        let sound = self.septet(&["store", "verify"]);
        assert_eq!(sound.code, 0, "{about}: the store: {sound:?}");
        let left: Vec<String> = self.bench.files(&format!("{YARD}/t")).into_keys().collect();
        assert!(left.is_empty(), "{about}: left in $TMPDIR: {left:?}");
        let unfinished =
            self.bench.files(&format!("{YARD}/out")).into_keys().filter(|name| name.ends_with(".unfinished"));
        assert_eq!(unfinished.collect::<Vec<_>>(), Vec::<String>::new(), "{about}");
    }
}

/// The experiment whose results these are, at another rate: nothing of it is stored.
pub fn at_rate(rate: usize) -> String {
    SMALL.replace("R = \"50kpps\"", &format!("R = {rate}"))
}
