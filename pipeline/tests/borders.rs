//! The borders of ARCHITECTURE.md, enforced: who may depend on whom, who may use polars, tera, `unsafe`,
//! processes and printing. A new edge is a change of design, made here and there in one commit.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the package lies in the workspace").to_path_buf()
}

/// Every Rust source below the packages' `src`, as `(path below the root, text)`.
fn sources() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for package in [
        "pipeline",
        "pipeline/remote",
        "host-setup",
        "results",
        "reports",
        "generators",
        "generators/wire",
        "generators/dpdk",
        "generators/dpdk-sys",
    ] {
        collect(&root().join(package).join("src"), &mut found);
    }
    assert!(found.len() > 60, "only {} sources were found", found.len());
    found
}

fn collect(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).expect("sources can be listed") {
        let path = entry.expect("sources can be listed").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root()).expect("it lies below the root").display().to_string();
            found.push((name, fs::read_to_string(&path).expect("sources can be read")));
        }
    }
}

/// The code of a file: no comments, no strings on one line, nothing from the first test module on.
fn code(text: &str) -> String {
    let production = text.split("#[cfg(test)]").next().unwrap_or_default();
    let mut out = String::new();
    for line in production.lines() {
        let line = line.split("//").next().unwrap_or_default();
        out.extend(line.split('"').step_by(2));
        out.push('\n');
    }
    out
}

/// Files outside `allowed` whose code has a word.
fn users(word: &str, allowed: &[&str]) -> Vec<String> {
    sources()
        .into_iter()
        .filter(|(path, text)| code(text).contains(word) && !allowed.iter().any(|prefix| path.starts_with(prefix)))
        .map(|(path, _)| path)
        .collect()
}

#[track_caller]
fn only(word: &str, allowed: &[&str]) {
    assert_eq!(users(word, allowed), Vec::<String>::new(), "only {allowed:?} may use {word:?}");
    for prefix in allowed {
        let used = sources().iter().any(|(path, text)| path.starts_with(prefix) && code(text).contains(word));
        assert!(used, "{prefix} may use {word:?} and does not: take it off the list");
    }
}

#[test]
fn only_results_knows_polars_and_only_reports_knows_tera() {
    only("polars::", &["results/src/dataset"]);
    only("tera::", &["reports/src/templates.rs"]);
    only(
        "toml::",
        &[
            "pipeline/src/experiment/",
            "pipeline/src/site/",
            "pipeline/src/others/",
            "host-setup/src/application.rs",
            "host-setup/src/site.rs",
            "host-setup/src/written.rs",
            "host-setup/src/switch/custom/written.rs",
        ],
    );
    only("clap::", &["pipeline/src/cli/", "pipeline/src/main.rs"]);
    only("tokio::", &["pipeline/remote/"]);
    only("object_store::", &["pipeline/remote/"]);
    only("tar::", &["pipeline/src/archive/"]);
    only("indicatif::", &["pipeline/src/progress.rs"]);
}

#[test]
fn unsafe_code_is_where_system_calls_are_made() {
    only("unsafe ", &["host-setup/src/sys.rs", "generators/src/sys/", "generators/src/port/", "generators/dpdk/src/"]);
}

/// Words by which something is written, renamed, removed, locked or made.
const CHANGES: [&str; 27] = [
    "fs::write",
    "fs::rename",
    "fs::copy",
    "fs::remove_",
    "fs::hard_link",
    "fs::set_permissions",
    "fs::create_dir",
    "DirBuilder",
    "symlink(",
    "symlinkat",
    "File::create",
    "File::options",
    "OpenOptions",
    ".set_len(",
    ".set_permissions(",
    "tempfile",
    "mkdirat",
    "mkdir(",
    "mkfifo",
    "unlink",
    "renameat",
    "openat",
    "linkat",
    "Flock",
    "flock",
    "fchmod",
    "O_CREAT",
];

