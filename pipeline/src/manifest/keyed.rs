//! A key beside what it was made of, without the fields of the test's own section: of a hundred thousand tests that is all
//! a plan needs, and sections are maps. It must not know how either is encoded.

use std::sync::Arc;

use super::{Common, Manifest, Sealed};
use crate::key::Key;

/// BLAKE3 of a test's own section; none for a section without fields, which no key has.
pub type OwnDigest = Option<[u8; 32]>;

/// What a [`Manifest`] says of its test, but for the fields of the test's own section.
#[derive(Clone, Copy, Debug)]
pub struct Keyed<'c> {
    /// The test's key.
    pub key: Key,
    /// What it has in common with others.
    pub common: &'c Arc<Common>,
    /// What is its own.
    pub own: OwnDigest,
}

impl Sealed {
    /// What keys have of it where it is a test's own section.
    pub fn as_own(&self) -> OwnDigest {
        (!self.section.0.is_empty()).then_some(self.digest)
    }
}

impl Manifest {
    /// The same, for who needs no more.
    pub fn keyed(&self) -> Keyed<'_> {
        let own = self.own.as_own();
        Keyed { key: self.common.key_with(own.as_ref(), &mut Vec::new()), common: &self.common, own }
    }
}
