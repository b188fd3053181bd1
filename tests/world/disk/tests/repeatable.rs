//! The same seed and the same calls give the same bytes. A test program of its own: SQLite's generator is the process's.

use rusqlite::Connection;
use simulated_disk::{Disk, Faults, install};

fn history(seed: u64) -> Vec<(String, Vec<u8>)> {
    let disk = Disk::new(seed);
    install(&disk, seed);
    disk.set_faults(Faults { flush_us: (10, 5000), write_error: 3, flush_error: 3, ..Faults::default() });
    let mut now = 0;
    for round in 0..5 {
        let Ok(connection) = Connection::open("/state/log.db") else { continue };
        // Each of these may fail by the disk's chances; which of them do is part of the history.
        let _ = connection.execute_batch("PRAGMA journal_mode = wal; CREATE TABLE IF NOT EXISTS r (n, b)");
        for n in 0..30 {
            let _ = connection.execute("INSERT INTO r VALUES (?1, hex(randomblob(40)))", [n + round * 100]);
            now += disk.time_spent();
            disk.at(now);
        }
        disk.cut_power();
    }
    disk.names().into_iter().map(|name| (name.clone(), disk.read(&name).expect("it works"))).collect()
}

#[test]
fn one_seed_has_one_history_to_the_byte() {
    let first = history(11);
    assert!(first.iter().any(|(name, bytes)| name == "/state/log.db" && !bytes.is_empty()));
    assert_eq!(first, history(11));
    assert_ne!(first, history(12));
}
