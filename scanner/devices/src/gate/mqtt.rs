//! A gate whose controller listens to an MQTT 5 broker. The lane hands over a word and goes on; a thread keeps the connection.
//!
//! Words go at quality of service 1 and are never retained: a controller that comes back must not find an old `open`. Nothing is queued
//! while there is no connection, and each connection begins with the newest word alone. The broker holds `close` as our last will, so a
//! daemon that is killed or unplugged closes its gate all the same.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use host::{
    config,
    peer::{self, Peer, PeerError},
};
use rumqttc::{Client, Connection, Event, LastWill, MqttOptions, Outgoing, Packet, PubAckReason, PublishOptions, QoS};

use super::{GateDriver, GateMove};
use crate::moment;

/// The broker calls our last will after one and a half of these without a word.
const KEEP_ALIVE: Duration = Duration::from_secs(5);
/// How soon an end and an overdue answer are noticed.
const NOTICE: Duration = Duration::from_millis(50);
/// Pause between two attempts to connect.
const AGAIN: Duration = Duration::from_secs(1);
/// Words that may be on their way to the broker.
const ON_THE_WAY: usize = 32;

/// The controller's topic, on the lane's side.
#[derive(Debug)]
pub struct Topic {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
}

struct Mailbox {
    topic: String,
    words: [String; 2],
    timeout: Duration,
    end: AtomicBool,
    state: Mutex<MailboxState>,
}

struct MailboxState {
    wanted: Option<GateMove>,
    client: Option<Client>,
    /// Words the broker has not acknowledged yet, and since when.
    unanswered: usize,
    since: Instant,
    trouble: Option<String>,
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({})", self.topic)
    }
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, MailboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn word(&self, to: GateMove) -> &str {
        let [open, close] = &self.words;
        match to {
            GateMove::Open => open,
            GateMove::Close => close,
        }
    }

    /// Publishes the newest word, if there is a connection.
    fn publish(&self, state: &mut MailboxState) {
        let (Some(client), Some(to)) = (&state.client, state.wanted) else { return };
        match client.try_publish(self.topic.as_str(), self.word(to), PublishOptions::at_least_once()) {
            Ok(()) => {
                if state.unanswered == 0 {
                    state.since = moment::now();
                }
                state.unanswered += 1;
            }
            // The thread is about to notice the same.
            Err(error) => state.trouble = Some(error.to_string()),
        }
    }
}

impl Topic {
    /// Reads certificate and password, and begins to connect. `post` names this checkpoint and lane to the broker.
    ///
    /// # Errors
    /// When one of them cannot be used.
    pub fn new(post: &str, settings: &config::Gate, peer: &Peer) -> Result<Topic, PeerError> {
        let broker = peer::Broker::new(peer)?;
        let mailbox = Arc::new(Mailbox {
            topic: settings.topic.clone(),
            words: [settings.open_word.clone(), settings.close_word.clone()],
            timeout: settings.timeout,
            end: AtomicBool::new(false),
            state: Mutex::new(MailboxState {
                wanted: None,
                client: None,
                unanswered: 0,
                since: moment::now(),
                trouble: None,
            }),
        });
        let mut options = broker.options(format!("checkpointd-gate-{post}"), KEEP_ALIVE);
        let will = mailbox.word(GateMove::Close).to_owned();
        options.set_last_will(LastWill::new(mailbox.topic.clone(), will, QoS::AtLeastOnce, false, None));
        let (there, url) = (Arc::clone(&mailbox), peer.url.clone());
        let thread = thread::Builder::new()
            .name("gate".to_owned())
            .spawn(move || keep(&there, &options, &url))
            .expect("a thread for the gate's broker");
        Ok(Topic { mailbox, thread: Some(thread) })
    }
}

impl GateDriver for Topic {
    fn drive(&mut self, to: GateMove) {
        let mut state = self.mailbox.lock();
        state.wanted = Some(to);
        self.mailbox.publish(&mut state);
    }

    fn tend(&mut self) -> Option<String> {
        self.mailbox.lock().trouble.clone()
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.mailbox.end.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread of the gate's broker panicked");
        }
    }
}

/// One connection after another until the end.
fn keep(mailbox: &Mailbox, options: &MqttOptions, url: &str) {
    while !mailbox.end.load(Ordering::Relaxed) {
        // A new one each time: nothing of an earlier connection is sent again.
        let lost = match Client::builder(options.clone()).capacity(ON_THE_WAY).try_build() {
            Ok((client, mut connection)) => serve(mailbox, client, &mut connection),
            Err(error) => Err(error.to_string()),
        };
        let mut state = mailbox.lock();
        (state.client, state.unanswered) = (None, 0);
        let Err(why) = lost else { return };
        state.trouble = Some(format!("{url}: {why}"));
        drop(state);
        let until = moment::now() + AGAIN;
        while moment::now() < until && !mailbox.end.load(Ordering::Relaxed) {
            thread::sleep(NOTICE);
        }
    }
}

/// Serves one connection until it is lost, or the end has come and everything is acknowledged.
fn serve(mailbox: &Mailbox, client: Client, connection: &mut Connection) -> Result<(), String> {
    let began = moment::now();
    let mut client = Some(client);
    loop {
        let event = match connection.recv_timeout(NOTICE) {
            Ok(event) => Some(event.map_err(|error| error.to_string())?),
            Err(_) => None,
        };
        let mut state = mailbox.lock();
        match event {
            Some(Event::Incoming(Packet::ConnAck(_))) => {
                state.client = client.take();
                mailbox.publish(&mut state);
            }
            Some(Event::Incoming(Packet::PubAck(ack))) => {
                state.unanswered = state.unanswered.saturating_sub(1);
                state.since = moment::now();
                state.trouble = match ack.reason {
                    PubAckReason::Success => None,
                    PubAckReason::NoMatchingSubscribers => Some(format!("nobody listens to {}", mailbox.topic)),
                    reason => return Err(format!("the broker answered {reason:?}")),
                };
            }
            Some(Event::Incoming(Packet::Disconnect(_)) | Event::Outgoing(Outgoing::Disconnect)) => {
                return if mailbox.end.load(Ordering::Relaxed) { Ok(()) } else { Err("the broker hung up".to_owned()) };
            }
            _ => (),
        }
        let waits = client.is_some().then_some(began).or((state.unanswered > 0).then_some(state.since));
        match waits {
            Some(since) if moment::now().saturating_duration_since(since) > mailbox.timeout => {
                return Err("no answer in time".to_owned());
            }
            None if mailbox.end.load(Ordering::Relaxed) => {
                // In order, so that the will is not called: the last word was said already.
                let Some(client) = state.client.take() else { continue };
                client.try_disconnect().map_err(|error| error.to_string())?;
            }
            _ => (),
        }
    }
}
