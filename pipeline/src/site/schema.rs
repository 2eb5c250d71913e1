//! The site file as a JSON Schema, as [`crate::experiment::schema`] is for experiments. It must not read files.

use host_setup::switch::custom;
use host_setup::{application, stack};
use serde_json::{Value, json};

use super::slurm::{CLUSTER_KEYS, NODES, WORD};
use super::testbed::{CABLE_KEYS, CLASS_KEYS, CORES, HOST_KEYS, INTERFACE, PCI, SSH_NAME, STAND_KEYS, UPLINKS};
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
        "hosts" => every(one_host(), "Hosts, by what the site calls them"),
        "cables" => json!({"type": "array", "items": table(&CABLE_KEYS, &["ends"], "A cable between two hosts", |key| {
            if key == "feature" {
                return word("The feature by which Slurm knows the pair of its hosts");
            }
            let end = format!("^[A-Za-z0-9_][A-Za-z0-9._-]*:({PCI}|{INTERFACE})$");
            json!({
                "type": "array",
                "items": {"type": "string", "pattern": end, "description": "HOST:INTERFACE or HOST:PCI-ADDRESS"},
                "minItems": 2,
                "maxItems": 2,
            })
        })}),
        "stands" => every(
            table(
                &STAND_KEYS,
                &STAND_KEYS,
                "What one measurement needs for itself",
                |_| json!({"type": "array", "items": name("A host"), "minItems": 1, "maxItems": 2}),
            ),
            "Stands, where they are not simply all hosts and cables",
        ),
        "classes" => every(
            table(&CLASS_KEYS, &[], "Hosts that are held to be alike", |_| {
                let what = "What may differ between them, as `SECTION FIELD` of septet explain";
                json!({"type": "array", "items": {"type": "string"}, "description": what})
            }),
            "Classes of hosts",
        ),
        "slurm" => {
            table(&CLUSTER_KEYS, &[], "Hosts are nodes of a Slurm cluster, which septet run --slurm uses", |key| {
                match key {
                    "nodes" => json!({"type": "string", "pattern": NODES, "description": "More hosts: n[1-100]"}),
                    "partition" => word("Where jobs are submitted"),
                    "account" => word("To whose account they are"),
                    "qos" => word("Their quality of service"),
                    _ => word("A feature of the nodes that tests on one host are measured on"),
                }
            })
        }
        "switches" => json!({
            "type": "object",
            "description": "Switches of the site's own: custom:NAME in experiments",
            "propertyNames": {"pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]{0,47}$"},
            "additionalProperties": one_switch(),
        }),
        "applications" => json!({
            "type": "object",
            "description": "Programs of the site's own in place of the generators: stack = \"application:NAME\"",
            "propertyNames": {"pattern": "^[a-z0-9_][a-z0-9._-]{0,47}$"},
            "additionalProperties": one_application(),
        }),
        _ => json!({}),
    });
    schema["$schema"] = DIALECT.into();
    schema["title"] = "Septet site".into();
    schema
}

/// An application of the site file.
fn one_application() -> Value {
    let required = ["sender", "receiver", "reads"];
    table(&application::KEYS, &required, "A pair of programs; docs/extending.md says what each key is", |key| match key
    {
        "reads" => json!({"enum": ["lines", "iperf3"], "description": "How they say what they counted"}),
        "ready" => json!({"type": "string", "description": "What the receiver says when it receives"}),
        _ => json!({"type": "array", "items": {"type": "string"}}),
    })
}

/// A switch of the site file.
fn one_switch() -> Value {
    let text = || json!({"type": "string"});
    let texts = || json!({"type": "array", "items": {"type": "string"}});
    let template = || {
        let piece = json!({"anyOf": [text(), texts()]});
        json!({"anyOf": [text(), {"type": "array", "items": piece}]})
    };
    let required = ["program", "sockets", "forwards", "start", "ready"];
    table(&custom::KEYS, &required, "A switch by configuration; docs/extending.md says what each key is", |key| {
        match key {
            "program" => json!({"type": "string", "pattern": "^\\/", "description": "The program that forwards"}),
            "sockets" => json!({"enum": ["application", "switch"], "description": "Who makes a port's socket"}),
            "forwards" => json!({"enum": ["learning", "pairs"], "description": "How it finds the port for a packet"}),
            "cores" | "queues" => json!({"enum": [1, "many"]}),
            "stop" => json!({"enum": ["kill", "term", "int"]}),
            "ports_even" => json!({"type": "boolean"}),
            "memory" => json!({"type": "array", "items": {"enum": ["no-huge", "hugepages-2m"]}}),
            "ports_max" | "memory_mib" | "memory_mib_port" | "ready_within_s" => {
                json!({"type": "integer", "minimum": 0})
            }
            "counters" => json!({"anyOf": [{"const": "dpdk-telemetry"}, template()]}),
            "start" | "configuration" | "ready" | "attach" | "version" => template(),
            "files" | "drivers" | "packages" | "refused" => texts(),
            _ => text(),
        }
    })
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

fn word(description: &str) -> Value {
    json!({"type": "string", "pattern": WORD, "description": description})
}

fn name(description: &str) -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]*$", "description": description})
}

/// A table of tables with free names.
fn every(one: Value, description: &str) -> Value {
    json!({
        "type": "object",
        "description": description,
        "propertyNames": name("Its name"),
        "additionalProperties": one,
    })
}

fn one_host() -> Value {
    table(&HOST_KEYS, &[], "A host", |key| match key {
        "ssh" => json!({"type": "string", "pattern": SSH_NAME, "description": "What ssh calls it, if not its name"}),
        "uplink" => {
            json!({"enum": UPLINKS.map(|by| by.name()), "description": "By what DPDK gets at its end of a cable"})
        }
        "here" => json!({"type": "boolean", "description": "It is this machine"}),
        "sudo" => {
            let what = "The agent that sudo lets you start there as root; in your own site file only";
            json!({"type": "string", "pattern": "^\\/[A-Za-z0-9\\/._+-]*$", "description": what})
        }
        "class" => json!({"type": "string", "pattern": ID, "description": "Hosts of one class are held to be alike"}),
        "cores" => json!({"type": "string", "pattern": CORES, "description": "The CPUs that may be used"}),
        _ => json!({}),
    })
}
