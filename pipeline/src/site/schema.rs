//! The site file as a JSON Schema, as [`crate::experiment::schema`] is for experiments. It must not read files.

use host_setup::stack;
use serde_json::{Value, json};

use super::{AGENT_KEYS, KEYS, STORE_KEYS};
use crate::experiment::schema::{DIALECT, ID, table};
use crate::remote::address::SCHEMES;

/// The schema.
pub fn schema() -> Value {
    let mut schema = table(&KEYS, &[], "What a site says for all of its experiments", |key| match key {
        "agent" => table(&AGENT_KEYS, &[], "How the agent is started; in your own site file only", |_| {
            let what = "The program that sudo lets you start as root, as its rule names it";
            json!({"type": "string", "pattern": "^\\/", "description": what})
        }),
        "store" => table(&STORE_KEYS, &[], "Where results are kept", |_| {
            let known = SCHEMES.map(|scheme| scheme.replace('/', "\\/")).join("|");
            json!({"type": "string", "pattern": format!("^({known})"), "description": "A shared store"})
        }),
        "stacks" => json!({
            "type": "object",
            "description": "Named choices of where components come from",
            "propertyNames": {"pattern": ID, "not": {"const": stack::SYSTEM}},
            "additionalProperties": one_stack(),
        }),
        _ => json!({}),
    });
    schema["$schema"] = DIALECT.into();
    schema["title"] = "Septet site".into();
    schema
}

/// A stack of the site file.
fn one_stack() -> Value {
    let keys: Vec<&str> = [stack::FROM].into_iter().chain(stack::components().iter().copied()).collect();
    table(&keys, &[], "Where components come from; what is not there comes from the system", |key| {
        let what = if key == stack::FROM { "all that are not named" } else { key };
        let place = format!("^({}|\\/[^:]*)$", stack::SYSTEM);
        json!({"type": "string", "pattern": place, "description": format!("A folder, a Nix profile, for {what}")})
    })
}
