//! A drawable: axes with ticks, series of points with intervals. Both writers (SVG, pgfplots) draw this and
//! nothing else, so that they agree. It must not know tests, templates or pixels.

use results::flags::Flag;
use results::tuple::Tuple;

use crate::number;
use crate::spec::Scale;
use crate::style::Look;

/// Points of a series above this number lose markers, intervals and tooltips in drawings.
pub const MARKED_POINTS_MAX: usize = 400;
/// A drawn series has at most this many points; more are thinned, extremes kept.
pub const DRAWN_POINTS_MAX: usize = 2_000;

/// How series are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Markers joined by lines, over a numeric axis.
    Lines,
    /// Groups of bars, over an axis of names.
    Bars,
}

/// A tick of an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Where, in the axis's unit.
    pub at: f64,
    /// The tick's text; empty where it would overlap another's.
    pub label: String,
}

/// An axis of a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct PlotAxis {
    /// What it shows, with the unit in parentheses.
    pub label: String,
    /// How values become places on the axis.
    pub scale: Scale,
    /// Lower end; positive on logarithmic scales.
    pub min: f64,
    /// Upper end, above `min`.
    pub max: f64,
    /// Ascending, within the ends.
    pub ticks: Vec<Tick>,
}

/// What a point of a figure stands for; drawings show it as a tooltip.
#[derive(Clone, Debug, PartialEq)]
pub struct PointSource {
    /// The test's name.
    pub test: String,
    /// The test's key.
    pub key: Option<String>,
    /// Valid repetitions.
    pub n: u32,
    /// Flags with the number of repetitions that have them.
    pub flags: Vec<(Flag, u32)>,
    /// The horizontal value as data has it, such as `1000000` for 1 Mpps.
    pub x_data: String,
    /// The value of the folded axis that gave it.
    pub chosen: Option<String>,
    /// The test's coordinates; absent where a plot compares sides of one.
    pub tuple: Option<Tuple>,
}

/// A point of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Horizontal position, in the axis's unit.
    pub x: f64,
    /// Value, in the axis's unit.
    pub y: f64,
    /// Ends of the 95 % interval; absent without repetitions.
    pub interval: Option<(f64, f64)>,
    /// What it stands for; absent where a plot shows no tests.
    pub source: Option<PointSource>,
}

/// A line or a set of bars.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// In the legend; empty when there is only one series without a name.
    pub label: String,
    /// The series' look.
    pub look: Look,
    /// Whether points are marked, as far as there are few enough of them.
    pub marks: bool,
    /// Whether marks are outlines only: measured elsewhere, beside the same series measured here.
    pub hollow: bool,
    /// Ascending by `x`.
    pub points: Vec<Point>,
}

/// A number that others have published, marked on a plot.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    /// Horizontal position, in the axis's unit; above its bar where there are bars.
    pub x: f64,
    /// Value, in the axis's unit.
    pub y: f64,
    /// What a reader sees who points at it.
    pub tip: String,
}

/// Axes and series.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// How it is drawn.
    pub form: Form,
    /// Horizontal.
    pub x: PlotAxis,
    /// Vertical.
    pub y: PlotAxis,
    /// In order of the legend.
    pub series: Vec<Series>,
    /// Horizontal ranges that are shaded, such as warm-up and cool-down.
    pub shaded: Vec<(f64, f64)>,
    /// Marked numbers of others.
    pub references: Vec<Reference>,
}

/// Width of one bar where `series` of them stand side by side, in units of an axis of names.
pub fn bar_width(series: usize) -> f64 {
    (0.8 / series.max(1) as f64).min(0.5)
}

/// Where the interval of a point is drawn. All lengths are parts of the drawing's width, so that drawings of any
/// size agree.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Whisker {
    /// How far right of its mark.
    pub aside: f64,
    /// Half the width of its caps.
    pub cap: f64,
}

