//! The lane-sizing formula of `hardware.md` and of the operator's page against a simulated queue: travellers arrive as they please
//! (Poisson), each takes a lane for the same time, and waits for the first that is free. `--nocapture` prints both tables.

use std::time::Duration;

use lane::queue::{LaneHistory, Scan, predicted_wait, queue};
use trustlist::verdict::{Reason, Verdict};

/// Travellers of one simulated queue: the mean wait is known to a few hundredths of a second then.
const TRAVELLERS: u32 = 300_000;

/// xorshift64*: the same numbers in every run.
struct Dice(u64);

impl Dice {
    /// Between 0 and 1, neither included.
    fn roll(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }
}

/// Waits of all travellers who come at `arrivals` (their times, ascending) to `lanes` lanes.
fn waits(arrivals: impl Iterator<Item = f64>, lanes: usize, mut cycle: impl FnMut() -> f64) -> Vec<f64> {
    let mut free_at = vec![0.0_f64; lanes];
    arrivals
        .map(|at| {
            let lane = free_at.iter_mut().min_by(|one, other| one.total_cmp(other)).expect("there are lanes");
            let begins = lane.max(at);
            *lane = begins + cycle();
            begins - at
        })
        .collect()
}

fn poisson(per_second: f64, dice: &mut Dice) -> impl Iterator<Item = f64> {
    let mut at = 0.0;
    std::iter::from_fn(move || {
        at -= dice.roll().ln() / per_second;
        Some(at)
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn the_formula_tells_the_mean_wait_that_a_simulated_queue_has() {
    println!("arrivals/min  lanes  cycle  rho   simulated  95 %    formula");
    for lanes in [2, 4, 8] {
        for per_lane in [15.0, 20.0, 25.0] {
            for cycle in [1.5, 2.0, 2.4, 3.0] {
                let per_second = per_lane * lanes as f64 / 60.0;
                let Some(predicted) = predicted_wait(per_second, cycle, lanes) else {
                    println!("{:<14}{lanes:<7}{cycle:<7}grows without end", per_second * 60.0);
                    continue;
                };
                let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
                let mut all = waits(poisson(per_second, &mut dice).take(TRAVELLERS as usize), lanes, || cycle);
                let simulated = mean(&all);
                all.sort_by(f64::total_cmp);
                let rho = per_second * cycle / lanes as f64;
                println!(
                    "{:<14}{lanes:<7}{cycle:<7}{rho:<6.2}{simulated:<11.2}{:<8.2}{predicted:.2}",
                    per_second * 60.0,
                    all[all.len() * 95 / 100],
                );
                assert!(
                    (simulated - predicted).abs() < 0.03 + 0.1 * simulated,
                    "{lanes} lanes, {cycle} s, rho {rho:.2}: {simulated:.3} simulated, {predicted:.3} by the formula"
                );
            }
        }
    }
}

#[test]
fn a_train_full_of_people_is_through_sooner_than_it_was_out_where_the_cycle_is_short() {
    println!("cycle   longest wait   all through after");
    let mut longest = Vec::new();
    for cycle in [2.0, 2.4, 3.0, 4.0, 6.0] {
        // 800 people in 240 s at eight lanes.
        let arrivals: Vec<f64> = (0..800).map(|person| f64::from(person) * 0.3).collect();
        let all = waits(arrivals.iter().copied(), 8, || cycle);
        let through = arrivals.iter().zip(&all).map(|(at, wait)| at + wait + cycle).fold(0.0, f64::max);
        longest.push(all.iter().copied().fold(0.0, f64::max));
        println!("{cycle:<8}{:<15.0}{through:.0}", longest[longest.len() - 1]);
    }
    assert!(longest[1] < 10.0 && longest[4] > 300.0, "{longest:?}");
}

#[test]
fn one_traveller_in_twenty_who_argues_at_the_gate_takes_two_fifths_of_a_lane() {
    let throughput = |share: f64| {
        let mut dice = Dice(7);
        let mut at_gate = Dice(11);
        // More people than the lane can take: it is never idle.
        let all =
            waits(poisson(10.0, &mut dice).take(50_000), 1, || 2.0 + if at_gate.roll() < share { 30.0 } else { 0.0 });
        let through = 50_000.0 / 10.0 + all[all.len() - 1];
        50_000.0 / through * 60.0
    };
    println!("argue at the gate   travellers a minute");
    for share in [0.0, 0.01, 0.02, 0.05, 0.1] {
        println!("{:<20.2}{:.1}", share, throughput(share));
    }
    assert!((throughput(0.05) / throughput(0.0) - 0.57).abs() < 0.02);
}

/// What the operator's page would say at the end of each five minutes of a lane with so much to do: utilisations and how often one more
/// lane would be asked for. Travellers take between 1.7 and 3.1 s, 2.4 s on average.
fn watched(rho: f64, minutes: u64) -> (f64, f64) {
    let (mut dice, mut at_gate) = (Dice(0x9e37_79b9_7f4a_7c15), Dice(11));
    let arrivals: Vec<f64> = poisson(rho / 2.4, &mut dice).take_while(|at| *at < (minutes * 60) as f64).collect();
    let takes: Vec<f64> = arrivals.iter().map(|_| 1.7 + 1.4 * at_gate.roll()).collect();
    let mut each = takes.iter().copied();
    let all = waits(arrivals.iter().copied(), 1, || each.next().expect("one each"));
    let mut verdicts = arrivals.iter().zip(&all).map(|(at, wait)| Duration::from_secs_f64(at + wait + 0.5)).peekable();
    let (mut lane, mut utilisations, mut asked) = (LaneHistory::default(), Vec::new(), 0);
    for until in (5..=minutes).step_by(5).map(|minute| Duration::from_secs(minute * 60)) {
        while let Some(at) = verdicts.next_if(|at| *at < until) {
            lane.add(Scan { at, verdict: Verdict::Admit, reason: Reason::Ok, took: Duration::from_millis(20) });
        }
        let seen = queue([&lane], until);
        utilisations.extend(seen.utilisation);
        asked += u32::from(seen.open_one_more);
    }
    (mean(&utilisations), f64::from(asked) / (minutes / 5) as f64)
}

#[test]
fn a_lane_learns_from_its_verdicts_alone_how_busy_it_is_and_when_one_more_would_help() {
    println!("rho    as the page sees it   asks for one more lane");
    let seen: Vec<(f64, f64, f64)> = [0.3, 0.5, 0.7, 0.8, 0.9, 0.97]
        .into_iter()
        .map(|rho| {
            let (utilisation, asks) = watched(rho, 5_000);
            println!("{rho:<7}{utilisation:<22.2}{:.0} %", asks * 100.0);
            (rho, utilisation, asks)
        })
        .collect();
    for (rho, utilisation, asks) in seen {
        assert!((utilisation - rho).abs() < 0.1, "rho {rho} is seen as {utilisation:.2}");
        assert!(rho > 0.5 || asks < 0.01, "a lane that is half idle asks for another");
        assert!(rho < 0.95 || asks > 0.9, "a lane without a pause asks for none");
    }
}
