//! Rows over MQTT 5 at quality of service 1, through the MQTT 5 client of `rumqttc-next`.
//!
//! | topic | retained | holds |
//! |---|---|---|
//! | `checkpoint/<post>/scan` | no | one scan row a message |
//! | `checkpoint/<post>/event` | no | one row of any other kind |
//! | `checkpoint/<post>/anchor` | yes | the newest signed head |
//! | `checkpoint/<post>/state` | yes | `{"state":"online",…}` from birth, `{"state":"offline",…}` from the last will |
//!
//! A centre that signs receipts hears `checkpoint/<post>/batch` and `…/health`, and answers on `…/receipt` (retained) and `…/later`
//! ([`super::receipts`]); the broker's acknowledgement then means nothing.
//!
//! Towards one that signs none, a batch is delivered when the broker has acknowledged each of its messages. After any failure the connection is made anew
//! and the batch is sent again: at least once, under the same ids.

use std::{
    fmt,
    time::{Duration, Instant},
};

use cache::{
    exchange::{Digest, batch::gunzip},
    outbox::Item,
};
use host::{
    clock::Clock,
    config::Receipts,
    peer::{self, PeerError},
};
use rumqttc::{
    Client, ClientBuildError, Connection, ConnectionError, Event, LastWill, Outgoing, Packet, PubAckReason,
    PublishOptions, QoS,
};

use super::{
    Centre, Options,
    receipts::{Errand, Reply},
    scheduler::Answer,
};

/// Pings on a quiet connection: the broker calls the last will after one and a half of these.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Between two looks for a broker that was lost while nothing is owed.
const AGAIN: Duration = Duration::from_secs(15);

/// A broker.
pub struct Broker {
    options: Options,
    clock: Clock,
    peer: peer::Broker,
    session: Option<Session>,
    /// When a lost broker is looked for although nothing is owed.
    look_again: Option<Instant>,
}

/// A message: topic, whether it is retained, payload.
type Message = (String, bool, Vec<u8>);

struct Session {
    client: Client,
    connection: Connection,
    clock: Clock,
}

/// Why a session ended.
enum Lost {
    Options(ClientBuildError),
    Connection(Box<ConnectionError>),
    Refused(PubAckReason),
    Timeout,
    Ended,
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Options(error) => write!(f, "{error}"),
            Self::Connection(error) => write!(f, "{error}"),
            Self::Refused(reason) => write!(f, "the broker answered {reason:?}"),
            Self::Timeout => f.write_str("no answer in time"),
            Self::Ended => f.write_str("the connection ended"),
        }
    }
}

impl Broker {
    /// Reads certificate and password; connects with the first batch.
    pub fn new(options: &Options, clock: Clock) -> Result<Broker, PeerError> {
        if options.post.is_empty() || options.post.contains(['/', '+', '#']) {
            return Err(PeerError::Url(options.url.clone()));
        }
        Ok(Broker {
            peer: peer::Broker::new(&options.peer())?,
            options: options.clone(),
            clock,
            session: None,
            look_again: None,
        })
    }

    fn topic(&self, last: &str) -> String {
        format!("{}/{}/{last}", self.options.topic, self.options.post)
    }

    fn state(&self, state: &str) -> String {
        let post = serde_json::to_string(&self.options.post).expect("a text always serialises");
        format!("{{\"state\":\"{state}\",\"post\":{post},\"version\":\"{}\"}}", host::BUILD)
    }

    /// Connects, waits for the broker's word, and says that we are here.
    fn connect(&mut self) -> Result<(), Lost> {
        let mut mqtt = self.peer.options(format!("checkpointd-{}", self.options.post), KEEP_ALIVE);
        mqtt.set_last_will(LastWill::new(self.topic("state"), self.state("offline"), QoS::AtLeastOnce, true, None));
        // Room for a batch, the birth and an anchor: `publish` must never block the thread that also drives the connection.
        let room = self.options.batch + 8;
        let (client, connection) = Client::builder(mqtt).capacity(room).try_build().map_err(Lost::Options)?;
        let mut session = Session { client, connection, clock: self.clock.clone() };
        let until = self.clock.now() + self.options.timeout;
        while !matches!(session.event(until)?, Event::Incoming(Packet::ConnAck(_))) {}
        session.publish(&[(self.topic("state"), true, self.state("online").into_bytes())], until)?;
        if self.options.receipts == Receipts::Signed {
            for last in ["receipt", "later"] {
                session.client.try_subscribe(self.topic(last), QoS::AtLeastOnce).map_err(|_| Lost::Ended)?;
            }
        }
        self.session = Some(session);
        Ok(())
    }

    fn send(&mut self, messages: &[Message]) -> Answer {
        if self.session.is_none()
            && let Err(lost) = self.connect()
        {
            return Answer::Again(format!("{}: {lost}", self.options.url));
        }
        let until = self.clock.now() + self.options.timeout;
        let outcome = match &mut self.session {
            Some(session) => session.publish(messages, until),
            None => Err(Lost::Ended),
        };
        match outcome {
            Ok(()) => Answer::Accepted,
            Err(lost) => {
                self.session = None;
                match lost {
                    Lost::Refused(PubAckReason::PayloadFormatInvalid) => Answer::Refused(lost.to_string()),
                    _ => Answer::Again(format!("{}: {lost}", self.options.url)),
                }
            }
        }
    }
}

