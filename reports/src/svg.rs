//! A plot as SVG: positions are computed here to two decimals of a pixel, markup is the template's. It must
//! not know what figures are made of, nor the page around them.

mod legend;

use serde::Serialize;

pub(crate) use self::legend::shared_legend;
use self::legend::{LegendItem, legend};
use crate::figure::Figure;
use crate::number::{self, pixel};
use crate::plot::{self, Form, Plot, PlotAxis, Point, Series, Whisker};
use crate::style::{Look, PALETTE};
use crate::templates::{RenderError, Templates};
use crate::text;

/// Width of a drawing in pixels; pages scale it.
const WIDTH: f64 = 560.0;
/// Height of the box between the axes.
const BOX_HEIGHT: f64 = 270.0;
const RIGHT: f64 = 16.0;
const TICK_FONT_PX: f64 = 12.0;
/// Mean width of a character, as part of the font's size.
const CHARACTER: f64 = 0.56;
const LEGEND_ROW: f64 = 20.0;

/// What a drawing carries besides the plot itself.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// Starts every id inside, so that several drawings share a page.
    pub id: &'a str,
    /// Accessible name.
    pub title: &'a str,
    /// Accessible description.
    pub description: &'a str,
    /// Whether it stands alone: with its own style and heading, without links.
    pub alone: bool,
    /// Whether it has a legend of its own.
    pub legend: bool,
    /// From the page to the report's folder: empty or `../`.
    pub base: &'a str,
    /// The base's text for hollow series.
    pub base_hollow: &'a str,
}

#[derive(Serialize)]
struct Drawing {
    id: String,
    title: String,
    description: String,
    alone: bool,
    style: String,
    width: String,
    height: String,
    left: String,
    top: String,
    right: String,
    bottom: String,
    box_width: String,
    box_height: String,
    heading_x: String,
    legend: Vec<LegendItem>,
    x_ticks: Vec<TickMark>,
    y_ticks: Vec<TickMark>,
    slanted: bool,
    x_label: String,
    x_label_x: String,
    x_label_y: String,
    y_label: String,
    y_label_y: String,
    shaded: Vec<Band>,
    lines: Vec<Line>,
    references: Vec<Spot>,
    empty: bool,
}

#[derive(Serialize)]
struct Band {
    x: String,
    width: String,
}

#[derive(Serialize)]
struct Spot {
    x: String,
    y: String,
    tip: String,
}

#[derive(Serialize)]
struct TickMark {
    at: String,
    label: String,
}

/// How bars are filled: a pattern that is defined beside them, and the paint that uses it.
#[derive(Clone, Default, Serialize)]
struct Hatching {
    id: String,
    path: &'static str,
    paint: String,
}

impl Hatching {
    fn of(look: &Look, id: String) -> Hatching {
        match look.marker.hatch().path() {
            "" => Hatching { paint: "currentColor".to_string(), ..Hatching::default() },
            path => Hatching { paint: format!("url(#{id})"), id, path },
        }
    }
}

#[derive(Serialize)]
struct Line {
    label: String,
    class: String,
    hatch: Hatching,
    dash: &'static str,
    path: String,
    whiskers: String,
    shape: &'static str,
    open: bool,
    hollow: bool,
    marks: Vec<Mark>,
    bars: bool,
}

#[derive(Serialize)]
struct Mark {
    x: String,
    y: String,
    width: String,
    height: String,
    tip: String,
    link: String,
}

/// The style sheet of drawings that stand alone, with the palette.
pub fn style(templates: &Templates) -> String {
    let mut sheet = templates.static_text("plot.css").to_string();
    sheet.push_str(&palette_css());
    sheet
}

