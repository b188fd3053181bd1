//! Which parts of the stream this process writes: one writer each, by locks in PostgreSQL that end with the process or its connection.
//!
//! The lock keeps rows in order and writers out of each other's way. It is not what makes rows unique: that is the head of each log.

use std::time::Duration;

use tokio::sync::watch;

use super::PARTITIONS;
use crate::database::{Connection, Database, DatabaseError};

/// How often locks that another process has are asked for again, and one's own connection is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// First half of the locks' number: `rows`.
const LOCKS: i32 = 0x726f_7773;

/// Tells, for ever, which parts are this process's.
pub(super) async fn hold(database: Database, held: watch::Sender<Vec<u16>>) {
    let mut without = false;
    loop {
        if let Err(error) = hold_while_connected(&database, &held).await {
            if !without || !held.borrow().is_empty() {
                ::log::warn!("no part of the stream is written from here: {error}");
            }
            without = true;
        }
        held.send_replace(Vec::new());
        tokio::time::sleep(LOOK).await;
    }
}

async fn hold_while_connected(database: &Database, held: &watch::Sender<Vec<u16>>) -> Result<(), DatabaseError> {
    let connection = database.connection().await?;
    let ended = hold_locks(&connection, held).await;
    // A connection with locks must not go back to the others.
    drop(deadpool_postgres::Client::take(connection));
    ended
}

async fn hold_locks(connection: &Connection, held: &watch::Sender<Vec<u16>>) -> Result<(), DatabaseError> {
    loop {
        let mut mine = held.borrow().clone();
        for partition in (0..PARTITIONS).filter(|partition| !held.borrow().contains(partition)) {
            let sql = "SELECT pg_try_advisory_lock($1, $2)";
            if connection.query_one(sql, &[&LOCKS, &i32::from(partition)]).await?.get(0) {
                mine.push(partition);
            }
        }
        if mine.len() != held.borrow().len() {
            ::log::info!("{} of {PARTITIONS} parts of the stream are written from here", mine.len());
            held.send_replace(mine);
        }
        tokio::time::sleep(LOOK).await;
        connection.query_one("SELECT 1", &[]).await?;
    }
}
