//! The text of a code without the wrapping that came with it: one normaliser for cameras, engines and whatever is typed.
//!
//! Engines put line ends, control characters, a symbology identifier (AIM ITS/04-001, ISO/IEC 15424) or blanks around what they read,
//! printers of codes do the same, and a keyboard whose Caps Lock is on swaps capitals and small letters. None of it was signed. Only what
//! lies *around* a text is taken off, and only capitals are restored, so a forged text stays forged: the bytes that a signature covers are
//! those between the first and the last character of the code, whatever carried them here.

use trustlist::{code::Format, configuration};

/// A text without its wrapping.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    text: String,
    corrected: bool,
}

impl Text {
    /// Takes the wrapping off. `None` when nothing is left, or what is left is no text: no pass code is that.
    ///
    /// A blank at either end is never a code's own although Base45 has it among its characters (RFC 9285 §4.2): a code begins with its
    /// prefix, and the last character of Base45 is the highest digit of a group, at most `W` of three characters and `5` of two.
    #[must_use]
    pub fn of(payload: &[u8]) -> Option<Text> {
        let whole = std::str::from_utf8(payload).ok()?;
        let bare = without_identifier(whole.trim_start_matches(is_wrapping)).trim_matches(is_wrapping);
        let restored = restored_capitals(bare);
        let corrected = bare.len() != whole.len() || restored.is_some();
        (!bare.is_empty()).then(|| Text { text: restored.unwrap_or_else(|| bare.to_owned()), corrected })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, for whoever keeps it.
    #[must_use]
    pub fn into_string(self) -> String {
        self.text
    }

    /// Whether anything was taken off or restored.
    #[must_use]
    pub fn is_corrected(&self) -> bool {
        self.corrected
    }
}

/// Length only: the text is a traveller's.
impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({} bytes)", self.text.len())
    }
}

/// Control characters (STX, ETX, GS, CR, LF, TAB, NUL and their kind), blanks, and the mark of a byte order.
fn is_wrapping(character: char) -> bool {
    character.is_control() || character.is_whitespace() || character == '\u{feff}'
}

/// `]Q3` and the like, and the designator of a character set behind it (`\000026`), which engines send when asked to say what they read.
fn without_identifier(text: &str) -> &str {
    let is_identifier = |bytes: &[u8]| matches!(bytes, [b']', letter, modifier] if letter.is_ascii_alphabetic() && modifier.is_ascii_alphanumeric());
    let Some((identifier, rest)) = text.split_at_checked(3) else { return text };
    if !is_identifier(identifier.as_bytes()) {
        return text;
    }
    match rest.strip_prefix('\\').and_then(|rest| rest.split_at_checked(6)) {
        Some((set, rest)) if set.bytes().all(|byte| byte.is_ascii_digit()) => rest,
        _ => rest,
    }
}

/// The text in capitals, if that is what Caps Lock made of it: no format here has small letters.
fn restored_capitals(text: &str) -> Option<String> {
    let swapped = !text.bytes().any(|byte| byte.is_ascii_uppercase()) && !is_claimed(text);
    let capitals = swapped.then(|| text.to_ascii_uppercase())?;
    is_claimed(&capitals).then_some(capitals)
}

fn is_claimed(text: &str) -> bool {
    Format::claimed_by(text).is_some() || configuration::claimed_by(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(payload: &[u8]) -> Option<String> {
        Text::of(payload).map(Text::into_string)
    }

    #[test]
    fn whatever_lies_around_a_text_is_not_the_text() {
        for wrapped in [
            "MR1:A",
            "MR1:A\r",
            "MR1:A\n",
            "MR1:A\r\n",
            "MR1:A\t",
            "\u{2}MR1:A\u{3}",
            "\u{2}MR1:A\u{3}\r\n",
            "\0MR1:A\0",
            "\u{1d}MR1:A\u{4}",
            "\u{feff}MR1:A",
            "  MR1:A",
            "\u{3000}MR1:A\u{a0}",
            "]Q3MR1:A",
            "]Q1\u{feff}MR1:A\r",
            "]Q2\\000026MR1:A",
            "\u{2}]d1MR1:A\u{3}",
            "mr1:a",
            "]Q3mr1:a\r\n",
        ] {
            assert_eq!(first(wrapped.as_bytes()).as_deref(), Some("MR1:A"), "{wrapped:?}");
            assert_eq!(Text::of(wrapped.as_bytes()).is_some_and(|text| text.is_corrected()), wrapped != "MR1:A");
        }
    }

    #[test]
    fn nothing_within_a_text_is_touched() {
        for text in [
            "MR1:A\u{1d}B",
            "MR1:A B",
            "MR1:a",
            "mR1:A",
            "Mr1:a",
            "https://bus.example/t/1",
            "]-1MR1:A",
            "]Q",
            "MR1:]Q3",
        ] {
            assert_eq!(first(text.as_bytes()).as_deref(), Some(text), "{text:?}");
        }
        assert_eq!(first(b"\r\n \t\0"), None);
        assert_eq!(first(b""), None);
        assert_eq!(first(b"MR1:\xff\xfe"), None, "no text");
    }

    #[test]
    fn base45_never_ends_with_a_blank_so_none_at_the_end_is_a_codes_own() {
        let ends_blank = |bytes: &[u8]| base45::encode(bytes).ends_with(' ');
        assert!((0..=u8::MAX).all(|byte| !ends_blank(&[byte])));
        assert!((0..=u16::MAX).all(|pair| !ends_blank(&pair.to_be_bytes())));
        assert_eq!(first(format!("MR1:A{}", " ".repeat(4000)).as_bytes()).as_deref(), Some("MR1:A"));
    }
}
