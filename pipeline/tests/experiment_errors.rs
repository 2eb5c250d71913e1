//! What a user sees when an experiment file is wrong: the place, the line, and what to do.

use pipeline::experiment::{Experiment, LoadError, load, parse, parse_bytes};

/// A small experiment that is right.
const SOUND: &str = r#"[experiment]
name = "small"

[protocol]
duration = "1s"
warmup = "200ms"
cooldown = "200ms"
repetitions = 3

[[tests]]
id = "sockets"
D = "throughput"
L = "local"
S = "1vs1"
V = "linux-bridge"
P = [64, 1500]
R = "1Mpps"
B = 64
io = ["udp", "raw"]

[[figure]]
id = "1"
from = "sockets"
x = "P"
y = "rx_mpps"
series = "io"

[[claim]]
id = "raw-wins"
from = "sockets"
text = "raw wins"
test = "rx_pps[io=raw, P=64] > rx_pps[io=udp, P=64]"
"#;

/// The sound experiment with one line changed, or taken out where `new` is empty.
fn with(old: &str, new: &str) -> String {
    let line = format!("{old}\n");
    assert!(SOUND.contains(&line), "{old}");
    SOUND.replacen(&line, &if new.is_empty() { String::new() } else { format!("{new}\n") }, 1)
}

fn errors(source: &str) -> String {
    match parse(source, "a.toml") {
        Ok(_) => panic!("accepted:\n{source}"),
        Err(errors) => errors.to_string(),
    }
}

/// The first lines of all errors, each without the file's name.
fn heads(source: &str) -> Vec<String> {
    let errors = errors(source);
    errors.lines().filter_map(|line| line.strip_prefix("a.toml:")).map(str::to_string).collect()
}

