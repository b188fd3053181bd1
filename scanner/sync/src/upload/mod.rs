//! Sending rows to a centre, on a thread of its own: the lane, the page and the list sync never wait for it, nor it for them.
//!
//! What to send next and what an answer means is decided by [`OutboxScheduler`]; this file obeys it. How it is sent is a
//! [`Centre`]: an MQTT 5 broker ([`mqtt`]), an HTTPS endpoint ([`https`]), or a process beside this one that has the network ([`relay`]).

pub mod https;
#[cfg(feature = "mqtt")]
pub mod mqtt;
pub mod receipts;
#[cfg(unix)]
pub mod relay;
pub mod scheduler;

use std::{
    path::PathBuf,
    sync::mpsc::{Receiver, TryRecvError},
    time::{Duration, Instant},
};

use cache::{
    exchange::Pinned,
    log::{Fault, Reader, Writer, Written},
    outbox::{Item, OutboxUpdate},
};
use host::{
    backoff::Backoff,
    clock::Clock,
    config::{Config, Receipts},
    peer::{Peer, PeerError},
};
use receipts::{Describe, Errand, Reply};
use scheduler::{Answer, OutboxScheduler, Step};
use tokio::sync::watch;

/// Longest pause between two looks into the outbox: what a fresh row waits at most when the centre is there.
const LOOK: Duration = Duration::from_millis(500);
/// Longest wait for the disk when an update of the outbox is committed.
const DISK: Duration = Duration::from_secs(30);

/// Where rows go. One implementation owns one connection.
pub trait Centre: Send {
    /// Delivers the rows and waits until the transport has them all, or says why not.
    fn deliver(&mut self, items: &[Item]) -> Answer;

    /// Delivers a signed head of the chain.
    fn anchor(&mut self, note: &str) -> Answer;

    /// Carries a batch or a health line to a centre that signs receipts, and brings its reply; or says why there is none.
    fn exchange(&mut self, errand: Errand, body: Vec<u8>) -> Result<Reply, String>;

    /// Keeps the connection alive for this long; returns early when it is lost.
    fn idle(&mut self, at_most: Duration);
}

/// How to reach a centre.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `mqtt://`, `mqtts://`, `https://` or `http://`, with host and port.
    pub url: String,
    /// This post's name: in the topic, in each line.
    pub post: String,
    /// First part of the topics.
    pub topic: String,
    /// Authorities that vouch for the centre's certificate (PEM); the web's when absent.
    pub ca: Option<PathBuf>,
    /// MQTT user name.
    pub user: Option<String>,
    /// File with the MQTT password, or the HTTPS bearer token.
    pub secret: Option<PathBuf>,
    /// What counts as the centre's word that it has stored rows.
    pub receipts: Receipts,
    /// The centre's keys, as `receipts = "signed"` pins them.
    pub centre_keys: Vec<String>,
    /// Rows at once.
    pub batch: usize,
    /// Longest wait for one answer.
    pub timeout: Duration,
    /// How long to wait after failures.
    pub backoff: Backoff,
}

impl Options {
    /// The usual batch, timeout and back-off.
    #[must_use]
    pub fn new(url: &str, post: &str) -> Options {
        Options {
            url: url.to_owned(),
            post: post.to_owned(),
            topic: "checkpoint".to_owned(),
            ca: None,
            user: None,
            secret: None,
            receipts: Receipts::None,
            centre_keys: Vec::new(),
            batch: 256,
            timeout: Duration::from_secs(20),
            backoff: Backoff::default(),
        }
    }

    /// As configured, where a centre is.
    #[must_use]
    pub fn configured(config: &Config) -> Option<Options> {
        let upload = &config.upload;
        let url = upload.url.as_ref()?;
        Some(Options {
            topic: upload.topic.clone(),
            ca: upload.ca.clone(),
            user: upload.user.clone(),
            secret: upload.secret.clone(),
            receipts: upload.receipts,
            centre_keys: upload.centre_keys.clone(),
            batch: usize::try_from(upload.batch).unwrap_or(usize::MAX),
            timeout: upload.timeout,
            ..Options::new(&url.0, &config.checkpoint.id)
        })
    }

    /// The keys whose receipts count; `None` where the centre signs none.
    pub fn pinned(&self) -> Result<Option<Pinned>, PeerError> {
        if self.receipts == Receipts::None {
            return Ok(None);
        }
        let wrong = |why: String| PeerError::Keys(why);
        let key = |text: &String| text.parse().map_err(|error| wrong(format!("{text:?}: {error}")));
        let keys = self.centre_keys.iter().map(key).collect::<Result<Vec<_>, _>>()?;
        Ok(Some(Pinned::new(keys).map_err(|error| wrong(error.to_string()))?))
    }

    /// The machine behind it.
    fn peer(&self) -> Peer {
        Peer {
            url: self.url.clone(),
            ca: self.ca.clone(),
            user: self.user.clone(),
            secret: self.secret.clone(),
            timeout: self.timeout,
        }
    }
}

