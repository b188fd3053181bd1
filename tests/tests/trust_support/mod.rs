//! What the stories of lists share: a publisher's desk with a country, a mirror in memory that is tampered with, a device that syncs.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::{cell::RefCell, collections::BTreeMap, path::Path, rc::Rc};

use authority::{
    Federation, Source as Keys,
    key::KeyType,
    metadata::{self, FileFacts, MetaFacts, Role, Snapshot, Targets, Timestamp},
};
use cache::trust_store::{Slot, TrustStore};
use sync::{
    error::Error,
    lists::Mirror,
    update::{self, Outcome, SyncReport, TrustAnchor, activation},
};
use trustlist::{
    region::Region,
    time::{Moment, UnixTime},
    tuf::Answer,
};

pub const FOUNDED: UnixTime = UnixTime(1_612_000_000);
pub const NOW: UnixTime = UnixTime(1_612_137_600);
pub const HOUR: i64 = 3600;

pub type Files = BTreeMap<String, Vec<u8>>;

/// A mirror whose files a story exchanges.
#[derive(Clone, Default)]
pub struct Shelfful {
    pub files: Rc<RefCell<Files>>,
    pub asked: Rc<RefCell<u32>>,
    pub wanted: Rc<RefCell<Vec<String>>>,
    pub bytes: Rc<RefCell<usize>>,
    pub endless: bool,
    pub silent: bool,
}

impl Mirror for Shelfful {
    fn fetch(&mut self, path: &str, limit: u64) -> Answer {
        *self.asked.borrow_mut() += 1;
        self.wanted.borrow_mut().push(path.to_owned());
        if self.silent {
            return Answer::Unreachable("no route to host".to_owned());
        }
        if self.endless {
            return Answer::Bytes(vec![b' '; usize::try_from(limit).expect("bounded") + 1]);
        }
        self.files.borrow().get(path).map_or(Answer::NotFound, |bytes| {
            *self.bytes.borrow_mut() += bytes.len();
            Answer::Bytes(bytes.clone())
        })
    }
}

pub struct Post {
    pub federation: Federation,
    pub mirror: Shelfful,
    pub store: TrustStore,
    pub root: Vec<u8>,
    _folder: Option<tempfile::TempDir>,
}

pub fn empty_store(folder: &tempfile::TempDir) -> TrustStore {
    TrustStore::open(&folder.path().join("store.db")).expect("a store")
}

/// Syncs, and puts what is new in force at once: these devices have no scans to try it on.
pub fn synced(
    store: &mut TrustStore,
    mirror: &mut dyn Mirror,
    source: &str,
    anchor: &TrustAnchor<'_>,
) -> Result<SyncReport, Error> {
    let report = update::sync(store, mirror, source, anchor)?;
    activation::settle_by_hand(store)?;
    Ok(report)
}

pub fn newer(report: &SyncReport) -> usize {
    report.issuers.values().filter(|outcome| matches!(outcome, Outcome::Updated { .. })).count()
}

pub fn region(code: &str) -> Region {
    code.parse().expect("a region")
}

impl Post {
    /// A device that has synced once.
    pub fn new() -> Post {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("store.db");
        Post::at(&store, Some(folder))
    }

    /// The same with the store in a place of its own.
    pub fn at(store: &Path, folder: Option<tempfile::TempDir>) -> Post {
        let mut federation = Federation::of_provinces(Keys::Seed([7; 32]), FOUNDED).expect("founded");
        let root = federation.national.first_root().to_vec();
        let mirror = Shelfful::default();
        mirror.files.replace(federation.publish(NOW).expect("published"));
        let store = TrustStore::open(store).expect("a store");
        let mut post = Post { federation, mirror, store, root, _folder: folder };
        let report = post.sync(NOW);
        assert_eq!(newer(&report), 35, "{report:?}");
        post
    }

    pub fn sync(&mut self, now: UnixTime) -> SyncReport {
        let anchor = TrustAnchor { first_root: Some(&self.root), moment: Moment::synced(now) };
        synced(&mut self.store, &mut self.mirror.clone(), "mirror", &anchor).expect("the store works")
    }

    pub fn publish(&mut self, at: UnixTime) -> Files {
        let files = self.federation.publish(at).expect("published");
        self.mirror.files.borrow_mut().extend(files.clone());
        files
    }

    pub fn tamper(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        change(self.mirror.files.borrow_mut().get_mut(path).expect("it is on the mirror"));
    }

    /// An issuer whose keys come from `keys` signs that it has these targets too, by name and length.
    pub fn overload(&self, issuer: Region, keys: Keys, wanted: &BTreeMap<String, u64>) {
        let mut files = self.mirror.files.borrow_mut();
        let sign = |role: Role| {
            keys.key(issuer, &format!("{}-0", role.name()), KeyType::Ed25519).expect("keys of a seed are always there")
        };
        let timestamp_path = format!("{issuer}/metadata/timestamp.json");
        let mut timestamp: Timestamp = metadata::read(&files[&timestamp_path]).expect("published");
        let place = |version: u64, file: &str| format!("{issuer}/metadata/{version}.{file}");
        let held = &files[&place(timestamp.meta["snapshot.json"].version, "snapshot.json")];
        let mut snapshot: Snapshot = metadata::read(held).expect("published");
        let held = &files[&place(snapshot.meta["targets.json"].version, "targets.json")];
        let mut targets: Targets = metadata::read(held).expect("published");
        for (name, length) in wanted {
            targets.targets.insert(name.clone(), FileFacts { length: *length, ..FileFacts::of(name.as_bytes()) });
        }
        targets.version += 1;
        let file = metadata::sign(&targets, [&sign(Role::Targets)]).expect("signed");
        snapshot.meta.insert("targets.json".to_owned(), MetaFacts::of(targets.version, &file));
        files.insert(place(targets.version, "targets.json"), file);
        snapshot.version += 1;
        let file = metadata::sign(&snapshot, [&sign(Role::Snapshot)]).expect("signed");
        timestamp.meta.insert("snapshot.json".to_owned(), MetaFacts::of(snapshot.version, &file));
        files.insert(place(snapshot.version, "snapshot.json"), file);
        timestamp.version += 1;
        let file = metadata::sign(&timestamp, [&sign(Role::Timestamp)]).expect("signed");
        files.insert(timestamp_path, file);
    }

    pub fn generation(&self, issuer: Region) -> u64 {
        self.store.repository(issuer, Slot::Current).expect("read").expect("held").generation
    }
}

pub fn outcome(report: &SyncReport, issuer: Region) -> &Outcome {
    report.issuers.get(&issuer).expect("it was tried")
}

pub fn reason(report: &SyncReport, issuer: Region) -> String {
    match outcome(report, issuer) {
        Outcome::Refused { why } => why.clone(),
        other => panic!("{issuer} was not refused: {other:?}"),
    }
}
