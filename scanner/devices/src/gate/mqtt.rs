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

use super::{Move, Mover};

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
    desk: Arc<Desk>,
    thread: Option<JoinHandle<()>>,
}

struct Desk {
    topic: String,
    words: [String; 2],
    timeout: Duration,
    end: AtomicBool,
    on_it: Mutex<OnIt>,
}

struct OnIt {
    wanted: Option<Move>,
    client: Option<Client>,
    /// Words the broker has not acknowledged yet, and since when.
    unanswered: usize,
    since: Instant,
    trouble: Option<String>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk({})", self.topic)
    }
}

impl Desk {
    fn lock(&self) -> MutexGuard<'_, OnIt> {
        self.on_it.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn word(&self, to: Move) -> &str {
        let [open, close] = &self.words;
        match to {
            Move::Open => open,
            Move::Close => close,
        }
    }

    /// Publishes the newest word, if there is a connection.
    fn publish(&self, on_it: &mut OnIt) {
        let (Some(client), Some(to)) = (&on_it.client, on_it.wanted) else { return };
        match client.try_publish(self.topic.as_str(), self.word(to), PublishOptions::at_least_once()) {
            Ok(()) => {
                if on_it.unanswered == 0 {
                    on_it.since = Instant::now();
                }
                on_it.unanswered += 1;
            }
            // The thread is about to notice the same.
            Err(error) => on_it.trouble = Some(error.to_string()),
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
        let desk = Arc::new(Desk {
            topic: settings.topic.clone(),
            words: [settings.open_word.clone(), settings.close_word.clone()],
            timeout: settings.timeout,
            end: AtomicBool::new(false),
            on_it: Mutex::new(OnIt { wanted: None, client: None, unanswered: 0, since: Instant::now(), trouble: None }),
        });
        let mut options = broker.options(format!("checkpointd-gate-{post}"), KEEP_ALIVE);
        let will = desk.word(Move::Close).to_owned();
        options.set_last_will(LastWill::new(desk.topic.clone(), will, QoS::AtLeastOnce, false, None));
        let (there, url) = (Arc::clone(&desk), peer.url.clone());
        let thread = thread::Builder::new()
            .name("gate".to_owned())
            .spawn(move || keep(&there, &options, &url))
            .expect("a thread for the gate's broker");
        Ok(Topic { desk, thread: Some(thread) })
    }
}

impl Mover for Topic {
    fn drive(&mut self, to: Move) {
        let mut on_it = self.desk.lock();
        on_it.wanted = Some(to);
        self.desk.publish(&mut on_it);
    }

    fn tend(&mut self) -> Option<String> {
        self.desk.lock().trouble.clone()
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        self.desk.end.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread of the gate's broker panicked");
        }
    }
}

/// One connection after another until the end.
fn keep(desk: &Desk, options: &MqttOptions, url: &str) {
    while !desk.end.load(Ordering::Relaxed) {
        // A new one each time: nothing of an earlier connection is sent again.
        let lost = match Client::builder(options.clone()).capacity(ON_THE_WAY).try_build() {
            Ok((client, mut connection)) => serve(desk, client, &mut connection),
            Err(error) => Err(error.to_string()),
        };
        let mut on_it = desk.lock();
        (on_it.client, on_it.unanswered) = (None, 0);
        let Err(why) = lost else { return };
        on_it.trouble = Some(format!("{url}: {why}"));
        drop(on_it);
        let until = Instant::now() + AGAIN;
        while Instant::now() < until && !desk.end.load(Ordering::Relaxed) {
            thread::sleep(NOTICE);
        }
    }
}

/// Serves one connection until it is lost, or the end has come and everything is acknowledged.
fn serve(desk: &Desk, client: Client, connection: &mut Connection) -> Result<(), String> {
    let began = Instant::now();
    let mut client = Some(client);
    loop {
        let event = match connection.recv_timeout(NOTICE) {
            Ok(event) => Some(event.map_err(|error| error.to_string())?),
            Err(_) => None,
        };
        let mut on_it = desk.lock();
        match event {
            Some(Event::Incoming(Packet::ConnAck(_))) => {
                on_it.client = client.take();
                desk.publish(&mut on_it);
            }
            Some(Event::Incoming(Packet::PubAck(ack))) => {
                on_it.unanswered = on_it.unanswered.saturating_sub(1);
                on_it.since = Instant::now();
                on_it.trouble = match ack.reason {
                    PubAckReason::Success => None,
                    PubAckReason::NoMatchingSubscribers => Some(format!("nobody listens to {}", desk.topic)),
                    reason => return Err(format!("the broker answered {reason:?}")),
                };
            }
            Some(Event::Incoming(Packet::Disconnect(_)) | Event::Outgoing(Outgoing::Disconnect)) => {
                return if desk.end.load(Ordering::Relaxed) { Ok(()) } else { Err("the broker hung up".to_owned()) };
            }
            _ => (),
        }
        let waits = client.is_some().then_some(began).or((on_it.unanswered > 0).then_some(on_it.since));
        match waits {
            Some(since) if since.elapsed() > desk.timeout => return Err("no answer in time".to_owned()),
            None if desk.end.load(Ordering::Relaxed) => {
                // In order, so that the will is not called: the last word was said already.
                let Some(client) = on_it.client.take() else { continue };
                client.try_disconnect().map_err(|error| error.to_string())?;
            }
            _ => (),
        }
    }
}
