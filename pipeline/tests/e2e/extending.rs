//! The page "Extending Septet", followed: its examples are taken out of it and run, so that they are what it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::bench::{Bench, Ran};

/// The block of the page that is called so: the second word behind its fence.
pub fn block(name: &str) -> String {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/extending.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let mut blocks = page.split("\n```").skip(1).step_by(2);
    let found = blocks.find_map(|block| {
        let (head, text) = block.split_once('\n')?;
        (head.split(' ').nth(1) == Some(name)).then(|| text.to_string() + "\n")
    });
    found.unwrap_or_else(|| panic!("the page has no block {name}"))
}

/// Blocks of the page without a name, of a language.
fn unnamed(language: &str) -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/extending.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let blocks = page.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    blocks.filter(|(head, _)| *head == language).map(|(_, text)| text.to_string()).collect()
}

/// A folder for programs of a site, which is not below /tmp: nothing there is seen by what is measured.
fn programs() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/var/tmp").expect("a folder");
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), open).expect("it is ours");
    folder
}

/// Writes the user's own site file.
fn site(bench: &Bench, text: &str) {
    fs::create_dir_all(bench.path(".config/septet")).expect("a folder for the site");
    bench.write(".config/septet/site.toml", text);
}

/// Builds the page's switch as the page says; none, with the reason printed, where DPDK is not.
fn l2learn(folder: &Path) -> Option<PathBuf> {
    fs::write(folder.join("l2learn.c"), block("l2learn.c")).expect("the folder is writable");
    let commands = unnamed("sh");
    let build = commands.iter().find_map(|text| text.lines().find(|line| line.starts_with("cc "))).expect("a command");
    let built = Command::new("sh").arg("-c").arg(build).current_dir(folder).output().expect("there is a shell");
    if !built.status.success() {
        let said = String::from_utf8_lossy(&built.stderr);
        assert!(said.contains("libdpdk") || said.contains("not found"), "the page's program does not build: {said}");
        println!("skipped: no compiler, or no libdpdk: {}", said.lines().next().unwrap_or_default());
        return None;
    }
    Some(folder.join("l2learn"))
}

fn records(bench: &Bench, file: &str) -> Vec<Value> {
    let plan = bench.septet(&["plan", file, "--json"]).code(0).json();
    let tests = plan["tests"].as_array().expect("tests are listed").clone();
    let keys = tests.iter().filter_map(|test| test["key"].as_str());
    keys.flat_map(|key| match bench.septet(&["show", key, "--json"]) {
        // One that was never measured.
        ran if ran.code == 2 => Vec::new(),
        ran => ran.code(0).json().as_array().expect("records are listed").clone(),
    })
    .collect()
}

fn run(bench: &Bench, file: &str) -> Ran {
    bench.septet(&["run", file, "--wait", "5m"])
}

/// A bench with the page's switch, its definition and its experiment, as an ordinary user, whose memory needs no
/// hugepages.
fn learning() -> Option<(Bench, tempfile::TempDir)> {
    let bench = Bench::with_dpdk_as_nobody()?;
    let folder = programs();
    let program = l2learn(folder.path())?;
    site(&bench, &block("site.toml").replace("/usr/local/bin/l2learn", &program.display().to_string()));
    bench.write("learning.toml", &block("learning.toml"));
    Some((bench, folder))
}

