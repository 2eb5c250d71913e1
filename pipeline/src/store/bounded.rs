//! Reading what anybody may have written: no more of it than a file of its kind can sensibly hold. Bytes are capped as
//! they are unpacked, values and texts as they are parsed, so that a small file never becomes large. It must not know
//! what files mean.

use std::cell::RefCell;
use std::io::{self, BufRead, BufReader, Read};

use serde::Deserialize;
use zstd::stream::read::Decoder;
use zstd::zstd_safe::{DCtx, DParameter, get_error_name};

/// Bytes that one byte of zstd may become, where an honest file is mostly digests and names.
const RATIO_MAX: u64 = 100;
/// What a small file may become in any case.
const BYTES_FLOOR: u64 = 16 << 20;
/// Largest window of zstd that is given memory, as a power of two: what the levels that are written with want, and more.
const WINDOW_LOG_MAX: u32 = 23;
/// Longest text in JSON, bytes.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Deepest nesting of JSON.
const DEPTH_MAX: u32 = 64;
/// Values of JSON that a small file may hold in any case.
const VALUES_FLOOR: u64 = 20_000;

/// A stream out of zstd, with memory for windows of up to a power of two.
pub(crate) fn decoder<R: Read>(reader: R, window_log_max: u32) -> io::Result<Decoder<'static, BufReader<R>>> {
    let mut decoder = Decoder::new(reader)?;
    decoder.window_log_max(window_log_max)?;
    Ok(decoder)
}

/// What `packed` bytes of zstd hold, as a stream.
pub(crate) fn unpacked<R: Read>(reader: R, packed: u64) -> io::Result<impl Read> {
    let bytes_max = packed.saturating_mul(RATIO_MAX).saturating_add(BYTES_FLOOR);
    Ok(Capped { inner: decoder(reader, WINDOW_LOG_MAX)?, left: bytes_max, bytes_max })
}

fn context() -> Result<DCtx<'static>, &'static str> {
    let mut context = DCtx::create();
    context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).map_err(get_error_name)?;
    Ok(context)
}

/// Does something with what bytes of zstd hold, as a stream. What unpacking needs a thread makes once: for a short text
/// that is most of the work.
fn unpacking<T>(packed: &[u8], action: impl FnOnce(&mut dyn Read) -> io::Result<T>) -> io::Result<T> {
    thread_local! {
        static CONTEXT: RefCell<Result<DCtx<'static>, &'static str>> = RefCell::new(context());
    }
    CONTEXT.with_borrow_mut(|kept| match kept {
        Ok(context) => action(&mut Decoder::with_context(packed, context)),
        Err(reason) => Err(io::Error::other(*reason)),
    })
}

/// What bytes of zstd hold, if it is at most `bytes_max`.
pub(crate) fn unpack(packed: &[u8], bytes_max: u64) -> io::Result<Vec<u8>> {
    unpacking(packed, |inner| {
        let mut bytes = Vec::new();
        Capped { inner, left: bytes_max, bytes_max }.read_to_end(&mut bytes)?;
        Ok(bytes)
    })
}

/// The last bytes, at most `keep`, of what bytes of zstd hold, which may be any number.
pub(crate) fn unpacked_end(packed: &[u8], keep: usize) -> io::Result<Vec<u8>> {
    const PIECE: usize = 8 << 10;
    unpacking(packed, |stream| {
        let (mut end, mut piece) = (Vec::new(), [0; PIECE]);
        loop {
            match stream.read(&mut piece)? {
                0 => break,
                count => end.extend_from_slice(&piece[..count]),
            }
            if end.len() > 2 * keep + PIECE {
                end.drain(..end.len() - keep);
            }
        }
        end.drain(..end.len().saturating_sub(keep));
        Ok(end)
    })
}

/// JSON in bytes.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn json<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, String> {
    // So few bytes hold no text that is too long, and no values that are too many; so few brackets are not too deep.
    let brackets = bytes.iter().fold(0u32, |count, byte| count.wrapping_add(u32::from(matches!(byte, b'{' | b'['))));
    if bytes.len() > TEXT_BYTES_MAX || brackets > DEPTH_MAX {
        let mut guard = Guard::new(bytes.len() as u64);
        guard.look(bytes).map_err(|error| error.to_string())?;
    }
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// JSON from a stream, of a file of so many bytes, to be parsed.
pub(crate) fn guarded(reader: impl Read, packed: u64) -> impl Read {
    Guarded { inner: BufReader::with_capacity(64 << 10, reader), guard: Guard::new(packed) }
}