impl Whisker {
    /// That of the series in `place` of `count`, over an axis of `groups` names where there are bars. Several
    /// series have values at the same place, and whiskers on top of each other cannot be told apart: neighbours
    /// keep a distance, and caps stay within half of it.
    pub fn of(form: Form, place: usize, count: usize, groups: usize) -> Whisker {
        /// Between two neighbours on a line, at most.
        const STEP: f64 = 0.009;
        /// Between the first and the last of a line, at most.
        const SPAN: f64 = 0.036;
        const CAP_MAX: f64 = 0.005;
        /// A cap's width, as a fraction of the distance between neighbours.
        const CAP_PART: f64 = 0.36;
        /// What a drawing's box has of its width, at least.
        const BOX: f64 = 0.75;
        match form {
            Form::Lines => {
                let steps = count.saturating_sub(1) as f64;
                let step = STEP.min(SPAN / steps.max(1.0));
                let cap = if count > 1 { CAP_MAX.min(CAP_PART * step) } else { CAP_MAX };
                Whisker { aside: (place as f64 - steps / 2.0) * step, cap }
            }
            Form::Bars => {
                let bar = BOX * bar_width(count) / groups.max(1) as f64;
                Whisker { aside: 0.0, cap: CAP_MAX.min(CAP_PART * bar) }
            }
        }
    }
}

/// How far the middle of the `place`th of `series` bars lies from the middle of its group.
pub fn bar_offset(place: usize, series: usize) -> f64 {
    (place as f64 + 0.5 - series as f64 / 2.0) * bar_width(series)
}

impl PlotAxis {
    /// Where a value stands, 0 at the lower end, 1 at the upper one; outside of both for values outside.
    pub fn position(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.min) / (self.max - self.min),
            Scale::Log2 | Scale::Log10 if value > 0.0 => {
                let min = number::log2(self.min);
                (number::log2(value) - min) / (number::log2(self.max) - min)
            }
            Scale::Log2 | Scale::Log10 => -1.0,
        }
    }

    /// A vertical axis for `means`, high enough for `tops` (ends of intervals) up to 1.6 times the largest
    /// mean: an interval that is wider runs out of the plot.
    pub fn vertical(label: String, scale: Scale, means: &[f64], tops: &[f64]) -> PlotAxis {
        let largest = means.iter().copied().fold(0.0, f64::max);
        let top = tops.iter().copied().fold(largest, f64::max).min(1.6 * largest).max(largest);
        match scale {
            Scale::Linear => {
                let bottom = means.iter().copied().fold(0.0, f64::min);
                let top = if top > bottom { top } else { bottom + 1.0 };
                let step = nice_step((top - bottom) * 1.02, 7);
                let (first, last) = ((bottom / step).floor(), (top * 1.02 / step).ceil());
                let (min, max) = (first * step, last * step);
                PlotAxis { label, scale, min, max, ticks: stepped(min, max, step) }
            }
            Scale::Log2 | Scale::Log10 => {
                let lowest = means.iter().copied().filter(|&mean| mean > 0.0).fold(f64::INFINITY, f64::min);
                let (lowest, top) = if lowest.is_finite() { (lowest, top) } else { (1.0, 10.0) };
                let ladder = ladder(scale, lowest, top);
                let min = ladder.first().copied().unwrap_or(1.0);
                let max = ladder.last().copied().filter(|&max| max > min).unwrap_or(min * 10.0);
                let every = ladder.len().div_ceil(8);
                let ticks = ladder.iter().step_by(every).map(|&at| Tick { at, label: number::machine(at) }).collect();
                PlotAxis { label, scale, min, max, ticks }
            }
        }
    }

    /// A horizontal axis for numeric `values` (ascending, distinct): ticks at the values themselves where
    /// there is room, else at round numbers.
    pub fn horizontal(label: String, scale: Scale, values: &[f64]) -> PlotAxis {
        let (first, last) = (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(1.0));
        let scale = if first > 0.0 { scale } else { Scale::Linear };
        let (min, max) = match scale {
            Scale::Linear if first == last => (first - 1.0, last + 1.0),
            Scale::Linear => {
                let pad = (last - first) * 0.04;
                (if first >= 0.0 && first < 0.25 * last { 0.0 } else { first - pad }, last + pad)
            }
            Scale::Log2 | Scale::Log10 if first == last => (first / 2.0, last * 2.0),
            Scale::Log2 | Scale::Log10 => (first / 1.15, last * 1.15),
        };
        let mut axis = PlotAxis { label, scale, min, max, ticks: Vec::new() };
        if values.len() <= 12 {
            axis.ticks = axis.spaced(values);
        }
        let labelled = axis.ticks.iter().filter(|tick| !tick.label.is_empty()).count();
        if values.len() > 12 || labelled + 2 < values.len() {
            axis.ticks = match scale {
                Scale::Linear => {
                    let step = nice_step(max - min, 7);
                    stepped((min / step).ceil() * step, max, step)
                }
                Scale::Log2 | Scale::Log10 => {
                    let rungs: Vec<f64> =
                        ladder(scale, first, last).into_iter().filter(|&at| at >= min && at <= max).collect();
                    axis.spaced(&rungs)
                }
            };
        }
        axis
    }

    /// A horizontal axis of names, at 0, 1, 2, ...
    pub fn of_names(label: String, names: &[String]) -> PlotAxis {
        let ticks = names.iter().enumerate().map(|(at, name)| Tick { at: at as f64, label: name.clone() }).collect();
        PlotAxis { label, scale: Scale::Linear, min: -0.5, max: names.len().max(1) as f64 - 0.5, ticks }
    }

    /// Ticks at `values`; those too near to the one before keep their stroke and lose their text.
    fn spaced(&self, values: &[f64]) -> Vec<Tick> {
        let mut free_from = f64::NEG_INFINITY;
        let mut ticks = Vec::with_capacity(values.len());
        for &at in values {
            let label = number::machine(at);
            let (position, half) = (self.position(at), 0.009 * label.len() as f64);
            let label = if position - half >= free_from {
                free_from = position + half + 0.008;
                label
            } else {
                String::new()
            };
            ticks.push(Tick { at, label });
        }
        ticks
    }
}