#[test]
fn a_switch_by_configuration_learns_and_counts_what_the_generators_count() {
    let Some((bench, folder)) = learning() else { return };
    bench.septet(&["check", "learning.toml"]).code(0);
    let ran = run(&bench, "learning.toml").code(0);
    let all = records(&bench, "learning.toml");
    assert_eq!(all.len(), 3, "{ran:?}");
    for record in &all {
        let ports = record["evidence"]["after"]["ports"].as_array().expect("ports are listed");
        assert!(ports.len() >= 2 && ports.iter().all(|port| port["received"] != 0), "{record}");
        let flags = record["flags"].to_string();
        assert!(!flags.contains("counters-disagree"), "{record}");
        assert!(record["evidence"]["reported"].as_str().is_some_and(|version| version.contains("DPDK")), "{record}");
    }
    // Nothing but what it is and how it is configured is in its key.
    let key = |bench: &Bench| {
        let plan = bench.septet(&["plan", "learning.toml", "--json"]).code(0).json();
        plan["tests"][0]["key"].as_str().expect("a key").to_string()
    };
    let own = key(&bench);
    let text =
        block("site.toml").replace("/usr/local/bin/l2learn", &folder.path().join("l2learn").display().to_string());
    site(
        &bench,
        &text.replace("switches.l2learn", "switches.other").replace("ready = ", "ready_within_s = 20\nready = "),
    );
    bench.write("learning.toml", &block("learning.toml").replace("custom:l2learn", "custom:other"));
    assert_eq!(key(&bench), own, "a name, or when it is ready, is in the key");
    site(&bench, &text.replace("switches.l2learn", "switches.other").replace("client=1", "client=1,queues=1"));
    assert_ne!(key(&bench), own, "an argument is in no key");
    let report = fs::read_to_string(bench.path("out/learning/index.html")).expect("a report");
    assert!(report.contains("custom:l2learn"));
}

#[test]
fn a_switch_by_configuration_may_make_the_sockets() {
    let Some((bench, _folder)) = learning() else { return };
    let site = fs::read_to_string(bench.path(".config/septet/site.toml")).expect("it is there");
    let site = site.replace("sockets = \"application\"", "sockets = \"switch\"").replace(",client=1", "");
    bench.write(".config/septet/site.toml", &site);
    let ran = bench.septet(&["run", "learning.toml", "--only", "S=1vs1", "--wait", "5m"]).code(0);
    let all = records(&bench, "learning.toml");
    assert_eq!(all.len(), 2, "{ran:?}");
    assert!(all.iter().all(|record| !record["flags"].to_string().contains("counters-disagree")), "{all:?}");
}

#[test]
fn testpmd_in_another_mode_is_a_switch_by_configuration() {
    let Some(bench) = Bench::with_dpdk_as_nobody() else { return };
    if !Path::new("/usr/bin/dpdk-testpmd").is_file() {
        println!("skipped: there is no dpdk-testpmd");
        return;
    }
    site(&bench, &block("noisy.site.toml"));
    let text = block("learning.toml").replace("custom:l2learn", "custom:noisy");
    bench.write("noisy.toml", &text);
    let ran = run(&bench, "noisy.toml").code(0);
    let all = records(&bench, "noisy.toml");
    assert_eq!(all.len(), 3, "{ran:?}");
    for record in &all {
        assert!(record["evidence"]["after"]["ports"].as_array().is_some_and(|ports| ports.len() >= 2), "{record}");
        assert!(!record["flags"].to_string().contains("counters-disagree"), "{record}");
    }
}

/// One test through `custom:l2learn`, whose definition was edited: what a run says of it.
fn wrong(from: &str, to: &str) -> Option<(Bench, tempfile::TempDir, Ran)> {
    let (bench, folder) = learning()?;
    let site = fs::read_to_string(bench.path(".config/septet/site.toml")).expect("it is there");
    assert!(site.contains(from), "{site}");
    bench.write(".config/septet/site.toml", &site.replace(from, to));
    let ran = bench.septet(&["run", "learning.toml", "--only", "S=1vs1,D=throughput", "--wait", "5m"]);
    Some((bench, folder, ran))
}

/// The line of the site file that begins so, as the message shows it.
fn place(bench: &Bench, key: &str) -> String {
    let site = fs::read_to_string(bench.path(".config/septet/site.toml")).expect("it is there");
    let (number, line) = (1..).zip(site.lines()).find(|(_, line)| line.starts_with(key)).expect("the key");
    format!("site.toml:{number}:{}", line.find("= ").expect("a value") + 3)
}

#[test]
fn a_switch_that_is_never_ready_is_told_in_its_definition() {
    let edited = "ready_within_s = 1\nready = [\"never said\"]";
    let ready = "ready = [[\"({socket}) virtio is now ready for processing\"]]";
    let Some((bench, _folder, ran)) = wrong(ready, edited) else { return };
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("it has not said \"never said\" within 1 s"), "{ran:?}");
    assert!(ran.stderr.contains(&format!("ready of [switches.l2learn], {}", place(&bench, "ready ="))), "{ran:?}");
    assert!(ran.stderr.contains("ready = [\"never said\"]\n") && ran.stderr.contains("^^^"), "{ran:?}");
}

