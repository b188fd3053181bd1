//! How a value is read from what was said, and shown again: the trait [`Setting`], and [`settings!`] for sections of them.
//!
//! A section is a struct whose fields are settings with a default each; the macro keeps name, type, default and
//! description in one line, so that they cannot drift apart.

use std::{collections::BTreeMap, ops::RangeInclusive, path::PathBuf, time::Duration};

use trustlist::region::Region;

use super::{
    error::{Defect, Problem},
    node::{Node, Value},
};

/// A value with a type, a default elsewhere, and one way to write it.
pub(super) trait Setting: Sized {
    /// What is accepted, to complete the sentence "… is not …".
    const EXPECTED: &'static str;

    /// The value, or `None` when it is not [`Setting::EXPECTED`].
    fn parse(node: &Node) -> Option<Self>;

    /// The value, or `None` with at least one problem told.
    fn read(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        let value = Self::parse(node);
        if value.is_none() {
            problems.push(Problem::value(node, key, Self::EXPECTED));
        }
        value
    }

    /// How it would be written; `None` for what is not set.
    fn show(&self) -> Option<toml::Value>;
}

/// The key below `section`.
pub(super) fn below(section: &str, key: &str) -> String {
    if section.is_empty() { key.to_owned() } else { format!("{section}.{key}") }
}

/// Tells of every key of `table` that is not `known`.
pub(super) fn unknown_keys(
    table: &BTreeMap<String, Node>,
    section: &str,
    known: &[&'static str],
    problems: &mut Vec<Problem>,
) {
    for (key, node) in table.iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let nearest = known
            .iter()
            .map(|name| (strsim::damerau_levenshtein(key, name), *name))
            .filter(|(distance, name)| *distance <= 1 + name.len() / 3)
            .min()
            .map(|(_, name)| name);
        problems.push(Problem {
            origin: Some(node.origin.clone()),
            key: below(section, key),
            fault: Defect::Unknown { nearest },
        });
    }
}

/// Whether `value` lies in `range`; tells if it does not.
pub(super) fn within<T: Setting + PartialOrd>(
    value: &T,
    range: &RangeInclusive<T>,
    node: &Node,
    key: &str,
    problems: &mut Vec<Problem>,
) -> bool {
    let within = range.contains(value);
    if !within {
        let shown = |end: &T| end.show().map(|end| end.to_string()).unwrap_or_default();
        let fault = Defect::Outside { found: node.describe(), from: shown(range.start()), to: shown(range.end()) };
        problems.push(Problem { origin: Some(node.origin.clone()), key: key.to_owned(), fault });
    }
    within
}

/// A section: `name: Type = default` with a description each, and `=> range` where not every value of the type makes sense.
macro_rules! settings {
    ($(#[$meta:meta])+ pub struct $name:ident {
        $($(#[$doc:meta])+ $field:ident: $type:ty = $default:expr $(=> $range:expr)?,)+
    }) => {
        $(#[$meta])+
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name { $($(#[$doc])+ pub $field: $type,)+ }

        impl $name {
            /// The keys of this section.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($field)),+];
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default),+ }
            }
        }

        impl $crate::config::setting::Setting for $name {
            const EXPECTED: &'static str = "a section";

            fn parse(node: &$crate::config::node::Node) -> Option<Self> {
                let mut problems = Vec::new();
                Self::read(node, "", &mut problems).filter(|_| problems.is_empty())
            }

            /// A value that cannot be read is told and keeps its default, so that the rest is checked too.
            fn read(
                node: &$crate::config::node::Node,
                section: &str,
                problems: &mut Vec<$crate::config::Problem>,
            ) -> Option<Self> {
                let $crate::config::node::Value::Table(table) = &node.value else {
                    problems.push($crate::config::Problem::value(node, section, Self::EXPECTED));
                    return None;
                };
                $crate::config::setting::unknown_keys(table, section, Self::KEYS, problems);
                let mut read = Self::default();
                $(
                    if let Some(node) = table.get(stringify!($field)) {
                        let key = $crate::config::setting::below(section, stringify!($field));
                        let value = <$type as $crate::config::setting::Setting>::read(node, &key, problems);
                        $(let value = value
                            .filter(|value| $crate::config::setting::within(value, &$range, node, &key, problems));)?
                        if let Some(value) = value {
                            read.$field = value;
                        }
                    }
                )+
                Some(read)
            }

            fn show(&self) -> Option<toml::Value> {
                let mut table = toml::Table::new();
                $(
                    if let Some(value) = $crate::config::setting::Setting::show(&self.$field) {
                        table.insert(stringify!($field).to_owned(), value);
                    }
                )+
                Some(toml::Value::Table(table))
            }
        }
    };
}
pub(super) use settings;

/// An enumeration of words: `Variant = "word"`.
macro_rules! words {
    ($(#[$meta:meta])+ pub enum $name:ident, $expected:literal { $($(#[$doc:meta])+ $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])+
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$doc])+ $variant,)+ }

        impl $name {
            /// The word it is written as.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl $crate::config::setting::Setting for $name {
            const EXPECTED: &'static str = $expected;

            fn parse(node: &$crate::config::node::Node) -> Option<Self> {
                match node.text()? { $($word => Some(Self::$variant),)+ _ => None }
            }

            fn show(&self) -> Option<toml::Value> {
                Some(toml::Value::String(self.code().to_owned()))
            }
        }
    };
}
pub(super) use words;

impl Setting for String {
    const EXPECTED: &'static str = "a text in quotation marks, without control characters";

