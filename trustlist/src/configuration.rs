//! Configuration codes, `MRC1`: what an operations centre tells a checkpoint through its own camera.
//!
//! `MRC1:` + Base45 of a COSE_Sign1 as in `MR1` pass codes, signed with a key of use `configuration` of the *national* repository.
//! It can set the few things of [`Settings`] and nothing else: no program to run, no key, no place on the disk.
//! [`decide`] is the only way to an [`Order`]; a code is parsed, attested, and only then asked whether it is meant for this
//! checkpoint, now, for the first time. `trustlist/FORMAT.md` §8 specifies the bytes.

use std::fmt;

use ciborium::Value;

use crate::{
    code::{
        IssuerKey, KeyState, Usage,
        cbor::{self, Strictness},
        cose::{Profile, Sign1},
        cwt::{self, Map},
        text,
    },
    key::KeyId,
    time::{Moment, SKEW, UnixTime},
    trust::Trust,
};

/// What a text of this format begins with.
pub const PREFIX: &str = "MRC1:";
/// Private claim: the checkpoint that it is for, or `*` for all.
pub const TO: i64 = -70010;
/// Private claim: its number. A checkpoint takes a number once, and none below one that it took.
pub const NUMBER: i64 = -70011;
/// Private claim: what it sets, a map.
pub const SETTINGS: i64 = -70012;

/// In the settings: the id of the lane that sees the code.
pub const LANE: i64 = 1;
/// In the settings: its direction, 0 entry, 1 exit.
pub const DIRECTION: i64 = 2;
/// In the settings: mirrors of the lists, an array of texts in the order in which they are tried.
pub const MIRRORS: i64 = 3;
/// In the settings: the policy profile.
pub const PROFILE: i64 = 4;
/// In the settings: a wireless network, a map of name and passphrase.
pub const WIFI: i64 = 5;
/// In the wireless network: its name (SSID), 1 to 32 bytes.
pub const WIFI_NAME: i64 = 1;
/// In the wireless network: its passphrase, 8 to 63 printable ASCII characters (IEEE 802.11 annex J.4).
pub const WIFI_PASSPHRASE: i64 = 2;

/// Longest id of a checkpoint, a lane or a profile. Ids stand in rows and on screens.
const MAX_ID: usize = 64;
/// Most mirrors, and the longest address of one.
const MAX_MIRRORS: usize = 8;
const MAX_ADDRESS: usize = 256;
/// Longest that a code may be valid, in seconds: what is found in a drawer next year sets nothing.
pub const MAX_VALIDITY: i64 = 31 * 86_400;

const CODE: Profile = Profile { strictness: Strictness::Deterministic, unprotected: false, untagged: false };

/// Which way the travellers of a lane go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the controlled area.
    Entry,
    /// Out of it.
    Exit,
}

/// A wireless network. Prints no passphrase.
#[derive(Clone, PartialEq, Eq)]
pub struct Wifi {
    /// Its name.
    pub name: Vec<u8>,
    /// Its passphrase.
    pub passphrase: String,
}

impl fmt::Debug for Wifi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wifi(..)")
    }
}

/// What a code sets. Absent members stay as they are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The id of the lane that sees the code.
    pub lane: Option<String>,
    /// Its direction.
    pub direction: Option<Direction>,
    /// Mirrors of the lists.
    pub mirrors: Option<Vec<String>>,
    /// The policy profile.
    pub profile: Option<String>,
    /// A wireless network.
    pub wifi: Option<Wifi>,
}

impl Settings {
    /// The names of what is set, for the journal and the chain; never a value.
    #[must_use]
    pub fn names(&self) -> Vec<&'static str> {
        [
            ("lane", self.lane.is_some()),
            ("direction", self.direction.is_some()),
            ("mirrors", self.mirrors.is_some()),
            ("profile", self.profile.is_some()),
            ("wifi", self.wifi.is_some()),
        ]
        .into_iter()
        .filter_map(|(name, set)| set.then_some(name))
        .collect()
    }
}

/// An attested code that is meant for this checkpoint, now, for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The key that signed it.
    pub kid: KeyId,
    /// Its number.
    pub number: u64,
    /// What it sets.
    pub settings: Settings,
}

