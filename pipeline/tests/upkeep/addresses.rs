//! Addresses of shared stores: what is secret in them is shown nowhere, they lead where they say, nobody is asked for
//! keys unasked, and whatever answers, or does not, ends in a sentence.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use super::bench::{Bench, SMALL};
use super::remote::{folder, sharing};

const SECRETS: [&str; 3] = ["pa55word", "t0ken", "us3r"];

/// No file below the bench has a secret, but for those that were written with it.
#[track_caller]
fn kept_secret(bench: &Bench) {
    for (name, (_, _, bytes)) in bench.files("") {
        let has = |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        let program = name.starts_with("septet") || name.ends_with("site.toml");
        assert!(program || !SECRETS.iter().any(|secret| has(secret)), "{name} holds a secret");
    }
}

#[test]
fn what_is_secret_in_an_address_is_printed_and_stored_nowhere() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    let addresses = [
        "http://us3r:pa55word@127.0.0.1:1/x?sig=t0ken",
        "https://us3r@127.0.0.1:1/x?X-Amz-Signature=t0ken",
        "ftp://us3r:pa55word@127.0.0.1/x",
        "s3://us3r:pa55word@bucket/x?token=t0ken",
        "us3r:pa55word@127.0.0.1",
        "http://us3r:pa55word@127.0.0.1:port/x?sig=t0ken",
    ];
    for address in addresses {
        let mut said = Vec::new();
        for arguments in [["store", "push", address], ["store", "pull", address]] {
            let ran = bench.septet(&arguments);
            assert!(ran.code == 2 || ran.code == 3, "{ran:?}");
            said.extend([ran.stdout, ran.stderr]);
        }
        let site = bench.path(".config/septet");
        fs::create_dir_all(&site).expect("the bench is writable");
        bench.write(".config/septet/site.toml", &format!("[store]\nremote = \"{address}\"\n"));
        for arguments in [
            &["plan", "small.toml"][..],
            &["site", "show"],
            &["run", "small.toml", "--only", "P=64"],
            &["report", "small.toml"],
        ] {
            let ran = bench.septet(arguments);
            said.extend([ran.stdout, ran.stderr]);
        }
        for said in said {
            assert!(!SECRETS.iter().any(|secret| said.contains(secret)), "{address}: {said}");
        }
        kept_secret(&bench);
    }
}

#[test]
fn addresses_that_climb_or_name_everything_are_refused() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    for address in
        ["file:///", "file:////", "file:///..", "file:///tmp/../tmp/x", "file:///tmp/%2e%2e/x", "file:///tmp/..%2fx"]
    {
        let ran = bench.septet(&["store", "push", address]).code(2);
        assert!(ran.stderr.contains("failed to use the address"), "{ran:?}");
    }
}

#[test]
fn an_endpoint_without_a_scheme_is_told_and_no_cloud_is_asked_unasked() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    let push = ["store", "push", "s3://bucket/x"];
    let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1")];
    for endpoint in ["127.0.0.1:9000", "localhost:9000", "http://169.254.169.254", "http://2852039166/"] {
        let ran = bench.septet_with(&[&keys[..], &[("AWS_ENDPOINT_URL", endpoint)]].concat(), &push).code(3);
        assert!(ran.stderr.contains("AWS_ENDPOINT_URL"), "{ran:?}");
    }
    let cloud = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    cloud.set_nonblocking(true).expect("it can be");
    let url = format!("http://{}", cloud.local_addr().expect("it has one"));
    let ran = bench.septet_with(&[("AWS_METADATA_ENDPOINT", &url), ("AWS_REGION", "us-east-1")], &push).code(3);
    assert!(ran.stderr.contains("AWS_ACCESS_KEY_ID") && ran.stderr.contains("AWS_EC2_METADATA_DISABLED"), "{ran:?}");
    assert!(cloud.accept().is_err(), "the cloud was asked");
}

/// A server that sends everybody on to another address, until the test ends.
fn sends_on_to(address: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let port = listener.local_addr().expect("it has one").port();
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let mut connection = connection.expect("it can be taken");
            let mut request = [0; 4096];
            let _ = connection.read(&mut request);
            let head = format!("HTTP/1.1 302 Found\r\nLocation: {address}\r\nContent-Length: 0\r\n");
            let _ = connection.write_all(format!("{head}Connection: close\r\n\r\n").as_bytes());
        }
    });
    port
}

