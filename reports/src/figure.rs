//! From a figure's specification and the tests to a drawable figure. It must not know how it is drawn.

use std::collections::BTreeMap;

use results::axes::Axis;
use results::flags::Flag;
use results::metric::Metric;
use results::statistics::positive;
use results::summary::Grade;
use results::tuple::{Tuple, Value};

use crate::model::TestView;
use crate::number;
use crate::plot::{self, Form, MARKED_POINTS_MAX, Plot, PlotAxis, Point, PointSource, Reference, Series};
use crate::published::{self, Comparison};
use crate::select::{self, Cell, Coordinate, Layout, SpecError};
use crate::spec::{Bound, FigureSpec, Fold, Id, Scale};
use crate::style::Look;
use crate::text;

/// Most series of one figure: as many as have different looks.
pub const SERIES_MAX: usize = 32;

/// A place of a figure or table without a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// What is missing, in words of the figure: `ovs, 64`.
    pub what: String,
    /// Completes "missing: ".
    pub reason: String,
}

/// A drawable figure with everything said below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// The figure's identifier; names its files.
    pub id: Id,
    /// Heading, cleaned.
    pub title: Option<String>,
    /// Caption, cleaned.
    pub caption: Option<String>,
    /// What is drawn.
    pub plot: Plot,
    /// What the vertical axis shows.
    pub metric: Metric,
    /// The horizontal axis.
    pub x_axis: Axis,
    /// What series differ in.
    pub series_axis: Option<Axis>,
    /// The folded axis.
    pub over: Option<(Axis, Fold)>,
    /// Places without a value.
    pub missing: Vec<Missing>,
    /// Sentences below the caption: missing places, grade, what may not be read into it.
    pub notes: Vec<String>,
    /// Numbers of others beside ours.
    pub published: Option<Comparison>,
    /// The worst grade in it.
    pub grade: Grade,
}

/// Whether the figure can be made of `tuples` (the tests of its groups), whatever will be measured.
pub fn check_figure(spec: &FigureSpec, tuples: &[&Tuple]) -> Result<(), SpecError> {
    let axes = std::iter::once(spec.x).chain(spec.series).collect();
    select::check(&Layout { selection: &spec.selection, axes, over: spec.over, metrics: &[spec.y] }, tuples)?;
    if let Some(axis) = spec.series {
        let taken = tuples.iter().filter(|tuple| spec.selection.takes(tuple));
        let count = taken.map(|tuple| tuple.value(axis)).collect::<std::collections::BTreeSet<_>>().len();
        if count > SERIES_MAX {
            return Err(SpecError::TooManySeries { axis, count, max: SERIES_MAX });
        }
    }
    Ok(())
}

