//! One flipped bit in any file of a store: nothing else than before is shown with exit code 0, and `store verify` goes
//! on. `SEPTET_FLIPS` says how many are tried, `SEPTET_FLIPS_SEED` which.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::bench::Bench;

/// What is asked of a store, and must not change unseen.
const QUESTIONS: [&[&str]; 7] = [
    &["report", "small.toml", "-o", "out/flip"],
    &["compare", "small.toml", "latest~1", "latest", "--json"],
    &["status", "small.toml", "--json"],
    &["plan", "small.toml", "--json"],
    &["accept", "small.toml", "--json"],
    &["report", "small.toml", "--with-origin", "theirs", "-o", "out/mixed"],
    &["archive", "create", "small.toml", "--license", "CC-BY-4.0", "-o", "flip.tar.zst"],
];

/// Numbers that look random, the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// A store with one of everything: two generations, one that was deleted, an accepted change, an archive and an import.
fn full() -> Bench {
    let bench = Bench::measured();
    bench.septet(&["archive", "create", "small.toml", "--license", "CC-BY-4.0", "-o", "a.tar.zst"]).code(0);
    bench.septet(&["archive", "import", "a.tar.zst", "--as", "theirs"]).code(0);
    for rate in ["50001", "50002"] {
        let text = fs::read_to_string(bench.path("small.toml")).expect("it is there");
        let line = text.lines().find(|line| line.starts_with("R = 500") || line.starts_with("R = \"50k"));
        bench.edit("small.toml", line.expect("there is a rate"), &format!("R = {rate}"));
        bench.septet(&["run", "small.toml"]).code(0);
    }
    bench.upgrade("septet-gen");
    bench.septet(&["accept", "small.toml", "--trigger", "generator"]).code(0);
    bench.septet(&["run", "small.toml"]).code(0);
    for question in QUESTIONS {
        bench.septet(question).code(0);
    }
    bench
}

/// What a question shows: its words, and what it writes.
fn shown(bench: &Bench, question: &[&str]) -> (i32, String, BTreeMap<String, Vec<u8>>) {
    let ran = bench.septet(question);
    let mut files = BTreeMap::new();
    for folder in ["out/flip", "out/mixed"] {
        if question.contains(&folder) {
            files = bench.files(folder).into_iter().map(|(name, (_, _, bytes))| (name, bytes)).collect();
        }
    }
    // What was found to be up to date and what was written again is the same report.
    let words = if question[0] == "report" { String::new() } else { ran.stdout };
    if question[0] == "archive" {
        files.insert("archive".to_string(), fs::read(bench.path("flip.tar.zst")).unwrap_or_default());
    }
    (ran.code, words, files)
}

