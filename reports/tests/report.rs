//! Whole reports of invented experiments: files and their names, the same bytes twice, golden files of the
//! small ones, hostile text, sizes and speed.

#![allow(clippy::print_stdout, reason = "measured sizes and reasons of skips are for who reads the test's output")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use reports::figure::{build_figure, check_figure};
use reports::model::{State, TestView};
use reports::render;
use reports::select::SpecError;
use reports::spec::{FigureSpec, Scale};
use results::axes::{Axis, Burst};
use results::metric::Quantity;
use support::*;

fn quick() -> BTreeMap<String, Vec<u8>> {
    let claims = [
        claim("batching-helps", &["sockets"], "for P: rx_pps[io=udp-mmsg] > rx_pps[io=udp]"),
        claim("tenfold", &["sockets"], "for P: rx_pps[io=raw-mmsg] > 10 * rx_pps[io=udp]"),
        claim("ovs-wins", &["rtt"], "for B <= 32: rtt_us_mean[V=ovs] < rtt_us_mean[V=linux-bridge]"),
    ];
    let tests = quick_tests();
    with_report(
        &meta("Kernel networking between two containers"),
        &quick_figures(),
        &[quick_table()],
        &claims,
        &tests,
        render_all,
    )
}

fn paper() -> BTreeMap<String, Vec<u8>> {
    let tests = paper_tests();
    with_report(&meta("The paper's figures"), &paper_figures(), &[paper_table()], &[], &tests, render_all)
}

fn text(files: &BTreeMap<String, Vec<u8>>, path: &str) -> String {
    String::from_utf8(files[path].clone()).expect("UTF-8")
}

/// Writes a report below the folder that `KEEP_REPORT` names, for a look at it.
fn keep(name: &str, files: &BTreeMap<String, Vec<u8>>) {
    if let Some(root) = std::env::var_os("KEEP_REPORT") {
        write(&Path::new(&root).join(name), files);
    }
}

fn write(root: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for (path, bytes) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("create folder");
        std::fs::write(path, bytes).expect("write file");
    }
}

#[test]
fn a_report_has_the_files_that_scripts_rely_on_and_the_same_bytes_twice() {
    let files = quick();
    keep("quick", &files);
    for path in [
        "index.html",
        "report.tex",
        "summary.json",
        "septet.css",
        "septet.js",
        "septet-report.sty",
        "figures/throughput.svg",
        "figures/throughput.tex",
        "figures/throughput.csv",
        "figures/latency.svg",
        "tables/2.tex",
        "tables/2.csv",
    ] {
        assert!(files.contains_key(path), "{path} of {:?}", files.keys());
    }
    assert_eq!(files.keys().filter(|path| path.starts_with("tests/")).count(), 16);
    assert_eq!(files, quick());
    let index = text(&files, "index.html");
    for words in
        ["skipped: ovs is not installed", "not measured yet", "no ranking may be read", "oversubscribed", "refuted"]
    {
        assert!(index.contains(words), "{words}");
    }
    for (path, bytes) in &files {
        let page = String::from_utf8_lossy(bytes);
        assert!(
            !page.contains("http://")
                || page.matches("http://").count() == page.matches("http://www.w3.org/2000/svg").count(),
            "{path}"
        );
    }
}

#[test]
fn files_are_as_they_were() {
    let files = quick();
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    for path in [
        "figures/throughput.svg",
        "figures/latency.svg",
        "figures/latency.tex",
        "figures/latency.csv",
        "tables/2.tex",
        "tables/2.csv",
        "index.html",
        "summary.json",
    ] {
        let kept = golden.join(path.replace('/', "-"));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::create_dir_all(&golden).expect("create golden folder");
            std::fs::write(&kept, &files[path]).expect("write golden file");
        }
        let expected = std::fs::read_to_string(&kept).unwrap_or_default();
        assert_eq!(text(&files, path), expected, "{path} differs; run with UPDATE_GOLDEN=1 and look at the change");
    }
}

#[test]
fn the_paper_renders_fast_and_its_front_page_is_small() {
    let start = std::time::Instant::now();
    let tests = paper_tests();
    let views: Vec<&TestView> = tests.iter().collect();
    let drawn = std::time::Instant::now();
    for spec in paper_figures() {
        let figure = build_figure(&spec, &views).expect("figure");
        render::render_figure(built_in(), &figure).expect("files");
    }
    println!("14 figures in {:?} ({:?} with inventing 1,096 tests)", drawn.elapsed(), start.elapsed());
    assert!(drawn.elapsed().as_secs_f64() < 3.0);
    let files = paper();
    keep("paper", &files);
    let size = files["index.html"].len();
    println!("index.html of {} tests: {size} bytes", tests.len());
    assert!(size < 3_000_000);
}

