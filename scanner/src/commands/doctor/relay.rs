//! The guided test: the gate moves and the lights come on, and whoever stands before them says what happened. No sensor knows whether a
//! gate is open, so a person must.

use std::{
    io::{self, BufRead},
    thread,
    time::Duration,
};

use devices::gate::{Gate, Hold, cues};
use host::config::{Config, Gpio, Lane, Level};
use lane::{screen::LaneState, signal::Signal};
use trustlist::verdict::Reason;

use super::{Finding, Severity, bad, ok};
use crate::commands::failure::Failure;

/// For how long the gate is held open: long enough to be seen from the board.
const OPEN_FOR: Duration = Duration::from_secs(2);
/// How long a gate's leaf may take to move.
const LEAF: Duration = Duration::from_secs(1);

/// Moves the gate of `id`, and asks.
///
/// # Errors
/// When there is no such lane, its gate cannot be had, or nobody answers.
pub(super) fn guide(config: &Config, id: &str) -> Result<Vec<Finding>, Failure> {
    let lane = config.lane.iter().find(|lane| lane.id == id).ok_or_else(|| {
        let known: Vec<&str> = config.lane.iter().map(|lane| lane.id.as_str()).collect();
        Failure::usage(format!("no lane {id:?} is configured; there are {}", known.join(", ")))
    })?;
    let mut gate = Gate::new(&config.checkpoint.id, lane, &cues(&config.signals)).map_err(|error| {
        Failure::new(format!("lane {id}: {error}; is the daemon still running? (systemctl stop checkpointd)"))
    })?;
    eprintln!("The gate of lane {id} was told to close.");
    thread::sleep(LEAF);
    let closed_before = ask("Is it closed now?")?;
    eprintln!("It opens for {} seconds. Mind whoever stands in it.", OPEN_FOR.as_secs());
    gate.hold(Hold::Test);
    thread::sleep(OPEN_FOR);
    gate.close();
    let opened = ask("Did it open?")?;
    let closed_after = ask("Is it closed again?")?;
    let mut findings = Vec::new();
    if let Some(trouble) = gate.trouble() {
        findings.push(bad("gate", Severity::Fault, format!("lane {id}: {trouble}"), "mend this before anything else"));
    }
    findings.push(judge(lane, closed_before, opened, closed_after));
    if has_lights(&lane.gpio) {
        for reason in [Reason::Ok, Reason::ColourYellow, Reason::ColourRed] {
            gate.signal(Signal::of(
                &LaneState::Verdict { verdict: reason.verdict(), reason, notice: None, instead: None, number: None },
                &cues(&config.signals),
            ));
            thread::sleep(OPEN_FOR);
        }
        gate.signal(Signal::default());
        findings.push(if ask("Did green, amber and red come on in this order, as far as they are wired?")? {
            ok("lights", format!("lane {id}: as they should"))
        } else {
            bad(
                "lights",
                Severity::Fault,
                format!("lane {id}: not as they should"),
                "all dark or all lit but one: the other lane.gpio.signals_active; out of order: swap the lines",
            )
        });
    }
    Ok(findings)
}

fn has_lights(gpio: &Gpio) -> bool {
    gpio.green.is_some() || gpio.amber.is_some() || gpio.red.is_some()
}

/// Asks until somebody says yes or no.
fn ask(question: &str) -> Result<bool, Failure> {
    loop {
        eprint!("{question} [y/n] ");
        let mut line = String::new();
        match io::stdin().lock().read_line(&mut line) {
            Ok(0) => return Err(Failure::new("nobody answers; run this at a terminal, before the gate")),
            Ok(_) => (),
            Err(error) => return Err(Failure::new("nobody answers").because(error)),
        }
        match line.trim().to_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "n" | "no" => return Ok(false),
            _ => (),
        }
    }
}

/// What the answers mean. Pure.
fn judge(lane: &Lane, closed_before: bool, opened: bool, closed_after: bool) -> Finding {
    let id = &lane.id;
    let other = match lane.gpio.relay_active {
        Level::High => "low",
        Level::Low => "high",
    };
    match (closed_before, opened, closed_after) {
        (true, true, true) => ok("relay", format!("lane {id}: opens when told, and closes")),
        (true, false, true) => bad(
            "relay",
            Severity::Fault,
            format!("lane {id}: does not move"),
            "does the relay click? if not: another line, or no supply; if so: the gate's input, its supply, its own lock",
        ),
        (false, _, true) | (false, false, false) => bad(
            "relay",
            Severity::Fault,
            format!("lane {id}: moves the wrong way round"),
            format!(
                "with driver \"gpio\" set lane.gpio.relay_active = \"{other}\"; if the relay itself clicks the right way, \
                 use its other contact (NO, not NC): no power must mean closed"
            ),
        ),
        (true, _, false) => bad(
            "relay",
            Severity::Fault,
            format!("lane {id}: does not close again"),
            "the gate takes each pulse as a change: set it to open while its input is on; or it waits for somebody to pass",
        ),
        (false, true, false) => bad(
            "relay",
            Severity::Fault,
            format!("lane {id}: stays open whatever it is told"),
            "something else holds it: its fire input, its own switch, a second control",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_a_gate_can_misbehave_has_advice_of_its_own() {
        let lane = Config::default().lane.remove(0);
        for (answers, fact, advice) in [
            ((true, false, true), "does not move", "click"),
            ((false, false, false), "wrong way round", "relay_active = \"low\""),
            ((false, false, true), "wrong way round", "NO, not NC"),
            ((true, true, false), "does not close again", "pulse"),
            ((false, true, false), "stays open", "fire input"),
        ] {
            let finding = judge(&lane, answers.0, answers.1, answers.2);
            assert_eq!(finding.severity, Severity::Fault, "{answers:?}");
            assert!(finding.fact.contains(fact), "{answers:?}: {}", finding.fact);
            assert!(finding.advice.expect("advice").contains(advice), "{answers:?}");
        }
        assert_eq!(judge(&lane, true, true, true).severity, Severity::Ok);
    }
}