#[test]
fn a_store_that_sends_us_on_to_a_cloud_s_secrets_is_refused() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    let keys = [("AWS_ACCESS_KEY_ID", "k"), ("AWS_SECRET_ACCESS_KEY", "s"), ("AWS_REGION", "us-east-1")];
    for to in
        ["http://169.254.169.254/latest/meta-data/", "http://[fd00:ec2::254]/", "http://metadata.google.internal/"]
    {
        let port = sends_on_to(to);
        let server = format!("http://127.0.0.1:{port}");
        let ran = bench.septet(&["store", "pull", &format!("{server}/x")]).code(3);
        assert!(ran.stderr.contains("link-local"), "{to}: {ran:?}");
        let environment = [&keys[..], &[("AWS_ENDPOINT_URL", server.as_str())]].concat();
        let ran = bench.septet_with(&environment, &["store", "pull", "s3://bucket/x"]).code(3);
        assert!(ran.stderr.contains("link-local"), "{to}: {ran:?}");
    }
}

#[test]
fn a_helper_that_dies_ends_what_waits_for_it_with_its_last_words() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    let ready = "read line; echo '{\"id\":0,\"is\":{\"ready\":3}}'";
    for script in [
        "echo dying words >&2; exit 7".to_string(),
        "echo dying words >&2; kill -9 $$".to_string(),
        format!("{ready}; read line; echo dying words >&2; exit 101"),
        format!("{ready}; echo dying words >&2; exec >&-; exit 1"),
    ] {
        bench.write("helper", &format!("#!/bin/sh\n{script}\n"));
        fs::set_permissions(bench.path("helper"), fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::rename(bench.path("helper"), bench.path("septet-remote")).expect("it is ours");
        let ran = bench.septet(&["store", "push", &folder(&bench, "shared")]).code(3);
        assert!(ran.stderr.contains("septet-remote has ended") && ran.stderr.contains("dying words"), "{ran:?}");
    }
}

#[test]
fn what_goes_on_after_what_it_said_is_not_taken() {
    let Some(bench) = sharing() else { return };
    bench.septet(&["run", "small.toml"]).code(0);
    let url = folder(&bench, "shared");
    bench.septet(&["store", "push", &url]).code(0);
    let names: Vec<String> = bench.files("shared/results").into_keys().collect();
    let samples = names.iter().find(|name| name.ends_with("samples.parquet")).expect("there are some");
    let path = bench.path("shared/results").join(samples);
    // A sparse gigabyte: the disk has it, nobody is to read it.
    let longer = fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(1 << 30));
    longer.expect("it is ours");
    let pulled = bench.septet(&["store", "pull", &url, "--store", "other", "--json"]).code(4).json();
    assert_eq!(pulled["copied"], 5, "{pulled}");
    assert!(pulled["refused"].to_string().contains("longer than its record says"), "{pulled}");
    // The same of what is not told by any record.
    let endless = bench.path("shared/index/0000000000000000.log");
    std::os::unix::fs::symlink("/dev/zero", &endless).expect("the bench is writable");
    let ran = bench.septet(&["store", "pull", &url, "--store", "third"]);
    assert!(ran.code == 0 || ran.code == 3 || ran.code == 4, "{ran:?}");
}

#[test]
fn a_shared_store_that_is_down_keeps_nobody_from_measuring() {
    let Some(bench) = sharing() else { return };
    fs::create_dir_all(bench.path(".config/septet")).expect("the bench is writable");
    bench.write(".config/septet/site.toml", "[store]\nremote = \"http://127.0.0.1:1/x\"\n");
    bench.write("small.toml", SMALL);
    let ran = bench.septet(&["run", "small.toml", "--only", "P=1500", "--json"]).code(0);
    assert_eq!(ran.json()["measured"], 2, "{ran:?}");
    assert!(ran.stderr.contains("continuing without the shared store"), "{ran:?}");
}