/// The step of 1, 2 or 5 times a power of ten that makes at most `count` ticks over `span`.
fn nice_step(span: f64, count: u32) -> f64 {
    if !(span.is_finite() && span > 0.0) {
        return 1.0;
    }
    let raw = span / f64::from(count);
    let power = number::power10(number::exponent10(raw));
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= raw).unwrap_or(10.0);
    (factor * power).max(f64::MIN_POSITIVE * 1e10)
}

fn stepped(min: f64, max: f64, step: f64) -> Vec<Tick> {
    let count = ((max - min) / step + 0.001).floor().clamp(0.0, 100.0) as u32;
    (0..=count)
        .map(|place| min + f64::from(place) * step)
        .map(|at| Tick { at, label: number::tick(at, step) })
        .collect()
}

/// Round numbers of a logarithmic scale around `lowest` to `highest`: powers of the base, or 1, 2, 5 times
/// powers of ten where those are too few.
fn ladder(scale: Scale, lowest: f64, highest: f64) -> Vec<f64> {
    let mut rungs: Vec<f64> = match scale {
        Scale::Log2 => {
            let (low, high) = (number::log2(lowest).floor().max(-40.0), number::log2(highest).ceil().min(80.0));
            let power = |exponent: i32| {
                let size = 2f64.powi_exact(exponent.unsigned_abs());
                if exponent < 0 { 1.0 / size } else { size }
            };
            ((low as i32)..=(high as i32)).map(power).collect()
        }
        Scale::Linear | Scale::Log10 => {
            let (low, high) = (number::exponent10(lowest), number::exponent10(highest) + 1);
            let factors: &[f64] = match high - low {
                ..=2 if highest < 10.0 * lowest => &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
                ..=2 => &[1.0, 2.0, 5.0],
                _ => &[1.0],
            };
            (low..=high).flat_map(|power| factors.iter().map(move |factor| factor * number::power10(power))).collect()
        }
    };
    while rungs.len() > 2 && rungs[1] <= lowest {
        rungs.remove(0);
    }
    while rungs.len() > 2 && rungs[rungs.len() - 2] >= highest {
        rungs.pop();
    }
    rungs
}

