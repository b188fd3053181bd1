//! What the board needs of a row, and the sums it is added to. Pure.
//!
//! A row that is chained and signed is kept whether it can be read or not; what cannot be read counts in no sum.

use std::collections::BTreeMap;

use serde::Deserialize;

/// Age of a list above which a scan was judged by an old one, in seconds.
pub const OLD_LIST: i64 = 86_400;
const HOUR_MS: i64 = 3_600_000;
/// Times outside of these years cannot be stored as such: the clock was never set.
const FIRST_MS: i64 = 0;
const LAST_MS: i64 = 253_402_300_799_000;
/// Longest word that becomes a key of a sum: a device cannot make tables grow by inventing names.
const MAX_WORD: usize = 64;

/// What is known of one row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The time in the row, held to what a table can keep; 1970 where it cannot be read.
    pub at_ms: i64,
    /// Of a scan.
    pub scan: Option<Scan>,
}

/// What is known of a scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scan {
    /// The lane.
    pub lane: Box<str>,
    /// `admit`, `refer` or `refuse`.
    pub verdict: Box<str>,
    /// The reason's code.
    pub reason: Box<str>,
    /// Whose code it was.
    pub issuer: Option<Box<str>>,
    /// Age of the list it was judged by.
    pub list_age_s: i64,
    /// Time to the verdict.
    pub verdict_us: i64,
}

#[derive(Deserialize)]
struct Row {
    kind: Box<str>,
    at_ms: i64,
    lane: Option<Box<str>>,
    verdict: Option<Box<str>>,
    reason: Option<Box<str>>,
    issuer: Option<Box<str>>,
    #[serde(default)]
    list_age_s: Option<i64>,
    #[serde(default)]
    time_to_verdict_us: Option<i64>,
}

impl Facts {
    /// Reads a row's text.
    #[must_use]
    pub fn read(body: &str) -> Facts {
        let Ok(row) = serde_json::from_str::<Row>(body) else { return Facts::default() };
        // No word of a table holds a control character: PostgreSQL stores no NUL, and a page prints none of them.
        let word =
            |text: Option<Box<str>>| text.filter(|text| text.len() <= MAX_WORD && !text.chars().any(char::is_control));
        let at_ms = if (FIRST_MS..=LAST_MS).contains(&row.at_ms) { row.at_ms } else { FIRST_MS };
        let scan = || {
            Some(Scan {
                lane: word(row.lane)?,
                verdict: word(row.verdict)?,
                reason: word(row.reason)?,
                issuer: word(row.issuer),
                list_age_s: row.list_age_s.unwrap_or(0),
                verdict_us: row.time_to_verdict_us.unwrap_or(0).clamp(0, 3_600_000_000),
            })
        };
        let scan = if &*row.kind == "scan" { scan() } else { None };
        Facts { at_ms, scan }
    }

    /// The UTC day, counted from 1970.
    #[must_use]
    pub fn day(&self) -> i32 {
        i32::try_from(self.at_ms.div_euclid(86_400_000)).unwrap_or(0)
    }
}

/// One lane's hour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    /// Scans.
    pub scans: i32,
    /// Of these, admitted.
    pub admitted: i32,
    /// Of these, referred.
    pub referred: i32,
    /// Of these, refused.
    pub refused: i32,
    /// Sum of the times to the verdict.
    pub verdict_us: i64,
}

/// One issuer's day at a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lists {
    /// Scans of its codes.
    pub scans: i32,
    /// Of these, judged by a list older than a day.
    pub old: i32,
    /// Age of the oldest list that was used.
    pub oldest: i64,
}

/// What newly taken rows add to the board's tables. Ordered by key: transactions of two writers never wait for each other crosswise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// The newest scan of each lane.
    pub lanes: BTreeMap<(i32, Box<str>), i64>,
    /// By post, lane and hour.
    pub hours: BTreeMap<(i32, Box<str>, i64), Hour>,
    /// By post, day, verdict and reason.
    pub reasons: BTreeMap<(i32, i32, Box<str>, Box<str>), i32>,
    /// By post, day and issuer.
    pub lists: BTreeMap<(i32, i32, Box<str>), Lists>,
}

impl Sums {
    /// Adds a row of a post.
    pub fn add(&mut self, post: i32, facts: &Facts) {
        let Some(scan) = &facts.scan else { return };
        let newest = self.lanes.entry((post, scan.lane.clone())).or_insert(facts.at_ms);
        *newest = facts.at_ms.max(*newest);
        let hour = facts.at_ms - facts.at_ms.rem_euclid(HOUR_MS);
        let hour = self.hours.entry((post, scan.lane.clone(), hour)).or_default();
        hour.scans += 1;
        match &*scan.verdict {
            "admit" => hour.admitted += 1,
            "refer" => hour.referred += 1,
            _ => hour.refused += 1,
        }
        hour.verdict_us += scan.verdict_us;
        *self.reasons.entry((post, facts.day(), scan.verdict.clone(), scan.reason.clone())).or_default() += 1;
        if let Some(issuer) = &scan.issuer {
            let lists = self.lists.entry((post, facts.day(), issuer.clone())).or_default();
            lists.scans += 1;
            lists.old += i32::from(scan.list_age_s > OLD_LIST);
            lists.oldest = lists.oldest.max(scan.list_age_s);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCAN: &str = r#"{"v":1,"kind":"scan","id":"0193f1d0-0000-7000-8000-000000000001","at_ms":1612137600123,"time_trust":"synced",
        "lane":"1","direction":"entry","verdict":"refer","reason":"list-stale","issuer":"420000","list_age_s":90000,"time_to_verdict_us":41000}"#;

    #[test]
    fn a_scan_counts_in_its_lanes_hour_its_reasons_day_and_its_issuers_lists() {
        let mut sums = Sums::default();
        for _ in 0..3 {
            sums.add(7, &Facts::read(SCAN));
        }
        let hour = Hour { scans: 3, referred: 3, verdict_us: 123_000, ..Hour::default() };
        assert_eq!(sums.hours.into_iter().collect::<Vec<_>>(), [((7, "1".into(), 1_612_137_600_000), hour)]);
        assert_eq!(sums.reasons.values().copied().collect::<Vec<_>>(), [3]);
        assert_eq!(sums.lists.values().copied().collect::<Vec<_>>(), [Lists { scans: 3, old: 3, oldest: 90_000 }]);
    }

    #[test]
    fn rubbish_and_clocks_of_other_ages_are_kept_and_counted_nowhere() {
        let mut sums = Sums::default();
        for body in ["{}", "{\"kind\":7}", "{\"kind\":\"begin\",\"at_ms\":5}", "not json"] {
            sums.add(1, &Facts::read(body));
        }
        assert_eq!(sums, Sums::default());
        let long = SCAN.replace("\"lane\":\"1\"", &format!("\"lane\":\"{}\"", "x".repeat(65)));
        assert_eq!(Facts::read(&long).scan, None);
        for at in ["-5", "9223372036854775807"] {
            let facts = Facts::read(&SCAN.replace("1612137600123", at));
            assert_eq!((facts.at_ms, facts.day(), facts.scan.is_some()), (0, 0, true));
        }
    }
}
