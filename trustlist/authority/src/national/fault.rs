//! Why a change to the national lists is refused, and what to do then.

use std::fmt;

use trustlist::region::Region;

/// A change that the lists do not bear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListError {
    /// The issuer is in the list already.
    DuplicateIssuer(Region),
    /// No issuer in the list has this code, or speaks for it.
    UnknownIssuer(Region),
    /// No province has this division code.
    UnknownRegion(Region),
    /// A city, county or country needs names.
    NoNames(Region),
    /// Two issuers would speak for one region, and neither is above the other.
    OverlappingScope {
        /// Whose is new.
        issuer: Region,
        /// Whose is there.
        other: Region,
        /// The region of both.
        region: Region,
    },
    /// A region outside of the issuer's own province.
    ForeignScope {
        /// Whose.
        issuer: Region,
        /// Which.
        region: Region,
    },
    /// The file is no first root.
    NotARoot(&'static str),
    /// The root, or a key in it, is another issuer's.
    RootOfAnother {
        /// Whose it should be.
        issuer: Region,
        /// Whose it is.
        other: Region,
    },
    /// The end is not after the beginning.
    EmptyWindow,
    /// The very same is in the list already.
    AlreadyThere(&'static str),
    /// There is none to take out.
    NotThere(&'static str),
    /// A notice, an approver or a name is missing.
    Blank(&'static str),
    /// `policy.json` would not do.
    Policy(String),
    /// Another issuer names it as the one above.
    HasChildren(Region),
}

impl fmt::Display for ListError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateIssuer(id) => {
                write!(
                    f,
                    "issuer {id} is in the trust list already; take it out with `authority issuer retire {id}` first"
                )
            }
            Self::UnknownIssuer(id) => {
                write!(f, "no issuer in the trust list speaks for {id}; add it with `authority issuer add {id}` first")
            }
            Self::UnknownRegion(id) => {
                write!(
                    f,
                    "there is no region {id}: it lies in none of the 34 provinces of GB/T 2260, or in none of its province's cities; check the digits"
                )
            }
            Self::NoNames(id) => write!(f, "{id} is in no table of names; give it some with --zh and --en"),
            Self::OverlappingScope { issuer, other, region } => write!(
                f,
                "{issuer} would speak for {region}, and so does {other}; narrow one scope, or name the other with --parent"
            ),
            Self::ForeignScope { issuer, region } => {
                write!(
                    f,
                    "{issuer} may not speak for {region}, which lies outside of it; only the national platform can"
                )
            }
            Self::NotARoot(why) => {
                write!(
                    f,
                    "the file is no first root ({why}); take metadata/1.root.json of the issuer's published repository"
                )
            }
            Self::RootOfAnother { issuer, other } => write!(
                f,
                "this is the root of {other}, or has a key of it: it cannot be {issuer}'s, too. Ask {issuer} for its own \
                 roots/1.root.json and compare the fingerprint by telephone (`authority root fingerprint`)"
            ),
            Self::EmptyWindow => f.write_str("the end is not after the beginning; check --from and --until"),
            Self::AlreadyThere(what) => write!(f, "this {what} is in the list already"),
            Self::NotThere(what) => write!(f, "there is no such {what} in the list"),
            Self::Blank(what) => write!(f, "{what} must not be empty"),
            Self::Policy(why) => write!(f, "the policy cannot be used: {why}"),
            Self::HasChildren(id) => write!(f, "issuer {id} stands below it; retire that one first"),
        }
    }
}

impl std::error::Error for ListError {}
