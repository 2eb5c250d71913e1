//! Keys of a shared store in S3, on a server that asks for them: what is missing or wrong is named by its variable, and
//! no secret is ever printed.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::bench::Ran;
use super::remote::sharing;
use super::server::{self, Server};

/// What the server's AWS calls its account service, as a request that is not signed says where it goes.
fn account(server: &Server, form: &str) -> String {
    let mut connection = TcpStream::connect(("127.0.0.1", server.port)).expect("it answers");
    let head = format!(
        "POST / HTTP/1.1\r\nHost: iam.amazonaws.com\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=x/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{form}",
        form.len()
    );
    connection.write_all(head.as_bytes()).expect("it listens");
    let mut answer = String::new();
    connection.read_to_string(&mut answer).expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    answer
}

fn element<'t>(answer: &'t str, name: &str) -> &'t str {
    let rest = answer.split_once(&format!("<{name}>")).expect("it is there").1;
    rest.split_once("</").expect("it ends").0
}

/// A key of somebody who may do what the policy says.
fn key(server: &Server, name: &str, action: &str) -> (String, String) {
    account(server, &format!("Action=CreateUser&Version=2010-05-08&UserName={name}"));
    let policy = format!(
        "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%7B%22Effect%22%3A%22Allow%22%2C%22Action%22%3A%22\
         {action}%22%2C%22Resource%22%3A%22*%22%7D%5D%7D"
    );
    account(
        server,
        &format!("Action=PutUserPolicy&Version=2010-05-08&UserName={name}&PolicyName=p&PolicyDocument={policy}"),
    );
    let answer = account(server, &format!("Action=CreateAccessKey&Version=2010-05-08&UserName={name}"));
    (element(&answer, "AccessKeyId").to_string(), element(&answer, "SecretAccessKey").to_string())
}

#[test]
fn keys_that_are_missing_or_wrong_are_named_by_their_variable() {
    let Some(bench) = sharing() else { return };
    // The bucket and two users with a key each are made before it asks for keys.
    let Some(server) = server::s3_that_asks(7) else { return };
    let (id, secret) = key(&server, "all", "s3%3A*");
    let (reader, readers) = key(&server, "reads", "s3%3AGet*");
    bench.septet(&["run", "small.toml", "--only", "P=1500"]).code(0);
    let endpoint = ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", server.port));
    let with = |set: &[(&str, &str)], arguments: &[&str]| -> Ran {
        let mut command = bench.command(arguments);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.env(endpoint.0, &endpoint.1).envs(set.iter().copied());
        let ran = Ran::of(command.output().expect("septet can be started"));
        assert!(!ran.stderr.contains(&secret) && !ran.stdout.contains(&secret), "a secret is printed: {ran:?}");
        assert!(!ran.stderr.contains("<?xml") && !ran.stderr.contains("RequestId"), "a page is printed: {ran:?}");
        ran
    };
    const ID: &str = "AWS_ACCESS_KEY_ID";
    const SECRET: &str = "AWS_SECRET_ACCESS_KEY";
    let push = ["store", "push", "s3://septet/team"];
    for (set, said) in [
        (vec![], "there are no keys: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        (vec![(ID, id.as_str())], "AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not"),
        (vec![(SECRET, secret.as_str())], "AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not"),
        (vec![(ID, "AKIANOBODY000000000X"), (SECRET, "x")], "does not know the key in AWS_ACCESS_KEY_ID"),
        (vec![(ID, id.as_str()), (SECRET, "wrong")], "AWS_SECRET_ACCESS_KEY is not the secret of AWS_ACCESS_KEY_ID"),
        (vec![(ID, reader.as_str()), (SECRET, readers.as_str())], "the key in AWS_ACCESS_KEY_ID may not do that"),
    ] {
        let ran = with(&set, &push).code(3);
        assert!(ran.stderr.contains(said), "no '{said}' in {}", ran.stderr);
        // Also where a plan only looks: told, and it goes on.
        bench.write("site.toml", "[store]\nremote = \"s3://septet/team\"\n");
        bench.septet(&["site", "trust", "site.toml"]).code(0);
        let ran = with(&set, &["plan", "small.toml"]).code(0);
        assert!(ran.stderr.contains("continuing without the shared store"), "{}", ran.stderr);
    }
    let right = [(ID, id.as_str()), (SECRET, secret.as_str())];
    for verb in ["push", "pull"] {
        let ran = with(&right, &["store", verb, "s3://nobody/team", "--store", ".septet"]).code(3);
        assert!(ran.stderr.contains("there is no bucket"), "{}", ran.stderr);
    }
    // The endpoint's own mistake: a port that nobody listens on.
    let nowhere = format!("http://127.0.0.1:{}", server::free_port());
    let ran = with(&[&right[..], &[("AWS_ENDPOINT_URL", &nowhere)]].concat(), &push).code(3);
    assert!(ran.stderr.contains("nobody answers") && ran.stderr.contains("AWS_ENDPOINT_URL"), "{}", ran.stderr);

    let pushed = with(&right, &[&push[..], &["--json"]].concat()).code(0).json();
    assert_eq!(pushed["copied"], 2, "{pushed}");
    let pulled = with(&right, &["store", "pull", "s3://septet/team", "--store", "other", "--json"]).code(0).json();
    assert_eq!(pulled["copied"], 2, "{pulled}");
}

#[test]
fn what_is_open_to_all_is_read_without_keys() {
    let Some(bench) = sharing() else { return };
    let Some(server) = server::s3() else { return };
    bench.septet(&["run", "small.toml"]).code(0);
    let environment = server.environment();
    let keys: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    bench.septet_with(&keys, &["store", "push", "s3://septet/open"]).code(0);
    // Before its owner opens it, it is not.
    let open = [keys[0], ("AWS_SKIP_SIGNATURE", "true")];
    let pull = ["store", "pull", "s3://septet/open", "--store", "other", "--json"];
    let told = bench.septet_with(&open, &pull).code(3);
    assert!(told.stderr.contains("unset AWS_SKIP_SIGNATURE"), "{}", told.stderr);
    server.open_to_all();
    let pulled = bench.septet_with(&open, &pull).code(0).json();
    assert_eq!((&pulled["copied"], pulled["generations"]["small"].is_string()), (&6.into(), true), "{pulled}");
}
