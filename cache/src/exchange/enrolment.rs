//! Enrolment: how a centre and a device learn each other's keys, once, by a slip that works for one device only.
//!
//! The operator makes a [`Slip`] (a QR): the centre's address, its key, and a one-time token. The device answers with a [`Request`]
//! that it signs over token *and* centre key: whoever photographed the slip cannot relay it to another centre, and whoever relays it
//! pins the device's key and none of his own. The centre stores the token hashed, takes it once in the transaction that pins the
//! key, and answers with a signed [`Assignment`].

use std::fmt;

use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::{Statement, StatementError, is_name, read, receipt::time};
use crate::log::{
    note::{NoteSigner, NoteVerifier},
    row::UnixMillis,
};

const SLIP: &str = "checkpoint-slip:1";
const REQUEST: &str = "checkpointd enrolment 1";
const ASSIGNMENT: &str = "checkpoint centre assignment 1";
/// Longest address of a centre.
const MAX_URL: usize = 512;

/// Sixteen random bytes that enrol one device. Prints itself nowhere but on the slip.
#[derive(Clone, PartialEq, Eq)]
pub struct OneTimeToken([u8; 16]);

impl OneTimeToken {
    /// From the system's randomness.
    pub fn draw() -> Result<OneTimeToken, getrandom::Error> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)?;
        Ok(OneTimeToken(bytes))
    }

    /// As it stands on the slip.
    #[must_use]
    pub fn text(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// The opposite.
    #[must_use]
    pub fn parse(text: &str) -> Option<OneTimeToken> {
        Some(OneTimeToken(BASE32_NOPAD.decode(text.as_bytes()).ok()?.try_into().ok()?))
    }

    /// What a centre stores: who reads its database cannot enrol.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::new().chain_update(b"checkpoint one-time token 1\0").chain_update(self.0).finalize().into()
    }
}

impl fmt::Debug for OneTimeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OneTimeToken(..)")
    }
}

/// What the operator hands to whoever sets the device up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slip {
    /// Where the centre is.
    pub url: String,
    /// Its key.
    pub centre: NoteVerifier,
    /// Good for one device.
    pub token: OneTimeToken,
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SLIP} {} {} {}", self.url, self.centre, self.token.text())
    }
}

impl std::str::FromStr for Slip {
    type Err = NotASlip;

    fn from_str(text: &str) -> Result<Slip, NotASlip> {
        let mut parts = text.trim_end().split(' ');
        let (Some(SLIP), Some(url), Some(centre), Some(token), None) =
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NotASlip);
        };
        let good = url.len() <= MAX_URL && (url.starts_with("https://") || url.starts_with("http://"));
        let slip = Slip {
            url: url.to_owned(),
            centre: centre.parse().map_err(|_| NotASlip)?,
            token: OneTimeToken::parse(token).ok_or(NotASlip)?,
        };
        if good && !url.chars().any(char::is_control) { Ok(slip) } else { Err(NotASlip) }
    }
}

/// A text is no enrolment slip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotASlip;

impl fmt::Display for NotASlip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an enrolment slip (expected `checkpoint-slip:1 URL CENTRE-KEY TOKEN`)")
    }
}

impl std::error::Error for NotASlip {}

/// What a device asks a centre, signed by its own key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// From the slip.
    pub token: OneTimeToken,
    /// From the slip: a request is good at this centre only.
    pub centre: NoteVerifier,
    /// The device's key.
    pub device: NoteVerifier,
    /// The log it writes.
    pub log: Uuid,
    /// The program's build.
    pub build: String,
    /// The device's clock.
    pub at: UnixMillis,
}

impl Request {
    /// The signed note.
    #[must_use]
    pub fn sign(&self, device: &NoteSigner) -> String {
        device.sign(&self.text())
    }

    /// Reads a note that is signed by the very key it asks to pin.
    pub fn open(note: &str) -> Result<Request, StatementError> {
        let claimed = note.lines().nth(3).and_then(|line| line.parse().ok()).ok_or(StatementError::OtherKind)?;
        read(note, &[claimed])
    }
}

impl Statement for Request {
    fn text(&self) -> String {
        let Request { token, centre, device, log, build, at } = self;
        format!("{REQUEST}\n{}\n{centre}\n{device}\n{log}\n{build}\n{at}\n", token.text())
    }

