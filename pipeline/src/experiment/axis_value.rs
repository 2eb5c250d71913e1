//! One value of one axis: from what a person wrote, onto a test's coordinates, and back to what reports
//! compare. It must not know lists, places in files, or which values go together.

use std::sync::Arc;

use host_setup::{application, switch};
use results::axes::{
    Axis, Burst, Dimension, FrameSize, IO_ALL, Io, Locality, PacketSize, Pairs, Rate, RuntimeChoice, VSwitch, io_name,
};
use results::tuple::{Tuple, Value};

use super::diagnostic::quoted;
use super::units::{self, QuantityError, UnitTable};
use reports::suggest;

/// Most queues a port.
pub const QUEUES_MAX: u64 = 64;
/// Most flows a sender: each is a UDP source port.
pub const FLOWS_MAX: u64 = wire::bounds::FLOWS_MAX as u64;
/// Most cores that a switch can be given.
pub const SWITCH_CORES_MAX: u64 = 256;
/// Longest name of a stack, characters.
const STACK_CHARS_MAX: usize = 64;

/// A value of an axis.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is a value of the axis of its name")]
pub enum AxisValue {
    Dimension(Dimension),
    Locality(Locality),
    Pairs(Pairs),
    VSwitch(VSwitch),
    Packet(PacketSize),
    Rate(Rate),
    Burst(Burst),
    Io(Io),
    Touch(bool),
    Queues(u16),
    Flows(u16),
    Stack(Arc<str>),
    SwitchCores(u16),
    Runtime(RuntimeChoice),
    Frame(FrameSize),
}

/// A value as it was written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scalar<'a> {
    /// A string.
    Text(&'a str),
    /// A whole number.
    Whole(i128),
    /// A number with a fraction or an exponent.
    Decimal(f64),
    /// `true` or `false`.
    Flag(bool),
}

/// Why something is no value of an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl ValueError {
    fn new(message: impl Into<String>, help: impl Into<String>) -> ValueError {
        ValueError { message: message.into(), help: Some(help.into()) }
    }
}

impl AxisValue {
    /// Whether it is a rate that is searched for.
    pub fn is_search(&self) -> bool {
        matches!(self, AxisValue::Rate(rate) if rate.fixed_pps().is_none())
    }

    /// What `scalar` means on `axis`.
    pub fn parse(axis: Axis, scalar: Scalar<'_>) -> Result<AxisValue, ValueError> {
        match axis {
            Axis::D => named(axis, scalar, Dimension::ALL, Dimension::name).map(AxisValue::Dimension),
            Axis::L => named(axis, scalar, Locality::ALL, Locality::name).map(AxisValue::Locality),
            Axis::V => vswitch(scalar).map(AxisValue::VSwitch),
            Axis::Io => named(axis, scalar, &IO_ALL, io_name).map(AxisValue::Io),
            Axis::Runtime => named(axis, scalar, RuntimeChoice::ALL, RuntimeChoice::name).map(AxisValue::Runtime),
            Axis::Frame => named(axis, scalar, FrameSize::ALL, FrameSize::name).map(AxisValue::Frame),
            Axis::S => pairs(scalar).map(AxisValue::Pairs),
            Axis::Touch => touch(scalar).map(AxisValue::Touch),
            Axis::Stack => stack(scalar).map(AxisValue::Stack),
            Axis::R => rate(scalar),
            Axis::P | Axis::B | Axis::Queues | Axis::Flows | Axis::SwitchCores => {
                number(axis, scalar).and_then(|number| AxisValue::from_number(axis, number))
            }
        }
    }

    /// The value of a numeric axis (pairs, bytes, packets per second, ...) that `number` is.
    pub fn from_number(axis: Axis, number: u64) -> Result<AxisValue, ValueError> {
        let small = u16::try_from(number).ok();
        let up_to = |limit: u64| small.filter(|_| (1..=limit).contains(&number));
        let value = match axis {
            Axis::S => small.and_then(Pairs::new).map(AxisValue::Pairs),
            Axis::P => small.and_then(PacketSize::new).map(AxisValue::Packet),
            Axis::R => Rate::pps(number).map(AxisValue::Rate),
            Axis::B => small.and_then(Burst::new).map(AxisValue::Burst),
            Axis::Queues => up_to(QUEUES_MAX).map(AxisValue::Queues),
            Axis::Flows => up_to(FLOWS_MAX).map(AxisValue::Flows),
            Axis::SwitchCores => up_to(SWITCH_CORES_MAX).map(AxisValue::SwitchCores),
            _ => None,
        };
        value.ok_or_else(|| {
            ValueError::new(format!("{axis} = {number} is outside what is possible"), format!("{}", Bounds(axis)))
        })
    }

