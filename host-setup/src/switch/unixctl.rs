//! One question to a daemon of Open vSwitch over its control socket, as `ovs-appctl` asks it, or to its database, as
//! `ovsdb-client` does. It must not know what the answer means.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Deserializer, Value, json};

/// The daemon answers from a CPU that it may share with what polls.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer of JSON-RPC 1.0.
#[derive(Deserialize)]
struct Answer {
    result: Option<String>,
    error: Option<String>,
}

/// The same of the database.
#[derive(Deserialize)]
struct Rows {
    result: Option<Value>,
    error: Option<Value>,
}

/// The text that the daemon answers with.
pub(super) fn ask(socket: &Path, command: &str, arguments: &[&str]) -> io::Result<String> {
    match converse(socket, command, &json!(arguments))? {
        Answer { result: Some(text), .. } => Ok(text),
        Answer { error, .. } => Err(io::Error::other(error.unwrap_or_default().trim_end().to_owned())),
    }
}

/// Columns of the row of a table that has that name.
pub(super) fn row(socket: &Path, table: &str, name: &str, columns: &[&str]) -> io::Result<Value> {
    let wanted = json!({ "op": "select", "table": table, "where": [["name", "==", name]], "columns": columns });
    let Rows { result, error } = converse(socket, "transact", &json!(["Open_vSwitch", wanted]))?;
    let found = result.as_ref().and_then(|result| result.pointer("/0/rows/0"));
    found.cloned().ok_or_else(|| io::Error::other(format!("{table} has no {name}: {}", error.unwrap_or_default())))
}

fn converse<A: DeserializeOwned>(socket: &Path, method: &str, params: &Value) -> io::Result<A> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let question = json!({ "id": 0, "method": method, "params": params });
    stream.write_all(question.to_string().as_bytes())?;
    // The daemon keeps the connection open: an answer ends where its JSON does.
    let answer = Deserializer::from_reader(&stream).into_iter::<A>().next();
    answer.transpose().map_err(io::Error::other)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
