//! An error in one line: what happened, and behind it each cause in turn, as far as [`Error::source`] reaches.

use std::{error::Error, fmt};

/// Shows an error with its causes, `what: why: why`.
pub struct WithCauses<'a>(pub &'a dyn Error);

impl fmt::Display for WithCauses<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Outer(fmt::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("the page cannot be filled")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn an_error_is_shown_with_what_lies_behind_it() {
        let shown = WithCauses(&Outer(fmt::Error)).to_string();
        assert_eq!(shown, format!("the page cannot be filled: {}", fmt::Error));
    }
}
