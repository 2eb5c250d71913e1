//! The experiments that ship, with short windows, on a cluster and without it: over ssh on the same hosts. The same
//! tests under the same keys, the same sections of the report, and the same of what they say.
//! `SEPTET_EXPERIMENTS=whole` takes all tests of the files instead of a few of each kind.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Instant;

use super::bed::until;
use super::bench::Ran;
use super::client::Client;
use super::cluster::{Cluster, PAGES_OF_TWO, Wish};
use super::well::{CABLE, hosts};

/// An experiment that ships, other texts in place of some of its own.
fn scaled(name: &str, changes: &[(&str, &str)]) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../experiments").join(name);
    let mut text = std::fs::read_to_string(file).expect("it ships");
    for (from, to) in changes {
        assert!(text.contains(from), "{name} has no {from}");
        text = text.replace(from, to);
    }
    text
}

/// A value of a page, and its interval where it has one.
type Shown = (f64, Option<(f64, f64)>);

/// Every value of figures and tables, by file, column, test and key.
fn shown(client: &Client, folder: &str, name: &str) -> BTreeMap<String, Shown> {
    let mut all = BTreeMap::new();
    for kind in ["figures", "tables"] {
        let folder = client.path(folder).join(name).join(kind);
        for file in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if file.path().extension().is_none_or(|extension| extension != "csv") {
                continue;
            }
            let text = std::fs::read_to_string(file.path()).expect("it is ours");
            let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
            let head = lines.next().expect("a head");
            let column = |name: &str| head.iter().position(|column| *column == name);
            let Some(low) = head.iter().position(|column| column.ends_with("_ci95_low")) else { continue };
            let (test, key) = (column("test").expect("a column"), column("key").expect("a column"));
            for row in lines.filter(|row| !row[key].is_empty()) {
                let number = |at: usize| row[at].parse::<f64>().ok();
                let Some(value) = number(low - 1) else { continue };
                let name = format!("{:?} {} {} {}", file.file_name(), head[low - 1], row[test], row[key]);
                all.insert(name, (value, number(low).zip(number(low + 1))));
            }
        }
    }
    all
}

/// A run has measured what it was to, or, where hosts share cores, has given some up as suspect: which.
#[track_caller]
fn given_up(ran: &Ran, what: &str) -> BTreeSet<String> {
    println!("--- {what}: {}\n{}{}", ran.code, ran.stderr, ran.stdout);
    assert!(ran.code == 0 || ran.code == 1 && ran.stderr.contains("GIVEN UP"), "{what}: {ran:?}");
    assert!(!ran.stderr.contains("FAILED"), "{what}: {ran:?}");
    let lines = ran.stderr.lines().filter_map(|line| line.strip_prefix("GIVEN UP ")?.split_once(": "));
    lines.map(|(test, _)| test.to_string()).collect()
}

/// The keys of tests as a plan has them, and what is skipped.
fn keys(client: &Client, file: &str, more: &[&str]) -> BTreeMap<String, String> {
    let plan = client.septet(&[&["plan", file, "--json"], more].concat()).code(0).json();
    let tests = plan["tests"].as_array().expect("a list").iter();
    tests.map(|test| (test["name"].to_string(), format!("{} {}", test["status"], test["key"]))).collect()
}

