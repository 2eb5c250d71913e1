//! The style file in other people's papers: the same fonts and the same text with it as without it, no new
//! warning, no clash; figures and tables no wider than a column, and no higher than a page.

#![allow(clippy::print_stdout, reason = "reasons of skips are for who reads the test's output")]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use support::*;

/// A kind of paper: its class, what stands around the body, and the packages that such papers load.
struct Paper {
    name: &'static str,
    class: &'static str,
    preamble: &'static str,
    /// A file that has to be installed, with the package of Debian that it is in.
    needs: (&'static str, &'static str),
    /// Around everything that is said.
    frame: (&'static str, &'static str),
}

const PAPERS: [Paper; 9] = [
    Paper {
        name: "article",
        class: "\\documentclass{article}",
        preamble: "",
        needs: ("article.cls", "texlive-latex-base"),
        frame: ("", ""),
    },
    Paper {
        name: "article with large letters",
        class: "\\documentclass[12pt]{article}",
        preamble: "",
        needs: ("article.cls", "texlive-latex-base"),
        frame: ("", ""),
    },
    Paper {
        name: "article in two columns, Times",
        class: "\\documentclass[twocolumn]{article}",
        preamble: "\\renewcommand{\\rmdefault}{ptm}\\usepackage[T1]{fontenc}",
        needs: ("ptmr8t.tfm", "texlive-fonts-recommended"),
        frame: ("", ""),
    },
    Paper {
        name: "one narrow column",
        class: "\\documentclass[10pt]{article}",
        preamble: "\\usepackage[textwidth=122mm,textheight=193mm]{geometry}",
        needs: ("geometry.sty", "texlive-latex-base"),
        frame: ("", ""),
    },
    Paper {
        name: "IEEEtran",
        class: "\\documentclass[conference]{IEEEtran}",
        preamble: "\\usepackage[T1]{fontenc}",
        needs: ("IEEEtran.cls", "texlive-publishers"),
        frame: ("", ""),
    },
    Paper {
        name: "acmart",
        class: "\\documentclass[sigconf,nonacm]{acmart}",
        preamble: "",
        needs: ("acmart.cls", "texlive-publishers"),
        frame: ("\\title{A paper}\\author{A. Author}\\affiliation{\\institution{I}\\country{C}}\\maketitle", ""),
    },
    Paper {
        name: "llncs",
        class: "\\documentclass{llncs}",
        preamble: "",
        needs: ("llncs.cls", "texlive-publishers"),
        frame: ("", ""),
    },
    Paper {
        name: "beamer",
        class: "\\documentclass{beamer}",
        preamble: "",
        needs: ("beamer.cls", "texlive-latex-recommended"),
        frame: ("\\begin{frame}{A slide}", "\\end{frame}"),
    },
    Paper {
        name: "a paper with a pgfplots of its own",
        class: "\\documentclass[twocolumn]{article}",
        preamble: "\\usepackage{pgfplots}\\pgfplotsset{compat=1.8}",
        needs: ("pgfplots.sty", "texlive-pictures"),
        frame: ("", ""),
    },
];

/// Options that others ask for after the style file: of packages that it needs itself.
const LATER: [&str; 4] = [
    "\\usepackage[table]{xcolor}",
    "\\usepackage[dvipsnames,svgnames]{xcolor}",
    "\\usepackage[final]{graphicx}\\usepackage{array,caption,booktabs}",
    "\\usepackage{tikz}\\usetikzlibrary{patterns}",
];

const TEXT: &str = "Throughput \\emph{grows} with \\textbf{the size} of a packet, as it does in \\texttt{every} \
    paper about switches that was ever written; unbelievable misunderstandings notwithstanding, $x^2 + \\mu = 3$. ";

fn written(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("write a file");
}

/// What came of a paper: its log, the fonts of its PDF and its text.
struct Made {
    log: String,
    fonts: Vec<String>,
    text: String,
}

impl Made {
    fn warnings(&self) -> Vec<&str> {
        let warned =
            |line: &&str| line.contains("Warning") || line.starts_with("Overfull") || line.starts_with("Underfull");
        self.log.lines().filter(warned).collect()
    }
}