#[test]
fn a_switch_that_dies_is_told_with_its_last_lines() {
    let Some((bench, _folder, ran)) = wrong("\"{eal}\", ", "\"--no-such-argument\", ") else { return };
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("it ended with status 1"), "{ran:?}");
    assert!(ran.stderr.contains(&format!("start of [switches.l2learn], {}", place(&bench, "start ="))), "{ran:?}");
    // Its words before its end, or what DPDK prints after them of how it is called.
    assert!(ran.stderr.contains("  | no EAL") || ran.stderr.contains("  |   --no-huge"), "{ran:?}");
}

#[test]
fn a_switch_that_lies_about_its_counters_is_suspect() {
    let counts = "{{\\\"port\\\": 0, \\\"received\\\": 7, \\\"sent\\\": 7}}\\n{{\\\"port\\\": 1, \\\"received\\\": 7, \\\"sent\\\": 7}}\\n";
    let lie = format!("[\"/usr/bin/printf\", \"{counts}\"]");
    let Some((bench, _folder, ran)) = wrong("\"dpdk-telemetry\"", &lie) else { return };
    assert!(ran.stderr.contains("SUSPECT: counters-disagree"), "{ran:?}");
    let all = records(&bench, "learning.toml");
    assert!(all[0]["status"].to_string().contains("suspect"), "{}", all[0]);
    // One that says nothing of them is told where that is written.
    let Some((bench, _folder, ran)) = wrong("\"dpdk-telemetry\"", "[\"/bin/true\"]") else { return };
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("it said nothing of port 0"), "{ran:?}");
    assert!(
        ran.stderr.contains(&format!("counters of [switches.l2learn], {}", place(&bench, "counters ="))),
        "{ran:?}"
    );
}

#[test]
fn a_template_with_a_hole_is_told_where_it_is() {
    let Some((_bench, _folder, ran)) = wrong("iface={socket}", "iface={sokcet}") else { return };
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("nothing fills {sokcet}") && ran.stderr.contains("^^^^^^^^\n"), "{ran:?}");
    let Some((_bench, _folder, ran)) = wrong("[\"--vdev=net_vhost{port},iface={socket},client=1\"]", "\"{socket}\"")
    else {
        return;
    };
    assert!(ran.stderr.contains("which port is meant?"), "{ran:?}");
}

#[test]
fn what_a_definition_must_not_say_is_refused_where_it_is_written() {
    let bench = Bench::new();
    let least = "sockets = \"switch\"\nforwards = \"pairs\"\nstart = []\nready = [\"x\"]\n";
    let refused = |head: &str, rest: &str, words: &str| {
        site(&bench, &format!("{head}\n{rest}\n{least}"));
        let ran = bench.septet(&["site", "show"]).code(2);
        assert!(ran.stderr.contains(words), "{rest}: {ran:?}");
        assert!(ran.stderr.contains("site.toml:") && ran.stderr.contains('^'), "{ran:?}");
    };
    let program = "program = \"/bin/sh\"";
    refused("[switches.a]", "program = \"bin/sh\"", "program names no file");
    refused("[switches.a]", "program = \"/usr/../tmp/x\"", "program names no file");
    refused("[switches.a]", "program = \"/bin/sh\\n/bin/id\"", "program names no file");
    refused("[switches.a]", "", "has no program");
    refused("[switches.\"../a\"]", program, "cannot name a switch");
    refused("[switches.\"a\\nb\"]", program, "cannot name a switch");
    refused("[switches.\"{a}\"]", program, "cannot name a switch");
    refused("[switches.a]", &format!("{program}\nprogramme = 1"), "unknown key \"programme\"");
    refused("[switches.a]", &format!("{program}\nfiles = [\"etc\"]"), "files names no file");
    refused("[switches.a]", &format!("{program}\nconfiguration = [\"{{../../etc/passwd}}\"]"), "nothing fills");
    refused("[switches.a]", &format!("{program}\nconfiguration = [\"{{file1}}\"]"), "there is no such file");
    refused("[switches.a]", &format!("{program}\nconfiguration = [\"a {{\"]"), "a brace that does not pair");
    refused("[switches.a]", &format!("{program}\nattach = [\"sh\", \"-c\"]"), "attach names no file");
    refused("[switches.a]", &format!("{program}\ncounters = 7"), "counters says how");
    refused("[switches.a]", &format!("{program}\nports_max = 1000"), "ports_max is a whole number");
    refused("[switches.a]", &format!("{program}\ndrivers = [\"../x\"]"), "that is no driver");
    refused("[switches.a]", &format!("{program}\nready_within_s = 100000"), "ready_within_s");
}