/// The figure of `spec` over `tests` (all of the experiment; groups and selection are applied here). Fails as
/// [`check_figure`] does.
pub fn build_figure(spec: &FigureSpec, tests: &[&TestView]) -> Result<Figure, SpecError> {
    let chosen = select::selected(&spec.from, &spec.selection, &[spec.y], tests);
    check_figure(spec, &chosen.iter().map(|test| &test.tuple).collect::<Vec<_>>())?;

    let x_values = select::values(spec.x, &chosen);
    let ruler = Ruler::new(spec, &x_values);
    let mut groups: BTreeMap<Option<Coordinate>, Vec<&TestView>> = BTreeMap::new();
    for test in &chosen {
        groups.entry(spec.series.map(|axis| Coordinate::of(&test.tuple, axis))).or_default().push(test);
    }

    let mut draft = Draft::default();
    let mut series = Vec::with_capacity(groups.len());
    for (place, (coordinate, members)) in groups.iter().enumerate() {
        let look = match (spec.series, coordinate) {
            (Some(axis), Some(coordinate)) => Look::of(axis, &coordinate.value, place),
            _ => single_look(&chosen),
        };
        let label = spec.series.map_or_else(String::new, |axis| select::value_shown(axis, &members[0].tuple));
        let points = points_of(spec, &label, members, &ruler, &mut draft);
        series.push(Series { label: text::cleaned(&label, text::LABEL_MAX), look, marks: true, hollow: false, points });
    }

    let members: Vec<&Vec<&TestView>> = groups.values().collect();
    let references = references(spec, &members, &ruler);
    let means = series.iter().flat_map(|series| &series.points).map(|point| point.y);
    let means: Vec<f64> = means.chain(references.iter().map(|reference| reference.y)).collect();
    let tops: Vec<f64> =
        series.iter().flat_map(|series| &series.points).filter_map(|point| Some(point.interval?.1)).collect();
    let y = PlotAxis::vertical(spec.y.label(), spec.y_scale, &means, &tops);
    let cleaned = |text: &Option<String>, max| {
        text.as_deref().map(|text| text::cleaned(text, max)).filter(|text| !text.is_empty())
    };
    let notes = notes(&draft, &series, &y);
    Ok(Figure {
        id: spec.id.clone(),
        title: cleaned(&spec.title, text::LABEL_MAX),
        caption: cleaned(&spec.caption, text::CAPTION_MAX),
        plot: Plot { form: ruler.form, x: ruler.axis, y, series, shaded: Vec::new(), references },
        metric: spec.y,
        x_axis: spec.x,
        series_axis: spec.series,
        over: spec.over,
        missing: draft.missing,
        notes,
        published: spec
            .published
            .as_ref()
            .map(|published| published::compare(published, &chosen, spec.over.map(|(_, fold)| fold))),
        grade: draft.grade,
    })
}

/// Published values at the places of their tests; limits of values have no place.
fn references(spec: &FigureSpec, series: &[&Vec<&TestView>], ruler: &Ruler) -> Vec<Reference> {
    let Some(published) = &spec.published else { return Vec::new() };
    let source = text::cleaned(&published.source, text::LABEL_MAX);
    let mut references = Vec::new();
    let values = published.values.iter().filter(|value| value.bound == Bound::Exactly);
    for value in values.filter(|value| value.metric.quantity == spec.y.quantity) {
        let y = value.value * value.metric.unit.scale() / spec.y.unit.scale();
        for (place, members) in series.iter().enumerate() {
            let taken = members.iter().filter(|test| value.selection.takes(&test.tuple));
            let at: std::collections::BTreeSet<Coordinate> =
                taken.map(|test| Coordinate::of(&test.tuple, spec.x)).collect();
            for x in at.iter().filter_map(|coordinate| ruler.places.get(coordinate)) {
                let offset = match ruler.form {
                    // On the left of the bar: its interval is in the middle.
                    Form::Bars => plot::bar_offset(place, series.len()) - 0.28 * plot::bar_width(series.len()),
                    Form::Lines => 0.0,
                };
                let tip = format!("published: {}\n{source}", number::machine(y));
                references.push(Reference { x: x + offset, y, tip });
            }
        }
    }
    references.retain(|reference| reference.y.is_finite() && (spec.y_scale == Scale::Linear || reference.y > 0.0));
    references
}

/// One series without a name takes the look of its switch when all tests share one.
fn single_look(tests: &[&TestView]) -> Look {
    match tests.first() {
        Some(first) if tests.iter().all(|test| test.tuple.vswitch == first.tuple.vswitch) => {
            Look::of_switch(first.tuple.vswitch)
        }
        _ => Look::ordered(0),
    }
}

/// The horizontal axis and how values are placed on it.
struct Ruler {
    form: Form,
    axis: PlotAxis,
    divisor: f64,
    places: BTreeMap<Coordinate, f64>,
}

