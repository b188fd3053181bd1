//! A camera's knobs: focus, exposure, gain, white balance, backlight, mains. Set at every opening, since a replugged camera has
//! forgotten them, and read back, since a driver may accept a value and keep another.
//!
//! What the configuration does not fix is given back to the camera's own automatic: a knob stays where the last user left it.
//! A knob that the camera does not have is a warning where it was asked for, and nothing where it was not.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
};

use host::config::Camera;
use v4l::{
    Device,
    control::{Control, Description, Flags, Value},
};

use crate::camera::Knob;

// Control ids of linux/v4l2-controls.h.
const BASE: u32 = 0x0098_0900;
const CAMERA: u32 = 0x009a_0900;
const WHITE_BALANCE_AUTO: u32 = BASE + 12;
const GAIN_AUTO: u32 = BASE + 18;
const GAIN: u32 = BASE + 19;
const MAINS: u32 = BASE + 24;
const WHITE_BALANCE: u32 = BASE + 26;
const BACKLIGHT: u32 = BASE + 28;
const EXPOSURE_AUTO: u32 = CAMERA + 1;
const EXPOSURE: u32 = CAMERA + 2;
const EXPOSURE_PRIORITY: u32 = CAMERA + 3;
const FOCUS: u32 = CAMERA + 10;
const FOCUS_AUTO: u32 = CAMERA + 12;

// V4L2_CID_EXPOSURE_AUTO is a menu: manual, or automatic exposure with the aperture left alone, as webcams have it.
const EXPOSURE_IS_MANUAL: i64 = 1;
const EXPOSURE_IS_AUTOMATIC: i64 = 3;

/// One turn of a knob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// What an installer calls it.
    pub name: &'static str,
    id: u32,
    to: i64,
    /// Whether the configuration asks for it; otherwise a camera without it is as good.
    asked: bool,
}

/// What is to be turned, in an order in which it takes effect: automatics off before their values.
#[must_use]
pub fn turns(camera: &Camera) -> Vec<Turn> {
    let mut turns = Vec::new();
    let mut turn = |name, id, to, asked| turns.push(Turn { name, id, to, asked });
    // The rate is not to fall in the dark: an old picture is worth less than a dim one.
    turn("exposure_priority", EXPOSURE_PRIORITY, 0, false);
    match camera.exposure {
        Some(exposure) => {
            turn("exposure_auto", EXPOSURE_AUTO, EXPOSURE_IS_MANUAL, false);
            turn("exposure", EXPOSURE, exposure, true);
        }
        None => turn("exposure_auto", EXPOSURE_AUTO, EXPOSURE_IS_AUTOMATIC, false),
    }
    for (name, value, automatic, id) in [
        ("focus", camera.focus, FOCUS_AUTO, FOCUS),
        ("gain", camera.gain, GAIN_AUTO, GAIN),
        ("white_balance", camera.white_balance, WHITE_BALANCE_AUTO, WHITE_BALANCE),
    ] {
        turn(name, automatic, i64::from(value.is_none()), false);
        if let Some(value) = value {
            turn(name, id, value, true);
        }
    }
    if let Some(backlight) = camera.backlight {
        turn("backlight", BACKLIGHT, backlight, true);
    }
    // A menu: 0 off, 1 is 50 Hz, 2 is 60 Hz.
    match camera.mains {
        Some(60) => turn("mains", MAINS, 2, true),
        Some(50) => turn("mains", MAINS, 1, true),
        Some(_) => turn("mains", MAINS, 0, true),
        None => {}
    }
    turns
}

/// Turns every knob, and says in the journal which of those asked for did not stay where they were put.
pub fn apply(device: &Device, path: &str, camera: &Camera) {
    for turn in turns(camera) {
        let stays = set(device, turn);
        if !turn.asked {
            continue;
        }
        match stays {
            Ok(value) if value == turn.to => {}
            Ok(value) => log::warn!("camera {path}: {} was set to {} and stands at {value}", turn.name, turn.to),
            Err(error) => log::warn!("camera {path}: {} cannot be set to {}: {error}", turn.name, turn.to),
        }
    }
}

fn set(device: &Device, turn: Turn) -> io::Result<i64> {
    device.set_control(Control { id: turn.id, value: Value::Integer(turn.to) })?;
    // A button or a compound has nothing to compare.
    Ok(number(&device.control(turn.id)?.value).unwrap_or(turn.to))
}

