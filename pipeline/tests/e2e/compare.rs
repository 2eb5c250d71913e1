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
    let text = bench.septet(&["compare", "small.toml", "latest~1", "latest"]).code(0);
    assert!(text.stdout.contains("3 tests compared"), "{}", text.stdout);
    // Of rates: a round trip may well be three times as long while the machine is busy with something else.
    let rates = ["--metric", "rx_kpps", "--fail-if-slower", "99%"];
    bench.septet(&[&["compare", "small.toml", "latest~1", "latest"][..], &rates].concat()).code(0);
    let same = bench.septet(&["compare", "small.toml", "latest", "latest"]).code(0);
    assert!(same.stdout.contains("3 tests on the very same repetitions"), "{}", same.stdout);
    bench.septet(&["compare", "small.toml", "nothing"]).code(2);
    bench.septet(&["compare", "small.toml", "latest", "--metric", "rx_furlongs"]).code(2);

    let group = SMALL.lines().find_map(|line| line.strip_prefix("id = ")).expect("a group").trim_matches('"');
    bench.write("strict.toml", &format!("{SMALL}{}", refuted.replace("sizes", group)));
    bench.septet(&["report", "strict.toml"]).code(0);
    let strict = bench.septet(&["report", "strict.toml", "--strict-claims"]).code(4);
    assert!(strict.stderr.contains("the claim 'absurd' is refuted"), "{}", strict.stderr);
}

#[test]
fn a_comparison_names_what_differs_beside_what_moved() {
    let bench = Bench::measured();
    bench.upgrade("septet-gen");
    bench.septet(&["run", "small.toml"]).code(0);
    let compared = bench.septet(&["compare", "small.toml", "latest~1", "--json"]).code(0).json();
    let inputs = compared["inputs"].as_array().expect("inputs are listed");
    assert_eq!(inputs.len(), 1, "the generator and nothing else: {compared}");
    assert_eq!((&inputs[0]["input"], &inputs[0]["tests"]), (&"generator.septet-gen".into(), &3.into()));
    assert_ne!(inputs[0]["was"], inputs[0]["is"]);
    for test in compared["tests"].as_array().expect("tests are listed") {
        assert_eq!(test["changed"], serde_json::json!(["generator:septet-gen"]), "{test}");
    }
    let told = bench.septet(&["compare", "small.toml", "latest~1"]).code(0).stdout;
    assert!(told.contains("\ndiffers: generator.septet-gen ") && told.contains(", 3 tests\n"), "{told}");

    bench.septet(&["run", "small.toml", "--force", "L=local"]).code(0);
    let compared = bench.septet(&["compare", "small.toml", "latest~1", "--json"]).code(0).json();
    assert_eq!((&compared["inputs"], &compared["compared"]), (&serde_json::json!([]), &3.into()), "{compared}");
    let told = bench.septet(&["compare", "small.toml", "latest~1"]).code(0).stdout;
    assert!(told.contains("nothing differs that is in keys"), "{told}");
}

#[test]
fn archives_and_origins_are_sides_and_a_slower_one_can_fail_a_job() {
    let bench = Bench::new();
    bench.write("small.toml", &SMALL.replace("repetitions = 2", "repetitions = 4"));
    bench.septet(&["run", "small.toml"]).code(0);
    bench.septet(&["archive", "create", "small.toml", "-o", "a.tar.zst"]).code(0);
    bench.septet(&["archive", "import", "a.tar.zst", "--as", "theirs"]).code(0);
    for side in ["a.tar.zst", "origin:theirs"] {
        let same = bench.septet(&["compare", "small.toml", side]).code(0);
        assert!(same.stdout.contains("3 tests on the very same repetitions"), "{}", same.stdout);
    }
    bench.septet(&["compare", "small.toml", "origin:nobody"]).code(2);

    // What somebody with a machine of a hundredth of the speed would send: the same records with other values.
    slowed(&bench, ".septet", "slow");
    bench.septet(&["run", "small.toml", "--store", "slow", "-o", "slow-report"]).code(0);
    bench.septet(&["archive", "create", "small.toml", "--store", "slow", "-o", "slow.tar.zst"]).code(0);
    let gate = |before: &str, after: &str| {
        ["compare", "small.toml", before, after, "--fail-if-slower", "5%"].map(String::from)
    };
    let run = |arguments: [String; 6], code: i32| {
        bench.septet(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).code(code)
    };
    let slower = run(gate("origin:theirs", "slow.tar.zst"), 4);
    assert!(slower.stderr.contains("2 tests slower than allowed"), "{}{}", slower.stdout, slower.stderr);
    run(gate("slow.tar.zst", "origin:theirs"), 0);
    run(gate("latest", "slow.tar.zst"), 4);
    // No summary of those follows from its samples: a comparison is told of the archive's word, an import asks more.
    bench.septet(&["archive", "import", "slow.tar.zst", "--as", "slow"]).code(4);
    fs::write(bench.path("cut.tar.zst"), &fs::read(bench.path("a.tar.zst")).expect("it was made")[..1000])
        .expect("the bench is writable");
    bench.septet(&["compare", "small.toml", "cut.tar.zst"]).code(2);
}

/// Copies a store; in the copy every received rate is a hundredth, and each result has the name of what it says.
fn slowed(bench: &Bench, from: &str, to: &str) {
    for (name, (_, _, bytes)) in bench.files(from) {
        if name.starts_with("manifests/") || name == "format" {
            place(bench, to, &name, &bytes);
        }
        let Some((folder, file)) = name.rsplit_once('/').filter(|_| name.starts_with("results/")) else { continue };
        let record = fs::read(bench.path(from).join(folder).join("record.json")).expect("it is there");
        let record = slow_record(&record);
        let id = blake3::hash(&record).to_hex();
        let bytes = if file == "record.json" { record } else { bytes };
        place(bench, to, &format!("results/{}/{id}/{file}", &id[..2]), &bytes);
    }
}

fn place(bench: &Bench, below: &str, name: &str, bytes: &[u8]) {
    let path = bench.path(below).join(name);
    fs::create_dir_all(path.parent().expect("it lies in a folder")).expect("the bench is writable");
    fs::write(path, bytes).expect("the bench is writable");
}

fn slow_record(bytes: &[u8]) -> Vec<u8> {
    let mut record: serde_json::Value = serde_json::from_slice(bytes).expect("records are JSON");
    if let Some(rate) = record["reduction"]["values"].get_mut("rx_pps") {
        *rate = (rate.as_f64().expect("a number") / 100.0).into();
    }
    serde_json::to_vec(&record).expect("records are JSON")
}
