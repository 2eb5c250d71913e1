//! What an experiment needs most, of what is known of its tests: which ones its figures, tables and claims leave in
//! doubt, and how much. Pure. It must not know stores, stands, or in which order anything is measured.

use std::collections::HashSet;

use reports::claim::{self, Claim};
use reports::model::TestView;
use reports::spec::{Id, Selection};
use results::summary::Summary;

use crate::dispatch::Urgency;
use crate::experiment::Experiment;
use crate::plan;

/// What a figure or table needs where the protocol names no interval: a half width of this part of the mean.
const NEEDED_RATIO: f64 = 0.05;

/// What the figures, tables and claims of an experiment need.
#[derive(Debug)]
pub struct Needs {
    claims: Vec<(Claim, HashSet<Id>)>,
    drawn: Vec<(HashSet<Id>, Selection)>,
    ratio: f64,
    /// Repetitions after which no more are made, however wide the interval is.
    most: u32,
}

/// An interval that is just as wide as it may be, but for the last bits.
const JUST: f64 = 1.0 + 1e-9;

/// How an experiment stands at some time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How urgent each test is, in the order of the matrix.
    pub urgencies: Vec<Urgency>,
    /// Claims whose verdict further repetitions of measured tests are not going to change.
    pub claims_settled: usize,
    /// Figures and tables of which each measured or missing test has what is needed.
    pub drawn_complete: usize,
}

impl Needs {
    /// What an experiment needs. A claim that cannot be understood needs nothing.
    pub fn of(experiment: &Experiment) -> Needs {
        let groups = |from: &[Id]| from.iter().cloned().collect::<HashSet<Id>>();
        let report = &experiment.report;
        let claims = report.claims.iter();
        let claims = claims.filter_map(|spec| Some((claim::parse(&spec.test).ok()?, groups(&spec.from)))).collect();
        let figures = report.figures.iter().map(|figure| (groups(&figure.from), figure.selection.clone()));
        let tables = report.tables.iter().map(|table| (groups(&table.from), table.selection.clone()));
        let wanted = &experiment.protocol.repetitions;
        let ratio = wanted.ci.unwrap_or(NEEDED_RATIO);
        Needs { claims, drawn: figures.chain(tables).collect(), ratio, most: wanted.max }
    }

    /// How many claims, and how many figures and tables there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.claims.len(), self.drawn.len())
    }

    /// How the experiment stands with these results of its tests, in the order of its matrix.
    pub fn standing(&self, views: &[TestView]) -> Standing {
        let mut widths = vec![0.0f64; views.len()];
        let mut claims_settled = 0;
        for (claim, from) in &self.claims {
            let among: Vec<usize> = places(views, from, None).collect();
            let tests: Vec<&TestView> = among.iter().map(|place| &views[*place]).collect();
            let open = claim.open(&tests);
            // Without a result there is no verdict that could be settled.
            let unknown = tests.iter().any(|test| is_missing(test));
            claims_settled += usize::from(open.is_empty() && !unknown);
            for (place, too_wide) in open {
                if let Some(width) = among.get(place).and_then(|place| widths.get_mut(*place)) {
                    *width = width.max(too_wide);
                }
            }
        }
        let mut drawn_complete = 0;
        for (from, selection) in &self.drawn {
            let mut complete = true;
            for place in places(views, from, Some(selection)) {
                let width = views[place].measured().map_or(0.0, |summary| self.width(summary));
                complete &= width <= JUST && !is_missing(&views[place]);
                widths[place] = widths[place].max(width);
            }
            drawn_complete += usize::from(complete);
        }
        let urgency = |(view, width): (&TestView, &f64)| match view.measured() {
            None => Urgency::UNKNOWN,
            Some(_) => Urgency::of_width(if *width <= JUST { 1.0 } else { *width }),
        };
        let urgencies = views.iter().zip(&widths).map(urgency).collect();
        Standing { urgencies, claims_settled, drawn_complete }
    }

    /// How many times as wide as a figure or table needs it the interval is of what a test is judged by; 1 where no more
    /// repetitions are made.
    fn width(&self, summary: &Summary) -> f64 {
        if summary.valid >= self.most {
            return 1.0;
        }
        let Some(estimate) = summary.get(summary.judged_by()) else { return f64::INFINITY };
        match estimate.half_width {
            Some(half_width) => half_width / (self.ratio * estimate.mean.abs()).max(plan::HALF_WIDTH_FLOOR),
            None => f64::INFINITY,
        }
    }
}

/// Whether a test has no result and could have one.
fn is_missing(view: &TestView) -> bool {
    view.state == reports::model::State::NotMeasured
}

fn places<'v>(
    views: &'v [TestView],
    from: &'v HashSet<Id>,
    selection: Option<&'v Selection>,
) -> impl Iterator<Item = usize> + 'v {
    let takes = move |view: &TestView| {
        view.groups.iter().any(|group| from.contains(group))
            && selection.is_none_or(|selection| selection.takes(&view.tuple))
    };
    views.iter().enumerate().filter(move |(_, view)| takes(view)).map(|(place, _)| place)
}

#[cfg(test)]
mod tests;
