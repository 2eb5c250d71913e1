//! A configuration as a text with holes, for a switch that is data alone. It must not know any switch.

use serde::{Deserialize, Serialize};

use super::Shape;

/// The text. `{ports}`, `{cores}`, `{queues}`, `{memory}` and `{memory_mib}` stand for what is asked; everything else
/// stands for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// What comes first.
    pub text: String,
    /// What comes after it for each port, of which `{port}` is the number.
    #[serde(default)]
    pub port: String,
}

impl Template {
    /// The configuration of a shape with so much memory.
    pub(super) fn render(&self, shape: &Shape, memory_mib: u32) -> String {
        let Shape { ports, cores, queues, memory, .. } = shape;
        let fill = |text: &str| {
            text.replace("{ports}", &ports.to_string())
                .replace("{cores}", &cores.to_string())
                .replace("{queues}", &queues.to_string())
                .replace("{memory}", memory.map_or("none", |memory| memory.name()))
                .replace("{memory_mib}", &memory_mib.to_string())
        };
        let each = fill(&self.port);
        let ports = (0..*ports).map(|port| each.replace("{port}", &port.to_string()));
        std::iter::once(fill(&self.text)).chain(ports).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_are_filled_and_the_last_part_is_there_for_each_port() {
        let template =
            Template { text: "{ports} on {cores}, {memory} {x}\n".into(), port: "port {port} of {ports}\n".into() };
        let shape = Shape { ports: 2, cores: 1, queues: 1, memory: None, uplink: None };
        assert_eq!(template.render(&shape, 0), "2 on 1, none {x}\nport 0 of 2\nport 1 of 2\n");
    }
}
