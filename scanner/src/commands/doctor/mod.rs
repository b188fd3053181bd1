//! `checkpointd doctor`: everything an installer can get wrong, looked at once, each with what to do.

#[cfg(unix)]
mod access;
mod gate;
mod power;
mod reach;
mod relay;
#[cfg(target_os = "linux")]
mod rtc;
mod unit;
#[cfg(all(feature = "gpio", target_os = "linux"))]
mod wiring;

use std::{
    cmp::Reverse,
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;
use host::{
    causes::WithCauses,
    clock::Clock,
    config::{Config, Device},
};
use page::status;
use serde::Serialize;
use trustlist::{
    freshness::Freshness,
    region::Region,
    time::{
        Moment,
        clock::{Because, Judged},
    },
    trust::Trust,
};

use super::{camera, judging};
use crate::commands::failure::{Exit, Failure};

/// For how long each camera is looked through.
const LOOK: Duration = Duration::from_secs(2);
/// A disk that takes longer to keep a row makes gates wait.
const SLOW_DISK: Duration = Duration::from_millis(50);
/// Less free space than this will not last a week of rows.
const LITTLE_SPACE: u64 = 200 << 20;

/// `doctor`
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  checkpointd doctor\n  checkpointd doctor --report doctor.json\n  checkpointd doctor --relay lane-1\n\n\
    Stop the daemon first: a camera can only be looked through by one program. Ends with 1 when there is a fault."
)]
pub struct Arguments {
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Also write what a support desk needs to this file. It holds nothing personal
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Move this lane's gate, switch its lights, and ask whoever stands before it what happened
    #[arg(long, value_name = "LANE")]
    relay: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Severity {
    Ok,
    Attention,
    Fault,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    #[serde(rename = "standing")]
    severity: Severity,
    fact: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

fn ok(what: &'static str, fact: impl Into<String>) -> Finding {
    Finding { what, severity: Severity::Ok, fact: fact.into(), advice: None }
}

fn bad(what: &'static str, severity: Severity, fact: impl Into<String>, advice: impl Into<String>) -> Finding {
    Finding { what, severity, fact: fact.into(), advice: Some(advice.into()) }
}

/// Looks at everything.
///
/// # Errors
/// When the report cannot be written.
pub fn run(said: &super::ConfigArgs, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    let findings = match super::config_args::configuration(said) {
        Err(failure) => vec![bad(
            "configuration",
            Severity::Fault,
            failure.to_string(),
            "correct it; everything else depends on it",
        )],
        Ok(config) => match &arguments.relay {
            Some(lane) => relay::guide(&config, lane)?,
            None => examine(&config, clock),
        },
    };
    let object = serde_json::json!({ "build": host::BUILD, "findings": findings }).to_string() + "\n";
    if let Some(file) = &arguments.report {
        fs::write(file, &object)
            .map_err(|error| Failure::new(format!("cannot write {}", file.display())).because(error))?;
    }
    super::output::print(&if arguments.json { object } else { text(&findings) });
    let worst = findings.iter().map(|finding| finding.severity).max();
    Ok(if worst == Some(Severity::Fault) { Exit::Failure } else { Exit::Ok })
}

fn text(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let word = match finding.severity {
            Severity::Ok => "ok",
            Severity::Attention => "attention",
            Severity::Fault => "FAULT",
        };
        text.push_str(&format!("{word:<10}{:<14}{}\n", finding.what, finding.fact));
        if let Some(advice) = &finding.advice {
            text.push_str(&format!("{:<24}→ {advice}\n", ""));
        }
    }
    text
}

fn examine(config: &Config, clock: &Clock) -> Vec<Finding> {
    let mut findings = vec![match config.relying() {
        Ok(region) => ok("configuration", format!("{}, a gate of {region}", config.checkpoint.id)),
        Err(error) => bad("configuration", Severity::Fault, error.to_string(), "set checkpoint.relying"),
    }];
    findings.extend(disk(config, clock));
    let trust = sync::lists::load_trust(None, config);
    let judged = judging::time(clock, config).judged(trust.as_ref().ok());
    let moment = judged.moment;
    findings.push(match &trust {
        Ok(trust) => lists(trust, moment, config),
        Err(failure) => {
            bad("lists", Severity::Fault, WithCauses(failure).to_string(), "everybody is referred until there are some")
        }
    });
    findings.push(time(&judged));
    #[cfg(target_os = "linux")]
    findings.push(rtc::rtc(moment));
    findings.extend(reach::mirrors(config));
    findings.push(reach::page(config));
    findings.extend(reach::engines(config));
    findings.extend(unit::unit());
    #[cfg(unix)]
    findings.extend(access::access(config));
    for lane in &config.lane {
        if lane.camera.device != Device::None {
            findings.push(sees(lane, clock));
        }
        findings.push(gate::gate(lane));
        #[cfg(all(feature = "gpio", target_os = "linux"))]
        findings.extend(wiring::wiring(lane));
    }
    findings.extend(power::power());
    // What needs a hand comes first, as on the operator's page.
    findings.sort_by_key(|finding| Reverse(finding.severity));
    findings
}

fn disk(config: &Config, clock: &Clock) -> Vec<Finding> {
    let folder = &config.places.state;
    let name = folder.display().to_string();
    let probe = folder.join(".doctor");
    let timed = fs::create_dir_all(folder).and_then(|()| {
        let mut slowest = Duration::ZERO;
        for _ in 0..8 {
            let began = clock.now();
            let mut file = fs::File::create(&probe)?;
            file.write_all(&[0; 4096])?;
            file.sync_all()?;
            slowest = slowest.max(clock.since(began));
        }
        fs::remove_file(&probe)?;
        Ok(slowest)
    });
    let mut findings = vec![match timed {
        Err(error) => bad(
            "disk",
            Severity::Fault,
            format!("{name}: {error}"),
            "make it writable for the user checkpointd: without rows nobody is admitted",
        ),
        Ok(slowest) if slowest > SLOW_DISK => bad(
            "disk",
            Severity::Attention,
            format!("{name}: a row takes up to {slowest:.0?} to be safe"),
            "the gate opens before the row is safe; use a better card or an SSD",
        ),
        Ok(slowest) => ok("disk", format!("{name}: a row is safe within {slowest:.1?}")),
    }];
    if let Some(free) = free_space(folder) {
        findings.push(if free < LITTLE_SPACE {
            bad("space", Severity::Attention, format!("{} MiB free", free >> 20), "free some, or shorten log.retention")
        } else {
            ok("space", format!("{} MiB free", free >> 20))
        });
    }
    findings
}

/// By df(1), which every system has.
fn free_space(folder: &Path) -> Option<u64> {
    let output = std::process::Command::new("df").arg("-Pk").arg(folder).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok().map(|kibibytes| kibibytes << 10)
}

fn lists(trust: &Trust, moment: Moment, config: &Config) -> Finding {
    let profile = trust.profile(config.checkpoint.profile.as_deref());
    let mut known: Vec<(Option<i64>, Freshness, Region)> = Vec::new();
    let mut missing = Vec::new();
    for issuer in trust.issuers() {
        match trust.freshness(issuer.entry.id, moment, &profile) {
            Some((age, freshness)) => known.push((age, freshness, issuer.entry.id)),
            None => missing.push(format!("{} missing", issuer.entry.id)),
        }
    }
    let total = known.len() + missing.len();
    let old = |age: Option<i64>| age.map_or_else(|| "of unknown age".to_owned(), status::age);
    let worse = known.iter().filter(|(_, freshness, _)| *freshness > Freshness::Fresh);
    let worse: Vec<String> =
        missing.into_iter().chain(worse.map(|(age, now, id)| format!("{id} {} ({})", now.code(), old(*age)))).collect();
    if worse.is_empty() {
        let oldest = known.iter().map(|(age, ..)| *age).max().flatten();
        ok("lists", format!("{total} issuers, all fresh, the oldest {}", old(oldest)))
    } else {
        let some = worse[..worse.len().min(5)].join(", ");
        bad(
            "lists",
            Severity::Attention,
            format!("{} of {total} are not fresh: {some}", worse.len()),
            "checkpointd sync once, or bring a stick",
        )
    }
}

fn time(clock: &Judged) -> Finding {
    let (moment, floor) = (clock.moment, clock.floor);
    let fault = |why: &str, advice: &str| {
        let fact = format!("{}, {why} {} ({})", moment.at, floor.at, floor.evidence.code());
        bad("clock", Severity::Fault, fact, advice)
    };
    match clock.because {
        Because::BelowFloor => fault(
            "before",
            "set it; where it is right, say so with checkpointd clock settle; fit a battery-backed clock",
        ),
        Because::ServiceBelowEvidence => {
            fault("by a time service, and before", "the time service is wrong: see which servers it asks")
        }
        Because::ServiceBelowStored => fault(
            "by a time service, and before",
            "where it is right, wait ten minutes, or say so at once with checkpointd clock settle",
        ),
        Because::NobodyConfirms => bad(
            "clock",
            Severity::Attention,
            format!(
                "{}, confirmed by nobody since boot; not before {} ({})",
                moment.at,
                floor.at,
                floor.evidence.code()
            ),
            "connect once, or check it by eye and say so with checkpointd clock settle",
        ),
        Because::ServiceHeard | Because::ServiceWasHeard | Because::Settled | Because::Battery => {
            ok("clock", format!("{}, {}", moment.at, moment.trust.code()))
        }
    }
}

fn sees(lane: &host::config::Lane, clock: &Clock) -> Finding {
    match camera::look(&lane.camera, clock, LOOK) {
        Err(failure) => {
            bad("camera", Severity::Fault, format!("lane {}: {failure}", lane.id), "checkpointd camera list")
        }
        Ok((view, _)) => {
            let focus = view.sharpness.map_or("unknown until a code is shown".to_owned(), |sharpness| {
                format!("{:.0} of 100", sharpness * 100.0)
            });
            let fact = format!(
                "lane {}: {} at {:.0} pictures a second, exposure {} of 255, focus {focus}",
                lane.id, view.source, view.rate, view.brightness
            );
            match view.advice().first() {
                None => ok("camera", fact),
                Some(advice) if view.frames == 0 => bad("camera", Severity::Fault, fact, *advice),
                Some(advice) => bad("camera", Severity::Attention, fact, *advice),
            }
        }
    }
}
