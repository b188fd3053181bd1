//! The display name of a credential: masked by the issuer, shown to its bearer for a moment where the policy says so, and nowhere kept.

use std::fmt;

/// Longest name shown, in characters.
const MAX: usize = 24;
/// What issuers mask with.
const MASKS: [char; 4] = ['*', '＊', '●', '×'];

/// A name that tells its bearer that the screen means them, and tells others little. Prints nothing, compares to nothing, is no part of
/// a decision; whoever shows it takes it away again.
#[derive(Clone)]
pub struct MaskedName(String);

impl fmt::Debug for MaskedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskedName(..)")
    }
}

impl MaskedName {
    /// From what a credential carries. An issuer that forgot to mask is masked here: the first character stays.
    #[must_use]
    pub fn new(text: &str) -> Option<MaskedName> {
        let shown: Vec<char> = text.chars().filter(|letter| !letter.is_control()).take(MAX).collect();
        let first = shown.iter().find(|letter| letter.is_alphabetic())?;
        if shown.iter().any(|letter| MASKS.contains(letter)) {
            return Some(MaskedName(shown.iter().collect()));
        }
        Some(MaskedName(format!("{first}{}", "*".repeat(shown.len().clamp(2, 4) - 1))))
    }

    /// For a screen, and for nothing else.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_as_its_issuer_masked_it_and_masked_where_none_did() {
        let shown = |text: &str| MaskedName::new(text).map(|name| name.text().to_owned());
        assert_eq!(shown("张*").as_deref(), Some("张*"));
        assert_eq!(shown("欧阳＊＊").as_deref(), Some("欧阳＊＊"));
        assert_eq!(shown("张三丰").as_deref(), Some("张**"));
        assert_eq!(shown("Zhang Sanfeng").as_deref(), Some("Z***"));
        assert_eq!(shown(""), None);
        assert_eq!(shown("\u{202e}**"), None, "nothing of a name");
        assert!(shown(&"张*".repeat(100)).is_some_and(|name| name.chars().count() == MAX));
        assert!(!format!("{:?}", MaskedName::new("张*")).contains('张'));
    }
}
