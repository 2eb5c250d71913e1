//! One look for a series everywhere: colour, marker and dash. Colours are Okabe and Ito's, which people with
//! any common colour blindness can tell apart ("Color Universal Design", 2008), without its yellow, which
//! paper swallows. It must not know pages or plots.

use results::axes::{Axis, IO_ALL, VSwitch, io_name};
use results::tuple::Value;

/// A colour, by its place in the palette.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ink(u8);

/// A palette entry: name, colour on white, colour on a dark page.
pub const PALETTE: [(&str, &str, &str); 8] = [
    ("black", "#000000", "#f2f2f2"),
    ("orange", "#E69F00", "#f2b63c"),
    ("sky", "#56B4E9", "#9bdcff"),
    ("green", "#009E73", "#2fc79a"),
    ("purple", "#CC79A7", "#e6a3c6"),
    ("blue", "#0072B2", "#4d9fff"),
    ("vermillion", "#D55E00", "#ff8038"),
    ("grey", "#7F7F7F", "#9d9d9d"),
];

impl Ink {
    /// The class of elements in this colour: `k5`.
    pub fn class(self) -> String {
        format!("k{}", self.0)
    }

    /// The ink's name in LaTeX: `septet-blue`.
    pub fn tex(self) -> String {
        format!("septet-{}", PALETTE[usize::from(self.0) % PALETTE.len()].0)
    }

    /// The ink's value on white, `#RRGGBB`.
    pub fn hex(self) -> &'static str {
        PALETTE[usize::from(self.0) % PALETTE.len()].1
    }
}

/// The shape of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// A disc.
    Circle,
    /// A square.
    Square,
    /// A triangle, point up.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A triangle, point down.
    TriangleDown,
    /// Five corners.
    Pentagon,
    /// Two crossed strokes.
    Cross,
    /// A disc's outline.
    Ring,
}

const MARKERS: [Marker; 8] = [
    Marker::Circle,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::TriangleDown,
    Marker::Pentagon,
    Marker::Cross,
    Marker::Ring,
];

impl Marker {
    /// The outline around the origin, about 8 px across, as SVG path data.
    pub fn path(self) -> &'static str {
        match self {
            Marker::Circle => "M-3.6 0a3.6 3.6 0 1 0 7.2 0a3.6 3.6 0 1 0-7.2 0z",
            Marker::Square => "M-3.3-3.3h6.6v6.6h-6.6z",
            Marker::Triangle => "M0-4.4L4.1 3H-4.1z",
            Marker::Diamond => "M0-4.6L4.2 0L0 4.6L-4.2 0z",
            Marker::TriangleDown => "M0 4.4L4.1-3H-4.1z",
            Marker::Pentagon => "M0-4.2L4-1.3L2.5 3.4H-2.5L-4-1.3z",
            Marker::Cross => "M-3.4-3.4L3.4 3.4M-3.4 3.4L3.4-3.4",
            Marker::Ring => "M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0z",
        }
    }

    /// The filling of a bar of the same series: what tells markers apart tells bars apart.
    pub fn hatch(self) -> Hatch {
        match self {
            Marker::Circle => Hatch::Solid,
            Marker::Square => Hatch::Rising,
            Marker::Triangle => Hatch::Dots,
            Marker::Diamond => Hatch::Falling,
            Marker::TriangleDown => Hatch::Level,
            Marker::Pentagon => Hatch::Crossed,
            Marker::Cross => Hatch::Upright,
            Marker::Ring => Hatch::Grid,
        }
    }

    /// Whether it is drawn as strokes, not filled.
    pub fn open(self) -> bool {
        matches!(self, Marker::Cross | Marker::Ring)
    }

    /// pgfplots' options for it.
    pub fn tex(self) -> &'static str {
        match self {
            Marker::Circle => "mark=*",
            Marker::Square => "mark=square*",
            Marker::Triangle => "mark=triangle*",
            Marker::Diamond => "mark=diamond*",
            Marker::TriangleDown => "mark=triangle*, mark options={rotate=180}",
            Marker::Pentagon => "mark=pentagon*",
            Marker::Cross => "mark=x",
            Marker::Ring => "mark=o",
        }
    }
}

/// How a bar is filled, so that bars can be told apart without colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hatch {
    /// With its colour alone.
    Solid,
    /// Strokes that rise.
    Rising,
    /// Strokes that fall.
    Falling,
    /// Strokes that rise and strokes that fall.
    Crossed,
    /// Points.
    Dots,
    /// Level strokes.
    Level,
    /// Upright strokes.
    Upright,
    /// Level and upright strokes.
    Grid,
}

impl Hatch {
    /// The strokes on a tile of [`Hatch::TILE_PX`], as SVG path data; empty for none.
    pub fn path(self) -> &'static str {
        match self {
            Hatch::Solid => "",
            Hatch::Rising => "M-1 1L1-1M-1 7L7-1M5 7L7 5",
            Hatch::Falling => "M-1 5L1 7M-1-1L7 7M5-1L7 1",
            Hatch::Crossed => "M-1 1L1-1M-1 7L7-1M5 7L7 5M-1 5L1 7M-1-1L7 7M5-1L7 1",
            Hatch::Dots => "M1.5 1.5h.6M4.5 4.5h.6",
            Hatch::Level => "M0 3H6",
            Hatch::Upright => "M3 0V6",
            Hatch::Grid => "M0 3H6M3 0V6",
        }
    }

    /// Width and height of a tile, pixels.
    pub const TILE_PX: u32 = 6;

    /// TikZ's name of it; none for no pattern.
    pub fn tex(self) -> Option<&'static str> {
        match self {
            Hatch::Solid => None,
            Hatch::Rising => Some("north east lines"),
            Hatch::Falling => Some("north west lines"),
            Hatch::Crossed => Some("crosshatch"),
            Hatch::Dots => Some("crosshatch dots"),
            Hatch::Level => Some("horizontal lines"),
            Hatch::Upright => Some("vertical lines"),
            Hatch::Grid => Some("grid"),
        }
    }
}

