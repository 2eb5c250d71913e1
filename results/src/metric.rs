//! The quantities that a figure, table or claim may name, with their units. It must not know how they are
//! computed (`reduce` does) or drawn.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A quantity of a test, in base units: packets/s, bits/s, ratio, nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// Received packets per second, all receivers of the test together.
    RxPps,
    /// Sent packets per second, all senders together.
    TxPps,
    /// Offered packets per second, all senders together: what the tuple asks for.
    OfferedPps,
    /// Received bits per second, P x 8 x pps.
    RxBps,
    /// Received bits per second on the wire: (P + 24) x 8 x pps, with FCS, preamble and gap.
    RxBpsL1,
    /// 1 - received / intended: rejected packets and missed deadlines count as lost.
    LossRatio,
    /// Lost on the way: 1 - received / sent.
    PathLossRatio,
    /// Rejected by the sender's port, of the intended.
    RejectedRatio,
    /// Missed deadlines, of the intended.
    MissedRatio,
    /// Mean round-trip time.
    RttMean,
    /// Smallest round-trip time.
    RttMin,
    /// Largest round-trip time.
    RttMax,
    /// 50th percentile of the round-trip time.
    RttP50,
    /// 90th percentile.
    RttP90,
    /// 99th percentile.
    RttP99,
    /// 99.9th percentile.
    RttP999,
    /// 99.99th percentile.
    RttP9999,
}

/// A quantity in a unit, as experiments name it: `rx_mpps`, `rtt_us_p99`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Metric {
    /// What.
    pub quantity: Quantity,
    /// In what.
    pub unit: Unit,
}

/// A unit, and how many base units it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// Packets per second.
    Pps,
    /// Thousand packets per second.
    Kpps,
    /// Million packets per second.
    Mpps,
    /// Million bits per second.
    Mbps,
    /// Thousand million bits per second.
    Gbps,
    /// A part of 1.
    Ratio,
    /// Nanoseconds.
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
}

impl Unit {
    /// Base units (packets/s, bits/s, 1, ns) in one of it.
    pub fn scale(self) -> f64 {
        match self {
            Unit::Pps | Unit::Ratio | Unit::Ns => 1.0,
            Unit::Kpps | Unit::Us => 1e3,
            Unit::Mpps | Unit::Mbps | Unit::Ms => 1e6,
            Unit::Gbps => 1e9,
        }
    }

    /// The symbol behind a number; empty for a ratio.
    pub fn symbol(self) -> &'static str {
        match self {
            Unit::Pps => "pps",
            Unit::Kpps => "kpps",
            Unit::Mpps => "Mpps",
            Unit::Mbps => "Mbps",
            Unit::Gbps => "Gbps",
            Unit::Ratio => "",
            Unit::Ns => "ns",
            Unit::Us => "µs",
            Unit::Ms => "ms",
        }
    }
}

impl Quantity {
    /// Every quantity.
    pub const ALL: [Quantity; 17] = [
        Quantity::RxPps,
        Quantity::TxPps,
        Quantity::OfferedPps,
        Quantity::RxBps,
        Quantity::RxBpsL1,
        Quantity::LossRatio,
        Quantity::PathLossRatio,
        Quantity::RejectedRatio,
        Quantity::MissedRatio,
        Quantity::RttMean,
        Quantity::RttMin,
        Quantity::RttMax,
        Quantity::RttP50,
        Quantity::RttP90,
        Quantity::RttP99,
        Quantity::RttP999,
        Quantity::RttP9999,
    ];

    /// `(prefix, suffix)` of its metrics' names, the unit stands between; ratios have no unit in the name.
    fn affixes(self) -> (&'static str, &'static str) {
        match self {
            Quantity::RxPps | Quantity::RxBps => ("rx_", ""),
            Quantity::RxBpsL1 => ("rx_", "_l1"),
            Quantity::TxPps => ("tx_", ""),
            Quantity::OfferedPps => ("offered_", ""),
            Quantity::LossRatio => ("loss_ratio", ""),
            Quantity::PathLossRatio => ("path_loss_ratio", ""),
            Quantity::RejectedRatio => ("rejected_ratio", ""),
            Quantity::MissedRatio => ("missed_ratio", ""),
            Quantity::RttMean => ("rtt_", "_mean"),
            Quantity::RttMin => ("rtt_", "_min"),
            Quantity::RttMax => ("rtt_", "_max"),
            Quantity::RttP50 => ("rtt_", "_p50"),
            Quantity::RttP90 => ("rtt_", "_p90"),
            Quantity::RttP99 => ("rtt_", "_p99"),
            Quantity::RttP999 => ("rtt_", "_p999"),
            Quantity::RttP9999 => ("rtt_", "_p9999"),
        }
    }

