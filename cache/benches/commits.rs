//! Durable rows per second and what a row waits for the disk, beside plain SQLite doing the same inserts.
//!
//! Both sides use the same SQLite, WAL and `synchronous=FULL`, on the same disk, in turns of fifty rows, so that a disk that
//! slows down slows both. The plain side has one table with the same columns, one index on time, and no chain, token index,
//! outbox or floor.
//!
//! `cargo bench -p cache` (set `BENCH_DIRECTORY` to measure another disk, `BENCH_ROWS` for more rows).

use std::{
    path::Path,
    sync::{Arc, Barrier},
    time::{Duration, Instant},
};

use cache::{
    log::{
        Admissions, Direction, Options, Owed, Passage, Reader, Receipt, ScanLog, ScanRow, Token, UnixMillis, Writer,
        Written,
        note::NoteSigner,
        openings::Bounds,
        retention::Retention,
        verify::{Evidence, verify},
    },
    machine::Machine,
    outbox::OutboxUpdate,
};
use rusqlite::Connection;
use trustlist::{
    time::{Moment, TimeTrust},
    verdict::{Reason, Verdict},
};

/// Rows of one turn.
const TURN: usize = 50;
/// Lanes that write at once in the second part.
const LANES: usize = 16;

fn row(n: i64) -> ScanRow {
    ScanRow {
        at_ms: UnixMillis(1_612_137_600_000 + n * 1500),
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
        token: Some(Token([7; 32])),
        time_to_verdict_us: 41_000,
        passage: Passage::Unobserved,
    }
}

fn plain(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("opened");
    connection
        .execute_batch(
            "PRAGMA journal_mode = wal; PRAGMA synchronous = full;
             CREATE TABLE scans (id TEXT PRIMARY KEY, at_ms INTEGER, time_trust TEXT, lane TEXT, direction TEXT,
                verdict TEXT, reason TEXT, issuer TEXT, kid TEXT, format TEXT, route TEXT, list_generation INTEGER,
                list_age_s INTEGER, token BLOB, time_to_verdict_us INTEGER, passage TEXT) WITHOUT ROWID;
             CREATE INDEX scans_at ON scans (at_ms);",
        )
        .expect("made");
    connection
}

fn insert_plain(connection: &Connection, n: i64) {
    let row = row(n);
    connection
        .prepare_cached("INSERT INTO scans VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16)")
        .and_then(|mut statement| {
            statement.execute((
                format!("{n:032x}"),
                row.at_ms.0,
                row.time_trust.code(),
                &row.lane,
                row.direction.code(),
                row.verdict.code(),
                row.reason.code(),
                row.issuer.map(|issuer| issuer.to_string()),
                &row.kid,
                &row.format,
                &row.route,
                17,
                3600,
                [7_u8; 32],
                row.time_to_verdict_us,
                "unobserved",
            ))
        })
        .expect("inserted");
}

/// Benchmarks measure real time.
fn machine() -> Machine {
    Machine::new(Instant::now, getrandom::fill)
}

fn admissions() -> Arc<Admissions> {
    Admissions::new(Bounds::default(), machine()).expect("randomness")
}

fn report(name: &str, mut times: Vec<Duration>) {
    let total: Duration = times.iter().sum();
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1].as_secs_f64() * 1e3;
    println!(
        "  {name:<22} {:>6.0} commits/s   p50 {:>7.3} ms   p99 {:>7.3} ms   max {:>7.3} ms",
        times.len() as f64 / total.as_secs_f64(),
        at(50),
        at(99),
        at(100)
    );
}

fn main() {
    let rows: usize = std::env::var("BENCH_ROWS").ok().and_then(|text| text.parse().ok()).unwrap_or(4000);
    let directory = match std::env::var_os("BENCH_DIRECTORY") {
        Some(directory) => tempfile::tempdir_in(directory),
        None => tempfile::tempdir(),
    }
    .expect("a directory");
    let signer = NoteSigner::new("bench", &[1; 32]).expect("a name");
    let log = ScanLog::open(Options::new(directory.path().join("scans.db"), signer, machine()), UnixMillis(0))
        .expect("opened");
    let (writer, _thread) = Writer::spawn(log, admissions());
    let connection = plain(&directory.path().join("plain.db"));

    println!("one lane, {rows} rows, each waited for (turns of {TURN}):");
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut n = 0;
    while n < rows as i64 {
        for _ in 0..TURN {
            let start = Instant::now();
            commit(&writer, n);
            ours.push(start.elapsed());
            n += 1;
        }
        for m in n - TURN as i64..n {
            let start = Instant::now();
            insert_plain(&connection, m);
            theirs.push(start.elapsed());
        }
    }
    report("scan log", ours);
    report("plain SQLite", theirs);

    let each = (rows / LANES).max(TURN);
    println!("{LANES} lanes at once, {} rows:", each * LANES);
    let before = writer.gauges().commits();
    let barrier = Arc::new(Barrier::new(LANES + 1));
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let (writer, barrier) = (writer.clone(), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                for n in 0..each {
                    commit(&writer, (lane * each + n) as i64);
                }
            })
        })
        .collect();
    barrier.wait();
    let start = Instant::now();
    for lane in lanes {
        lane.join().expect("a lane ends");
    }
    let took = start.elapsed().as_secs_f64();
    let commits = writer.gauges().commits() - before;
    println!("  scan log {:>18.0} rows/s in {:.0} commits/s", (each * LANES) as f64 / took, commits as f64 / took);

    draining(&directory.path().join("owed.db"), rows / 4);
    grown(&directory.path().join("grown.db"));
}

