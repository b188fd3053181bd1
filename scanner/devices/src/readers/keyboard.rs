//! An engine that pretends to be a keyboard (USB HID): grabbed, so that it types nowhere else.
//!
//! Its keys are read as on a keyboard of the United States, which is what engines send unless somebody configured them otherwise; digits
//! of the keypad, characters typed by their numbers (Alt and the keypad), Caps Lock and control characters included.

use std::{io, path::Path};

use evdev::{Device, EventSummary, KeyCode, LedCode};

use super::{
    Listener, NOTICE,
    framing::{Framing, STOOD_STILL},
    watched,
};
use crate::moment;

/// Pressed, as an event's value says it; 0 is released and 2 repeated.
const PRESSED: i32 = 1;
const RELEASED: i32 = 0;

/// Reads until it is unplugged.
pub(super) fn read(path: &Path, listener: &Listener) -> io::Result<()> {
    let mut device = Device::open(path)?;
    device.grab()?;
    let capitals = device.get_led_state().is_ok_and(|leds| leds.contains(LedCode::LED_CAPSL));
    let mut typed = Typed { capitals, ..Typed::default() };
    let mut framing = Framing::new(moment::now());
    while !listener.stopped() {
        let wait = framing.silent_in(moment::now()).map_or(NOTICE, |silent| silent.min(NOTICE));
        let ready = watched::wait(&device, wait)?;
        let now = moment::now();
        framing.look(now);
        if !ready {
            if framing.silence(now).is_some_and(|piece| !listener.hand_over(piece)) {
                return Ok(());
            }
            continue;
        }
        for event in device.fetch_events()? {
            // The kernel notes when a key was pressed, whenever it is read (linux/input.h).
            if moment::age(event.timestamp()).is_some_and(|age| age >= STOOD_STILL) {
                framing.distrust();
            }
            let EventSummary::Key(_, key, value) = event.destructure() else { continue };
            if let Some(byte) = typed.take(key, value)
                && framing.take(byte, now).is_some_and(|piece| !listener.hand_over(piece))
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Which keys are held, and what that makes of the next.
#[derive(Default)]
struct Typed {
    shift: bool,
    control: bool,
    capitals: bool,
    /// A character's number, while Alt is held.
    number: Option<u32>,
}

impl Typed {
    fn take(&mut self, key: KeyCode, value: i32) -> Option<u8> {
        let held = value != RELEASED;
        match key {
            KeyCode::KEY_LEFTSHIFT | KeyCode::KEY_RIGHTSHIFT => self.shift = held,
            KeyCode::KEY_LEFTCTRL | KeyCode::KEY_RIGHTCTRL => self.control = held,
            KeyCode::KEY_LEFTALT | KeyCode::KEY_RIGHTALT if value == PRESSED => self.number = Some(0),
            KeyCode::KEY_LEFTALT | KeyCode::KEY_RIGHTALT if value == RELEASED => {
                return self.number.take().filter(|number| *number > 0).and_then(|number| u8::try_from(number).ok());
            }
            KeyCode::KEY_CAPSLOCK if value == PRESSED => self.capitals = !self.capitals,
            _ if value == PRESSED => return self.pressed(key),
            _ => (),
        }
        None
    }

    fn pressed(&mut self, key: KeyCode) -> Option<u8> {
        if matches!(key, KeyCode::KEY_ENTER | KeyCode::KEY_KPENTER | KeyCode::KEY_TAB) {
            return Some(b'\n');
        }
        let byte = character(key, self.shift)?;
        if let Some(number) = &mut self.number {
            // Alt with anything but the keypad's digits types nothing.
            let digit = char::from(byte).to_digit(10)?;
            *number = number.saturating_mul(10).saturating_add(digit);
            return None;
        }
        Some(match byte {
            // ASCII's control characters: Ctrl+M is a carriage return, Ctrl+] a group separator.
            _ if self.control => byte & 0x1f,
            _ if self.capitals && byte.is_ascii_alphabetic() => byte ^ 0x20,
            _ => byte,
        })
    }
}

/// Keys by their codes (linux/input-event-codes.h) with what they type, plain and shifted.
const ROWS: [(u16, &[u8], &[u8]); 8] = [
    (2, b"1234567890-=", b"!@#$%^&*()_+"),
    (16, b"qwertyuiop[]", b"QWERTYUIOP{}"),
    (30, b"asdfghjkl;'`", b"ASDFGHJKL:\"~"),
    (43, b"\\zxcvbnm,./", b"|ZXCVBNM<>?"),
    (57, b" ", b" "),
    // The keypad, as while Num Lock is on.
    (55, b"*", b"*"),
    (71, b"789-456+1230.", b"789-456+1230."),
    (98, b"/", b"/"),
];

fn character(key: KeyCode, shift: bool) -> Option<u8> {
    ROWS.iter().find_map(|(first, plain, shifted)| {
        let place = usize::from(key.code().checked_sub(*first)?);
        if shift { shifted.get(place) } else { plain.get(place) }.copied()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHIFT: KeyCode = KeyCode::KEY_LEFTSHIFT;

    /// What these keys type, each pressed and let go; `+` before a key holds it for the next, until the end.
    fn typed(typed: &mut Typed, keys: &[(KeyCode, bool)]) -> String {
        let mut text = String::new();
        let mut held = Vec::new();
        for (key, hold) in keys {
            text.extend(typed.take(*key, PRESSED).map(char::from));
            if *hold {
                held.push(*key);
            } else {
                text.extend(typed.take(*key, RELEASED).map(char::from));
            }
        }
        text.extend(held.into_iter().filter_map(|key| typed.take(key, RELEASED)).map(char::from));
        text
    }

    #[test]
    fn what_an_engine_types_is_the_text_it_read() {
        let mut engine = Typed::default();
        let one = |key| [(key, false)];
        let shifted = |key| [(SHIFT, true), (key, false)];
        let mut text = typed(&mut engine, &shifted(KeyCode::KEY_M));
        text += &typed(&mut engine, &shifted(KeyCode::KEY_R));
        text += &typed(&mut engine, &one(KeyCode::KEY_1));
        text += &typed(&mut engine, &shifted(KeyCode::KEY_SEMICOLON));
        text += &typed(&mut engine, &shifted(KeyCode::KEY_4));
        text += &typed(
            &mut engine,
            &[(KeyCode::KEY_SPACE, false), (KeyCode::KEY_SLASH, false), (KeyCode::KEY_ENTER, false)],
        );
        assert_eq!(text, "MR1:$ /\n");
    }

    #[test]
    fn digits_of_the_keypad_and_characters_by_their_numbers_are_typed_too() {
        let keypad = [
            KeyCode::KEY_KP1,
            KeyCode::KEY_KP2,
            KeyCode::KEY_KP3,
            KeyCode::KEY_KP4,
            KeyCode::KEY_KP5,
            KeyCode::KEY_KP6,
            KeyCode::KEY_KP7,
            KeyCode::KEY_KP8,
            KeyCode::KEY_KP9,
            KeyCode::KEY_KP0,
        ];
        let mut engine = Typed::default();
        assert_eq!(typed(&mut engine, &keypad.map(|key| (key, false))), "1234567890");
        let more = [
            KeyCode::KEY_KPDOT,
            KeyCode::KEY_KPMINUS,
            KeyCode::KEY_KPPLUS,
            KeyCode::KEY_KPASTERISK,
            KeyCode::KEY_KPSLASH,
        ];
        assert_eq!(typed(&mut engine, &more.map(|key| (key, false))), ".-+*/");
        // Alt+0077 is M.
        let by_number = [
            (KeyCode::KEY_LEFTALT, true),
            (KeyCode::KEY_KP0, false),
            (KeyCode::KEY_KP0, false),
            (KeyCode::KEY_KP7, false),
            (KeyCode::KEY_KP7, false),
        ];
        assert_eq!(typed(&mut engine, &by_number), "M");
        assert_eq!(
            typed(&mut engine, &[(KeyCode::KEY_LEFTALT, true), (KeyCode::KEY_F, false)]),
            "",
            "a menu, and no character"
        );
    }

    #[test]
    fn caps_lock_turns_capitals_and_control_makes_what_ends_a_text() {
        let mut engine = Typed::default();
        let keys =
            [(KeyCode::KEY_CAPSLOCK, false), (KeyCode::KEY_M, false), (KeyCode::KEY_R, false), (KeyCode::KEY_1, false)];
        assert_eq!(typed(&mut engine, &keys), "MR1");
        assert_eq!(
            typed(&mut engine, &[(SHIFT, true), (KeyCode::KEY_A, false), (KeyCode::KEY_SEMICOLON, false)]),
            "a:"
        );
        assert_eq!(typed(&mut engine, &[(KeyCode::KEY_CAPSLOCK, false), (KeyCode::KEY_A, false)]), "a");
        assert_eq!(
            typed(
                &mut engine,
                &[(KeyCode::KEY_LEFTCTRL, true), (KeyCode::KEY_M, false), (KeyCode::KEY_RIGHTBRACE, false)]
            ),
            "\r\u{1d}"
        );
    }

    #[test]
    fn every_character_of_base45_can_be_typed() {
        for wanted in b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:" {
            let found = (0..128)
                .any(|code| [false, true].iter().any(|shift| character(KeyCode::new(code), *shift) == Some(*wanted)));
            assert!(found, "{}", char::from(*wanted));
        }
    }
}
