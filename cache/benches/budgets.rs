//! What the log costs, against its budgets: bytes written a row, and a log of a million rows opened, proven, counted and pruned.
//!
//! - *Wear*: each row is committed alone, as at one traveller in half a second. Bytes are the kernel's own count of what this process made it
//!   write (`/proc/self/io`, `write_bytes`), the write-ahead log, its folding in and the head file included. Budget: 12 KiB a row.
//! - *A million rows*: open 0.6 s, verify 3 s, stats 0.5 s.
//! - *Pruning*: what a lane's row waits for the disk at worst while 300,000 rows are deleted beside it.
//!
//! `cargo bench -p cache --bench budgets` (set `BENCH_DIRECTORY` to measure another disk, `BENCH_ROWS` for another size).

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use cache::{
    log::{
        Admissions, Direction, Options, Owed, Passage, Reader, Receipt, ScanLog, ScanRow, Token, UnixMillis, Writer,
        Written, head_file,
        lived::Uptime,
        note::NoteSigner,
        openings::Bounds,
        retention::Retention,
        verify::{Evidence, verify},
    },
    machine::Machine,
    outbox::OutboxUpdate,
};
use trustlist::{
    time::{Moment, TimeTrust},
    verdict::{Reason, Verdict},
};

/// Rows that lie in the log before wear is measured: an index of one page wears nothing.
const BEFORE: i64 = 20_000;
/// Rows of which wear is measured.
const WORN: i64 = 3000;

fn row(n: i64) -> ScanRow {
    ScanRow {
        at_ms: UnixMillis(1_612_137_600_000 + n * 500),
        time_trust: TimeTrust::Synced,
        lane: "1".into(),
        direction: Direction::Entry,
        verdict: Verdict::Admit,
        reason: Reason::Ok,
        detail: None,
        issuer: Some("420000".parse().expect("a region")),
        kid: Some("0123456789abcdef".into()),
        format: Some("MR1".into()),
        route: Some("direct".into()),
        list_generation: Some(17),
        list_age_s: Some(3600),
        token: Some(token(n)),
        time_to_verdict_us: 41_000 + u32::try_from(n % 977).expect("small"),
        passage: Passage::Unobserved,
    }
}

/// As spread as a real one.
fn token(n: i64) -> Token {
    let mut state = n as u64;
    Token(std::array::from_fn(|_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    }))
}

/// Benchmarks measure real time.
fn machine() -> Machine {
    Machine::new(Instant::now, getrandom::fill)
}

fn signer() -> NoteSigner {
    NoteSigner::new("bench", &[1; 32]).expect("a name")
}

fn spawn(options: Options) -> (Writer, std::thread::JoinHandle<()>) {
    let log = ScanLog::open(options, UnixMillis(0)).expect("opened");
    Writer::spawn(log, Admissions::new(Bounds::default(), machine()).expect("randomness"))
}

fn wait(receipt: &Receipt) {
    let answer = receipt.wait(Duration::from_secs(60));
    assert!(matches!(answer, Written::Committed(_)), "{answer:?}");
}

fn fill(writer: &Writer, rows: std::ops::Range<i64>) {
    let rows: Vec<i64> = rows.collect();
    for group in rows.chunks(1000) {
        let receipts: Vec<_> = group.iter().map(|n| writer.append(&row(*n))).collect();
        receipts.iter().for_each(wait);
    }
}

/// What the kernel has counted of this process' writes.
fn written() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/io").ok()?;
    text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.parse().ok())
}

fn wear(path: &Path, uploads: bool) {
    let owed = if uploads { Owed::Receipt } else { Owed::Nothing };
    let (writer, thread) = spawn(Options { owed, ..Options::new(path, signer(), machine()) });
    fill(&writer, 0..BEFORE);
    let Some(before) = written() else { return println!("  this kernel does not count") };
    for n in BEFORE..BEFORE + WORN {
        let receipt = writer.append(&row(n));
        if uploads {
            // What was sent is known a moment later, and shares a row's transaction.
            drop(writer.update_outbox(OutboxUpdate::Sent(vec![u64::try_from(n).expect("positive")])));
        }
        wait(&receipt);
    }
    drop(writer);
    thread.join().expect("an orderly end");
    let bytes = written().expect("as before") - before;
    let what = if uploads { "each row, and that it was sent" } else { "each row alone" };
    println!("  {what:<34} {:>9.2} KiB a row", bytes as f64 / 1024.0 / WORN as f64);
}