/// Colours as rules, light first, then dark.
pub(crate) fn palette_css() -> String {
    let rules = |dark: bool| -> String {
        let color = |entry: &(&str, &'static str, &'static str)| if dark { entry.2 } else { entry.1 };
        PALETTE.iter().enumerate().map(|(place, entry)| format!(".k{place}{{color:{}}}\n", color(entry))).collect()
    };
    format!(
        "{}@media (prefers-color-scheme:dark){{\n{}}}\n@media print{{\n{}}}\n",
        rules(false),
        rules(true),
        rules(false)
    )
}

/// The file of a report's test page, or none for a test without a key.
pub(crate) fn test_page(key: Option<&str>) -> Option<String> {
    let key = key?;
    let plain = !key.is_empty() && key.len() <= 128 && key.bytes().all(|byte| byte.is_ascii_hexdigit());
    plain.then(|| format!("tests/{key}.html"))
}

/// A figure as a file of its own.
pub fn figure_file(templates: &Templates, figure: &Figure) -> Result<String, RenderError> {
    let title =
        figure.title.clone().unwrap_or_else(|| format!("{} against {}", figure.plot.y.label, figure.plot.x.label));
    let description = description(figure);
    let setting = Setting {
        id: "figure",
        title: &title,
        description: &description,
        alone: true,
        legend: true,
        base: "",
        base_hollow: "",
    };
    drawing(templates, &figure.plot, &setting)
}

/// A figure inside a page.
pub(crate) fn figure_inline(
    templates: &Templates,
    figure: &Figure,
    legend: bool,
    (base, base_hollow): (&str, &str),
) -> Result<String, RenderError> {
    let id = format!("fig-{}", figure.id);
    let title =
        figure.title.clone().unwrap_or_else(|| format!("{} against {}", figure.plot.y.label, figure.plot.x.label));
    let description = description(figure);
    drawing(
        templates,
        &figure.plot,
        &Setting { id: &id, title: &title, description: &description, alone: false, legend, base, base_hollow },
    )
}

fn description(figure: &Figure) -> String {
    let series: Vec<&str> =
        figure.plot.series.iter().map(|series| series.label.as_str()).filter(|label| !label.is_empty()).collect();
    let mut sentences = vec![format!("{} against {}.", figure.plot.y.label, figure.plot.x.label)];
    if !series.is_empty() {
        sentences.push(format!("Series: {}.", series.join(", ")));
    }
    sentences.extend(figure.caption.clone());
    sentences.extend(figure.notes.iter().cloned());
    sentences.join(" ")
}

/// Where the box between the axes lies.
struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Frame {
    fn x(&self, axis: &PlotAxis, value: f64) -> f64 {
        self.left + axis.position(value) * self.width
    }

    fn y(&self, axis: &PlotAxis, value: f64) -> f64 {
        self.top + (1.0 - axis.position(value)) * self.height
    }
}