    /// The value's axis.
    pub fn axis(&self) -> Axis {
        match self {
            AxisValue::Dimension(_) => Axis::D,
            AxisValue::Locality(_) => Axis::L,
            AxisValue::Pairs(_) => Axis::S,
            AxisValue::VSwitch(_) => Axis::V,
            AxisValue::Packet(_) => Axis::P,
            AxisValue::Rate(_) => Axis::R,
            AxisValue::Burst(_) => Axis::B,
            AxisValue::Io(_) => Axis::Io,
            AxisValue::Touch(_) => Axis::Touch,
            AxisValue::Queues(_) => Axis::Queues,
            AxisValue::Flows(_) => Axis::Flows,
            AxisValue::Stack(_) => Axis::Stack,
            AxisValue::SwitchCores(_) => Axis::SwitchCores,
            AxisValue::Runtime(_) => Axis::Runtime,
            AxisValue::Frame(_) => Axis::Frame,
        }
    }

    /// Makes it the value of `tuple` on its axis.
    pub fn apply(&self, tuple: &mut Tuple) {
        match self {
            AxisValue::Dimension(value) => tuple.dimension = *value,
            AxisValue::Locality(value) => tuple.locality = *value,
            AxisValue::Pairs(value) => tuple.pairs = *value,
            AxisValue::VSwitch(value) => tuple.vswitch = *value,
            AxisValue::Packet(value) => tuple.packet = *value,
            AxisValue::Rate(value) => tuple.rate = *value,
            AxisValue::Burst(value) => tuple.burst = *value,
            AxisValue::Io(value) => tuple.variant.io = *value,
            AxisValue::Touch(value) => tuple.variant.touch = *value,
            AxisValue::Queues(value) => tuple.variant.queues = *value,
            AxisValue::Flows(value) => tuple.variant.flows = *value,
            AxisValue::Stack(value) => tuple.variant.stack.clone_from(value),
            AxisValue::SwitchCores(value) => tuple.variant.switch_cores = *value,
            AxisValue::Runtime(value) => tuple.variant.runtime = *value,
            AxisValue::Frame(value) => tuple.variant.frame = *value,
        }
    }

    /// Whether `tuple` has it. The same as comparing [`Tuple::value`], without making strings: matrices are long.
    pub fn is_of(&self, tuple: &Tuple) -> bool {
        match self {
            AxisValue::Dimension(value) => tuple.dimension == *value,
            AxisValue::Locality(value) => tuple.locality == *value,
            AxisValue::Pairs(value) => tuple.pairs == *value,
            AxisValue::VSwitch(value) => tuple.vswitch == *value,
            AxisValue::Packet(value) => tuple.packet == *value,
            AxisValue::Rate(value) => tuple.rate == *value,
            AxisValue::Burst(value) => tuple.burst == *value,
            AxisValue::Io(value) => tuple.variant.io == *value,
            AxisValue::Touch(value) => tuple.variant.touch == *value,
            AxisValue::Queues(value) => tuple.variant.queues == *value,
            AxisValue::Flows(value) => tuple.variant.flows == *value,
            AxisValue::Stack(value) => tuple.variant.stack == *value,
            AxisValue::SwitchCores(value) => tuple.variant.switch_cores == *value,
            AxisValue::Runtime(value) => tuple.variant.runtime == *value,
            AxisValue::Frame(value) => tuple.variant.frame == *value,
        }
    }

    /// What selections compare: equal to [`Tuple::value`] of every tuple that has it.
    pub fn value(&self) -> Value {
        match self {
            AxisValue::Pairs(value) => Value::Number(u64::from(value.get())),
            AxisValue::Packet(value) => Value::Number(u64::from(value.get())),
            AxisValue::Rate(Rate::Pps(pps)) => Value::Number(u64::from(*pps)),
            AxisValue::Burst(value) => Value::Number(u64::from(value.get())),
            AxisValue::Queues(value) | AxisValue::Flows(value) | AxisValue::SwitchCores(value) => {
                Value::Number(u64::from(*value))
            }
            named => Value::Name(named.to_string()),
        }
    }