fn hostile() -> BTreeMap<String, Vec<u8>> {
    let hostile =
        "</script><script>alert(1)</script> \\input{/etc/passwd} $\\write18{id}$ %#_^~&{} \u{202E}x\u{200B}y 你 \"'";
    let mut tests = quick_tests();
    let last = tests.len() - 1;
    tests[last].state = State::Skipped(hostile.to_string());
    let mut meta = meta(hostile);
    meta.authors = vec![hostile.to_string()];
    meta.generation = hostile.to_string();
    meta.notes = vec![hostile.to_string(), "x".repeat(1 << 20)];
    for fact in meta.facts.iter_mut().flat_map(|list| &mut list.facts).chain(&mut meta.protocol) {
        fact.value = hostile.to_string();
    }
    meta.components[0].version = hostile.to_string();
    let figures: Vec<FigureSpec> = quick_figures()
        .into_iter()
        .map(|spec| FigureSpec { title: Some(hostile.to_string()), caption: Some(hostile.repeat(100)), ..spec })
        .collect();
    let mut table = quick_table();
    table.caption = Some(hostile.to_string());
    let claims = [reports::spec::ClaimSpec { text: hostile.to_string(), ..claim("c", &["sockets"], "rx_pps > </b>") }];
    with_report(&meta, &figures, &[table], &claims, &tests, render_all)
}

#[test]
fn hostile_text_stays_text() {
    let files = hostile();
    keep("hostile", &files);
    for (path, bytes) in &files {
        let page = String::from_utf8(bytes.clone()).expect("UTF-8");
        assert!(path.ends_with(".json") || path.ends_with(".csv") || !page.contains("<script>"), "{path}");
        assert!(!page.contains(['\u{202E}', '\u{200B}', '\0']), "{path}");
        if path.ends_with(".tex") {
            let plain = page.replace("\\input{figures/", "").replace("\\input{tables/", "");
            assert!(!plain.contains("\\input") && !plain.contains("\\write"), "{path}");
        }
        assert!(bytes.len() < 200_000, "{path} has {} bytes", bytes.len());
    }
}

fn with_points(series: u16, points: u16) -> (FigureSpec, Vec<TestView>) {
    let mut tests = Vec::new();
    for line in 0..series {
        for point in 1..=points {
            let mut tuple = quick_tests()[0].tuple.clone();
            tuple.variant.flows = line + 1;
            tuple.variant.queues = point;
            let mean = 1e5 + f64::from(line) * 1e4 + f64::from(point % 97) * 10.0;
            tests.push(test("many", tuple, Some(summary(&[(Quantity::RxPps, mean, mean * 0.01)], &[]))));
        }
    }
    (figure("many", &["many"], Vec::new(), Axis::Queues, "rx_kpps", Axis::Flows), tests)
}

#[test]
fn figures_of_any_size_are_drawn() {
    let mut files = BTreeMap::new();
    for (series, points) in [(1, 1), (1, 2), (30, 1), (30, 12), (32, 3), (1, 10_000)] {
        let (spec, tests) = with_points(series, points);
        let views: Vec<&TestView> = tests.iter().collect();
        let figure = build_figure(&spec, &views).expect("figure");
        let start = std::time::Instant::now();
        let rendered = render::render_figure(built_in(), &figure).expect("files");
        let size = rendered[0].bytes.len();
        println!("{series} series of {points}: {size} bytes of SVG in {:?}", start.elapsed());
        assert!(size < 400_000);
        let csv = String::from_utf8(rendered[2].bytes.clone()).expect("UTF-8");
        assert_eq!(csv.lines().count(), 1 + usize::from(series) * usize::from(points));
        files.extend(rendered.into_iter().map(|file| (format!("{series}x{points}/{}", file.path), file.bytes)));
    }
    keep("sizes", &files);
    let (spec, tests) = with_points(33, 1);
    let tuples: Vec<_> = tests.iter().map(|test| &test.tuple).collect();
    assert!(matches!(check_figure(&spec, &tuples), Err(SpecError::TooManySeries { count: 33, .. })));
}

