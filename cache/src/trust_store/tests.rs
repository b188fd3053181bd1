use std::fs;

use super::*;

fn region() -> Region {
    "440000".parse().expect("a region")
}

fn repository(generation: u64) -> StoredRepository {
    StoredRepository {
        generation,
        timestamp: vec![1],
        snapshot: vec![2],
        targets_role: vec![3],
        targets: BTreeMap::from([("keys.json".to_owned(), generation.to_le_bytes().to_vec())]),
    }
}

#[test]
fn what_is_staged_is_in_force_once_it_is_activated_and_the_generation_before_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("trust").join("store.db");
    let mut store = TrustStore::open(&path).expect("begun");
    for generation in 1..=3 {
        store.stage(region(), &repository(generation)).expect("staged");
        assert_eq!(store.staged().expect("read"), [region()]);
        store.activate(&[region()]).expect("activated");
    }
    store.stage(region(), &repository(4)).expect("staged");
    store.stage(region(), &repository(5)).expect("in its place");
    drop(store);
    let store = TrustStore::open(&path).expect("opened");
    assert_eq!(store.repository(region(), Slot::Current).expect("read"), Some(repository(3)));
    assert_eq!(store.repository(region(), Slot::Previous).expect("read"), Some(repository(2)));
    assert_eq!(store.newest(region()).expect("read"), Some(repository(5)));
    assert_eq!(store.repository("420000".parse().expect("a region"), Slot::Current).expect("read"), None);
}

#[test]
fn activating_what_another_process_has_activated_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = TrustStore::open(&folder.path().join("store.db")).expect("begun");
    store.stage(region(), &repository(1)).expect("staged");
    store.activate(&[region()]).expect("activated");
    store.activate(&[region()]).expect("nothing");
    assert_eq!(store.repository(region(), Slot::Current).expect("read"), Some(repository(1)));
}

#[test]
fn a_root_that_was_kept_is_never_replaced() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = TrustStore::open(&folder.path().join("store.db")).expect("begun");
    store.keep_root(region(), 1, b"first").expect("kept");
    store.keep_root(region(), 1, b"other").expect("nothing");
    store.keep_root(region(), 2, b"second").expect("kept");
    assert_eq!(store.roots(region()).expect("read"), [(1, b"first".to_vec()), (2, b"second".to_vec())]);
    assert_eq!(store.issuers().expect("read"), [region()]);
}

#[test]
fn another_programs_file_and_one_that_is_no_database_are_left_as_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    fs::write(&path, [7; 4096]).expect("written");
    assert!(matches!(TrustStore::open(&path), Err(Fault::NotADatabase(_))));
    assert_eq!(fs::read(&path).expect("there"), [7; 4096]);
    fs::remove_file(&path).expect("removed");
    Connection::open(&path).and_then(|other| other.execute_batch("CREATE TABLE theirs(x)")).expect("another's");
    assert!(matches!(TrustStore::open(&path), Err(Fault::Foreign(_))));
}

/// A store that has held generation 3.
fn held(path: &Path) {
    let mut store = TrustStore::open(path).expect("begun");
    store.keep_root(region(), 1, b"root").expect("kept");
    store.stage(region(), &repository(3)).expect("staged");
    store.activate(&[region()]).expect("activated");
    assert!(store.behind().expect("read").is_empty());
}

#[test]
fn a_store_cut_to_nothing_is_a_fault_and_is_left_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    held(&path);
    fs::write(&path, b"").expect("cut");
    for _ in 0..2 {
        assert!(matches!(TrustStore::open(&path), Err(Fault::CutShort(_))));
        assert_eq!(fs::metadata(&path).expect("there").len(), 0);
    }
}

#[test]
fn a_store_that_is_gone_begins_again_and_knows_what_it_lacks() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    held(&path);
    fs::remove_file(&path).expect("removed");
    let store = TrustStore::open(&path).expect("begun again");
    assert_eq!(store.behind().expect("read"), [region()]);
    assert!(store.floors().of(region()).is_some_and(|floor| floor.forbids(1, 2)));
}

#[test]
fn floors_that_were_not_written_before_the_power_went_are_written_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    held(&path);
    fs::remove_file(path.with_extension("floors")).expect("removed");
    drop(TrustStore::open(&path).expect("opened"));
    assert!(Floors::beside(&path).expect("read").of(region()).is_some_and(|floor| floor.generation == 3));
}