fn million(path: &Path, rows: i64) {
    let (writer, thread) = spawn(Options::new(path, signer(), machine()));
    fill(&writer, 0..rows);
    drop(writer);
    thread.join().expect("an orderly end");
    let size = std::fs::metadata(path).expect("a file").len();
    println!("{rows} rows, {} MiB ({} bytes a row):", size >> 20, size / rows as u64);
    let clock = |name: &str, start: Instant| println!("  {name:<34} {:>9.3} ms", start.elapsed().as_secs_f64() * 1e3);
    let start = Instant::now();
    drop(ScanLog::open(Options::new(path, signer(), machine()), UnixMillis(0)).expect("opened"));
    clock("open", start);
    let reader = Reader::open(path).expect("opened");
    let start = Instant::now();
    let known_end = head_file::read(path).expect("readable");
    let report = verify(&reader, &Evidence { known_end, ..Evidence::default() }).expect("read");
    assert!(report.is_sound(), "{:?}", report.findings);
    clock("verify", start);
    let start = Instant::now();
    let counted: u64 = reader.stats(None, None).expect("asked").iter().map(|cell| cell.scans).sum();
    assert_eq!(counted, rows as u64);
    clock("stats", start);
    let start = Instant::now();
    let now = row(rows).at_ms;
    let issuer = "420000".parse().expect("a region");
    let since = now.plus(-3_600_000);
    assert!(reader.seen_since(&[token(rows - 100)], issuer, &["1"], since, now).expect("asked").is_some());
    clock("was this code here within an hour?", start);
}

/// A lane passes rows while everything older is deleted beside it.
fn pruned(path: &Path) {
    const OLD: i64 = 300_000;
    let (writer, thread) = spawn(Options::new(path, signer(), machine()));
    fill(&writer, 0..OLD);
    drop(writer);
    thread.join().expect("an orderly end");
    // The same device, a month of its life later.
    let mut options = Options::new(path, signer(), machine());
    options.uptime = options.uptime.map(|uptime| Uptime { up: uptime.up + Duration::from_secs(30 * 86_400), ..uptime });
    let (writer, thread) = spawn(options);
    let day = 86_400_000 / 500;
    let commit = |n: i64| {
        let start = Instant::now();
        wait(&writer.append(&row(n)));
        start.elapsed()
    };
    let mut quiet: Vec<_> = (0..200).map(|n| commit(OLD + 30 * day + n)).collect();
    let lane = writer.clone();
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stop = Arc::clone(&done);
    let passing = std::thread::spawn(move || {
        let mut times = Vec::new();
        for n in 0.. {
            if stop.load(std::sync::atomic::Ordering::Relaxed) {
                break;
            }
            let start = Instant::now();
            wait(&lane.append(&row(OLD + 30 * day + 1000 + n)));
            times.push(start.elapsed());
            std::thread::sleep(Duration::from_millis(20));
        }
        times
    });
    let start = Instant::now();
    let now = Moment { trust: TimeTrust::FloorOnly, ..Moment::synced(row(OLD + 31 * day).at_ms.second()) };
    let removed = writer.with_log(move |log| log.retain(Retention::of(14), now)).expect("cut");
    let reader = Reader::open(path).expect("opened");
    while reader.rows().expect("counted") > 100_000 && start.elapsed() < Duration::from_secs(600) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let took = start.elapsed();
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    let mut times = passing.join().expect("the lane ends");
    drop(writer);
    thread.join().expect("an orderly end");
    quiet.sort_unstable();
    times.sort_unstable();
    let ms = |times: &[Duration], percent: usize| times[(times.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1e3;
    println!("{} rows deleted in {:.1} s beside a lane:", removed.rows, took.as_secs_f64());
    for (name, times) in [("a row waits, before", &quiet), ("a row waits, meanwhile", &times)] {
        println!(
            "  {name:<34} p50 {:>7.2} ms   p99 {:>7.2} ms   max {:>7.2} ms   ({} rows)",
            ms(times, 50),
            ms(times, 99),
            ms(times, 100),
            times.len()
        );
    }
}

fn main() {
    let rows: i64 = std::env::var("BENCH_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000_000);
    let directory = match std::env::var_os("BENCH_DIRECTORY") {
        Some(directory) => tempfile::tempdir_in(directory),
        None => tempfile::tempdir(),
    }
    .expect("a directory");
    println!("bytes written ({WORN} rows, each committed alone, after {BEFORE}):");
    wear(&directory.path().join("alone.db"), false);
    wear(&directory.path().join("sent.db"), true);
    million(&directory.path().join("million.db"), rows);
    pruned(&directory.path().join("pruned.db"));
}