/// The driver the URL asks for.
pub fn centre(options: &Options, clock: &Clock) -> Result<Box<dyn Centre>, PeerError> {
    // Only the broker's driver waits by a clock of its own.
    #[cfg(not(feature = "mqtt"))]
    let _ = clock;
    options.pinned()?;
    match options.url.split_once("://").map(|(scheme, _)| scheme) {
        Some("https" | "http") => Ok(Box::new(https::Endpoint::new(options)?)),
        #[cfg(feature = "mqtt")]
        Some("mqtt" | "mqtts") => Ok(Box::new(mqtt::Broker::new(options, clock.clone())?)),
        _ => Err(PeerError::Url(options.url.clone())),
    }
}

/// How the upload does, for the page and metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Failures since the last success; 0 means connected, or nothing tried yet.
    pub failures: u32,
    /// What the last failure said.
    pub trouble: Option<String>,
    /// Why rows cannot be sent at all: something on this device is missing.
    pub cannot_begin: Option<String>,
    /// Rows the transport has taken since the start.
    pub delivered: u64,
    /// Rows it has refused since the start.
    pub refused: u64,
}

/// Uploads until the other end of `stop` is dropped. Run it on a thread of its own. `describe` says how the post is, for health lines.
pub fn run(
    (options, clock): (&Options, &Clock),
    centre: &mut dyn Centre,
    (writer, reader): (&Writer, &Reader),
    describe: &Describe<'_>,
    stop: &Receiver<()>,
    status: &watch::Sender<Status>,
) {
    match options.pinned() {
        Ok(None) => {}
        Ok(Some(pinned)) => {
            return receipts::run((options, clock), &pinned, centre, (writer, reader), describe, stop, status);
        }
        // It was looked at when the configuration was put in force.
        Err(error) => return ::log::error!("rows stay here: {error}"),
    }
    let mut upload = Upload {
        scheduler: OutboxScheduler::new(options.batch, options.backoff),
        start: clock.now(),
        clock,
        batch: options.batch,
        centre,
        writer,
        reader,
        status,
    };
    let mut outcome = Ok(());
    while stop.try_recv() != Err(TryRecvError::Disconnected) {
        if let Err(fault) = outcome {
            // The log itself is in trouble; it has said so. Rows keep.
            ::log::debug!("upload pauses: {fault}");
            upload.centre.idle(LOOK);
        }
        outcome = upload.step();
    }
}

struct Upload<'a> {
    scheduler: OutboxScheduler,
    start: Instant,
    clock: &'a Clock,
    batch: usize,
    centre: &'a mut dyn Centre,
    writer: &'a Writer,
    reader: &'a Reader,
    status: &'a watch::Sender<Status>,
}

impl Upload<'_> {
    fn step(&mut self) -> Result<(), Fault> {
        let open = self.reader.outbox_open(self.batch)?;
        match self.scheduler.next(self.clock.since(self.start), &open) {
            Step::Wait(wait) => self.centre.idle(wait.min(LOOK)),
            Step::Rest => {
                if let Some((seq, note)) = self.reader.unsent_anchor()? {
                    // An anchor is no row: whatever else was said, it waits for a better moment.
                    let answer = match self.centre.anchor(&note) {
                        Answer::Accepted => Answer::Accepted,
                        other => Answer::Again(text(&other)),
                    };
                    let accepted = answer == Answer::Accepted;
                    self.answered(Vec::new(), answer);
                    if accepted {
                        return self.commit(OutboxUpdate::AnchorsSent(seq));
                    }
                }
                self.centre.idle(LOOK);
            }
            Step::Send(seqs) => {
                let items = self.reader.outbox_items(&seqs)?;
                let answer = if items.is_empty() { Answer::Accepted } else { self.centre.deliver(&items) };
                if let Some(update) = self.answered(seqs, answer) {
                    self.commit(update)?;
                }
            }
        }
        Ok(())
    }

    fn answered(&mut self, seqs: Vec<u64>, answer: Answer) -> Option<OutboxUpdate> {
        let trouble = (answer != Answer::Accepted).then(|| text(&answer));
        let (before, chance) = (self.scheduler.failures(), self.writer.machine().jitter());
        let update = self.scheduler.answered(seqs, answer, self.clock.since(self.start), chance);
        let failures = self.scheduler.failures();
        match (&trouble, before, failures) {
            (Some(trouble), 0, 1..) => ::log::warn!("upload waits: {trouble}"),
            (None, 1.., 0) => ::log::info!("upload goes on"),
            _ => {}
        }
        self.status.send_modify(|status| {
            status.failures = failures;
            status.trouble = trouble;
            match &update {
                Some(OutboxUpdate::Sent(rows)) => status.delivered += rows.len() as u64,
                Some(OutboxUpdate::Dead(rows, answer)) => {
                    status.refused += rows.len() as u64;
                    ::log::error!("the centre refused row {:?}: {answer}; see `checkpointd log outbox`", rows);
                }
                _ => {}
            }
        });
        update
    }

    fn commit(&self, update: OutboxUpdate) -> Result<(), Fault> {
        match self.writer.update_outbox(update).wait(DISK) {
            Written::Committed(_) => Ok(()),
            Written::Late => Err(Fault::Busy),
            Written::Failed(_) => Err(Fault::Closed),
        }
    }
}

fn text(answer: &Answer) -> String {
    match answer {
        Answer::Accepted => String::new(),
        Answer::Again(text) | Answer::Refused(text) => text.clone(),
    }
}
