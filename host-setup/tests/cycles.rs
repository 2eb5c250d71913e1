//! Settings under sudden death: a process that applies and restores them over and over is killed at random
//! instants, and whoever comes next gives every file its first value back. 50 cycles, or `SEPTET_CYCLES` of
//! them, from `SEPTET_SEED`; `cycles.sh` makes a thousand. And how long it takes when nobody dies.

// A figure for whoever reads the output.
#![allow(clippy::print_stdout)]

mod machines;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use host_setup::lease::JournalFile;
use host_setup::lease::tree::HostTree;
use host_setup::protocol::Setup;
use host_setup::settings::apply;
use machines::{CPU, Machine, files};

/// Tells the victim which folder is its host.
const ROOT: &str = "SEPTET_CYCLES_ROOT";

/// Settings that are files of one value, which a folder can play the kernel for.
fn setup() -> Setup {
    Setup {
        governor: Some("performance".into()),
        turbo: Some(false),
        frequency_khz: Some((2_200_000, 2_200_000)),
        smt: Some(false),
        hugepages_2m: vec![(0, 512), (1, 512)],
        hugepages_1g: vec![(1, 4)],
        quiet_cpus: (2..40).collect(),
        irqbalance: Some(false),
        ..Setup::default()
    }
}

/// A folder in memory, as the kernel's files and `/run` are.
fn host() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    let folder = folder.expect("a folder");
    Machine::r630("active").write_below(folder.path());
    folder
}

fn journal(root: &Path) -> JournalFile {
    JournalFile::at(&root.join("run/septet"))
}

fn apply_once(root: &Path) -> JournalFile {
    let mut journal = journal(root);
    apply(&mut HostTree::at(root), &mut journal, &setup(), &mut |_, _, _| Ok(())).expect("settings");
    journal
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Numbers that come again from the same seed (SplitMix64, Steele et al., OOPSLA 2014).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Not a test of its own: what `whoever_comes_next_gives_back` starts and kills.
#[test]
fn victim() {
    let Some(root) = std::env::var_os(ROOT).map(PathBuf::from) else { return };
    fs::write(root.join("began"), "").expect("a sign of life");
    loop {
        let mut journal = apply_once(&root);
        journal.restore(&mut HostTree::at(&root)).expect("restored");
    }
}

#[test]
fn whoever_comes_next_gives_back() {
    let (cycles, seed) = (number("SEPTET_CYCLES", 50), number("SEPTET_SEED", 7));
    let host = host();
    let root = host.path();
    let before = files(root);
    let mut random = Random(seed);
    let mut left = 0;
    for cycle in 0..cycles {
        let mut victim = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "victim"])
            .env(ROOT, root)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a victim");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !root.join("began").exists() {
            assert!(Instant::now() < deadline, "cycle {cycle}: the victim does not begin");
            std::thread::sleep(Duration::from_micros(200));
        }
        // About two rounds of applying and restoring.
        std::thread::sleep(Duration::from_micros(random.next() % 60_000));
        victim.kill().expect("a kill");
        let status = victim.wait().expect("its end");
        assert!(status.code().is_none(), "cycle {cycle}, seed {seed}: it ended by itself with {status}");
        fs::remove_file(root.join("began")).expect("the sign");
        let mut journal = journal(root);
        left += u64::from(journal.exists());
        let words = journal.restore(&mut HostTree::at(root));
        assert_eq!(words, Ok(Vec::new()), "cycle {cycle}, seed {seed}");
        let after = files(root);
        let changed: Vec<_> = after.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)).collect();
        assert!(changed.is_empty() && after.len() == before.len(), "cycle {cycle}, seed {seed}: {changed:?}");
    }
    println!("{cycles} cycles from seed {seed}: {left} victims had left settings changed, all were given back");
    assert!(left * 4 > cycles, "only {left} of {cycles} died with settings changed: the instants are badly chosen");
}

#[test]
fn settings_of_a_server_are_had_and_given_back_quickly() {
    let host = host();
    let root = host.path();
    let before = files(root);
    // The best of a few: others use this machine.
    let mut best = (Duration::MAX, Duration::MAX);
    let mut settings = 0;
    for _ in 0..5 {
        let began = Instant::now();
        let mut journal = apply_once(root);
        let applied = began.elapsed();
        assert_eq!(fs::read_to_string(root.join(format!("{CPU}/intel_pstate/no_turbo"))).expect("a file"), "1");
        let noted = fs::read_to_string(root.join("run/septet/journal")).expect("the journal");
        settings = noted.lines().filter(|line| line.contains("\"change\"")).count();
        let began = Instant::now();
        assert_eq!(journal.restore(&mut HostTree::at(root)), Ok(Vec::new()));
        best = (best.0.min(applied), best.1.min(began.elapsed()));
        assert!(files(root) == before);
    }
    println!("{settings} settings of 40 CPUs: applied and verified in {:?}, given back in {:?}", best.0, best.1);
    assert!(best.0 < Duration::from_millis(300) && best.1 < Duration::from_millis(300), "{best:?}");
}
