//! What `dpctl/show -s` of Open vSwitch says of its ports, as text. It must not know how it is asked.

use crate::protocol::PortCounters;

/// What `dpctl/show -s` says of ports, each with what is at its end; which one it says nothing of.
pub(super) fn counters<'c>(
    text: &str,
    ports: impl Iterator<Item = (String, &'c str)>,
) -> Result<Vec<PortCounters>, String> {
    // After a port without counts it begins no new line.
    let text = text.replace("  port ", "\n  port ");
    let of = |(port, container): (String, &str)| {
        let header = format!(": {port} ");
        let mut lines = text.lines().skip_while(|line| !line.contains(&header));
        lines.next().ok_or_else(|| format!("it lists no port {port}"))?;
        let section: Vec<&str> = lines.take_while(|line| !line.trim_start().starts_with("port ")).collect();
        let count = |direction: &str, name: &str| {
            let line = section.iter().find(|line| line.trim_start().starts_with(direction) && line.contains(name));
            let rest = line.and_then(|line| line.split_once(name)).map(|(_, rest)| rest);
            let digits = |rest: &str| rest.chars().take_while(char::is_ascii_digit).collect::<String>();
            // What a driver does not count is a question mark.
            rest.map(|rest| digits(rest).parse().unwrap_or(0)).ok_or_else(|| {
                let said = section.concat();
                format!("port {port} of container {container} tells no counts: {}", said.trim_matches([',', ' ']))
            })
        };
        Ok(PortCounters {
            container: container.to_owned(),
            received: count("RX", "packets:")?,
            sent: count("TX", "packets:")?,
            received_dropped: count("RX", "dropped:")?,
            sent_dropped: count("TX", "dropped:")?,
        })
    };
    ports.map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_are_read_by_port() {
        let text = "netdev@ovs-netdev:\n  lookups: hit:5 missed:2 lost:0\n  flows: 0\n  port 0: ovs-netdev (tap)\n    \
                    RX packets:0 errors:0 dropped:0 overruns:0 frame:0\n  port 2: p0 (dpdkvhostuserclient: \
                    configured_rx_queues=1)\n    RX packets:7 errors:0 dropped:1 overruns:0 frame:0\n    TX packets:9 \
                    errors:0 dropped:3 aborted:0 carrier:0\n    collisions:0\n    RX bytes:5 TX bytes:6\n";
        let ports = [("p0".to_owned(), "send-0"), ("p1".to_owned(), "receive-0")];
        let port =
            PortCounters { container: "send-0".into(), received: 7, sent: 9, received_dropped: 1, sent_dropped: 3 };
        assert_eq!(counters(text, ports.clone().into_iter().take(1)), Ok(vec![port]));
        assert_eq!(counters(text, ports.into_iter()), Err("it lists no port p1".into()));
    }

    #[test]
    fn a_port_without_counts_has_not_those_of_the_next() {
        let text = "  port 2: p0 (dpdkvhostuserclient: mtu=0)\n, could not retrieve stats (Protocol error)  port 3: \
                    uplink (dpdk: mtu=1500)\n    RX packets:9 errors:0 dropped:0 overruns:? frame:?\n    TX packets:2 \
                    errors:0 dropped:? aborted:? carrier:?\n";
        let told = |port: &str| counters(text, [(port.to_owned(), "receive-0")].into_iter());
        let silent = "port p0 of container receive-0 tells no counts: could not retrieve stats (Protocol error)";
        assert_eq!(told("p0"), Err(silent.into()));
        assert!(
            told("uplink").is_ok_and(|ports| (ports[0].received, ports[0].sent, ports[0].sent_dropped) == (9, 2, 0))
        );
    }
}
