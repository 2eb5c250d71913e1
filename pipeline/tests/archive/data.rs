//! Data that stand alone: what programs of others make of an archive, by what it says itself.

use std::fs;
use std::process::Command;

use super::bench::Ran;
use super::honest::{archived, tools, unpacked};

#[test]
fn others_read_it_by_its_own_descriptions() {
    let python = tools().join("bin/python3");
    if !python.is_file() {
        println!("skipped: no Python packages: `sh pipeline/tests/tools.sh` installs them");
        return;
    }
    let bench = archived();
    for of in ["summary", "record"] {
        let schema = bench.septet(&["schema", of]).code(0).stdout;
        fs::write(bench.path(&format!("{of}.schema.json")), schema).expect("the bench is writable");
    }
    let script = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/archive/data.py");
    let mut command = Command::new(python);
    command.arg(script).arg(unpacked(&bench));
    command.arg(bench.path("summary.schema.json")).arg(bench.path("record.schema.json"));
    let ran = Ran::of(command.output().expect("it can be started")).code(0);
    assert!(ran.stdout.contains("all as it says") || ran.stdout.contains("skipped"), "{}", ran.stdout);
    print!("{}", ran.stdout);
}
