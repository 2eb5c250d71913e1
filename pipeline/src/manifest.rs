//! All that can change a measurement, in one canonical form, and its key. One manifest makes both the key
//! and every explanation of it, so that the two cannot disagree. It must not know where values come from.
//!
//! A manifest is a set of named sections, a section a set of named fields. The encoding is length-prefixed
//! throughout, so that no two manifests share one; an absent field, and a section without fields, encode to
//! nothing, so that a later kind of component or setting invalidates no older key. The manifest's encoding
//! holds each section's digest instead of the section, since most sections are shared by all tests of a host.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

pub use self::keyed::{Keyed, OwnDigest};
use crate::key::Key;

/// Version of the encoding. It is in every key.
pub const MANIFEST_VERSION: u32 = 1;

/// One input of a measurement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Field {
    /// A yes or no.
    Flag(bool),
    /// A count, a size, a time in ns.
    Number(u64),
    /// A name, a version, a digest, a rendered configuration.
    Text(String),
}

impl Field {
    /// The field as an explanation shows it: long texts by their digest and first line.
    pub fn shown(&self) -> String {
        match self {
            Field::Flag(flag) => flag.to_string(),
            Field::Number(number) => number.to_string(),
            Field::Text(text) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
                text[..12].to_string()
            }
            Field::Text(text) => text.clone(),
        }
    }

    /// The field as an explanation shows it, with the version of the component whose digest it is, if it is one:
    /// `3.3.1 [ba9876543210]`.
    pub fn with_version(&self, versions: &BTreeMap<String, String>) -> String {
        match self {
            Field::Text(text) if versions.contains_key(text) => format!("{} [{}]", versions[text], self.shown()),
            _ => self.shown(),
        }
    }

    /// The field, whole.
    pub fn whole(&self) -> String {
        match self {
            Field::Flag(flag) => flag.to_string(),
            Field::Number(number) => number.to_string(),
            Field::Text(text) => text.clone(),
        }
    }

    fn value(&self) -> FieldRef<'_> {
        match self {
            Field::Flag(flag) => FieldRef::Flag(*flag),
            Field::Number(number) => FieldRef::Number(*number),
            Field::Text(text) => FieldRef::Text(text),
        }
    }
}

/// What derived code tries one after the other, with an error in words each time, is one question here.
impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Field, D::Error> {
        struct Any;
        impl Visitor<'_> for Any {
            type Value = Field;

            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a yes or no, a number or a text")
            }
            fn visit_bool<E>(self, flag: bool) -> Result<Field, E> {
                Ok(Field::Flag(flag))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Field, E> {
                Ok(Field::Number(number))
            }
            fn visit_str<E>(self, text: &str) -> Result<Field, E> {
                Ok(Field::Text(text.to_string()))
            }
            fn visit_string<E>(self, text: String) -> Result<Field, E> {
                Ok(Field::Text(text))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A [`Field`] whose text is somebody else's.
#[derive(Clone, Copy, Debug)]
pub enum FieldRef<'a> {
    /// A yes or no.
    Flag(bool),
    /// A number.
    Number(u64),
    /// A text.
    Text(&'a str),
}

impl FieldRef<'_> {
    /// The encoding of a field of that name. A section's is those of its fields, in order of name.
    pub fn encode(self, name: &str, out: &mut Vec<u8>) {
        push_bytes(out, name.as_bytes());
        match self {
            FieldRef::Flag(flag) => {
                out.push(1);
                push_bytes(out, &[u8::from(flag)]);
            }
            FieldRef::Number(number) => {
                out.push(2);
                push_bytes(out, &number.to_le_bytes());
            }
            FieldRef::Text(text) => {
                out.push(3);
                push_bytes(out, text.as_bytes());
            }
        }
    }
}

impl From<FieldRef<'_>> for Field {
    fn from(value: FieldRef) -> Field {
        match value {
            FieldRef::Flag(flag) => Field::Flag(flag),
            FieldRef::Number(number) => Field::Number(number),
            FieldRef::Text(text) => Field::Text(text.to_string()),
        }
    }
}

