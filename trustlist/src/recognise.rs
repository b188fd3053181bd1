//! Mutual recognition as data: whether codes of one region count in another, by which route, and which lines of the list say so.

use serde::Serialize;

use crate::{
    lists::recognition::{Arrangement, Recognition, Route, Suspension},
    region::{NATIONAL, Region},
    time::UnixTime,
};

/// What a code brings to the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presented {
    /// The region whose code it is: the issuer, or the region that a national code speaks for.
    pub issuing: Region,
    /// Whether the national platform issued it.
    pub national: bool,
    /// Whether the national platform countersigned it.
    pub vouched: bool,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "kebab-case")]
pub enum Outcome {
    /// The issuing region lies in the relying province.
    Home,
    /// An arrangement is satisfied.
    Recognised {
        /// By which route.
        route: Route,
    },
    /// A suspension covers the pair.
    RecognitionSuspended {
        /// The suspension, with its notice.
        suspension: Suspension,
    },
    /// An arrangement exists and the code lacks what it asks for.
    NotVouched,
    /// Nothing matches.
    NotRecognised,
}

/// The answer with the lines of the list that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// The answer.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// The arrangements that were tried, most specific first, and whether the code satisfied each.
    pub tried: Vec<Tried>,
}

/// One arrangement that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tried {
    /// The line of the list.
    pub arrangement: Arrangement,
    /// Whether the code satisfied it.
    pub satisfied: bool,
}

/// Decides at `at` whether `presented` counts in `relying`. Pure; default deny.
#[must_use]
pub fn recognise(presented: Presented, relying: Region, recognition: &Recognition, at: UnixTime) -> Explanation {
    // 1. Issuing region inside the relying province.
    if relying.province().contains(presented.issuing) {
        return Explanation { outcome: Outcome::Home, tried: Vec::new() };
    }
    // 2. An active suspension.
    let mut suspensions = recognition.suspensions.iter();
    let covers = |suspension: &&Suspension| {
        suspension.window.contains(at)
            && suspension.issuing.covers(presented.issuing)
            && suspension.relying.covers(relying)
    };
    if let Some(suspension) = suspensions.find(covers) {
        let outcome = Outcome::RecognitionSuspended { suspension: suspension.clone() };
        return Explanation { outcome, tried: Vec::new() };
    }
    // 3. Every active arrangement for the pair, most specific first; one that is satisfied suffices.
    let mut active: Vec<&Arrangement> = recognition
        .arrangements
        .iter()
        .filter(|arrangement| {
            arrangement.window.contains(at)
                && arrangement.issuing.covers(presented.issuing)
                && arrangement.relying.covers(relying)
        })
        .collect();
    active.sort_by_key(|arrangement| {
        std::cmp::Reverse((arrangement.issuing.narrowness(), arrangement.relying.narrowness()))
    });
    let mut tried = Vec::new();
    for arrangement in active {
        let satisfied = satisfies(presented, arrangement.route);
        tried.push(Tried { arrangement: arrangement.clone(), satisfied });
        if satisfied {
            return Explanation { outcome: Outcome::Recognised { route: arrangement.route }, tried };
        }
    }
    // 4. Nothing matches, or something asks for more.
    let outcome = if tried.is_empty() { Outcome::NotRecognised } else { Outcome::NotVouched };
    Explanation { outcome, tried }
}

