//! Pseudonyms of what identifies a machine: hashed with a salt that a store makes once and never gives away, so that
//! published records tell two boots apart and name none. It must not know what is published.

use super::{Store, StoreError};

/// Name of the file, in the store.
const SALT_FILE: &str = "salt";
const SALT_BYTES: usize = 32;
/// Digits of a pseudonym: enough to tell the boots of a store apart.
const DIGITS: usize = 16;

impl Store {
    /// What stands for an identity in records of this store; empty for one that is not known.
    pub(super) fn pseudonym(&self, identity: &str) -> Result<String, StoreError> {
        if identity.is_empty() {
            return Ok(String::new());
        }
        let digest = blake3::keyed_hash(&self.salt()?, identity.as_bytes());
        Ok(digest.to_hex()[..DIGITS].to_string())
    }

    /// The salt, made if there is none. Two that are made at once are two pseudonyms of one boot: no harm.
    fn salt(&self) -> Result<[u8; SALT_BYTES], StoreError> {
        let name = self.name([SALT_FILE])?;
        if let Some(bytes) = self.read(&name, SALT_BYTES as u64)? {
            return <[u8; SALT_BYTES]>::try_from(bytes).map_err(|_| {
                StoreError::damaged(&self.path_of(&name), "it is no salt; remove it, and another is made")
            });
        }
        let mut salt = [0; SALT_BYTES];
        getrandom::fill(&mut salt)
            .map_err(|error| StoreError::io("make", &self.path_of(&name))(std::io::Error::other(error.to_string())))?;
        self.put(&name, &salt)?;
        Ok(salt)
    }
}

/// Whether a record names a boot itself, as those of older versions do: the kernel's identity has dashes.
pub(crate) fn names_a_boot(boot_id: &str) -> bool {
    boot_id.contains('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_has_one_pseudonym_for_a_boot_and_another_store_another() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = |name: &str| Store::open(&folder.path().join(name)).expect("a store");
        let boot = "0a1b2c3d-4444-5555-6666-777788889999";
        let first = store("a").pseudonym(boot).expect("it can be made");
        assert_eq!(store("a").pseudonym(boot).expect("it can be made"), first);
        assert_ne!(store("b").pseudonym(boot).expect("it can be made"), first);
        assert_ne!(store("a").pseudonym("another").expect("it can be made"), first);
        assert!(first.len() == DIGITS && !names_a_boot(&first) && names_a_boot(boot));
        assert_eq!(store("a").pseudonym("").expect("nothing to be made"), "");
    }
}