/// Why a code sets nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nobody opened a service window. The code was not even looked at.
    NoWindow,
    /// It is no message of this format; the word says what is wrong.
    Malformed(&'static str),
    /// The national list names no such key for configuration.
    UnknownKey,
    /// The key was retired before, or revoked, or is outside its own validity.
    KeySpent,
    /// The signature does not hold.
    BadSignature,
    /// It is for another checkpoint.
    Elsewhere,
    /// It has ended, or is not valid yet.
    NotNow,
    /// Its number, or a higher one, was taken before.
    Replayed,
    /// The national list has no profile of that name.
    UnknownProfile,
}

impl Refusal {
    /// Every one, for whoever must have words for each.
    pub const ALL: [Refusal; 9] = [
        Self::NoWindow,
        Self::Malformed(""),
        Self::UnknownKey,
        Self::KeySpent,
        Self::BadSignature,
        Self::Elsewhere,
        Self::NotNow,
        Self::Replayed,
        Self::UnknownProfile,
    ];

    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoWindow => "no-window",
            Self::Malformed(_) => "malformed",
            Self::UnknownKey => "unknown-key",
            Self::KeySpent => "key-spent",
            Self::BadSignature => "bad-signature",
            Self::Elsewhere => "elsewhere",
            Self::NotNow => "not-now",
            Self::Replayed => "replayed",
            Self::UnknownProfile => "unknown-profile",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoWindow => f.write_str("no service window is open: `checkpointd service-window` opens one"),
            Self::Malformed(detail) => write!(f, "it is no configuration code ({detail}); make it again"),
            Self::UnknownKey => f.write_str("the national list names no such key for configuration; update the lists"),
            Self::KeySpent => f.write_str("its key is not in use any more; sign it with the newest one"),
            Self::BadSignature => f.write_str("its signature does not hold"),
            Self::Elsewhere => f.write_str("it is for another checkpoint"),
            Self::NotNow => f.write_str("it is not valid now; look at the clock, or make it again"),
            Self::Replayed => f.write_str("it, or a later one, was taken before; make a new one"),
            Self::UnknownProfile => f.write_str("the national list has no policy profile of that name"),
        }
    }
}

impl std::error::Error for Refusal {}

/// Where and when a code is shown.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// Whether a service window is open.
    pub window: bool,
    /// The id of this checkpoint.
    pub checkpoint: &'a str,
    /// The clock.
    pub moment: Moment,
    /// The highest number taken so far; 0 for none.
    pub taken: u64,
}

/// Whether a text claims to be a configuration code; nothing else of it is looked at.
#[must_use]
pub fn claimed_by(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// Whether a text is a configuration code at all, whoever signed it: for the desk that makes one.
///
/// # Errors
/// With what is wrong in it.
pub fn well_formed(text: &str) -> Result<(), Refusal> {
    let message = parse(text).map_err(Refusal::Malformed)?;
    Claims::read(&message.payload).map(drop).map_err(Refusal::Malformed)
}

/// Judges a configuration code. In this order: window, message, key, signature, address, time, number, content.
///
/// # Errors
/// With why it sets nothing.
pub fn decide(text: &str, trust: &Trust, context: &Context<'_>) -> Result<Order, Refusal> {
    if !context.window {
        return Err(Refusal::NoWindow);
    }
    let message = parse(text).map_err(Refusal::Malformed)?;
    let kid = KeyId(message.kid.as_slice().try_into().map_err(|_| Refusal::Malformed("bad-kid"))?);
    let key = signer(&message, kid, trust.configuration_keys())?;
    let claims = Claims::read(&message.payload).map_err(Refusal::Malformed)?;
    if claims.to != "*" && claims.to != context.checkpoint {
        return Err(Refusal::Elsewhere);
    }
    if !key.good_at(claims.issued_at) {
        return Err(Refusal::KeySpent);
    }
    if !timely(&claims, context.moment) {
        return Err(Refusal::NotNow);
    }
    if claims.number <= context.taken {
        return Err(Refusal::Replayed);
    }
    if claims.settings.profile.as_deref().is_some_and(|name| !trust.has_profile(name)) {
        return Err(Refusal::UnknownProfile);
    }
    Ok(Order { kid, number: claims.number, settings: claims.settings })
}

/// A clock that nobody confirms says neither that a code is to come nor that it is over; the floor still says that it has ended. The code
/// may be what brings the network that sets the clock.
fn timely(claims: &Claims, moment: Moment) -> bool {
    moment.has_come(claims.issued_at, SKEW) != Some(false) && moment.has_passed(claims.expires, 0) != Some(true)
}

fn parse(text: &str) -> Result<Sign1, &'static str> {
    let bytes = text::base45(text.strip_prefix(PREFIX).ok_or("bad-prefix")?)?;
    Sign1::parse(&bytes, CODE)
}

