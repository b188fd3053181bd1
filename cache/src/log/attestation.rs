//! Attestations: what this device says of itself at a moment, signed, for an inspector who has only its public key.
//!
//! A signed note whose text has exactly these lines:
//!
//! ```text
//! checkpointd attestation 1         what this is
//! gate 7                            which checkpoint
//! 0.1.0 (1f2e3d4)                   which build
//! 2021-02-01T08:00:00.000Z synced   the device's clock, and how far it is believed
//! 0193f1d0-… 512 q8x…=              the scan log: its name, its rows, the hash of the newest (Base64)
//! 110000=3 440000=12                generation of each issuer's lists
//! ```

use std::{collections::BTreeMap, fmt};

use data_encoding::BASE64;
use serde::Serialize;
use trustlist::region::Region;
use uuid::Uuid;

use super::{
    Fault, ScanLog,
    chain::Head,
    note::{NoteError, NoteVerifier},
    row::UnixMillis,
    table::head,
};

/// First line of every attestation: no other note of this device can be taken for one.
const TITLE: &str = "checkpointd attestation 1";

/// What a device says of itself beside its log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The checkpoint's name.
    pub checkpoint: String,
    /// The program's build.
    pub build: String,
    /// The device's clock.
    #[serde(serialize_with = "as_text")]
    pub at: UnixMillis,
    /// How far it is believed.
    pub time_trust: String,
    /// Generation of each issuer's lists.
    pub lists: BTreeMap<Region, u64>,
}

/// A statement with the log it belongs to. It is *not* proof by itself: the note around it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attestation {
    /// What the device says.
    #[serde(flatten)]
    pub statement: Statement,
    /// Which log.
    pub log: Uuid,
    /// Rows in its chain.
    pub rows: u64,
    /// Hash of the newest, Base64.
    pub head: String,
}

fn as_text<S: serde::Serializer>(at: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(at)
}

/// Why a text is no attestation that can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttestationError {
    /// The note or its signature.
    Note(NoteError),
    /// A good note, but no attestation.
    NotAnAttestation,
}

impl fmt::Display for AttestationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(error) => write!(f, "attestation: {error}"),
            Self::NotAnAttestation => f.write_str("the note is signed by the device and is no attestation"),
        }
    }
}

impl std::error::Error for AttestationError {}

/// A value fits on its line, whatever somebody called their checkpoint.
fn one_line(text: &str) -> String {
    text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect()
}

impl Statement {
    fn text(&self, log: Uuid, head: &Head) -> String {
        let lists: Vec<String> =
            self.lists.iter().map(|(issuer, generation)| format!("{issuer}={generation}")).collect();
        format!(
            "{TITLE}\n{}\n{}\n{} {}\n{log} {} {}\n{}\n",
            one_line(&self.checkpoint),
            one_line(&self.build),
            self.at,
            self.time_trust,
            head.seq,
            BASE64.encode(&head.hash),
            lists.join(" ")
        )
    }
}

impl ScanLog {
    /// Signs what the device says of itself, with the newest row's hash.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn attest(&mut self, statement: &Statement) -> Result<String, Fault> {
        let head = head(&self.connection)?;
        Ok(self.options.signer.sign(&statement.text(self.log, &head)))
    }
}

impl Attestation {
    /// Reads a note, believing nothing but the key.
    ///
    /// # Errors
    /// When it is not signed by this key, or is about something else.
    pub fn open(note: &str, verifier: &NoteVerifier) -> Result<Attestation, AttestationError> {
        let text = verifier.open(note).map_err(AttestationError::Note)?;
        Attestation::parse(text).ok_or(AttestationError::NotAnAttestation)
    }

    fn parse(text: &str) -> Option<Attestation> {
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let (checkpoint, build) = (lines.next()?.to_owned(), lines.next()?.to_owned());
        let (at, time_trust) = lines.next()?.split_once(' ')?;
        let at = UnixMillis(at.parse::<jiff::Timestamp>().ok()?.as_millisecond());
        let mut log = lines.next()?.split(' ');
        let (name, rows, head) = (log.next()?.parse().ok()?, log.next()?.parse().ok()?, log.next()?.to_owned());
        let generation = |pair: &str| {
            let (issuer, generation) = pair.split_once('=')?;
            Some((issuer.parse().ok()?, generation.parse().ok()?))
        };
        let lists = lines.next()?.split_whitespace().map(generation).collect::<Option<_>>()?;
        let statement = Statement { checkpoint, build, at, time_trust: time_trust.to_owned(), lists };
        lines.next().is_none().then_some(Attestation { statement, log: name, rows, head })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Options, note::NoteSigner};
    use crate::machine::Machine;

    #[test]
    fn an_inspector_with_the_public_key_reads_what_the_device_said_and_nothing_else_passes() {
        let folder = tempfile::tempdir().expect("a folder");
        let signer = || NoteSigner::new("gate-7", &[7; 32]).expect("a name");
        let at = UnixMillis(1_612_137_600_000);
        let mut log =
            ScanLog::open(Options::new(folder.path().join("scans.db"), signer(), Machine::real()), at).expect("opened");
        let statement = Statement {
            checkpoint: "gate 7\nforged line".to_owned(),
            build: "0.1.0".to_owned(),
            at,
            time_trust: "synced".to_owned(),
            lists: BTreeMap::from([("440000".parse().expect("a region"), 12)]),
        };
        let note = log.attest(&statement).expect("signed");
        let opened = Attestation::open(&note, &signer().verifier()).expect("it is signed");
        assert_eq!(opened.statement.checkpoint, "gate 7 forged line", "a name cannot bring lines of its own");
        assert_eq!((opened.rows, opened.statement.lists.len(), opened.statement.at), (1, 1, at));
        let changed = note.replace("440000=12", "440000=13");
        let bad = Err(AttestationError::Note(NoteError::BadSignature));
        assert_eq!(Attestation::open(&changed, &signer().verifier()), bad);
        let chat = signer().sign("good morning\n");
        assert_eq!(Attestation::open(&chat, &signer().verifier()), Err(AttestationError::NotAnAttestation));
    }
}