impl Ruler {
    fn new(spec: &FigureSpec, values: &BTreeMap<Coordinate, &TestView>) -> Ruler {
        let numbers: Option<Vec<u64>> = values
            .keys()
            .map(|coordinate| match coordinate.value {
                Value::Number(number) => Some(number),
                Value::Name(_) => None,
            })
            .collect();
        let Some(numbers) = numbers.filter(|_| spec.x.is_numeric()) else {
            let names: Vec<String> = values.values().map(|test| select::value_shown(spec.x, &test.tuple)).collect();
            let names: Vec<String> = names.iter().map(|name| text::cleaned(name, text::LABEL_MAX)).collect();
            let places = values.keys().cloned().enumerate().map(|(place, key)| (key, place as f64)).collect();
            let axis = PlotAxis::of_names(spec.x.label().to_string(), &names);
            return Ruler { form: Form::Bars, axis, divisor: 1.0, places };
        };
        let (label, divisor) = match (spec.x, numbers.last()) {
            (Axis::R, Some(1_000_000..)) => (spec.x.label().replace("(pps)", "(Mpps)"), 1e6),
            (Axis::R, Some(10_000..)) => (spec.x.label().replace("(pps)", "(kpps)"), 1e3),
            _ => (spec.x.label().to_string(), 1.0),
        };
        let positions: Vec<f64> = numbers.iter().map(|&number| number as f64 / divisor).collect();
        let places = values.keys().cloned().zip(positions.iter().copied()).collect();
        Ruler { form: Form::Lines, axis: PlotAxis::horizontal(label, spec.x_scale, &positions), divisor, places }
    }

    fn data(&self, at: f64, test: &TestView, axis: Axis) -> String {
        match self.form {
            Form::Lines => number::machine(at * self.divisor),
            Form::Bars => test.tuple.shown(axis),
        }
    }
}

/// What building gathers besides points.
struct Draft {
    missing: Vec<Missing>,
    grade: Grade,
    flags: BTreeMap<Flag, u32>,
    values: usize,
    alone: usize,
    absent: usize,
    /// Tests with values far from their others.
    far: Vec<String>,
}

impl Default for Draft {
    fn default() -> Draft {
        let (missing, flags) = (Vec::new(), BTreeMap::new());
        Draft { missing, grade: Grade::PaperGrade, flags, values: 0, alone: 0, absent: 0, far: Vec::new() }
    }
}

fn points_of(spec: &FigureSpec, label: &str, tests: &[&TestView], ruler: &Ruler, draft: &mut Draft) -> Vec<Point> {
    let mut places: BTreeMap<Coordinate, Vec<&TestView>> = BTreeMap::new();
    for test in tests {
        places.entry(Coordinate::of(&test.tuple, spec.x)).or_default().push(test);
    }
    let scale = spec.y.unit.scale();
    let mut points = Vec::with_capacity(places.len());
    for (coordinate, candidates) in places {
        let at = ruler.places.get(&coordinate).copied().unwrap_or(0.0);
        let mut miss = |test: &TestView, reason: String| {
            let x = select::value_shown(spec.x, &test.tuple);
            let what = if label.is_empty() { x } else { format!("{label} at {x}") };
            let clean = |text: String| text::cleaned(&text, text::LABEL_MAX);
            draft.missing.push(Missing { what: clean(what), reason: clean(reason) });
        };
        match select::cell(&candidates, spec.y, spec.over) {
            Some(Cell::Value { test, estimate, chosen, absent }) => {
                let y = estimate.mean / scale;
                if !y.is_finite() {
                    miss(test, "the value is not a number".to_string());
                    continue;
                }
                if spec.y_scale != Scale::Linear && y <= 0.0 {
                    miss(test, "0 has no place on a logarithmic axis".to_string());
                    continue;
                }
                let ends = estimate.half_width.map(|half| half.abs() / scale).filter(|half| half.is_finite());
                let flags = test.measured().map(|summary| summary.flags.clone()).unwrap_or_default();
                draft.add(test, &flags, ends.is_some(), absent);
                points.push(Point {
                    x: at,
                    y,
                    interval: ends.map(|half| positive::ends(y, half)),
                    source: Some(PointSource {
                        test: test.name.clone(),
                        key: test.key.clone(),
                        n: estimate.n,
                        flags,
                        x_data: ruler.data(at, test, spec.x),
                        chosen: chosen.map(|chosen| text::cleaned(&chosen, text::LABEL_MAX)),
                        tuple: Some(test.tuple.clone()),
                    }),
                });
            }
            Some(Cell::Missing { test, reason }) => miss(test, reason),
            None => {}
        }
    }
    points
}

