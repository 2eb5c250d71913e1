//! What can only be told of the file as a whole: identifiers that are used twice, groups that contradict each
//! other, drawables over tests that do not exist. It must not know TOML.

use std::collections::{BTreeMap, BTreeSet};

use reports::claim::{self, Claim, ClaimError};
use reports::figure::check_figure;
use reports::select::SpecError;
use reports::spec::Id;
use reports::table::check_table;
use results::axes::Axis;
use results::tuple::Tuple;

use super::axis_list::Listed;
use super::diagnostic::Span;
use super::document::{Findings, Section};
use super::group::{self, Places};
use super::matrix::{self, Group, Matrix, MatrixError, TESTS_MAX, Times};
use super::report::{Drawable, Spec};
use super::units::with_commas;
use reports::suggest;

/// What could be read of all groups.
#[derive(Default)]
pub struct Groups {
    /// Identifiers in order of declaration; each with the place of its group in `sound`, if it is there.
    known: Vec<(Id, Option<usize>)>,
    /// Groups in which nothing is wrong.
    pub sound: Vec<Group>,
    /// Where the parts of each of them are.
    places: Vec<Places>,
}

/// Reads all groups, whose identifiers must differ.
pub fn groups(sections: &[Section<'_, '_>], protocol: Option<Times>, findings: &mut Findings<'_>) -> Groups {
    let mut groups = Groups::default();
    let mut ids = Vec::new();
    for section in sections {
        let id = group::id(*section, findings);
        // A group without an identifier is still looked through.
        let name = id.as_ref().map(|(id, _)| id.clone()).or_else(|| Id::new("unnamed"));
        let read = name.and_then(|name| group::read(*section, name, protocol, findings));
        let Some((id, span)) = id else { continue };
        groups.known.push((id.clone(), read.is_some().then_some(groups.sound.len())));
        ids.push((id, span));
        if let Some((group, places)) = read {
            groups.sound.push(group);
            groups.places.push(places);
        }
    }
    unique("groups", ids, findings);
    groups
}

/// Identifiers of figures, tables and claims name files, and must differ: also where a file system does not tell an
/// upper-case letter from a lower-case one.
pub fn ids_are_unique(ids: impl Iterator<Item = (Id, Span)>, findings: &mut Findings<'_>) {
    unique("figures, tables and claims", ids.collect(), findings);
}

fn unique(what: &str, mut ids: Vec<(Id, Span)>, findings: &mut Findings<'_>) {
    ids.sort_by_key(|(_, span)| span.start);
    let mut first: BTreeMap<String, (Id, usize)> = BTreeMap::new();
    for (id, span) in ids {
        match first.get(&id.as_str().to_ascii_lowercase()) {
            Some((known, start)) if *known == id => {
                let help = format!("it is already on line {}; ids of {what} must differ", findings.line(*start));
                findings.error(span, format!("the id '{id}' is used twice"), Some(help));
            }
            Some((known, start)) => {
                let line = findings.line(*start);
                let help = format!("on some file systems they name one file; '{known}' is on line {line}");
                findings.error(span, format!("the ids '{known}' and '{id}' differ in case only"), Some(help));
            }
            None => drop(first.insert(id.as_str().to_ascii_lowercase(), (id, span.start))),
        }
    }
}

/// Makes the matrix of all groups that could be read. None when there are too many tests to make any.
pub fn matrix(groups: &Groups, findings: &mut Findings<'_>) -> Option<Matrix> {
    let (matrix, errors) = matrix::expand(&groups.sound);
    let refused =
        |error: &MatrixError| matches!(error, MatrixError::TooMany { .. } | MatrixError::TooManyTogether { .. });
    let made = !errors.iter().any(refused);
    for error in errors {
        tell(&error, groups, findings);
    }
    made.then_some(matrix)
}