    /// The value as a number, where the axis is numeric.
    pub fn number(&self) -> Option<u64> {
        match self.value() {
            Value::Number(number) => Some(number),
            Value::Name(_) => None,
        }
    }
}

/// Written as in experiments: `1vs1`, `64B`, `1Mpps`, `raw-mmsg`.
impl std::fmt::Display for AxisValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            AxisValue::Dimension(value) => value.fmt(f),
            AxisValue::Locality(value) => value.fmt(f),
            AxisValue::Pairs(value) => value.fmt(f),
            AxisValue::VSwitch(value) => value.fmt(f),
            AxisValue::Packet(value) => value.fmt(f),
            AxisValue::Rate(value) => value.fmt(f),
            AxisValue::Burst(value) => value.get().fmt(f),
            AxisValue::Io(value) => f.write_str(io_name(*value)),
            AxisValue::Touch(value) => value.fmt(f),
            AxisValue::Queues(value) | AxisValue::Flows(value) | AxisValue::SwitchCores(value) => value.fmt(f),
            AxisValue::Stack(value) => f.write_str(value),
            AxisValue::Runtime(value) => value.fmt(f),
            AxisValue::Frame(value) => value.fmt(f),
        }
    }
}

/// What can be written on an axis, for help.
pub struct Bounds(pub Axis);

impl std::fmt::Display for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Axis::S => write!(f, "S is 1vs1 to {0}vs{0}", Pairs::MAX),
            Axis::P => {
                f.write_str("P is 64 to 1514 bytes without the 4-byte FCS, or 64 to 1518 with frame = \"with-fcs\"")
            }
            Axis::R => write!(f, "R is 1 to {} packets per second", units::with_commas(u128::from(Rate::PPS_MAX))),
            Axis::B => f.write_str("B is 1 to 1024 packets"),
            Axis::Queues => write!(f, "queues is 1 to {QUEUES_MAX}"),
            Axis::Flows => write!(f, "flows is 1 to {FLOWS_MAX}"),
            Axis::SwitchCores => write!(f, "switch_cores is 1 to {SWITCH_CORES_MAX}"),
            named => write!(f, "{named} is a name"),
        }
    }
}

fn named<T: Copy>(
    axis: Axis,
    scalar: Scalar<'_>,
    all: &[T],
    name: impl Fn(T) -> &'static str,
) -> Result<T, ValueError> {
    let names = || all.iter().map(|value| name(*value));
    let Scalar::Text(text) = scalar else {
        let names: Vec<&str> = names().collect();
        return Err(ValueError::new(format!("{axis} is a name in quotes"), format!("it can be {}", names.join(", "))));
    };
    all.iter().copied().find(|value| name(*value) == text).ok_or_else(|| ValueError {
        message: format!("{axis} cannot be {}", quoted(text)),
        help: suggest::help(text, names()),
    })
}

/// A switch that this version knows, or one that sites define: what that is, only they know.
fn vswitch(scalar: Scalar<'_>) -> Result<VSwitch, ValueError> {
    let mut known: Vec<VSwitch> =
        switch::descriptors().iter().filter_map(|descriptor| VSwitch::new(&descriptor.name)).collect();
    known.sort();
    let custom = match scalar {
        Scalar::Text(text) if text.starts_with(VSwitch::CUSTOM) => text,
        _ => return named(Axis::V, scalar, &known, VSwitch::name),
    };
    VSwitch::new(custom).ok_or_else(|| {
        let help = format!(
            "after '{}' stand letters, digits, '.', '_' and '-', {} characters in all",
            VSwitch::CUSTOM,
            VSwitch::LEN_MAX
        );
        ValueError::new(format!("V cannot be {}", quoted(custom)), help)
    })
}

