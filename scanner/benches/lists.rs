//! Lists at the size of a country: what a sync brings over the wire and how long it takes, how long lists take to load, and the memory of the
//! daemon that holds them. `cargo bench -p scanner --bench lists`; the numbers stand in docs/lists.md.
//!
//! The mirror is nginx on loopback with a meter before it; everything that travels is counted, headers and all.

#![expect(clippy::disallowed_methods, reason = "what is measured is real time")]

#[path = "../../tests/tests/wire/mod.rs"]
mod wire;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use authority::{Federation, Source};
use cache::trust_store::TrustStore;
use sync::{
    lists,
    update::{self, MirrorAccess, SyncResult, TrustAnchor, WebMirror, activation},
};
use trustlist::{
    region::Region,
    status::Status,
    time::{Moment, UnixTime},
};
use wire::{Meter, Nginx, Traffic};

const MILLION: u64 = 1_000_000;
/// Of these, four fifths are revocations, and one in twenty lifts an earlier one.
const CHANGES: u64 = 100_000;

fn main() {
    println!("| lists | step | connections | requests, bytes | answers, bytes | together | seconds |");
    println!("|---|---|---|---|---|---|---|");
    // 34 provinces with ten thousand codes each, as in the demonstration.
    country("34 regions, 10 thousand codes each", 34, 10_000, 1000, 340);
    for (issuers, name) in [(1, "one issuer"), (34, "34 issuers")] {
        for one_in in [1000, 100] {
            let name = format!("{name}, 100 million codes, 1 in {one_in} set");
            country(&name, issuers, 100 * MILLION / issuers as u64, one_in, CHANGES);
        }
    }
}

/// One country from its first sync to the memory of a daemon.
fn country(name: &str, issuers: usize, codes: u64, one_in: u64, changes: u64) {
    let started =
        UnixTime(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs() as i64);
    let mut at = started.plus(-3600);
    let mut publisher = Publisher::new(issuers, codes, one_in, at);
    let folder = tempfile::tempdir().expect("a folder");
    let mirror = folder.path().join("mirror");
    wire::write(&mirror, &publisher.federation.publish(at).expect("published"));
    let Some(server) = Nginx::serve(&mirror) else { return };
    let meter = Meter::before(&server);
    let root = publisher.federation.national.first_root().to_vec();
    let mut store = TrustStore::open(&folder.path().join("state/trust/store.db")).expect("a store");
    let mut sync = |step: &str, at: UnixTime, word: SyncResult| {
        let clock = Instant::now();
        let anchor = TrustAnchor { first_root: Some(&root), moment: Moment::synced(at) };
        let way = MirrorAccess { timeout: Duration::from_secs(600), proxy: None, ca: None };
        let mut web = WebMirror::new(&meter.url(), &way).expect("a mirror");
        let report = update::sync(&mut store, &mut web, "mirror", &anchor).expect("the store works");
        activation::settle_by_hand(&mut store).expect("the store works");
        let Traffic { connections, up, down } = meter.read();
        let (together, took) = (up + down, clock.elapsed().as_secs_f64());
        assert_eq!(report.result(), word, "{report}");
        println!("| {name} | {step} | {connections} | {up} | {down} | {together} | {took:.2} |");
    };
    sync("first", at, SyncResult::Updated);
    sync("nothing published since", at, SyncResult::Unchanged);
    at = at.plus(60);
    wire::write(&mirror, &publisher.federation.publish(at).expect("published"));
    sync("published again without news", at, SyncResult::Updated);

    let state = folder.path().join("state");
    let clock = Instant::now();
    let trust = lists::from_store(&TrustStore::open(&state.join("trust/store.db")).expect("a store"));
    let trust = trust.expect("read").expect("lists").trust;
    let took = clock.elapsed().as_millis();
    let counts = trust.issuers().map(|issuer| issuer.statuses.counts());
    let [revoked, suspended, _] = counts.fold([0; 3], |sum, counts| [0, 1, 2].map(|of: usize| sum[of] + counts[of]));
    let memory: usize = trust.issuers().map(|issuer| issuer.statuses.memory()).sum();
    drop(trust);
    let stored = fs::metadata(state.join("trust/store.db")).expect("there").len();
    println!(
        "{name}: verified and loaded from the store in {took} ms; {revoked} revoked, {suspended} suspended; status tables {memory} bytes; store {stored} bytes"
    );

    // The daemon holds these lists, then takes the next generation from the mirror.
    let gate = folder.path().join("gate");
    copy(&state, &gate.join("state"));
    let mut daemon = Some(Daemon::start(&gate, &meter.url()));
    println!("{name}: daemon {}", daemon.as_ref().expect("just started").memory());
    meter.read();
    for step in 1..=4 {
        publisher.change(changes, at);
        at = at.plus(60);
        let files = publisher.federation.publish(at).expect("published");
        if let Some(daemon) = &daemon {
            daemon.forget_peak();
        }
        wire::write(&mirror, &files);
        if let Some(mut daemon) = daemon.take() {
            daemon.wait_for_update();
            println!("{name}: daemon after it took {changes} changes, {}", daemon.memory());
            daemon.stop();
            meter.read();
        }
        sync(&format!("{changes} changes, for the {step}. time"), at, SyncResult::Updated);
    }
}

