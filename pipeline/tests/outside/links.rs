//! Links in a store and in a report's folder, at every place that is written to, cleared or removed.

use std::fs;

use super::victim::Scene;

#[test]
fn links_to_folders_in_a_store_are_not_followed() {
    for place in ["tmp", "tmp/x", "tmp/1-a-0", "quarantine", "reports", "archives", "searches", "generations/other"] {
        let scene = Scene::new();
        scene.link(&format!(".septet/{place}"), "");
        scene.everything();
    }
}

#[test]
fn links_for_what_every_reader_needs_are_told() {
    for place in ["results", "index", "manifests"] {
        let scene = Scene::new();
        scene.link(&format!(".septet/{place}"), "");
        let ran = scene.ends(&["run", "small.toml", "--no-remote", "--force", "P=64"]);
        assert_eq!(ran.code, 3, "{place}: {ran:?}");
        assert!(ran.stderr.contains("symbolic link"), "{place}: {}", ran.stderr);
        scene.everything();
    }
}

#[test]
fn a_shelf_of_results_that_is_a_link_is_not_followed() {
    let scene = Scene::new();
    let shelf = fs::read_dir(scene.bench.path(".septet/results")).expect("it is there").flatten().next();
    let name = shelf.expect("there are results").file_name().into_string().expect("two digits");
    scene.link(&format!(".septet/results/{name}"), "results");
    let told = scene.ends(&["report", "small.toml", "--no-remote"]);
    assert_eq!(told.code, 3, "{told:?}");
    assert!(told.stderr.contains("symbolic link"), "{}", told.stderr);
    scene.everything();
}

