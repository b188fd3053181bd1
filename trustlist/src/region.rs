//! Regions by division code: provinces, cities and counties of GB/T 2260, and countries by their two letters.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize, de};

mod divisions;

/// A region, which is also the identity of the issuer that speaks for it.
///
/// Either six digits of GB/T 2260 (`440000` Guangdong, `420100` Wuhan; `000000` the national platform), or two capital
/// letters of ISO 3166-1 (`DE`) for a country whose codes are accepted. It is *not* proof of anything: a signature under
/// a key of the region is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Region([u8; 6]);

/// The national platform.
pub const NATIONAL: Region = Region(*b"000000");

/// The text is neither six digits nor two capital letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotARegion;

impl fmt::Display for NotARegion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a region is six digits of GB/T 2260 (440000) or two capital letters of ISO 3166 (DE)")
    }
}

impl std::error::Error for NotARegion {}

impl Region {
    /// Whether `other` is this region or lies inside it: county ⊂ city ⊂ province, read from trailing zeros.
    ///
    /// The national platform contains only itself: it vouches for regions, it does not own them. `420000` contains `420100`
    /// contains `420102`; a country contains only itself.
    #[must_use]
    pub fn contains(self, other: Region) -> bool {
        if self == other {
            return true;
        }
        if self == NATIONAL || self.is_country() || other.is_country() {
            return false;
        }
        let significant = if self.0[2..] == *b"0000" {
            2
        } else if self.0[4..] == *b"00" {
            4
        } else {
            6
        };
        self.0[..significant] == other.0[..significant]
    }

    /// The province-level region this one lies in; a country and the national platform are their own.
    #[must_use]
    pub fn province(self) -> Region {
        if self.is_country() {
            return self;
        }
        let mut code = *b"000000";
        code[..2].copy_from_slice(&self.0[..2]);
        Region(code)
    }

    /// How narrow the region is: 0 nation or country, 1 province, 2 city, 3 county.
    #[must_use]
    pub fn level(self) -> u8 {
        if self == NATIONAL || self.is_country() {
            0
        } else if self.0[2..] == *b"0000" {
            1
        } else if self.0[4..] == *b"00" {
            2
        } else {
            3
        }
    }

    /// Whether there is such a region: the national platform, a country, or a province or city of GB/T 2260 and what lies in it. Counties
    /// are not told apart.
    ///
    /// For whoever writes a region down (a list, a configuration), not for what a code says.
    #[must_use]
    pub fn exists(self) -> bool {
        if self == NATIONAL || self.is_country() {
            return true;
        }
        let (province, rest) = self.as_str().split_at(2);
        let Some((_, cities)) = divisions::CITIES.iter().find(|(code, _)| *code == province) else { return false };
        self.level() == 1 || cities.is_empty() || cities.split(' ').any(|city| *city == rest[..2])
    }

    /// Whether this is a country's two letters rather than a division code.
    #[must_use]
    pub fn is_country(self) -> bool {
        self.0[2] == 0
    }

    /// The text form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let length = if self.is_country() { 2 } else { 6 };
        std::str::from_utf8(&self.0[..length]).expect("a region holds ASCII only")
    }
}

impl FromStr for Region {
    type Err = NotARegion;

    fn from_str(text: &str) -> Result<Self, NotARegion> {
        let bytes = text.as_bytes();
        let mut code = [0; 6];
        match bytes.len() {
            6 if bytes.iter().all(u8::is_ascii_digit) => code.copy_from_slice(bytes),
            2 if bytes.iter().all(u8::is_ascii_uppercase) => code[..2].copy_from_slice(bytes),
            _ => return Err(NotARegion),
        }
        Ok(Region(code))
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Region({self})")
    }
}

impl Serialize for Region {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Region {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn region(text: &str) -> Region {
        text.parse().expect("a region")
    }

    #[test]
    fn a_county_lies_in_its_city_and_the_city_in_its_province() {
        for (outer, inner, inside) in [
            ("420000", "420100", true),
            ("420000", "420102", true),
            ("420100", "420102", true),
            ("420100", "420000", false),
            ("420100", "420200", false),
            ("420000", "440000", false),
            ("000000", "440000", false),
            ("DE", "DE", true),
            ("DE", "FR", false),
        ] {
            assert_eq!(region(outer).contains(region(inner)), inside, "{outer} contains {inner}");
        }
    }

    #[test]
    fn anything_but_six_digits_or_two_capitals_is_no_region() {
        for text in ["", "44000", "4400000", "44000x", "de", "DEU", "４４"] {
            assert_eq!(text.parse::<Region>(), Err(NotARegion), "{text}");
        }
    }

    #[test]
    fn a_region_exists_down_to_its_city() {
        for (code, exists) in [
            ("000000", true),
            ("420000", true),
            ("420100", true),
            ("420102", true),
            ("429004", true),
            ("810000", true),
            ("810101", true),
            ("DE", true),
            ("999999", false),
            ("990000", false),
            ("000001", false),
            ("420099", false),
            ("429900", false),
            ("110900", false),
            ("160000", false),
        ] {
            assert_eq!(region(code).exists(), exists, "{code}");
        }
        assert_eq!(divisions::CITIES.iter().map(|(_, cities)| cities.split_whitespace().count()).sum::<usize>(), 342);
        assert!(divisions::CITIES.is_sorted_by_key(|(code, _)| code));
    }

    #[test]
    fn a_county_knows_its_province_and_its_level() {
        assert_eq!(region("420102").province(), region("420000"));
        assert_eq!(["000000", "420000", "420100", "420102", "DE"].map(|text| region(text).level()), [0, 1, 2, 3, 0]);
    }
}