#[test]
fn definitions_of_the_page_that_no_test_runs_are_at_least_definitions() {
    let bench = Bench::new();
    let mut names = Vec::new();
    for text in unnamed("toml") {
        let name = text.strip_prefix("[switches.").and_then(|rest| rest.split(']').next()).expect("a definition");
        site(&bench, &text);
        let shown = bench.septet(&["site", "show"]).code(0);
        assert!(shown.stdout.contains(&format!("custom:{name}")), "{shown:?}");
        names.push(name.to_string());
    }
    assert_eq!(names, ["fastclick", "bess"]);
}

#[test]
fn a_switch_whose_program_is_not_there_is_skipped_by_name() {
    let bench = Bench::new();
    site(&bench, &block("site.toml").replace("/usr/local/bin/l2learn", "/var/empty/no-l2learn"));
    bench.write("learning.toml", &block("learning.toml"));
    let plan = bench.septet(&["plan", "learning.toml"]).code(0);
    assert!(
        plan.stdout.contains("/var/empty/no-l2learn is not there (program of [switches.l2learn], site.toml:2:11)"),
        "{plan:?}"
    );
}

/// The page's Rust is that of files which tests compile and run.
#[test]
fn the_pages_rust_is_what_is_compiled() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (name, file) in [("idle.rs", "host-setup/src/switch/idle.rs"), ("looped.rs", "generators/tests/pure/looped.rs")]
    {
        let source = fs::read_to_string(root.join(file)).expect("it is there");
        let shown = source.split("\n#[test]").next().unwrap_or_default();
        assert_eq!(block(name).trim_end(), shown.trim_end(), "docs/extending.md shows another {file}");
    }
}

#[test]
fn a_template_of_the_page_draws_another_kind_of_figure() {
    let bench = Bench::measured();
    let built_in = fs::read_to_string(bench.path("out/small/figures/by-size.svg")).expect("a figure");
    assert!(!built_in.contains("stem"));
    fs::create_dir(bench.path("templates")).expect("the bench is writable");
    bench.write("templates/figure.svg", &block("figure.svg"));
    bench.septet(&["report", "small.toml"]).code(0);
    let drawn = fs::read_to_string(bench.path("out/small/figures/by-size.svg")).expect("a figure");
    assert_eq!(drawn.matches("class=\"line stem\"").count(), 2, "a stem a point: {drawn}");
    assert!(drawn.contains("<title>") && drawn.contains("kpps"), "{drawn}");
}

/// The adapter, which most tests do not need, beside the other programs.
fn add_adapter(bench: &Bench) {
    let built = Path::new(env!("CARGO_BIN_EXE_septet-adapter"));
    let copied = Command::new("cp").arg("-p").arg(built).arg(bench.path("")).status();
    assert!(copied.is_ok_and(|status| status.success()), "the adapter can be copied");
}

