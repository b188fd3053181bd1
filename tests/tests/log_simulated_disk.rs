//! The scan log over a disk that exists only in memory: hundreds of nights in seconds, with the flushes, errors and power cuts that a
//! seed draws. What the log said is on the disk must be there, whatever the disk did; and what a lying disk lost must be noticed.
//!
//! A test program of its own: SQLite's file system is the process's, and so is the order in which worlds are made.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cache::{
    log::{
        Admissions, Direction, Options, Passage, Reader, ScanLog, ScanRow, UnixMillis, Writer, Written,
        note::NoteSigner,
        openings::Bounds,
        query::Filter,
        verify::{Evidence, verify},
        writer::Progress,
    },
    machine::Machine,
};
use simulated_disk::{Disk, Faults, install};
use trustlist::{
    time::TimeTrust,
    verdict::{Reason, Verdict},
};

const EVENING: UnixMillis = UnixMillis(1_800_000_000_000);

fn row(n: i64) -> ScanRow {
    ScanRow {
        at_ms: UnixMillis(EVENING.0 + n * 700),
        time_trust: TimeTrust::Synced,
        lane: "1".into(),
        direction: Direction::Entry,
        verdict: Verdict::Admit,
        reason: Reason::Ok,
        detail: None,
        issuer: None,
        kid: None,
        format: Some("MR1".into()),
        route: None,
        list_generation: Some(1),
        list_age_s: Some(60),
        token: None,
        time_to_verdict_us: 41_000,
        passage: Passage::Unobserved,
    }
}

fn open(path: &Path, machine: &Machine) -> Result<ScanLog, cache::log::Fault> {
    let signer = NoteSigner::new("night", &[3; 32]).expect("a name");
    ScanLog::open(Options::new(path, signer, machine.clone()), EVENING)
}

/// One post's nights: rows by identity, each with its place, as the log acknowledged them.
struct Post {
    disk: Disk,
    world: World,
    random: fastrand::Rng,
    folder: tempfile::TempDir,
    acknowledged: BTreeMap<String, u64>,
    now_us: u64,
    rows: i64,
}

impl Post {
    fn new(seed: u64) -> Post {
        let disk = Disk::new(seed);
        install(&disk, seed);
        Post {
            disk,
            world: World::new(seed),
            random: fastrand::Rng::with_seed(seed ^ 0x5eed),
            folder: tempfile::tempdir().expect("a folder"),
            acknowledged: BTreeMap::new(),
            now_us: 0,
            rows: 0,
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("scans.db")
    }

    /// A night with this disk, which ends with the power going or with the process dying.
    fn night(&mut self, faults: Faults) {
        self.disk.set_faults(Faults::default());
        let mut log = open(&self.path(), &self.world.machine).expect("the log opens after every night");
        self.disk.set_faults(faults);
        for _ in 0..self.random.u32(1..40) {
            self.rows += 1;
            let written = log.append(&row(self.rows));
            // The acknowledgement comes when the flush is done; the power may go before it does.
            self.now_us += self.disk.time_spent();
            let dies_before_it_is_told = self.random.u8(..40) == 0;
            if dies_before_it_is_told {
                break;
            }
            self.disk.at(self.now_us);
            if let Ok((id, head)) = written {
                self.acknowledged.insert(id.to_string(), head.seq);
            }
        }
        if self.random.bool() {
            self.disk.cut_power()
        } else {
            self.disk.kill()
        }
        drop(log);
    }

    /// The rows that the log has, by identity, with their places; and whether its chain holds.
    fn kept(&self) -> (BTreeMap<String, u64>, bool) {
        self.disk.set_faults(Faults::default());
        drop(open(&self.path(), &self.world.machine).expect("the log opens"));
        let reader = Reader::open(&self.path()).expect("it is read");
        let all = Filter::default();
        let stored = reader.query(&all).expect("asked");
        let id = |body: &str| {
            let row: serde_json::Value = serde_json::from_str(body).expect("a row");
            row["id"].as_str().expect("an id").to_owned()
        };
        let rows = stored.iter().map(|row| (id(&row.body), row.seq)).collect();
        (rows, verify(&reader, &Evidence::default()).expect("verified").is_sound())
    }
}

#[test]
fn whatever_a_disk_does_every_night_the_rows_it_was_said_to_have_are_there_in_one_sound_chain() {
    for seed in 0..120 {
        let mut post = Post::new(seed);
        for night in 0..6 {
            let faults = Faults {
                flush_us: (50, post.random.u64(50..80_000)),
                flush_error: post.random.u16(..60),
                write_error: post.random.u16(..60),
                capacity: post.random.bool().then(|| post.random.u64(150_000..600_000)),
                read_only: post.random.u8(..12) == 0,
                ..Faults::default()
            };
            post.night(faults);
            let (kept, sound) = post.kept();
            assert!(sound, "seed {seed}, night {night}: the chain is broken");
            for (id, seq) in &post.acknowledged {
                assert_eq!(kept.get(id), Some(seq), "seed {seed}, night {night}: an acknowledged row is lost");
            }
        }
        assert!(!post.acknowledged.is_empty(), "seed {seed}: nobody came");
    }
}

#[test]
fn what_a_disk_that_lies_about_its_flushes_lost_is_noticed_and_no_place_is_used_twice() {
    let mut lost = 0;
    for seed in 1000..1060 {
        let mut post = Post::new(seed);
        post.night(Faults::default());
        post.night(Faults { lying_flush: 1000, ..Faults::default() });
        post.disk.set_faults(Faults::default());
        let log = open(&post.path(), &post.world.machine).expect("the log opens");
        let (noticed, follows) = (log.cut().is_some(), log.path().to_owned());
        drop(log);
        let (kept, _) = post.kept();
        if post.acknowledged.keys().any(|id| !kept.contains_key(id)) {
            lost += 1;
            assert!(noticed, "seed {seed}: rows are gone from {} and nobody says so", follows.display());
        }
    }
    assert!(lost > 5, "the disk lost something in {lost} of 60 posts");
}

/// A machine whose clock is a number and whose chance comes from a seed.
struct World {
    machine: Machine,
    micros: Arc<AtomicU64>,
}

impl World {
    fn new(seed: u64) -> World {
        let (start, micros) = (host::clock::Clock::machine().now(), Arc::new(AtomicU64::new(0)));
        let clock = Arc::clone(&micros);
        let random = Mutex::new(fastrand::Rng::with_seed(seed));
        let machine = Machine::new(
            move || start + Duration::from_micros(clock.load(Ordering::Relaxed)),
            move |bytes| {
                random.lock().expect("nobody panics").fill(bytes);
                Ok(())
            },
        );
        World { machine, micros }
    }

