//! `simulate`: a fleet, what went wrong in it on purpose, and what came of it as a table.

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use crate::simulate::{Fault, Plan, Report, enrol, run};
use cache::exchange::Pinned;
use clap::Args;
use serde::Serialize;

use super::{DatabaseArgument, Done};

#[derive(Debug, Args)]
#[command(after_help = "\
Example: a thousand gates, as fast as the centre takes rows, and a tenth of them troublesome
  checkpoint-centre simulate --url http://127.0.0.1:8443 --centre-key KEY --gates 1000 --rate 0 --seconds 60 --faults storm,rubbish,clock,repeat")]
pub struct Simulate {
    #[command(flatten)]
    database: DatabaseArgument,
    /// Where the centre is
    #[arg(long)]
    url: String,
    /// Who vouches for its certificate (PEM)
    #[arg(long)]
    ca: Option<PathBuf>,
    /// The centre's key, as `serve` prints it
    #[arg(long)]
    centre_key: String,
    /// Gates
    #[arg(long, default_value_t = 20)]
    gates: usize,
    /// Rows a second, of all gates together; 0 for as many as the centre takes
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    /// Rows of a batch
    #[arg(long, default_value_t = 10)]
    batch: usize,
    /// For how long
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Rows that each gate owes at the beginning
    #[arg(long, default_value_t = 0)]
    backlog: usize,
    /// Seconds between the health lines of a gate; 0 for none
    #[arg(long, default_value_t = 300)]
    health: u64,
    /// What goes wrong
    #[arg(long, value_enum, value_delimiter = ',')]
    faults: Vec<Fault>,
    /// First part of the gates' names; another one for each fleet in the same database
    #[arg(long, default_value = "sim")]
    prefix: String,
    /// The centre's process, whose processor time is counted
    #[arg(long)]
    centre_pid: Option<u32>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    report: Report,
    /// Processor time of the centre a row, in microseconds.
    centre_us_a_row: Option<f64>,
    /// Processor time of PostgreSQL a row, in microseconds.
    database_us_a_row: Option<f64>,
    /// Bytes of the database a row, with indexes, anchors and sums.
    bytes_a_row: f64,
}

impl Simulate {
    pub async fn run(self) -> Done {
        let database = self.database.open(2)?;
        let plan = Plan {
            url: self.url,
            ca: self.ca,
            gates: self.gates.max(1),
            rate: self.rate,
            batch: self.batch.max(1),
            time: Duration::from_secs(self.seconds),
            backlog: self.backlog,
            health: Duration::from_secs(self.health),
            faults: self.faults,
            prefix: self.prefix,
        };
        let pinned = Pinned::new(vec![self.centre_key.parse()?])?;
        eprintln!("{} gates are enrolled …", plan.gates);
        let gates = enrol(&plan, &database, &pinned).await?;
        let size = || async {
            let connection = database.connection().await?;
            let sql = "SELECT pg_database_size(current_database())";
            Ok::<i64, crate::database::DatabaseError>(connection.query_one(sql, &[]).await?.get(0))
        };
        let before = (size().await?, self.centre_pid.and_then(ticks), postgres_ticks());
        let report = run(&plan, gates, |line| eprintln!("{line}")).await?;
        let after = (size().await?, self.centre_pid.and_then(ticks), postgres_ticks());
        let rows = report.acknowledged.max(1) as f64;
        // A clock tick of Linux's process table is a hundredth of a second.
        let a_row = |before: u64, after: u64| after.saturating_sub(before) as f64 * 10_000.0 / rows;
        let whole = Whole {
            centre_us_a_row: before.1.zip(after.1).map(|(before, after)| a_row(before, after)),
            database_us_a_row: before.2.zip(after.2).map(|(before, after)| a_row(before, after)),
            bytes_a_row: (after.0 - before.0) as f64 / rows,
            report,
        };
        if self.json {
            println!("{}", serde_json::to_string(&whole)?);
        } else {
            println!("{}", whole.report);
            if let Some(us) = whole.centre_us_a_row {
                println!("centre's processor       {us:>11.1} µs a row");
            }
            if let Some(us) = whole.database_us_a_row {
                println!("PostgreSQL's processor   {us:>11.1} µs a row");
            }
            println!("database                 {:>11.0} bytes a row", whole.bytes_a_row);
        }
        let good = whole.report.wrong == 0 && whole.report.made == whole.report.acknowledged;
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Processor time of a process and of its children that have ended, in ticks (proc(5): fields 14 to 17).
fn ticks(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<u64> =
        stat.rsplit_once(')')?.1.split_whitespace().skip(11).take(4).filter_map(|field| field.parse().ok()).collect();
    Some(fields.iter().sum())
}

/// All processes called `postgres`: on a machine with one server, that server.
fn postgres_ticks() -> Option<u64> {
    let mut sum = None;
    for entry in fs::read_dir("/proc").ok()?.filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        let name = fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
        if name.trim() == "postgres" {
            sum = Some(sum.unwrap_or(0) + ticks(pid).unwrap_or(0));
        }
    }
    sum
}
