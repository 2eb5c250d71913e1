//! Reports as their readers use them: what is rewritten, what changed since, templates of one's own.

use std::fs;

use super::bench::{Bench, touched};

/// Key of the test whose name holds `part`.
fn key(bench: &Bench, part: &str) -> String {
    let plan = bench.septet(&["plan", "small.toml", "--json"]).code(0).json();
    let tests = plan["tests"].as_array().expect("tests are listed").clone();
    let test = tests.iter().find(|test| test["name"].as_str().is_some_and(|name| name.contains(part)));
    test.and_then(|test| test["key"].as_str()).expect("it has a key").to_string()
}

#[test]
fn one_more_repetition_rewrites_what_contains_its_test_and_nothing_else() {
    let bench = Bench::measured();
    let page = format!("tests/{}.html", key(&bench, "/1500B/"));
    let text = fs::read_to_string(bench.path("out/small").join(&page)).expect("it has a page");
    let command = text.split_once("<pre>").and_then(|(_, rest)| rest.split_once("</pre>")).expect("a command").0;
    assert!(command.starts_with("septet run small.toml --only &#x27;") || command.contains("--only "), "{command}");

    let base = fs::read_dir(bench.path(".septet/generations/small")).expect("one is stored");
    let base = base.map(|entry| entry.expect("it is listed").file_name().into_string().expect("ASCII"));
    let base = base.collect::<Vec<_>>().remove(0).trim_end_matches(".json.zst").to_string();
    let before = bench.files("out/small");
    let run = bench.septet(&["run", "small.toml", "--only", "P=1500", "--force", "P=1500"]).code(0);
    assert!(run.stdout.contains("measured 2 repetitions"), "{}", run.stdout);
    let changed = touched(&before, &bench.files("out/small"));
    // These carry every digit or every repetition, so they cannot have stayed.
    let always = ["figures/by-size.csv", "index.html", "summary.json", "tables/sizes-table.csv", page.as_str()];
    for file in always {
        assert!(changed.iter().any(|name| name == file), "{file} is not among {changed:?}");
    }
    // These show rounded numbers. Where the new repetition moved none of their digits, they are not written again.
    let rounded = ["claims.html", "figures/by-size.svg", "figures/by-size.tex", "report.tex", "tables/sizes-table.tex"];
    let others = changed.iter().filter(|name| !always.contains(&name.as_str()) && !rounded.contains(&name.as_str()));
    assert_eq!(others.collect::<Vec<_>>(), Vec::<&String>::new());

    let report = bench.files("out/small");
    let digest = base.split('-').nth(1).expect("a name has the digest of what it stands on").to_string();
    let told = bench.septet(&["report", "small.toml", "--since", &digest[..8]]).code(0);
    assert!(told.stdout.contains("what changed: "), "{}", told.stdout);
    assert_eq!(touched(&report, &bench.files("out/small")), [format!("since-{digest}.html")]);
    let page = fs::read_to_string(bench.path("out/small").join(format!("since-{digest}.html"))).expect("it is written");
    assert!(page.contains("2 repetitions more") && page.contains("/1500B/"), "{page}");
    assert!(page.contains("by-size") && !page.contains("round-trip"), "{page}");
    assert!(page.contains("2 tests are as they were"), "{page}");

    let written = bench.files("out/small");
    bench.septet(&["report", "small.toml", "--since", "latest~1"]).code(0);
    assert_eq!(touched(&written, &bench.files("out/small")), Vec::<String>::new());
    let unknown = bench.septet(&["report", "small.toml", "--since", "feed"]).code(2);
    assert!(unknown.stderr.contains("no generation of small is 'feed'") && unknown.stderr.contains(&base));
}

#[test]
fn a_template_beside_the_experiment_takes_the_place_of_the_built_in_one() {
    let bench = Bench::measured();
    let before = bench.files("out/small");
    fs::create_dir(bench.path("templates")).expect("it is new");
    bench.write("templates/claims.html", "<!DOCTYPE html><title>{{ title }}</title>{% include \"mine.html\" %}");
    bench.write("templates/mine.html", "{% for claim in claims %}{{ claim.id }} {{ claim.outcome }}{% endfor %}");
    let told = bench.septet(&["report", "small.toml"]).code(0);
    assert!(told.stderr.contains("templates beside the experiment are used: claims.html"), "{}", told.stderr);
    let page = fs::read_to_string(bench.path("out/small/claims.html")).expect("it is written");
    assert!(page.starts_with("<!DOCTYPE html><title>Small</title>small-is-fast "), "{page}");
    assert!(touched(&before, &bench.files("out/small")).contains(&"claims.html".to_string()));

    bench.write("templates/mine.html", "{% for claim in");
    let wrong = bench.septet(&["report", "small.toml"]).code(2);
    assert!(wrong.stderr.contains("templates beside the experiment"), "{}", wrong.stderr);

    // A link is not followed: what it points to is nobody's template.
    fs::remove_file(bench.path("templates/mine.html")).expect("it is there");
    fs::remove_file(bench.path("templates/claims.html")).expect("it is there");
    std::os::unix::fs::symlink("/etc/passwd", bench.path("templates/claims.html")).expect("a link can be made");
    let plain = bench.septet(&["report", "small.toml"]).code(0);
    assert!(!plain.stderr.contains("templates beside"), "{}", plain.stderr);
    let differs = |name: &String| bench.files("out/small")[name].2 != before[name].2;
    assert_eq!(before.keys().filter(|name| differs(name)).collect::<Vec<_>>(), Vec::<&String>::new());
}
