//! Plans and reports see through to the site's shared store: what is there need not be here, what is copied is
//! checked first, and a store that cannot be reached stands in nobody's way.

use std::fs;

use super::bench::{Bench, SMALL, touched};
use super::remote::{folder, sharing};

/// Copies the experiment into a folder of its own, whose trusted site names a shared store.
fn elsewhere(bench: &Bench, name: &str, url: &str) {
    fs::create_dir_all(bench.path(name)).expect("the bench is writable");
    bench.write(&format!("{name}/small.toml"), SMALL);
    bench.write(&format!("{name}/site.toml"), &format!("[store]\nremote = \"{url}\"\n"));
    bench.septet(&["site", "trust", &format!("{name}/site.toml")]).code(0);
}

#[test]
fn plans_and_reports_see_what_others_have_measured() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml"]).code(0);
    let url = folder(&bench, "shared");
    bench.septet(&["store", "push", &url]).code(0);
    elsewhere(&bench, "other", &url);

    let before = bench.files("");
    let plan = bench.septet(&["plan", "other/small.toml", "--json"]).code(0).json();
    assert_eq!((&plan["stored"], &plan["to_measure"], &plan["shared"]), (&3.into(), &0.into(), &3.into()), "{plan}");
    assert!(plan["tests"][0]["why"].to_string().contains(&url), "{plan}");
    let told = bench.septet(&["plan", "other/small.toml"]).code(0);
    assert!(told.stdout.contains("results of 3 stored tests are in file://"), "{}", told.stdout);
    bench.septet(&["status", "other/small.toml", "-q"]).code(0);
    let alone = bench.septet(&["plan", "other/small.toml", "--json", "--no-remote"]).code(0).json();
    assert_eq!((&alone["stored"], &alone["to_measure"]), (&0.into(), &3.into()), "{alone}");
    assert!(alone.get("shared").is_none(), "{alone}");
    assert_eq!(touched(&before, &bench.files("")), Vec::<String>::new(), "planning writes nothing");

    // A report takes the generation of whoever measured it, with its results.
    let alone = bench.septet(&["report", "other/small.toml", "--no-remote", "-o", "out/other"]).code(2);
    assert!(alone.stderr.contains("nothing of small is stored"), "{}", alone.stderr);
    let ran = bench.septet(&["report", "other/small.toml", "-o", "out/other"]).code(0);
    assert!(ran.stderr.contains("pulled 6 results") && ran.stderr.contains("nothing of small was run here"), "{ran:?}");
    let (here, there) = (bench.files("out/small"), bench.files("out/other"));
    let bytes = |files: &super::bench::Files| files.iter().map(|(n, f)| (n.clone(), f.2.clone())).collect::<Vec<_>>();
    assert!(!here.is_empty() && bytes(&here) == bytes(&there), "the two reports differ");
    let left = bench.septet(&["store", "verify", "--store", "other/.septet", "--json"]).code(0).json();
    assert_eq!(left["results"], 6, "{left}");

    // One result that is lost here comes back from there, and once all is here nobody is asked.
    let store = pipeline::store::Store::open(&bench.path("other/.septet")).expect("it is there");
    let lost = store.result_ids().expect("it can be listed")[0];
    fs::remove_dir_all(store.result_folder(&lost)).expect("it is ours");
    fs::remove_dir_all(bench.path("out/other")).expect("it is ours");
    fs::remove_dir_all(bench.path("other/.septet/reports")).expect("it is ours");
    let ran = bench.septet(&["report", "other/small.toml", "-o", "out/other"]).code(0);
    assert!(ran.stderr.contains("pulled 1 result "), "{}", ran.stderr);
    fs::rename(bench.path("shared"), bench.path("gone")).expect("it is ours");
    let ran = bench.septet(&["report", "other/small.toml", "-o", "out/other"]).code(0);
    assert!(ran.stdout.contains("up to date") && !ran.stderr.contains("file://"), "{ran:?}");
}

#[test]
fn what_is_damaged_there_is_in_no_report() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml"]).code(0);
    let url = folder(&bench, "shared");
    bench.septet(&["store", "push", &url]).code(0);
    let samples = bench.files("shared/results").into_keys().find(|name| name.ends_with("samples.parquet"));
    let samples = bench.path("shared/results").join(samples.expect("it is there"));
    let mut bytes = fs::read(&samples).expect("it is there");
    bytes[200] ^= 1;
    fs::write(&samples, bytes).expect("it is ours");
    elsewhere(&bench, "other", &url);
    let ran = bench.septet(&["report", "other/small.toml", "-o", "out/other"]).code(3);
    assert!(ran.stderr.contains("its samples.parquet is not what its record says"), "{}", ran.stderr);
    assert!(!bench.path("out/other").exists(), "no report is made of less than it says");
    assert!(!bench.path("other/.septet/generations").exists(), "nothing stands on what was refused");

    // A name that leads elsewhere, and a generation of another experiment.
    let generation = bench.files("shared/generations/small").into_keys().find(|name| name.ends_with(".zst"));
    let name = generation.expect("it was pushed").trim_end_matches(".json.zst").to_string();
    bench.write("shared/generations/small/latest", "../../results/x");
    let ran = bench.septet(&["report", "other/small.toml", "-o", "out/other"]).code(2);
    assert!(ran.stderr.contains("the latest has no plain name"), "{}", ran.stderr);
    bench.write("shared/generations/small/latest", &format!("20990101T000000000Z{}", &name[name.len() - 17..]));
    let ran = bench.septet(&["report", "other/small.toml", "-o", "out/other"]).code(2);
    assert!(ran.stderr.contains("it is not there"), "{}", ran.stderr);
}

#[test]
fn a_shared_store_that_cannot_be_reached_is_told_and_stops_no_plan() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    // A port that nobody listens on.
    let port = super::server::free_port();
    bench.write("site.toml", &format!("[store]\nremote = \"http://127.0.0.1:{port}/\"\n"));
    bench.septet(&["site", "trust", "site.toml"]).code(0);
    let ran = bench.septet(&["plan", "small.toml", "--json"]).code(0);
    assert!(
        ran.stderr.contains(&format!("127.0.0.1:{port}")) && ran.stderr.contains("continuing without the shared store"),
        "{}",
        ran.stderr
    );
    let plan = ran.json();
    assert_eq!((&plan["stored"], &plan["to_measure"]), (&1.into(), &2.into()), "{plan}");
    let ran = bench.septet(&["report", "small.toml", "-o", "out/again"]).code(0);
    assert!(!ran.stderr.contains("127.0.0.1"), "all of it is here: {}", ran.stderr);
    // Nor does it keep anybody from measuring.
    let ran = bench.septet(&["run", "small.toml"]).code(0);
    assert!(ran.stderr.contains("continuing without the shared store"), "{}", ran.stderr);
    bench.septet(&["status", "small.toml", "-q", "--no-remote"]).code(0);
}
