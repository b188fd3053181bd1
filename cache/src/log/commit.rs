//! One transaction of the log: rows chained, and from time to time an anchor, and with it everything that need not be written with each
//! row: the floor of time, lived time, roll-ups.

use rusqlite::{Connection, TransactionBehavior};
use trustlist::time::TimeTrust;
use uuid::Uuid;

use super::{
    Change, Fault, Floor, ScanLog, UnixMillis,
    anchor::Anchor,
    chain::Head,
    day_keys, hours,
    lived::Stored,
    note::NoteSigner,
    outbox_table,
    row::{self, Event},
    space::wal_bytes,
    table::{head, set_meta},
};

/// Rows that are rolled up with one anchor: more than lie between two, so that what was left behind is caught up with.
const ROLLED_UP: usize = 1024;

impl ScanLog {
    /// Commits everything in one transaction; for each the chain's head after it.
    pub(crate) fn commit(&mut self, changes: &[Change]) -> Result<Vec<Head>, Fault> {
        let elapsed = i64::try_from(self.machine().since(self.floor.since).as_millis()).unwrap_or(i64::MAX);
        let (lived, stored) = (self.lived(), self.lived_then());
        let machine = &self.options.machine;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if changes.iter().any(|change| matches!(change, Change::Row { .. })) {
            let wal = wal_bytes(&self.options.path);
            if wal >= self.options.max_wal() {
                return Err(Fault::Held);
            }
            if used(&transaction)? + wal >= self.options.max_bytes {
                return Err(Fault::Full);
            }
        }
        let known = self.floor.known;
        let mut head = head(&transaction)?;
        let mut floor = known;
        let mut steady = self.steady;
        let mut receipt = None;
        let mut heads = Vec::with_capacity(changes.len());
        for change in changes {
            match change {
                Change::Row { body, at, trust } => {
                    head = insert(&transaction, head, body)?;
                    floor = raised(floor, known, *at, *trust, elapsed);
                }
                Change::Time { at, trust } => {
                    floor = raised(floor, known, *at, *trust, elapsed);
                    steady.note(*at, *trust, lived, std::mem::take(&mut self.booted));
                }
                Change::Floor { to, evidence, at } => {
                    let old_ms = (floor.0 != i64::MIN).then_some(floor);
                    let event = Event::Floor { old_ms, new_ms: *to, evidence: evidence.clone() };
                    head = insert(&transaction, head, &event.body(&row::new_id(machine, *at)?, *at))?;
                    floor = *to;
                }
                Change::DayKey(day) => day_keys::ensure(&transaction, machine, *day)?,
                Change::Outbox(update) => receipt = outbox_table::write(update, &transaction)?.or(receipt),
            }
            heads.push(head);
        }
        // Before anybody has confirmed the time, keys are of the day that the clock shows.
        let today = if floor.0 == i64::MIN { shown(changes) } else { Some(floor) };
        let day = today.map(UnixMillis::day);
        if day.is_some() && day != self.keys_made_for {
            // Tomorrow's key too, so that no lane waits for one at midnight.
            let day = day.unwrap_or_default();
            day_keys::ensure(&transaction, machine, day)?;
            day_keys::ensure(&transaction, machine, day + 1)?;
        }
        let anchor = head.seq >= anchored(&transaction)? + self.options.anchor_rows.max(1);
        let books = Books { floor, lived: stored, steady: steady.text() };
        if anchor {
            write_anchor(&transaction, self.log, head, &self.options.signer, lived.as_millis())?;
            books.write(&transaction, head.seq)?;
            hours::roll_up(&transaction, ROLLED_UP)?;
        } else if changes.iter().any(|change| matches!(change, Change::Time { .. } | Change::Floor { .. })) {
            books.write(&transaction, head.seq)?;
        }
        transaction.commit()?;
        if floor != known {
            self.floor = Floor::known(floor, self.options.machine.now());
        }
        (self.steady, self.keys_made_for) = (steady, day);
        self.witness(head, receipt, anchor);
        Ok(heads)
    }

    /// Signs the head unless it is signed already.
    pub fn anchor(&mut self) -> Result<(), Fault> {
        let lived = self.lived();
        let books = Books { floor: self.floor.known, lived: self.lived_then(), steady: self.steady.text() };
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let head = head(&transaction)?;
        let anchor = head.seq > anchored(&transaction)?;
        if anchor {
            write_anchor(&transaction, self.log, head, &self.options.signer, lived.as_millis())?;
            books.write(&transaction, head.seq)?;
            hours::roll_up(&transaction, ROLLED_UP)?;
        }
        transaction.commit()?;
        self.witness(head, None, anchor);
        Ok(())
    }

