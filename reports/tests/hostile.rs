//! Experiments of people who mean ill: whatever their text says, a report shows it as text. One test a trick.

mod support;

use std::collections::BTreeMap;

use reports::model::State;
use reports::spec::FigureSpec;
use support::*;

/// A whole report with `text` wherever an experiment or a host can put text.
fn with(text: &str) -> BTreeMap<String, String> {
    let mut tests = quick_tests();
    let last = tests.len() - 1;
    tests[last].state = State::Skipped(text.to_string());
    let mut meta = meta(text);
    meta.authors = vec![text.to_string()];
    meta.notes = vec![text.to_string()];
    tests[0].accepted = vec![accepted(text)];
    for fact in meta.facts.iter_mut().flat_map(|list| &mut list.facts).chain(&mut meta.protocol) {
        fact.value = text.to_string();
    }
    meta.components[0].version = text.to_string();
    let published = reports::spec::Published { source: text.to_string(), ..published_table() };
    let figures: Vec<FigureSpec> = quick_figures()
        .into_iter()
        .map(|spec| FigureSpec {
            title: Some(text.to_string()),
            caption: Some(text.to_string()),
            published: spec.published.as_ref().map(|_| published.clone()),
            ..spec
        })
        .collect();
    let mut table = quick_table();
    table.caption = Some(text.to_string());
    table.published = Some(published);
    let claims = [reports::spec::ClaimSpec { text: text.to_string(), ..claim("c", &["sockets"], "rx_pps > </b>") }];
    let files = with_report(&meta, &figures, &[table], &claims, &tests, render_all);
    files.into_iter().map(|(path, bytes)| (path, String::from_utf8(bytes).expect("UTF-8"))).collect()
}

/// The pages and drawings of a report, in which `<` would begin an element.
fn markup(files: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    files.iter().filter(|(path, _)| path.ends_with(".html") || path.ends_with(".svg"))
}

fn latex(files: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    files.iter().filter(|(path, _)| path.ends_with(".tex"))
}

#[test]
fn a_title_that_ends_a_script_and_begins_one() {
    let files = with("</script><script>alert(1)</script><img src=x onerror=alert(1)> \" onload=\"alert(1)");
    for (path, page) in markup(&files) {
        assert!(!page.contains("<script>") && !page.contains("<img") && !page.contains("\" onload"), "{path}");
        assert_eq!(page.matches("<script ").count(), page.matches("septet.js\" defer></script>").count(), "{path}");
    }
    assert!(files["index.html"].contains("&lt;script&gt;alert(1)"), "it is shown");
}

#[test]
fn a_caption_that_reads_a_file() {
    let files = with("\\input{/etc/passwd} \\openin15=/etc/passwd \\include{x} ^^5cinput{y}");
    for (path, page) in latex(&files) {
        let own = page.replace("\\input{figures/", "").replace("\\input{tables/", "");
        assert!(!own.contains("\\input") && !own.contains("\\openin") && !own.contains("\\include{"), "{path}");
        assert!(!own.contains("^^"), "{path}");
    }
    assert!(files["report.tex"].contains("textbackslash"), "it is shown");
}

#[test]
fn a_value_that_runs_a_program() {
    let files = with("$\\write18{id}$ \\immediate\\write18{id} \\directlua{os.execute('id')}");
    for (path, page) in latex(&files) {
        assert!(!page.contains("\\write") && !page.contains("\\immediate") && !page.contains("\\directlua"), "{path}");
        assert!(!page.replace("\\$", "").contains("$\\textbackslash"), "{path}");
    }
}

#[test]
fn a_line_break_that_ends_a_comment_of_tex() {
    for (path, page) in latex(&with("first\n\\bye\r\\end{document}%")) {
        assert!(!page.lines().any(|line| line.trim_start().starts_with("\\bye")), "{path}");
        assert!(page.matches("\\end{document}").count() <= 1, "{path}");
    }
}

#[test]
fn characters_that_turn_text_round_or_hide_in_it() {
    let files = with("a\u{202E}gnp.exe\u{202C} b\u{200B}c\u{2066}d\u{FEFF}e\u{0}f\u{1b}[31mg\u{E0041}");
    for (path, page) in &files {
        let hidden = page.chars().find(|character| {
            matches!(character, '\u{202A}'..='\u{202E}' | '\u{200B}'..='\u{200F}' | '\u{2066}'..='\u{2069}')
                || matches!(character, '\u{FEFF}' | '\0' | '\u{1b}' | '\u{E0000}'..='\u{E007F}')
        });
        assert_eq!(hidden, None, "{path}");
    }
    assert!(files["index.html"].contains("agnp.exe bcdef"), "it is shown in its own order");
}

#[test]
fn a_caption_of_a_megabyte() {
    for (path, page) in &with(&"x".repeat(1 << 20)) {
        assert!(page.len() < 200_000, "{path} has {} bytes", page.len());
    }
    for (path, page) in &with(&"<&\"\\{}$ ".repeat(1 << 17)) {
        assert!(page.len() < 400_000, "{path} has {} bytes", page.len());
    }
}

#[test]
fn a_cell_that_a_spreadsheet_would_compute() {
    let mut tests = quick_tests();
    tests[0].name = "=HYPERLINK(\"x\")".to_string();
    let figures = quick_figures();
    let files = with_report(&meta("t"), &figures, &[quick_table()], &[], &tests, render_all);
    for (path, bytes) in files.iter().filter(|(path, _)| path.ends_with(".csv")) {
        let text = String::from_utf8_lossy(bytes);
        assert!(!text.contains(",=") && !text.contains(",\"=") && !text.contains("\n="), "{path}");
    }
}
