//! The GPIO lines of a lane on their chip: found, and what stands in the way of having them. Asked by the daemon at start and by the doctor.

use std::{fmt, path::PathBuf};

pub use gpiocdev::Chip;
use gpiocdev::{Request, line::Value, request::Builder};
use host::config::{self, GpioLine, Level};

use super::wiring::{Role, Wire};

/// A line that was found on its chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChipLine {
    /// What for.
    pub role: Role,
    /// Its number.
    pub offset: u32,
    /// Which level means *on*.
    pub active: Level,
}

/// What stands in the way of a lane's lines.
#[derive(Clone, Debug)]
pub enum WiringFault {
    /// The chip does not open.
    Chip(PathBuf, gpiocdev::Error),
    /// The chip has no such line.
    NoLine(PathBuf, Role, GpioLine),
    /// Somebody else has it.
    InUse(Role, GpioLine, String),
    /// The kernel would not give it, or it stopped working.
    Refused(PathBuf, gpiocdev::Error),
}

impl fmt::Display for WiringFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chip(path, cause) => write!(f, "{} does not open: {cause}", path.display()),
            Self::NoLine(path, role, line) => write!(f, "{} has no line {line} ({})", path.display(), role.code()),
            Self::InUse(role, line, by) => write!(f, "line {line} ({}) is taken by {by:?}", role.code()),
            Self::Refused(path, cause) => write!(f, "{}: {cause}", path.display()),
        }
    }
}

impl std::error::Error for WiringFault {}

impl WiringFault {
    /// What to do about it.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Chip(..) => {
                "gpiodetect lists the chips; the daemon's user must be in the group that owns them (gpio)"
            }
            Self::NoLine(..) => "gpioinfo lists the lines of each chip",
            Self::InUse(..) => "stop that program or driver, or choose another line: each lane needs lines of its own",
            Self::Refused(..) => "gpioinfo shows what this chip can do; a kernel before 5.10 is too old",
        }
    }
}

/// Opens a lane's chip.
///
/// # Errors
/// When it is not there, is no GPIO chip, or is not for us.
pub fn open(lane: &config::Lane) -> Result<Chip, WiringFault> {
    Chip::from_path(&lane.gpio.chip).map_err(|cause| WiringFault::Chip(lane.gpio.chip.clone(), cause))
}

/// Finds a line, if it is there and nobody has it.
///
/// # Errors
/// When it is not there, or somebody has it.
pub fn find(chip: &Chip, wire: &Wire<'_>) -> Result<ChipLine, WiringFault> {
    let info = match wire.line {
        GpioLine::Offset(offset) => chip.line_info(*offset).ok(),
        GpioLine::Name(name) => chip.find_line_info(name),
    };
    let info = info.ok_or_else(|| WiringFault::NoLine(chip.path().to_owned(), wire.role, wire.line.clone()))?;
    if info.used {
        return Err(WiringFault::InUse(wire.role, wire.line.clone(), info.consumer));
    }
    Ok(ChipLine { role: wire.role, offset: info.offset, active: wire.active })
}

/// Whether the line is *on* now, read without driving it: the level that its wiring gives it at rest.
///
/// # Errors
/// When the kernel does not give it.
pub fn at_rest(chip: &Chip, line: ChipLine) -> Result<bool, WiringFault> {
    let refused = |cause| WiringFault::Refused(chip.path().to_owned(), cause);
    let mut builder = Request::builder();
    builder.on_chip(chip.path()).with_consumer("checkpointd doctor");
    select(&mut builder, line).as_input();
    let request = builder.request().map_err(refused)?;
    Ok(request.value(line.offset).map_err(refused)? == Value::Active)
}

/// Adds a line to a request, its polarity set: from here on *active* is a meaning.
pub(super) fn select(builder: &mut Builder, line: ChipLine) -> &mut Builder {
    let builder = builder.with_line(line.offset);
    match line.active {
        Level::High => builder.as_active_high(),
        Level::Low => builder.as_active_low(),
    }
}
