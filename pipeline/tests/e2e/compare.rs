//! Two generations held against each other, and claims as a gate.

use std::fs;

use super::bench::{Bench, SMALL};

#[test]
fn two_generations_are_compared_and_a_refuted_claim_can_fail_a_run() {
    let bench = Bench::new();
    let refuted = "\n[[claim]]\nid = \"absurd\"\nfrom = \"sizes\"\ntext = \"Nothing arrives.\"\ntest = \"for P: rx_pps < 1pps\"\n";
    bench.write("small.toml", SMALL);
    bench.septet(&["run", "small.toml"]).code(0);
    bench.septet(&["compare", "small.toml", "latest~1"]).code(2);
    // The same, measured once more: more repetitions of the same keys.
    bench.septet(&["run", "small.toml", "--force", "L=local"]).code(0);

    let compared = bench.septet(&["compare", "small.toml", "latest~1", "--json", "--plot", "moved.svg"]).code(0).json();
    assert_eq!((&compared["compared"], &compared["same"]), (&3.into(), &0.into()), "{compared}");
    for test in compared["tests"].as_array().expect("tests are listed") {
        assert_eq!((&test["before"]["n"], &test["after"]["n"]), (&2.into(), &2.into()), "each value once: {test}");
        assert!(test["ratio"].as_f64().is_some_and(|ratio| ratio > 0.0), "{test}");
        let p = |name: &str| test[name].as_f64().expect("a probability");
        assert!(p("p") <= p("p_adjusted") && p("p_adjusted") <= 1.0, "{test}");
    }
    assert!(
        fs::read_to_string(bench.path("moved.svg")).is_ok_and(|svg| svg.starts_with("<svg") || svg.contains("<svg"))
    );
    let text = bench.septet(&["compare", "small.toml", "latest~1", "latest", "--fail-if-slower", "99%"]).code(0);
    assert!(text.stdout.contains("3 tests compared"), "{}", text.stdout);
    let same = bench.septet(&["compare", "small.toml", "latest", "latest"]).code(0);
    assert!(same.stdout.contains("3 tests on the very same repetitions"), "{}", same.stdout);
    bench.septet(&["compare", "small.toml", "nothing"]).code(2);
    bench.septet(&["compare", "small.toml", "latest", "--metric", "rx_furlongs"]).code(2);

    let group = SMALL.lines().find_map(|line| line.strip_prefix("id = ")).expect("a group").trim_matches('"');
    bench.write("strict.toml", &format!("{SMALL}{}", refuted.replace("sizes", group)));
    bench.septet(&["report", "strict.toml"]).code(0);
    let strict = bench.septet(&["report", "strict.toml", "--strict-claims"]).code(1);
    assert!(strict.stderr.contains("the claim 'absurd' is refuted"), "{}", strict.stderr);
}