    fn lines(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let token = OneTimeToken::parse(lines.next()?)?;
        let centre = lines.next()?.parse().ok()?;
        let device = lines.next()?.parse().ok()?;
        let log = lines.next()?.parse().ok()?;
        let build = lines.next().filter(|build| is_name(build))?.to_owned();
        Some(Request { token, centre, device, log, build, at: time(lines.next()?)? })
    }
}

/// What a centre assigns to a device: its name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Whom it is for.
    pub device: NoteVerifier,
    /// What it is called and where it sends.
    pub place: Place,
}

/// The place of a post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The post's name.
    pub post: String,
    /// The station it belongs to.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub station: String,
    /// The division code of the region it stands in.
    #[serde(skip_serializing_if = "String::is_empty", default)]
    pub region: String,
    /// Its lanes.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub lanes: Vec<String>,
    /// Where rows go.
    pub upload: String,
    /// The centre's keys, to be pinned.
    pub centre_keys: Vec<String>,
}

impl Assignment {
    /// The signed note.
    #[must_use]
    pub fn sign(&self, centre: &NoteSigner) -> String {
        centre.sign(&self.text())
    }

    /// Reads an answer: only the centre of the slip may assign, by a key that is pinned, and only to this device.
    pub fn open(note: &str, centre: &[NoteVerifier], device: &NoteVerifier) -> Result<Assignment, StatementError> {
        let assignment: Assignment = read(note, centre)?;
        if assignment.device == *device { Ok(assignment) } else { Err(StatementError::OtherKind) }
    }
}

impl Statement for Assignment {
    fn text(&self) -> String {
        let place = serde_json::to_string(&self.place).expect("texts always serialise");
        format!("{ASSIGNMENT}\n{}\n{place}\n", self.device)
    }

    fn lines(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let device = lines.next()?.parse().ok()?;
        let place: Place = serde_json::from_str(lines.next()?).ok()?;
        is_name(&place.post).then_some(Assignment { device, place })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn centre() -> NoteSigner {
        NoteSigner::new("centre.example", &[1; 32]).expect("a name")
    }

    fn device(seed: u8) -> NoteSigner {
        NoteSigner::new("gate-3", &[seed; 32]).expect("a name")
    }

    fn request() -> Request {
        Request {
            token: OneTimeToken([9; 16]),
            centre: centre().verifier(),
            device: device(5).verifier(),
            log: Uuid::from_u128(7),
            build: "0.1.0".into(),
            at: UnixMillis(1_612_166_400_000),
        }
    }

    #[test]
    fn a_slip_is_read_back_from_its_qr_and_the_token_is_printed_nowhere_else() {
        let slip = Slip {
            url: "https://centre.example:8443".into(),
            centre: centre().verifier(),
            token: OneTimeToken([9; 16]),
        };
        assert_eq!(slip.to_string().parse(), Ok(slip.clone()));
        assert!(!format!("{slip:?}").contains(&slip.token.text()));
        for bad in ["", "checkpoint-slip:1", "checkpoint-slip:2 https://a b c", "http://a"] {
            assert_eq!(bad.parse::<Slip>(), Err(NotASlip), "{bad}");
        }
        assert_eq!(slip.to_string().replace("https://", "ftp://").parse::<Slip>(), Err(NotASlip));
    }

    #[test]
    fn a_request_is_signed_by_the_key_it_asks_to_pin() {
        assert_eq!(Request::open(&request().sign(&device(5))), Ok(request()));
        assert!(Request::open(&request().sign(&device(6))).is_err(), "who relays it pins no key of his own");
        let stolen = Request { device: device(6).verifier(), ..request() };
        let note = request().sign(&device(5)).replace(&device(5).verifier().to_string(), &stolen.device.to_string());
        assert!(Request::open(&note).is_err());
    }

    #[test]
    fn an_assignment_is_for_one_device_and_from_the_centre_of_the_slip() {
        let assignment = Assignment {
            device: device(5).verifier(),
            place: Place {
                post: "gate-3".into(),
                station: "Guangzhou South".into(),
                region: "440100".into(),
                lanes: vec!["1".into(), "2".into()],
                upload: "https://centre.example:8443".into(),
                centre_keys: vec![centre().verifier().to_string()],
            },
        };
        let note = assignment.sign(&centre());
        let open = |note: &str, device: &NoteSigner| Assignment::open(note, &[centre().verifier()], &device.verifier());
        assert_eq!(open(&note, &device(5)), Ok(assignment.clone()));
        assert_eq!(open(&note, &device(6)), Err(StatementError::OtherKind));
        assert!(open(&assignment.sign(&device(1)), &device(5)).is_err());
    }
}
