//! `trust show`: every issuer with the age of its list.

use host::clock::Clock;
use serde::Serialize;
use sync::lists;
use trustlist::{
    freshness::Freshness,
    region::Region,
    time::{Moment, UnixTime},
    trust::Trust,
};

use crate::commands::{
    config_args::{ConfigArgs, configuration},
    failure::{Exit, Failure},
    judging,
    output::print_as,
};

/// Prints the lists of this device, now.
///
/// # Errors
/// When the lists cannot be loaded.
pub fn show(said: &ConfigArgs, clock: &Clock, json: bool) -> Result<Exit, Failure> {
    let config = configuration(said)?;
    let trust = lists::load_trust(None, &config)?;
    print_as(&Lists::of(&trust, judging::time(clock, &config).moment(&trust)), json, Lists::text)
}

/// What is held of whom.
#[derive(Serialize)]
pub struct Lists {
    generation: u64,
    issued: UnixTime,
    issuers: Vec<IssuerLine>,
    arrangements: usize,
    suspensions: usize,
    risk_areas: usize,
}

#[derive(Serialize)]
struct IssuerLine {
    id: Region,
    name: String,
    formats: Vec<&'static str>,
    keys: usize,
    status_lists: usize,
    generation: Option<u64>,
    issued: Option<UnixTime>,
    age_s: Option<i64>,
    freshness: Option<Freshness>,
}

impl Lists {
    pub fn of(trust: &Trust, moment: Moment) -> Lists {
        let profile = trust.profile(None);
        let line = |issuer: &trustlist::trust::Issuer| {
            let id = issuer.entry.id;
            let freshness = trust.freshness(id, moment, &profile);
            IssuerLine {
                id,
                name: format!("{} {}", issuer.entry.name.zh, issuer.entry.name.en),
                formats: issuer.entry.formats.iter().map(|format| format.code()).collect(),
                keys: trust.ring().iter().filter(|key| key.issuer == id).count(),
                status_lists: issuer.statuses.len(),
                generation: issuer.repository.map(|repository| repository.generation),
                issued: issuer.repository.map(|repository| repository.issued),
                age_s: freshness.and_then(|(age, _)| age),
                freshness: freshness.map(|(_, step)| step),
            }
        };
        Lists {
            generation: trust.national().generation,
            issued: trust.national().issued,
            issuers: trust.issuers().map(line).collect(),
            arrangements: trust.recognition().arrangements.len(),
            suspensions: trust.recognition().suspensions.len(),
            risk_areas: trust.risk_areas().areas.len(),
        }
    }

    pub fn text(&self) -> String {
        let mut text = format!(
            "national list: generation {}, issued {}\n{} arrangements, {} suspensions, {} risk areas\n\n",
            self.generation, self.issued, self.arrangements, self.suspensions, self.risk_areas
        );
        for issuer in &self.issuers {
            let age = issuer.age_s.map_or("-".to_owned(), |seconds| format!("{} h", seconds / 3600));
            text.push_str(&format!(
                "{:<7} {:<11} {:>6}  {} keys, {} status lists, {}  {}\n",
                issuer.id,
                issuer.freshness.map_or("missing", Freshness::code),
                age,
                issuer.keys,
                issuer.status_lists,
                issuer.formats.join("+"),
                issuer.name,
            ));
        }
        text
    }
}