/// Whether it can be done here: LaTeX, pgfplots and poppler are installed.
fn can_compile() -> bool {
    let there = |program: &str, argument: &str| {
        Command::new(program).arg(argument).output().is_ok_and(|output| output.status.success())
    };
    let found = there("pdflatex", "--version") && there("kpsewhich", "pgfplots.sty") && there("pdffonts", "-v");
    if !found {
        println!("skipped: no LaTeX with pgfplots, or no pdffonts (Debian: texlive-pictures, poppler-utils)");
    }
    found
}

fn can_set(paper: &Paper) -> bool {
    let (file, package) = paper.needs;
    let found = Command::new("kpsewhich").arg(file).output().is_ok_and(|found| found.status.success());
    if !found {
        println!("skipped: {}: {file} is not installed (Debian: {package})", paper.name);
    }
    found
}

fn compiled(folder: &Path, name: &str, text: &str) -> Made {
    written(folder, &format!("{name}.tex"), text);
    let output = Command::new("pdflatex")
        .args(["-interaction=nonstopmode", "-halt-on-error", &format!("{name}.tex")])
        .current_dir(folder)
        .env("max_print_line", "1000")
        .output()
        .expect("pdflatex starts");
    let log = std::fs::read(folder.join(format!("{name}.log"))).unwrap_or_default();
    let log = String::from_utf8_lossy(&log).into_owned();
    assert!(output.status.success(), "{name}: {}", &log[log.len().saturating_sub(3_000)..]);
    let said = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(folder).output().expect("poppler starts");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let pdf = format!("{name}.pdf");
    let fonts = said("pdffonts", &[&pdf]);
    let font = |line: &str| line.split_whitespace().next().and_then(|font| font.split('+').nth(1)).map(str::to_string);
    let mut fonts: Vec<String> = fonts.lines().filter_map(font).collect();
    fonts.sort();
    fonts.dedup();
    Made { log, fonts, text: said("pdftotext", &["-layout", &pdf, "-"]) }
}

fn report() -> BTreeMap<String, Vec<u8>> {
    let mut files = with_report(&meta("A"), &quick_figures(), &[quick_table()], &[], &quick_tests(), render_all);
    let of_paper = with_report(&meta("B"), &paper_figures(), &[paper_table()], &[], &paper_tests(), render_all);
    // One figure of each kind: TeX takes a second for some.
    files.extend(
        of_paper.into_iter().filter(|(path, _)| path.starts_with("figures/4a") || path.starts_with("figures/4d")),
    );
    files
}

/// A folder with the style file, figures and tables of a report.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (path, bytes) in report() {
        if path.ends_with(".sty") || path.ends_with(".tex") {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("create a folder");
            std::fs::write(path, bytes).expect("write a file");
        }
    }
    folder
}

fn paper(paper: &Paper, style: &str, body: &str) -> String {
    let Paper { class, preamble, frame: (open, close), .. } = paper;
    format!("{class}\n{preamble}\n{style}\n\\begin{{document}}\n{open}\n{body}\n{close}\n\\end{{document}}\n")
}

#[test]
fn a_paper_looks_the_same_with_the_style_file() {
    if !can_compile() {
        return;
    }
    let folder = folder();
    let body = format!(
        "{}\\par\n\\begin{{table}}[h]\\caption{{A table}}\\begin{{tabular}}{{lr}}a & 1\\\\b & 2\\end{{tabular}}\\end{{table}}\n{}",
        TEXT.repeat(6),
        TEXT.repeat(3)
    );
    for kind in PAPERS.iter().filter(|kind| can_set(kind)) {
        let without = compiled(folder.path(), "without", &paper(kind, "", &body));
        let with = compiled(folder.path(), "with", &paper(kind, "\\usepackage{septet-report}", &body));
        assert_eq!(with.fonts, without.fonts, "{}", kind.name);
        assert_eq!(with.text, without.text, "{}", kind.name);
        let named: Vec<String> = with.warnings().iter().map(|line| line.replace("`with.", "`without.")).collect();
        assert_eq!(named, without.warnings(), "{}", kind.name);
    }
}

