//! What the worker says, cut into whole messages on its way to the client, so that the supervisor's own lines
//! never fall into the middle of one. It must not know what the messages mean beyond that.

use crate::protocol::{Message, Outcome};

/// Follows the stream of a worker.
#[derive(Default)]
pub(super) struct Relay {
    line: Vec<u8>,
    bulk_left: u64,
}

/// A reply that went through.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Replied {
    pub id: u64,
    pub ok: bool,
}

/// The worker said something that is not of the protocol.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("understand the worker: {0}")]
pub(super) struct Garbled(String);

impl Relay {
    /// Whether a message of the supervisor's own may be written now.
    pub(super) fn between_messages(&self) -> bool {
        self.bulk_left == 0
    }

    /// Takes bytes of the worker; what is ready for the client goes into `out`, replies into `replies`.
    pub(super) fn pass(
        &mut self,
        mut bytes: &[u8],
        out: &mut impl FnMut(&[u8]),
        replies: &mut Vec<Replied>,
    ) -> Result<(), Garbled> {
        while !bytes.is_empty() {
            if self.bulk_left > 0 {
                let take = usize::try_from(self.bulk_left).unwrap_or(usize::MAX).min(bytes.len());
                out(&bytes[..take]);
                self.bulk_left -= take as u64;
                bytes = &bytes[take..];
                continue;
            }
            let end = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| end + 1);
            self.line.extend_from_slice(&bytes[..end]);
            bytes = &bytes[end..];
            if self.line.ends_with(b"\n") {
                match serde_json::from_slice(&self.line).map_err(|error| Garbled(error.to_string()))? {
                    Message::Bulk(bulk) => self.bulk_left = bulk.len,
                    Message::Reply(reply) => {
                        replies.push(Replied { id: reply.id, ok: matches!(reply.outcome, Outcome::Ok(_)) });
                    }
                    Message::Event(_) => {}
                }
                out(&self.line);
                self.line.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::to_line;
    use crate::protocol::{Answer, Bulk, Event, Reply};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn passes_every_byte_however_it_arrives(chunk in 1usize..50, len in 0usize..200) {
            let mut stream = to_line(&Message::Event(Event::Heartbeat)).unwrap();
            let bulk = Bulk { bulk: "a".into(), len: len as u64, blake3: "0".into() };
            stream.extend(to_line(&Message::Bulk(bulk)).unwrap());
            stream.extend(std::iter::repeat_n(b'\n', len));
            stream.extend(to_line(&Message::Reply(Reply { id: 7, outcome: Outcome::Ok(Answer::Done {}) })).unwrap());
            let (mut relay, mut passed, mut replies) = (Relay::default(), Vec::new(), Vec::new());
            for bytes in stream.chunks(chunk) {
                relay.pass(bytes, &mut |bytes| passed.extend_from_slice(bytes), &mut replies).unwrap();
            }
            prop_assert_eq!(passed, stream);
            prop_assert_eq!(replies, vec![Replied { id: 7, ok: true }]);
            prop_assert!(relay.between_messages());
        }
    }
}