/// A plot with its surroundings.
pub fn drawing(templates: &Templates, plot: &Plot, setting: &Setting) -> Result<String, RenderError> {
    let digits = |ticks: &[crate::plot::Tick]| ticks.iter().map(|tick| tick.label.chars().count()).max().unwrap_or(1);
    let left = 36.0 + digits(&plot.y.ticks) as f64 * TICK_FONT_PX * CHARACTER;
    let heading = if setting.alone { 26.0 } else { 6.0 };
    let series: Vec<&Series> = plot.series.iter().collect();
    let bars = plot.form == Form::Bars;
    let (items, rows) = match setting.legend {
        true => legend(&series, setting.id, (bars, !plot.references.is_empty()), (left, heading), WIDTH - RIGHT),
        false => (Vec::new(), 0),
    };
    let top = heading + rows as f64 * LEGEND_ROW + 6.0;
    let frame = Frame { left, top, width: WIDTH - left - RIGHT, height: BOX_HEIGHT };

    let name_width = digits(&plot.x.ticks).min(24) as f64 * TICK_FONT_PX * CHARACTER;
    let slanted = bars && name_width + 6.0 > frame.width / plot.x.ticks.len().max(1) as f64;
    let names_height = if slanted { name_width * 0.6 + 16.0 } else { 20.0 };
    let bottom = frame.top + frame.height;
    let height = bottom + names_height + 28.0;

    let tick = |at: f64, label: &str| TickMark { at: pixel(at), label: shortened(label) };
    let lines = plot.series.iter().enumerate().map(|(place, series)| line(plot, place, series, &frame, setting));
    let data = Drawing {
        id: setting.id.to_string(),
        title: setting.title.to_string(),
        description: setting.description.to_string(),
        alone: setting.alone,
        style: if setting.alone { style(templates) } else { String::new() },
        width: pixel(WIDTH),
        height: pixel(height),
        left: pixel(frame.left),
        top: pixel(frame.top),
        right: pixel(frame.left + frame.width),
        bottom: pixel(bottom),
        box_width: pixel(frame.width),
        box_height: pixel(frame.height),
        heading_x: pixel(frame.left),
        legend: items,
        x_ticks: plot.x.ticks.iter().map(|mark| tick(frame.x(&plot.x, mark.at), &mark.label)).collect(),
        y_ticks: plot.y.ticks.iter().map(|mark| tick(frame.y(&plot.y, mark.at), &mark.label)).collect(),
        slanted,
        x_label: plot.x.label.clone(),
        x_label_x: pixel(frame.left + frame.width / 2.0),
        x_label_y: pixel(height - 8.0),
        y_label: plot.y.label.clone(),
        y_label_y: pixel(frame.top + frame.height / 2.0),
        shaded: plot.shaded.iter().map(|&range| band(plot, &frame, range)).collect(),
        lines: lines.collect(),
        references: plot
            .references
            .iter()
            .map(|reference| Spot {
                x: pixel(frame.x(&plot.x, reference.x)),
                y: pixel(frame.y(&plot.y, reference.y)),
                tip: reference.tip.clone(),
            })
            .collect(),
        empty: plot.series.iter().all(|series| series.points.is_empty()),
    };
    templates.markup("figure.svg", &data)
}

fn band(plot: &Plot, frame: &Frame, (from, to): (f64, f64)) -> Band {
    let inside = |at: f64| frame.x(&plot.x, at).clamp(frame.left, frame.left + frame.width);
    Band { x: pixel(inside(from)), width: pixel((inside(to) - inside(from)).max(0.0)) }
}

fn shortened(label: &str) -> String {
    const SHOWN_MAX: usize = 24;
    match label.chars().count() > SHOWN_MAX {
        true => label.chars().take(SHOWN_MAX - 1).chain(['…']).collect(),
        false => label.to_string(),
    }
}

fn line(plot: &Plot, place: usize, series: &Series, frame: &Frame, setting: &Setting) -> Line {
    let bars = plot.form == Form::Bars;
    let drawn = series.drawn();
    let group = frame.width / plot.x.ticks.len().max(1) as f64;
    let bar_width = plot::bar_width(plot.series.len()) * group;
    let offset = plot::bar_offset(place, plot.series.len()) * group;
    let base = frame.y(&plot.y, plot.y.min.max(if plot.y.min < 0.0 { 0.0 } else { plot.y.min }));
    let decimals = number::decimals_for(plot.y.max.abs().max(plot.y.min.abs()));

    let base_of_page = if series.hollow { setting.base_hollow } else { setting.base };
    let limits = Whisker::of(plot.form, place, plot.series.len(), plot.x.ticks.len());
    let (mut path, mut whiskers, mut marks) = (String::new(), String::new(), Vec::new());
    for (at, point) in drawn.iter().enumerate() {
        let x = frame.x(&plot.x, point.x) + if bars { offset } else { 0.0 };
        let y = frame.y(&plot.y, point.y);
        if !bars {
            path.push_str(&format!("{}{} {}", if at == 0 { "M" } else { "L" }, pixel(x), pixel(y)));
        }
        if !series.is_marked() {
            continue;
        }
        whisker(point, plot, frame, (x + WIDTH * limits.aside, WIDTH * limits.cap), &mut whiskers);
        let (top, height) = if y <= base { (y, base - y) } else { (base, y - base) };
        let link = match (setting.alone, &point.source) {
            (false, Some(source)) => test_page(source.key.as_deref()).map(|page| format!("{base_of_page}{page}")),
            _ => None,
        };
        marks.push(Mark {
            x: pixel(if bars { x - bar_width * 0.46 } else { x }),
            y: pixel(if bars { top } else { y }),
            width: pixel(bar_width * 0.92),
            height: pixel(height),
            tip: tip(plot, series, point, decimals),
            link: link.unwrap_or_default(),
        });
    }
    Line {
        label: series.label.clone(),
        class: series.look.ink.class(),
        hatch: Hatching::of(&series.look, format!("{}-bars{place}", setting.id)),
        dash: series.look.dash.svg(),
        path,
        whiskers,
        shape: series.look.marker.path(),
        open: series.look.marker.open(),
        hollow: series.hollow,
        marks,
        bars,
    }
}

