//! The schemas take what the reader takes: by the reader's own tables of keys here, and by taplo where it is.

// A skip prints its reason.
#![allow(clippy::print_stdout)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pipeline::experiment::{self, STARTER, schema};
use pipeline::site;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Keys of the tables at a place of a schema.
fn keys<'a>(schema: &'a Value, place: &str) -> Vec<&'a String> {
    schema.pointer(place).and_then(Value::as_object).map(|table| table.keys().collect()).unwrap_or_default()
}

#[test]
fn every_key_of_the_reader_is_described() {
    let schema = schema::experiment();
    for (place, least) in [
        ("/properties", 6),
        ("/properties/experiment/properties", 4),
        ("/properties/protocol/properties", 6),
        ("/properties/tests/items/properties", 20),
        ("/properties/figure/items/properties", 11),
        ("/properties/table/items/properties", 9),
        ("/properties/claim/items/properties", 4),
    ] {
        let keys = keys(&schema, place);
        assert!(keys.len() >= least, "{place} has {keys:?}");
        for key in keys {
            let described = schema.pointer(&format!("{place}/{key}")).and_then(Value::as_object);
            assert!(described.is_some_and(|schema| !schema.is_empty()), "{place}/{key} says nothing");
        }
    }
    assert!(keys(&site::schema(), "/properties/store/properties").contains(&&"remote".to_string()));
}

/// Whether taplo takes a text by a schema; none where it is not installed.
fn taplo(folder: &Path, schema: &Value, text: &str) -> Option<bool> {
    let tools = std::env::var_os("SEPTET_TOOLS").map(PathBuf::from).unwrap_or_else(|| root().join("target/tools"));
    let program = tools.join("bin/taplo");
    if !program.is_file() {
        println!("skipped: no taplo: `sh pipeline/tests/tools.sh` installs it");
        return None;
    }
    let (schema_file, file) = (folder.join("schema.json"), folder.join("file.toml"));
    fs::write(&schema_file, schema.to_string()).expect("the folder is writable");
    fs::write(&file, text).expect("the folder is writable");
    let arguments = ["lint", "--no-auto-config", "--schema"];
    let ran = Command::new(program)
        .args(arguments)
        .arg(format!("file://{}", schema_file.display()))
        .arg(&file)
        .current_dir(folder)
        .output()
        .expect("taplo can be started");
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() || told.contains("file.toml:"), "taplo did not get as far as the file: {told}");
    Some(ran.status.success())
}

#[test]
fn taplo_takes_what_the_reader_takes_and_refuses_typos() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let schema = schema::experiment();
    let mut texts = vec![STARTER.to_string()];
    for entry in fs::read_dir(root().join("experiments")).expect("there are experiments") {
        let path = entry.expect("it can be listed").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            texts.push(fs::read_to_string(path).expect("it is text"));
        }
    }
    for text in &texts {
        assert!(experiment::parse(text, "file").is_ok(), "the reader takes it");
        let Some(taken) = taplo(folder.path(), &schema, text) else { return };
        assert!(taken, "taplo refuses\n{text}");
    }
    let typos = [
        ("duration = \"1s\"", "duraton = \"1s\""),
        ("D = \"throughput\"", "D = \"thruput\""),
        ("x = \"P\"", "x = \"Q\""),
        // Units and metrics that there are not.
        ("duration = \"1s\"", "duration = \"1parsec\""),
        ("duration = \"1s\"", "duration = \"1\""),
        ("duration = \"1s\"", "duration = 1"),
    ];
    for (from, to) in typos {
        assert!(STARTER.contains(from), "{from}");
        let text = STARTER.replacen(from, to, 1);
        assert!(experiment::parse(&text, "file").is_err(), "the reader refuses {to}");
        assert_eq!(taplo(folder.path(), &schema, &text), Some(false), "{to}");
    }
    let wrong: &[(&str, &[&str])] = &[
        ("R", &["\"1Mbps\"", "\"1 parsec\"", "\"-1kpps\"", "0", "1.5", "{ search = \"ndl\" }"]),
        ("P", &["\"64kB\"", "\"64pps\"", "63", "64.5"]),
        ("B", &["\"4pps\"", "0", "1.5"]),
        ("S", &["\"1v1\"", "\"1vs0\""]),
    ];
    for (key, values) in wrong {
        let line = STARTER.lines().find(|line| line.starts_with(&format!("{key} = "))).expect("the starter has it");
        for value in *values {
            let text = STARTER.replacen(line, &format!("{key} = {value}"), 1);
            assert!(experiment::parse(&text, "file").is_err(), "the reader refuses {key} = {value}");
            assert_eq!(taplo(folder.path(), &schema, &text), Some(false), "{key} = {value}");
        }
    }
    let metric = STARTER.lines().find(|line| line.starts_with("y = ")).expect("the starter has a figure");
    for (lines, sound) in [
        ("y = \"rx_kbps\"", false),
        ("y = \"rtt_us_p98\"", false),
        ("y = \"rx_kpps\"\npublished = [{ rx_kbps = 3 }]\nsource = \"s\"", false),
        ("y = \"rx_kpps\"\npublished = [{ rx_kpps = \"much\" }]\nsource = \"s\"", false),
        ("y = \"rx_kpps\"\npublished = [{ rx_kpps = \"< 3e2 \" }]\nsource = \"s\"", true),
        ("y = \"rx_kpps\"\npublished = [{ rx_kpps = 3.5 }]\nsource = \"s\"", true),
    ] {
        let text = STARTER.replacen(metric, lines, 1);
        assert_eq!(experiment::parse(&text, "file").is_ok(), sound, "{lines}");
        assert_eq!(taplo(folder.path(), &schema, &text), Some(sound), "{lines}");
    }
    let site = site::schema();
    for (text, sound) in [
        ("[store]\nremote = \"s3://bucket/team\"\n", true),
        ("[stacks.new]\novs = \"/opt/ovs\"\n", true),
        ("[stacks.new]\nfrom = \"/opt/all\"\novs = \"system\"\n", true),
        ("[stacks.new]\nkernel = \"/boot\"\n", false),
        ("[stacks.new]\novs = \"opt\"\n", false),
        ("[stacks.system]\novs = \"/opt/ovs\"\n", false),
        ("[store]\nremot = \"s3://bucket\"\n", false),
        ("[store]\nremote = \"ftp://bucket\"\n", false),
        ("[stacks]\n\"../evil\" = { ovs = \"x\" }\n", false),
        (
            "[hosts.a]\nssh = \"root@a\"\ncores = \"0,2-3\"\n[hosts.b]\nsudo = \"/opt/septet/septet-host\"\n\
             [[cables]]\nends = [\"a:eth1\", \"b:0000:3b:00.0\"]\n[stands.x]\nhosts = [\"a\", \"b\"]\n",
            true,
        ),
        ("[hosts.a]\nssh = \"-oProxyCommand=x\"\n", false),
        ("[hosts.a]\nshh = \"x\"\n", false),
        ("[hosts.\"a b\"]\n", false),
        ("[hosts.a]\n[hosts.b]\n[[cables]]\nends = [\"a:eth1\", \"b\"]\n", false),
    ] {
        assert_eq!(pipeline::site::parse(text, "site.toml").is_ok(), sound, "{text}");
        assert_eq!(taplo(folder.path(), &site, text), Some(sound), "{text}");
    }
}
