//! Digests that name things: a key names all that can change a measurement, a result id names one
//! repetition's content, a statement id what somebody said of a change. It must not know what is hashed into them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The text is no digest of 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not 64 hexadecimal digits")]
pub struct NotADigest(pub String);

macro_rules! digest {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// The first 12 hexadecimal digits, for people.
            pub fn short(&self) -> String {
                self.to_string()[..12].to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(blake3::Hash::from_bytes(self.0).to_hex().as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.short())
            }
        }

        impl FromStr for $name {
            type Err = NotADigest;
            fn from_str(text: &str) -> Result<$name, NotADigest> {
                blake3::Hash::from_hex(text).map(|hash| $name(*hash.as_bytes())).map_err(|_| NotADigest(text.to_string()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = NotADigest;
            fn try_from(text: String) -> Result<$name, NotADigest> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> String {
                digest.to_string()
            }
        }
    };
}

digest! {
    /// BLAKE3 of a manifest.
    Key
}
digest! {
    /// BLAKE3 of a repetition's `record.json`, which names the digests of its other files.
    ResultId
}
digest! {
    /// BLAKE3 of what one job of a cluster measures.
    ShardId
}
digest! {
    /// BLAKE3 of shards that were submitted together.
    BatchId
}
digest! {
    /// BLAKE3 of a statement about a change: that it is harmless, or that this was taken back.
    StatementId
}
