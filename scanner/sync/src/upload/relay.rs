//! Rows across a Unix socket, so that the process that scans needs no network: it hands batches to `checkpointd sync run`, which
//! delivers them and hands the centre's answer back.
//!
//! The scanning side listens, in a folder that is its own, and owns the outbox: what to send and what an answer means is decided
//! there. The network side sees the lines it carries and nothing else, neither the log nor the device key. One request is under way at
//! a time, one JSON object a line each way; a side that goes away in between is an answer that never came.

use std::{
    fs,
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::Path,
    thread,
    time::Duration,
};

use cache::outbox::Item;
use serde::{Deserialize, Serialize};

use super::{
    Centre,
    receipts::{Errand, Reply},
    scheduler::Answer,
};

/// Longest line. Stops a peer that never ends its line; a batch of [`MAX_BATCH`] rows is far below.
const MAX_LINE: u64 = 8 * 1024 * 1024;
/// Most rows of one request.
pub const MAX_BATCH: usize = 1000;
/// How often the network side looks after its connection while nothing is asked of it.
const LOOK: Duration = Duration::from_millis(200);
/// The network side is of another release.
const UNASKED: &str = "checkpointd-sync.service answers what it was not asked: restart it";
/// Pause before another attempt to find the scanning side.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RelayRequest {
    Rows(Vec<Row>),
    Anchor(String),
    /// A batch for a centre that signs receipts: gzip, in Base64.
    Batch(String),
    /// A health line.
    Health(String),
}

#[derive(Debug, Serialize, Deserialize)]
struct Row {
    log: uuid::Uuid,
    seq: u64,
    id: uuid::Uuid,
    hash: String,
    body: String,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RelayReply {
    Accepted,
    Again(String),
    Refused(String),
    /// What a centre that signs receipts replied; only the scanning side judges it.
    Replied {
        status: u16,
        text: String,
        retry_after_s: Option<u64>,
    },
}

/// The scanning side: a centre that is whoever has connected.
#[derive(Debug)]
pub struct Relay {
    listener: UnixListener,
    peer: Option<BufReader<UnixStream>>,
    patience: Duration,
}

impl Relay {
    /// Listens at `path`, which only this user can reach. `timeout` is the network side's for one answer.
    ///
    /// # Errors
    /// When there is no such folder, or somebody else's file is there.
    pub fn listen(path: &Path, timeout: Duration) -> io::Result<Relay> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => (),
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
        listener.set_nonblocking(true)?;
        Ok(Relay { listener, peer: None, patience: timeout * 2 })
    }

    /// Whoever came last is the network side: the one before it is a process that was replaced.
    fn meet(&mut self) {
        while let Ok((stream, _)) = self.listener.accept() {
            let ready = stream
                .set_nonblocking(false)
                .and_then(|()| stream.set_read_timeout(Some(self.patience)))
                .and_then(|()| stream.set_write_timeout(Some(self.patience)));
            self.peer = ready.ok().map(|()| BufReader::new(stream));
        }
    }

    /// What the network side says; or why there is nobody to say anything.
    fn carried(&mut self, request: &RelayRequest) -> Result<RelayReply, String> {
        self.meet();
        let Some(peer) = &mut self.peer else {
            return Err("nobody carries rows to the centre: is checkpointd-sync.service running?".to_owned());
        };
        match send(peer.get_mut(), request).and_then(|()| receive::<RelayReply>(peer, &mut Vec::new())) {
            Ok(Some(reply)) => Ok(reply),
            Ok(None) | Err(_) => {
                self.peer = None;
                Err("checkpointd-sync.service went away before it had an answer".to_owned())
            }
        }
    }

    fn ask(&mut self, request: &RelayRequest) -> Answer {
        match self.carried(request) {
            Ok(RelayReply::Accepted) => Answer::Accepted,
            Ok(RelayReply::Refused(why)) => Answer::Refused(why),
            Ok(RelayReply::Again(why)) | Err(why) => Answer::Again(why),
            Ok(RelayReply::Replied { .. }) => Answer::Again(UNASKED.to_owned()),
        }
    }
}

impl Centre for Relay {
    fn deliver(&mut self, items: &[Item]) -> Answer {
        let row = |item: &Item| Row {
            log: item.log,
            seq: item.seq,
            id: item.id,
            hash: data_encoding::HEXLOWER.encode(&item.hash),
            body: item.body.clone(),
        };
        self.ask(&RelayRequest::Rows(items.iter().map(row).collect()))
    }

    fn anchor(&mut self, note: &str) -> Answer {
        self.ask(&RelayRequest::Anchor(note.to_owned()))
    }

