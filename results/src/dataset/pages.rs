//! What the pages of a column would become in memory, by their headers alone: whoever can make a seal can also
//! make a page of few bytes that says it holds 10^9 values, and the Parquet library would believe it. It must not
//! know polars, and reads nothing but headers (Thrift, compact protocol, as the Parquet format describes them).
//!
//! Stricter than the format: fields rise, none is given twice, and only the encodings are taken that our columns
//! are written in, whose values a page cannot have more of than its header says.

/// A column chunk.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The chunk's bytes in the file: all of its pages.
    pub bytes: &'a [u8],
    /// Values that it must have: the rows of its group.
    pub rows: u64,
    /// Bytes of a value.
    pub width: u64,
}

/// What a page has besides values: the length of its levels, a bit width.
const PAGE_BYTES_BESIDES: u64 = 64;
/// Levels and indices are packed by eights, each with its own length.
const LEVEL_BYTES_EACH: u64 = 2;
/// `PLAIN`, `PLAIN_DICTIONARY`, `RLE_DICTIONARY`.
const ENCODINGS: [i64; 3] = [0, 2, 8];
/// How deep structures lie in a page header.
const DEPTH_MAX: u32 = 4;

/// Refuses a chunk whose pages are not what its rows need.
pub fn check(chunk: Chunk) -> Result<(), &'static str> {
    let mut rest = Header { bytes: chunk.bytes };
    let mut values = 0u64;
    let mut first = true;
    while !rest.bytes.is_empty() {
        let page = rest.page()?;
        let most = page.values.saturating_mul(chunk.width + LEVEL_BYTES_EACH).saturating_add(PAGE_BYTES_BESIDES);
        if page.unpacked > most {
            return Err("a page would become longer than its values");
        }
        match page.is_dictionary {
            true if !first => return Err("a dictionary lies behind its column"),
            true if page.values > chunk.rows => return Err("a dictionary has more values than its column"),
            true => {}
            false => values = values.saturating_add(page.values),
        }
        first = false;
        rest.bytes = rest.bytes.get(page.packed..).ok_or("a page lies outside its column")?;
    }
    match values == chunk.rows {
        true => Ok(()),
        false => Err("the pages of a column have another number of values than it has rows"),
    }
}

struct Page {
    is_dictionary: bool,
    values: u64,
    /// Bytes in the file, and in memory.
    packed: usize,
    unpacked: u64,
}

/// A page header, and what follows it.
struct Header<'a> {
    bytes: &'a [u8],
}

const UNREADABLE: &str = "the header of a page cannot be read";

impl Header<'_> {
    fn page(&mut self) -> Result<Page, &'static str> {
        let (mut kind, mut unpacked, mut packed) = (None, None, None);
        // Values and encoding, by which kind of page they are of.
        let mut held: [Option<(u64, i64)>; 4] = [None; 4];
        let mut last = 0;
        while let Some((field, of)) = self.field(&mut last)? {
            match (field, of) {
                (1, INTEGER) => kind = Some(self.integer()?),
                (2, INTEGER) => unpacked = Some(self.integer()?),
                (3, INTEGER) => packed = Some(self.integer()?),
                (5, STRUCTURE) => held[0] = Some(self.held(2)?),
                (7, STRUCTURE) => held[2] = Some(self.held(2)?),
                (8, STRUCTURE) => held[3] = Some(self.held(4)?),
                _ => self.skip(of, DEPTH_MAX)?,
            }
        }
        let kind = kind.and_then(|kind| usize::try_from(kind).ok()).ok_or(UNREADABLE)?;
        let (values, encoding) = held.get(kind).copied().flatten().ok_or(UNREADABLE)?;
        if !ENCODINGS.contains(&encoding) {
            return Err("a page is in an encoding that none of ours is in");
        }
        Ok(Page {
            is_dictionary: kind == 2,
            values,
            packed: packed.and_then(|packed| usize::try_from(packed).ok()).ok_or(UNREADABLE)?,
            unpacked: unpacked.and_then(|unpacked| u64::try_from(unpacked).ok()).ok_or(UNREADABLE)?,
        })
    }

    /// Values and encoding of a page: the first field and the one that is named.
    fn held(&mut self, encoding_field: u8) -> Result<(u64, i64), &'static str> {
        let (mut values, mut encoding, mut last) = (None, None, 0);
        while let Some((field, of)) = self.field(&mut last)? {
            match of {
                INTEGER if field == 1 => values = Some(self.integer()?),
                INTEGER if field == encoding_field => encoding = Some(self.integer()?),
                _ => self.skip(of, DEPTH_MAX)?,
            }
        }
        let values = values.and_then(|values| u64::try_from(values).ok()).ok_or(UNREADABLE)?;
        Ok((values, encoding.ok_or(UNREADABLE)?))
    }

    /// Number and kind of the next field; none at the end of a structure.
    fn field(&mut self, last: &mut u8) -> Result<Option<(u8, u8)>, &'static str> {
        let byte = self.byte()?;
        if byte == 0 {
            return Ok(None);
        }
        // The long form is for numbers that no page header has.
        let step = byte >> 4;
        *last = last.checked_add(step).filter(|_| step > 0).ok_or(UNREADABLE)?;
        Ok(Some((*last, byte & 0x0f)))
    }

    fn byte(&mut self) -> Result<u8, &'static str> {
        let (byte, rest) = self.bytes.split_first().ok_or(UNREADABLE)?;
        self.bytes = rest;
        Ok(*byte)
    }

    fn unsigned(&mut self, bytes_max: u32) -> Result<u64, &'static str> {
        let mut value = 0u64;
        for place in 0..bytes_max {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(7 * place).ok_or(UNREADABLE)?;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(UNREADABLE)
    }

    /// A 32-bit number.
    fn integer(&mut self) -> Result<i64, &'static str> {
        let zigzag = self.unsigned(5)?;
        let value = u32::try_from(zigzag).map_err(|_| UNREADABLE)?;
        Ok(i64::from((value >> 1) as i32 ^ -((value & 1) as i32)))
    }

    fn skip(&mut self, of: u8, depth: u32) -> Result<(), &'static str> {
        let depth = depth.checked_sub(1).ok_or(UNREADABLE)?;
        match of {
            TRUE | FALSE => Ok(()),
            INTEGER => self.integer().map(drop),
            LONG => self.unsigned(10).map(drop),
            TEXT => {
                let len = usize::try_from(self.unsigned(5)?).map_err(|_| UNREADABLE)?;
                self.bytes = self.bytes.get(len..).ok_or(UNREADABLE)?;
                Ok(())
            }
            STRUCTURE => {
                let mut last = 0;
                while let Some((_, of)) = self.field(&mut last)? {
                    self.skip(of, depth)?;
                }
                Ok(())
            }
            _ => Err(UNREADABLE),
        }
    }
}

