//! A code as somebody asks for it, on a command line or in a line of JSON, and the draft that it means.

use data_encoding::HEXLOWER;
use serde::Deserialize;
use trustlist::{
    code::{Colour, StatusRef, Visit},
    region::Region,
    time::UnixTime,
};

use super::{DEFAULT_VALIDITY, Draft, Flaw, Proof};
use crate::statuses;

/// What is asked for. Everything but the colour follows from the authority and the moment where it is left out.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// The region that issues it; the authority's own when absent.
    pub issuer: Option<Region>,
    /// `green`, `yellow`, `red`; green when absent.
    pub colour: Option<Colour>,
    /// When it is issued.
    pub issued_at: Option<UnixTime>,
    /// From when it is valid.
    pub not_before: Option<UnixTime>,
    /// When it ends.
    pub expires: Option<UnixTime>,
    /// Or how many seconds after its issue.
    pub valid_for_s: Option<i64>,
    /// When the colour was assessed.
    pub assessed_at: Option<UnixTime>,
    /// Display name, masked.
    pub name: Option<String>,
    /// Last digits of the document.
    pub document: Option<String>,
    /// Visits as `420102:2021-01-28`.
    pub visits: Vec<String>,
    /// Proofs as `nat:negative:2021-01-31`.
    pub proofs: Vec<String>,
    /// The region that a national code speaks for.
    pub on_behalf_of: Option<Region>,
    /// Number of its status, counted over all lists.
    pub status: Option<u64>,
    /// Claim id, 16 to 32 hexadecimal digits.
    pub id: Option<String>,
    /// Whether the national platform countersigns.
    pub vouched: bool,
    /// How it is spoilt.
    pub flaw: Option<Flaw>,
    /// File for its picture.
    pub picture: Option<String>,
}

impl Request {
    /// The draft of the code, issued by `issuer` at `now` where the request does not say otherwise.
    ///
    /// # Errors
    /// With what cannot be read.
    pub fn draft(&self, issuer: Region, now: UnixTime) -> Result<Draft, String> {
        let issued_at = self.issued_at.unwrap_or(now);
        let status = self.status.map(|number| {
            let (uri, index) = statuses::place(number);
            StatusRef { index, uri }
        });
        let id = self.id.as_ref().map(|id| HEXLOWER.decode(id.as_bytes())).transpose();
        Ok(Draft {
            issuer: self.issuer.unwrap_or(issuer),
            issued_at,
            not_before: self.not_before,
            expires: self.expires.unwrap_or(issued_at.plus(self.valid_for_s.unwrap_or(DEFAULT_VALIDITY))),
            id: id.map_err(|_| "an id is written in hexadecimal, 16 to 32 digits".to_owned())?,
            status,
            name: self.name.clone(),
            document: self.document.clone(),
            colour: self.colour.unwrap_or(Colour::Green),
            assessed_at: self.assessed_at,
            itinerary: self.visits.iter().map(|visit| read_visit(visit)).collect::<Result<_, _>>()?,
            proofs: self.proofs.iter().map(|proof| read_proof(proof)).collect::<Result<_, _>>()?,
            on_behalf_of: self.on_behalf_of,
        })
    }
}

fn read_visit(text: &str) -> Result<Visit, String> {
    let parts = text.split_once(':').and_then(|(area, day)| Some((area.parse().ok()?, days(day)?)));
    let (area, last_day) = parts.ok_or_else(|| format!("\"{text}\": write a visit as 420102:2021-01-28"))?;
    Ok(Visit { area, last_day })
}

fn read_proof(text: &str) -> Result<Proof, String> {
    let mut parts = text.splitn(3, ':');
    let (kind, result, date) = (parts.next(), parts.next(), parts.next().and_then(days));
    match (kind, result, date) {
        (Some(kind), Some(result), Some(date)) => Ok(Proof { kind: kind.to_owned(), result: result.to_owned(), date }),
        _ => Err(format!("\"{text}\": write a proof as nat:negative:2021-01-31")),
    }
}

/// Days since 1970-01-01 (RFC 8943 §1.1).
fn days(date: &str) -> Option<i64> {
    UnixTime::parse_rfc3339(&format!("{date}T00:00:00Z")).map(|midnight| midnight.0 / 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_becomes_a_draft() {
        let request: Request = serde_json::from_str(
            r#"{"colour": "red", "issued_at": "2021-02-01T00:00:00Z", "valid_for_s": 60, "visits": ["420102:2021-01-28"],
                "proofs": ["nat:negative:2021-01-31"], "status": 1000005}"#,
        )
        .expect("a request");
        let draft = request.draft("440000".parse().expect("a region"), UnixTime(0)).expect("a draft");
        assert_eq!(draft.expires, UnixTime(1_612_137_660));
        assert_eq!(draft.itinerary[0].last_day, 18_655);
        assert_eq!(draft.status, Some(StatusRef { index: 5, uri: "status/1".to_owned() }));
        assert_eq!(draft.proofs[0].result, "negative");
    }

    #[test]
    fn a_slip_of_the_pen_is_named() {
        assert!(serde_json::from_str::<Request>(r#"{"color": "red"}"#).is_err());
        let draft = |request: Request| request.draft("440000".parse().expect("a region"), UnixTime(0)).err();
        assert!(draft(Request { visits: vec!["420102".to_owned()], ..Request::default() }).is_some());
        assert!(draft(Request { proofs: vec!["nat:2021-01-31".to_owned()], ..Request::default() }).is_some());
        assert!(draft(Request { id: Some("xyz".to_owned()), ..Request::default() }).is_some());
    }
}