impl From<&str> for Field {
    fn from(text: &str) -> Field {
        Field::Text(text.to_string())
    }
}
impl From<String> for Field {
    fn from(text: String) -> Field {
        Field::Text(text)
    }
}
impl From<u64> for Field {
    fn from(number: u64) -> Field {
        Field::Number(number)
    }
}
impl From<bool> for Field {
    fn from(flag: bool) -> Field {
        Field::Flag(flag)
    }
}

fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// Inputs that belong together and change together: `kernel`, `generator`, `test`. The name is also the
/// name of the trigger that a change of it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Section(BTreeMap<String, Field>);

impl Section {
    /// A section without fields.
    pub fn new() -> Section {
        Section::default()
    }

    /// The section with one more field.
    pub fn with(mut self, name: &str, value: impl Into<Field>) -> Section {
        self.0.insert(name.to_string(), value.into());
        self
    }

    /// The section with one more field, if there is a value.
    pub fn with_some(self, name: &str, value: Option<impl Into<Field>>) -> Section {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The section's fields in order of name.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.0.iter().map(|(name, field)| (name.as_str(), field))
    }

    /// A field's value.
    pub fn get(&self, name: &str) -> Option<&Field> {
        self.0.get(name)
    }

    /// Every field that differs, in order of name; `name` is the section's.
    pub fn changes_to(&self, now: &Section, name: &str) -> Vec<Change> {
        let fields: BTreeSet<&String> = self.0.keys().chain(now.0.keys()).collect();
        let change = |field: &String| {
            let (was, is) = (self.0.get(field), now.0.get(field));
            (was != is).then(|| Change {
                section: name.to_string(),
                field: field.clone(),
                was: was.cloned(),
                is: is.cloned(),
            })
        };
        fields.into_iter().filter_map(change).collect()
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        for (name, field) in &self.0 {
            field.value().encode(name, &mut out);
        }
        out
    }
}

/// A section and its digest, shared between the manifests of many tests.
#[derive(Clone, Debug)]
pub struct Sealed {
    section: Arc<Section>,
    digest: [u8; 32],
}

impl Sealed {
    /// Seals a section.
    pub fn new(section: Section) -> Sealed {
        let digest = *blake3::hash(&section.encode()).as_bytes();
        Sealed { section: Arc::new(section), digest }
    }

    /// The section.
    pub fn section(&self) -> &Section {
        &self.section
    }

    /// BLAKE3 of its encoding.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    fn push(&self, name: &str, out: &mut Vec<u8>) {
        push_sealed(name, &self.digest, out);
    }
}

fn key_of_sections<'a>(format: u32, sections: impl Iterator<Item = (&'a str, [u8; 32])>) -> Key {
    let mut out = Vec::with_capacity(1024);
    out.extend_from_slice(b"septet manifest\0");
    out.extend_from_slice(&format.to_le_bytes());
    for (name, digest) in sections {
        push_sealed(name, &digest, &mut out);
    }
    Key(*blake3::hash(&out).as_bytes())
}

fn push_sealed(name: &str, digest: &[u8; 32], out: &mut Vec<u8>) {
    push_bytes(out, name.as_bytes());
    out.extend_from_slice(digest);
}

/// All that can change one measurement: sections that other tests have, too, and one of its own.
#[derive(Clone, Debug)]
pub struct Manifest {
    common: Arc<Common>,
    own: Sealed,
}

/// One [`Common`] among all that this program makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CommonId(u32);

impl CommonId {
    fn next() -> CommonId {
        static MADE: AtomicU32 = AtomicU32::new(0);
        CommonId(MADE.fetch_add(1, Ordering::Relaxed))
    }
}