/// Whether a code brings what a route asks for. Its own signature has been checked before.
fn satisfies(presented: Presented, route: Route) -> bool {
    match route {
        Route::Direct => !presented.national || presented.issuing == NATIONAL,
        Route::Intermediary => presented.vouched,
        Route::National => presented.national,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{lists::recognition::Party, time::Window};

    const AT: UnixTime = UnixTime(1_613_059_200);

    fn region(text: &str) -> Region {
        text.parse().expect("a region")
    }

    fn party(text: &str) -> Party {
        if text == "*" { Party::Everybody } else { Party::Region(region(text)) }
    }

    fn arrangement(issuing: &str, relying: &str, route: Route) -> Arrangement {
        Arrangement { issuing: party(issuing), relying: party(relying), route, window: Window::default() }
    }

    fn suspension(issuing: &str, relying: &str, window: Window) -> Suspension {
        Suspension {
            issuing: party(issuing),
            relying: party(relying),
            notice: "〔2021〕3号".to_owned(),
            approved_by: "联防联控机制".to_owned(),
            instead: None,
            window,
        }
    }

    fn own(issuing: &str) -> Presented {
        Presented { issuing: region(issuing), national: false, vouched: false }
    }

    fn vouched(issuing: &str) -> Presented {
        Presented { vouched: true, ..own(issuing) }
    }

    fn national(issuing: &str) -> Presented {
        Presented { national: true, ..own(issuing) }
    }

    fn ask(presented: Presented, relying: &str, list: &Recognition) -> Outcome {
        recognise(presented, region(relying), list, AT).outcome
    }

    #[test]
    fn each_route_asks_for_what_it_names() {
        let recognised = |route| Outcome::Recognised { route };
        for (route, presented, outcome) in [
            (Route::Direct, own("420000"), recognised(Route::Direct)),
            (Route::Direct, vouched("420000"), recognised(Route::Direct)),
            (Route::Direct, national("420000"), Outcome::NotVouched),
            (Route::Intermediary, vouched("420000"), recognised(Route::Intermediary)),
            (Route::Intermediary, own("420000"), Outcome::NotVouched),
            (Route::National, national("420000"), recognised(Route::National)),
            (Route::National, own("420000"), Outcome::NotVouched),
            (Route::National, vouched("420000"), Outcome::NotVouched),
        ] {
            let list =
                Recognition { arrangements: vec![arrangement("420000", "440000", route)], suspensions: Vec::new() };
            assert_eq!(ask(presented, "440000", &list), outcome, "{route:?} {presented:?}");
        }
    }

    #[test]
    fn without_a_line_in_the_list_nothing_counts_but_the_own_province() {
        let empty = Recognition::default();
        assert_eq!(ask(own("420000"), "440000", &empty), Outcome::NotRecognised);
        assert_eq!(ask(own("440100"), "440000", &empty), Outcome::Home);
        assert_eq!(ask(own("440000"), "440100", &empty), Outcome::Home, "a city's gate is in the province");
    }

    #[test]
    fn an_arrangement_has_a_direction() {
        let list =
            Recognition { arrangements: vec![arrangement("420000", "440000", Route::Direct)], suspensions: Vec::new() };
        assert_eq!(ask(own("440000"), "420000", &list), Outcome::NotRecognised);
    }

    #[test]
    fn an_arrangement_of_a_city_does_not_speak_for_its_province_and_that_of_a_province_does_for_its_cities() {
        let city =
            Recognition { arrangements: vec![arrangement("420100", "440000", Route::Direct)], suspensions: Vec::new() };
        assert_eq!(ask(own("420100"), "440000", &city), Outcome::Recognised { route: Route::Direct });
        assert_eq!(ask(own("420200"), "440000", &city), Outcome::NotRecognised);
        let province =
            Recognition { arrangements: vec![arrangement("420000", "*", Route::Direct)], suspensions: Vec::new() };
        assert_eq!(ask(own("420102"), "440000", &province), Outcome::Recognised { route: Route::Direct });
    }

    #[test]
    fn of_several_arrangements_the_most_specific_is_tried_first_and_one_that_is_satisfied_suffices() {
        let list = Recognition {
            arrangements: vec![
                arrangement("*", "*", Route::National),
                arrangement("420000", "440000", Route::Intermediary),
                arrangement("420100", "440000", Route::Direct),
            ],
            suspensions: Vec::new(),
        };
        let explained = recognise(own("420100"), region("440000"), &list, AT);
        assert_eq!((explained.outcome, explained.tried.len()), (Outcome::Recognised { route: Route::Direct }, 1));
        let explained = recognise(national("420200"), region("440000"), &list, AT);
        assert_eq!(explained.outcome, Outcome::Recognised { route: Route::National });
        assert_eq!(explained.tried.len(), 2, "the intermediary route was tried before");
    }

    #[test]
    fn a_suspension_counts_in_its_window_and_before_any_arrangement() {
        let window = |from, until| Window { from: Some(AT.plus(from)), until: Some(AT.plus(until)) };
        let list = |window| Recognition {
            arrangements: vec![arrangement("*", "*", Route::Direct)],
            suspensions: vec![suspension("130000", "440000", window)],
        };
        let suspended = |outcome| matches!(outcome, Outcome::RecognitionSuspended { .. });
        assert!(suspended(ask(own("130100"), "440100", &list(window(-10, 10)))));
        assert!(!suspended(ask(own("130100"), "440100", &list(window(-10, 0)))), "it is over");
        assert!(!suspended(ask(own("130100"), "440100", &list(window(1, 10)))), "it has not begun");
        assert!(!suspended(ask(own("130100"), "420000", &list(window(-10, 10)))), "it is another region's");
    }

    #[test]
    fn an_arrangement_outside_its_window_is_none() {
        let mut line = arrangement("420000", "440000", Route::Direct);
        line.window.until = Some(AT);
        let list = Recognition { arrangements: vec![line], suspensions: Vec::new() };
        assert_eq!(ask(own("420000"), "440000", &list), Outcome::NotRecognised);
    }
}