    fn exchange(&mut self, errand: Errand, body: Vec<u8>) -> Result<Reply, String> {
        let request = match errand {
            Errand::Batch => RelayRequest::Batch(data_encoding::BASE64.encode(&body)),
            Errand::Health => RelayRequest::Health(String::from_utf8_lossy(&body).into_owned()),
        };
        match self.carried(&request)? {
            RelayReply::Replied { status, text, retry_after_s } => {
                Ok(Reply { status, text, retry_after: retry_after_s.map(Duration::from_secs) })
            }
            RelayReply::Again(why) | RelayReply::Refused(why) => Err(why),
            RelayReply::Accepted => Err(UNASKED.to_owned()),
        }
    }

    fn idle(&mut self, at_most: Duration) {
        self.meet();
        thread::sleep(at_most);
    }
}

/// The network side: carries whatever it is handed until the process ends.
pub fn carry(path: &Path, centre: &mut dyn Centre) -> ! {
    let mut alone = false;
    loop {
        match UnixStream::connect(path).and_then(|stream| errands(stream, centre, &mut alone)) {
            Ok(()) => log::info!("the scanning process has gone"),
            Err(error) if !alone => {
                log::warn!("rows wait: {}: {error}; is checkpointd.service running?", path.display());
                alone = true;
            }
            Err(_) => (),
        }
        centre.idle(PAUSE);
    }
}

/// One connection, until the other side closes it.
fn errands(stream: UnixStream, centre: &mut dyn Centre, alone: &mut bool) -> io::Result<()> {
    stream.set_read_timeout(Some(LOOK))?;
    log::info!("rows are carried for the scanning process");
    *alone = false;
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    loop {
        let request = match receive::<RelayRequest>(&mut stream, &mut line) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                centre.idle(Duration::from_millis(1));
                continue;
            }
            Err(error) => return Err(error),
        };
        let word = match request {
            RelayRequest::Rows(rows) => {
                said(centre.deliver(&rows.into_iter().map(item).collect::<io::Result<Vec<_>>>()?))
            }
            RelayRequest::Anchor(note) => said(centre.anchor(&note)),
            RelayRequest::Batch(text) => {
                let bytes = data_encoding::BASE64.decode(text.as_bytes());
                let bytes = bytes.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
                replied(centre.exchange(Errand::Batch, bytes))
            }
            RelayRequest::Health(note) => replied(centre.exchange(Errand::Health, note.into_bytes())),
        };
        send(stream.get_mut(), &word)?;
    }
}

fn said(answer: Answer) -> RelayReply {
    match answer {
        Answer::Accepted => RelayReply::Accepted,
        Answer::Again(why) => RelayReply::Again(why),
        Answer::Refused(why) => RelayReply::Refused(why),
    }
}

fn replied(reply: Result<Reply, String>) -> RelayReply {
    match reply {
        Ok(Reply { status, text, retry_after }) => {
            RelayReply::Replied { status, text, retry_after_s: retry_after.map(|wait| wait.as_secs()) }
        }
        Err(why) => RelayReply::Again(why),
    }
}

fn item(row: Row) -> io::Result<Item> {
    let hash = data_encoding::HEXLOWER.decode(row.hash.as_bytes()).ok().and_then(|hash| hash.try_into().ok());
    let hash = hash.ok_or_else(|| io::Error::new(ErrorKind::InvalidData, "a row without a hash"))?;
    Ok(Item { log: row.log, seq: row.seq, id: row.id, hash, body: row.body })
}

fn send(stream: &mut UnixStream, what: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(what)?;
    line.push(b'\n');
    stream.write_all(&line)
}

