//! Archives for double-blind review: searched for whoever made them, and checkable all the same; the appendix; numbers
//! that others published.

use std::fs;
use std::process::Command;

use super::bench::{Bench, Ran, SMALL};
use super::honest::archived;
use super::parcel::Parcel;

/// What names this machine and its user, as a reviewer who wants to know would search for it.
fn telling() -> Vec<String> {
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    };
    let mut words: Vec<String> = vec![said("uname", &["-n"]).trim().to_string()];
    words.push(std::env::var("HOME").unwrap_or_default());
    words.push(std::env::var("USER").unwrap_or_default());
    for line in said("cat", &["/proc/net/fib_trie"]).lines() {
        words.extend(line.trim().strip_prefix("|-- ").filter(|address| !address.ends_with(".0")).map(String::from));
    }
    for entry in fs::read_dir("/sys/class/net").expect("Linux has it").flatten() {
        words.push(fs::read_to_string(entry.path().join("address")).unwrap_or_default().trim().to_string());
    }
    let is_everywhere = |word: &str| {
        ["", "/", "root", "0.0.0.0", "00:00:00:00:00:00", "localhost"].contains(&word)
            || word.starts_with("127.")
            || word.ends_with(".255")
    };
    words.retain(|word| !is_everywhere(word));
    words
}

/// Whether a word stands in a text as a word of its own; in what is no text, only long ones are no coincidence.
fn holds(bytes: &[u8], word: &str) -> bool {
    let joins = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(byte));
    let is_word = |at: usize| {
        let before = at.checked_sub(1).and_then(|at| bytes.get(at));
        !joins(before) && !joins(bytes.get(at + word.len()))
    };
    let there = |at: &usize| bytes[*at..].starts_with(word.as_bytes());
    let fits = word.len() > 5 || std::str::from_utf8(bytes).is_ok();
    fits && (0..bytes.len()).filter(there).any(is_word)
}

fn plain(name: &str, bytes: &[u8]) -> Vec<u8> {
    match name.ends_with(".zst") {
        true => zstd::stream::decode_all(bytes).expect("it is zstd"),
        false => bytes.to_vec(),
    }
}

#[test]
fn nothing_that_is_written_names_who_measured_where() {
    let bench = Bench::new();
    let named =
        SMALL.replacen("title = \"Small\"\n", "title = \"Small\"\nauthors = [\"Ada Lovelace\"] # of London\n", 1);
    let artifact =
        "# measured on Ada's machine\n[artifact]\ncontact = \"ada@example.org\"\ndoi = \"10.1/ada\"\n[protocol]";
    bench.write("small.toml", &named.replacen("[protocol]", artifact, 1));
    bench.write("LICENSE", "Copyright Ada Lovelace");
    bench.write("CITATION.cff", "cff-version: 1.2.0\ntitle: of Ada Lovelace\n");
    bench.septet(&["run", "small.toml"]).code(0);
    let open = bench.septet(&["archive", "create", "small.toml", "-o", "open.tar.zst"]).code(0);
    assert!(!open.stderr.contains("no licence"), "{}", open.stderr);
    let create = ["archive", "create", "small.toml", "-o", "a.tar.zst", "--anonymous", "--license", "CC-BY-4.0"];
    let ran = bench.septet(&create).code(0);
    assert!(ran.stderr.contains("the text of the licence beside the experiment is left out"), "{}", ran.stderr);
    let parcel = Parcel::read(&bench.path("a.tar.zst"));
    let mut words = telling();
    words.extend(["Ada", "Lovelace", "ada@example.org", "10.1/ada", "London"].map(String::from));
    // The search finds what there is: the open archive names its host.
    let hostname = words.first().expect("a name").clone();
    let open = Parcel::read(&bench.path("open.tar.zst"));
    let finds = |word: &str| open.0.iter().any(|(name, bytes)| holds(&plain(name, bytes), word));
    assert!(finds("Ada") && finds(&hostname), "the search itself is wrong");
    println!("searched for {words:?}, host {hostname}");
    for (name, bytes) in &parcel.0 {
        let bytes = plain(name, bytes);
        for word in &words {
            assert!(!holds(&bytes, word) && !holds(name.as_bytes(), word), "{name} holds '{word}'");
        }
        assert!(!holds(&bytes, &bench.path("").display().to_string()), "{name} holds a path of this machine");
    }
    // All of it is proven as that of anybody, and the keys are what they were.
    let verified = bench.septet(&["archive", "verify", "a.tar.zst", "--json"]).code(0).json();
    // As many as there are: on a busy machine some of them are suspect, and measured once more.
    let results = open.0.iter().filter(|(name, _)| name.ends_with("/record.json")).count();
    assert!(results >= 6, "{results} results");
    assert_eq!((&verified["level"], &verified["results"]), (&3.into(), &results.into()), "{verified}");
    let keys = |parcel: &Parcel| -> Vec<String> {
        parcel.all(".json").into_iter().filter(|name| name.contains("/manifests/")).collect()
    };
    assert_eq!(keys(&parcel), keys(&open));
    // The same bytes again, though records were written anew.
    let first = fs::read(bench.path("a.tar.zst")).expect("it was made");
    bench.septet(&create).code(0);
    assert!(fs::read(bench.path("a.tar.zst")).is_ok_and(|bytes| bytes == first));
    bench.septet(&["artifact", "small.toml", "--anonymous", "-o", "blind"]).code(0);
    for file in ["blind/ARTIFACT.md", "blind/ARTIFACT.tex"] {
        let text = fs::read(bench.path(file)).expect("it was written");
        for word in &words {
            assert!(!holds(&text, word), "{file} holds '{word}'");
        }
    }
}

