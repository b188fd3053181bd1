//! Bytes into texts: a line each, ended by CR, LF or both, bounded.

use std::io::{self, Read};

use super::{Listener, MAX_TEXT};

/// Collects one line.
#[derive(Default)]
pub struct TextLine {
    bytes: Vec<u8>,
    too_long: bool,
}

impl TextLine {
    /// Takes one byte; a whole text when it ends one. Empty lines, lines that are too long and lines that are no UTF-8 are none.
    pub fn take(&mut self, byte: u8) -> Option<String> {
        if byte == b'\r' || byte == b'\n' {
            let bytes = std::mem::take(&mut self.bytes);
            let too_long = std::mem::take(&mut self.too_long);
            return String::from_utf8(bytes).ok().filter(|text| !text.is_empty() && !too_long);
        }
        if self.bytes.len() < MAX_TEXT {
            self.bytes.push(byte);
        } else {
            self.too_long = true;
        }
        None
    }
}

/// Reads until the end, or until nobody listens.
pub(super) fn read(mut from: impl Read, listener: &Listener) -> io::Result<()> {
    let mut line = TextLine::default();
    let mut bytes = [0; 512];
    while !listener.stopped() {
        let count = match from.read(&mut bytes) {
            Ok(0) => return Ok(()),
            Ok(count) => count,
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => continue,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        for text in bytes[..count].iter().filter_map(|byte| line.take(*byte)) {
            if !listener.hand_over(text) {
                return Ok(());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        let (sender, texts) = mpsc::sync_channel(16);
        read(bytes, &Listener { texts: sender, stop: Default::default(), answer: None }).expect("read");
        texts.into_iter().map(|heard| heard.apart().0).collect()
    }

    #[test]
    fn lines_end_as_any_engine_ends_them() {
        assert_eq!(texts(b"MR1:A\r\nMR1:B\rMR1:C\n\n"), ["MR1:A", "MR1:B", "MR1:C"]);
    }

    #[test]
    fn a_line_without_an_end_or_without_sense_is_no_text_and_the_next_one_is() {
        let mut bytes = vec![b'A'; 10 * MAX_TEXT];
        bytes.extend(b"\n\xff\xfe\nMR1:D\nhalf");
        assert_eq!(texts(&bytes), ["MR1:D"]);
    }
}