#[test]
fn intervals_wider_than_the_plot_and_odd_values_are_drawn() {
    let (spec, mut tests) = with_points(3, 5);
    for (place, value) in [f64::NAN, f64::INFINITY, 0.0, -5.0, 1e-300].into_iter().enumerate() {
        let estimate = tests[place].summary.as_mut().and_then(|summary| summary.values.get_mut(&Quantity::RxPps));
        estimate.expect("a value").mean = value;
    }
    for half in [1e12, f64::INFINITY, f64::NAN] {
        for summary in tests.iter_mut().skip(5).filter_map(|test| test.summary.as_mut()) {
            summary.values.get_mut(&Quantity::RxPps).expect("a value").half_width = Some(half);
        }
        for y_scale in [Scale::Linear, Scale::Log2, Scale::Log10] {
            let spec = FigureSpec { y_scale, x_scale: y_scale, ..spec.clone() };
            let figure = build_figure(&spec, &tests.iter().collect::<Vec<_>>()).expect("figure");
            let files = render::render_figure(built_in(), &figure).expect("files");
            for file in &files {
                let text = String::from_utf8(file.bytes.clone()).expect("UTF-8");
                assert!(!text.contains("NaN") && !text.contains("inf,"), "{}: {text}", file.path);
                // Its notes speak of arrows.
                let told = figure.notes.iter().any(|note| note.contains("with an arrow"));
                let drawn = text.contains("septet above") || text.contains("septet below");
                assert!(!file.path.ends_with(".tex") || told == drawn, "{}: {text}", file.path);
            }
            assert!(
                figure.missing.iter().any(|missing| missing.reason.contains("not a number")),
                "{:?}",
                figure.missing
            );
        }
    }
}

#[test]
fn figures_that_cannot_be_made_say_why() {
    let tests = paper_tests();
    let tuples: Vec<_> =
        tests.iter().filter(|test| test.groups[0].as_str() == "local").map(|test| &test.tuple).collect();
    let spec = |x, y, series| figure("f", &["local"], Vec::new(), x, y, series);
    let told = |spec: FigureSpec| check_figure(&spec, &tuples).unwrap_err().to_string();
    assert!(told(spec(Axis::P, "rx_mpps", Axis::V)).contains("they differ in R"));
    assert!(told(spec(Axis::P, "rtt_us_mean", Axis::V)).contains("no selected test has 'rtt_us_mean'"));
    assert!(told(spec(Axis::V, "rx_mpps", Axis::V)).contains("used twice"));
    let nothing = FigureSpec {
        selection: reports::spec::Selection(vec![(
            Axis::B,
            vec![results::tuple::Value::Number(u64::from(Burst::new(7).unwrap().get()))],
        )]),
        ..spec(Axis::P, "rx_mpps", Axis::V)
    };
    assert!(told(nothing).contains("selects no test"));
}

#[test]
fn an_unmeasured_experiment_has_a_report() {
    let mut tests = quick_tests();
    for test in &mut tests {
        (test.state, test.summary) = (State::NotMeasured, None);
    }
    let files = with_report(&meta("Nothing yet"), &quick_figures(), &[quick_table()], &[], &tests, render_all);
    keep("empty", &files);
    assert!(text(&files, "index.html").contains("Nothing of this figure has been measured"));
}

/// Compiles a report as a reader would; without LaTeX on the machine there is nothing to test.
fn compile(name: &str, files: &BTreeMap<String, Vec<u8>>) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), files);
    let latexmk = std::process::Command::new("latexmk")
        .args(["-pdf", "-interaction=nonstopmode", "-halt-on-error", "report.tex"])
        .current_dir(folder.path())
        .output();
    let output = match latexmk {
        Ok(output) => output,
        Err(error) => {
            println!("skipped: latexmk cannot be run here: {error}");
            return;
        }
    };
    let log = std::fs::read(folder.path().join("report.log")).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    if log.contains("pgfplots.sty' not found") {
        println!("skipped: pgfplots is not installed");
        return;
    }
    assert!(output.status.success(), "{name}: {log}");
    assert!(!log.contains("Overfull"), "{name}: {log}");
    assert!(folder.path().join("report.pdf").exists());
}

/// The Nu checker of HTML, in the folder that other tests have their tools in.
#[test]
fn pages_are_valid_html() {
    let tools = std::env::var_os("SEPTET_TOOLS").map(std::path::PathBuf::from);
    let tools = tools.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools"));
    let checker = tools.join("node_modules/vnu-jar/build/dist/vnu.jar");
    if !checker.is_file() {
        println!("skipped: no vnu.jar: `npm install --prefix target/tools vnu-jar` installs it, and it needs Java");
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    write(folder.path(), &quick());
    write(&folder.path().join("hostile"), &hostile());
    let ran = std::process::Command::new("java")
        .arg("-jar")
        .arg(&checker)
        .args(["--also-check-svg", "--also-check-css", "--skip-non-html"])
        .arg(folder.path())
        .output();
    match ran {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
        Err(error) => println!("skipped: java cannot be run here: {error}"),
    }
}

#[test]
fn latex_compiles_without_an_overfull_box() {
    compile("quick", &quick());
    compile("paper", &paper());
    compile("hostile", &hostile());
}
