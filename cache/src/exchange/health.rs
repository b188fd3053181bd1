//! Health lines: how a post is, signed by its device key, every few minutes, beside the rows.
//!
//! They are not in the chain: a post that cannot write its log can still say so. The counter is the post's own and only grows, so
//! that whoever recorded yesterday's line cannot make a dead post look alive.
//!
//! ```text
//! checkpointd health 1
//! gate-3                              the post
//! 0193f1d0-…                          the log
//! 1042                                the counter
//! 2021-02-01T08:00:00.000Z synced     the device's clock, and how far it is believed
//! {"build":"0.1.0 (1f2e3d4)",…}       one line of JSON, members that are not known are ignored
//! ```

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use trustlist::{region::Region, time::TimeTrust};
use uuid::Uuid;

use super::{Statement, StatementError, is_name, receipt::time};
use crate::log::{
    note::{NoteSigner, NoteVerifier},
    row::UnixMillis,
};

const TITLE: &str = "checkpointd health 1";
/// Lanes and issuers of one post that a line may name: more are no post.
const MAX_MEMBERS: usize = 128;
const TRUSTS: [TimeTrust; 4] = [TimeTrust::Untrusted, TimeTrust::FloorOnly, TimeTrust::Holdover, TimeTrust::Synced];

/// What a health line says.
#[derive(Clone, Debug, PartialEq)]
pub struct Health {
    /// The post.
    pub post: String,
    /// The log it writes.
    pub log: Uuid,
    /// Greater than in every line before.
    pub counter: u64,
    /// The device's clock.
    pub at: UnixMillis,
    /// How far it is believed.
    pub time_trust: TimeTrust,
    /// How the post is.
    pub vitals: Vitals,
}

/// How a post is. What a board does not have (a thermometer) is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vitals {
    /// The program's build.
    pub build: String,
    /// Why the clock is believed as far as it is: `service-heard`, `settled`, `nobody-confirms`, …
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub clock_evidence: Option<String>,
    /// Age of each issuer's newest verified lists, in seconds.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub list_age_s: BTreeMap<Region, i64>,
    /// Each lane's camera: whether pictures arrive that can be believed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub cameras: BTreeMap<String, bool>,
    /// The newest row.
    pub seq: u64,
    /// Rows that no receipt covers yet.
    pub outbox: u64,
    /// Age of the oldest of them, in seconds.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outbox_age_s: Option<i64>,
    /// Rows the centre has refused.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub refused: u64,
    /// Travellers that wait, by the lanes' own estimate.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub queue: Option<u32>,
    /// Room where the log lies, in MiB.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub disk_free_mib: Option<u64>,
    /// The board's temperature, in thousandths of a degree Celsius.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub temperature_mc: Option<i64>,
    /// What the lanes show as attention, as stable words.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub attentions: Vec<String>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Health {
    /// The signed note.
    #[must_use]
    pub fn sign(&self, device: &NoteSigner) -> String {
        device.sign(&self.text())
    }

    /// The post a note says to be of: which key it has to be checked with. Nothing of it is believed yet.
    #[must_use]
    pub fn claimed_post(note: &str) -> Option<&str> {
        let mut lines = note.lines();
        (lines.next()? == TITLE).then(|| lines.next().filter(|post| is_name(post)))?
    }

    /// Reads a note, believing nothing but the key.
    pub fn open(note: &str, device: &NoteVerifier) -> Result<Health, StatementError> {
        let text = super::open(note, std::slice::from_ref(device))?;
        Health::lines(text).filter(|health| health.heading() == heading(text)).ok_or(StatementError::OtherKind)
    }

    fn heading(&self) -> String {
        let Health { post, log, counter, at, time_trust, .. } = self;
        format!("{TITLE}\n{post}\n{log}\n{counter}\n{at} {}\n", time_trust.code())
    }
}

/// All but the line of JSON, which a later release may write with other members.
fn heading(text: &str) -> &str {
    let body = text.trim_end_matches('\n');
    body.rfind('\n').map_or("", |end| &body[..=end])
}

impl Statement for Health {
    fn text(&self) -> String {
        let vitals = serde_json::to_string(&self.vitals).expect("texts and numbers always serialise");
        format!("{}{vitals}\n", self.heading())
    }

    fn lines(text: &str) -> Option<Self> {
        let mut lines = text.lines().skip(1);
        let post = lines.next().filter(|post| is_name(post))?.to_owned();
        let log = lines.next()?.parse().ok()?;
        let counter = lines.next()?.parse().ok().filter(|counter| *counter <= i64::MAX as u64)?;
        let (at, trust) = lines.next()?.split_once(' ')?;
        let time_trust = TRUSTS.into_iter().find(|known| known.code() == trust)?;
        let vitals: Vitals = serde_json::from_str(lines.next()?).ok()?;
        if vitals.list_age_s.len().max(vitals.cameras.len()).max(vitals.attentions.len()) > MAX_MEMBERS {
            return None;
        }
        let end = lines.next().is_none();
        end.then_some(Health { post, log, counter, at: time(at)?, time_trust, vitals })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device() -> NoteSigner {
        NoteSigner::new("gate-3", &[5; 32]).expect("a name")
    }

    fn health() -> Health {
        Health {
            post: "gate-3".into(),
            log: Uuid::from_u128(7),
            counter: 1042,
            at: UnixMillis(1_612_166_400_000),
            time_trust: TimeTrust::Synced,
            vitals: Vitals {
                build: "0.1.0".into(),
                list_age_s: BTreeMap::from([("420000".parse().expect("a region"), 3600)]),
                cameras: BTreeMap::from([("1".into(), true)]),
                seq: 512,
                outbox: 3,
                ..Vitals::default()
            },
        }
    }

    #[test]
    fn a_health_line_is_read_back_as_it_was_signed_and_no_other_device_can_have_written_it() {
        let note = health().sign(&device());
        assert_eq!(Health::claimed_post(&note), Some("gate-3"));
        assert_eq!(Health::open(&note, &device().verifier()), Ok(health()));
        let other = NoteSigner::new("gate-3", &[6; 32]).expect("a name");
        assert!(Health::open(&note, &other.verifier()).is_err());
        assert!(Health::open(&note.replace("1042", "1043"), &device().verifier()).is_err());
    }

    #[test]
    fn a_later_releases_members_are_passed_over_and_more_lines_are_not() {
        let text = health().text();
        let later = text.replace("{\"build\"", "{\"fan\":7,\"build\"");
        assert_eq!(Health::open(&device().sign(&later), &device().verifier()), Ok(health()));
        for bad in [format!("{text}more\n"), text.replace("synced", "certain"), text.replace("\n1042\n", "\n01042\n")] {
            let opened = Health::open(&device().sign(&bad), &device().verifier());
            assert_eq!(opened, Err(StatementError::OtherKind), "{bad}");
        }
    }
}