fn tell(error: &MatrixError, groups: &Groups, findings: &mut Findings<'_>) {
    let limit = with_commas(TESTS_MAX);
    let head = |group: usize| groups.places[group].head.clone();
    match error {
        MatrixError::TooMany { group, product } => {
            let message = format!("'{}' has more than {limit} tests: {product}", groups.sound[*group].id);
            findings.error(head(*group), message, Some("take values out of its longest axes".into()));
        }
        MatrixError::TooManyTogether { sum } => {
            let message = format!("the groups have more than {limit} tests together: {sum}");
            findings.error(head(0), message, Some("split the experiment".into()));
        }
        MatrixError::Impossible { group, axis, value, fault } => {
            let spans = groups.places[*group].axes.iter().find(|(named, _)| named == axis);
            let span = spans.map_or_else(|| head(*group), |(_, spans)| spans.of(*value));
            findings.error(span, fault.to_string(), Some(fault.help()));
        }
        MatrixError::Beyond { group, place, limit } => {
            let of_axis = place.and_then(|(axis, value)| {
                let axes = &groups.places[*group].axes;
                axes.iter().find(|(named, _)| *named == axis).map(|(_, spans)| spans.of(value))
            });
            let whole = if place.is_some() { head(*group) } else { groups.places[*group].times.clone() };
            findings.error(of_axis.unwrap_or(whole), limit.to_string(), Some(limit.help()));
        }
        MatrixError::ExcludesNothing { group, exclusion } => {
            let span = groups.places[*group].exclusions[*exclusion].clone();
            let help = "take it out, or mend its values".into();
            findings.error(span, "the exclusion leaves out no test of its group", Some(help));
        }
        MatrixError::Empty { group } => {
            let message = format!("every test of '{}' is excluded", groups.sound[*group].id);
            findings.error(head(*group), message, None);
        }
        MatrixError::TimesDiffer { first, second, test } => {
            let line = |group: usize| findings.line(groups.places[group].times.start);
            let times = |group: usize| shown(groups.sound[group].times);
            let id = &groups.sound[*first].id;
            let (old, new) = (line(*first), line(*second));
            let message = format!(
                "test {test} is also in '{id}' (line {old}), with {} instead of {}",
                times(*first),
                times(*second)
            );
            let help = format!("give lines {old} and {new} the same duration, warmup and cooldown");
            findings.error(groups.places[*second].times.clone(), message, Some(help));
        }
    }
}

fn shown(times: Times) -> String {
    let seconds = |time_ns: u64| time_ns as f64 / 1e9;
    let Times { duration_ns, warmup_ns, cooldown_ns, chosen } = times;
    if chosen {
        return format!("{}+chosen+{} s", seconds(warmup_ns), seconds(cooldown_ns));
    }
    format!("{}+{}+{} s", seconds(warmup_ns), seconds(duration_ns), seconds(cooldown_ns))
}

/// Whether every figure, table and claim can be made of the tests of its groups.
pub fn drawables(drawables: &[Drawable], groups: &Groups, matrix: Option<&Matrix>, findings: &mut Findings<'_>) {
    for drawable in drawables {
        let claim = parsed(drawable, findings);
        let mut sound = true;
        for (id, span) in &drawable.from {
            if !groups.known.iter().any(|(known, _)| known == id) {
                let help = suggest::help(id.as_str(), groups.known.iter().map(|(known, _)| known.as_str()));
                findings.missing(span.clone(), format!("there is no group of tests '{id}'"), help);
                sound = false;
            }
        }
        let Some(tests) = matrix.filter(|_| sound).and_then(|matrix| of_groups(drawable, groups, matrix)) else {
            continue;
        };
        // Groups without any test were told themselves.
        if tests.is_empty() || !values_exist(&drawable.selection, &tests, findings) {
            continue;
        }
        published_of_tests(drawable, &tests, findings);
        match claim {
            Some((claim, test)) => {
                if let Err(error) = claim.check(&tests) {
                    claim_error(error, test, drawable, findings);
                }
            }
            None => made_of(drawable, &tests, findings),
        }
    }
}

/// A claim's expression, with its text.
fn parsed<'d>(drawable: &'d Drawable, findings: &mut Findings<'_>) -> Option<(Claim, &'d str)> {
    let Spec::Claim(spec) = &drawable.spec else { return None };
    match claim::parse(&spec.test) {
        Ok(claim) => Some((claim, &spec.test)),
        Err(error) => {
            claim_error(error, &spec.test, drawable, findings);
            None
        }
    }
}