    /// Units it may be shown in, the base unit first (bits have none that is shown).
    pub fn units(self) -> &'static [Unit] {
        match self {
            Quantity::RxPps | Quantity::TxPps | Quantity::OfferedPps => &[Unit::Pps, Unit::Kpps, Unit::Mpps],
            Quantity::RxBps | Quantity::RxBpsL1 => &[Unit::Mbps, Unit::Gbps],
            Quantity::LossRatio | Quantity::PathLossRatio | Quantity::RejectedRatio | Quantity::MissedRatio => {
                &[Unit::Ratio]
            }
            _ => &[Unit::Ns, Unit::Us, Unit::Ms],
        }
    }

    /// The unit that records and summaries have it in; none for a ratio.
    pub fn base_unit(self) -> Option<&'static str> {
        match self.units()[0] {
            Unit::Pps => Some("packets/s"),
            Unit::Mbps => Some("bits/s"),
            Unit::Ns => Some("ns"),
            _ => None,
        }
    }

    /// What it is, for people who know nothing of septet, without a full stop.
    pub fn meaning(self) -> &'static str {
        match self {
            Quantity::RxPps => "Packets received a second, all receivers together",
            Quantity::TxPps => "Packets sent a second, all senders together",
            Quantity::OfferedPps => "Packets offered a second, all senders together: what the test asks for",
            Quantity::RxBps => "Bits received a second: frames without FCS, all receivers together",
            Quantity::RxBpsL1 => "Bits received a second on the wire: with FCS, preamble and gap",
            Quantity::LossRatio => "1 - received / intended: rejected packets and missed deadlines count as lost",
            Quantity::PathLossRatio => "Lost on the way: 1 - received / sent",
            Quantity::RejectedRatio => "Packets that the sender's port refused, of the intended",
            Quantity::MissedRatio => "Packets whose time had passed before they were attempted, of the intended",
            Quantity::RttMean => "Mean round-trip time",
            Quantity::RttMin => "Smallest round-trip time",
            Quantity::RttMax => "Largest round-trip time",
            Quantity::RttP50 => "Median of the round-trip time",
            Quantity::RttP90 => "90th percentile of the round-trip time",
            Quantity::RttP99 => "99th percentile of the round-trip time",
            Quantity::RttP999 => "99.9th percentile of the round-trip time",
            Quantity::RttP9999 => "99.99th percentile of the round-trip time",
        }
    }

    /// Whether only latency tests have it.
    pub fn is_latency(self) -> bool {
        self.units()[0] == Unit::Ns
    }

    /// What an axis is labelled with, without the unit.
    pub fn label(self) -> &'static str {
        match self {
            Quantity::RxPps => "Received rate",
            Quantity::TxPps => "Sent rate",
            Quantity::OfferedPps => "Offered rate",
            Quantity::RxBps => "Received rate",
            Quantity::RxBpsL1 => "Received rate, layer 1",
            Quantity::LossRatio => "Loss ratio",
            Quantity::PathLossRatio => "Path loss ratio",
            Quantity::RejectedRatio => "Rejected ratio",
            Quantity::MissedRatio => "Missed-deadline ratio",
            Quantity::RttMean => "Mean round-trip time",
            Quantity::RttMin => "Minimum round-trip time",
            Quantity::RttMax => "Maximum round-trip time",
            Quantity::RttP50 => "Median round-trip time",
            Quantity::RttP90 => "Round-trip time, 90th percentile",
            Quantity::RttP99 => "Round-trip time, 99th percentile",
            Quantity::RttP999 => "Round-trip time, 99.9th percentile",
            Quantity::RttP9999 => "Round-trip time, 99.99th percentile",
        }
    }
}

impl Metric {
    /// Every metric that can be named.
    pub fn all() -> impl Iterator<Item = Metric> {
        Quantity::ALL
            .into_iter()
            .flat_map(|quantity| quantity.units().iter().map(move |&unit| Metric { quantity, unit }))
    }

    /// Label with the unit in parentheses: `Received rate (Mpps)`.
    pub fn label(self) -> String {
        match self.unit.symbol() {
            "" => self.quantity.label().to_string(),
            symbol => format!("{} ({symbol})", self.quantity.label()),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (prefix, suffix) = self.quantity.affixes();
        let unit = match self.unit {
            Unit::Pps => "pps",
            Unit::Kpps => "kpps",
            Unit::Mpps => "mpps",
            Unit::Mbps => "mbps",
            Unit::Gbps => "gbps",
            Unit::Ratio => "",
            Unit::Ns => "ns",
            Unit::Us => "us",
            Unit::Ms => "ms",
        };
        write!(f, "{prefix}{unit}{suffix}")
    }
}

/// The text names no metric.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no metric")]
pub struct UnknownMetric(pub String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Metric, UnknownMetric> {
        Metric::all().find(|metric| metric.to_string() == text).ok_or_else(|| UnknownMetric(text.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_parse_back() {
        let mut names: Vec<String> = Metric::all().map(|metric| metric.to_string()).collect();
        for metric in Metric::all() {
            assert_eq!(metric.to_string().parse(), Ok(metric));
        }
        let count = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.contains(&"rx_gbps_l1".to_string()) && names.contains(&"rtt_us_mean".to_string()));
        assert!("rx_bps".parse::<Metric>().is_err());
    }
}