/// What the manifests of many tests have in common: all sections but one, encoded and hashed up to where
/// that one comes, so that a test costs only what is its own.
#[derive(Debug)]
pub struct Common {
    id: CommonId,
    /// In order of name.
    sections: Vec<(Cow<'static, str>, Sealed)>,
    /// Name of the section that each test has of its own.
    own: &'static str,
    /// The state of the hash after the encoding up to the test's own section.
    hasher: blake3::Hasher,
    /// The encoding behind it.
    rest: Vec<u8>,
}

impl Common {
    /// A manifest of these sections, in any order; empty ones are left out. `own` names the section that
    /// is still to come.
    pub fn new<Name>(own: &'static str, sections: impl IntoIterator<Item = (Name, Sealed)>) -> Common
    where
        Name: Into<Cow<'static, str>>,
    {
        let mut sections: Vec<(Cow<'static, str>, Sealed)> = sections
            .into_iter()
            .filter(|(_, sealed)| !sealed.section.0.is_empty())
            .map(|(name, sealed)| (name.into(), sealed))
            .collect();
        sections.sort_by(|(a, _), (b, _)| a.cmp(b));
        let before = sections.partition_point(|(name, _)| **name < *own);
        let mut start = Vec::new();
        start.extend_from_slice(b"septet manifest\0");
        start.extend_from_slice(&MANIFEST_VERSION.to_le_bytes());
        let mut rest = Vec::new();
        for (place, (name, sealed)) in sections.iter().enumerate() {
            sealed.push(name, if place < before { &mut start } else { &mut rest });
        }
        let mut hasher = blake3::Hasher::new();
        hasher.update(&start);
        Common { id: CommonId::next(), sections, own, hasher, rest }
    }

    /// What tells it from others while this program runs; it says nothing of what is in it.
    pub fn id(&self) -> CommonId {
        self.id
    }

    /// The key of a test whose own section has this digest: what [`Manifest::key`] says, without a manifest. What is in the
    /// buffer is lost.
    pub fn key_with(&self, own: Option<&[u8; 32]>, buffer: &mut Vec<u8>) -> Key {
        buffer.clear();
        if let Some(digest) = own {
            push_sealed(self.own, digest, buffer);
        }
        buffer.extend_from_slice(&self.rest);
        let mut hasher = self.hasher.clone();
        hasher.update(buffer);
        buffer.clear();
        Key(*hasher.finalize().as_bytes())
    }

    /// A section, without fields if there is none of that name.
    pub fn section(&self, name: &str) -> Sealed {
        let found = self.sections.iter().find(|(other, _)| other == name);
        found.map_or_else(|| Sealed::new(Section::new()), |(_, sealed)| sealed.clone())
    }

    /// These sections with others in place of those of the same names.
    pub fn with(&self, sections: &BTreeMap<String, Sealed>) -> Common {
        let kept = self.sections.iter().filter(|(name, _)| !sections.contains_key(&**name)).cloned();
        let new = sections.iter().map(|(name, sealed)| (Cow::Owned(name.clone()), sealed.clone()));
        Common::new(self.own, kept.chain(new))
    }

    /// The sections that are others now, by name: what they were, what they are.
    pub fn differing(&self, now: &Common) -> BTreeMap<String, (Sealed, Sealed)> {
        let names: BTreeSet<&str> = self.sections.iter().chain(&now.sections).map(|(name, _)| &**name).collect();
        let pairs = names.into_iter().map(|name| (name.to_string(), (self.section(name), now.section(name))));
        pairs.filter(|(_, (was, is))| was.digest != is.digest).collect()
    }
}

impl Manifest {
    /// The manifest of a test with this section of its own; without fields it is left out.
    pub fn new(common: Arc<Common>, own: Sealed) -> Manifest {
        Manifest { common, own }
    }

    /// What it has in common with others.
    pub fn common(&self) -> &Arc<Common> {
        &self.common
    }

    /// The section that the test has of its own.
    pub fn own(&self) -> &Sealed {
        &self.own
    }

    /// The manifest of the same test among other things in common.
    pub fn among(&self, common: Arc<Common>) -> Manifest {
        Manifest { common, own: self.own.clone() }
    }

    /// BLAKE3 of the canonical encoding, which holds sections by their digests.
    pub fn key(&self) -> Key {
        self.keyed().key
    }

    /// The manifest as it is stored and compared.
    pub fn listing(&self) -> Listing {
        let Common { sections, own, .. } = &*self.common;
        let own = (Cow::Borrowed(*own), self.own.clone());
        let all = sections.iter().chain((!self.own.section.0.is_empty()).then_some(&own));
        Listing {
            format: MANIFEST_VERSION,
            sections: all.map(|(name, sealed)| (name.to_string(), sealed.section.as_ref().clone())).collect(),
        }
    }
}

/// A manifest as stored: `manifests/KEY.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    /// [`MANIFEST_VERSION`].
    pub format: u32,
    /// Sections by name.
    pub sections: BTreeMap<String, Section>,
}

impl Listing {
    /// The key that the listing's manifest has: what a stored manifest is checked by.
    pub fn key(&self) -> Key {
        let digested = |section: &Section| *blake3::hash(&section.encode()).as_bytes();
        key_of_sections(self.format, self.sections.iter().map(|(name, section)| (name.as_str(), digested(section))))
    }