/// What lies in a store, a report or an archive may be somebody else's: names are resolved and files changed in one
/// place, which follows no link.
#[test]
fn pipeline_changes_files_in_one_place() {
    const PLACE: &str = "pipeline/src/beneath/";
    for word in CHANGES {
        // The adapter writes in a container, into the folder that is its own.
        let others = users(word, &[PLACE, "pipeline/remote/", "pipeline/src/adapter/"]);
        let found: Vec<String> = others.into_iter().filter(|path| path.starts_with("pipeline/src/")).collect();
        assert_eq!(found, Vec::<String>::new(), "only {PLACE} may use {word:?}");
    }
    // Where everything may be somebody else's, nothing is even read by its path.
    for folder in ["pipeline/src/store/", "pipeline/src/report/", "pipeline/src/remote/"] {
        for word in [
            "fs::read",
            "fs::metadata",
            "fs::canonicalize",
            "symlink_metadata",
            "File::open",
            ".exists()",
            ".is_file()",
            ".is_dir()",
        ] {
            // That the program which copies lies beside this one is no matter of a store.
            let others = users(word, &["pipeline/src/remote/mod.rs"]);
            let found: Vec<String> = others.into_iter().filter(|path| path.starts_with(folder)).collect();
            assert_eq!(found, Vec::<String>::new(), "{folder} must not know {word:?}");
        }
    }
}

#[test]
fn processes_are_started_in_few_places() {
    only(
        "Command::new",
        &[
            "pipeline/src/agent.rs",
            "pipeline/src/agent/",
            // Signatures are ssh-keygen's: no cryptography of ours, and keys that people have.
            "pipeline/src/archive/signature.rs",
            // The program that a site has instead of a generator, in its container.
            "pipeline/src/adapter/",
            "pipeline/src/cli/pdf.rs",
            "pipeline/src/remote/mod.rs",
            "pipeline/src/slurm/commands.rs",
            "pipeline/src/threads.rs",
        ],
    );
}

#[test]
fn only_programs_print() {
    for word in ["println!", "print!", "dbg!"] {
        only(word, &[]);
    }
    only(
        "io::stderr()",
        &[
            "generators/src/program.rs",
            "host-setup/src/failure.rs",
            "generators/dpdk/src/log.rs",
            "pipeline/src/cli/mod.rs",
            "pipeline/remote/src/main.rs",
            "pipeline/src/main.rs",
            "pipeline/src/progress.rs",
        ],
    );
}

#[test]
fn pure_crates_read_no_clock_file_or_environment() {
    for package in ["results/src/", "reports/src/"] {
        for word in ["std::fs", "std::env", "std::time", "SystemTime", "Instant", "std::process", "HashMap"] {
            let found: Vec<String> = users(word, &[]).into_iter().filter(|path| path.starts_with(package)).collect();
            assert_eq!(found, Vec::<String>::new(), "{package} must not know {word}");
        }
    }
}

/// Names of a package's dependencies that are packages of this repository.
fn ours(package: &str) -> Vec<String> {
    let path = root().join(package).join("Cargo.toml");
    let text = fs::read_to_string(path).expect("manifests can be read");
    let manifest = toml::de::DeTable::parse(&text).expect("manifests are TOML");
    let dependencies = manifest.get_ref().get("dependencies").and_then(|value| value.get_ref().as_table());
    let names = dependencies.into_iter().flatten().map(|(name, _)| name.get_ref().to_string());
    names.filter(|name| name.starts_with("septet-")).collect()
}

#[test]
fn crates_depend_only_downwards() {
    assert_eq!(ours("pipeline"), ["septet-host-setup", "septet-reports", "septet-results", "septet-wire"]);
    assert_eq!(ours("reports"), ["septet-results"]);
    assert_eq!(ours("results"), ["septet-wire"]);
    assert_eq!(ours("host-setup"), Vec::<String>::new());
    assert_eq!(ours("generators"), ["septet-wire"]);
    assert_eq!(ours("generators/wire"), Vec::<String>::new());
    assert_eq!(ours("generators/dpdk"), ["septet-dpdk-sys", "septet-generators", "septet-wire"]);
    assert_eq!(ours("generators/dpdk-sys"), Vec::<String>::new());
}

#[test]
fn files_are_short_and_open_with_what_they_do() {
    for (path, text) in sources() {
        assert!(text.starts_with("//!"), "{path} does not open with what it does and must not know");
        let lines = text.split("#[cfg(test)]").next().unwrap_or_default().lines().count();
        assert!(lines <= 500, "{path} has {lines} lines: one of more than 500 is two things");
    }
}
