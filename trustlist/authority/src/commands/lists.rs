//! The national platform's lists: `arrange`, `suspend`, `resume`, `risk-area`, `policy`.

use std::path::PathBuf;

use crate::{Workspace, WorkspaceError, policy};
use clap::{Args, Subcommand};
use trustlist::{
    lists::{
        Names,
        recognition::{Arrangement, Party, Route, Suspension},
        risk::{RiskArea, RiskLevel},
    },
    region::Region,
    time::{UnixTime, Window},
};

use super::{Done, Global, moment, party, print_json, region, time, word};

/// From when until when.
#[derive(Args)]
struct Span {
    /// First moment [default: always]
    #[arg(long, value_parser = time, value_name = "TIME")]
    from: Option<UnixTime>,
    /// First moment after [default: never]
    #[arg(long, value_parser = time, value_name = "TIME")]
    until: Option<UnixTime>,
}

impl Span {
    fn window(&self) -> Window {
        Window { from: self.from, until: self.until }
    }
}

const ARRANGE: &str = "\
Examples:
  authority arrange 420000 440000 --route direct        Hubei's codes count in Guangdong as they are
  authority arrange 430000 '*' --route intermediary     Hunan's count everywhere with the national countersignature
  authority arrange 420000 440000 --route direct --end";

/// Say whose codes count where, and by which route
#[derive(Args)]
#[command(after_help = ARRANGE)]
pub struct Arrange {
    /// Whose codes, or '*'
    #[arg(value_parser = party)]
    issuing: Party,
    /// Where they count, or '*'
    #[arg(value_parser = party)]
    relying: Party,
    /// direct, intermediary or national
    #[arg(long, value_parser = word::<Route>)]
    route: Route,
    #[command(flatten)]
    span: Span,
    /// Take the arrangement out
    #[arg(long)]
    end: bool,
}

impl Arrange {
    pub fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        let national = workspace.authority.national_mut()?;
        let (issuing, relying, route) = (self.issuing, self.relying, self.route);
        if self.end {
            let ended = national.end_arrangement(|listed| {
                (listed.issuing, listed.relying, listed.route) == (issuing, relying, route)
            })?;
            say!("{ended} arrangement(s) taken out");
        } else {
            national.arrange(Arrangement { issuing, relying, route, window: self.span.window() })?;
            say!("codes of {issuing} count in {relying}, {}", route.code());
        }
        workspace.save()
    }
}

const SUSPEND: &str = "\
Example:
  authority suspend 420000 110000 --notice 国办电政函〔2021〕12号 --approved-by 国办电子政务办 --until 2021-03-01T00:00:00+08:00";

/// Suspend recognition by a notice
#[derive(Args)]
#[command(after_help = SUSPEND)]
pub struct Suspend {
    /// Whose codes, or '*'
    #[arg(value_parser = party)]
    issuing: Party,
    /// Where they do not count, or '*'
    #[arg(value_parser = party)]
    relying: Party,
    /// Number of the notice
    #[arg(long)]
    notice: String,
    /// Who approved it
    #[arg(long, value_name = "WHO")]
    approved_by: String,
    /// Which other code a traveller may show
    #[arg(long, value_name = "TEXT")]
    instead: Option<String>,
    #[command(flatten)]
    span: Span,
    /// When it is decided, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
}

impl Suspend {
    pub fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        let now = moment(self.at);
        if let Some(until) = self.span.until.filter(|until| *until <= now) {
            return Err(WorkspaceError::Usage(format!(
                "the suspension would be over at {until}, before it began; check --until (it is {now} now)"
            )));
        }
        let (issuing, relying) = (self.issuing, self.relying);
        workspace.authority.national_mut()?.suspend(Suspension {
            issuing,
            relying,
            notice: self.notice,
            approved_by: self.approved_by,
            instead: self.instead,
            window: self.span.window(),
        })?;
        say!("codes of {issuing} are suspended in {relying}");
        workspace.save()
    }
}

const RESUME: &str = "\
Example:
  authority resume 国办电政函〔2021〕12号";

/// End the suspension of a notice
#[derive(Args)]
#[command(after_help = RESUME)]
pub struct Resume {
    /// Number of the notice
    notice: String,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
}

impl Resume {
    pub fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        let at = global.moment(&workspace, self.at, None)?;
        if workspace.authority.national_mut()?.resume(&self.notice, at)? {
            say!("the suspension of notice {} ends at {at}", self.notice);
        } else {
            say!("the suspension of notice {} is taken out: it had not begun", self.notice);
        }
        workspace.save()
    }
}

const AREA: &str = "\
Examples:
  authority risk-area 420102 --level high --zh 武汉市江岸区 --en \"Jiang'an, Wuhan\" --from 2021-01-20T00:00:00+08:00
  authority risk-area 420102 --clear";

/// List an area as risky, or clear it
#[derive(Args)]
#[command(after_help = AREA)]
pub struct Area {
    /// Division code; what lies inside is meant too
    #[arg(value_parser = region)]
    area: Region,
    /// medium or high
    #[arg(long, value_parser = word::<RiskLevel>, required_unless_present = "clear", conflicts_with = "clear")]
    level: Option<RiskLevel>,
    /// Chinese name
    #[arg(long, default_value = "", value_name = "NAME")]
    zh: String,
    /// English name
    #[arg(long, default_value = "", value_name = "NAME")]
    en: String,
    #[command(flatten)]
    span: Span,
    /// End the listing; visits before that keep counting
    #[arg(long)]
    clear: bool,
    /// When it is cleared, instead of now
    #[arg(long, value_parser = time, value_name = "TIME", requires = "clear")]
    at: Option<UnixTime>,
}

impl Area {
    pub fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        let at = global.moment(&workspace, self.at, None);
        let national = workspace.authority.national_mut()?;
        match self.level {
            Some(level) => {
                let name = Names { zh: self.zh, en: self.en };
                national.list_area(RiskArea { area: self.area, level, name, window: self.span.window() })?;
                say!("{} is listed", self.area);
            }
            None => {
                national.clear_area(self.area, at?)?;
                say!("{} is cleared", self.area);
            }
        }
        workspace.save()
    }
}

/// Show or replace what gates do with colours, risk areas and old lists
#[derive(Subcommand)]
pub enum PolicyCommand {
    Show(PolicyShow),
    Set(PolicySet),
}

impl PolicyCommand {
    pub fn run(self, global: &Global) -> Done {
        match self {
            Self::Show(_) => {
                let workspace = Workspace::open(&global.dir)?;
                print_json(&serde_json::json!(workspace.authority.national()?.policy));
                Ok(())
            }
            Self::Set(command) => command.run(global),
        }
    }
}

/// Print the policy as JSON
#[derive(Args)]
#[command(after_help = "Example:\n  authority policy show > policy.json")]
pub struct PolicyShow {}

/// Replace the policy by a file
#[derive(Args)]
#[command(after_help = "Example:\n  authority policy set policy.json")]
pub struct PolicySet {
    /// JSON as `policy show` prints it; members that are left out keep their defaults
    file: PathBuf,
}

impl PolicySet {
    fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        let bytes = std::fs::read(&self.file).map_err(|error| WorkspaceError::io("read", &self.file, error))?;
        let policy = policy::read(&bytes).map_err(|why| WorkspaceError::BadFile(self.file.clone(), why))?;
        say!("{} profile(s), default {}", policy.profiles.len(), policy.default);
        workspace.authority.national_mut()?.policy = policy;
        workspace.save()
    }
}