/// Kinds of fields in the compact protocol.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const INTEGER: u8 = 5;
const LONG: u8 = 6;
const TEXT: u8 = 8;
const STRUCTURE: u8 = 12;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number(value: i64) -> Vec<u8> {
        let mut left = ((value << 1) ^ (value >> 63)) as u32;
        let mut bytes = Vec::new();
        while left >= 0x80 {
            bytes.push(left as u8 | 0x80);
            left >>= 7;
        }
        bytes.push(left as u8);
        bytes
    }

    /// A page header and so many bytes. The kinds are those of the format: 0 and 3 data, 2 a dictionary.
    fn page(kind: i64, values: i64, encoding: i64, unpacked: i64, packed: usize) -> Vec<u8> {
        let integer = |step: u8, value: i64| [vec![step << 4 | INTEGER], number(value)].concat();
        let of_kind = match kind {
            0 => [vec![2 << 4 | STRUCTURE], integer(1, values), integer(1, encoding), integer(1, 3), vec![0]].concat(),
            2 => [vec![4 << 4 | STRUCTURE], integer(1, values), integer(1, encoding), vec![0]].concat(),
            _ => [
                vec![5 << 4 | STRUCTURE],
                integer(1, values),
                integer(1, 0),
                integer(1, 1),
                integer(1, encoding),
                vec![0],
            ]
            .concat(),
        };
        let head = [integer(1, kind), integer(1, unpacked), integer(1, packed as i64), of_kind, vec![0]].concat();
        [head, vec![7; packed]].concat()
    }

    fn refused(bytes: &[u8], rows: u64) -> &'static str {
        check(Chunk { bytes, rows, width: 4 }).expect_err("it is made to do harm")
    }

    #[test]
    fn what_ours_are_like_passes() {
        let plain = page(0, 20, 0, 90, 30);
        assert_eq!(check(Chunk { bytes: &plain, rows: 20, width: 4 }), Ok(()));
        let coded = [page(2, 3, 0, 12, 20), page(0, 15, 8, 20, 9), page(3, 5, 8, 20, 9)].concat();
        assert_eq!(check(Chunk { bytes: &coded, rows: 20, width: 4 }), Ok(()));
        assert_eq!(check(Chunk { bytes: &[], rows: 0, width: 4 }), Ok(()));
    }

    #[test]
    fn pages_of_few_bytes_that_hold_much_are_refused() {
        const BILLION: i64 = 1_000_000_000;
        assert_eq!(
            refused(&page(0, BILLION, 8, 20, 9), 20),
            "the pages of a column have another number of values than it has rows"
        );
        assert_eq!(refused(&page(0, 20, 0, i64::from(i32::MAX), 9), 20), "a page would become longer than its values");
        assert_eq!(refused(&page(2, BILLION, 0, 12, 9), 20), "a dictionary has more values than its column");
        assert_eq!(refused(&page(2, 3, 0, BILLION, 9), 20), "a page would become longer than its values");
        // Packed differences say by themselves how many they are.
        assert_eq!(refused(&page(0, 20, 5, 20, 9), 20), "a page is in an encoding that none of ours is in");
        let late = [page(0, 20, 0, 90, 30), page(2, 3, 0, 12, 20)].concat();
        assert_eq!(refused(&late, 20), "a dictionary lies behind its column");
    }

    #[test]
    fn headers_that_two_could_read_differently_are_refused() {
        let sound = page(0, 20, 0, 90, 30);
        for (place, byte) in [(0, 0x05), (0, INTEGER), (2, 0x05)] {
            let mut bytes = sound.clone();
            bytes[place] = byte;
            assert_eq!(refused(&bytes, 20), UNREADABLE, "{place}");
        }
        assert_eq!(refused(&sound[..5], 20), UNREADABLE);
        assert_eq!(refused(&sound[..sound.len() - 1], 20), "a page lies outside its column");
        assert_eq!(refused(&page(0, -1, 0, 90, 30), 20), UNREADABLE);
        assert_eq!(refused(&page(0, 20, 0, -1, 30), 20), UNREADABLE);
        let deep = [[0x9c; 64].as_slice(), &sound].concat();
        assert_eq!(refused(&deep, 20), UNREADABLE);
    }

    proptest! {
        #[test]
        fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200), rows in 0u64..100) {
            let _ = check(Chunk { bytes: &bytes, rows, width: 8 });
        }
    }
}
