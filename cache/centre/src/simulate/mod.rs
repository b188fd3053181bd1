//! A fleet to try a centre with: gates that send real clients' bytes, and faults that a real fleet has.

pub mod client;
pub mod gate;

use std::{
    fmt,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use cache::{
    exchange::{Pinned, Slip},
    log::row::UnixMillis,
};
use client::{Address, Connection, NoAnswer};
use gate::{Gate, Heard};
use serde::Serialize;

use crate::{
    clock::now,
    database::Database,
    registry::{self, Invitation, RegistryError},
};

/// What goes wrong in the fleet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Fault {
    /// In the middle all gates lose their connection at once.
    Storm,
    /// Every tenth gate sends rubbish, changed rows and a stranger's signature between its batches.
    Rubbish,
    /// Every tenth gate's clock says 1970, 2038, or jumps.
    Clock,
    /// Every batch of every tenth gate comes twice, as after a lost answer.
    Repeat,
}

/// A fleet.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Where the centre is.
    pub url: String,
    /// Who vouches for its certificate.
    pub ca: Option<PathBuf>,
    /// How many gates.
    pub gates: usize,
    /// Rows a second, all together; 0 for as many as the centre takes.
    pub rate: f64,
    /// Rows of a batch.
    pub batch: usize,
    /// For how long.
    pub time: Duration,
    /// Rows that each gate owes at the beginning: a week without a network.
    pub backlog: usize,
    /// Health lines of a gate come this often; never where 0.
    pub health: Duration,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// The names' first part: fleets after one another in one database differ in it.
    pub prefix: String,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Gates.
    pub gates: usize,
    /// Seconds from the first batch to the last receipt.
    pub seconds: f64,
    /// Rows that were chained.
    pub made: u64,
    /// Rows that a receipt covers.
    pub acknowledged: u64,
    /// Rows a second.
    pub rows_per_second: f64,
    /// Requests with rows.
    pub batches: u64,
    /// From the request to the verified receipt, in milliseconds: half, and all but a hundredth.
    pub receipt_ms: [f64; 2],
    /// Health lines that were taken.
    pub health: u64,
    /// Requests that had to be sent again: no answer, 429, 5xx.
    pub again: u64,
    /// Rubbish that was refused, as it has to be.
    pub refused: u64,
    /// Answers that were wrong: rubbish taken, a good batch refused, a receipt that does not verify.
    pub wrong: u64,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { gates, seconds, made, acknowledged, rows_per_second, batches, receipt_ms: [half, most], .. } =
            self;
        writeln!(f, "gates                   {gates:>12}")?;
        writeln!(f, "time                    {seconds:>12.1} s")?;
        writeln!(f, "rows made               {made:>12}")?;
        writeln!(
            f,
            "rows acknowledged       {acknowledged:>12}   {}",
            if made == acknowledged { "all" } else { "NOT ALL" }
        )?;
        writeln!(f, "rows a second           {rows_per_second:>12.0}")?;
        writeln!(f, "batches                 {batches:>12}")?;
        writeln!(f, "receipt, half           {half:>12.1} ms")?;
        writeln!(f, "receipt, 99 of 100      {most:>12.1} ms")?;
        writeln!(f, "health lines            {:>12}", self.health)?;
        writeln!(f, "sent again              {:>12}", self.again)?;
        writeln!(f, "rubbish refused         {:>12}", self.refused)?;
        write!(f, "wrong answers           {:>12}", self.wrong)
    }
}

/// Why no fleet could be made.
#[derive(Debug)]
pub enum SimulationError {
    /// The registry.
    Registry(RegistryError),
    /// The centre.
    Centre(NoAnswer),
    /// The centre refused to enrol a gate, and said this.
    Enrolment(String),
}

impl fmt::Display for SimulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry(error) => error.fmt(f),
            Self::Centre(error) => error.fmt(f),
            Self::Enrolment(text) => write!(f, "a gate was not enrolled: {text}"),
        }
    }
}

impl std::error::Error for SimulationError {}

#[derive(Default)]
struct Counts {
    made: AtomicU64,
    acknowledged: AtomicU64,
    batches: AtomicU64,
    health: AtomicU64,
    again: AtomicU64,
    refused: AtomicU64,
    wrong: AtomicU64,
    waits_us: Mutex<Vec<u32>>,
}