    fn passes(&self, time: Duration) {
        self.micros.fetch_add(u64::try_from(time.as_micros()).expect("a night"), Ordering::Relaxed);
    }
}

/// An evening at one lane, worked by one thread: travellers come, the writer's steps are taken when its world says so. What the log
/// holds afterwards, and its newest anchor.
fn evening(seed: u64) -> (Vec<String>, Option<String>) {
    let disk = Disk::new(seed);
    install(&disk, seed);
    let (world, mut random) = (World::new(seed), fastrand::Rng::with_seed(!seed));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("scans.db");
    let signer = NoteSigner::new("evening", &[3; 32]).expect("a name");
    let options = Options { uptime: None, ..Options::new(&path, signer, world.machine.clone()) };
    let log = ScanLog::open(options, EVENING).expect("opened");
    disk.set_faults(Faults { flush_us: (50, 80_000), flush_error: 20, ..Faults::default() });
    let admissions = Admissions::new(Bounds::default(), world.machine.clone()).expect("randomness");
    let (writer, mut worker) = Writer::driven(log, admissions);
    let mut waiting = Vec::new();
    let mut acknowledged = 0;
    for n in 0..300 {
        let place = writer.opening(row(n).at_ms, Duration::from_millis(50));
        waiting.extend(place.map(|place| writer.append_opening(&row(n), place)));
        if random.u8(..3) > 0 {
            while worker.step(world.machine.now()) == Progress::Busy {}
        }
        waiting.retain(|receipt| match receipt.wait(Duration::ZERO) {
            Written::Committed(_) => {
                acknowledged += 1;
                false
            }
            Written::Late => true,
            Written::Failed(_) => false,
        });
        world.passes(Duration::from_micros(disk.time_spent()) + Duration::from_millis(random.u64(..2_000)));
    }
    disk.set_faults(Faults::default());
    drop(writer);
    while worker.step(world.machine.now()) != Progress::Ended {}
    drop(worker);
    assert!(acknowledged > 100, "seed {seed}: {acknowledged} rows");
    let reader = Reader::open(&path).expect("it is read");
    assert!(verify(&reader, &Evidence::default()).expect("verified").is_sound(), "seed {seed}");
    let rows = reader.query(&Filter::default()).expect("asked").into_iter().map(|row| row.body).collect();
    (rows, reader.newest_anchor().expect("asked"))
}

#[test]
fn an_evening_driven_from_one_thread_repeats_to_the_last_byte_with_its_seed() {
    for seed in 0..20 {
        let (first, again) = (evening(seed), evening(seed));
        assert_eq!(first, again, "seed {seed}");
    }
    assert_ne!(evening(1), evening(2), "another seed is another evening");
}