#[test]
fn what_cannot_be_left_out_is_refused_with_its_place() {
    let bench = Bench::new();
    let hostname =
        telling().first().cloned().filter(|name| name.len() > 3 && name.contains(|c: char| c.is_ascii_digit()));
    let word = hostname.unwrap_or_else(|| bench.path("").display().to_string());
    let home = bench.path("").display().to_string();
    println!("named: {word}");
    bench.write("small.toml", &SMALL.replacen("title = \"Small\"", &format!("title = \"Small on {home}\""), 1));
    bench.septet(&["run", "small.toml"]).code(0);
    // The home of who makes it: replaced in the experiment's own words.
    bench.septet(&["archive", "create", "small.toml", "-o", "a.tar.zst", "--anonymous"]).code(0);
    let parcel = Parcel::read(&bench.path("a.tar.zst"));
    assert!(parcel.0.iter().all(|(name, bytes)| !holds(&plain(name, bytes), home.trim_end_matches('/'))));
}

#[test]
fn the_appendix_says_what_a_committee_asks() {
    let bench = archived();
    bench.septet(&["artifact", "small.toml", "--license", "CC-BY-4.0"]).code(0);
    let markdown = fs::read_to_string(bench.path("out/small-artifact/ARTIFACT.md")).expect("it was written");
    for words in [
        "Checklist",
        "Licence of the data: CC-BY-4.0",
        "Licence of the code",
        "Compilation: cargo",
        "Run-time environment: System ",
        "Hardware: Processor ",
        "Execution: one command, unattended",
        "septet run small-reproduced/small.toml",
        "septet reproduce small.tar.zst",
        "--scale 0.1",
        "small-is-fast",
        "Disk space",
        "Time to reproduce everything",
        "archive verify",
        "Kick the tyres",
        "figure by-size",
        "The least that it needs",
    ] {
        assert!(markdown.contains(words), "no '{words}' in\n{markdown}");
    }
    let parcel = Parcel::read(&bench.path("a.tar.zst"));
    assert_eq!(parcel.0["small/data/ARTIFACT.md"], markdown.as_bytes(), "the archive has the same one");
    // It follows from the rest: a friendlier one is found out.
    let mut forged = parcel.clone();
    forged.edit("small/data/ARTIFACT.md", "Disk space", "Little space");
    forged.seal().write(&bench.path("b.tar.zst"));
    let ran = bench.septet(&["archive", "verify", "b.tar.zst"]).code(4);
    assert!(ran.stdout.contains("ARTIFACT.md does not follow from experiment and results"), "{}", ran.stdout);
    if Command::new("pdflatex").arg("--version").output().is_err() {
        println!("skipped: no pdflatex, so the appendix was not set");
        return;
    }
    bench.write(
        "out/small-artifact/paper.tex",
        "\\documentclass{article}\\begin{document}\\appendix\\input{ARTIFACT}\\end{document}\n",
    );
    let mut latex = Command::new("pdflatex");
    latex
        .args(["-interaction=nonstopmode", "-halt-on-error", "paper.tex"])
        .current_dir(bench.path("out/small-artifact"));
    Ran::of(latex.output().expect("it can be started")).code(0);
}

#[test]
fn what_others_published_stands_beside_ours_and_is_no_result() {
    let bench = Bench::measured();
    bench.write(
        "iperf3.json",
        r#"{"end": {"sum": {"bits_per_second": 25600000, "packets": 5}, "streams": [{"udp": {"jitter_ms": 1}}]}}"#,
    );
    bench.write(
        "map.toml",
        "source = \"Somebody, with iperf3\"\nformat = \"json\"\nfor = [\"sizes-table\", \"small-is-fast\"]\n[[value]]\n\
         at = { P = 64 }\nmetric = \"rx_kpps\"\nunit = \"bps\"\npath = \"end.sum.bits_per_second\"\n",
    );
    let ran = bench.septet(&["import", "iperf3.json", "--map", "map.toml"]).code(2);
    assert!(ran.stderr.contains("map.toml:7:8: 'bps' is no unit of rx_kpps"), "{}", ran.stderr);
    bench.edit("map.toml", "rx_kpps", "rx_mbps");
    let ran = bench.septet(&["import", "iperf3.json", "--map", "map.toml"]).code(0);
    assert!(ran.stdout.contains("{ P = 64, rx_mbps = 25.6 }"), "{}", ran.stdout);
    let before = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    bench.septet(&["import", "iperf3.json", "--map", "map.toml", "--into", "small.toml"]).code(0);
    assert_eq!(
        bench.septet(&["plan", "small.toml", "--json"]).code(0).json(),
        before,
        "no test has more results by it"
    );
    bench.septet(&["report", "small.toml"]).code(0);
    let page = fs::read_to_string(bench.path("out/small/index.html")).expect("it was written");
    assert!(page.contains("Published beside ours: Somebody, with iperf3") && page.contains("25.6 Mbps"), "{page}");
    let again = bench.septet(&["import", "iperf3.json", "--map", "map.toml", "--into", "small.toml"]).code(2);
    assert!(again.stderr.contains("has published already"), "{}", again.stderr);
    // A file that is no such file, and one that is a trap.
    let ran = bench.septet(&["import", "small.toml", "--map", "map.toml"]).code(2);
    assert!(ran.stderr.contains("it is no JSON"), "{}", ran.stderr);
    let made = Command::new("mkfifo").arg(bench.path("fifo")).status();
    assert!(made.is_ok_and(|status| status.success()), "a FIFO can be made");
    let ran = bench.septet(&["import", "fifo", "--map", "map.toml"]).code(2);
    assert!(ran.stderr.contains("FIFO"), "{}", ran.stderr);
}
