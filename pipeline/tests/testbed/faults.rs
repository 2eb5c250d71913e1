//! What can happen to hosts, links and clients while tests are measured over ssh: whatever it is, what was finished is
//! kept, hosts are clean, and the test that was cut is measured elsewhere or has its reason. How long the answer took is
//! printed: within 10 s is meant, and a loaded machine may take longer.

use std::process::Child;
use std::time::Instant;

use super::afar::Afar;
use super::bed::until;

/// Eight tests of about a second, local ones.
const MANY: &str = r#"
[experiment]
name = "many"
[protocol]
duration = "600ms"
warmup = "100ms"
cooldown = "100ms"
repetitions = 1
[[tests]]
id = "all"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [64, 128, 256, 512, 768, 1024, 1280, 1500]
R = "1kpps"
B = 4
io = "udp"
"#;

/// Two stands at work: each has stored a test at least.
pub fn at_work() -> Option<(Afar, Child)> {
    let afar = Afar::up(&["north", "south"])?;
    afar.bench.write("many.toml", MANY);
    let child = afar.start(&["run", "many.toml", "-k", "--no-report"], "words");
    until("both stands have stored a test", || {
        let words = afar.words("words");
        ["north", "south"].iter().all(|host| words.contains(&format!("  on {host}")))
    });
    Some((afar, child))
}

/// Waits for the end of a run; its exit code.
pub fn ended(afar: &Afar, child: &mut Child) -> i32 {
    let code = child.wait().expect("it is a child").code().unwrap_or(-1);
    println!("{}", afar.words("words"));
    code
}

/// Results that are kept: on a busy machine some may be suspect, and then there are more than tests.
pub fn kept(afar: &Afar) -> usize {
    let shelves = std::fs::read_dir(afar.bench.path(".septet/results")).into_iter().flatten().flatten();
    shelves.map(|shelf| std::fs::read_dir(shelf.path()).map_or(0, |results| results.count())).sum()
}

/// The run goes on without the south, and finishes everything.
#[track_caller]
fn finishes_without_the_south(afar: &Afar, mut child: Child, began: Instant) {
    until("the south is set aside", || afar.words("words").contains("LOST south"));
    println!("set aside after {:.1} s", began.elapsed().as_secs_f64());
    assert_eq!(ended(afar, &mut child), 0);
    let words = afar.words("words");
    assert!(words.contains("the run goes on without it"), "{words}");
    assert!(!words.contains("LOST north"), "{words}");
    assert!(kept(afar) >= 8, "{words}");
    until("the north is clean", || afar.is_clean("north"));
}

/// The agent's supervisor, as this host numbers it: the one that started first.
fn supervisor(afar: &Afar, host: &str) -> u32 {
    *afar.agents(host).iter().min().expect("an agent is at work")
}

#[test]
fn a_killed_agent_costs_its_stand_and_no_result() {
    let Some((afar, child)) = at_work() else { return };
    let began = Instant::now();
    afar.bed.said("south", &format!("kill -9 {}", supervisor(&afar, "south")));
    finishes_without_the_south(&afar, child, began);
    until("the south is clean", || afar.is_clean("south"));
}

#[test]
fn a_crashed_host_costs_its_stand_and_no_result() {
    let Some((afar, child)) = at_work() else { return };
    let began = Instant::now();
    afar.bed.crash("south");
    finishes_without_the_south(&afar, child, began);
}

#[test]
fn a_dead_management_link_is_noticed_at_both_ends() {
    let Some((afar, child)) = at_work() else { return };
    let began = Instant::now();
    afar.bed.management("south", false);
    until("the south has given itself back", || afar.is_clean("south"));
    println!("given back after {:.1} s", began.elapsed().as_secs_f64());
    finishes_without_the_south(&afar, child, began);
}

#[test]
fn a_client_that_is_killed_leaves_clean_hosts_and_its_results() {
    let Some((afar, mut child)) = at_work() else { return };
    let began = Instant::now();
    child.kill().expect("it runs");
    child.wait().expect("it is a child");
    for host in ["north", "south"] {
        until("hosts are clean", || afar.is_clean(host));
    }
    println!("clean after {:.1} s", began.elapsed().as_secs_f64());
    let before = kept(&afar);
    assert!(before >= 2, "{before}");
    let ran = afar.septet(&["run", "many.toml", "--no-report", "--json"]).code(0);
    let measured = ran.json()["measured"].as_u64().expect("a number");
    assert!(measured >= 1 && kept(&afar) >= 8, "{before} were kept, {measured} measured");
}

#[test]
fn a_second_run_waits_for_hosts_or_says_who_has_them() {
    let Some((afar, mut child)) = at_work() else { return };
    let store = afar.bench.path("other").display().to_string();
    let ran = afar.septet(&["run", "many.toml", "--no-report", "--wait", "1ms", "--store", &store]).code(3);
    assert!(ran.stderr.contains("holds it"), "{}", ran.stderr);
    assert_eq!(ended(&afar, &mut child), 0);
    assert!(kept(&afar) >= 8);
}
