//! The windows of one set-up, judged each for itself and then together. It must not know records' files.

use results::dataset::RawStream;
use results::flags::Flag;
use results::reduce::{CountedWindow, average, reduce, within_window};
use results::statistics::mean::mean;
use results::summary::Reduction;

use super::{Circumstances, Doubts, Refused, Run, RunHost, stranger};
use crate::measure::MeasuredWindow;
use crate::store::{Evidence, Seen, SetUpWindow, window_stream};
use crate::traffic;

/// What is to be kept of a set-up.
#[derive(Default)]
pub(super) struct SetUp {
    /// The streams of all windows; where there are several, by names that tell of which.
    pub(super) streams: Vec<RawStream>,
    /// The evidence of the first window.
    pub(super) evidence: Evidence,
    /// The windows' values together.
    pub(super) reduction: Reduction,
    /// Doubts about any of them, sorted, each once.
    pub(super) flags: Vec<Flag>,
    /// What raised some of them.
    pub(super) seen: Vec<Seen>,
    /// The variance of a window's mean times its length.
    pub(super) within: Option<f64>,
    /// Each window, where there are several.
    pub(super) windows: Vec<SetUpWindow>,
}

/// Judges windows in their order.
///
/// # Errors
/// When one of them is refused, and with it the set-up.
pub(super) fn judged(measured: Vec<MeasuredWindow>, about: &Circumstances) -> Result<SetUp, Refused> {
    let several = measured.len() > 1;
    let (mut set_up, mut within) = (SetUp::default(), Vec::new());
    for (place, window) in measured.into_iter().enumerate() {
        let Judged { streams, evidence, reduction, flags, seen, seen_within } = one(window, about)?;
        let named = |stream: RawStream| RawStream { source: window_stream(place, &stream.source), ..stream };
        set_up.streams.extend(streams.into_iter().map(|stream| if several { named(stream) } else { stream }));
        let told = |seen: Seen| Seen { words: format!("window {}: {}", place + 1, seen.words), ..seen };
        set_up.seen.extend(seen.into_iter().map(|seen| if several { told(seen) } else { seen }));
        set_up.flags.extend(&flags);
        within.extend(seen_within);
        let evidence = match place {
            0 => {
                set_up.evidence = evidence;
                None
            }
            _ => Some(evidence),
        };
        set_up.windows.push(SetUpWindow { reduction, flags, seen_within, evidence });
    }
    set_up.flags.sort_unstable();
    set_up.flags.dedup();
    set_up.within = mean(&within).ok();
    match several {
        true => {
            let reductions: Vec<Reduction> = set_up.windows.iter().map(|window| window.reduction.clone()).collect();
            set_up.reduction = average(&reductions);
        }
        false => set_up.reduction = set_up.windows.pop().map(|only| only.reduction).unwrap_or_default(),
    }
    Ok(set_up)
}

/// One window, judged.
struct Judged {
    streams: Vec<RawStream>,
    evidence: Evidence,
    reduction: Reduction,
    flags: Vec<Flag>,
    seen: Vec<Seen>,
    seen_within: Option<f64>,
}

fn one(measured: MeasuredWindow, about: &Circumstances) -> Result<Judged, Refused> {
    let MeasuredWindow { files, evidence } = measured;
    if let Some(reason) = stranger(&evidence, about) {
        return Err(Refused::Unexpected(reason));
    }
    let mut streams = Vec::new();
    for (container, (role, files)) in &files {
        let file = |name: &str| files.get(name).map(Vec::as_slice);
        let intervals = file(wire::INTERVALS_FILE).unwrap_or_default();
        streams.push(RawStream::from_files(
            container,
            *role,
            intervals,
            file(wire::RTT_FILE),
            file(wire::OVERFLOW_FILE),
        )?);
    }
    let test = about.test;
    let window = CountedWindow::from(&traffic::schedule(&test.times));
    let reduction = reduce(&streams, &window, &test.tuple);
    let sides = about.ready.sides.iter().zip(about.hosts());
    let hosts: Vec<RunHost> =
        sides.map(|(side, host)| RunHost { cores: &side.cores, facts: host.facts, achieved: host.achieved }).collect();
    let run = Run { tuple: &test.tuple, times: &test.times, hosts: &hosts, evidence: &evidence };
    let Doubts { mut flags, seen } = run.doubts();
    flags.extend(&reduction.flags);
    flags.sort_unstable();
    flags.dedup();
    let seen_within = within_window(&streams, &window, &test.tuple);
    Ok(Judged { streams, evidence, reduction, flags, seen, seen_within })
}