/// Invites and enrols a fleet, as an operator and two hundred installers would.
pub async fn enrol(plan: &Plan, database: &Database, centre: &Pinned) -> Result<Vec<Gate>, SimulationError> {
    let invitations: Vec<Invitation> = (1..=plan.gates)
        .map(|number| Invitation {
            post: format!("{}-{number}", plan.prefix),
            station: format!("station {}", (number - 1) / 20 + 1),
            region: "440100".to_owned(),
            lanes: vec!["1".to_owned(), "2".to_owned()],
        })
        .collect();
    let valid = Duration::from_secs(3600);
    let tokens = registry::invite(database, &invitations, valid).await.map_err(SimulationError::Registry)?;
    let address = Address::parse(&plan.url, plan.ca.as_deref()).map_err(SimulationError::Centre)?;
    let mut connection = address.connect().await.map_err(SimulationError::Centre)?;
    let mut gates = Vec::with_capacity(plan.gates);
    let seed = Instant::now().elapsed().as_nanos() as u64 ^ now().0.unsigned_abs();
    for (number, (invitation, token)) in invitations.iter().zip(tokens).enumerate() {
        let seed = seed.wrapping_add((number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut gate = Gate::new(&invitation.post, seed, centre.clone(), now())
            .map_err(|error| SimulationError::Enrolment(error.to_string()))?;
        let slip = Slip { url: plan.url.clone(), centre: centre.keys()[0].clone(), token };
        let request = gate.request(&slip, now()).into_bytes();
        let answer = connection.post("/v1/enrol", request, false).await.map_err(SimulationError::Centre)?;
        if answer.status != 200 {
            return Err(SimulationError::Enrolment(format!("{} {}", answer.status, answer.text)));
        }
        let week = 7 * 86_400_000 / (plan.backlog as i64 + 1);
        for row in 0..plan.backlog as i64 {
            gate.scan(UnixMillis(now().0 - week * (plan.backlog as i64 - row)));
        }
        gates.push(gate);
    }
    Ok(gates)
}

/// Runs a fleet. `progress` hears a line a second.
pub async fn run(plan: &Plan, gates: Vec<Gate>, progress: impl Fn(&str)) -> Result<Report, SimulationError> {
    let address = Address::parse(&plan.url, plan.ca.as_deref()).map_err(SimulationError::Centre)?;
    let counts = Arc::new(Counts::default());
    counts.made.fetch_add(gates.iter().map(|gate| gate.owed.1.len() as u64).sum(), Relaxed);
    let start = Instant::now();
    let mut running = tokio::task::JoinSet::new();
    let many = gates.len();
    for (number, gate) in gates.into_iter().enumerate() {
        let (plan, address, counts) = (plan.clone(), address.clone(), counts.clone());
        running.spawn(async move { live(&plan, number, many, gate, &address, &counts, start).await });
    }
    let mut before = 0;
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            ended = running.join_next() => if ended.is_none() { break },
            _ = second.tick() => {
                let rows = counts.acknowledged.load(Relaxed);
                let [half, most] = percentiles(&counts);
                progress(&format!(
                    "{:>5.0} s  {rows:>9} rows  {:>7} rows/s  receipts {half:.0}/{most:.0} ms  again {}  refused {}  wrong {}",
                    start.elapsed().as_secs_f64(),
                    rows - before,
                    counts.again.load(Relaxed),
                    counts.refused.load(Relaxed),
                    counts.wrong.load(Relaxed)
                ));
                before = rows;
            }
        }
    }
    let seconds = start.elapsed().as_secs_f64();
    let acknowledged = counts.acknowledged.load(Relaxed);
    Ok(Report {
        gates: many,
        seconds,
        made: counts.made.load(Relaxed),
        acknowledged,
        rows_per_second: acknowledged as f64 / seconds,
        batches: counts.batches.load(Relaxed),
        receipt_ms: percentiles(&counts),
        health: counts.health.load(Relaxed),
        again: counts.again.load(Relaxed),
        refused: counts.refused.load(Relaxed),
        wrong: counts.wrong.load(Relaxed),
    })
}

fn percentiles(counts: &Counts) -> [f64; 2] {
    let Ok(mut waits) = counts.waits_us.lock().map(|waits| waits.clone()) else { return [0.0; 2] };
    waits.sort_unstable();
    let at =
        |share: f64| waits.get(((waits.len() as f64 - 1.0) * share) as usize).map_or(0.0, |us| f64::from(*us) / 1000.0);
    [at(0.5), at(0.99)]
}