fn invalid(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

/// A stream that fails where it goes on for longer than it may.
struct Capped<R> {
    inner: R,
    left: u64,
    bytes_max: u64,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return match self.inner.read(&mut [0])? {
                0 => Ok(0),
                _ => Err(invalid(format!("it holds more than {} bytes, which no such file has", self.bytes_max))),
            };
        }
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let count = self.inner.read(&mut buffer[..wanted])?;
        self.left -= count as u64;
        Ok(count)
    }
}

/// JSON that is looked at on its way to the parser.
struct Guarded<R> {
    inner: R,
    guard: Guard,
}

impl<R: BufRead> Read for Guarded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.guard.look(&buffer[..count])?;
        Ok(count)
    }
}

/// Counts what JSON will make a parser keep.
struct Guard {
    values_left: u64,
    depth: u32,
    text: usize,
    in_text: bool,
    escaped: bool,
}

impl Guard {
    /// A digest has 32 bytes that cannot be packed, and a value of any other kind has some.
    fn new(packed: u64) -> Guard {
        let values_left = packed.saturating_mul(2).saturating_add(VALUES_FLOOR);
        Guard { values_left, depth: 0, text: 0, in_text: false, escaped: false }
    }

    fn look(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            if self.in_text {
                self.text += 1;
                if self.text > TEXT_BYTES_MAX {
                    return Err(invalid(format!("it has a text of more than {TEXT_BYTES_MAX} bytes")));
                }
                match byte {
                    _ if self.escaped => self.escaped = false,
                    b'\\' => self.escaped = true,
                    b'"' => self.in_text = false,
                    _ => {}
                }
                continue;
            }
            match byte {
                b'"' => (self.in_text, self.text) = (true, 0),
                b'{' | b'[' => {
                    self.depth += 1;
                    self.one_more()?;
                }
                b'}' | b']' => self.depth = self.depth.saturating_sub(1),
                b',' => self.one_more()?,
                _ => {}
            }
            if self.depth > DEPTH_MAX {
                return Err(invalid(format!("it is nested deeper than {DEPTH_MAX}")));
            }
        }
        Ok(())
    }

    fn one_more(&mut self) -> io::Result<()> {
        let left = self.values_left.checked_sub(1);
        self.values_left =
            left.ok_or_else(|| invalid("it has more values than its size makes possible".to_string()))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_files_do_not_become_large() {
        let zeros = zstd::bulk::compress(&vec![b' '; 64 << 20], 3).expect("zstd works");
        assert!(zeros.len() < 64 << 10);
        let mut read = unpacked(&zeros[..], zeros.len() as u64).expect("it is zstd");
        let error = io::copy(&mut read, &mut io::sink()).expect_err("it is too much");
        assert!(error.to_string().contains("which no such file has"), "{error}");
        assert!(unpack(&zeros, 1 << 20).is_err());
        assert_eq!(unpacked_end(&zeros, 100).expect("any length").len(), 100);
        assert_eq!(unpack(&zstd::bulk::compress(b"abc", 3).expect("zstd works"), 3).expect("it fits"), b"abc");
        // Nothing of what was given up, or is broken, is left for the next.
        assert!(unpack(&zeros[..zeros.len() / 2], 1 << 30).is_err() && unpack(b"no zstd", 9).is_err());
        assert_eq!(unpack(&zstd::bulk::compress(b"abc", 3).expect("zstd works"), 3).expect("it fits"), b"abc");
    }

    #[test]
    fn json_that_grows_is_refused() {
        let of = |text: String| json::<serde_json::Value>(text.as_bytes()).map(|_| ()).unwrap_err();
        assert!(of("[".repeat(1000)).contains("nested deeper"));
        assert!(of(format!("\"{}\"", "x".repeat(2 << 20))).contains("a text of more"));
        let many = format!("[{}0]", "[],".repeat(1_000_000));
        let packed = zstd::bulk::compress(many.as_bytes(), 3).expect("zstd works");
        let stream = guarded(unpacked(&packed[..], packed.len() as u64).expect("it is zstd"), packed.len() as u64);
        let error = serde_json::from_reader::<_, serde_json::Value>(stream).expect_err("it has too many");
        assert!(error.to_string().contains("more values than its size"), "{error}");
    }

    proptest! {
        #[test]
        fn the_end_is_the_end(bytes in prop::collection::vec(any::<u8>(), 0..500_000), keep in 0usize..200_000) {
            let packed = zstd::bulk::compress(&bytes, 1).expect("zstd works");
            let end = unpacked_end(&packed, keep).expect("it is sound");
            prop_assert_eq!(&end[..], &bytes[bytes.len().saturating_sub(keep)..]);
        }
    }
}