    /// What the listed manifest has in common with others, if they differ in the section `own`; absent for a
    /// manifest of another version, whose keys are made otherwise.
    pub fn common(&self, own: &'static str) -> Option<Common> {
        let others = self.sections.iter().filter(|(name, _)| *name != own);
        let sealed = others.map(|(name, section)| (name.clone(), Sealed::new(section.clone())));
        (self.format == MANIFEST_VERSION).then(|| Common::new(own, sealed))
    }

    /// The manifest that is listed, of a test whose section of its own is called `own`; absent for one of another
    /// version.
    pub fn manifest(&self, own: &'static str) -> Option<Manifest> {
        let section = self.sections.get(own).cloned().unwrap_or_default();
        Some(Manifest::new(Arc::new(self.common(own)?), Sealed::new(section)))
    }

    /// Every input that differs, as `section.field`, what it was, what it is.
    pub fn changes_to(&self, now: &Listing) -> Vec<Change> {
        let empty = Section::new();
        let names: BTreeSet<&String> = self.sections.keys().chain(now.sections.keys()).collect();
        let changes = |name: &String| {
            let before = self.sections.get(name).unwrap_or(&empty);
            before.changes_to(now.sections.get(name).unwrap_or(&empty), name)
        };
        names.into_iter().flat_map(changes).collect()
    }
}

/// One input that differs between two manifests.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Section, and name of the trigger.
    pub section: String,
    /// Field of it.
    pub field: String,
    /// What it was; absent if it is new.
    pub was: Option<Field>,
    /// What it is; absent if it is gone.
    pub is: Option<Field>,
}

impl Change {
    /// The change in a line, with the versions of components, which are by digest, where they are known:
    /// `switch ovs 3.1.0 [0123456789ab] → 3.3.1 [ba9876543210]`.
    pub fn told(&self, versions: &BTreeMap<String, String>) -> String {
        let shown = |field: &Option<Field>| match field {
            Some(field) => {
                let text = field.shown();
                match text.lines().count() > 1 || text.chars().count() > 60 {
                    true => format!("[{}]", &blake3::hash(text.as_bytes()).to_hex()[..12]),
                    false => field.with_version(versions),
                }
            }
            None => "none".to_string(),
        };
        format!("{} {} {} → {}", self.section, self.field, shown(&self.was), shown(&self.is))
    }
}

/// The change in a line: `kernel release 6.1.0 → 6.1.1`.
impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.told(&BTreeMap::new()))
    }
}

mod keyed;
pub mod known;
#[cfg(test)]
mod tests;
