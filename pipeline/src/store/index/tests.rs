//! Tests of the index: lookups against a plain search, and the encoding of entries.

use super::*;
use proptest::prelude::*;

fn entry(key: u8, id: u16, test: u8, stored_ms: u64) -> Entry {
    let mut result = [7u8; 32];
    result[..2].copy_from_slice(&id.to_le_bytes());
    Entry {
        key: Key([key; 32]),
        id: ResultId(result),
        test: TestId([test; 16]),
        standing: Standing::Valid,
        cost_ms: 1,
        stored_ms,
        value: 0.5,
    }
}

proptest! {
    #[test]
    fn lookups_agree_with_a_plain_search(rows in prop::collection::vec(0u16..400, 0..60), grown in 0usize..60) {
        // A result's content, and so its id, decides everything else of its entry.
        let of = |id: u16| entry((id % 5) as u8 * 51, id, (id % 4) as u8, u64::from(id / 40));
        let entries: Vec<Entry> = rows.into_iter().map(of).collect();
        let cut = grown.min(entries.len());
        let mut index = Index::from_entries(entries[..cut].to_vec());
        entries[cut..].iter().for_each(|entry| index.insert(*entry));
        let at_once = Index::from_entries(entries.clone());
        prop_assert_eq!(index.entries(), at_once.entries());
        for key in (0..=255).step_by(17) {
            let mut expected: Vec<_> =
                entries.iter().filter(|entry| entry.key == Key([key; 32])).map(|entry| entry.id).collect();
            expected.sort();
            expected.dedup();
            let mut found: Vec<_> = index.of_key(&Key([key; 32])).iter().map(|entry| entry.id).collect();
            found.sort();
            found.dedup();
            prop_assert_eq!(found, expected);
        }
        for test in 0..5 {
            let latest = entries.iter().filter(|entry| entry.test == TestId([test; 16])).map(|e| e.stored_ms).max();
            prop_assert_eq!(index.newest_of(TestId([test; 16])).map(|entry| entry.stored_ms), latest);
        }
    }

    #[test]
    fn entries_survive_their_encoding_and_damage_is_seen(key: u8, id: u16, at: u64, place in 0usize..ENTRY_BYTES, bit in 0u8..8) {
        let entry = entry(key, id, 3, at);
        let mut bytes = entry.encode();
        prop_assert_eq!(Entry::decode(&bytes, true), Some(entry));
        bytes[place] ^= 1 << bit;
        prop_assert_eq!(Entry::decode(&bytes, true), None);
    }
}