fn pairs(scalar: Scalar<'_>) -> Result<Pairs, ValueError> {
    let written = || ValueError::new("S is written NvsN, in quotes", "\"1vs1\" is one pair, \"4vs4\" four");
    let text = match scalar {
        Scalar::Text(text) => text,
        Scalar::Whole(count) if (1..=i128::from(Pairs::MAX)).contains(&count) => {
            return Err(ValueError::new("S is written NvsN, in quotes", format!("write \"{count}vs{count}\"")));
        }
        _ => return Err(written()),
    };
    let count = |text: &str| units::parse(text, units::COUNT).ok();
    let (left, right) = text.split_once("vs").ok_or_else(written)?;
    let (Some(left), Some(right)) = (count(left), count(right)) else { return Err(written()) };
    if left != right {
        return Err(ValueError::new(
            format!("S = {} has two different numbers", quoted(text)),
            "containers come in pairs, a sender and its receiver: 1vs1, 2vs2, 4vs4",
        ));
    }
    let pairs = u16::try_from(left).ok().and_then(Pairs::new);
    pairs.ok_or_else(|| {
        ValueError::new(format!("S = {} is outside what is possible", quoted(text)), Bounds(Axis::S).to_string())
    })
}

fn touch(scalar: Scalar<'_>) -> Result<bool, ValueError> {
    match scalar {
        Scalar::Flag(flag) => Ok(flag),
        // Selections on the command line are text.
        Scalar::Text("true") => Ok(true),
        Scalar::Text("false") => Ok(false),
        _ => Err(ValueError::new("touch is true or false", "write touch = true")),
    }
}

fn stack(scalar: Scalar<'_>) -> Result<Arc<str>, ValueError> {
    let help = format!("a stack's name is up to {STACK_CHARS_MAX} of letters, digits, '.', '_' and '-'");
    let Scalar::Text(text) = scalar else {
        return Err(ValueError::new("stack is a name in quotes", help));
    };
    // An application that the site defines stands in place of a stack.
    let name = text.strip_prefix(application::PREFIX);
    match reports::spec::Id::new(name.unwrap_or(text)) {
        Some(_) if text.len() <= STACK_CHARS_MAX => Ok(Arc::from(text)),
        _ => Err(ValueError::new(format!("{} cannot be the name of a stack", quoted(text)), help)),
    }
}

fn rate(scalar: Scalar<'_>) -> Result<AxisValue, ValueError> {
    if let Scalar::Text(text) = scalar {
        // As test names write a search; files write { search = ... }.
        if text == "ndr" {
            return Ok(AxisValue::Rate(Rate::Ndr));
        }
        let millionths = text.strip_prefix("pdr").and_then(|rest| rest.strip_suffix("ppm"));
        if let Some(Ok(millionths @ 1..1_000_000)) = millionths.map(str::parse::<u32>) {
            return Ok(AxisValue::Rate(Rate::Pdr(millionths)));
        }
    }
    number(Axis::R, scalar).and_then(|number| AxisValue::from_number(Axis::R, number))
}

pub(super) fn units_of(axis: Axis) -> &'static UnitTable {
    match axis {
        Axis::R => units::RATE,
        Axis::P => units::SIZE,
        _ => units::COUNT,
    }
}

/// The number that a scalar is on a numeric axis, in the axis's base unit.
pub fn number(axis: Axis, scalar: Scalar<'_>) -> Result<u64, ValueError> {
    let outside = || ValueError::new(format!("{axis} is outside what is possible"), Bounds(axis).to_string());
    match scalar {
        Scalar::Whole(number) => u64::try_from(number).map_err(|_| outside()),
        // Such numbers are exact in an f64, so that 1e6 is what it says.
        Scalar::Decimal(number) if number.fract() == 0.0 && (0.0..9e15).contains(&number) => Ok(number as u64),
        Scalar::Decimal(_) => Err(ValueError::new(format!("{axis} is a whole number"), Bounds(axis).to_string())),
        Scalar::Flag(_) => Err(ValueError::new(format!("{axis} is a number"), Bounds(axis).to_string())),
        Scalar::Text(text) => units::parse(text, units_of(axis)).map_err(|error| quantity_error(axis, text, &error)),
    }
}

fn quantity_error(axis: Axis, text: &str, error: &QuantityError) -> ValueError {
    let message = format!("{axis} cannot be {}: {error}", quoted(text));
    let table = units_of(axis);
    let help = match error {
        QuantityError::UnknownUnit(unit) if table.len() > 1 => suggest::help(unit, units::names(table)),
        _ => Some(Bounds(axis).to_string()),
    };
    ValueError { message, help }
}