#[test]
fn links_to_files_in_a_store_are_neither_read_nor_written_through() {
    for place in
        ["lock", "index/checkpoint", "index/fold.lock", "index/x.log", "index/.checkpoint.unfinished", "format"]
    {
        let scene = Scene::new();
        scene.link(&format!(".septet/{place}"), "precious");
        scene.everything();
        scene.link(&format!(".septet/{place}"), "nothing-there-yet");
        scene.everything();
        assert!(!scene.bench.path("victim/nothing-there-yet").exists(), "{place}: it was made through a link");
    }
    let scene = Scene::new();
    scene.link(".septet/lock", "precious");
    let ran = scene.ends(&["run", "small.toml", "--force", "P=64", "--no-remote"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains(".septet/lock: it is a symbolic link"), "{}", ran.stderr);
}

#[test]
fn links_in_the_folder_of_a_report_are_not_written_through() {
    for (place, to) in [
        ("out/small/.septet.js.unfinished", "precious"),
        ("out/small/.septet.css.unfinished", "not-there"),
        ("out/small/index.html", "index.html"),
        ("out/small/summary.json", "not-there"),
        ("out/small/tests", "results"),
        ("out/small/figures", ""),
        ("out/small/tables", ""),
        ("out/small", ""),
        ("out", ""),
    ] {
        let scene = Scene::new();
        if place.starts_with("out/small/") {
            fs::create_dir_all(scene.bench.path("out/small")).expect("the bench is writable");
            // So that it counts as a report.
            scene.bench.write("out/small/septet.css", "");
        }
        scene.link(place, to);
        let ran = scene.ends(&["report", "small.toml", "--no-remote"]);
        match place.ends_with(".unfinished") {
            true => assert_eq!(ran.code, 0, "{place}: {ran:?}"),
            false => {
                assert_eq!(ran.code, 3, "{place}: {ran:?}");
                assert!(ran.stderr.contains("symbolic link"), "{place}: {}", ran.stderr);
            }
        }
        scene.everything();
        assert!(!scene.bench.path("victim/not-there").exists(), "{place}: it was made through a link");
    }
}

#[test]
fn an_archive_goes_through_a_link_only_where_that_was_named() {
    let scene = Scene::new();
    let bench = &scene.bench;
    for to in ["precious", "not-there"] {
        scene.link("small.tar.zst", to);
        let ran = scene.ends(&["archive", "create", "small.toml", "--license", "MIT", "--no-remote"]);
        assert_eq!(ran.code, 3, "{ran:?}");
        assert!(ran.stderr.contains("small.tar.zst: it is a symbolic link"), "{}", ran.stderr);
        scene.unharmed("an archive in its usual place");
        assert!(!bench.path("victim/not-there").exists());
    }
    bench.write("mine", "");
    std::os::unix::fs::symlink("mine", bench.path("named")).expect("the bench is writable");
    bench.septet(&["archive", "create", "small.toml", "-o", "named", "--license", "MIT", "--no-remote"]).code(0);
    assert!(fs::symlink_metadata(bench.path("named")).expect("it is there").is_symlink());
    bench.septet(&["archive", "verify", "mine"]).code(0);
}

#[test]
fn stamps_are_not_written_through_links() {
    let scene = Scene::reported();
    let stamps = scene.bench.files(".septet/reports");
    for name in stamps.keys() {
        scene.link(&format!(".septet/reports/{name}"), "precious");
    }
    scene.everything();
    let ran = scene.ends(&["report", "small.toml", "--no-remote"]);
    assert_eq!(ran.code, 0, "what is only remembered is never essential: {ran:?}");
}

#[test]
fn a_file_with_other_names_keeps_its_content_under_them() {
    let scene = Scene::reported();
    let names = ["out/small/index.html", "out/small/septet.js", ".septet/lock", "out/small/.summary.json.unfinished"];
    for name in names {
        let path = scene.bench.path(name);
        let _ = fs::remove_file(&path);
        fs::hard_link(scene.bench.path("victim/precious"), path).expect("the bench is writable");
    }
    scene.everything();
}

#[test]
fn a_usual_place_that_is_a_link_is_refused_and_one_that_is_named_is_followed() {
    let scene = Scene::new();
    let from = scene.bench.path("elsewhere");
    fs::rename(scene.bench.path(".septet"), &from).expect("the bench is writable");
    std::os::unix::fs::symlink("elsewhere", scene.bench.path(".septet")).expect("the bench is writable");
    let ran = scene.ends(&["plan", "small.toml", "--no-remote"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("symbolic link") && ran.stderr.contains("--store"), "{}", ran.stderr);
    scene.bench.septet(&["report", "small.toml", "--store", ".septet", "-o", "named", "--no-remote"]).code(0);
    scene.bench.septet_with(&[("SEPTET_STORE", ".septet")], &["status", "small.toml", "-q", "--no-remote"]).code(0);
    std::os::unix::fs::symlink("named", scene.bench.path("linked")).expect("the bench is writable");
    let again = scene.bench.septet(&["report", "small.toml", "--store", "elsewhere", "-o", "linked", "--no-remote"]);
    assert!(again.code(0).stdout.contains("linked/index.html"));
    assert!(fs::symlink_metadata(scene.bench.path("linked")).expect("it is there").is_symlink());
    scene.unharmed("named links");
}

#[test]
fn a_pdf_is_made_of_copies_with_nobodys_settings() {
    let scene = Scene::reported();
    let bench = &scene.bench;
    let attack = format!("system('touch {}');\n", bench.path("victim/pwned").display());
    for name in ["latexmkrc", ".latexmkrc"] {
        bench.write(&format!("out/small/{name}"), &attack);
    }
    for name in ["report.aux", "report.log", "report.fls", "report.fdb_latexmk", "report.out"] {
        scene.link(&format!("out/small/{name}"), "precious");
    }
    // Whether TeX is here and complete is not this test's matter.
    let ran = scene.ends(&["report", "small.toml", "--pdf", "--no-remote"]);
    assert_eq!(bench.path("out/small/report.pdf").is_file(), ran.code == 0, "{ran:?}");
    scene.unharmed("latexmk");
    scene.link("out/small/report.pdf", "precious");
    let ran = scene.ends(&["report", "small.toml", "--pdf", "--no-remote"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    scene.unharmed("a PDF that is a link");
}

#[test]
fn what_an_archive_publishes_is_not_read_through_links() {
    for name in ["LICENSE", "COPYING", "CITATION.cff"] {
        let scene = Scene::new();
        scene.link(name, "precious");
        let ran = scene.ends(&["archive", "create", "small.toml", "-o", "mine.tar.zst"]);
        assert_eq!(ran.code, 3, "{name}: {ran:?}");
        assert!(ran.stderr.contains(&format!("{name}: it is a symbolic link")), "{name}: {}", ran.stderr);
        assert!(!scene.bench.path("mine.tar.zst").exists(), "{name}: an archive was made");
    }
}