/// The key that made the signature. All with the message's key id are tried; the list says which algorithm each has.
fn signer<'k>(message: &Sign1, kid: KeyId, keys: &'k [IssuerKey]) -> Result<&'k IssuerKey, Refusal> {
    let named = |key: &&IssuerKey| {
        key.kid == kid && key.usage == Usage::Configuration && message.algorithm == Some(key.public.algorithm().cose())
    };
    let mut candidates = keys.iter().filter(named).peekable();
    if candidates.peek().is_none() {
        return Err(Refusal::UnknownKey);
    }
    let signed = |key: &&IssuerKey| message.signed_by(|bytes, signature| key.public.verify(bytes, signature));
    let signers: Vec<&IssuerKey> = candidates.filter(signed).collect();
    // Of a key that is stated twice and taken back once, nothing counts.
    let revoked = signers.iter().find(|key| key.state == KeyState::Revoked);
    revoked.or(signers.first()).copied().ok_or(Refusal::BadSignature)
}

struct Claims {
    to: String,
    number: u64,
    issued_at: UnixTime,
    expires: UnixTime,
    settings: Settings,
}

impl Claims {
    fn read(payload: &[u8]) -> Result<Claims, &'static str> {
        cbor::walk(payload, Strictness::Deterministic).map_err(|_| "bad-cbor")?;
        let value: Value = ciborium::from_reader(payload).map_err(|_| "bad-cbor")?;
        let map = Map::new(value).ok_or("bad-cwt")?;
        let issued_at = map.time(cwt::IAT, false)?.ok_or("no-iat")?;
        let expires = map.time(cwt::EXP, false)?.ok_or("no-exp")?;
        if expires.since(issued_at) > MAX_VALIDITY {
            return Err("valid-too-long");
        }
        let number = map.integer(NUMBER)?.and_then(|number| u64::try_from(number).ok()).ok_or("no-number")?;
        Ok(Claims {
            to: id(&map, TO)?.ok_or("no-addressee")?,
            number,
            issued_at,
            expires,
            settings: settings(&map.map(SETTINGS)?.ok_or("no-settings")?)?,
        })
    }
}

fn settings(map: &Map) -> Result<Settings, &'static str> {
    // A member that this release does not know would be an order half obeyed.
    if !map.has_only(&[LANE, DIRECTION, MIRRORS, PROFILE, WIFI]) {
        return Err("unknown-setting");
    }
    let settings = Settings {
        lane: id(map, LANE)?,
        direction: match map.integer(DIRECTION)? {
            None => None,
            Some(0) => Some(Direction::Entry),
            Some(1) => Some(Direction::Exit),
            Some(_) => return Err("bad-direction"),
        },
        mirrors: map.value(MIRRORS).map(|_| mirrors(map.array(MIRRORS)?)).transpose()?,
        profile: id(map, PROFILE)?,
        wifi: map.map(WIFI)?.map(|wifi| network(&wifi)).transpose()?,
    };
    if settings == Settings::default() { Err("no-settings") } else { Ok(settings) }
}

/// An id as people write one: visible, on one line.
fn id(map: &Map, key: i64) -> Result<Option<String>, &'static str> {
    let Some(text) = map.text(key)? else { return Ok(None) };
    if text.is_empty() || text.len() > MAX_ID || text.chars().any(char::is_control) {
        return Err("bad-id");
    }
    Ok(Some(text.to_owned()))
}

fn mirrors(values: &[Value]) -> Result<Vec<String>, &'static str> {
    if values.len() > MAX_MIRRORS {
        return Err("too-many-mirrors");
    }
    values
        .iter()
        .map(|value| match value.as_text() {
            Some(text) if text.len() <= MAX_ADDRESS && text.bytes().all(|byte| byte.is_ascii_graphic()) => {
                Ok(text.to_owned())
            }
            _ => Err("bad-mirror"),
        })
        .collect()
}

fn network(map: &Map) -> Result<Wifi, &'static str> {
    let name = map.bytes(WIFI_NAME)?.ok_or("bad-wifi")?;
    let passphrase = map.text(WIFI_PASSPHRASE)?.ok_or("bad-wifi")?;
    let printable = passphrase.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !(1..=32).contains(&name.len()) || !(8..=63).contains(&passphrase.len()) || !printable {
        return Err("bad-wifi");
    }
    Ok(Wifi { name: name.to_vec(), passphrase: passphrase.to_owned() })
}
