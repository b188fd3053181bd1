//! A gate as a centre sees it: a device's key, a log, rows as the log writes them, anchors, health lines. No camera and no disk.

use cache::{
    exchange::{
        Draft, Health, Pinned, Receipt, Request, Slip, Vitals,
        batch::{Cut, gzip},
        receipt::{Progress, ReceiptError},
    },
    log::{
        Direction, Event, Passage, ScanRow,
        anchor::Anchor,
        chain::Head,
        note::{NoteError, NoteSigner},
        row::{Token, UnixMillis},
    },
};
use trustlist::{
    time::TimeTrust,
    verdict::{Reason, Verdict},
};
use uuid::Uuid;

/// A gate.
pub struct Gate {
    /// Its name.
    pub post: String,
    /// Its device's key.
    pub signer: NoteSigner,
    /// Its log.
    pub log: Uuid,
    /// Rows that no receipt covers, with the place before the first.
    pub owed: (Head, Vec<String>),
    /// The newest row.
    pub head: Head,
    /// The newest receipt.
    pub held: Option<(String, Receipt)>,
    /// The keys of its centre.
    pub pinned: Pinned,
    counter: u64,
    random: u64,
}

/// What an answer changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// These many rows are the centre's now.
    Acknowledged(usize),
    /// The centre's database was lost; rows that are not there any more cannot be sent again.
    StoreLost,
    /// The centre wants rows that were acknowledged, and are not kept here.
    Missing,
}

impl Gate {
    /// A gate with a new log, whose first row is chained.
    pub fn new(post: &str, seed: u64, pinned: Pinned, at: UnixMillis) -> Result<Gate, NoteError> {
        let mut random = seed | 1;
        let mut draw = || {
            step(&mut random);
            random.to_be_bytes()
        };
        let key: Vec<u8> = (0..4).flat_map(|_| draw()).collect();
        let id: Vec<u8> = (0..2).flat_map(|_| draw()).collect();
        let signer =
            NoteSigner::new(&post.replace(char::is_whitespace, "-"), &key.try_into().expect("four times eight bytes"))?;
        let log = uuid::Builder::from_random_bytes(id.try_into().expect("twice eight bytes")).into_uuid();
        let mut gate = Gate {
            post: post.to_owned(),
            signer,
            log,
            owed: (Head::ORIGIN, Vec::new()),
            head: Head::ORIGIN,
            held: None,
            pinned,
            counter: 0,
            random,
        };
        let key = gate.signer.verifier().to_string();
        let begin = Event::Begin { log, key, follows: None, witness: None }.body(&gate.id(at), at);
        gate.append(begin);
        Ok(gate)
    }

    fn id(&mut self, at: UnixMillis) -> Uuid {
        step(&mut self.random);
        let mut bytes = [0; 10];
        bytes[..8].copy_from_slice(&self.random.to_be_bytes());
        let millis = u64::try_from(at.0).unwrap_or(0) & 0xffff_ffff_ffff;
        uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid()
    }

    fn append(&mut self, body: String) {
        self.head = self.head.followed_by(&body);
        self.owed.1.push(body);
    }

    /// A traveller passes, and a row is chained.
    pub fn scan(&mut self, at: UnixMillis) {
        let id = self.id(at);
        let draw = self.random;
        let (verdict, reason) = match draw % 100 {
            0..=92 => (Verdict::Admit, Reason::Ok),
            93..=95 => (Verdict::Refer, Reason::ListStale),
            96..=97 => (Verdict::Refuse, Reason::Expired),
            _ => (Verdict::Refuse, Reason::BadSignature),
        };
        let mut token = [0; 32];
        for part in token.chunks_mut(8) {
            step(&mut self.random);
            part.copy_from_slice(&self.random.to_be_bytes());
        }
        let region = ["440000", "420000", "110000", "310000", "510000"][(draw >> 8) as usize % 5];
        let row = ScanRow {
            at_ms: at,
            time_trust: TimeTrust::Synced,
            lane: format!("{}", (draw >> 16) % 2 + 1),
            direction: Direction::Entry,
            verdict,
            reason,
            detail: None,
            issuer: region.parse().ok(),
            kid: Some(format!("{:016x}", draw % 7)),
            format: Some("MR1".to_owned()),
            route: Some("direct".to_owned()),
            list_generation: Some(17),
            list_age_s: Some(if reason == Reason::ListStale { 200_000 } else { 3600 }),
            token: Some(Token(token)),
            time_to_verdict_us: 40_000 + u32::try_from(draw % 9000).unwrap_or(0),
            passage: Passage::Unobserved,
        };
        let body = row.body(&id);
        self.append(body);
    }

