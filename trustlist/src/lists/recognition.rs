//! `recognition.json`: who recognises whose codes, by which route, and what is suspended by which notice.

use std::fmt;

use serde::{Deserialize, Serialize, de};

use crate::{
    region::Region,
    time::{UnixTime, Window},
};

/// The whole document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recognition {
    /// What is recognised.
    pub arrangements: Vec<Arrangement>,
    /// What is not, for the time being.
    pub suspensions: Vec<Suspension>,
}

/// How a code comes to count elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Route {
    /// The issuer's own signature suffices.
    Direct,
    /// The national platform must have countersigned.
    Intermediary,
    /// A code of the national platform on behalf of the region.
    National,
}

impl Route {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Intermediary => "intermediary",
            Self::National => "national",
        }
    }
}

/// A region with all that lies inside it, or everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Party {
    /// `*`.
    Everybody,
    /// This region and what lies inside it.
    Region(Region),
}

impl Party {
    /// Whether `region` is meant.
    #[must_use]
    pub fn covers(self, region: Region) -> bool {
        match self {
            Self::Everybody => true,
            Self::Region(party) => party.contains(region),
        }
    }

    /// How narrow: 0 everybody, 1 nation or country, 2 province, 3 city, 4 county.
    #[must_use]
    pub fn narrowness(self) -> u8 {
        match self {
            Self::Everybody => 0,
            Self::Region(region) => region.level() + 1,
        }
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everybody => f.write_str("*"),
            Self::Region(region) => region.fmt(f),
        }
    }
}

impl Serialize for Party {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Party {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.as_ref() {
            "*" => Ok(Self::Everybody),
            region => region.parse().map(Self::Region).map_err(de::Error::custom),
        }
    }
}

/// `relying` recognises the codes of `issuing`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrangement {
    /// Whose codes.
    pub issuing: Party,
    /// Where they count.
    pub relying: Party,
    /// By which route.
    pub route: Route,
    /// From when until when.
    #[serde(flatten)]
    pub window: Window,
}

/// `relying` cannot recognise the codes of `issuing` for the time being, and has reported it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Whose codes.
    pub issuing: Party,
    /// Where they do not count.
    pub relying: Party,
    /// Number of the notice by which it was reported.
    pub notice: String,
    /// Who approved it.
    pub approved_by: String,
    /// Which other code a traveller may show, for the screen.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub instead: Option<String>,
    /// From when until when.
    #[serde(flatten)]
    pub window: Window,
}

impl Suspension {
    /// Number and dates for a screen: `2021-17 (2021-01-25 – 2021-02-10)`.
    #[must_use]
    pub fn notice_and_dates(&self) -> String {
        let day = |at: UnixTime| at.to_string().get(..10).unwrap_or_default().to_owned();
        let dates = match (self.window.from.map(day), self.window.until.map(day)) {
            (Some(from), Some(until)) => format!(" ({from} – {until})"),
            (Some(from), None) => format!(" ({from} –)"),
            (None, Some(until)) => format!(" (– {until})"),
            (None, None) => String::new(),
        };
        format!("{}{dates}", self.notice)
    }
}