/// What each older schema had, as its releases made it.
const OLDER: [(i64, &str); 3] = [
    (
        1,
        "CREATE TABLE repositories(
             issuer TEXT NOT NULL, slot TEXT NOT NULL CHECK(slot IN ('current', 'previous')),
             generation INTEGER NOT NULL, timestamp BLOB NOT NULL, snapshot BLOB NOT NULL, targets BLOB NOT NULL,
             PRIMARY KEY(issuer, slot)) STRICT;
         INSERT INTO repositories VALUES('440000', 'current', 3, x'01', x'02', x'03');",
    ),
    (
        2,
        "CREATE TABLE repositories(
             issuer TEXT NOT NULL, slot TEXT NOT NULL CHECK(slot IN ('current', 'previous', 'staged')),
             generation INTEGER NOT NULL, timestamp BLOB NOT NULL, snapshot BLOB NOT NULL, targets BLOB NOT NULL,
             PRIMARY KEY(issuer, slot)) STRICT;
         CREATE TABLE fetched(issuer TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(issuer, name)) STRICT;
         CREATE TABLE notes(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
         INSERT INTO notes VALUES('sync', '{}');
         INSERT INTO repositories VALUES('440000', 'current', 3, x'01', x'02', x'03');",
    ),
    (
        3,
        "CREATE TABLE repositories(
             issuer TEXT NOT NULL, slot TEXT NOT NULL CHECK(slot IN ('current', 'previous', 'staged', 'ahead')),
             generation INTEGER NOT NULL, timestamp BLOB NOT NULL, snapshot BLOB NOT NULL, targets BLOB NOT NULL, arrived INTEGER,
             PRIMARY KEY(issuer, slot)) STRICT;
         CREATE TABLE fetched(issuer TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(issuer, name)) STRICT;
         CREATE TABLE notes(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
         INSERT INTO notes VALUES('sync', '{}');
         INSERT INTO repositories VALUES('440000', 'current', 3, x'01', x'02', x'03', 1600000000);",
    ),
];

#[test]
fn a_store_of_every_release_before_is_taken_over_with_all_that_it_holds() {
    for (schema, tables) in OLDER {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("store.db");
        let old = Connection::open(&path).expect("made");
        old.execute_batch(
            "CREATE TABLE roots(issuer TEXT NOT NULL, version INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY(issuer, version)) STRICT;
             CREATE TABLE newest_timestamp(issuer TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
             CREATE TABLE targets(
                 issuer TEXT NOT NULL, slot TEXT NOT NULL, name TEXT NOT NULL, bytes BLOB NOT NULL,
                 PRIMARY KEY(issuer, slot, name)) STRICT;
             INSERT INTO roots VALUES('440000', 7, x'07');
             INSERT INTO targets VALUES('440000', 'current', 'keys.json', x'0300000000000000');
             PRAGMA application_id = 1667985525;",
        )
        .expect("the tables of all");
        old.execute_batch(tables).expect("the older tables");
        old.pragma_update(None, "user_version", schema).expect("numbered");
        drop(old);
        let mut store = TrustStore::open(&path).expect("taken over");
        assert_eq!(store.repository(region(), Slot::Current).expect("read"), Some(repository(3)), "{schema}");
        assert_eq!(store.roots(region()).expect("read"), [(7, vec![7])], "{schema}");
        assert_eq!(store.note(Note::Sync).expect("read").is_some(), schema >= 2, "{schema}");
        let arrived = store.arrived(region(), Slot::Current).expect("read");
        assert_eq!(arrived, (schema >= 3).then_some(UnixTime(1_600_000_000)), "{schema}");
        assert_eq!(store.floors().of(region()), Some(Floor { root: 7, generation: 3 }), "{schema}");
        store.stage(region(), &repository(4)).expect("it has a stage");
        store.keep_ahead(region(), &repository(5)).expect("and a place for what is dated ahead");
        let memory = mirrors::MirrorMemory { walked: Some(region()), ..mirrors::MirrorMemory::default() };
        store.remember_mirror("https://lists.example", &mirrors::MirrorMemory::default(), &memory).expect("kept");
        drop(store);
        let store = TrustStore::open(&path).expect("opened again");
        assert_eq!(store.mirror("https://lists.example").expect("read"), memory, "{schema}");
    }
}

#[test]
fn what_is_remembered_of_a_mirror_outlives_a_start_and_goes_with_its_line_in_the_configuration() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let mut store = TrustStore::open(&path).expect("begun");
    let nothing = mirrors::MirrorMemory::default();
    let answer = |tag: &str| mirrors::KeptAnswer { tag: tag.to_owned(), bytes: b"{}".to_vec() };
    let first = mirrors::MirrorMemory {
        answers: [("index.json".to_owned(), answer("a")), ("440000/metadata/timestamp.json".to_owned(), answer("b"))]
            .into(),
        walked: Some(region()),
    };
    store.remember_mirror("https://one.example", &nothing, &first).expect("kept");
    store.remember_mirror("https://two.example", &nothing, &first).expect("kept");
    let second = mirrors::MirrorMemory { answers: [("index.json".to_owned(), answer("c"))].into(), walked: None };
    store.remember_mirror("https://one.example", &first, &second).expect("changed");
    drop(store);
    let mut store = TrustStore::open(&path).expect("opened");
    assert_eq!(store.mirror("https://one.example").expect("read"), second);
    assert_eq!(store.mirror("https://two.example").expect("read"), first);
    store.forget_other_mirrors(&["https://one.example"]).expect("forgotten");
    assert_eq!(store.mirror("https://two.example").expect("read"), nothing);
    assert_eq!(store.mirror("https://one.example").expect("read"), second);
}

