//! Pages as their readers use them, in a real browser: by keyboard, by touch, at the width of a telephone, on paper, and
//! as axe judges them. What is looked at is in `browser.py`.

#![allow(clippy::print_stdout, reason = "reasons of skips are for who reads the test's output")]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::*;

/// The browser and the Python that drives it; none, with the reason printed, where they are not installed.
fn tools() -> Option<(PathBuf, PathBuf)> {
    let chromium = Path::new("/usr/bin/chromium");
    if !chromium.is_file() {
        println!("skipped: no chromium (Debian: chromium)");
        return None;
    }
    let tools = std::env::var_os("SEPTET_TOOLS").map(PathBuf::from);
    let tools = tools.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools"));
    let python = tools.join("bin/python");
    if !tools.join("bin/playwright").is_file() {
        println!("skipped: no playwright: `sh pipeline/tests/tools.sh` installs it");
        return None;
    }
    Some((chromium.to_path_buf(), python))
}

/// A table whose numbers have units of several sizes, with the report's own script.
const UNITS: &str = "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Units</title>\
    <link rel=\"stylesheet\" href=\"septet.css\"><script src=\"septet.js\" defer></script></head><body>\
    <table class=\"sortable\"><thead><tr><th>Name</th><th>Time</th></tr></thead><tbody>\
    <tr><th>a</th><td>2 ms</td></tr><tr><th>b</th><td>900 ns</td></tr><tr><th>c</th><td>0.01 s</td></tr>\
    <tr><th>d</th><td>1.5 µs</td></tr><tr><th>e</th><td>none</td></tr><tr><th>f</th><td>−1 ns</td></tr>\
    <tr><th>g</th><td>1,000 s</td></tr><tr><th>h</th><td>0.5 µs ± 0.1</td></tr></tbody></table></body></html>";

#[test]
fn readers_with_a_keyboard_a_telephone_or_a_printer_miss_nothing() {
    let Some((chromium, python)) = tools() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tests = quick_tests();
    let claims = [claim("batching-helps", &["sockets"], "for P: rx_pps[io=udp-mmsg] > rx_pps[io=udp]")];
    let title = meta("Kernel networking between two containers");
    // Of the published values nothing but the figure's folded list says anything.
    let table = reports::spec::TableSpec { published: None, ..quick_table() };
    let files = with_report(&title, &quick_figures(), &[table], &claims, &tests, render_all);
    for (path, bytes) in &files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("its folder");
        std::fs::write(path, bytes).expect("the folder is writable");
    }
    std::fs::write(folder.path().join("units.html"), UNITS).expect("the folder is writable");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser.py");
    let ran = Command::new(python).arg(script).arg(chromium).arg(folder.path()).output().expect("Python starts");
    let said = String::from_utf8_lossy(&ran.stdout);
    println!("{said}");
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
}
