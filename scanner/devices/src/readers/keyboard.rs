//! An engine that pretends to be a keyboard (USB HID): grabbed, so that it types nowhere else.
//!
//! Its keys are read as on a keyboard of the United States, which is what engines send unless somebody configured them otherwise.

use std::{io, path::Path};

use evdev::{Device, EventSummary, KeyCode};

use super::{Listener, lines::TextLine, watched};

/// Pressed, as an event's value says it; 0 is released and 2 repeated.
const PRESSED: i32 = 1;
const RELEASED: i32 = 0;

/// Reads until it is unplugged.
pub(super) fn read(path: &Path, listener: &Listener) -> io::Result<()> {
    let mut device = Device::open(path)?;
    device.grab()?;
    let mut typed = Typed::default();
    while !listener.stopped() {
        match watched::wait(&device) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            ready => ready?,
        }
        for event in device.fetch_events()? {
            let EventSummary::Key(_, key, value) = event.destructure() else { continue };
            if let Some(text) = typed.take(key, value)
                && !listener.hand_over(text)
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// What has been typed of a line.
#[derive(Default)]
struct Typed {
    line: TextLine,
    shift: bool,
}

impl Typed {
    fn take(&mut self, key: KeyCode, value: i32) -> Option<String> {
        match (key, value) {
            (KeyCode::KEY_LEFTSHIFT | KeyCode::KEY_RIGHTSHIFT, PRESSED | RELEASED) => {
                self.shift = value == PRESSED;
                None
            }
            (KeyCode::KEY_ENTER | KeyCode::KEY_KPENTER | KeyCode::KEY_TAB, PRESSED) => self.line.take(b'\n'),
            (key, PRESSED) => self.line.take(character(key, self.shift)?),
            _ => None,
        }
    }
}

/// Keys by their codes (linux/input-event-codes.h) with what they type, plain and shifted.
const ROWS: [(u16, &[u8], &[u8]); 5] = [
    (2, b"1234567890-=", b"!@#$%^&*()_+"),
    (16, b"qwertyuiop[]", b"QWERTYUIOP{}"),
    (30, b"asdfghjkl;'`", b"ASDFGHJKL:\"~"),
    (43, b"\\zxcvbnm,./", b"|ZXCVBNM<>?"),
    (57, b" ", b" "),
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

    #[test]
    fn what_an_engine_types_is_the_text_it_read() {
        let mut typed = Typed::default();
        let mut text = None;
        let shift = KeyCode::KEY_LEFTSHIFT;
        let press = |key| [(key, PRESSED), (key, RELEASED)];
        let mut keys = vec![(shift, PRESSED)];
        keys.extend(press(KeyCode::KEY_M));
        keys.extend(press(KeyCode::KEY_R));
        keys.push((shift, RELEASED));
        keys.extend(press(KeyCode::KEY_1));
        keys.push((shift, PRESSED));
        keys.extend(press(KeyCode::KEY_SEMICOLON));
        keys.extend(press(KeyCode::KEY_4));
        keys.push((shift, RELEASED));
        keys.extend(press(KeyCode::KEY_SPACE));
        keys.extend(press(KeyCode::KEY_SLASH));
        keys.extend(press(KeyCode::KEY_ENTER));
        for (key, value) in keys {
            text = text.or(typed.take(key, value));
        }
        assert_eq!(text.as_deref(), Some("MR1:$ /"));
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
