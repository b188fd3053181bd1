//! SQLite on the simulated disk: what is flushed lasts, what is not may be gone, and nothing is ever half there.

use rusqlite::{Connection, ErrorCode, OpenFlags};
use simulated_disk::{Disk, Faults, install};

fn world(seed: u64) -> Disk {
    let disk = Disk::new(seed);
    install(&disk, seed);
    disk
}

fn open() -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags("/state/log.db", flags)?;
    connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.execute_batch("CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT")?;
    Ok(connection)
}

fn insert(connection: &Connection, n: i64) -> rusqlite::Result<usize> {
    connection.execute("INSERT INTO rows VALUES (?1, ?2)", (n, format!("{n:0200}")))
}

fn numbers(connection: &Connection) -> Vec<i64> {
    let mut statement = connection.prepare("SELECT n FROM rows ORDER BY n").expect("it works");
    statement.query_map([], |row| row.get(0)).expect("it works").map(|row| row.expect("it works")).collect()
}

fn sound(connection: &Connection) -> bool {
    connection.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)).expect("it works") == "ok"
}

#[test]
fn what_was_committed_outlives_every_power_cut() {
    for seed in 0..60 {
        let disk = world(seed);
        let connection = open().expect("it works");
        let rows = 1 + seed as i64 % 37;
        for n in 0..rows {
            insert(&connection, n).expect("it works");
            disk.at(n as u64 * 1000);
        }
        disk.cut_power();
        assert!(insert(&connection, 1000).is_err(), "a dead process writes nothing");
        drop(connection);
        let connection = open().expect("it works");
        assert!(sound(&connection));
        assert_eq!(numbers(&connection), (0..rows).collect::<Vec<_>>(), "seed {seed}");
    }
}

#[test]
fn a_flush_that_lies_loses_rows_in_some_power_cut_so_that_the_disk_can_show_a_loss_at_all() {
    let lost = (0..60).filter(|seed| {
        let disk = world(*seed);
        let connection = open().expect("it works");
        disk.set_faults(Faults { lying_flush: 1000, ..Faults::default() });
        (0..20).for_each(|n| assert_eq!(insert(&connection, n).expect("it works"), 1));
        disk.cut_power();
        drop(connection);
        disk.set_faults(Faults::default());
        open().map_or(0, |connection| numbers(&connection).len()) < 20
    });
    assert!(lost.count() > 30);
}

#[test]
fn a_flush_that_takes_long_is_not_done_before_its_time() {
    let kept = |wait_us: u64| {
        (0..40)
            .filter(|seed| {
                let disk = world(*seed);
                let connection = open().expect("it works");
                disk.at(1_000_000);
                let _ = disk.time_spent();
                disk.set_faults(Faults { flush_us: (5000, 5000), ..Faults::default() });
                insert(&connection, 1).expect("it works");
                assert_eq!(disk.time_spent(), 5000, "a commit of a write-ahead log is one flush");
                disk.at(1_000_000 + wait_us);
                disk.cut_power();
                drop(connection);
                disk.set_faults(Faults::default());
                numbers(&open().expect("it works")).len() == 1
            })
            .count()
    };
    assert_eq!(kept(5000), 40);
    assert!(kept(4999) < 40);
}

#[test]
fn a_killed_process_loses_nothing_that_the_machine_still_has() {
    let disk = world(7);
    let connection = open().expect("it works");
    disk.set_faults(Faults { lying_flush: 1000, ..Faults::default() });
    (0..20).for_each(|n| assert_eq!(insert(&connection, n).expect("it works"), 1));
    disk.kill();
    drop(connection);
    assert_eq!(numbers(&open().expect("it works")).len(), 20);
}

#[test]
fn two_connections_see_each_others_rows_and_only_one_writes() {
    let _disk = world(3);
    let (writer, reader) = (open().expect("it works"), open().expect("it works"));
    reader.busy_timeout(std::time::Duration::ZERO).expect("it works");
    insert(&writer, 1).expect("it works");
    assert_eq!(numbers(&reader), [1]);
    writer.execute_batch("BEGIN IMMEDIATE").expect("it works");
    insert(&writer, 2).expect("it works");
    let refused = reader.execute_batch("BEGIN IMMEDIATE").expect_err("it is refused");
    assert_eq!(refused.sqlite_error_code(), Some(ErrorCode::DatabaseBusy));
    assert_eq!(numbers(&reader), [1], "what is not committed is not seen");
    writer.execute_batch("COMMIT").expect("it works");
    assert_eq!(numbers(&reader), [1, 2]);
    drop(reader);
    insert(&writer, 3).expect("it works");
    assert_eq!(numbers(&writer).len(), 3);
}

#[test]
fn a_full_a_broken_and_a_read_only_disk_are_told_apart() {
    let disk = world(4);
    let connection = open().expect("it works");
    insert(&connection, 1).expect("it works");
    for (faults, code) in [
        (Faults { capacity: Some(1000), ..Faults::default() }, ErrorCode::DiskFull),
        (Faults { flush_error: 1000, ..Faults::default() }, ErrorCode::SystemIoFailure),
        (Faults { write_error: 1000, ..Faults::default() }, ErrorCode::SystemIoFailure),
        (Faults { read_only: true, ..Faults::default() }, ErrorCode::ReadOnly),
    ] {
        disk.set_faults(faults);
        assert_eq!(insert(&connection, 2).expect_err("it is refused").sqlite_error_code(), Some(code));
        disk.set_faults(Faults::default());
    }
    insert(&connection, 2).expect("it works");
    assert_eq!(numbers(&connection), [1, 2]);
}

#[test]
fn a_waiting_connection_spends_the_worlds_time_and_not_ours() {
    let disk = world(5);
    let (writer, other) = (open().expect("it works"), open().expect("it works"));
    other.busy_timeout(std::time::Duration::from_secs(3600)).expect("it works");
    writer.execute_batch("BEGIN IMMEDIATE").expect("it works");
    let _ = disk.time_spent();
    assert!(other.execute_batch("BEGIN IMMEDIATE").is_err());
    assert!(disk.time_spent() >= 3_500_000_000);
}

#[test]
fn a_renamed_database_stays_the_one_that_is_open_and_a_removed_one_too() {
    let disk = world(6);
    let connection = open().expect("it works");
    insert(&connection, 1).expect("it works");
    disk.rename("/state/log.db", "/state/log.db.aside").expect("it works");
    insert(&connection, 2).expect("it works");
    disk.remove("/state/log.db.aside").expect("it works");
    assert_eq!(numbers(&connection), [1, 2]);
}