/// One gate, until its time is over and nothing is owed.
async fn live(
    plan: &Plan,
    number: usize,
    many: usize,
    mut gate: Gate,
    address: &Address,
    counts: &Counts,
    start: Instant,
) {
    let pace = if plan.rate > 0.0 {
        Duration::from_secs_f64(plan.batch as f64 * many as f64 / plan.rate)
    } else {
        Duration::ZERO
    };
    let odd = number.is_multiple_of(10);
    let has = |fault: Fault| plan.faults.contains(&fault) && (odd || fault == Fault::Storm);
    let mut connection: Option<Connection> = None;
    let mut failures = 0;
    // Gates do not breathe in step.
    let mut due = pace.mul_f64(number as f64 / many as f64);
    let mut well = plan.health.mul_f64(number as f64 / many as f64);
    let mut stormed = false;
    while start.elapsed() < plan.time || !gate.owed.1.is_empty() {
        let elapsed = start.elapsed();
        if elapsed < plan.time && elapsed >= due && gate.owed.1.len() < 2 * plan.batch {
            due += pace;
            for row in 0..plan.batch as i64 {
                let at = match number / 10 % 3 {
                    _ if !has(Fault::Clock) => now().0,
                    0 => row * 1000,
                    1 => 2_147_483_647_000 + row,
                    _ => now().0 + (row % 7) * 86_400_000 * 30,
                };
                gate.scan(UnixMillis(at));
            }
            counts.made.fetch_add(plan.batch as u64, Relaxed);
        }
        if has(Fault::Storm) && !stormed && elapsed > plan.time / 2 {
            stormed = true;
            connection = None;
        }
        let lines = !plan.health.is_zero() && elapsed >= well && elapsed < plan.time;
        if gate.owed.1.is_empty() && !lines {
            let next = if plan.health.is_zero() { due } else { due.min(well) };
            let wait = next.saturating_sub(elapsed).clamp(Duration::from_millis(1), Duration::from_millis(500));
            tokio::time::sleep(wait).await;
            continue;
        }
        let Some(open) = &mut connection else {
            match address.connect().await {
                Ok(open) => connection = Some(open),
                Err(_) => pause(&mut failures, None, counts).await,
            }
            continue;
        };
        if lines {
            well += plan.health;
            let line = gate.health(now()).into_bytes();
            match open.post("/v1/health", line, false).await {
                Ok(answer) if answer.status == 204 => {
                    counts.health.fetch_add(1, Relaxed);
                }
                Ok(answer) => pause(&mut failures, answer.retry_after, counts).await,
                Err(_) => connection = None,
            }
            continue;
        }
        if has(Fault::Rubbish) && gate.head.seq.is_multiple_of(3) {
            let bytes = rubbish(&gate, plan.batch);
            match open.post("/v1/batch", bytes, false).await {
                Ok(answer) if matches!(answer.status, 400 | 413 | 422 | 429) => counts.refused.fetch_add(1, Relaxed),
                Ok(answer) if answer.status == 202 || answer.status >= 500 => counts.again.fetch_add(1, Relaxed),
                Ok(_) => counts.wrong.fetch_add(1, Relaxed),
                Err(_) => {
                    connection = None;
                    continue;
                }
            };
        }
        let Some(bytes) = gate.batch(plan.batch.max(256), now()) else { continue };
        let bytes = Gate::packed(&bytes);
        if has(Fault::Repeat) {
            // The answer is lost: the same rows come again.
            let _ = open.post("/v1/batch", bytes.clone(), true).await;
        }
        let asked = Instant::now();
        match open.post("/v1/batch", bytes, true).await {
            Ok(answer) if matches!(answer.status, 200 | 409) => match gate.hear(&answer.text) {
                Ok(Heard::Acknowledged(rows)) => {
                    failures = 0;
                    counts.batches.fetch_add(1, Relaxed);
                    counts.acknowledged.fetch_add(rows as u64, Relaxed);
                    if let Ok(mut waits) = counts.waits_us.lock() {
                        waits.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
                    }
                }
                Ok(Heard::StoreLost) => {}
                Ok(Heard::Missing) | Err(_) => {
                    counts.wrong.fetch_add(1, Relaxed);
                    return;
                }
            },
            Ok(answer) if matches!(answer.status, 202 | 429) || answer.status >= 500 => {
                pause(&mut failures, answer.retry_after, counts).await;
            }
            Ok(answer) => {
                ::log::warn!("{}: {} {}", gate.post, answer.status, answer.text);
                counts.wrong.fetch_add(1, Relaxed);
                return;
            }
            Err(_) => {
                connection = None;
                pause(&mut failures, None, counts).await;
            }
        }
    }
}

/// As a gate waits: as long as it was told, or longer each time.
async fn pause(failures: &mut u32, told: Option<u64>, counts: &Counts) {
    counts.again.fetch_add(1, Relaxed);
    *failures = (*failures + 1).min(8);
    let own = Duration::from_millis(50) * (1 << *failures);
    tokio::time::sleep(told.map_or(own, Duration::from_secs).min(Duration::from_secs(5))).await;
}

/// What a broken, a lying and a foreign box send.
fn rubbish(gate: &Gate, rows: usize) -> Vec<u8> {
    let bytes = gate.rows(rows, now());
    match gate.head.seq % 4 {
        0 => b"<html>this is no batch</html>\n".to_vec(),
        1 => bytes[..bytes.len() / 2].to_vec(),
        2 => String::from_utf8_lossy(&bytes).replace("\"admit\"", "\"refer\"").into_bytes(),
        _ => vec![0; 2048],
    }
}