/// A whisker with caps; an end outside of the box becomes an arrow on its edge.
fn whisker(point: &Point, plot: &Plot, frame: &Frame, (x, cap): (f64, f64), path: &mut String) {
    let Some((low, high)) = point.interval else { return };
    let (top, bottom) = (frame.top, frame.top + frame.height);
    let (from, to) = (frame.y(&plot.y, low), frame.y(&plot.y, high));
    let inside = |y: f64| y.clamp(top, bottom);
    path.push_str(&format!("M{0} {1}V{2}", pixel(x), pixel(inside(from)), pixel(inside(to))));
    for (end, edge, inward) in [(from, bottom, -4.0), (to, top, 4.0)] {
        let left = pixel(x - cap);
        if (top - 0.01..=bottom + 0.01).contains(&end) {
            path.push_str(&format!("M{left} {}h{}", pixel(end), pixel(2.0 * cap)));
        } else {
            let (cap, start) = (pixel(cap), pixel(edge + inward));
            path.push_str(&format!("M{left} {start}l{cap} {}l{cap} {}", pixel(-inward), pixel(inward)));
        }
    }
}

/// What a reader sees who points at a mark.
fn tip(plot: &Plot, series: &Series, point: &Point, decimals: usize) -> String {
    let shown = |value: f64| number::shown(value, decimals);
    let x = plot.x.ticks.iter().find(|tick| tick.at == point.x && !tick.label.is_empty());
    let x = x.map_or_else(|| number::machine(point.x), |tick| tick.label.clone());
    let x = match plot.form {
        Form::Lines => format!("{}: {x}", plot.x.label),
        Form::Bars => x,
    };
    let name = if series.label.is_empty() { String::new() } else { format!("{}, ", series.label) };
    let name = if series.hollow { format!("theirs: {name}") } else { name };
    let mut lines = vec![format!("{name}{x}"), format!("{}: {}", plot.y.label, shown(point.y))];
    if let Some((low, high)) = point.interval {
        lines.push(format!("95 % interval {} to {}", shown(low), shown(high)));
    }
    if let Some(source) = &point.source {
        lines.push(match source.n {
            1 => "1 repetition, no interval".to_string(),
            n => format!("{n} repetitions"),
        });
        if let Some(chosen) = &source.chosen {
            lines.push(format!("best at {chosen}"));
        }
        if !source.flags.is_empty() {
            let flags: Vec<&str> = source.flags.iter().map(|(flag, _)| flag.name()).collect();
            lines.push(format!("flags: {}", flags.join(", ")));
        }
        lines.push(text::cleaned(&source.test, text::LABEL_MAX));
        lines.extend(source.key.as_deref().map(|key| format!("key {}", key.chars().take(16).collect::<String>())));
    }
    lines.join("\n")
}