/// Measures on the cluster, then without it, and holds one against the other.
fn holds(cluster: &Cluster, site: &str, name: &str, text: &str, only: &str, shard_time: &str) {
    let began = Instant::now();
    let client = Client::of(cluster, None, site);
    let file = format!("{name}.toml");
    client.write(&file, text);
    let whole = std::env::var_os("SEPTET_EXPERIMENTS").is_some_and(|choice| choice == "whole");
    let only: &[&str] = if whole { &[] } else { &["--only", only] };
    let ran = client.septet(&[&["run", &file, "--slurm", "--shard-time", shard_time], only].concat());
    let mut lost = given_up(&ran, &format!("{name} on the cluster"));
    until("no job is left", || cluster.alive() == 0);
    let on_cluster = began.elapsed().as_secs_f64();
    let of_cluster = keys(&client, &file, &[]);

    // Without [slurm] the same hosts are reached by ssh.
    let site: String =
        site.lines().filter(|line| !line.starts_with("feature") && *line != "[slurm]").collect::<Vec<_>>().join("\n");
    let site = site.replace("nodes = \"n1\"", "[hosts.n1]").replace("constraint = \"first\"", "");
    client.write("config/septet/site.toml", &site);
    assert_eq!(keys(&client, &file, &["--refresh"]), of_cluster);
    let began = Instant::now();
    let output = format!("out-by-ssh/{name}");
    let ran = client.septet(&[&["run", &file, "--store", "by-ssh", "--output", &output], only].concat());
    lost.extend(given_up(&ran, &format!("{name} over ssh")));
    let by_ssh = began.elapsed().as_secs_f64();

    let (here, there) = (shown(&client, "out", name), shown(&client, "out-by-ssh", name));
    // A percentile is shown where a window had round trips enough for it.
    let is_lost = |name: &String| lost.iter().any(|test| name.contains(&format!(" {test} ")));
    let is_always = |name: &&String| !name.contains("_p9") && !is_lost(name);
    let names = |shown: &BTreeMap<String, Shown>| shown.keys().filter(is_always).cloned().collect::<Vec<_>>();
    assert_eq!(names(&here), names(&there));
    assert!(!here.is_empty());
    let sections = |folder: &str| {
        let page = std::fs::read_to_string(client.path(folder).join(name).join("index.html")).expect("a report");
        page.lines().filter(|line| line.contains("<h2") || line.contains("<h3")).map(str::to_string).collect::<Vec<_>>()
    };
    assert_eq!(sections("out"), sections("out-by-ssh"));
    let (mut overlapping, mut with_intervals) = (0, 0);
    for (name, (value, interval)) in &here {
        let Some((other, of_other)) = there.get(name).copied() else { continue };
        if is_lost(name) {
            continue;
        }
        println!("{name}: {value} {interval:?} on the cluster, {other} {of_other:?} over ssh");
        if let (Some((low, high)), Some((of_low, of_high))) = (interval, of_other) {
            with_intervals += 1;
            overlapping += usize::from(*low <= of_high && of_low <= *high);
        }
        // What is paced arrives, wherever it was asked for. Times of shared cores may be any.
        if name.contains("throughput/") && !name.contains("loss") {
            assert!((value / other).log2().abs() < 2.0, "{name}: {value} and {other}");
        }
    }
    println!(
        "{name}: {} values, {overlapping} of {with_intervals} intervals overlap; {on_cluster:.0} s on the cluster, {by_ssh:.0} s over ssh",
        here.len()
    );
}

#[test]
fn experiments_that_ship_say_the_same_on_a_cluster_as_without_it() {
    let features = "n1=Feature=cab1,first n2=Feature=cab1";
    let wish = Wish { hosts: &["n1", "n2"], features, pages: PAGES_OF_TWO, ..Wish::default() };
    let Some(cluster) = Cluster::up(&wish) else { return };
    let one = "[slurm]\nnodes = \"n1\"\nconstraint = \"first\"\n";
    let short = [("\"1s\"", "\"150ms\""), ("\"200ms\"", "\"50ms\""), ("= 3", "= 2"), ("\"1Mpps\"", "\"20kpps\"")];
    let text = scaled("quick.toml", &short);
    holds(&cluster, one, "quick", &text, "P=64", "15s");
    let short = [("\"400ms\"", "\"150ms\""), ("\"100ms\"", "\"50ms\""), ("[\"250k\", \"1M\", \"4M\"]", "[\"20k\"]")];
    let text = scaled("vswitch.toml", &short);
    holds(&cluster, one, "vswitch", &text, "S=1vs1,P=64,B=4|32", "30s");
    let short = [("\"500ms\"", "\"150ms\""), ("\"100ms\"", "\"50ms\""), ("\"10kpps\"", "\"5kpps\"")];
    let text = scaled("remote.toml", &short);
    holds(&cluster, &format!("[slurm]\n{}{CABLE}", hosts()), "remote", &text, "P=64", "30s");
}