/// The knobs that the configuration can turn, as this camera has them.
#[must_use]
pub fn knobs(device: &Device) -> Vec<Knob> {
    // The crate panics on a name that is not UTF-8 and on a menu without steps, and both are the camera's own words.
    let controls = catch_unwind(AssertUnwindSafe(|| device.query_controls())).unwrap_or_else(|_| Ok(Vec::new()));
    let now = |id| device.control(id).ok().and_then(|control| number(&control.value));
    controls.unwrap_or_default().iter().filter_map(|control| knob(control, now(control.id))).collect()
}

fn knob(control: &Description, now: Option<i64>) -> Option<Knob> {
    let (key, in_units): (_, fn(i64) -> i64) = match control.id {
        FOCUS => ("focus", |position| position),
        EXPOSURE => ("exposure", |position| position),
        GAIN => ("gain", |position| position),
        WHITE_BALANCE => ("white_balance", |position| position),
        BACKLIGHT => ("backlight", |position| position),
        MAINS => ("mains", hertz),
        _ => return None,
    };
    if control.flags.intersects(Flags::DISABLED | Flags::READ_ONLY) {
        return None;
    }
    Some(Knob {
        key,
        // Before 50 Hz the menu of mains frequencies has off, and behind 60 Hz perhaps an automatic: neither is a frequency.
        least: in_units(if control.id == MAINS { 1 } else { control.minimum }),
        most: in_units(if control.id == MAINS { control.maximum.min(2) } else { control.maximum }),
        step: if control.id == MAINS { 10 } else { i64::try_from(control.step).unwrap_or(1) },
        usual: in_units(control.default),
        now: now.map(in_units),
    })
}

/// What a position of the menu of mains frequencies means.
fn hertz(position: i64) -> i64 {
    match position {
        1 => 50,
        2 => 60,
        _ => 0,
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(value) => Some(*value),
        Value::Boolean(value) => Some(i64::from(*value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_automatic_is_switched_off_before_its_value_is_set() {
        let camera = Camera { exposure: Some(80), focus: Some(40), mains: Some(50), ..Camera::default() };
        let turns: Vec<_> = turns(&camera).into_iter().map(|turn| (turn.id, turn.to, turn.asked)).collect();
        let place = |id| turns.iter().position(|turn| turn.0 == id).expect("turned");
        assert!(place(EXPOSURE_AUTO) < place(EXPOSURE) && place(FOCUS_AUTO) < place(FOCUS));
        assert_eq!(turns[place(EXPOSURE_AUTO)], (EXPOSURE_AUTO, EXPOSURE_IS_MANUAL, false));
        assert_eq!(turns[place(EXPOSURE)], (EXPOSURE, 80, true));
        assert_eq!(turns[place(FOCUS_AUTO)], (FOCUS_AUTO, 0, false));
        assert_eq!(turns[place(MAINS)], (MAINS, 1, true));
    }

    #[test]
    fn what_is_not_configured_goes_back_to_automatic_and_is_never_missed() {
        let turns = turns(&Camera::default());
        assert!(turns.iter().all(|turn| !turn.asked));
        assert!(turns.iter().any(|turn| turn.id == FOCUS_AUTO && turn.to == 1));
        assert!(turns.iter().any(|turn| turn.id == EXPOSURE_AUTO && turn.to == EXPOSURE_IS_AUTOMATIC));
        assert!(!turns.iter().any(|turn| turn.id == MAINS || turn.id == BACKLIGHT));
    }

    #[test]
    fn a_knob_is_told_in_the_units_of_its_key_and_one_that_cannot_be_turned_is_not() {
        let control = |id, minimum, maximum, step, default, flags| Description {
            id,
            typ: v4l::control::Type::Integer,
            name: String::new(),
            minimum,
            maximum,
            step,
            default,
            flags,
            items: None,
        };
        assert_eq!(
            knob(&control(FOCUS, 0, 250, 5, 0, Flags::INACTIVE), Some(30)),
            Some(Knob { key: "focus", least: 0, most: 250, step: 5, usual: 0, now: Some(30) }),
            "inactive while the automatic has it, and to be had all the same"
        );
        assert_eq!(
            knob(&control(MAINS, 0, 3, 1, 2, Flags::empty()), Some(1)),
            Some(Knob { key: "mains", least: 50, most: 60, step: 10, usual: 60, now: Some(50) })
        );
        assert_eq!(knob(&control(GAIN, 0, 100, 1, 0, Flags::READ_ONLY), None), None);
        assert_eq!(knob(&control(BASE, 0, 255, 1, 128, Flags::empty()), None), None, "no key sets its brightness");
    }
}
