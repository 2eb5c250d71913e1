//! Requests out of lines: foreign input, bounded and parsed once. It must not know what is done about them.

use crate::lines::Line;
use crate::protocol::{Failure, FailureKind, Op, REQUEST_BYTES_MAX, Request};

/// A request that is not performed, with the number that its reply needs; 0 if that cannot be told.
#[derive(Debug)]
pub(super) struct Refused {
    pub id: u64,
    pub failure: Failure,
}

/// The number alone, of a request that is not understood.
#[derive(serde::Deserialize)]
struct Numbered {
    id: u64,
}

/// What a line asks of an agent that has been greeted: the way in for whoever tries to break it.
///
/// # Errors
/// When it is no request.
pub fn parse_request(bytes: &[u8]) -> Result<Op, Failure> {
    let line = Line { cut: bytes.len() > REQUEST_BYTES_MAX, bytes: bytes.to_vec() };
    parse(&line, true).map(|request| request.op).map_err(|refused| refused.failure)
}

/// Parses a line. Before a hello has been answered nothing else is taken.
pub(super) fn parse(line: &Line, greeted: bool) -> Result<Request, Refused> {
    let refuse = |id, message: String| Refused { id, failure: Failure::new(FailureKind::Request, message) };
    if line.cut {
        return Err(refuse(0, format!("read a request: it is longer than {REQUEST_BYTES_MAX} bytes")));
    }
    let request: Request = serde_json::from_slice(&line.bytes).map_err(|error| {
        let id = serde_json::from_slice::<Numbered>(&line.bytes).map_or(0, |numbered| numbered.id);
        let failure = refuse(id, format!("read a request: {error}")).failure;
        Refused { id, failure: failure.advise("client and agent may be of different versions") }
    })?;
    if !greeted && !matches!(request.op, Op::Hello { .. }) {
        return Err(refuse(request.id, "answer before a hello: it must be the first request".into()));
    }
    Ok(request)
}