#[test]
fn iperf3_stands_in_place_of_our_generators() {
    if !Path::new("/usr/bin/iperf3").is_file() {
        println!("skipped: there is no iperf3");
        return;
    }
    let bench = Bench::new();
    add_adapter(&bench);
    site(&bench, &block("iperf3.site.toml"));
    bench.write("iperf3.toml", &block("iperf3.toml"));
    let ran = run(&bench, "iperf3.toml").code(0);
    let all = records(&bench, "iperf3.toml");
    assert_eq!(all.len(), 4, "{ran:?}");
    for record in &all {
        let theirs = record["test"].as_str().is_some_and(|test| test.contains("application:iperf3"));
        let flags = record["flags"].to_string();
        assert_eq!(flags.contains("unproven"), theirs, "{record}");
        assert!(!flags.contains("counters-disagree") && !flags.contains("accounting-mismatch"), "{record}");
        let mapped = record["evidence"]["mapped"].as_array().expect("what ran is recorded");
        for party in ["send-0", "receive-0"] {
            let is_theirs = |file: &Value| file["path"] == "/usr/bin/iperf3" && file["process"] == party;
            assert_eq!(mapped.iter().any(is_theirs), theirs, "{party}: {record}");
        }
        let of_sender = |what: &str| record["evidence"]["parties"]["send-0"]["totals"][what].as_u64().expect("a count");
        let sent = of_sender("sent");
        // Beside other programs some are not sent in time.
        assert!(sent > 400 && sent + of_sender("missed") > 4000, "{record}");
        let received = record["evidence"]["parties"]["receive-0"]["totals"]["received"].as_u64().expect("a count");
        assert!(received <= sent && received > sent / 2, "{record}");
    }
    // By content, not by name; and ours is not touched.
    let keys = |bench: &Bench| {
        let plan = bench.septet(&["plan", "iperf3.toml", "--json"]).code(0).json();
        let tests = plan["tests"].as_array().expect("tests are listed").clone();
        tests.iter().map(|test| test["key"].as_str().expect("a key").to_string()).collect::<Vec<_>>()
    };
    let before = keys(&bench);
    site(&bench, &block("iperf3.site.toml").replace("applications.iperf3", "applications.other"));
    bench.write("iperf3.toml", &block("iperf3.toml").replace("application:iperf3", "application:other"));
    assert_eq!(keys(&bench), before);
    let longer = block("iperf3.site.toml").replace("\"--udp\"", "\"--udp\", \"--zerocopy\"");
    site(&bench, &longer.replace("applications.iperf3", "applications.other"));
    let differ = keys(&bench).iter().zip(&before).filter(|(one, other)| one != other).count();
    assert_eq!(differ, 2, "only theirs is another test");
    let refused = bench.septet(&["shell", "iperf3.toml", "P=64,stack=application:none"]).code(2);
    assert!(refused.stderr.contains("no test"), "{refused:?}");
}

#[test]
fn an_application_that_counts_what_nobody_saw_is_suspect_and_one_that_fails_says_why() {
    let bench = Bench::new();
    add_adapter(&bench);
    // Braces of its own a word cannot have: what it prints lies in a file.
    let files = programs();
    let said = files.path().join("said");
    fs::write(
        &said,
        "{\"interval\": {\"from_s\": 0, \"to_s\": 0.9, \"packets\": 9000}}\n{\"total\": {\"packets\": 9000}}\n",
    )
    .expect("a file");
    let cat = |end: &str| format!("{end} = [\"/usr/bin/cat\", \"{}\"]\n", said.display());
    let text = format!(
        "[applications.liar]\n{}{}files = [\"{}\"]\nreads = \"lines\"\n",
        cat("sender"),
        cat("receiver"),
        said.display()
    );
    site(&bench, &text);
    bench.write(
        "iperf3.toml",
        &block("iperf3.toml").replace("[\"system\", \"application:iperf3\"]", "\"application:liar\""),
    );
    let ran = bench.septet(&["run", "iperf3.toml", "--only", "P=64", "--wait", "5m"]);
    assert!(ran.stderr.contains("counters-disagree"), "{ran:?}");
    site(
        &bench,
        &text
            .replace("/usr/bin/cat\", \"", "/usr/bin/cat\", \"/none")
            .replace("reads = \"lines\"", "reads = \"lines\"\nready = \"never\""),
    );
    let ran = bench.septet(&["run", "iperf3.toml", "--only", "P=512", "--wait", "5m"]).code(1);
    assert!(ran.stderr.contains("it was not ready"), "{ran:?}");
    site(&bench, &text.replace("/usr/bin/cat", "usr/bin/cat"));
    let refused = bench.septet(&["site", "show"]).code(2);
    assert!(refused.stderr.contains("begins with no program") && refused.stderr.contains('^'), "{refused:?}");
    bench.write(
        "iperf3.toml",
        &block("iperf3.toml").replace("throughput", "latency").replace("[\"system\", ", "[").replace("\"10k\"", "1000"),
    );
    site(&bench, &block("iperf3.site.toml"));
    let plan = bench.septet(&["plan", "iperf3.toml"]).code(0);
    assert!(plan.stdout.contains("measures throughput only"), "{plan:?}");
}
