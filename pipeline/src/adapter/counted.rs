//! What a program says that it counted, made records of equal intervals. Pure. It must not know which program it was.

use host_setup::application::Reads;
use serde::Deserialize;
use serde_json::Value;
use wire::{IntervalRecord, Schedule};

/// What one end counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counted {
    /// Packets of the whole run.
    pub packets: u64,
    /// Packets that it missed, of those that it knows of.
    pub lost: u64,
    spans: Vec<Span>,
}

/// A span of time and what was counted in it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
struct Span {
    from_s: f64,
    to_s: f64,
    packets: u64,
    #[serde(default)]
    lost: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    Interval(Span),
    Total {
        packets: u64,
        #[serde(default)]
        lost: u64,
    },
}

impl Counted {
    /// Reads counts from what a program printed.
    pub(crate) fn read(output: &[u8], reads: Reads) -> Result<Counted, String> {
        let text = String::from_utf8_lossy(output);
        match reads {
            Reads::Lines => lines(&text),
            Reads::Iperf3 => iperf3(&text),
        }
    }

    /// Records of a schedule for a program that began so late: what was counted in a span is spread evenly over it, and
    /// not a packet more or less.
    pub(crate) fn records(&self, schedule: &Schedule, begun_ns: u64) -> Vec<u8> {
        let step_s = schedule.interval_ns as f64 / 1e9;
        let count = schedule.intervals();
        let begun_s = begun_ns as f64 / 1e9;
        let until = |place: u64, of: fn(&Span) -> u64| {
            let at_s = if place == count { f64::INFINITY } else { place as f64 * step_s - begun_s };
            let sum: f64 = self.spans.iter().map(|span| of(span) as f64 * part(span, at_s)).sum();
            sum.round() as u64
        };
        let mut bytes = Vec::new();
        for place in 0..count {
            let between = |of| until(place + 1, of) - until(place, of);
            let record = IntervalRecord {
                index: u32::try_from(place + 1).unwrap_or(u32::MAX),
                packets: u32::try_from(between(|span| span.packets)).unwrap_or(u32::MAX),
                lost: i32::try_from(between(|span| span.lost)).unwrap_or(i32::MAX),
                ..IntervalRecord::default()
            };
            bytes.extend(record.encode());
        }
        bytes
    }
}

/// The part of a span that is over at a time.
fn part(span: &Span, at_s: f64) -> f64 {
    let length = span.to_s - span.from_s;
    match length > 0.0 {
        true => ((at_s - span.from_s) / length).clamp(0.0, 1.0),
        false => f64::from(u8::from(at_s > span.from_s)),
    }
}

fn lines(text: &str) -> Result<Counted, String> {
    let mut counted = Counted::default();
    let mut total = None;
    for line in text.lines().filter(|line| line.trim_start().starts_with('{')) {
        let parsed = serde_json::from_str(line).map_err(|error| {
            let shown: String = line.chars().take(200).collect();
            format!("understand what it counted: {error} in {shown:?}")
        })?;
        match parsed {
            Line::Interval(span) => counted.spans.push(checked(span)?),
            Line::Total { packets, lost } => total = Some((packets, lost)),
        }
    }
    let (packets, lost) = total.ok_or("understand what it counted: it printed no total")?;
    Ok(Counted { packets, lost, ..counted })
}

fn iperf3(text: &str) -> Result<Counted, String> {
    let report: Value =
        serde_json::from_str(text).map_err(|error| format!("understand what iperf3 printed: {error}"))?;
    if let Some(error) = report["error"].as_str() {
        return Err(format!("run iperf3: {error}"));
    }
    let missing = |what: &str| format!("understand what iperf3 printed: it says nothing of {what}");
    let mut spans = Vec::new();
    for interval in report["intervals"].as_array().ok_or_else(|| missing("intervals"))? {
        let sum = &interval["sum"];
        let time = |name: &str| sum[name].as_f64().ok_or_else(|| missing(name));
        let all = sum["packets"].as_u64().ok_or_else(|| missing("packets"))?;
        // A receiver's packets are those that it knows of.
        let lost = sum["lost_packets"].as_u64().unwrap_or(0);
        let span = Span { from_s: time("start")?, to_s: time("end")?, packets: all.saturating_sub(lost), lost };
        spans.push(checked(span)?);
    }
    let sum = &report["end"]["sum"];
    let sends = sum["sender"].as_bool().ok_or_else(|| missing("who sends"))?;
    let all = sum["packets"].as_u64().ok_or_else(|| missing("packets"))?;
    let lost = if sends { 0 } else { sum["lost_packets"].as_u64().unwrap_or(0) };
    Ok(Counted { packets: all.saturating_sub(lost), lost, spans })
}