fn sound(source: &str) -> Experiment {
    parse(source, "a.toml").unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_sound_one_is_accepted() {
    assert_eq!(sound(SOUND).matrix.tests.len(), 4);
}

#[test]
fn an_error_shows_its_place_its_line_and_what_to_do() {
    assert_eq!(
        errors(&with(r#"duration = "1s""#, r#"durration = "1s""#)),
        r#"a.toml:5:1: unknown key 'durration' in [protocol]
  |
5 | durration = "1s"
  | ^^^^^^^^^
  = help: did you mean 'duration'?
"#
    );
}

#[test]
fn each_bad_line_is_told_with_its_place() {
    for (old, new, told) in [
        // Unknown keys at every depth.
        (r#"name = "small""#, "name = \"small\"\nnmae = 1", "3:1: unknown key 'nmae' in [experiment]"),
        ("B = 64", "B = 64\nb = 64", "19:1: unknown key 'b' in [[tests]]"),
        (
            "repetitions = 3",
            "repetitions = { min = 1, max = 2, ci = 0.1, cl = 1 }",
            "8:45: unknown key 'cl' in repetitions",
        ),
        (r#"x = "P""#, "x = \"P\"\nwhere = { Q = 1 }", "25:11: there is no axis 'Q'"),
        (r#"x = "P""#, "x = \"P\"\nover = { T = \"max\" }", "25:10: there is no axis 'T'"),
        (r#"R = "1Mpps""#, r#"R = { from = 1, to = 2, stp = 1 }"#, "17:25: unknown key 'stp' in a range"),
        (r#"R = "1Mpps""#, r#"R = { search = "ndr", width = 1 }"#, "17:23: unknown key 'width' in a search for R"),
        // Axes.
        ("P = [64, 1500]", "P = []", "16:5: axis P is empty"),
        ("P = [64, 1500]", r#"P = [64, 1500, "64B"]"#, "16:16: axis P lists 64B twice"),
        ("P = [64, 1500]", "P = [63, 1500]", "16:6: P = 63 is outside what is possible"),
        ("P = [64, 1500]", "P = [64, 1515]", "16:10: P = 1515 is longer than an Ethernet frame without FCS"),
        ("P = [64, 1500]", "P = [64, 1519]", "16:10: P = 1519 is outside what is possible"),
        ("P = [64, 1500]", "P = { from = 64, to = 1500, step = 64 }", "16:36: the range of P does not reach its end"),
        ("P = [64, 1500]", "P = { from = 640, to = 64, step = 64 }", "16:24: the range of P ends before it begins"),
        ("P = [64, 1500]", "P = { from = 64, to = 128, step = 0 }", "16:35: the step of P is a number above 0"),
        ("P = [64, 1500]", "P = [[64]]", "16:6: a value of P cannot be a list"),
        ("P = [64, 1500]", "P = 1979-05-27", "16:5: a value of P cannot be a date"),
        (r#"R = "1Mpps""#, "R = 0", "17:5: R = 0 is outside what is possible"),
        (r#"R = "1Mpps""#, "R = -1", "17:5: R is outside what is possible"),
        (r#"R = "1Mpps""#, r#"R = "1Gbps""#, "17:5: R cannot be '1Gbps': 'Gbps' is not a unit of it"),
        (r#"R = "1Mpps""#, r#"R = "1.5pps""#, "17:5: R cannot be '1.5pps': it is not a whole number"),
        (r#"R = "1Mpps""#, r#"R = { search = "pdr" }"#, "17:5: a search for R has no loss"),
        ("B = 64", "B = 0", "18:5: B = 0 is outside what is possible"),
        ("B = 64", "B = \"64B\"", "18:5: B cannot be '64B': 'B' is not a unit of it"),
        ("B = 64", "B = true", "18:5: B is a number"),
        (r#"S = "1vs1""#, r#"S = "1vs0""#, "14:5: S = '1vs0' has two different numbers"),
        (r#"S = "1vs1""#, r#"S = "0vs0""#, "14:5: S = '0vs0' is outside what is possible"),
        (r#"S = "1vs1""#, r#"S = "1vs2""#, "14:5: S = '1vs2' has two different numbers"),
        (r#"S = "1vs1""#, "S = 1", "14:5: S is written NvsN, in quotes"),
        (r#"V = "linux-bridge""#, r#"V = "linux-bride""#, "15:5: V cannot be 'linux-bride'"),
        (r#"io = ["udp", "raw"]"#, r#"io = "dpdk""#, "19:6: V = 'linux-bridge' does not take io = 'dpdk'"),
        (r#"io = ["udp", "raw"]"#, "switch_cores = 2", "19:16: V = 'linux-bridge' cannot use switch_cores = 2"),
        (
            r#"io = ["udp", "raw"]"#,
            r#"queues = { from = "a", to = 2, step = 1 }"#,
            "19:19: queues cannot be 'a': it is not a number",
        ),
        (r#"L = "local""#, r#"L = { from = 1, to = 2, step = 1 }"#, "13:5: axis L has names, which have no range"),
        (
            r#"io = ["udp", "raw"]"#,
            r#"io = ["udp", "raw"]
exclude = [{ P = 128 }]"#,
            "20:18: axis P of this group has no '128B'",
        ),
        (
            r#"io = ["udp", "raw"]"#,
            r#"io = ["udp", "raw"]
exclude = [{ touch = true }]"#,
            "20:12: the exclusion leaves out no test of its group",
        ),
        (
            r#"io = ["udp", "raw"]"#,
            r#"io = ["udp", "raw"]
exclude = [{ V = "linux-bridge" }]"#,
            "10:1: every test of 'sockets' is excluded",
        ),
        // Protocol.
        (r#"duration = "1s""#, "duration = 1", "5:12: duration needs a unit, in quotes"),
        (r#"duration = "1s""#, r#"duration = "1 sec""#, "5:12: duration cannot be '1 sec': 'sec' is not a unit of it"),
        (r#"duration = "1s""#, r#"duration = "1ms""#, "5:12: duration = '1ms' is too short"),
        ("repetitions = 3", "repetitions = 0", "8:15: repetitions is a whole number, 1 to 1000"),
        (
            "repetitions = 3",
            "repetitions = { min = 3, max = 2, ci = 0.1 }",
            "8:15: repetitions has min = 3 above max = 2",
        ),
        ("repetitions = 3", "precision = 0.02", "5:12: precision takes the place of duration"),
        (r#"duration = "1s""#, "precision = 0.02", "8:15: precision takes the place of repetitions"),
        ("repetitions = 3", "repetitions = 3\ncap = \"1h\"", "9:7: cap is for tests that are measured to a precision"),
        ("repetitions = 3", "repetitions = 3\norder = \"randon\"", "9:9: order is \"random\" or \"declared\""),
        ("repetitions = 3", "repetitions = 3\nhost = \"alone\"", "9:8: host is \"prepare\" or \"leave\" or "),
        (
            "repetitions = 3",
            "repetitions = 3\nhost = \"leave\"\nsettings = { smt = \"off\" }",
            "10:12: settings are asked for, and host = \"leave\"",
        ),
        ("repetitions = 3", "repetitions = 3\nsettings = { smt = false }", "9:20: smt is \"on\" or \"off\""),
        ("repetitions = 3", "repetitions = 3\nsettings = { turbo = \"on\" }", "9:14: unknown key 'turbo' in settings"),
        (
            "repetitions = 3",
            "repetitions = 3\nsettings = { frequency_mhz = { min = 2, max = 1 } }",
            "9:30: frequency_mhz has min = 2 above max = 1",
        ),
        (
            "repetitions = 3",
            "repetitions = 3\nsettings = { transparent_hugepages = \"often\" }",
            "9:38: transparent_hugepages is \"always\" or \"madvise\" or \"never\"",
        ),
        (
            "repetitions = 3",
            "repetitions = 3\nsettings = { hugepages_1g = 0 }",
            "9:29: hugepages_1g is a whole number, 1 to 1024",
        ),
        // Identifiers.
        (
            r#"name = "small""#,
            r#"name = "../../etc/cron.d""#,
            "2:8: '../../etc/cron.d' cannot be the name of an experiment",
        ),
        (r#"id = "1""#, r#"id = "..""#, "22:6: '..' cannot be an id"),
        (r#"id = "1""#, r#"id = "a/b""#, "22:6: 'a/b' cannot be an id"),
        (r#"id = "raw-wins""#, r#"id = "1""#, "29:6: the id '1' is used twice"),
        // Drawables.
        (r#"from = "sockets""#, r#"from = "socket""#, "23:8: there is no group of tests 'socket'"),
        (r#"x = "P""#, "x = \"P\"\nwhere = { P = 128 }", "25:15: no test of its groups has P = 128B"),
        (r#"x = "P""#, "x = \"p\"", "24:5: there is no axis 'p'"),
        (r#"x = "P""#, "x = \"io\"", "26:10: axis io is used twice in one [[figure]]"),
        (r#"y = "rx_mpps""#, r#"y = "rx_mbs""#, "25:5: there is no metric 'rx_mbs'"),
        (
            r#"y = "rx_mpps""#,
            r#"y = "rtt_us_mean""#,
            "25:5: the figure cannot be made: no selected test has 'rtt_us_mean'",
        ),
        (r#"series = "io""#, "", "22:6: the figure cannot be made: tests"),
        (r#"x = "P""#, "x = \"P\"\nxscale = \"log\"", "25:10: xscale cannot be 'log'"),
        (r#"x = "P""#, "x = \"P\"\ncaption = \"a\\u202Eb\"", "25:11: caption contains the invisible character U+202E"),
    ] {
        let heads = heads(&with(old, new));
        assert!(heads.iter().any(|head| head.starts_with(told)), "{new}\nwanted: {told}\ngot: {heads:#?}");
        // A figure or claim over values that are gone is told beside.
        let beside = |head: &&String| head.contains("makes no sense") || head.contains("cannot be made");
        let others = heads.iter().filter(|head| !head.starts_with(told));
        assert!(others.clone().all(|head| beside(&head)), "{new}: {heads:#?}");
    }
}

#[test]
fn values_that_exclude_each_other_are_told_unless_they_are_excluded() {
    let bridge = r#"V = "linux-bridge""#;
    assert_eq!(
        heads(&with(bridge, r#"V = ["linux-bridge", "ovs"]"#))[..2],
        ["19:7: V = 'ovs' takes io = 'dpdk' only, not 'udp'", "19:14: V = 'ovs' takes io = 'dpdk' only, not 'raw'"]
    );
    let mixed = r#"V = ["linux-bridge", "ovs"]
exclude = [{ V = "ovs", io = ["udp", "raw"] }, { V = "linux-bridge", io = "dpdk" }]"#;
    let mixed = with(bridge, mixed).replace(r#"["udp", "raw"]"#, r#"["udp", "raw", "dpdk"]"#);
    let mixed = mixed.replacen(r#"io = ["udp", "raw", "dpdk"] }"#, r#"io = ["udp", "raw"] }"#, 1);
    let tests =
        sound(&mixed.replace(r#"series = "io""#, "series = \"io\"\nwhere = { V = \"linux-bridge\" }")).matrix.tests;
    assert_eq!(tests.len(), 6);
    let plain = with(r#"io = ["udp", "raw"]"#, "");
    let plain = &plain[..plain.find("[[figure]]").unwrap()];
    let changed = |old: &str, new: &str| heads(&plain.replace(old, new));
    for vswitch in ["direct", "basicfwd", "testpmd", "snabb"] {
        let remote = plain.replace(r#"L = "local""#, r#"L = "remote""#);
        let told = heads(&remote.replace(bridge, &format!("V = \"{vswitch}\"")));
        assert_eq!(told, [format!("15:5: V = '{vswitch}' does not reach a second host (L = 'remote')")]);
    }
    assert_eq!(
        changed(bridge, "V = \"snabb\"\nswitch_cores = [1, 2]"),
        ["16:20: V = 'snabb' cannot use switch_cores = 2"]
    );
    let search = plain.replace(r#"R = "1Mpps""#, r#"R = ["1M", { search = "ndr" }]"#);
    assert_eq!(sound(&search).matrix.tests.len(), 4);
    assert_eq!(
        heads(&search.replace("throughput", "latency")),
        ["17:12: a search for R finds a throughput, not a latency"]
    );
    let sizes = plain.replace("P = [64, 1500]", "P = [64, 1518]\nframe = \"with-fcs\"");
    assert_eq!(sound(&sizes).matrix.tests.len(), 2);
}

#[test]
fn a_missing_key_is_told_where_its_section_begins() {
    assert_eq!(
        errors(&with(r#"duration = "1s""#, "")),
        r#"a.toml:4:1: [protocol] has no duration
  |
4 | [protocol]
  | ^^^^^^^^^^
  = help: write duration = "10s", or precision = 0.02 in its place and that of repetitions
"#
    );
}

/// The sound one, measured to a precision.
fn precise(more: &str) -> String {
    with("repetitions = 3", more).replace("duration = \"1s\"", "precision = 0.02")
}

#[test]
fn a_precision_takes_the_place_of_duration_and_repetitions() {
    let experiment = sound(&precise("cap = \"2h\""));
    let wanted = experiment.protocol.repetitions;
    assert_eq!((wanted.min, wanted.ci, wanted.cap_ns), (5, Some(0.02), Some(7_200_000_000_000)));
    assert!(experiment.matrix.tests.iter().all(|test| test.times.chosen && test.times.duration_ns == 1_000_000_000));
    // Half an hour where nothing is said; a group may have windows of its own.
    let own = sound(&precise("").replace("B = 64", "B = 64\nduration = \"3s\""));
    assert_eq!(own.protocol.repetitions.cap_ns, Some(1_800_000_000_000));
    assert!(own.matrix.tests.iter().all(|test| !test.times.chosen && test.times.duration_ns == 3_000_000_000));
}

#[test]
fn what_is_wrong_with_a_precision_is_shown_at_its_place() {
    assert_eq!(
        errors(&precise("cap = \"1s\"")),
        r#"a.toml:8:7: cap = '1s' is too short
  |
8 | cap = "1s"
  |       ^^^^
  = help: at least it is 5 s
"#
    );
    let wide = errors(&precise("").replace("precision = 0.02", "precision = 2"));
    assert!(wide.starts_with("a.toml:5:13: precision is a number between 0 and 1, such as 0.02"), "{wide}");
    assert_eq!(
        errors(&precise("").replace("R = \"1Mpps\"", "R = \"ndr\"")),
        r#"a.toml:16:5: a search needs windows of a fixed length
   |
16 | R = "ndr"
   |     ^^^^^
   = help: write duration = "10s" in this group: how often a search is repeated is chosen all the same
"#
    );
}

#[test]
fn all_errors_come_in_one_go_and_in_order() {
    let source =
        with("B = 64", "B = 0").replace("y = \"rx_mpps\"", "y = \"rx\"").replace("P = [64, 1500]", "P = [1, 64]");
    let source = source.replace("repetitions = 3", "repetitions = \"3\"").replace("text = \"raw wins\"\n", "");
    let places: Vec<String> = heads(&source).iter().map(|head| head.split(": ").next().unwrap().to_string()).collect();
    assert_eq!(places, ["8:15", "16:6", "18:5", "25:5", "28:1"]);
}

#[test]
fn a_claim_is_told_where_its_expression_goes_wrong() {
    let line = r#"test = "rx_pps[io=raw, P=64] > rx_pps[io=udp, P=64]""#;
    for (test, told) in [
        (r#"test = "rx_pp[io=raw, P=64] > 1Mpps""#, "32:9"),
        (r#"test = "rx_pps[io=raw, P=64] > rx_pps[io=udp, P=128]""#, "32:47"),
        (r#"test = "rx_pps[io=raw] > 1Mpps""#, "32:9"),
        (r#"test = "rx_pps[io=raw, P=64] >""#, "32:31"),
        (r#"test = "rx_pps[io=raw, Q=64] > 1Mpps""#, "32:24"),
        ("test = \"\"\"\nrx_pps[io=raw, P=64]\n> 1Mpp\n\"\"\"", "34:4"),
        (r#"test = "rx_pps[io=raw, P=64]\u0020> 1Mpp""#, "32:8"),
    ] {
        let heads = heads(&with(line, test));
        let told = format!("{told}: the claim makes no sense: ");
        assert!(heads.len() == 1 && heads[0].starts_with(&told), "{test}: {heads:#?}");
    }
    assert_eq!(heads(&with(line, "test = \"\"")), ["32:8: test is empty"]);
    let deep = format!("test = \"{}1{} > 0\"", "(".repeat(1_000), ")".repeat(1_000));
    assert_eq!(heads(&with(line, &deep)).len(), 1);
}

#[test]
fn a_broken_file_is_told_once_where_it_breaks() {
    // Cut in the middle of a line, of a list, of a string, of a table's head.
    for (end, head) in [("P = [64, 15", "16:"), ("V = \"linux", "15:"), ("B =", "18:"), ("[[tests", "10:")] {
        let at = SOUND.find(end).unwrap() + end.len();
        let heads = heads(&SOUND[..at]);
        assert!(heads.iter().all(|line| line.starts_with(head) && line.contains("not TOML")), "{end}: {heads:#?}");
        assert!(!heads.is_empty());
    }
    assert_eq!(heads(&with(r#"id = "1""#, "id = \"1\"\nid = \"2\"")), ["23:1: not TOML: duplicate key"]);
}

#[test]
fn other_errors_are_told_beside_a_broken_line() {
    let heads = heads(&with(r#"id = "1""#, "id = \"1\nB = 3").replace("R = \"1Mpps\"", "R = 0"));
    assert!(heads.iter().any(|head| head.starts_with("17:5: R = 0")), "{heads:#?}");
    assert!(heads.iter().any(|head| head.starts_with("22:") && head.contains("not TOML")), "{heads:#?}");
}

#[test]
fn an_empty_file_says_what_belongs_in_it() {
    assert_eq!(
        heads(""),
        ["1:1: the file has no [[tests]]", "1:1: the file has no [experiment]", "1:1: the file has no [protocol]"]
    );
}

#[test]
fn bytes_that_are_no_text_are_told_with_their_place() {
    let told = |bytes: &[u8]| parse_bytes(bytes, "a.toml").unwrap_err().to_string();
    assert!(told(b"[experiment]\nname = \"\xff\"").starts_with("a.toml:2:9: not UTF-8: byte 0xff\n"));
    assert!(told(b"\0\0\0").contains("a.toml:1:1: not TOML"));
    let long = "#".repeat((1 << 20) + 1);
    assert!(told(long.as_bytes()).contains("a.toml:1:1: the file is larger than 1 MiB"));
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("absent.toml");
    let error = load(&path).unwrap_err();
    assert!(matches!(error, LoadError::Read { .. }));
    assert!(error.to_string().starts_with("failed to read the experiment"), "{error}");
    std::fs::write(&path, "x = 1").unwrap();
    let error = load(&path).unwrap_err().to_string();
    assert!(error.contains(&format!("{}:1:1: unknown key 'x' in the file", path.display())), "{error}");
}

#[test]
fn equal_tests_of_two_groups_are_one_unless_their_times_differ() {
    let second = "\n[[tests]]\nid = \"more\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\nV = \"linux-bridge\"\nP = [64, 128]\nR = 1e6\nB = 64\n";
    let experiment = sound(&format!("{SOUND}{second}"));
    assert_eq!(experiment.matrix.tests.len(), 5);
    let groups: Vec<&[u16]> = experiment.matrix.tests.iter().map(|test| &*test.groups).collect();
    assert_eq!(groups, [&[0u16, 1][..], &[0], &[0], &[0], &[1]]);
    assert_eq!(
        heads(&format!("{SOUND}{second}duration = \"2s\"\n")),
        [
            "43:12: test throughput/local/1vs1/linux-bridge/64B/1Mpps/b64 is also in 'sockets' (line 10), with 0.2+1+0.2 s instead of 0.2+2+0.2 s"
        ]
    );
    let own = format!("{SOUND}{}duration = \"2s\"\n", second.replace("[64, 128]", "128"));
    assert_eq!(sound(&own).matrix.tests[4].times.duration_ns, 2_000_000_000);
}

#[test]
fn too_many_tests_are_refused_with_their_product_before_any_is_made() {
    let source = with("P = [64, 1500]", "P = { from = 64, to = 1463, step = 1 }");
    let source = source.replace("B = 64", "B = { from = 1, to = 1000, step = 1 }");
    let source = source.replace(r#"R = "1Mpps""#, r#"R = { from = "1M", to = "1G", step = "1" }"#);
    let told = heads(&source);
    let product = "D 1 x L 1 x S 1 x V 1 x P 1,400 x R 999,000,001 x B 1,000 x io 2 = 2,797,200,002,800,000";
    assert_eq!(told, [format!("10:1: 'sockets' has more than 10,000,000 tests: {product}")]);

    let group = |id: &str| {
        format!(
            "\n[[tests]]\nid = \"{id}\"\nD = \"throughput\"\nL = \"local\"\nS = \"1vs1\"\nV = \"linux-bridge\"\nP = 64\nR = {{ from = 1, to = 6000000, step = 1 }}\nB = 1\n"
        )
    };
    let told = heads(&format!("{SOUND}{}{}", group("left"), group("right")));
    assert_eq!(told.len(), 1);
    assert!(told[0].contains("right 6,000,000 + left 6,000,000 + sockets 4 = 12,000,004"), "{told:?}");
}

#[test]
fn a_hostile_file_cannot_command_the_terminal_or_flood_it() {
    let told = errors(&with(r#"series = "io""#, "\"\\u001b[2J\u{202e}\u{200b}\" = 1"));
    assert!(!told.chars().any(|c| c.is_control() && c != '\n'), "{told:?}");
    assert!(!told.contains(['\u{202e}', '\u{200b}']));
    let told = errors(&format!("{SOUND}{}", "[[figure]]\n".repeat(2_000)));
    assert!(told.lines().count() < 1_000 && told.contains("more errors"), "{}", told.lines().count());
    let nested = format!("x = {}1{}", "[".repeat(50_000), "]".repeat(50_000));
    assert!(errors(&nested).contains("not TOML"));
    let dotted = format!("{} = 1", vec!["a"; 50_000].join("."));
    assert!(!errors(&dotted).is_empty());
}

#[test]
fn text_that_would_deceive_a_reader_is_refused() {
    let titled = |title: &str| with("name = \"small\"", &format!("name = \"small\"\ntitle = \"{title}\""));
    assert!(errors(&titled("a\u{202E}b")).contains("invisible character U+202E"));
    assert!(errors(&titled("a\u{200B}b")).contains("invisible character U+200B"));
    sound(&titled("</script><script>alert(1)</script> \\\\input{/etc/passwd}"));
}

#[test]
fn a_caption_of_a_megabyte_is_refused() {
    let captioned = |length: usize| with("series = \"io\"", &format!("caption = \"{}\"", "x".repeat(length)));
    assert!(errors(&captioned(500_000)).contains("caption has 500000 characters"));
    assert!(errors(&captioned(1 << 20)).contains("the file is larger than 1 MiB"));
}

#[test]
fn a_unit_that_runs_a_program_is_none() {
    let hostile = errors(&with("R = \"1Mpps\"", "R = '1$\\write18{id}$'"));
    assert!(hostile.contains("R cannot be") || hostile.contains("write18"), "{hostile}");
    assert!(errors(&with("y = \"rx_mpps\"", "y = 'rx_$\\write18{id}$'")).contains("there is no metric"));
}

#[test]
fn published_numbers_are_of_tests_and_have_a_source() {
    let with_number = |number: &str| {
        with("series = \"io\"", &format!("series = \"io\"\npublished = [{number}]\nsource = \"a paper\""))
    };
    let figure =
        &sound(&with_number("{ io = \"raw\", P = 64, rx_kpps = 360 }, { rx_mpps = \"< 1\" }")).report.figures[0];
    assert_eq!(figure.published.as_ref().map(|published| published.values.len()), Some(2));
    for (number, told) in [
        ("{ io = \"raw-mmsg\", rx_kpps = 1 }", "no test of its groups has io = raw-mmsg"),
        ("{ io = \"raw\", rx_kpp = 1 }", "there is no axis and no metric 'rx_kpp'"),
        ("{ io = \"raw\" }", "the published number has no metric"),
        ("{ rx_kpps = 1, rx_mpps = 2 }", "one published number is of"),
        ("{ rx_kpps = \"about 3\" }", "a published number is a number, or a limit in quotes"),
        ("", "published is a list of 1 to"),
    ] {
        assert!(errors(&with_number(number)).contains(told), "{number}: {}", errors(&with_number(number)));
    }
    let unsourced = with("series = \"io\"", "published = [{ rx_mpps = 1 }]");
    assert!(errors(&unsourced).contains("published numbers have no source"));
    assert!(errors(&with("series = \"io\"", "source = \"a paper\"")).contains("and no number"));
}
