//! `record.json` as a JSON Schema (draft 7), for programs that read a store. Names come from the tables that the rest
//! goes by; what a host is made of is described where it is defined, and is open here. It must not read files.

use results::dictionary;
use results::flags::Flag;
use results::metric::Quantity;
use serde_json::{Map, Value, json};

use super::RECORD_VERSION;

/// The schema.
pub fn schema() -> Value {
    let required = [
        "format",
        "test",
        "tuple",
        "times",
        "interval_ns",
        "key",
        "status",
        "flags",
        "reduction",
        "reduction_version",
        "evidence",
        "cost",
        "started",
        "host",
        "achieved",
        "files",
    ];
    let mut schema = object("One repetition of a test", &required, properties());
    schema["$schema"] = "http://json-schema.org/draft-07/schema#".into();
    schema["title"] = "Septet record".into();
    schema["additionalProperties"] = false.into();
    schema
}

fn properties() -> Value {
    let digest = || json!({"type": "string", "pattern": "^[0-9a-f]{64}$"});
    json!({
        "format": {"type": "integer", "minimum": 1, "maximum": RECORD_VERSION, "description": "Version of the record"},
        "test": text("Name of the test"),
        "tuple": object("Its coordinates", &["dimension", "locality", "pairs", "vswitch", "packet", "rate", "burst"], json!({
            "packet": count("Size of a packet, bytes"),
            "burst": count("Packets handed to the port at once"),
            "pairs": count("Pairs of a sender and a receiver"),
        })),
        "times": object("The protocol's times, ns", &["duration_ns", "warmup_ns", "cooldown_ns"], json!({
            "duration_ns": count("The window that is averaged"),
            "warmup_ns": count("Traffic before it, in the samples too"),
            "cooldown_ns": count("Traffic behind it, in the samples too"),
            "chosen": {"type": "boolean", "description": "Whether the window's length was chosen"},
        })),
        "interval_ns": count("Length of an interval of the samples, ns"),
        "key": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Digest of all that could change it"},
        "status": object("Whether it counts", &["state"], json!({
            "state": {"enum": ["valid", "suspect", "failed"]},
            "reason": text("Of a failed one"),
            "last_lines": {"type": "array", "items": {"type": "string"}},
        })),
        "flags": flags(),
        "seen": {"type": "array", "description": "What the host did that raised some flags", "items":
            object("One of it", &["flag", "words"], json!({"flag": flag(), "words": text("What was seen and when")}))},
        "reduction": reduction(),
        "reduction_version": count("Version of what made it"),
        "evidence": evidence(),
        "cost": object("What it cost, ms of wall time", &["total_ms"], json!({})),
        "started": text("When it was started, UTC, RFC 3339"),
        "host": object("The host, as the agent found it", &["kernel", "cpu", "topology", "memory", "aside"], json!({
            "aside": object("Recorded, in no key", &["hostname"], json!({
                "hostname": text("Host name"),
                "boot_id": text("What the store calls the boot: a pseudonym"),
            })),
        })),
        "achieved": {"type": "object", "description": "What the host was prepared to, read back"},
        "peers": {"type": "array", "description": "The other hosts of a remote test", "items":
            object("A host", &["host", "achieved"], json!({
                "host": {"type": "object", "description": "As the agent there found it"},
                "achieved": {"type": "object", "description": "What it was prepared to, read back"},
            }))},
        "near": {"type": "array", "items": {"type": ["integer", "null"], "minimum": 0},
            "description": "NUMA node of each side's card at the cable, which its cores are near to"},
        "chosen": {"type": "object", "description": "How long windows were chosen to be, how many, and by what"},
        "windows": {"type": "array", "minItems": 2, "description": "The windows of its set-up, where there were several: the \
            reduction is of all, the evidence that of the first, and streams of the samples are called w000.send-0 and so on",
            "items": object("A window", &["reduction", "flags"], json!({
                "reduction": reduction(),
                "flags": flags(),
                "seen_within": {"type": "number", "description": "Variance of its mean times its length, by its own samples"},
                "evidence": evidence(),
            }))},
        "search": {"type": "object", "description": "The trials, where the rate was searched"},
        "stand": text("What the site calls the stand"),
        "origin": text("Where it came from, if it was not measured into its store"),
        "files": {"type": "object", "description": "The other files of its folder", "additionalProperties":
            object("A file", &["len", "blake3"], json!({"len": count("Bytes"), "blake3": digest()}))},
    })
}

fn reduction() -> Value {
    let names = |of: fn(Quantity) -> Value| -> Map<String, Value> {
        Quantity::ALL.into_iter().map(|quantity| (dictionary::quantity(quantity).name, of(quantity))).collect()
    };
    let value = |quantity: Quantity| {
        let column = dictionary::quantity(quantity);
        let unit = column.unit.map(|unit| format!(" In {unit}.")).unwrap_or_default();
        json!({"type": "number", "description": format!("{}{unit}", column.meaning)})
    };
    object(
        "The samples reduced over the window",
        &["values", "rtt_count", "flags"],
        json!({
            "values": {"type": "object", "properties": names(value), "additionalProperties": false},
            "within": {"type": "object", "description": "Ends of the 95 % interval of a percentile by this repetition alone"},
            "refused": {"type": "object", "description": "Percentiles that too few bursts allow, with their number"},
            "rtt_count": count("Round trips in the window"),
            "flags": flags(),
        }),
    )
}

fn evidence() -> Value {
    let party = object(
        "A generator",
        &["role", "totals", "clock"],
        json!({
            "role": {"enum": ["send", "receive", "client", "server"]},
            "totals": {"type": "object", "description": "Its own counts, packets"},
            "clock": {"description": "What it told time by"},
        }),
    );
    object(
        "What shows that it was measured",
        &["parties", "before", "after"],
        json!({
            "parties": {"type": "object", "additionalProperties": party},
            "before": {"type": "object", "description": "Counters of the host before the window"},
            "after": {"type": "object", "description": "The same after it"},
            "watched": {"type": "object", "description": "What was seen of the host meanwhile"},
        "load": {"type": "object", "description": "What others took of the measuring CPUs"},
            "mapped": {"type": "array", "description": "Executable files that ran"},
            "reported": text("What the switch said of its version"),
            "peers": {"type": "array", "description": "The same of the other hosts of a remote test", "items":
                object("A host", &["before", "after"], json!({}))},
            "clocks": {"type": "object", "description": "How the clocks of two hosts stood to each other, ns"},
        }),
    )
}

fn object(description: &str, required: &[&str], properties: Value) -> Value {
    json!({"type": "object", "description": description, "required": required, "properties": properties})
}

fn text(description: &str) -> Value {
    json!({"type": "string", "description": description})
}

fn count(description: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": description})
}

fn flag() -> Value {
    json!({"enum": Flag::ALL.iter().map(|flag| flag.name()).collect::<Vec<_>>()})
}

fn flags() -> Value {
    json!({"type": "array", "items": flag(), "description": "Doubts about it"})
}