#[test]
fn options_that_are_asked_for_later_do_not_clash() {
    if !can_compile() {
        return;
    }
    let folder = folder();
    let body = "\\input{figures/throughput}\\input{tables/2}";
    for later in LATER {
        for kind in PAPERS[..1].iter().chain(&PAPERS[8..]) {
            // A paper that loads pgfplots first has settled the options of xcolor and graphicx itself.
            if kind.preamble.contains("pgfplots") && later.contains("[") {
                continue;
            }
            compiled(folder.path(), "later", &paper(kind, &format!("\\usepackage{{septet-report}}{later}"), body));
        }
    }
}

/// A command that says how wide and high a drawing or table is, and how wide and high it may be.
const MEASURE: &str = "\\makeatletter\\newcommand{\\measured}[1]{\\setbox0\\hbox{\\input{#1}}\\typeout{measured #1 \
    \\strip@pt\\dimexpr\\wd0\\relax\\space \\strip@pt\\linewidth\\space \\strip@pt\\dimexpr\\ht0+\\dp0\\relax\\space \
    \\strip@pt\\textheight}}\\makeatother";

#[test]
fn figures_and_tables_fit_a_column_and_a_page() {
    if !can_compile() {
        return;
    }
    let folder = folder();
    let drawn: Vec<String> = report()
        .into_keys()
        .filter(|path| path.ends_with(".tex") && path.contains('/'))
        .map(|path| format!("\\measured{{{path}}}"))
        .collect();
    assert!(drawn.len() >= 5, "{drawn:?}");
    for kind in PAPERS.iter().filter(|kind| can_set(kind)) {
        let style = format!("\\usepackage{{septet-report}}{MEASURE}");
        let made = compiled(folder.path(), "fit", &paper(kind, &style, &format!("{}\n{TEXT}", drawn.join("\n"))));
        let lines: Vec<&str> = made.log.lines().filter_map(|line| line.strip_prefix("measured ")).collect();
        assert_eq!(lines.len(), drawn.len(), "{}", kind.name);
        for line in lines {
            let numbers: Vec<f64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            let [width, column, height, page] = numbers[..] else { panic!("{line}") };
            // As much more as TeX lets pass (\hfuzz).
            assert!(width <= column + 0.1, "{}: wider than its column: {line}", kind.name);
            assert!(height <= 0.8 * page, "{}: no room for a caption: {line}", kind.name);
        }
    }
}

/// With characters that a language has made active, and letters that the fonts of a paper lack.
#[test]
fn other_languages_and_old_fonts_draw_the_same() {
    if !can_compile() {
        return;
    }
    let folder = folder();
    let active = "\\AtBeginDocument{\\catcode`\\;=13\\catcode`\\:=13\\catcode`\\=13\\catcode`\\<=13\\catcode`\\'=13}";
    let active = active.replace("\\catcode`\\=13", "\\catcode`\\==13");
    let body = "\\input{figures/throughput}\\input{figures/latency}\\input{tables/2}";
    let plain = compiled(folder.path(), "plain", &paper(&PAPERS[0], "\\usepackage{septet-report}", body));
    let style = format!("\\usepackage{{septet-report}}{active}");
    let spoken = compiled(folder.path(), "spoken", &paper(&PAPERS[0], &style, body));
    assert_eq!(plain.text, spoken.text);
    let odd = reports::text::tex("\"quoted\" µ ° × ± ≤ → é ß ð ą Ł „x“ « » ` ~ ^ \\ | < >");
    let style = "\\usepackage{septet-report}";
    let old = compiled(folder.path(), "old", &paper(&PAPERS[0], style, &odd));
    assert!(old.text.contains("[U+00F0]"), "{}", old.text);
    let new = paper(&PAPERS[0], "\\usepackage[T1]{fontenc}\\usepackage{septet-report}", &odd);
    assert!(compiled(folder.path(), "new", &new).text.contains('ð'));
}