    /// The next batch of at most `most` rows, before compression; none where nothing is owed.
    #[must_use]
    pub fn batch(&self, most: usize, at: UnixMillis) -> Option<Vec<u8>> {
        if self.owed.1.is_empty() { None } else { Some(self.rows(most, at)) }
    }

    /// The same, also where nothing is owed: it asks for the receipt.
    #[must_use]
    pub fn rows(&self, most: usize, at: UnixMillis) -> Vec<u8> {
        let (after, rows) = &self.owed;
        let rows = &rows[..rows.len().min(most)];
        let head = rows.iter().fold(*after, |head, row| head.followed_by(row));
        let anchor = Anchor { log: self.log, head, at }.sign(&self.signer);
        let behind = after.seq > self.held.as_ref().map_or(0, |(_, receipt)| receipt.through.seq);
        let cut = behind.then(|| Cut { log: self.log, through: *after }.sign(&self.signer));
        let draft = Draft {
            post: &self.post,
            log: self.log,
            after: *after,
            cut: cut.as_deref(),
            held: self.held.as_ref().map(|(note, _)| note.as_str()),
        };
        draft.write(rows.iter().map(String::as_str), &anchor)
    }

    /// A batch as it is sent.
    #[must_use]
    pub fn packed(bytes: &[u8]) -> Vec<u8> {
        gzip(bytes)
    }

    /// Retention, or a lack of space: the first `rows` of what is owed are given up.
    pub fn give_up(&mut self, rows: usize) {
        let (after, owed) = &mut self.owed;
        for row in owed.drain(..rows.min(owed.len())) {
            *after = after.followed_by(&row);
        }
    }

    /// A centre's answer; rows that its receipt covers are let go.
    pub fn hear(&mut self, note: &str) -> Result<Heard, ReceiptError> {
        let receipt = Receipt::verify(note, &self.pinned, &self.post, self.log)?;
        let progress = receipt.after(self.held.as_ref().map(|(_, held)| held));
        if progress == Progress::Nothing {
            return Ok(Heard::Acknowledged(0));
        }
        let through = receipt.through.seq;
        self.held = Some((note.to_owned(), receipt));
        if progress == Progress::StoreLost {
            return Ok(Heard::StoreLost);
        }
        let (after, rows) = &mut self.owed;
        if through < after.seq {
            return Ok(Heard::Missing);
        }
        let covered = usize::try_from(through - after.seq).unwrap_or(usize::MAX).min(rows.len());
        for row in rows.drain(..covered) {
            *after = after.followed_by(&row);
        }
        Ok(Heard::Acknowledged(covered))
    }

    /// How the gate is, signed.
    pub fn health(&mut self, at: UnixMillis) -> String {
        self.counter += 1;
        let vitals = Vitals {
            build: concat!("simulated ", env!("CARGO_PKG_VERSION")).to_owned(),
            clock_evidence: Some("time-service".to_owned()),
            list_age_s: ["440000", "420000"].iter().filter_map(|region| Some((region.parse().ok()?, 3600))).collect(),
            cameras: [("1".to_owned(), true), ("2".to_owned(), true)].into(),
            seq: self.head.seq,
            outbox: self.owed.1.len() as u64,
            disk_free_mib: Some(20_000),
            temperature_mc: Some(48_000),
            ..Vitals::default()
        };
        let health = Health {
            post: self.post.clone(),
            log: self.log,
            counter: self.counter,
            at,
            time_trust: TimeTrust::Synced,
            vitals,
        };
        health.sign(&self.signer)
    }

    /// What it asks with a slip.
    #[must_use]
    pub fn request(&self, slip: &Slip, at: UnixMillis) -> String {
        let request = Request {
            token: slip.token.clone(),
            centre: slip.centre.clone(),
            device: self.signer.verifier(),
            log: self.log,
            build: concat!("simulated ", env!("CARGO_PKG_VERSION")).to_owned(),
            at,
        };
        request.sign(&self.signer)
    }
}

/// xorshift: the same seed makes the same gate.
fn step(random: &mut u64) {
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
}
