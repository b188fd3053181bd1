//! `trust explain`: whether a region's codes count here, with the lines of the list that say so.

use serde::Serialize;
use trustlist::{
    lists::recognition::Route,
    recognise::{self, Explanation, Outcome, Presented},
    region::{NATIONAL, Region},
    time::UnixTime,
};

use crate::commands::judging;

/// The decision for each kind of code that a region's people may show.
#[derive(Serialize)]
pub struct Explained {
    issuing: Region,
    relying: Region,
    at: UnixTime,
    own_code: Explanation,
    vouched_code: Explanation,
    national_code: Explanation,
}

impl Explained {
    pub fn of(issuing: Region, judge: &judging::Judge) -> Explained {
        let (relying, at) = (judge.relying(), judge.moment().at);
        let ask = |national, vouched| {
            let presented = Presented { issuing, national: national || issuing == NATIONAL, vouched };
            recognise::recognise(presented, relying, judge.trust().recognition(), at)
        };
        Explained {
            issuing,
            relying,
            at,
            own_code: ask(false, false),
            vouched_code: ask(false, true),
            national_code: ask(true, false),
        }
    }

    pub fn text(&self) -> String {
        let mut text = format!("codes of {} at a gate of {} on {}\n", self.issuing, self.relying, self.at);
        for (what, explanation) in [
            ("its own code", &self.own_code),
            ("its own code, countersigned by the national platform", &self.vouched_code),
            ("the national code on its behalf", &self.national_code),
        ] {
            text.push_str(&format!("\n{what}: {}\n", answer(&explanation.outcome)));
            if let Outcome::RecognitionSuspended { suspension } = &explanation.outcome {
                text.push_str(&format!(
                    "    by notice {} of {}, {}\n",
                    suspension.notice,
                    suspension.approved_by,
                    window(suspension.window)
                ));
            }
            for tried in &explanation.tried {
                let line = &tried.arrangement;
                text.push_str(&format!(
                    "    {} {} -> {} by the {} route, {}\n",
                    if tried.satisfied { "satisfied:" } else { "not enough:" },
                    line.issuing,
                    line.relying,
                    line.route.code(),
                    window(line.window)
                ));
            }
        }
        text
    }
}

fn answer(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Home => "counts: it is a home code",
        Outcome::Recognised { route: Route::Direct } => "counts, by the direct route",
        Outcome::Recognised { route: Route::Intermediary } => "counts, by the intermediary route",
        Outcome::Recognised { route: Route::National } => "counts, by the national route",
        Outcome::RecognitionSuspended { .. } => "refers: recognition is suspended",
        Outcome::NotVouched => "does not count: an arrangement asks for more",
        Outcome::NotRecognised => "does not count: no arrangement covers the pair",
    }
}

fn window(window: trustlist::time::Window) -> String {
    match (window.from, window.until) {
        (None, None) => "always".to_owned(),
        (Some(from), None) => format!("since {from}"),
        (None, Some(until)) => format!("until {until}"),
        (Some(from), Some(until)) => format!("from {from} until {until}"),
    }
}