/// Whole powers by multiplication: exact for powers of two.
trait PowerExact {
    fn powi_exact(self, exponent: u32) -> f64;
}

impl PowerExact for f64 {
    fn powi_exact(self, exponent: u32) -> f64 {
        (0..exponent).fold(1.0, |product, _| product * self)
    }
}

impl Series {
    /// Whether it has few enough points for markers, intervals and tooltips.
    pub fn is_marked(&self) -> bool {
        self.marks && self.points.len() <= MARKED_POINTS_MAX
    }

    /// Its points, thinned to [`DRAWN_POINTS_MAX`]: of each run of neighbours the lowest and the highest
    /// stay, so that no extreme vanishes.
    pub fn drawn(&self) -> Vec<&Point> {
        if self.points.len() <= DRAWN_POINTS_MAX {
            return self.points.iter().collect();
        }
        let run = self.points.len().div_ceil(DRAWN_POINTS_MAX / 2);
        let mut drawn = Vec::with_capacity(DRAWN_POINTS_MAX);
        for points in self.points.chunks(run) {
            let extreme = |better: fn(f64, f64) -> bool| {
                (1..points.len()).fold(0, |best, at| if better(points[at].y, points[best].y) { at } else { best })
            };
            let (low, high) = (extreme(|a, b| a < b), extreme(|a, b| a > b));
            drawn.push(&points[low.min(high)]);
            if low != high {
                drawn.push(&points[low.max(high)]);
            }
        }
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn labels(axis: &PlotAxis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.label.as_str()).collect()
    }

    proptest! {
        #[test]
        fn whiskers_of_neighbours_do_not_touch(count in 2usize..33, groups in 1usize..40, bars: bool) {
            let form = if bars { Form::Bars } else { Form::Lines };
            let at = |place| {
                let whisker = Whisker::of(form, place, count, groups);
                let bar = if bars { 0.75 * bar_offset(place, count) / groups as f64 } else { 0.0 };
                (whisker.aside + bar, whisker.cap)
            };
            for place in 1..count {
                let ((left, left_cap), (right, right_cap)) = (at(place - 1), at(place));
                prop_assert!(left + left_cap < right - right_cap, "{place} of {count}");
            }
        }
    }

    #[test]
    fn sizes_are_ticks_of_a_logarithmic_axis() {
        let axis = PlotAxis::horizontal(String::new(), Scale::Log2, &[64.0, 128.0, 256.0, 512.0, 1024.0, 1500.0]);
        assert_eq!(labels(&axis), ["64", "128", "256", "512", "1024", "1500"]);
        let rates = PlotAxis::horizontal(String::new(), Scale::Linear, &[1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 20.0]);
        assert!(labels(&rates).len() >= 5, "{rates:?}");
    }

    #[test]
    fn a_vertical_axis_starts_at_zero_and_ignores_absurd_intervals() {
        let axis = PlotAxis::vertical(String::new(), Scale::Linear, &[0.3, 0.44], &[0.45, 1e9]);
        assert_eq!((axis.min, labels(&axis)[0]), (0.0, "0"));
        assert!(axis.max <= 1.0, "{axis:?}");
    }

    proptest! {
        #[test]
        fn axes_are_finite_and_hold_their_values(
            mut values in prop::collection::vec(1e-6f64..1e12, 1..40), log in 0usize..3
        ) {
            values.sort_by(f64::total_cmp);
            values.dedup();
            let scale = [Scale::Linear, Scale::Log2, Scale::Log10][log];
            for axis in [PlotAxis::horizontal(String::new(), scale, &values), PlotAxis::vertical(String::new(), scale, &values, &values)] {
                prop_assert!(axis.min < axis.max && axis.ticks.len() <= 101);
                for value in &values {
                    let at = axis.position(*value);
                    prop_assert!((-1e-9..=1.0 + 1e-9).contains(&at), "{value} at {at} of {axis:?}");
                }
            }
        }
    }
}
