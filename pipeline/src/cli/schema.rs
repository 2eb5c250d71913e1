//! `septet schema`.

use super::{SchemaOf, say_json};
use crate::exit::{Exit, Trouble};
use crate::experiment::schema;

/// Prints a schema.
pub(super) fn schema(of: SchemaOf) -> Result<Exit, Trouble> {
    say_json(&match of {
        SchemaOf::Experiment => schema::experiment(),
        SchemaOf::Site => schema::site(),
    })
}
