//! The lines that `septet` and `septet-remote` exchange: one JSON object a line, answers in any order.
//! `septet` compiles this very file as a module of its own. It must not know what the objects are.

use serde::{Deserialize, Serialize};

/// Version of the lines; the first answer of all carries it.
pub const PROTOCOL: u32 = 3;

/// The first line of all: which store. On standard input, since what is secret in an address would be everybody's on
/// a command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The address, in full.
    pub address: String,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Which answer belongs to it.
    pub id: u64,
    /// What is to be done.
    pub op: Op,
}

/// What is to be done. Names are below the root of the store, with `/` between parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Op {
    /// Names of all objects below a name.
    List {
        /// The name, without a slash at its end.
        below: String,
    },
    /// Whether there is an object.
    Has {
        /// The object.
        name: String,
    },
    /// Copies an object to a file, which must not exist.
    Get {
        /// The object.
        name: String,
        /// The file.
        to: String,
        /// Most bytes that are taken.
        bytes_max: u64,
    },
    /// Copies a file to an object, whole or not at all.
    Put {
        /// The object.
        name: String,
        /// The file.
        from: String,
    },
    /// Deletes an object, which may be gone already.
    Delete {
        /// The object.
        name: String,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The number of the request; 0 for the first line, which says that the store was understood.
    pub id: u64,
    /// The answer.
    pub is: Outcome,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The program is ready and speaks this version.
    Ready(u32),
    /// Some of the names asked for; more follow.
    Some(Vec<String>),
    /// The last of the names asked for.
    Names(Vec<String>),
    /// There is such an object.
    There,
    /// The object was copied; so many bytes.
    Copied(u64),
    /// The object is longer than it said, or than was to be taken; nothing of it is left.
    Longer(u64),
    /// There is no such object.
    Absent,
    /// The object was deleted, or was not there.
    Deleted,
    /// The request failed; completes "failed to ...".
    Failed(String),
}
