//! One question to a daemon of Open vSwitch over its control socket, as `ovs-appctl` asks it. It must not know
//! what the answer means.

use std::io::{self, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Deserializer, json};

/// The daemon answers from a CPU that it may share with what polls.
const PATIENCE: Duration = Duration::from_secs(30);

/// An answer of JSON-RPC 1.0.
#[derive(Deserialize)]
struct Answer {
    result: Option<String>,
    error: Option<String>,
}

/// The text that the daemon answers with.
pub(super) fn ask(socket: &Path, command: &str, arguments: &[&str]) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let question = json!({ "id": 0, "method": command, "params": arguments });
    stream.write_all(question.to_string().as_bytes())?;
    // The daemon keeps the connection open: an answer ends where its JSON does.
    let answer = Deserializer::from_reader(&stream).into_iter::<Answer>().next();
    match answer.transpose().map_err(io::Error::other)? {
        Some(Answer { result: Some(text), .. }) => Ok(text),
        Some(Answer { error, .. }) => Err(io::Error::other(error.unwrap_or_default().trim_end().to_owned())),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