impl Draft {
    fn add(&mut self, test: &TestView, flags: &[(Flag, u32)], has_interval: bool, absent: usize) {
        self.values += 1;
        self.alone += usize::from(!has_interval);
        self.absent += absent;
        if test.measured().is_some_and(|summary| !summary.outliers.is_empty()) {
            self.far.push(test.name.clone());
        }
        self.grade = self.grade.max(test.measured().map_or(Grade::Indicative, |summary| summary.grade));
        for (flag, _) in flags {
            *self.flags.entry(*flag).or_default() += 1;
        }
    }
}

fn notes(draft: &Draft, series: &[Series], y: &PlotAxis) -> Vec<String> {
    let mut notes = grade_notes(draft.grade, &draft.flags.keys().copied().collect::<Vec<_>>());
    if draft.values == 0 {
        notes = vec!["Nothing of this figure has been measured.".to_string()];
    }
    notes.extend(missing_note(&draft.missing));
    if draft.absent > 0 {
        notes.push(format!(
            "{} of the folded tests have no result: a best value was chosen without them.",
            draft.absent
        ));
    }
    if draft.alone > 0 {
        notes
            .push(format!("{} of {} values come from one repetition and have no interval.", draft.alone, draft.values));
    }
    notes.extend(far_note(&draft.far));
    let beyond = |point: &Point| point.interval.is_some_and(|(low, high)| high > y.max || low < y.min);
    if series.iter().any(|series| series.is_marked() && series.points.iter().any(beyond)) {
        notes.push("Intervals with an arrow are wider than the plot.".to_string());
    }
    if series.iter().any(|series| !series.is_marked()) {
        notes.push(format!(
            "Series of more than {MARKED_POINTS_MAX} points are drawn as lines without intervals; \
             every value is in the CSV file."
        ));
    }
    notes
}

/// The note that some averages hold repetitions far from the others: told, never dropped.
fn far_note(tests: &[String]) -> Option<String> {
    const LISTED_MAX: usize = 4;
    let listed = tests.iter().take(LISTED_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = tests.len().saturating_sub(LISTED_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    (!tests.is_empty()).then(|| format!("Repetitions far from the others are averaged all the same: {listed}{more}."))
}

/// What has to be said below results of that grade with these flags.
pub fn grade_notes(grade: Grade, flags: &[Flag]) -> Vec<String> {
    if grade == Grade::PaperGrade {
        return Vec::new();
    }
    let reasons: Vec<&str> = flags.iter().filter(|flag| flag.indicative()).map(|flag| flag.name()).collect();
    let because = match reasons.is_empty() {
        true => String::new(),
        false => format!(" ({})", reasons.join(", ")),
    };
    let mut notes = vec![format!("Indicative, not paper-grade{because}.")];
    if flags.contains(&Flag::Oversubscribed) {
        notes.push(
            "Cores were shared while measuring, so the sleep policy of each program decides who wins: \
             no ranking may be read from it."
                .to_string(),
        );
    }
    notes
}

/// One sentence for all missing places: each reason with what it concerns, long lists cut.
pub fn missing_note(missing: &[Missing]) -> Option<String> {
    const LISTED_MAX: usize = 6;
    let mut reasons: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for place in missing {
        reasons.entry(&place.reason).or_default().push(&place.what);
    }
    let told: Vec<String> = reasons
        .iter()
        .map(|(reason, places)| {
            let mut list = places.iter().take(LISTED_MAX).copied().collect::<Vec<_>>().join(", ");
            if places.len() > LISTED_MAX {
                list.push_str(&format!(" and {} more", places.len() - LISTED_MAX));
            }
            text::cleaned(&format!("{list} ({reason})"), text::PROSE_MAX)
        })
        .collect();
    (!told.is_empty()).then(|| format!("Missing: {}.", told.join("; ")))
}
