//! What a pull brings is what a report needs; and what a shared store says of generations is believed only where it is
//! so, and never takes the place of one's own.

use std::fs;

use super::bench::{Bench, SMALL, touched};
use super::remote::{folder, sharing};

/// A bench whose small experiment was run and pushed to `shared`, and a folder `other` with the file alone.
fn pushed() -> Option<(Bench, String)> {
    let bench = sharing()?;
    bench.septet(&["run", "small.toml"]).code(0);
    let url = folder(&bench, "shared");
    bench.septet(&["store", "push", &url]).code(0);
    fs::create_dir_all(bench.path("other")).expect("the bench is writable");
    bench.write("other/small.toml", SMALL);
    Some((bench, url))
}

#[test]
fn after_a_pull_a_report_needs_nothing_else() {
    let Some((bench, url)) = pushed() else { return };
    let pull = ["store", "pull", &url, "--store", "other/.septet"];
    let pulled = bench.septet(&pull).code(0);
    assert!(pulled.stdout.contains("pulled 6 results") && pulled.stdout.contains("of small"), "{pulled:?}");
    fs::rename(bench.path("shared"), bench.path("gone")).expect("it is ours");
    bench.septet(&["report", "other/small.toml", "-o", "out/other"]).code(0);
    let bytes = |folder: &str| bench.files(folder).into_iter().map(|(name, file)| (name, file.2)).collect::<Vec<_>>();
    assert_eq!(bytes("out/other"), bytes("out/small"), "the two reports differ");
    bench.septet(&["store", "verify", "--store", "other/.septet"]).code(0);

    // From where nobody pushed to: a wrong address, most likely.
    let nothing = bench.septet(&["store", "pull", &url, "--store", "third/.septet"]).code(0);
    assert!(nothing.stderr.contains("has no results; is the address right?"), "{nothing:?}");

    // Again, and nothing is touched.
    fs::rename(bench.path("gone"), bench.path("shared")).expect("it is ours");
    let before = bench.files("other/.septet/generations");
    let again = bench.septet(&[&pull[..], &["--json"]].concat()).code(0).json();
    assert_eq!((&again["copied"], &again["generations"]), (&0.into(), &serde_json::json!({})), "{again}");
    assert_eq!(touched(&before, &bench.files("other/.septet/generations")), Vec::<String>::new());
}

#[test]
fn a_pull_of_results_alone_says_what_makes_a_report_of_them() {
    let Some((bench, url)) = pushed() else { return };
    fs::remove_dir_all(bench.path("shared/generations")).expect("it is ours");
    let pulled = bench.septet(&["store", "pull", &url, "--store", "other/.septet"]).code(0);
    assert!(pulled.stderr.contains("`septet run FILE`"), "{pulled:?}");
    let told = bench.septet(&["report", "other/small.toml", "-o", "out/other"]).code(2);
    assert!(told.stderr.contains("septet run other/small.toml"), "{told:?}");
    let ran = bench.septet(&["run", "other/small.toml", "-o", "out/other", "--json"]).code(0).json();
    assert_eq!(ran["measured"], 0, "{ran}");
    // Results of one key are what was asked for: no generation comes.
    let Some((bench, url)) = pushed() else { return };
    let key = bench.septet(&["plan", "small.toml", "--json"]).code(0).json()["tests"][0]["key"].clone();
    let key = key.as_str().expect("it has one");
    let pulled =
        bench.septet(&["store", "pull", &url, "--store", "other/.septet", "--key", key, "--json"]).code(0).json();
    assert_eq!((&pulled["copied"], &pulled["generations"]), (&2.into(), &serde_json::json!({})), "{pulled}");
    assert!(!bench.path("other/.septet/generations").exists(), "nothing stands on what was not asked for");
}

#[test]
fn generations_that_are_not_what_they_say_are_not_taken_and_own_ones_stay() {
    let Some((bench, url)) = pushed() else { return };
    let own = bench.files(".septet/generations");
    let generations = bench.path("shared/generations");
    let name = fs::read_to_string(generations.join("small/latest")).expect("it was pushed");
    // Names that are none of experiments: nobody looks into them.
    for odd in ["a b", "nul", "x.", "-\u{202e}", "a\\b"] {
        fs::create_dir_all(generations.join(odd)).expect("it is ours");
        fs::write(generations.join(odd).join("latest"), &name).expect("it is ours");
    }
    // Another experiment's under a name of its own; one whose pointer climbs; one that goes on and on; one cut in half.
    let file = generations.join("small").join(format!("{name}.json.zst"));
    for other in ["twin", "climbs", "long", "half"] {
        fs::create_dir_all(generations.join(other)).expect("it is ours");
        fs::copy(&file, generations.join(other).join(format!("{name}.json.zst"))).expect("it is ours");
        fs::write(generations.join(other).join("latest"), &name).expect("it is ours");
    }
    fs::write(generations.join("climbs/latest"), "../../results/x").expect("it is ours");
    fs::write(generations.join("long/latest"), vec![b'2'; 1 << 20]).expect("it is ours");
    let whole = fs::read(&file).expect("it is there");
    fs::write(generations.join("half").join(format!("{name}.json.zst")), &whole[..whole.len() / 2])
        .expect("it is ours");

    let pulled = bench.septet(&["store", "pull", &url, "--store", "other/.septet", "--json"]).code(4).json();
    assert_eq!(pulled["generations"], serde_json::json!({ "small": name }), "{pulled:#}");
    let refused = pulled["refused"].as_array().expect("they are told");
    for (experiment, count) in [("twin", 1), ("climbs", 1), ("long", 1), ("half", 1), ("nul", 0), ("a b", 0)] {
        let told = refused.iter().filter(|why| why.as_str().is_some_and(|why| why.contains(experiment))).count();
        assert_eq!(told, count, "{experiment}: {pulled:#}");
    }
    let kept: Vec<String> = bench.files("other/.septet/generations").into_keys().collect();
    assert_eq!(kept, [format!("small/{name}.json.zst")]);
    bench.septet(&["store", "verify", "--store", "other/.septet"]).code(0);

    // Whoever has generations of an experiment keeps them as they are.
    bench.septet(&["store", "pull", &url, "--json"]).code(4);
    assert_eq!(touched(&own, &bench.files(".septet/generations")), Vec::<String>::new());
}
