//! Sentences about a lane, on a clock that is a value.

use trustlist::verdict::Reason;

use super::*;

const CODE: SymbolId = [1; 16];
const OTHER: SymbolId = [2; 16];
const TICKET: SymbolId = [3; 16];
const STICKER: SymbolId = [4; 16];

fn code(id: SymbolId) -> VisibleSymbol {
    VisibleSymbol { id, claim: Claim::PassCode, distance: 0.1 }
}

/// A text that begins like a pass code, at the edge of the picture or in its middle.
fn malformed(id: SymbolId) -> VisibleSymbol {
    VisibleSymbol { id, claim: Claim::Malformed, distance: 0.0 }
}

fn ticket() -> VisibleSymbol {
    VisibleSymbol { id: TICKET, claim: Claim::Nothing, distance: 0.0 }
}

/// A lane that is fed a frame every 33 ms, and writes down what it was told to do.
struct Clocked {
    lane: Lane,
    now: Duration,
    done: Vec<String>,
    /// Whether the policy shows names.
    named: bool,
}

impl Clocked {
    fn new() -> Clocked {
        Clocked { lane: Lane::new(Patience::default()), now: Duration::from_secs(100), done: Vec::new(), named: false }
    }

    /// Shows these symbols for so many milliseconds; every code that is to be judged is refused.
    fn show(mut self, seen: &[VisibleSymbol], millis: u64) -> Clocked {
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
                Action::Hold => "hold".to_owned(),
                Action::Passage(Passage::Passed) => "passed".to_owned(),
                Action::Passage(Passage::NotTaken) => "not-taken".to_owned(),
                Action::GateEvent(event) => match event {
                    GateEvent::Alarm => "alarm".to_owned(),
                    GateEvent::AlarmOver => "alarm-over".to_owned(),
                    GateEvent::Forced => "forced".to_owned(),
                },
                Action::Show(LaneState::Verdict { verdict, .. }) => format!("show {verdict}"),
                Action::Show(state) => format!("show {state:?}"),
                Action::ForgetName => "forget the name".to_owned(),
                Action::CountNotAPassCode => "count".to_owned(),
            };
            self.done.push(name);
            if matches!(action, Action::Judge(_)) {
                let judged = Event::Judged {
                    verdict: Verdict::Refuse,
                    reason: Reason::Expired,
                    notice: None,
                    instead: None,
                    admission: None,
                    number: None,
                    named: self.named,
                };
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
fn a_code_that_had_its_verdict_is_no_second_code_and_the_new_one_beside_it_waits_for_the_rearm_time_only() {
    let lane = Clocked::new().show(&[code(CODE)], 1000).show(&[code(CODE), code(OTHER)], 100);
    assert_eq!((lane.judged(), lane.count("show Hint { hint: ShowOne }")), (2, 0), "{:?}", lane.done);
    let lane = Clocked::new().show(&[code(CODE)], 100).show(&[code(CODE), code(OTHER)], 300);
    assert_eq!(lane.judged(), 1, "a moment after the first verdict");
    assert_eq!(lane.show(&[code(CODE), code(OTHER)], 300).judged(), 2);
    // One that is read now and then, and never in the same picture.
    let mut lane = Clocked::new().show(&[code(CODE)], 1000);
    for _ in 0..10 {
        lane = lane.show(&[code(CODE)], 33).show(&[code(OTHER)], 33);
    }
    assert_eq!(lane.judged(), 2, "{:?}", lane.done);
}

#[test]
fn three_travellers_pass_a_sticker_that_begins_like_a_pass_code() {
    let sticker = malformed(STICKER);
    let mut lane = Clocked::new().show(&[sticker], 20_000);
    assert_eq!(lane.judged(), 1, "alone it is judged, once");
    for traveller in [5_u8, 6, 7] {
        lane = lane.show(&[sticker, code([traveller; 16])], 100);
        assert_eq!(lane.done.last().map(String::as_str), Some("show refuse"), "at once");
        lane = lane.show(&[sticker], 2000);
    }
    assert_eq!((lane.judged(), lane.count("show Hint { hint: ShowOne }")), (4, 0), "{:?}", lane.done);
}

#[test]
fn a_text_that_only_begins_like_a_pass_code_is_judged_when_it_is_alone_and_never_beside_a_pass_code() {
    assert_eq!(Clocked::new().show(&[malformed(STICKER)], 500).judged(), 1);
    let lane = Clocked::new().show(&[malformed(STICKER), code(CODE)], 2000);
    assert_eq!(lane.count("judge 1"), 1, "{:?}", lane.done);
    assert_eq!(lane.judged(), 1, "{:?}", lane.done);
    // A broken code beside a sticker that had its verdict is alone.
    let lane = Clocked::new().show(&[malformed(STICKER)], 500).show(&[malformed(STICKER), malformed(OTHER)], 500);
    assert_eq!(lane.judged(), 2);
}

#[test]
fn a_code_that_is_stuck_in_view_stays_an_attention_between_travellers_who_are_judged_beside_it() {
    let mut lane = Clocked::new().show(&[code(STICKER)], 61_000);
    assert_eq!(lane.count("show Attention { hint: StuckMedia }"), 1);
    for traveller in [5_u8, 6] {
        lane = lane.show(&[code(STICKER), code([traveller; 16])], 50);
        assert_eq!(lane.done.last().map(String::as_str), Some("show refuse"), "without a pause");
        lane = lane.show(&[code(STICKER)], 5000);
        assert_eq!(lane.done.last().map(String::as_str), Some("show Attention { hint: StuckMedia }"));
    }
    let lane = lane.show(&[], 600);
    assert_eq!(lane.done.last().map(String::as_str), Some("show Idle"));
}

#[test]
fn an_engine_reads_while_a_code_stays_before_the_camera() {
    let mut lane = Clocked::new().show(&[code(CODE)], 1000);
    lane.take(Event::Text(&[code(OTHER)]));
    assert_eq!(lane.judged(), 2, "{:?}", lane.done);
    lane.take(Event::Text(&[malformed(STICKER)]));
    assert_eq!(lane.judged(), 3, "what an engine read is alone");
}

#[test]
fn a_wall_of_codes_asks_for_one_and_makes_no_memory_grow() {
    let wall: Vec<VisibleSymbol> =
        (0..2000_u16).map(|n| code([[n as u8; 8], [(n >> 8) as u8; 8]].concat().try_into().expect("16"))).collect();
    let lane = Clocked::new().show(&wall, 500);
    assert_eq!((lane.judged(), lane.count("show Hint { hint: ShowOne }")), (0, 1));
    assert!(lane.lane.present.len() <= MAX_REMEMBERED);
    assert_eq!(lane.show(&[], 600).show(&[code(CODE)], 50).judged(), 1);
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

/// Sentences about a passage sensor and the fire contact. An admission has to be earned here too: by a code that a province signed.
mod passage {
    use std::{collections::BTreeSet, sync::LazyLock};

    use trustlist::{
        judge::{self, Context, Outcome},
        region::{NATIONAL, Region},
        time::{Moment, UnixTime},
        trust::{Repository, Trust},
    };

    use super::*;
    use crate::vector::PASS;

    const NOW: UnixTime = UnixTime(1_612_137_600);

    const NATIONAL_LIST: &str = r#"{"issuers":[
        {"id":"000000","name":{"zh":"国","en":"N"},"level":"national","scope":["000000"],"formats":["MR1"],"root_sha256":""},
        {"id":"440000","name":{"zh":"粤","en":"G"},"level":"province","scope":["440000"],"formats":["MR1"],"root_sha256":""}]}"#;
    const KEYS: &str = r#"{"keys":[{"algorithm":"EdDSA","public_key":"lHXGzw7aNAV1KNhpR4HsySrWOdfivSd2HtPvdJJL6wc=",
        "formats":["MR1"],"use":"code","from":"2021-01-01T00:00:00Z","state":"active"}]}"#;

    /// Lists of a nation of one province, as a gate holds them after verification.
    static LISTS: LazyLock<Trust> = LazyLock::new(|| {
        let repository = |issuer, targets: &[(&str, &str)]| Repository {
            issuer,
            generation: 1,
            issued: NOW,
            expires: NOW.plus(86_400),
            arrived: None,
            root_keys: BTreeSet::new(),
            targets: targets.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect(),
        };
        let policy = r#"{"default":"standard","profiles":{"standard":{}}}"#;
        let national = repository(
            NATIONAL,
            &[("trustlist.json", NATIONAL_LIST), ("policy.json", policy), ("keys.json", r#"{"keys":[]}"#)],
        );
        let (trust, faults) =
            Trust::assemble(national, vec![repository(gate(), &[("keys.json", KEYS)])]).expect("readable lists");
        assert!(faults.is_empty(), "{faults:?}");
        trust
    });

    /// Whose gate it is.
    fn gate() -> Region {
        "440000".parse().expect("a region")
    }

    fn admitted() -> Event<'static> {
        let moment = Moment::synced(NOW);
        let context = Context { moment, relying: gate(), profile: None };
        let Outcome::Judged(judgement) = judge::decide(PASS, &LISTS, &context) else { panic!("a pass code") };
        let (decision, admission) = judgement.close();
        assert!(admission.is_some(), "{decision:?}");
        Event::Judged {
            verdict: decision.verdict,
            reason: decision.reason,
            notice: None,
            instead: None,
            admission,
            number: None,
            named: false,
        }
    }

    impl Clocked {
        fn watched() -> Clocked {
            let patience = Patience { sensor: true, ..Patience::default() };
            Clocked { lane: Lane::new(patience), ..Clocked::new() }
        }

        /// Lets this happen, then time pass.
        fn then(mut self, event: Event<'_>, millis: u64) -> Clocked {
            self.take(event);
            self.wait(millis)
        }

        fn wait(mut self, millis: u64) -> Clocked {
            let end = self.now + Duration::from_millis(millis);
            while self.now < end {
                self.now += Duration::from_millis(20);
                self.take(Event::Tick);
            }
            self
        }

        /// What moved or was recorded, without the screen.
        fn moved(&self) -> Vec<&str> {
            self.done.iter().map(String::as_str).filter(|done| !done.starts_with("show")).collect()
        }
    }

    #[test]
    fn a_traveller_who_goes_through_has_passed_and_the_gate_closes_behind_them_before_its_time() {
        let lane = Clocked::watched().then(admitted(), 1000).then(Event::InBeam, 600).then(Event::BeamFree, 280);
        assert_eq!(lane.moved(), ["open", "passed"], "not onto their heels");
        assert_eq!(lane.wait(60).moved(), ["open", "passed", "close"]);
    }

    #[test]
    fn a_traveller_who_does_not_go_has_not_taken_it_but_one_who_just_made_it_has() {
        let lane = Clocked::watched().then(admitted(), 3020);
        assert_eq!(lane.moved(), ["open", "close"]);
        assert_eq!(lane.wait(2000).moved(), ["open", "close", "not-taken"]);
        let lane = Clocked::watched().then(admitted(), 3500).then(Event::InBeam, 100).then(Event::BeamFree, 5000);
        assert_eq!(lane.moved(), ["open", "close", "passed"]);
    }

    #[test]
    fn a_gate_does_not_close_onto_somebody_who_stands_in_it_unless_they_stay_there() {
        let lane = Clocked::watched().then(admitted(), 2900).then(Event::InBeam, 2900);
        assert_eq!(lane.moved(), ["open", "passed"]);
        assert_eq!(lane.wait(200).moved(), ["open", "passed", "close"], "a bag before the sensor holds no gate open");
    }

    #[test]
    fn an_arm_a_bag_and_the_other_leg_are_one_person() {
        let mut lane = Clocked::watched().then(admitted(), 500);
        for _ in 0..4 {
            lane = lane.then(Event::InBeam, 100).then(Event::BeamFree, 200);
        }
        assert_eq!(lane.wait(1000).moved(), ["open", "passed", "close"]);
    }

    #[test]
    fn whoever_goes_through_without_an_admission_is_recorded_and_a_second_one_behind_the_first_too() {
        let lane = Clocked::watched().then(Event::InBeam, 100).then(Event::BeamFree, 1000);
        assert_eq!(lane.moved(), ["forced"]);
        let lane = Clocked::watched()
            .then(admitted(), 500)
            .then(Event::InBeam, 300)
            .then(Event::BeamFree, 400)
            .then(Event::InBeam, 300);
        assert_eq!(lane.moved(), ["open", "passed", "close", "forced"]);
    }

    #[test]
    fn two_admissions_in_a_row_end_in_the_order_in_which_they_were_given() {
        let lane = Clocked::watched()
            .then(admitted(), 1000)
            .then(admitted(), 500)
            .then(Event::InBeam, 300)
            .then(Event::BeamFree, 700);
        assert_eq!(lane.moved(), ["open", "open", "passed"], "open still, for the second");
        assert_eq!(lane.wait(4000).moved(), ["open", "open", "passed", "close", "not-taken"]);
    }

    #[test]
    fn where_no_sensor_watches_nothing_is_said_of_passages() {
        let lane = Clocked::new().then(admitted(), 9000);
        assert_eq!(lane.moved(), ["open", "close"]);
    }

    #[test]
    fn fire_holds_the_gate_open_says_so_judges_nobody_and_its_end_closes_the_gate() {
        let lane = Clocked::watched().then(Event::Alarm, 60_000).show(&[code(CODE)], 2000);
        assert_eq!(lane.done, ["hold", "alarm", "show Attention { hint: Fire }"]);
        let lane = lane.then(Event::InBeam, 100).then(Event::BeamFree, 500).then(Event::AlarmOver, 40);
        assert_eq!(lane.moved(), ["hold", "alarm", "close", "alarm-over"], "nobody who fled is called a forcer");
        assert_eq!(lane.done.last().map(String::as_str), Some("show Idle"));
        assert_eq!(lane.show(&[code(OTHER)], 100).judged(), 1, "and the lane works again");
    }

    #[test]
    fn fire_after_an_admission_keeps_the_gate_open_past_its_time() {
        let lane = Clocked::watched().then(admitted(), 1000).then(Event::Alarm, 20_000);
        assert_eq!(lane.moved(), ["open", "hold", "alarm"], "whether that traveller went is not known, and not said");
    }

    #[test]
    fn a_camera_that_is_lost_while_there_is_fire_does_not_hide_it() {
        let mut lane = Clocked::new().then(Event::Alarm, 100);
        lane.take(Event::CameraLost);
        assert_eq!(lane.done.last().map(String::as_str), Some("show Attention { hint: Fire }"));
        lane.take(Event::AlarmOver);
        assert_eq!(lane.done.last().map(String::as_str), Some("show Attention { hint: CameraLost }"));
    }
}

