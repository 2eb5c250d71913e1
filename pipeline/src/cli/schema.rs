//! `septet schema`.

use super::{SchemaOf, say_json};
use crate::exit::{Exit, Trouble};
use crate::experiment::schema;
use crate::site;
use crate::store::record_schema;

/// Prints a schema.
pub(super) fn schema(of: SchemaOf) -> Result<Exit, Trouble> {
    say_json(&match of {
        SchemaOf::Experiment => schema::experiment(),
        SchemaOf::Site => site::schema(),
        SchemaOf::Summary => reports::json::schema::document(),
        SchemaOf::Record => record_schema::schema(),
        SchemaOf::Samples => reports::package::schema(&results::dictionary::samples()),
    })
}