/// A span that goes on in time.
fn checked(span: Span) -> Result<Span, String> {
    let sound = span.from_s.is_finite() && span.to_s.is_finite() && span.from_s >= 0.0 && span.to_s >= span.from_s;
    match sound {
        true => Ok(span),
        false => Err(format!("understand what it counted: {} s to {} s is no interval", span.from_s, span.to_s)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEDULE: Schedule = Schedule {
        warmup_ns: 0,
        duration_ns: 200_000_000,
        cooldown_ns: 0,
        interval_ns: 10_000_000,
        drain_ns_max: 10_000_000,
    };

    fn packets(bytes: &[u8]) -> Vec<u32> {
        let record = |bytes: &[u8]| IntervalRecord::decode(bytes.try_into().expect("a record"));
        let records: Vec<IntervalRecord> = bytes.chunks(wire::INTERVAL_BYTES).map(record).collect();
        assert!(records.iter().zip(1..).all(|(record, index)| record.index == index));
        records.iter().map(|record| record.packets).collect()
    }

    #[test]
    fn what_was_counted_in_a_span_is_spread_over_it_and_none_is_lost() {
        let text = "hello\n{\"interval\": {\"from_s\": 0, \"to_s\": 0.1, \"packets\": 105}}\n\
                    {\"interval\": {\"from_s\": 0.1, \"to_s\": 0.2, \"packets\": 50, \"lost\": 3}}\n\
                    {\"total\": {\"packets\": 155, \"lost\": 3}}\n";
        let counted = Counted::read(text.as_bytes(), Reads::Lines).expect("lines");
        assert_eq!((counted.packets, counted.lost), (155, 3));
        let spread = packets(&counted.records(&SCHEDULE, 0));
        assert_eq!(spread.iter().sum::<u32>(), 155);
        assert!(spread[..10].iter().all(|count| (10..=11).contains(count)) && spread[10..20] == [5; 10], "{spread:?}");
        // One that began late has counted nothing before.
        let late = packets(&counted.records(&SCHEDULE, 20_000_000));
        assert_eq!((late[0], late[1], late.iter().sum::<u32>()), (0, 0, 155));
    }

    #[test]
    fn what_says_nothing_is_refused() {
        for wrong in ["", "{\"interval\": {}}", "{\"total\": {\"packets\": -1}}", "{\"other\": {}}"] {
            assert!(Counted::read(wrong.as_bytes(), Reads::Lines).is_err(), "{wrong}");
        }
        let back = "{\"interval\": {\"from_s\": 2, \"to_s\": 1, \"packets\": 1}}\n{\"total\": {\"packets\": 1}}";
        assert!(Counted::read(back.as_bytes(), Reads::Lines).is_err_and(|why| why.contains("is no interval")));
        for wrong in ["", "{}", "{\"error\": \"no route\"}", "{\"intervals\": [{}]}"] {
            assert!(Counted::read(wrong.as_bytes(), Reads::Iperf3).is_err(), "{wrong}");
        }
        let text = "{\"intervals\": [{\"sum\": {\"start\": 0, \"end\": 0.1, \"packets\": 10, \"lost_packets\": 4}}], \
                    \"end\": {\"sum\": {\"packets\": 10, \"lost_packets\": 4, \"sender\": false}}}";
        let counted = Counted::read(text.as_bytes(), Reads::Iperf3).expect("a report");
        assert_eq!((counted.packets, counted.lost), (6, 4));
    }
}
