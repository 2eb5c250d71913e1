//! Bad input: a clear error with its place, and exit code 2.

use super::bench::{Bench, SMALL};

/// A change that makes the small experiment wrong, and what its error must name.
const WRONG: [(&str, &str, &str); 26] = [
    ("title = \"Small\"", "titel = \"Small\"", "titel"),
    ("warmup = \"20ms\"", "warmup = \"20parsecs\"", "parsecs"),
    ("P = [64, 1500]", "P = []", "P"),
    ("P = [64, 1500]", "P = [64, 64]", "64"),
    ("P = [64, 1500]", "P = 63", "63"),
    ("P = [64, 1500]", "P = 1515", "1515"),
    ("R = \"50kpps\"", "R = 0", "R"),
    ("B = 32", "B = 0", "B"),
    ("S = \"1vs1\"", "S = \"1vs0\"", "1vs0"),
    ("V = \"linux-bridge\"", "V = \"linux-brigde\"", "linux-bridge"),
    ("from = \"rtt\"", "from = \"rrt\"", "rtt"),
    ("x = \"B\"", "x = \"Q\"", "Q"),
    ("y = \"rtt_us_mean\"", "y = \"rtt_us_meen\"", "rtt_us_mean"),
    ("id = \"by-size\"", "id = \"../by-size\"", "../by-size"),
    ("rx_pps[P=64]", "rx_pps[P=65]", "65"),
    ("rx_pps[P=64]", "rx_pps[X=64]", "X"),
    ("test = \"rx_pps", "test = \"(((rx_pps", "test"),
    ("io = \"udp-mmsg\"", "io = \"udp-mmsg\"\nflows = 65", "flows is 1 to 64"),
    ("io = \"raw\"", "io = \"raw\"\nflows = 4097", "4096"),
    ("duration = \"60ms\"\nwarmup = \"20ms\"", "duration = \"24h\"\nwarmup = \"4h\"", "intervals"),
    ("R = 1000", "R = 1", "no burst within the window"),
    ("id = \"by-size\"", "id = \"Sizes-Table\"", "differ in case only"),
    ("id = \"by-size\"", "id = \"CON\"", "a device"),
    ("id = \"by-size\"", "id = \"nul.x\"", "a device"),
    ("id = \"by-size\"", "id = \"by-size.\"", "by-size."),
    ("name = \"small\"", "name = \"aux\"", "a device"),
];

#[test]
fn each_mistake_is_told_with_its_place() {
    let bench = Bench::new();
    for (from, to, named) in WRONG {
        assert!(SMALL.contains(from), "{from}");
        bench.write("wrong.toml", &SMALL.replacen(from, to, 1));
        let ran = bench.septet(&["check", "wrong.toml"]).code(2);
        let first = ran.stderr.lines().next().unwrap_or_default();
        let mut parts = first.splitn(4, ':');
        assert_eq!(parts.next(), Some("wrong.toml"), "{}", ran.stderr);
        let line: usize = parts.next().and_then(|line| line.parse().ok()).unwrap_or_default();
        let column: usize = parts.next().and_then(|column| column.parse().ok()).unwrap_or_default();
        assert!(line > 0 && column > 0, "no place in {first}");
        assert!(ran.stderr.contains(named), "{to}: nothing of {named} in\n{}", ran.stderr);
        assert!(ran.stderr.contains('^'), "no caret in\n{}", ran.stderr);
        for command in ["plan", "run", "report", "status"] {
            bench.septet(&[command, "wrong.toml"]).code(2);
        }
    }
    assert!(!bench.path(".septet").exists(), "bad input writes nothing");
}

#[test]
fn all_mistakes_of_a_file_come_in_one_go() {
    let bench = Bench::new();
    let text = SMALL.replacen("B = 32", "B = 0", 1).replacen("x = \"B\"", "x = \"Q\"", 1).replacen("titl", "tilt", 1);
    bench.write("wrong.toml", &text);
    let ran = bench.septet(&["check", "wrong.toml"]).code(2);
    let places = ran.stderr.lines().filter(|line| line.starts_with("wrong.toml:")).count();
    assert!(places >= 3, "{}", ran.stderr);
}

#[test]
fn a_file_cut_anywhere_is_an_error_and_no_panic() {
    let bench = Bench::new();
    for tenth in 1..10 {
        let cut = SMALL.len() * tenth / 10;
        bench.write("cut.toml", &SMALL[..cut]);
        let ran = bench.septet(&["check", "cut.toml"]);
        assert!(ran.code == 2 || ran.code == 0, "cut at {cut}: {ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
    bench.septet(&["check", "not-there.toml"]).code(2);
    bench.write("binary.toml", "\u{0}\u{1}[[[");
    bench.septet(&["check", "binary.toml"]).code(2);
}

#[test]
fn too_many_tests_are_refused_with_the_product() {
    let bench = Bench::new();
    let many = SMALL.replacen("P = [64, 1500]", "P = { from = 64, to = 1514, step = 1 }", 1).replacen(
        "R = \"50kpps\"\nB = 32",
        "R = { from = 1000, to = 1000000, step = 1000 }\nB = { from = 1, to = 64, step = 1 }",
        1,
    );
    bench.write("many.toml", &many);
    let ran = bench.septet(&["check", "many.toml"]).code(2);
    assert!(ran.stderr.contains("92,864,000"), "{}", ran.stderr);
}

#[test]
fn expressions_on_the_command_line_are_checked() {
    let bench = Bench::new();
    bench.write("small.toml", SMALL);
    bench.septet(&["run", "small.toml", "--only", "Q=3"]).code(2);
    bench.septet(&["run", "small.toml", "--only", "P=128"]).code(2);
    bench.septet(&["explain", "small.toml", "P=64"]).code(2);
    bench.septet(&["explain", "small.toml", "throughput/local/1vs1/linux-bridge/64B/50kpps/b32+io=udp-mmsg"]).code(0);
    bench.septet(&["show", "xyz"]).code(2);
    bench.septet(&["no-such-command"]).code(2);
    assert!(!bench.path(".septet").exists(), "bad input writes nothing");
}