#[test]
fn a_flipped_bit_in_any_file_never_shows_anything_wrong() {
    let bench = full();
    let expected: Vec<_> = QUESTIONS.iter().map(|question| shown(&bench, question)).collect();
    let expected: Vec<_> = expected.into_iter().map(|(_, words, files)| (words, files)).collect();
    // By kind, so that many samples do not hide the few others.
    let mut kinds: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, (_, _, bytes)) in bench.files(".septet") {
        let kind = |name: &str| {
            let first = name.split('/').next().unwrap_or_default();
            let last = name.rsplit('.').next().filter(|end| end.len() < 8).unwrap_or_default();
            format!("{first} {last}")
        };
        if !bytes.is_empty() {
            kinds.entry(kind(&name)).or_default().push(name);
        }
    }
    assert!(kinds.len() > 10, "{:?}", kinds.keys());
    let kinds: Vec<(String, Vec<String>)> = kinds.into_iter().collect();
    let seed = number("SEPTET_FLIPS_SEED", 14);
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let (mut found, mut told) = (0, 0);
    let count = number("SEPTET_FLIPS", 48);
    for flip in 0..count {
        let (kind, names) = &kinds[random.below(kinds.len())];
        let name = &names[random.below(names.len())];
        let path = bench.path(".septet").join(name);
        let sound = fs::read(&path).expect("it is there");
        let (place, bit) = (random.below(sound.len()), random.below(8));
        let mut harmed = sound.clone();
        harmed[place] ^= 1 << bit;
        let about = format!("seed {seed}, flip {flip}: {kind}: {name}, byte {place}, bit {bit}");
        fs::write(&path, &harmed).expect("it is ours");

        let ran = bench.septet(&["store", "verify", "-n"]);
        assert!([0, 3, 4].contains(&ran.code), "{about}: verify: {} {}", ran.code, ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{about}: {}", ran.stderr);
        found += u64::from(ran.code == 4);

        let number = random.below(QUESTIONS.len());
        let question = QUESTIONS[number];
        if random.below(2) == 0 {
            for folder in ["out/flip", "out/mixed"] {
                let _ = fs::remove_dir_all(bench.path(folder));
            }
        }
        let (code, words, files) = shown(&bench, question);
        assert!([0, 2, 3].contains(&code), "{about}: {question:?}: {code}");
        told += u64::from(code != 0);
        if code == 0 {
            assert_eq!(words, expected[number].0, "{about}: {question:?}");
            let differ: Vec<&String> = files
                .iter()
                .filter(|(name, bytes)| expected[number].1.get(*name) != Some(bytes))
                .map(|(name, _)| name)
                .chain(expected[number].1.keys().filter(|name| !files.contains_key(*name)))
                .collect();
            assert!(differ.is_empty(), "{about}: {question:?}: {differ:?} differ");
        }
        restore(&path, &sound);
    }
    println!(
        "{count} flips of seed {seed}: verify found {found}, the programs refused {told} themselves, nothing wrong was shown"
    );
    // Whatever was remembered meanwhile, the store is as sound as before.
    bench.septet(&["store", "verify"]).code(0);
    for (question, (words, files)) in QUESTIONS.iter().zip(&expected) {
        let (code, now, now_files) = shown(&bench, question);
        assert_eq!((code, &now, &now_files == files), (0, words, true), "{question:?}");
    }
}

/// Puts a file back as it was, unless it was made anew meanwhile, as what is remembered of reports is.
fn restore(path: &Path, sound: &[u8]) {
    fs::write(path, sound).expect("it is ours");
}

#[test]
fn what_verify_puts_aside_leaves_a_sound_store() {
    let bench = full();
    let names: Vec<String> =
        bench.files(".septet").into_iter().filter(|(_, file)| !file.2.is_empty()).map(|(name, _)| name).collect();
    let mut random = Random(number("SEPTET_FLIPS_SEED", 14).wrapping_mul(0x2545_f491_4f6c_dd1d) | 1);
    let of = |start: &str| -> Vec<&String> { names.iter().filter(|name| name.starts_with(start)).collect() };
    for kind in ["results/", "generations/", "index/", "acceptances/", "reports/", "format", "forgotten/"] {
        let names = of(kind);
        if names.is_empty() {
            continue;
        }
        for harm in ["flip", "cut", "empty"] {
            let copied =
                std::process::Command::new("cp").args(["-a", ".septet", "copy"]).current_dir(bench.path("")).status();
            assert!(copied.is_ok_and(|status| status.success()), "it can be copied");
            let path = bench.path("copy").join(names[random.below(names.len())]);
            let mut bytes = fs::read(&path).expect("it is there");
            match harm {
                "flip" => {
                    let place = random.below(bytes.len());
                    bytes[place] ^= 1;
                }
                "cut" => bytes.truncate(bytes.len() / 2),
                _ => bytes.clear(),
            }
            fs::write(&path, bytes).expect("it is ours");
            let ran = bench.septet(&["store", "verify", "--store", "copy"]);
            // A newer format is no damage, and a blank more or less none either.
            assert!([0, 3, 4].contains(&ran.code), "{harm} of {}: {} {}", path.display(), ran.code, ran.stderr);
            if ran.code != 3 {
                let again = bench.septet(&["store", "verify", "--store", "copy"]);
                assert_eq!(again.code, 0, "{harm} of {}: {}{}", path.display(), ran.stderr, again.stderr);
                bench.septet(&["run", "small.toml", "--store", "copy", "-o", "out/copy"]).code(0);
                bench.septet(&["report", "small.toml", "--store", "copy", "-o", "out/copy"]).code(0);
            }
            fs::remove_dir_all(bench.path("copy")).expect("it is ours");
        }
    }
}