    fn parse(node: &Node) -> Option<Self> {
        node.text().filter(|text| !text.chars().any(char::is_control)).map(str::to_owned)
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.clone()))
    }
}

impl Setting for PathBuf {
    const EXPECTED: &'static str = "an absolute path";

    fn parse(node: &Node) -> Option<Self> {
        node.text().map(PathBuf::from).filter(|path| path.is_absolute())
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.display().to_string()))
    }
}

impl Setting for bool {
    const EXPECTED: &'static str = "true or false";

    fn parse(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Bool(truth) => Some(*truth),
            Value::Untyped(word) => word.parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Boolean(*self))
    }
}

impl Setting for i64 {
    const EXPECTED: &'static str = "a whole number";

    fn parse(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Integer(number) => Some(*number),
            Value::Untyped(word) => word.parse().ok(),
            _ => None,
        }
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Integer(*self))
    }
}

impl Setting for u32 {
    const EXPECTED: &'static str = "a whole number, zero or more";

    fn parse(node: &Node) -> Option<Self> {
        i64::parse(node)?.try_into().ok()
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Integer(i64::from(*self)))
    }
}

impl Setting for f64 {
    const EXPECTED: &'static str = "a number";

    fn parse(node: &Node) -> Option<Self> {
        let number = match &node.value {
            Value::Float(number) => *number,
            Value::Integer(number) => i32::try_from(*number).ok()?.into(),
            Value::Untyped(word) => word.parse().ok()?,
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Float(*self))
    }
}

impl Setting for Region {
    const EXPECTED: &'static str =
        "a region that there is: six digits of GB/T 2260 (\"440000\") or two capital letters of a country (\"DE\")";

    fn parse(node: &Node) -> Option<Self> {
        let region: Region = match &node.value {
            // Written without quotation marks; no province's code begins with a zero.
            Value::Integer(number) => format!("{number:06}").parse().ok()?,
            _ => node.text()?.parse().ok()?,
        };
        // A mistyped one would make every code a foreigner's.
        region.exists().then_some(region)
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.to_string()))
    }
}

impl Setting for Duration {
    const EXPECTED: &'static str = "a duration with its unit: \"500ms\", \"3s\", \"15min\", \"24h\" or \"30d\"";

    fn parse(node: &Node) -> Option<Self> {
        parse_duration(node.text()?)
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(show_duration(*self)))
    }
}

impl<T: Setting> Setting for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;

    fn parse(node: &Node) -> Option<Self> {
        T::parse(node).map(Some)
    }

    fn read(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        T::read(node, key, problems).map(Some)
    }

    fn show(&self) -> Option<toml::Value> {
        self.as_ref().and_then(Setting::show)
    }
}

impl<T: Setting> Setting for Vec<T> {
    const EXPECTED: &'static str = "a list";

    fn parse(node: &Node) -> Option<Self> {
        Self::read(node, "", &mut Vec::new())
    }

    fn read(node: &Node, key: &str, problems: &mut Vec<Problem>) -> Option<Self> {
        match &node.value {
            Value::List(list) => {
                // Every element is read before any is missed, so that all problems are told.
                let read: Vec<Option<T>> = list.iter().map(|node| T::read(node, key, problems)).collect();
                read.into_iter().collect()
            }
            Value::Untyped(words) => words
                .split(',')
                .map(|word| {
                    let node = Node { value: Value::Untyped(word.trim().to_owned()), origin: node.origin.clone() };
                    T::read(&node, key, problems)
                })
                .collect(),
            _ => {
                problems.push(Problem::value(node, key, Self::EXPECTED));
                None
            }
        }
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(self.iter().filter_map(Setting::show).collect()))
    }
}

const UNITS: [(&str, u64); 5] = [("ms", 1), ("min", 60_000), ("s", 1000), ("h", 3_600_000), ("d", 86_400_000)];

/// Longest accepted duration: ten years, so that no sum of two of them overflows anything.
const LONGEST_MS: f64 = 10.0 * 366.0 * 86_400_000.0;

fn parse_duration(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (number, scale) = UNITS.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale)))?;
    let number = number.trim_end();
    if !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "the scales are small")]
    let milliseconds = number.parse::<f64>().ok()? * scale as f64;
    (milliseconds <= LONGEST_MS).then(|| Duration::from_secs_f64((milliseconds / 1000.0 * 1e6).round() / 1e6))
}

fn show_duration(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1000.0;
    for (unit, scale) in [("d", 86_400_000.0), ("h", 3_600_000.0), ("min", 60_000.0), ("s", 1000.0)] {
        if milliseconds >= scale && milliseconds % scale == 0.0 {
            return format!("{}{unit}", milliseconds / scale);
        }
    }
    format!("{milliseconds}ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit_and_shown_with_the_largest_that_fits() {
        for (text, milliseconds, shown) in [
            ("500ms", 500, "500ms"),
            ("0.5s", 500, "500ms"),
            ("3s", 3000, "3s"),
            ("90s", 90_000, "90s"),
            ("15min", 900_000, "15min"),
            ("72h", 259_200_000, "3d"),
            ("7 d", 604_800_000, "7d"),
            ("0", 0, "0ms"),
            ("0ms", 0, "0ms"),
        ] {
            let duration = parse_duration(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(duration, Duration::from_millis(milliseconds), "{text}");
            assert_eq!(show_duration(duration), shown);
            assert_eq!(parse_duration(shown), Some(duration));
        }
        for text in ["", "3", "s", "-3s", "1e9s", "three seconds", "NaNs", "infs", "99999d", "1.2.3s", "3 fortnights"] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
