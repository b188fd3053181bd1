//! What `scan` and `verify` share: where the lists come from, the moment of the decision, and how a decision is printed.

use std::path::PathBuf;

use cache::log::Reader;
use clap::Args;
use host::{believed_time::BelievedTime, clock::Clock, config::Config};
use serde::Serialize;
use sync::lists;
use trustlist::{
    judge::{self, Context, Decision, Outcome},
    region::Region,
    time::{Moment, UnixTime},
    trust::Trust,
    verdict::Verdict,
};

use crate::commands::failure::{Exit, Failure};

/// The lists, the place and the moment of a decision.
#[derive(Clone, Debug, Args)]
pub struct Judging {
    /// Lists to judge by: a folder of trust repositories, as on a mirror or a stick
    #[arg(long, value_name = "DIR")]
    pub trust: Option<PathBuf>,
    /// Judge as if it were then (RFC 3339), by a clock that is right
    #[arg(long, value_name = "TIME", value_parser = rfc3339)]
    pub at: Option<UnixTime>,
    /// The region whose gate this is (division code); the configuration's when absent
    #[arg(long, value_name = "ID")]
    pub relying: Option<Region>,
    /// The policy profile; the list's default when absent
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
}

/// Reads a time of the command line.
pub fn rfc3339(text: &str) -> Result<UnixTime, String> {
    UnixTime::parse_rfc3339(text).ok_or_else(|| "not an RFC 3339 time such as 2021-02-01T08:00:00Z".to_owned())
}

/// Everything loaded: ready to judge text after text.
#[derive(Debug)]
pub struct Judge {
    trust: Trust,
    moment: Moment,
    relying: Region,
    profile: Option<String>,
}

impl Judging {
    /// Loads the lists and settles place and moment.
    ///
    /// # Errors
    /// When the lists cannot be verified, or no region is known.
    pub fn load(self, said: &super::ConfigArgs, clock: &Clock) -> Result<Judge, Failure> {
        let config = super::config_args::configuration(said)?;
        let trust = lists::load_trust(self.trust.as_deref(), &config)?;
        let moment = match self.at {
            Some(at) => Moment::synced(at),
            None => time(clock, &config).moment(&trust),
        };
        let relying = self.relying.or(config.checkpoint.relying).ok_or_else(|| {
            Failure::usage("whose gate is this? say --relying 440000, or set checkpoint.relying in the configuration")
        })?;
        Ok(Judge { trust, moment, relying, profile: self.profile.or(config.checkpoint.profile) })
    }
}

/// The time as the daemon believes it: the latest time that this device was sure of is the scan log's.
#[must_use]
pub fn time(clock: &Clock, config: &Config) -> BelievedTime {
    clock.ask_services(&config.places.runtime);
    let log = config.places.scan_log();
    let stored =
        log.exists().then(|| Reader::open(&log).and_then(|reader| reader.time_floor()).ok()).flatten().flatten();
    BelievedTime::new(clock.clone(), &config.places.runtime, stored.map(|floor| floor.second()))
}

impl Judge {
    /// The lists.
    #[must_use]
    pub fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The region whose gate it is.
    #[must_use]
    pub fn relying(&self) -> Region {
        self.relying
    }

    /// The moment of the decision.
    #[must_use]
    pub fn moment(&self) -> Moment {
        self.moment
    }

    /// The decision on one text; `None` when it is no pass code.
    #[must_use]
    pub fn decide(&self, text: &str) -> Option<Decision> {
        let context = Context { moment: self.moment, relying: self.relying, profile: self.profile.as_deref() };
        match judge::decide(text, &self.trust, &context) {
            Outcome::NotAPassCode => None,
            Outcome::Judged(judgement) => Some(judgement.close().0),
        }
    }
}

/// What a text that is no pass code prints as: every member there, and none with a verdict.
#[derive(Debug, Serialize)]
pub struct NoVerdict {
    verdict: Option<Verdict>,
    reason: Option<&'static str>,
    detail: &'static str,
    format: Option<&'static str>,
}

impl NoVerdict {
    /// The text has no known prefix.
    pub const NOT_A_PASS_CODE: NoVerdict =
        NoVerdict { verdict: None, reason: None, detail: "bad-prefix", format: None };
}

/// The exit status for verdicts given so far: the worst one counts.
#[must_use]
pub fn exit(verdicts: &[Option<Verdict>]) -> Exit {
    match verdicts.iter().flatten().max() {
        None => Exit::NoPassCode,
        Some(Verdict::Admit) => Exit::Ok,
        Some(Verdict::Refer) => Exit::Refer,
        Some(Verdict::Refuse) => Exit::Refuse,
    }
}

/// One line for people.
#[must_use]
pub fn sentence(decision: &Decision) -> String {
    let mut line = format!("{:<7}{}", decision.verdict, decision.reason);
    if let Some(detail) = decision.detail {
        line.push_str(&format!(" ({detail})"));
    }
    if let Some(issuer) = decision.issuer {
        line.push_str(&format!("  issuer {issuer}"));
    }
    if let Some(route) = decision.route {
        line.push_str(&format!("  route {}", route.code()));
    }
    if let Some(notice) = &decision.notice {
        line.push_str(&format!("  notice {}", notice.notice));
    }
    line
}