#[test]
fn what_a_sync_had_fetched_is_kept_until_the_repository_is_whole() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = TrustStore::open(&folder.path().join("store.db")).expect("begun");
    store.keep_fetched(region(), "status/1", b"a shard").expect("kept");
    assert_eq!(store.fetched(region(), "status/1").expect("read").as_deref(), Some(&b"a shard"[..]));
    store.stage(region(), &repository(1)).expect("staged");
    assert_eq!(store.fetched(region(), "status/1").expect("read"), None);
}

#[test]
fn what_is_dated_ahead_is_kept_aside_and_is_neither_the_newest_nor_a_floor() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let mut store = TrustStore::open(&path).expect("begun");
    store.keep_root(region(), 1, b"root").expect("kept");
    store.stage(region(), &repository(3)).expect("staged");
    store.activate(&[region()]).expect("activated");
    store.keep_ahead(region(), &repository(9)).expect("kept");
    drop(store);
    let mut store = TrustStore::open(&path).expect("opened");
    assert_eq!(store.ahead().expect("read"), [region()]);
    assert_eq!(store.newest(region()).expect("read"), Some(repository(3)));
    assert_eq!(store.floors().of(region()).map(|floor| floor.generation), Some(3));
    assert_eq!(store.staged().expect("read"), []);
    store.forget_ahead(region()).expect("forgotten");
    assert_eq!(store.repository(region(), Slot::Ahead).expect("read"), None);
    assert_eq!(store.repository(region(), Slot::Current).expect("read"), Some(repository(3)));
}

#[test]
fn an_arrival_is_noted_once_and_one_in_the_future_is_noted_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut store = TrustStore::open(&folder.path().join("store.db")).expect("begun");
    store.stage(region(), &repository(1)).expect("staged");
    store.activate(&[region()]).expect("activated");
    let arrived = |store: &TrustStore| store.arrived(region(), Slot::Current).expect("read");
    assert_eq!(arrived(&store), None, "no confirmed clock has said so yet");
    for (at, noted) in [(500, 500), (900, 500), (400, 400)] {
        store.note_arrivals(UnixTime(at)).expect("noted");
        assert_eq!(arrived(&store), Some(UnixTime(noted)));
    }
}

#[test]
fn whatever_byte_of_the_floors_is_flipped_the_store_stays_in_force_and_writes_them_anew() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store.db");
    let floors = path.with_extension("floors");
    let mut store = TrustStore::open(&path).expect("begun");
    store.keep_root(region(), 1, b"root").expect("kept");
    store.stage(region(), &repository(7)).expect("staged");
    store.activate(&[region()]).expect("activated");
    drop(store);
    let good = fs::read(&floors).expect("read");
    for place in 0..good.len() {
        let mut bytes = good.clone();
        bytes[place] ^= 1;
        fs::write(&floors, &bytes).expect("written");
        let store = TrustStore::open(&path).unwrap_or_else(|fault| panic!("byte {place}: {fault}"));
        assert_eq!(store.behind().expect("read"), [], "byte {place}");
        assert_eq!(store.floors().of(region()).map(|floor| floor.generation), Some(7), "byte {place}");
        assert_eq!(store.repository(region(), Slot::Current).expect("read"), Some(repository(7)));
    }
    // Without the store, nobody knows any more what was accepted.
    fs::write(&floors, "{\"flo").expect("written");
    fs::remove_file(&path).expect("removed");
    assert!(matches!(TrustStore::open(&path), Err(Fault::Damaged { .. })));
}
