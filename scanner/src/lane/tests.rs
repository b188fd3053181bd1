//! Sentences about a lane, on a clock that is a value.

use trustlist::verdict::Reason;

use super::*;

const CODE: SymbolId = [1; 16];
const OTHER: SymbolId = [2; 16];
const TICKET: SymbolId = [3; 16];

fn code(id: SymbolId) -> Seen {
    Seen { id, pass_code: true, distance: 0.1 }
}

fn ticket() -> Seen {
    Seen { id: TICKET, pass_code: false, distance: 0.0 }
}

/// A lane that is fed a frame every 33 ms, and writes down what it was told to do.
struct Clocked {
    lane: Lane,
    now: Duration,
    done: Vec<String>,
}

impl Clocked {
    fn new() -> Clocked {
        Clocked { lane: Lane::new(Patience::default()), now: Duration::from_secs(100), done: Vec::new() }
    }

    /// Shows these symbols for so many milliseconds; every code that is to be judged is refused.
    fn show(mut self, seen: &[Seen], millis: u64) -> Clocked {
        let end = self.now + Duration::from_millis(millis);
        while self.now < end {
            self.take(Event::Frame(seen));
            self.now += Duration::from_millis(33);
        }
        self
    }

    fn take(&mut self, event: Event<'_>) {
        for action in self.lane.on(event, self.now) {
            let name = match &action {
                Action::Judge(id) => format!("judge {}", id[0]),
                Action::Open(_) => "open".to_owned(),
                Action::Close => "close".to_owned(),
                Action::Show(LaneState::Verdict { verdict, .. }) => format!("show {verdict}"),
                Action::Show(state) => format!("show {state:?}"),
                Action::CountNotAPassCode => "count".to_owned(),
            };
            self.done.push(name);
            if matches!(action, Action::Judge(_)) {
                let judged =
                    Event::Judged { verdict: Verdict::Refuse, reason: Reason::Expired, notice: None, admission: None };
                self.take(judged);
            }
        }
    }

    fn judged(&self) -> usize {
        self.done.iter().filter(|done| done.starts_with("judge")).count()
    }

    fn count(&self, what: &str) -> usize {
        self.done.iter().filter(|done| *done == what).count()
    }
}

#[test]
fn one_presentation_gives_one_verdict_however_long_it_lasts() {
    let lane = Clocked::new().show(&[code(CODE)], 5000);
    assert_eq!(lane.judged(), 1);
    assert_eq!(lane.done[..3], ["show Reading", "judge 1", "show refuse"], "the read cue comes before the verdict cue");
}

#[test]
fn a_code_that_flickers_in_and_out_of_view_is_judged_once() {
    let mut lane = Clocked::new();
    for _ in 0..10 {
        lane = lane.show(&[code(CODE)], 100).show(&[], 300);
    }
    assert_eq!(lane.judged(), 1);
}

#[test]
fn a_code_that_comes_back_within_the_same_symbol_timeout_is_hinted_at_and_after_it_judged_again() {
    let lane = Clocked::new().show(&[code(CODE)], 500).show(&[], 2000).show(&[code(CODE)], 500);
    assert_eq!(lane.judged(), 1);
    let lane = lane.show(&[], 3500).show(&[code(CODE)], 500);
    assert_eq!(lane.judged(), 2);
}

#[test]
fn the_next_traveller_is_judged_once_the_view_was_empty_for_half_a_second() {
    let lane = Clocked::new().show(&[code(CODE)], 500).show(&[code(OTHER)], 300);
    assert_eq!(lane.judged(), 1, "not re-armed yet");
    let lane = Clocked::new().show(&[code(CODE)], 500).show(&[], 600).show(&[code(OTHER)], 100);
    assert_eq!(lane.judged(), 2);
}

#[test]
fn two_different_codes_give_no_verdict_and_one_is_asked_for() {
    let lane = Clocked::new().show(&[code(CODE), code(OTHER)], 2000);
    assert_eq!(lane.judged(), 0);
    assert_eq!(lane.count("show Hint { hint: ShowOne }"), 1);
}

#[test]
fn a_bus_ticket_beside_a_pass_code_does_not_disturb_it() {
    assert_eq!(Clocked::new().show(&[ticket(), code(CODE)], 500).judged(), 1);
}

#[test]
fn a_bus_ticket_is_counted_once_hinted_at_and_never_judged() {
    let lane = Clocked::new().show(&[ticket()], 2000);
    assert_eq!((lane.judged(), lane.count("count")), (0, 1));
    assert_eq!(lane.count("show Hint { hint: NotAPassCode }"), 1);
}

#[test]
fn a_sticker_on_the_glass_calls_for_attention_once_and_the_lane_stays_usable() {
    let lane = Clocked::new().show(&[code(CODE)], 70_000);
    assert_eq!(lane.count("show Attention { hint: StuckMedia }"), 1);
    let lane = lane.show(&[], 600).show(&[code(OTHER)], 100);
    assert_eq!(lane.judged(), 2);
}

#[test]
fn the_screen_is_cleared_when_the_verdict_was_shown_long_enough() {
    let lane = Clocked::new().show(&[code(CODE)], 500).show(&[], 3000);
    assert_eq!(lane.count("show Idle"), 0);
    assert_eq!(lane.show(&[], 1000).count("show Idle"), 1);
}

#[test]
fn the_end_of_the_lane_closes_the_gate_whatever_it_was_doing() {
    let mut lane = Clocked::new().show(&[code(CODE)], 100);
    lane.take(Event::Stop);
    assert_eq!(lane.done[lane.done.len() - 2..], ["close", "show Closed"]);
}

#[test]
fn a_lost_camera_is_said_and_its_return_clears_the_screen() {
    let mut lane = Clocked::new();
    lane.take(Event::CameraLost);
    lane.take(Event::CameraBack);
    assert_eq!(lane.done, ["show Attention { hint: CameraLost }", "show Idle"]);
}
