//! `septet schema`.

use super::{SchemaOf, say_json};
use crate::exit::{Exit, Trouble};
use crate::experiment::schema;
use crate::site;

/// Prints a schema.
pub(super) fn schema(of: SchemaOf) -> Result<Exit, Trouble> {
    say_json(&match of {
        SchemaOf::Experiment => schema::experiment(),
        SchemaOf::Site => site::schema(),
    })
}