/// One whole line; `None` at the end. What a timeout cut is kept in `line` for the next attempt.
fn receive<T: for<'a> Deserialize<'a>>(
    stream: &mut BufReader<UnixStream>,
    line: &mut Vec<u8>,
) -> io::Result<Option<T>> {
    let left = MAX_LINE.saturating_sub(line.len() as u64);
    stream.by_ref().take(left).read_until(b'\n', line)?;
    if line.last() != Some(&b'\n') {
        return if line.is_empty() { Ok(None) } else { Err(ErrorKind::UnexpectedEof.into()) };
    }
    let what = serde_json::from_slice(line)?;
    line.clear();
    Ok(Some(what))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// A centre that remembers what it got, and answers as it is told.
    #[derive(Clone, Default)]
    struct Remembers {
        got: Arc<Mutex<Vec<String>>>,
        refuses: bool,
    }

    impl Remembers {
        fn answer(&self, got: Vec<String>) -> Answer {
            self.got.lock().expect("whole").extend(got);
            if self.refuses { Answer::Refused("422 no".to_owned()) } else { Answer::Accepted }
        }
    }

    impl Centre for Remembers {
        fn deliver(&mut self, items: &[Item]) -> Answer {
            self.answer(items.iter().map(|item| item.line("gate")).collect())
        }

        fn anchor(&mut self, note: &str) -> Answer {
            self.answer(vec![note.to_owned()])
        }

        fn exchange(&mut self, errand: Errand, body: Vec<u8>) -> Result<Reply, String> {
            self.answer(vec![format!("{errand:?} {}", String::from_utf8_lossy(&body))]);
            Ok(Reply { status: 429, text: "later".to_owned(), retry_after: Some(Duration::from_secs(7)) })
        }

        fn idle(&mut self, at_most: Duration) {
            thread::sleep(at_most.min(Duration::from_millis(5)));
        }
    }

    fn row(seq: u64) -> Item {
        Item {
            log: uuid::Uuid::nil(),
            seq,
            id: uuid::Uuid::from_u128(u128::from(seq)),
            hash: [7; 32],
            body: format!("{{\"n\":{seq}}}"),
        }
    }

    /// Asks until somebody carries it.
    fn asked(mut ask: impl FnMut() -> Answer) -> Answer {
        for _ in 0..2000 {
            match ask() {
                Answer::Again(_) => thread::sleep(Duration::from_millis(5)),
                answer => return answer,
            }
        }
        panic!("nobody came")
    }

    #[test]
    fn rows_and_anchors_arrive_as_they_were_and_the_answer_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("relay.sock");
        let mut relay = Relay::listen(&path, Duration::from_secs(20)).expect("listens");
        assert!(matches!(relay.deliver(&[row(1)]), Answer::Again(why) if why.contains("checkpointd-sync")));
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        let centre = Remembers::default();
        let (mut there, at) = (centre.clone(), path.clone());
        thread::spawn(move || carry(&at, &mut there));
        let rows = [row(1), row(2)];
        assert_eq!(asked(|| relay.deliver(&rows)), Answer::Accepted);
        assert_eq!(relay.anchor("gate\n7\n"), Answer::Accepted);
        let packed = b"\x1f\x8bbatch".to_vec();
        let later = Reply { status: 429, text: "later".to_owned(), retry_after: Some(Duration::from_secs(7)) };
        assert_eq!(relay.exchange(Errand::Batch, packed.clone()), Ok(later));
        let carried = format!("Batch {}", String::from_utf8_lossy(&packed));
        let expected = [row(1).line("gate"), row(2).line("gate"), "gate\n7\n".to_owned(), carried];
        assert_eq!(*centre.got.lock().expect("whole"), expected);
    }

    #[test]
    fn a_refusal_is_told_from_a_network_side_that_died_and_its_successor_goes_on() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("relay.sock");
        let mut relay = Relay::listen(&path, Duration::from_secs(20)).expect("listens");
        let dies = UnixStream::connect(&path).expect("connected");
        dies.shutdown(std::net::Shutdown::Both).expect("dead");
        assert!(matches!(relay.deliver(&[row(1)]), Answer::Again(why) if why.contains("went away")));
        let mut there = Remembers { refuses: true, ..Remembers::default() };
        let at = path.clone();
        thread::spawn(move || carry(&at, &mut there));
        assert_eq!(asked(|| relay.deliver(&[row(1)])), Answer::Refused("422 no".to_owned()));
    }

    #[test]
    fn what_is_no_errand_or_never_ends_is_an_error_and_never_a_delivery() {
        let said = |bytes: &'static [u8]| {
            let (mut ours, theirs) = UnixStream::pair().expect("a pair");
            let centre = Remembers::default();
            let mut there = centre.clone();
            let thread = thread::spawn(move || errands(theirs, &mut there, &mut false));
            // It may hang up before everything was written.
            let _ = ours.write_all(bytes);
            drop(ours);
            let ended = thread.join().expect("no panic");
            assert!(centre.got.lock().expect("whole").is_empty());
            ended
        };
        for bytes in [&b"{\"rows\":[{\"seq\":1}]}\n"[..], b"\xff\xfe\n", b"{\"rows\":"] {
            assert!(said(bytes).is_err(), "{bytes:?}");
        }
        assert!(said(Box::leak(vec![b'x'; usize::try_from(MAX_LINE).expect("small") + 1].into_boxed_slice())).is_err());
        assert!(said(b"").is_ok());
    }
}
