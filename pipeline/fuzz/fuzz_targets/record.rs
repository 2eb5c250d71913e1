//! Any bytes as a record: no crash, in what the index and a generation make of it either.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pipeline::key::ResultId;
use pipeline::store::{GenerationTest, Record};
use pipeline::stood::Identity;

fuzz_target!(|bytes: &[u8]| {
    let id = ResultId([7; 32]);
    assert!(Record::of(&id, bytes).is_err(), "nothing has the digest of its name by chance");
    let Ok(record) = Record::parse(bytes) else { return };
    let entry = record.entry(id);
    assert_eq!((entry.id, entry.key), (id, record.key));
    let name = record.test.clone();
    let test = GenerationTest { name, key: Some(record.key), skipped: None, repetitions: vec![id], leans: Vec::new() };
    let identity = Identity::of(&record);
    let _ = identity.stands_under(&id, &test);
    let of_another = GenerationTest { name: "another".to_string(), ..test };
    assert!(record.test == "another" || identity.stands_under(&id, &of_another).is_err());
});
