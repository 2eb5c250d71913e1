//! How a run looks while it goes on: a bar with an ETA on a terminal, a line a repetition in a log.
//! It must not decide anything.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use host_setup::protocol::Achieved;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use results::metric::Quantity;

use crate::clock;
use crate::experiment::Test;
use crate::run::Watcher;
use crate::site;
use crate::store::{Record, Status};
use crate::visible;

/// Shows a run on standard error.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    quiet: bool,
    verbose: bool,
    done: u64,
    left: u64,
    eta: Duration,
    /// What each stand measures.
    busy: BTreeMap<String, String>,
    /// Folder of the experiment, beside which a site file may lie.
    beside: PathBuf,
}

/// Whether a bar may be drawn over itself on a terminal: not where it cannot be (`TERM=dumb`, or none at all), nor
/// where somebody asked for plain output (no-color.org: NO_COLOR, unless it is empty).
fn can_move(term: Option<&str>, no_color: Option<&str>) -> bool {
    !matches!(term, None | Some("" | "dumb")) && no_color.is_none_or(str::is_empty)
}

impl Progress {
    /// For standard error as it is; `quiet` shows failures only. Beside the experiment a site file may lie.
    pub fn new(quiet: bool, verbose: bool, beside: &Path) -> Progress {
        let variable = |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        let moves =
            io::stderr().is_terminal() && can_move(variable("TERM").as_deref(), variable("NO_COLOR").as_deref());
        let bar = (!quiet && moves).then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Progress {
            bar,
            quiet,
            verbose,
            done: 0,
            left: 0,
            eta: Duration::ZERO,
            busy: BTreeMap::new(),
            beside: beside.to_path_buf(),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn line(&self, text: &str) {
        let text = &visible::shown(text);
        match &self.bar {
            Some(bar) => bar.println(text),
            // A closed standard error must not end a measurement.
            None => drop(writeln!(io::stderr().lock(), "{text}")),
        }
    }
}

impl Watcher for Progress {
    fn waiting(&mut self, holder: &str) {
        self.line(&format!("waiting for the host: {holder}"));
    }

    fn unquiet(&mut self, words: &str) {
        self.line(&format!("host: {words}; measuring all the same"));
    }

    fn prepared(&mut self, achieved: &Achieved) {
        if self.quiet {
            return;
        }
        for words in &achieved.changed {
            self.line(&format!("host: {words}, until the run ends"));
        }
        for words in &achieved.limits {
            self.line(&format!("host: {words}"));
        }
    }

    fn left(&mut self, repetitions: u64, eta: Duration) {
        self.left = repetitions;
        self.eta = eta;
    }

    fn begins(&mut self, test: &Test, stand: &str) {
        self.busy.insert(stand.to_string(), test.tuple.to_string());
        if let Some(bar) = &self.bar {
            bar.set_length(self.done + self.left);
            bar.set_position(self.done);
            let stands = self.busy.iter().map(|(stand, test)| format!("{stand}: {test}"));
            let now = match self.busy.len() {
                1 => test.tuple.to_string(),
                _ => stands.collect::<Vec<_>>().join("  "),
            };
            bar.set_message(format!("ETA {}  {now}", clock::shown(self.eta)));
        }
    }

    fn tried(&mut self, test: &Test, rate_pps: u32, loss_ratio: f64) {
        let text = format!("{} kpps offered, {:.4} % lost", f64::from(rate_pps) / 1e3, loss_ratio * 100.0);
        match &self.bar {
            Some(bar) => bar.set_message(format!("ETA {}  {}  {text}", clock::shown(self.eta), test.tuple)),
            None if self.verbose => self.line(&format!("          {}  {text}", test.tuple)),
            None => {}
        }
    }

    fn stored(&mut self, test: &Test, record: &Record) {
        self.done += 1;
        self.left = self.left.saturating_sub(1);
        let suspect = record.status == Status::Suspect;
        if self.quiet || (self.bar.is_some() && !self.verbose && !suspect) {
            return;
        }
        let flags: Vec<&str> =
            record.flags.iter().filter(|flag| self.verbose || flag.suspect()).map(|flag| flag.name()).collect();
        let doubts = match (suspect, flags.is_empty()) {
            (true, _) => format!("  SUSPECT: {}", flags.join(", ")),
            (false, false) => format!("  [{}]", flags.join(", ")),
            (false, true) => String::new(),
        };
        let left = clock::shown(self.eta.saturating_sub(Duration::from_millis(record.cost.total_ms)));
        let place = format!("[{}/{}]", self.done, self.done + self.left);
        // Which one it was is worth a word where there are several.
        let on = record.stand.as_ref().filter(|_| self.busy.len() > 1).map(|stand| format!("  on {stand}"));
        let on = on.unwrap_or_default();
        self.line(&format!("{place:>9} {}  {}{on}{doubts}  (about {left} left)", test.tuple, value(record)));
    }

    fn failed(&mut self, test: &Test, reason: &str, last_lines: &[String]) {
        self.done += 1;
        self.left = self.left.saturating_sub(1);
        self.line(&format!("FAILED {}: failed to {reason}", test.tuple));
        for line in last_lines {
            self.line(&format!("  | {line}"));
        }
        if let Some(place) = site::excerpt(reason, &self.beside) {
            self.line(place.trim_end());
        }
    }

    fn lost(&mut self, stand: &str, reason: &str) {
        self.busy.remove(stand);
        self.line(&format!("LOST {stand}: failed to {reason}; the run goes on without it"));
    }
}

/// The one number that tells a person how a repetition went.
fn value(record: &Record) -> String {
    let of = |quantity| record.reduction.values.get(&quantity).copied();
    match (of(Quantity::RttMean), of(Quantity::RxPps)) {
        (Some(ns), _) => format!("{:.1} µs mean round trip", ns / 1e3),
        (None, Some(pps)) => format!("{:.1} kpps received", pps / 1e3),
        (None, None) => "no value".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_moves_on_terminals_that_can_and_where_nobody_minds() {
        assert!(can_move(Some("xterm-256color"), None));
        assert!(can_move(Some("linux"), Some("")));
        for (term, no_color) in [(None, None), (Some("dumb"), None), (Some(""), None), (Some("xterm"), Some("1"))] {
            assert!(!can_move(term, no_color), "{term:?} {no_color:?}");
        }
    }
}