#[test]
fn a_name_leaves_the_screen_after_two_seconds_or_with_the_next_traveller() {
    let mut lane = Clocked::new();
    lane.named = true;
    let lane = lane.show(&[code(CODE)], 1900);
    assert!(!lane.done.contains(&"forget the name".to_owned()), "{:?}", lane.done);
    let lane = lane.show(&[code(CODE)], 300);
    assert_eq!(lane.done.last().map(String::as_str), Some("forget the name"), "the verdict is still shown");
    let mut next = Clocked::new();
    next.named = true;
    let next = next.show(&[code(CODE)], 100).show(&[], 600).show(&[code(OTHER)], 50);
    let of = |what: &str| next.done.iter().position(|done| done == what).unwrap_or(usize::MAX);
    assert!(of("forget the name") < of("judge 2"), "{:?}", next.done);
}

#[test]
fn a_configuration_code_that_sets_nothing_hides_no_travellers_verdict() {
    let mut lane = Clocked::new().show(&[code(CODE)], 100);
    lane.done.clear();
    lane.take(Event::Configured("no-window"));
    assert!(lane.done.is_empty(), "{:?}", lane.done);
    lane.take(Event::Configured("taken"));
    assert_eq!(lane.done, [r#"show Configured { outcome: "taken" }"#]);
    // On an idle screen an installer is told what is missing.
    let mut idle = Clocked::new();
    idle.take(Event::Configured("no-window"));
    idle.take(Event::Configured("elsewhere"));
    assert_eq!(idle.done.len(), 2, "{:?}", idle.done);
}
