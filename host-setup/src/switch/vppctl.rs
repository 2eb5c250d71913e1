//! Questions to a VPP over its control socket, as `vppctl` asks them: one line, and an answer that ends with a zero
//! byte. It must not know what is asked.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The program answers from a CPU that it may share with what polls.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any answer to a question of ours, bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Telnet's "interpret as command", and of its commands those that have an option after them, and the two around a
/// longer one.
const IAC: u8 = 255;
const WITH_OPTION: std::ops::RangeInclusive<u8> = 251..=254;
const SUB_BEGIN: u8 = 250;
const SUB_END: u8 = 240;
/// Says that nobody sits in front of this terminal: no prompt, no echo, no pages, whole lines.
const TERMINAL: &[u8] = &[IAC, SUB_BEGIN, 24, 0, b'v', b'p', b'p', b'c', b't', b'l', IAC, SUB_END];

/// A conversation.
pub(super) struct Cli {
    stream: UnixStream,
    introduced: bool,
}

impl Cli {
    pub(super) fn dial(socket: &Path) -> io::Result<Cli> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Cli { stream, introduced: false })
    }

    /// The answer to a line, without white space around it.
    pub(super) fn ask(&mut self, line: &str) -> io::Result<String> {
        // What is written at once is read as one line.
        let mut question = if self.introduced { Vec::new() } else { TERMINAL.to_vec() };
        question.extend(line.bytes().chain([b'\n']));
        self.stream.write_all(&question)?;
        self.introduced = true;
        let mut answer = Vec::new();
        let mut bytes = [0; 4096];
        while answer.last() != Some(&0) {
            let length = self.stream.read(&mut bytes)?;
            if length == 0 || answer.len() > ANSWER_BYTES_MAX {
                return Err(io::Error::other(format!("it did not answer {line:?} to the end")));
            }
            answer.extend_from_slice(&bytes[..length]);
        }
        Ok(text(&answer))
    }
}

/// The text of an answer, without what telnet says in between.
fn text(answer: &[u8]) -> String {
    let mut kept = Vec::with_capacity(answer.len());
    let mut rest = answer;
    while let Some((first, after)) = rest.split_first() {
        rest = match (*first, after.first()) {
            (IAC, Some(&SUB_BEGIN)) => {
                let end = after.windows(2).position(|pair| pair == [IAC, SUB_END]);
                end.map_or(&[][..], |end| &after[end + 2..])
            }
            (IAC, Some(command)) if WITH_OPTION.contains(command) => after.get(2..).unwrap_or_default(),
            (IAC, _) => after.get(1..).unwrap_or_default(),
            (0 | b'\r', _) => after,
            (byte, _) => {
                kept.push(byte);
                after
            }
        };
    }
    String::from_utf8_lossy(&kept).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_telnet_says_is_no_part_of_an_answer() {
        let mut bytes = vec![IAC, 252, 34, IAC, SUB_BEGIN, 24, 1, IAC, SUB_END, IAC, 253, 31];
        bytes.extend(b"\r\nbridge-domain 1\r\n\0");
        assert_eq!(text(&bytes), "bridge-domain 1");
        assert_eq!(text(b"a\r\n  b\r\n\0"), "a\n  b");
        assert_eq!(text(&[IAC, SUB_BEGIN, 24, 1]), "");
    }

    proptest! {
        #[test]
        fn any_answer_is_borne(bytes in prop::collection::vec(prop_oneof![Just(IAC), 238u8.., any::<u8>()], 0..200)) {
            prop_assert!(text(&bytes).len() <= 3 * bytes.len());
        }
    }
}
