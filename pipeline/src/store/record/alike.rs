//! What records have in common: of the many that one host has measured nearly all bytes are what is known of the host,
//! the same in each. It is read once, and shared. A record is the same whether its host was known or not. It must not
//! know what is in a record besides.

use std::cell::RefCell;
use std::sync::{Arc, RwLock};

use host_setup::facts::Facts;
use serde::de::{Deserialize, Deserializer, Error, IgnoredAny};
use serde::ser::{Serialize, Serializer};

use super::Record;

/// The field of a record.
const FIELD: &[u8] = b"host";
/// Hosts that are remembered, those seen last; most bytes of the text of one.
const HOSTS_MAX: usize = 8;
const TEXT_BYTES_MAX: usize = 1 << 20;
/// What stands in the place of a host that is known.
const PLACE: &[u8] = b"null";

/// A host as records have it: the text of it, which is a whole object.
struct HostText {
    text: Box<[u8]>,
    facts: Arc<Facts>,
}

static KNOWN: RwLock<Vec<HostText>> = RwLock::new(Vec::new());

thread_local! {
    /// The host of the record that is being read, where its place is taken.
    static TAKEN: RefCell<Option<Arc<Facts>>> = const { RefCell::new(None) };
}

pub(super) fn serialize<S: Serializer>(facts: &Arc<Facts>, serializer: S) -> Result<S::Ok, S::Error> {
    (**facts).serialize(serializer)
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Facts>, D::Error> {
    match TAKEN.take() {
        Some(known) => Option::<IgnoredAny>::deserialize(deserializer)
            .and_then(|place| if place.is_none() { Ok(known) } else { Err(D::Error::custom("two hosts")) }),
        None => Facts::deserialize(deserializer).map(Arc::new),
    }
}

/// A record, if its host is known; whatever is wrong with it is for [`parse`] to say.
pub(super) fn parse_known(bytes: &[u8]) -> Option<Record> {
    let start = value_of(bytes, FIELD)?;
    let (len, facts) = {
        let known = KNOWN.read().ok()?;
        // An object's text ends where the object does: what begins with it is it.
        let one = known.iter().find(|known| bytes[start..].starts_with(&known.text))?;
        (one.text.len(), one.facts.clone())
    };
    let short = [&bytes[..start], PLACE, &bytes[start + len..]].concat();
    TAKEN.set(Some(facts));
    let record = serde_json::from_slice(&short);
    TAKEN.set(None);
    record.ok()
}

/// A record, whose host is known from now on.
pub(super) fn parse(bytes: &[u8]) -> Result<Record, serde_json::Error> {
    let record: Record = serde_json::from_slice(bytes)?;
    let text = value_of(bytes, FIELD).and_then(|start| object(&bytes[start..]));
    if let (Some(text), Ok(mut known)) = (text, KNOWN.write())
        && !known.iter().any(|known| *known.text == *text)
    {
        known.truncate(HOSTS_MAX - 1);
        known.insert(0, HostText { text: text.into(), facts: record.host.clone() });
    }
    Ok(record)
}

/// The text of an object that this begins with, if it is short enough to be remembered.
fn object(bytes: &[u8]) -> Option<&[u8]> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter::<IgnoredAny>();
    values.next()?.ok()?;
    let text = &bytes[..values.byte_offset()];
    (text.starts_with(b"{") && text.len() <= TEXT_BYTES_MAX).then_some(text)
}

/// Where the value of a field of an object begins.
fn value_of(bytes: &[u8], field: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0u32);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'"' => {
                let begin = at + 1;
                at = begin;
                while *bytes.get(at)? != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                let blank = |from: usize| bytes.get(from..)?.iter().position(|byte| !byte.is_ascii_whitespace());
                if depth == 1 && bytes[begin..at] == *field {
                    let colon = at + 1 + blank(at + 1)?;
                    // A text that is a value is followed by no colon.
                    if bytes[colon] == b':' {
                        return Some(colon + 1 + blank(colon + 1)?);
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::RECORD_VERSION;
    use super::*;
    use proptest::prelude::*;

    const RECORD: &[u8] = include_bytes!("../../../tests/records/version-1.json");

    /// What a record is without what others have left.
    fn alone(bytes: &[u8]) -> Result<Record, String> {
        let record: Record = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if record.format > RECORD_VERSION { Err("it is newer".to_string()) } else { Ok(record) }
    }

    #[test]
    fn a_record_is_the_same_whether_its_host_is_known_or_not() {
        let first = parse(RECORD).expect("a record");
        let again = parse_known(RECORD).expect("its host is known");
        assert_eq!(first, again);
        assert!(Arc::ptr_eq(&first.host, &again.host) || first.host == again.host);
        assert_eq!(Ok(again), alone(RECORD));
    }

    #[test]
    fn no_host_and_two_hosts_are_no_record_however_much_is_known() {
        parse(RECORD).expect("a record");
        let text = std::str::from_utf8(RECORD).expect("text");
        let start = value_of(RECORD, FIELD).expect("it has a host");
        let host = std::str::from_utf8(object(&RECORD[start..]).expect("an object")).expect("text");
        let field = format!("\"host\": {host}");
        assert!(text.contains(&field));
        for other in [
            text.replacen(&field, "\"host\": null", 1),
            text.replacen(&field, &format!("{field}, {field}"), 1),
            text.replacen(&field, &format!("{field}, \"host\": null"), 1),
            text.replacen(&field, &format!("\"host\": null, {field}"), 1),
            text.replacen(&format!("{field},"), "", 1),
        ] {
            assert_ne!(other, text);
            assert!(alone(other.as_bytes()).is_err());
            assert!(parse_known(other.as_bytes()).is_none(), "{}", &other[..200]);
            assert!(Record::parse(other.as_bytes()).is_err());
            // And nothing of it is left for the next one.
            assert_eq!(parse_known(RECORD).as_ref(), alone(RECORD).as_ref().ok());
        }
    }

    proptest! {
        #[test]
        fn a_changed_byte_changes_nothing_or_what_it_changed_before(at in 0..RECORD.len(), byte: u8) {
            parse(RECORD).expect("a record");
            let mut bytes = RECORD.to_vec();
            bytes[at] = byte;
            prop_assert_eq!(Record::parse(&bytes).ok(), alone(&bytes).ok());
        }
    }
}
