//! The last lines of what a program says on its standard error, for whoever tells that it has died. It must not know
//! programs.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};

/// Lines that are kept.
const LINES_MAX: usize = 20;
/// Bytes of a line that are kept.
const LINE_BYTES_MAX: u64 = 4096;

/// Reads a stream to its end; its last lines.
pub fn of(stream: impl Read) -> Vec<String> {
    let mut stream = BufReader::new(stream);
    let mut lines = VecDeque::new();
    loop {
        let mut line = Vec::new();
        match stream.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return lines.into(),
            Ok(_) => {}
        }
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(String::from_utf8_lossy(&line).trim_end().to_string());
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_last_lines_are_kept_whatever_they_are_made_of() {
        let text: String = (0..30).map(|number| format!("{number}\n")).collect();
        let lines = super::of(text.as_bytes());
        assert_eq!((lines.len(), lines[0].as_str(), lines[19].as_str()), (20, "10", "29"));
        assert_eq!(super::of(&b"a\xff\r\nb"[..]), ["a\u{fffd}", "b"]);
        assert!(super::of(&vec![b'x'; 1 << 20][..]).iter().all(|line| line.len() <= 4096));
    }
}