/// How a series' line is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dash {
    /// Not at all.
    Solid,
    /// Long strokes.
    Dashed,
    /// Points.
    Dotted,
    /// Strokes and points.
    DashDotted,
}

const DASHES: [Dash; 4] = [Dash::Solid, Dash::Dashed, Dash::Dotted, Dash::DashDotted];

impl Dash {
    /// SVG's `stroke-dasharray`; empty for none.
    pub fn svg(self) -> &'static str {
        match self {
            Dash::Solid => "",
            Dash::Dashed => "7 3",
            Dash::Dotted => "2 2.5",
            Dash::DashDotted => "8 3 2 3",
        }
    }

    /// TikZ's option.
    pub fn tex(self) -> &'static str {
        match self {
            Dash::Solid => "solid",
            Dash::Dashed => "dashed",
            Dash::Dotted => "densely dotted",
            Dash::DashDotted => "dash dot",
        }
    }
}

/// The look of one series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Colour.
    pub ink: Ink,
    /// Marker.
    pub marker: Marker,
    /// Dash.
    pub dash: Dash,
}

/// Colours of series that have none of their own, in order.
const ORDER: [u8; 8] = [5, 6, 3, 1, 4, 2, 0, 7];

/// Colours and markers of the well-known switches, in their order.
const SWITCHES: [(u8, Marker); VSwitch::WELL_KNOWN.len()] = [
    (0, Marker::Circle),
    (7, Marker::Cross),
    (1, Marker::Square),
    (4, Marker::Ring),
    (5, Marker::Triangle),
    (2, Marker::Diamond),
    (6, Marker::TriangleDown),
    (3, Marker::Pentagon),
];

/// FNV-1a, 64 bits: the same for a name everywhere and for ever.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

impl Look {
    /// The look of the `place`th series: 32 of them differ.
    pub fn ordered(place: usize) -> Look {
        Look { ink: Ink(ORDER[place % 8]), marker: MARKERS[place % 8], dash: DASHES[place / 8 % 4] }
    }

    /// A switch's look, the same in every figure: its own, if it is well known, and else one that its name alone
    /// decides, and that no well-known switch has.
    pub fn of_switch(vswitch: VSwitch) -> Look {
        if let Some((ink, marker)) = vswitch.place().and_then(|place| SWITCHES.get(place)) {
            return Look { ink: Ink(*ink), marker: *marker, dash: Dash::Solid };
        }
        let broken = &DASHES[1..];
        let hash = hash(vswitch.name());
        let place = |of: usize, size: usize| (hash >> of) as usize % size;
        Look { ink: Ink(place(0, 8) as u8), marker: MARKERS[place(16, 8)], dash: broken[place(32, broken.len())] }
    }

    /// The look of a value on a series axis; `place` is its place among the figure's series.
    pub fn of(axis: Axis, value: &Value, place: usize) -> Look {
        let Value::Name(name) = value else { return Look::ordered(place) };
        match axis {
            Axis::V => VSwitch::new(name).map_or_else(|| Look::ordered(place), Look::of_switch),
            Axis::Io => Look::ordered(IO_ALL.iter().position(|&io| io_name(io) == name).unwrap_or(place)),
            _ => Look::ordered(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eight_bars_differ_without_colour() {
        let hatches: Vec<Hatch> = MARKERS.into_iter().map(Marker::hatch).collect();
        for (place, hatch) in hatches.iter().enumerate() {
            assert!(!hatches[..place].contains(hatch));
            assert!(hatches[..place].iter().all(|other| (other.path(), other.tex()) != (hatch.path(), hatch.tex())));
        }
    }

    #[test]
    fn no_two_switches_and_no_two_of_thirty_two_series_look_alike() {
        let names = VSwitch::WELL_KNOWN.into_iter().chain(["custom:a"]);
        let switches: Vec<Look> = names.map(|name| Look::of_switch(VSwitch::new(name).unwrap())).collect();
        let series: Vec<Look> = (0..32).map(Look::ordered).collect();
        for looks in [switches, series] {
            for (place, look) in looks.iter().enumerate() {
                assert!(!looks[..place].contains(look));
            }
        }
    }

    #[test]
    fn a_switch_that_is_not_well_known_looks_the_same_wherever_it_stands() {
        let look = |name: &str, place| Look::of(Axis::V, &Value::Name(name.into()), place);
        assert_eq!(look("custom:mine", 0), look("custom:mine", 5));
        let pinned = Look { ink: Ink(PINNED.0), marker: PINNED.1, dash: PINNED.2 };
        assert_eq!(look("custom:mine", 1), pinned);
        let looks: Vec<Look> = (0..40).map(|number| look(&format!("custom:{number}"), 0)).collect();
        let differing = looks.iter().enumerate().filter(|(place, look)| !looks[..*place].contains(look)).count();
        assert!(differing > 30, "{differing}");
        assert!(looks.iter().all(|look| look.dash != Dash::Solid));
    }

    /// The look of `custom:mine`. If this must change, figures of others change their colours.
    const PINNED: (u8, Marker, Dash) = (7, Marker::Square, Dash::DashDotted);
}
