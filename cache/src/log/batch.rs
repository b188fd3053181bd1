//! Batches for a centre: rows without a gap, the anchor that proves them, and health lines beside them (`cache/EXCHANGE.md`).
//!
//! Rows are read by a [`Reader`]; only what the device signs is asked of the log's own thread, which holds the key, and it signs no head
//! that is not in the log.

use uuid::Uuid;

use super::{
    ScanLog,
    anchor::Anchor,
    chain::Head,
    fault::Fault,
    reader::Reader,
    row::UnixMillis,
    table::{hash_of, head, held, meta_number, set_meta},
};
use crate::exchange::{Health, batch::Cut};

/// Rows to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// Their log.
    pub log: Uuid,
    /// The place before the first, with the hash it is chained to.
    pub after: Head,
    /// Their texts, exactly as chained.
    pub rows: Vec<String>,
    /// The last one's place and hash.
    pub last: Head,
    /// The last one's time.
    pub at: UnixMillis,
}

/// What the device signs for a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The anchor for the last row.
    pub anchor: String,
    /// That the rows before are given up, where it was asked for.
    pub cut: Option<String>,
}

impl Reader {
    /// Rows from `from` on, or from the first that is held where that is later: at most `most`, and no more than fit into `bytes`, but
    /// always one. `None` where there are none.
    pub fn stretch(&self, from: u64, most: usize, bytes: usize) -> Result<Option<Stretch>, Fault> {
        let first = from.max(*held(self.connection())?.start()).max(1);
        let mut statement = self.connection().prepare_cached(
            "SELECT seq, previous, hash, at_ms, body FROM entries WHERE seq >= ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = statement.query((first, most))?;
        let mut stretch: Option<Stretch> = None;
        let mut size = 0;
        while let Some(row) = rows.next()? {
            let (seq, hash, at): (u64, [u8; 32], i64) = (row.get(0)?, row.get(2)?, row.get(3)?);
            let body: String = row.get(4)?;
            size += body.len() + 1;
            match &mut stretch {
                None => {
                    let after = Head { seq: seq - 1, hash: row.get(1)? };
                    let log = self.log_id()?.unwrap_or(Uuid::nil());
                    let last = Head { seq, hash };
                    stretch = Some(Stretch { log, after, rows: vec![body], last, at: UnixMillis(at) });
                }
                Some(stretch) if size <= bytes && seq == stretch.last.seq + 1 => {
                    stretch.rows.push(body);
                    (stretch.last, stretch.at) = (Head { seq, hash }, UnixMillis(at));
                }
                Some(_) => break,
            }
        }
        Ok(stretch)
    }
}

impl ScanLog {
    /// Signs the end of a stretch, and with `cut` that everything before it is given up. `None` where the log has another row there.
    pub fn sign_stretch(&self, stretch: &Stretch, cut: bool) -> Result<Option<Signed>, Fault> {
        let Stretch { after, last, at, .. } = *stretch;
        if stretch.log != self.log || hash_of(&self.connection, last.seq)? != Some(last.hash) {
            return Ok(None);
        }
        // A cut is true only where the rows before are gone.
        if cut && *held(&self.connection)?.start() != after.seq + 1 {
            return Ok(None);
        }
        let signer = &self.options.signer;
        let anchor = Anchor { log: self.log, head: last, at }.sign(signer);
        let cut = cut.then(|| Cut { log: self.log, through: after }.sign(signer));
        Ok(Some(Signed { anchor, cut }))
    }

    /// Signs how the post is, under the next number of a counter that the log keeps.
    pub fn sign_health(&mut self, mut health: Health) -> Result<String, Fault> {
        health.counter = meta_number(&self.connection, "health_counter")?.unwrap_or(0) + 1;
        health.log = self.log;
        health.vitals.seq = head(&self.connection)?.seq;
        set_meta(&self.connection, "health_counter", &health.counter.to_string())?;
        Ok(health.sign(&self.options.signer))
    }
}

#[cfg(test)]
mod tests {
    use trustlist::time::TimeTrust;

    use super::*;
    use crate::machine::Machine;
    use crate::{
        exchange::{Batch, Draft, Vitals},
        log::{Options, note::NoteSigner, row::tests::row},
    };

    fn log(folder: &std::path::Path) -> ScanLog {
        let signer = NoteSigner::new("gate-3", &[5; 32]).expect("a name");
        let mut log = ScanLog::open(Options::new(folder.join("scans.db"), signer, Machine::real()), row(0).at_ms)
            .expect("opened");
        for n in 0..20 {
            log.append(&row(n)).expect("committed");
        }
        log
    }

    #[test]
    fn a_stretch_of_the_log_is_a_batch_that_proves_itself() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = log(folder.path());
        let reader = Reader::open(log.path()).expect("opened");
        let key = NoteSigner::new("gate-3", &[5; 32]).expect("a name").verifier();
        for (from, most, rows) in [(1, 100, 21), (5, 10, 10), (21, 10, 1)] {
            let stretch = reader.stretch(from, most, 1 << 20).expect("read").expect("rows");
            let signed = log.sign_stretch(&stretch, false).expect("read").expect("signed");
            let draft = Draft { post: "gate-3", log: stretch.log, after: stretch.after, cut: None, held: None };
            let bytes = draft.write(stretch.rows.iter().map(String::as_str), &signed.anchor);
            let proven = Batch::parse(&bytes).expect("a batch").verify(&key).expect("proven");
            assert_eq!((proven.heads.len(), proven.end(), stretch.after.seq), (rows, stretch.last, from - 1));
        }
        assert_eq!(reader.stretch(22, 10, 1 << 20).expect("read"), None);
        assert_eq!(reader.stretch(1, 100, 10).expect("read").expect("one at least").rows.len(), 1);
    }

    #[test]
    fn the_device_signs_no_head_that_is_not_in_its_log_and_no_cut_that_is_not_true() {
        let folder = tempfile::tempdir().expect("a folder");
        let log = log(folder.path());
        let reader = Reader::open(log.path()).expect("opened");
        let stretch = reader.stretch(5, 10, 1 << 20).expect("read").expect("rows");
        let forged = Stretch { last: Head { hash: [9; 32], ..stretch.last }, ..stretch.clone() };
        assert_eq!(log.sign_stretch(&forged, false).expect("read"), None);
        assert_eq!(log.sign_stretch(&stretch, true).expect("read"), None, "rows 1 to 4 are held");
    }

    #[test]
    fn the_counter_of_health_lines_only_grows_over_a_restart_too() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = NoteSigner::new("gate-3", &[5; 32]).expect("a name").verifier();
        let health = || Health {
            post: "gate-3".into(),
            log: Uuid::nil(),
            counter: 0,
            at: row(0).at_ms,
            time_trust: TimeTrust::Synced,
            vitals: Vitals::default(),
        };
        let mut first = log(folder.path());
        let counter = |note: String| Health::open(&note, &key).expect("signed").counter;
        assert_eq!(counter(first.sign_health(health()).expect("signed")), 1);
        let path = first.path().to_owned();
        drop(first);
        let signer = NoteSigner::new("gate-3", &[5; 32]).expect("a name");
        let mut again = ScanLog::open(Options::new(path, signer, Machine::real()), row(0).at_ms).expect("opened");
        assert_eq!(counter(again.sign_health(health()).expect("signed")), 2);
    }
}