/// The tests of a drawable's groups; None when a group could not be read.
fn of_groups<'m>(drawable: &Drawable, groups: &Groups, matrix: &'m Matrix) -> Option<Vec<&'m Tuple>> {
    let mut wanted = BTreeSet::new();
    for (_, place) in groups.known.iter().filter(|(known, _)| drawable.from.iter().any(|(id, _)| id == known)) {
        wanted.insert((*place)?);
    }
    let tests = matrix.tests.iter();
    let tests = tests.filter(|test| test.groups.iter().any(|group| wanted.contains(&usize::from(*group))));
    Some(tests.map(|test| &test.tuple).collect())
}

fn values_exist(selection: &[(Axis, Listed)], tests: &[&Tuple], findings: &mut Findings<'_>) -> bool {
    const LISTED_MAX: usize = 16;
    let mut sound = true;
    for (axis, listed) in selection {
        for (index, value) in listed.values.iter().enumerate() {
            if tests.iter().any(|tuple| value.is_of(tuple)) {
                continue;
            }
            let mut there: Vec<_> = tests.iter().map(|tuple| tuple.value(*axis)).collect();
            there.sort();
            there.dedup();
            let there = there.iter().take(LISTED_MAX);
            let shown = there.filter_map(|value| tests.iter().find(|tuple| tuple.value(*axis) == *value));
            let shown: Vec<String> = shown.map(|tuple| tuple.shown(*axis)).collect();
            let message = format!("no test of its groups has {axis} = {value}");
            findings.error(listed.spans.of(index), message, Some(format!("they have {}", shown.join(", "))));
            sound = false;
        }
    }
    sound
}

/// Whether there are tests that each published number is of.
fn published_of_tests(drawable: &Drawable, tests: &[&Tuple], findings: &mut Findings<'_>) {
    let Some(declared) = &drawable.published else { return };
    let takes = |parts: &[(Axis, Listed)], tuple: &Tuple| {
        parts.iter().all(|(_, listed)| listed.values.iter().any(|value| value.is_of(tuple)))
    };
    for (axes, span) in &declared.places {
        let there = tests.iter().any(|tuple| takes(&drawable.selection, tuple) && takes(axes, tuple));
        if values_exist(axes, tests, findings) && !there {
            findings.error(span.clone(), "no test shown here matches this published number", None);
        }
    }
}

fn made_of(drawable: &Drawable, tests: &[&Tuple], findings: &mut Findings<'_>) {
    let taken =
        |tuple: &&Tuple| drawable.selection.iter().all(|(_, listed)| listed.values.iter().any(|v| v.is_of(tuple)));
    let taken: Vec<&Tuple> = tests.iter().copied().filter(taken).collect();
    let (what, metric, result) = match &drawable.spec {
        Spec::Figure(figure) => ("figure", "y", check_figure(figure, &taken)),
        Spec::Table(table) => ("table", "value", check_table(table, &taken)),
        Spec::Claim(_) => return,
    };
    let Err(error) = result else { return };
    let span = match &error {
        // Both were told while reading, with their own places.
        SpecError::AxisTwice(_) | SpecError::SeveralValues(_) => return,
        SpecError::NoTest => drawable.span("where"),
        SpecError::NoSuchMetric { .. } if drawable.keys.iter().any(|(key, _)| *key == "values") => {
            drawable.span("values")
        }
        SpecError::NoSuchMetric { .. } => drawable.span(metric),
        SpecError::TooManySeries { .. } => drawable.span("series"),
        SpecError::Ambiguous { .. } => drawable.id.clone(),
    };
    findings.error(span, format!("the {what} cannot be made: {error}"), None);
}

/// Points into the expression, when the file writes it as it is read: without escapes.
fn claim_error(error: ClaimError, test: &str, drawable: &Drawable, findings: &mut Findings<'_>) {
    let span = drawable.span("test");
    let written = findings.source.get(span.clone()).and_then(|literal| literal.find(test));
    let place = written.map_or(span.clone(), |start| {
        let start = span.start + start;
        start + error.at.start..start + error.at.end
    });
    let help = error.suggestion.map(|right| format!("did you mean '{right}'?"));
    findings.error(place, format!("the claim makes no sense: {}", error.message), help);
}
