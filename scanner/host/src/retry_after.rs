//! For how long a server asks to be left in peace (`Retry-After`, RFC 9110 §10.2.3): so many seconds, or until a date.
//!
//! A date counts from the server's own (`Date`, RFC 9110 §6.6.1): this machine's clock may be wrong by years.

use std::time::Duration;

use jiff::fmt::rfc2822::DateTimeParser;

/// What the two headers say together; `None` where they say nothing that can be understood.
#[must_use]
pub fn wait(retry_after: Option<&str>, date: Option<&str>) -> Option<Duration> {
    let said = retry_after?.trim();
    if let Ok(seconds) = said.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let parser = DateTimeParser::new();
    let until = parser.parse_timestamp(said).ok()?;
    let now = parser.parse_timestamp(date?.trim()).ok()?;
    // A date that is past asks for nothing.
    Some(Duration::try_from(until.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_say_how_long_and_nonsense_says_nothing() {
        let date = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for (said, date, wait) in [
            (Some("120"), None, Some(120)),
            (Some(" 7 "), date, Some(7)),
            (Some("Sun, 06 Nov 1994 08:51:37 GMT"), date, Some(120)),
            (Some("Sun, 06 Nov 1994 08:00:00 GMT"), date, Some(0)),
            (Some("Sun, 06 Nov 1994 08:51:37 GMT"), None, None),
            (Some("Mon, 06 Nov 1995 08:49:37 GMT"), date, Some(31_536_000)),
            (Some("soon"), date, None),
            (Some("-5"), date, None),
            (Some("99999999999999999999999"), date, None),
            (None, date, None),
        ] {
            assert_eq!(super::wait(said, date), wait.map(Duration::from_secs), "{said:?}");
        }
    }
}
