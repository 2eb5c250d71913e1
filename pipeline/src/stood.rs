//! What a generation says of a result, held against the record of that result, whenever it is used. Pure, but for
//! reading that record. It must not know who uses it.

use results::tuple::Tuple;

use crate::conditions::test_section;
use crate::experiment::select;
use crate::key::{Key, ResultId};
use crate::store::{GenerationTest, Record, Status, Store, StoreError};

/// What of a record says which test it is of.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// The key.
    pub key: Key,
    /// The test's name.
    pub test: String,
    /// The test's coordinates.
    pub tuple: Tuple,
    /// Whether nothing was measured.
    pub failed: bool,
}

impl Identity {
    /// The identity of a record.
    pub fn of(record: &Record) -> Identity {
        Identity {
            key: record.key,
            test: record.test.clone(),
            tuple: record.tuple.clone(),
            failed: matches!(record.status, Status::Failed { .. }),
        }
    }

    /// Whether the result is one that the generation may list under that test: measured, of that test, and of a key
    /// that the test has or leans on.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn stands_under(&self, id: &ResultId, test: &GenerationTest) -> Result<(), String> {
        let (short, name) = (id.short(), &test.name);
        // Tests of one key are one measurement under several names, as of stacks that have nothing of it.
        let is_of = |named: Tuple| test_section(&named) == test_section(&self.tuple);
        let is_named = self.test == *name || select::name(name).is_ok_and(is_of);
        if self.tuple.to_string() != self.test || !is_named {
            return Err(format!("result {short} is of {}, and is listed under {name}", self.test));
        }
        if !test.keys().any(|key| key == self.key) {
            let theirs = self.key.short();
            return Err(format!("result {short} of {name} has the key {theirs}, and is listed under another"));
        }
        match self.failed {
            true => Err(format!("result {short} of {name} is a failure, and is listed as measured")),
            false => Ok(()),
        }
    }
}

/// The record of a result that a generation lists under a test, if it is one of that test.
///
/// # Errors
/// Where it cannot be read, or the generation says something else than it.
pub fn record(store: &Store, test: &GenerationTest, id: &ResultId) -> Result<Record, StoreError> {
    let record = store.record(id)?;
    match Identity::of(&record).stands_under(id, test) {
        Ok(()) => Ok(record),
        Err(reason) => Err(StoreError::damaged(&store.root().join("generations"), reason)),
    }
}