/// One lane while a backlog is marked sent as fast as the disk allows.
fn draining(path: &Path, rows: usize) {
    let signer = NoteSigner::new("bench", &[1; 32]).expect("a name");
    let log = ScanLog::open(Options { owed: Owed::Receipt, ..Options::new(path, signer, machine()) }, UnixMillis(0))
        .expect("opened");
    let (writer, _thread) = Writer::spawn(log, admissions());
    let backlog: Vec<_> = (0..20_000).map(|n| (n, patiently(&writer, n))).collect();
    for (_, receipt) in &backlog {
        assert!(matches!(receipt.wait(Duration::from_secs(60)), Written::Committed(_)));
    }
    println!("one lane, {rows} rows, while a backlog of {} is uploaded in batches of 256:", backlog.len());
    let done = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let (uploader, stop) = (writer.clone(), Arc::clone(&done));
    let thread = std::thread::spawn(move || {
        let mut batches = 0_u64;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            let seqs: Vec<u64> = (0..256).map(|n| 2 + (batches * 256 + n) % 20_000).collect();
            let update = OutboxUpdate::Sent(seqs);
            assert!(matches!(uploader.update_outbox(update).wait(Duration::from_secs(60)), Written::Committed(_)));
            batches += 1;
        }
        batches
    });
    let times = (0..rows)
        .map(|n| {
            let start = Instant::now();
            commit(&writer, 20_000 + n as i64);
            start.elapsed()
        })
        .collect();
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    report("scan log", times);
    println!("  {} batches meanwhile", thread.join().expect("the uploader ends"));
}

/// A fortnight of a busy post: what opening, looking back, verifying and forgetting take.
fn grown(path: &Path) {
    const ROWS: i64 = 300_000;
    let signer = || NoteSigner::new("bench", &[1; 32]).expect("a name");
    let (writer, thread) = Writer::spawn(
        ScanLog::open(Options::new(path, signer(), machine()), UnixMillis(0)).expect("opened"),
        admissions(),
    );
    for group in 0..ROWS / 1000 {
        let receipts: Vec<_> = (group * 1000..group * 1000 + 1000)
            .map(|n| {
                let mut scan = row(n * 3);
                scan.token = Some(Token(std::array::from_fn(|byte| (n >> (byte % 4 * 8)) as u8)));
                writer.append(&scan)
            })
            .collect();
        for receipt in receipts {
            assert!(matches!(receipt.wait(Duration::from_secs(60)), Written::Committed(_)));
        }
    }
    drop(writer);
    thread.join().expect("an orderly end");
    let size = std::fs::metadata(path).expect("a file").len();
    println!("{ROWS} rows, {} MiB ({} bytes a row):", size >> 20, size / ROWS as u64);
    let clock = |name: &str, start: Instant| println!("  {name:<34} {:>9.3} ms", start.elapsed().as_secs_f64() * 1e3);

    let start = Instant::now();
    let mut log = ScanLog::open(Options::new(path, signer(), machine()), UnixMillis(0)).expect("opened");
    clock("open, with its check", start);
    let reader = Reader::open(path).expect("opened");
    let start = Instant::now();
    let token = Token(std::array::from_fn(|byte| (250_000_i64 >> (byte % 4 * 8)) as u8));
    assert!(
        reader
            .seen_since(&[token], "420000".parse().expect("a region"), &["1"], UnixMillis(0), row(ROWS * 3).at_ms)
            .expect("asked")
            .is_some()
    );
    clock("was this code here before?", start);
    let start = Instant::now();
    assert!(verify(&reader, &Evidence::default()).expect("read").is_sound());
    clock("verify the whole chain", start);
    let start = Instant::now();
    let now = Moment::synced(row(ROWS * 3 + 60_000).at_ms.second());
    let removed = log.retain(Retention::of(14), now).expect("cut");
    clock("receipt of retention", start);
    let (mut steps, mut longest, start) = (0, Duration::ZERO, Instant::now());
    while {
        let step = Instant::now();
        let more = log.sweep().expect("swept");
        longest = longest.max(step.elapsed());
        more
    } {
        steps += 1;
    }
    clock(&format!("{} rows deleted in {steps} steps", removed.rows), start);
    println!("  {:<34} {:>9.3} ms", "longest step", longest.as_secs_f64() * 1e3);
}

/// Appends, waiting where the queue is full.
fn patiently(writer: &Writer, n: i64) -> Receipt {
    if n % 1000 == 999 {
        commit(writer, n);
    }
    writer.append(&row(n))
}

fn commit(writer: &Writer, n: i64) {
    let answer = writer.append(&row(n)).wait(Duration::from_secs(60));
    assert!(matches!(answer, Written::Committed(_)), "{answer:?}");
}