/// The desk, and random codes that come to be set.
struct Publisher {
    federation: Federation,
    regions: Vec<Region>,
    codes: u64,
    state: u64,
}

impl Publisher {
    fn new(issuers: usize, codes: u64, one_in: u64, at: UnixTime) -> Publisher {
        let mut federation = Federation::of_provinces(Source::Seed([3; 32]), at.plus(-86_400)).expect("founded");
        let regions: Vec<Region> = federation.issuers.keys().copied().take(issuers).collect();
        for region in &regions {
            federation.authority(*region).expect("there").statuses_mut().grow(codes, at).expect("grown");
        }
        let mut publisher = Publisher { federation, regions, codes, state: 7 };
        for _ in 0..codes * issuers as u64 / one_in {
            publisher.set(Status::Revoked, at);
        }
        publisher
    }

    /// SplitMix64.
    fn random(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Sets a code that stood as it was issued.
    fn set(&mut self, status: Status, at: UnixTime) {
        loop {
            let (region, index) = (self.random() as usize % self.regions.len(), self.random() % self.codes);
            let statuses = self.federation.authority(self.regions[region]).expect("there").statuses_mut();
            if statuses.status(index) == Status::Valid {
                assert!(statuses.set(index, status, at).expect("covered"));
                return;
            }
        }
    }

    fn change(&mut self, changes: u64, at: UnixTime) {
        for change in 0..changes {
            match change % 20 {
                0 => self.lift(at),
                1..=3 => self.set(Status::Suspended, at),
                _ => self.set(Status::Revoked, at),
            }
        }
    }

    /// Makes the first code valid that is set at or after a random place.
    fn lift(&mut self, at: UnixTime) {
        loop {
            let (region, from) = (self.random() as usize % self.regions.len(), self.random() % self.codes);
            let statuses = self.federation.authority(self.regions[region]).expect("there").statuses_mut();
            let shard = from / trustlist::status::SHARD;
            let set = statuses.shards().get(&shard).and_then(|draft| {
                let (index, _) = draft.set.range(from % trustlist::status::SHARD..).next()?;
                Some(shard * trustlist::status::SHARD + index)
            });
            if let Some(index) = set {
                assert!(statuses.set(index, Status::Valid, at).expect("covered"));
                return;
            }
        }
    }
}

/// `checkpointd run` with one lane that looks at pictures of 720 lines.
struct Daemon {
    child: Child,
    journal: BufReader<std::process::ChildStderr>,
}

impl Daemon {
    fn start(place: &Path, mirror: &str) -> Daemon {
        let top = place.display();
        fs::create_dir_all(place.join("frames")).expect("made");
        let hall = image::GrayImage::from_pixel(1280, 720, image::Luma([160]));
        hall.save(place.join("frames/frame.png")).expect("written");
        let config = format!(
            "[checkpoint]\nid = \"gate 7\"\nrelying = \"440000\"\n[page]\nlisten = \"127.0.0.1:0\"\n\
             [places]\nstate = \"{top}/state\"\nruntime = \"{top}/run\"\n[trust]\nseed = \"{top}/none\"\n\
             [sync]\nmirrors = [\"{mirror}\"]\nevery = \"2s\"\n[[lane]]\nid = \"1\"\n\
             [lane.camera]\ndevice = \"pictures:{top}/frames\"\nrate = 20\n\
             [lane.gate]\ndriver = \"file\"\npath = \"{top}/gate\"\n"
        );
        fs::write(place.join("gate.toml"), config).expect("written");
        let mut child = Command::new(env!("CARGO_BIN_EXE_checkpointd"))
            .args(["--config", "gate.toml", "run"])
            .current_dir(place)
            .env("RUST_LOG", "info")
            .stderr(Stdio::piped())
            .spawn()
            .expect("it starts");
        let journal = BufReader::new(child.stderr.take().expect("piped"));
        let mut daemon = Daemon { child, journal };
        daemon.wait_for("ready after");
        // It has looked at frames and asked the mirror once.
        std::thread::sleep(Duration::from_secs(5));
        daemon
    }

    fn wait_for(&mut self, words: &str) {
        let mut told = String::new();
        loop {
            let mut line = String::new();
            assert!(self.journal.read_line(&mut line).expect("text") > 0, "it ended: {told}");
            if line.contains(words) {
                return;
            }
            told.push_str(&line);
        }
    }

    fn wait_for_update(&mut self) {
        self.wait_for("updated from generation");
        std::thread::sleep(Duration::from_secs(3));
    }

    /// The peak counts anew from here (proc(5), clear_refs).
    fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5").expect("our own child");
    }

    fn memory(&self) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel says so");
            line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok()).expect("kibibytes") / 1024.0
        };
        format!("resident {:.1} MiB, at its peak {:.1} MiB", of("VmRSS:"), of("VmHWM:"))
    }

    fn stop(mut self) {
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("made");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let place = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &place);
        } else {
            fs::copy(entry.path(), place).expect("copied");
        }
    }
}