impl Broker {
    /// Publishes, and waits for the centre's word about this very batch.
    fn exchanged(&mut self, errand: Errand, body: Vec<u8>) -> Result<Reply, Lost> {
        if self.session.is_none() {
            self.connect()?;
        }
        let (receipt, later) = (self.topic("receipt"), self.topic("later"));
        let topic = self.topic(if errand == Errand::Batch { "batch" } else { "health" });
        let digest = gunzip(&body).map(|batch| Digest::of(&batch).to_string()).unwrap_or_default();
        let until = self.clock.now() + self.options.timeout;
        let session = self.session.as_mut().ok_or(Lost::Ended)?;
        let options = PublishOptions::at_least_once();
        session.client.try_publish(topic, body, options).map_err(|_| Lost::Ended)?;
        loop {
            match session.event(until)? {
                Event::Incoming(Packet::PubAck(_)) if errand == Errand::Health => {
                    return Ok(Reply { status: 204, text: String::new(), retry_after: None });
                }
                Event::Incoming(Packet::Publish(message)) => {
                    let text = String::from_utf8_lossy(&message.payload).into_owned();
                    // A retained receipt may be of an earlier batch.
                    if message.topic == receipt.as_bytes() && text.lines().any(|line| line == digest) {
                        let status = if text.starts_with("checkpoint centre refused") { 422 } else { 200 };
                        return Ok(Reply { status, text, retry_after: None });
                    }
                    if message.topic == later.as_bytes() && errand == Errand::Batch {
                        let wait = text.split(' ').next().and_then(|seconds| seconds.parse().ok());
                        return Ok(Reply { status: 503, text, retry_after: wait.map(Duration::from_secs) });
                    }
                }
                Event::Incoming(Packet::Disconnect(_)) | Event::Outgoing(Outgoing::Disconnect) => {
                    return Err(Lost::Ended);
                }
                _ => {}
            }
        }
    }
}

impl Session {
    /// The next thing that happens on the connection.
    fn event(&mut self, until: Instant) -> Result<Event, Lost> {
        let left = until.saturating_duration_since(self.clock.now());
        match self.connection.recv_timeout(left) {
            Ok(Ok(event)) => Ok(event),
            Ok(Err(error)) => Err(Lost::Connection(Box::new(error))),
            Err(_) if self.clock.now() >= until => Err(Lost::Timeout),
            Err(_) => Err(Lost::Ended),
        }
    }

    /// Publishes all and waits until each is acknowledged.
    fn publish(&mut self, messages: &[Message], until: Instant) -> Result<(), Lost> {
        for (topic, retain, payload) in messages {
            let options = PublishOptions::at_least_once().retain(*retain);
            self.client.try_publish(topic.as_str(), payload.clone(), options).map_err(|_| Lost::Ended)?;
        }
        let mut waiting = messages.len();
        while waiting > 0 {
            match self.event(until)? {
                Event::Incoming(Packet::PubAck(ack)) => match ack.reason {
                    PubAckReason::Success | PubAckReason::NoMatchingSubscribers => waiting -= 1,
                    reason => return Err(Lost::Refused(reason)),
                },
                Event::Incoming(Packet::Disconnect(_)) | Event::Outgoing(Outgoing::Disconnect) => {
                    return Err(Lost::Ended);
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Centre for Broker {
    fn deliver(&mut self, items: &[Item]) -> Answer {
        let messages: Vec<_> = items
            .iter()
            .map(|item| {
                let topic = if item.body.contains("\"kind\":\"scan\"") { "scan" } else { "event" };
                (self.topic(topic), false, item.line(&self.options.post).into_bytes())
            })
            .collect();
        self.send(&messages)
    }

    fn anchor(&mut self, note: &str) -> Answer {
        self.send(&[(self.topic("anchor"), true, note.as_bytes().to_vec())])
    }

    fn exchange(&mut self, errand: Errand, body: Vec<u8>) -> Result<Reply, String> {
        let answered = self.exchanged(errand, body);
        if answered.is_err() {
            self.session = None;
        }
        answered.map_err(|lost| format!("{}: {lost}", self.options.url))
    }

    fn idle(&mut self, at_most: Duration) {
        let until = self.clock.now() + at_most;
        // Though nothing is owed, a post whose broker came back is `online` again soon.
        if self.session.is_none() && self.look_again.is_none_or(|at| at <= self.clock.now()) {
            self.look_again = Some(self.clock.now() + AGAIN);
            if let Err(lost) = self.connect() {
                ::log::debug!("{}: {lost}", self.options.url);
            }
        }
        while let Some(session) = &mut self.session {
            match session.event(until) {
                Ok(_) => {}
                Err(Lost::Timeout) => return,
                // The next batch connects again; between attempts the courier waits.
                Err(_) => self.session = None,
            }
        }
        std::thread::sleep(until.saturating_duration_since(self.clock.now()));
    }
}

/// An orderly goodbye: `offline` is said aloud, because a clean disconnect cancels the last will (MQTT 5 §3.14).
impl Drop for Broker {
    fn drop(&mut self) {
        let goodbye = (self.topic("state"), true, self.state("offline").into_bytes());
        if let Some(mut session) = self.session.take() {
            let until = self.clock.now() + Duration::from_secs(2);
            if session.publish(&[goodbye], until).is_ok() && session.client.try_disconnect().is_ok() {
                while session.event(until).is_ok_and(|event| event != Event::Outgoing(Outgoing::Disconnect)) {}
            }
        }
    }
}
