//! Names in files of a store, which may lead anywhere.

use std::fs;

use super::bench::Bench;
use super::victim::Scene;

/// The only file of that name below the stamps of reports, as JSON.
fn stamps(bench: &Bench) -> (String, serde_json::Value) {
    let files = bench.files(".septet/reports");
    let name = files.keys().find(|name| name.ends_with("files.json")).expect("a report was made");
    let path = format!(".septet/reports/{name}");
    let json = serde_json::from_str(&fs::read_to_string(bench.path(&path)).expect("it is there"));
    (path, json.expect("it is JSON"))
}

#[test]
fn stamps_that_name_files_elsewhere_remove_none() {
    let scene = Scene::reported();
    let bench = &scene.bench;
    bench.write("out/small/notes.txt", "mine");
    bench.write("out/small/figures/mine.svg", "mine");
    let (path, mut json) = stamps(bench);
    let stamp = json.as_object().and_then(|stamps| stamps.values().next()).expect("it has stamps").clone();
    let absolute = bench.path("victim/precious").display().to_string();
    let names =
        [absolute.as_str(), "../../victim/two", "tests/../../../victim/index.html", "notes.txt", "figures/mine.svg"];
    for name in names {
        json[name] = stamp.clone();
    }
    bench.write(&path, &json.to_string());
    bench.edit("small.toml", "title = \"Small\"", "title = \"Smaller\"");
    bench.septet(&["report", "small.toml", "--no-remote"]).code(0);
    scene.unharmed("stamps that name it");
    for mine in ["out/small/notes.txt", "out/small/figures/mine.svg"] {
        assert!(bench.path(mine).exists(), "{mine} is not the report's");
    }
    // The same names as those of files that only have to be looked at.
    let head = path.replace("files.json", "head.json");
    let mut json: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(bench.path(&head)).expect("it is there")).expect("it is JSON");
    json["front"]["../../victim/two"] = serde_json::json!([9, 0]);
    bench.write(&head, &json.to_string());
    scene.everything();
}

#[test]
fn a_page_that_cannot_be_removed_is_tried_again() {
    let scene = Scene::reported();
    let bench = &scene.bench;
    let figure = bench.path("out/small/figures/round-trip.svg");
    assert!(figure.exists());
    let text = fs::read_to_string(bench.path("small.toml")).expect("it is there");
    let start = text.find("[[figure]]\nid = \"round-trip\"").expect("it is there");
    let end = start + text[start..].find("[[claim]]").expect("it is there");
    bench.write("small.toml", &format!("{}{}", &text[..start], &text[end..]));
    let chattr = |flag: &str| {
        let done = std::process::Command::new("chattr").arg(flag).arg(bench.path("out/small/figures")).status();
        done.is_ok_and(|status| status.success())
    };
    // Nothing can be added to or removed from such a folder, not even by root.
    if !chattr("+i") {
        println!("skipped: no immutable folders here");
        return;
    }
    let first = scene.ends(&["report", "small.toml", "--no-remote"]);
    let stood = figure.exists();
    assert!(chattr("-i"), "what was set can be taken back");
    assert_eq!((first.code, stood), (0, true), "{first:?}");
    bench.edit("small.toml", "title = \"Small\"", "title = \"Smaller\"");
    bench.septet(&["report", "small.toml", "--no-remote"]).code(0);
    assert!(!figure.exists(), "it was forgotten");
}

#[test]
fn an_origin_whose_file_lies_elsewhere_is_refused() {
    let scene = Scene::new();
    let bench = &scene.bench;
    bench.septet(&["archive", "create", "small.toml", "-o", "a.tar.zst", "--no-remote"]).code(0);
    bench.septet(&["archive", "import", "a.tar.zst", "--as", "theirs"]).code(0);
    let name = ".septet/origins/theirs/origin.json";
    let honest = fs::read_to_string(bench.path(name)).expect("it was imported");
    let absolute = bench.path("small.toml").display().to_string();
    for file in ["../../../small.toml", &absolute, "x/../../../../small.toml", ""] {
        let mut json: serde_json::Value = serde_json::from_str(&honest).expect("it is JSON");
        json["file"] = file.into();
        bench.write(name, &json.to_string());
        let ran = scene.ends(&["report", "small.toml", "--with-origin", "theirs", "--no-remote"]);
        assert!([2, 3].contains(&ran.code), "{file}: {ran:?}");
    }
    bench.write(name, &honest);
    scene.link(".septet/origins/theirs/.septet", "");
    let ran = scene.ends(&["report", "small.toml", "--with-origin", "theirs", "--no-remote"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    scene.everything();
}

#[test]
fn a_name_that_commands_a_terminal_is_shown_without_what_does() {
    let scene = Scene::reported();
    let bench = &scene.bench;
    let hostile = "\u{1b}]0;owned\u{7}\r\u{9b}31m\u{202e}";
    let shelf = bench.path(".septet/results/00");
    fs::create_dir_all(shelf.join(hostile)).expect("the bench is writable");
    let folder = format!("a{hostile}");
    fs::create_dir(bench.path(&folder)).expect("the bench is writable");
    fs::copy(bench.path("small.toml"), bench.path(&folder).join("small.toml")).expect("the bench is writable");
    let file = format!("{folder}/small.toml");
    for arguments in [
        &["store", "verify"][..],
        &["store", "verify", "--json"],
        &["check", &file],
        &["check", &file, "--json"],
        &["report", &file, "--no-remote"],
        &["report", "small.toml", "--no-remote", "-o", &folder],
        &["archive", "verify", hostile],
        &["archive", "create", "small.toml", "--license", "MIT", "-o", &format!("{folder}/x.tar.zst")],
    ] {
        let ran = scene.ends(arguments);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(!said.is_empty(), "{arguments:?}");
        let commands = |c: char| c.is_control() && !['\n', '\t'].contains(&c) || c == '\u{202e}';
        assert!(!said.contains(commands), "{arguments:?}: {said:?}");
    }
}