    /// Rolls up what a log of version 1, or a burst, has left behind; `true` when there is more.
    pub(crate) fn roll_up(&mut self) -> Result<bool, Fault> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let more = hours::roll_up(&transaction, ROLLED_UP)?;
        transaction.commit()?;
        Ok(more)
    }

    /// The chain ends here: says so beside the database. A witness that cannot be written costs no row.
    pub(super) fn witness(&mut self, head: Head, receipt: Option<Head>, flush: bool) {
        let Some(file) = &mut self.head_file else { return };
        let written = receipt
            .map_or(Ok(()), |receipt| file.receipt(receipt))
            .and_then(|()| file.head(head))
            .and_then(|()| if flush { file.flush() } else { Ok(()) });
        if let Err(error) = written
            && std::mem::replace(&mut self.witnessed, false)
        {
            ::log::error!("the chain's end cannot be written beside the log: {error}");
        }
    }
}

/// What is stored from time to time.
struct Books {
    floor: UnixMillis,
    lived: Stored,
    steady: String,
}

impl Books {
    fn write(&self, connection: &Connection, through: u64) -> Result<(), Fault> {
        if self.floor.0 != i64::MIN {
            set_meta(connection, "floor_ms", &self.floor.0.to_string())?;
        }
        // Rows after this one may raise the floor further, and are read at the next start.
        set_meta(connection, "floor_seq", &through.to_string())?;
        set_meta(connection, "lived", &self.lived.text())?;
        set_meta(connection, "steady", &self.steady)
    }
}

/// What a clock that is not below its floor shows in these changes.
fn shown(changes: &[Change]) -> Option<UnixMillis> {
    changes.iter().rev().find_map(|change| match change {
        Change::Row { at, trust, .. } | Change::Time { at, trust } if *trust != TimeTrust::Untrusted => Some(*at),
        _ => None,
    })
}

/// How far a moment raises the floor.
///
/// A confirmed clock raises it to what it shows. One that nothing has confirmed since boot raises it by no more than has
/// passed on the monotonic clock since `stored`: that much is certain, and a clock that ran ahead once does not make every
/// later, correct time look like the past. An untrusted one raises nothing.
pub(super) fn raised(
    floor: UnixMillis,
    stored: UnixMillis,
    at: UnixMillis,
    trust: TimeTrust,
    elapsed: i64,
) -> UnixMillis {
    let certain = match trust {
        TimeTrust::Synced | TimeTrust::Holdover => at,
        TimeTrust::FloorOnly if stored.0 != i64::MIN => at.min(stored.plus(elapsed)),
        // A new board's first clock proves nothing: it may be years ahead.
        TimeTrust::FloorOnly | TimeTrust::Untrusted => floor,
    };
    floor.max(certain)
}

/// Bytes in use. Only rows are held to the limit: what makes room must always fit.
fn used(connection: &Connection) -> Result<u64, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT (p.page_count - f.freelist_count) * s.page_size
         FROM pragma_page_count p, pragma_freelist_count f, pragma_page_size s",
    )?;
    Ok(statement.query_row([], |row| row.get::<_, u64>(0))?)
}

pub(super) fn insert(connection: &Connection, head: Head, body: &str) -> Result<Head, Fault> {
    let next = head.followed_by(body);
    connection
        .prepare_cached("INSERT INTO entries (seq, body, previous, hash) VALUES (?1, ?2, ?3, ?4)")?
        .execute((next.seq, body, head.hash, next.hash))?;
    Ok(next)
}

/// The last row an anchor covers.
pub(super) fn anchored(connection: &Connection) -> Result<u64, Fault> {
    let mut statement = connection.prepare_cached("SELECT coalesce(max(seq), 0) FROM anchors")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

pub(super) fn write_anchor(
    connection: &Connection,
    log: Uuid,
    head: Head,
    signer: &NoteSigner,
    lived_ms: u128,
) -> Result<(), Fault> {
    let at: i64 = connection
        .prepare_cached("SELECT at_ms FROM entries WHERE seq = ?1")?
        .query_row([head.seq], |row| row.get(0))?;
    let note = Anchor { log, head, at: UnixMillis(at) }.sign(signer);
    connection
        .prepare_cached("INSERT OR REPLACE INTO anchors (seq, note, lived_ms) VALUES (?1, ?2, ?3)")?
        .execute((head.seq, note, i64::try_from(lived_ms).unwrap_or(i64::MAX)))?;
    Ok(())
}
