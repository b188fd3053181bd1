//! A gate behind a controller that takes HTTP requests, on a thread of its own: the lane hands over a word and goes on.
//!
//! The newest word wins. One request is under way at a time, so that an `open` can never overtake the `close` after it; one that failed is
//! tried again for as long as nothing newer was said. A controller must close by itself when it hears nothing: no request reaches it from
//! a daemon that was killed.

use std::{
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use data_encoding::BASE64;
use host::{
    config,
    peer::{Peer, PeerError},
};
use ureq::Agent;

use super::{GateDriver, GateMove};

/// Where the word goes in an address that has this in it; an address without it is posted to.
const PLACE: &str = "{}";
/// Pause before a request that failed is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// What is kept of an answer that says no.
const ANSWER: u64 = 200;

/// The controller, on the lane's side.
#[derive(Debug)]
pub struct Controller {
    mailbox: Arc<Mailbox>,
    thread: Option<JoinHandle<()>>,
}

/// Where words lie until the thread takes them.
#[derive(Debug, Default)]
struct Mailbox {
    state: Mutex<MailboxState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct MailboxState {
    wanted: Option<GateMove>,
    end: bool,
    trouble: Option<String>,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, MailboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest word, or `failed` again after a pause; `None` at the end.
    fn next(&self, failed: Option<GateMove>) -> Option<GateMove> {
        let mut mailbox = self.lock();
        let mut rested = false;
        loop {
            if let Some(to) = mailbox.wanted.take() {
                return Some(to);
            }
            if mailbox.end {
                return None;
            }
            if failed.is_some() && rested {
                return failed;
            }
            let (woken, slept) = self.changed.wait_timeout(mailbox, AGAIN).unwrap_or_else(PoisonError::into_inner);
            (mailbox, rested) = (woken, slept.timed_out());
        }
    }
}

impl Controller {
    /// Reads certificate and secret; the first request is the first word's.
    ///
    /// # Errors
    /// When one of them cannot be used, or there is no thread to be had.
    pub fn new(settings: &config::Gate, peer: &Peer) -> Result<Controller, PeerError> {
        let secret = peer.read_secret()?;
        let authorization = match (&peer.user, secret) {
            // RFC 7617 §2.
            (Some(user), secret) => {
                let login = format!("{user}:{}", secret.unwrap_or_default());
                Some(format!("Basic {}", BASE64.encode(login.as_bytes())))
            }
            (None, Some(token)) => Some(format!("Bearer {token}")),
            (None, None) => None,
        };
        let requests = Requests {
            agent: peer.agent()?,
            url: peer.url.clone(),
            words: [settings.open_word.clone(), settings.close_word.clone()],
            authorization,
        };
        let mailbox = Arc::<Mailbox>::default();
        let there = Arc::clone(&mailbox);
        let thread = thread::Builder::new().name("gate".to_owned()).spawn(move || {
            let mut failed = None;
            while let Some(to) = there.next(failed) {
                let trouble = requests.send(to).err();
                failed = trouble.is_some().then_some(to);
                there.lock().trouble = trouble;
            }
        });
        Ok(Controller { mailbox, thread: Some(thread.expect("a thread for the gate's controller")) })
    }
}

impl GateDriver for Controller {
    fn drive(&mut self, to: GateMove) {
        self.mailbox.lock().wanted = Some(to);
        self.mailbox.changed.notify_one();
    }

    fn tend(&mut self) -> Option<String> {
        self.mailbox.lock().trouble.clone()
    }
}

/// What was said last is still carried out, for at most the time a request may take.
impl Drop for Controller {
    fn drop(&mut self) {
        self.mailbox.lock().end = true;
        self.mailbox.changed.notify_one();
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            log::error!("the thread of the gate's controller panicked");
        }
    }
}

struct Requests {
    agent: Agent,
    url: String,
    words: [String; 2],
    authorization: Option<String>,
}

impl Requests {
    fn send(&self, to: GateMove) -> Result<(), String> {
        let [open, close] = &self.words;
        let word = match to {
            GateMove::Open => open,
            GateMove::Close => close,
        };
        let agent = format!("checkpointd/{}", host::BUILD);
        let answer = if self.url.contains(PLACE) {
            let mut request = self.agent.get(self.url.replace(PLACE, word)).header("user-agent", &agent);
            if let Some(authorization) = &self.authorization {
                request = request.header("authorization", authorization);
            }
            request.call()
        } else {
            let mut request = self.agent.post(&self.url).header("user-agent", &agent).content_type("text/plain");
            if let Some(authorization) = &self.authorization {
                request = request.header("authorization", authorization);
            }
            request.send(word.as_str())
        };
        let said = |what: &str| format!("{}: {what}", self.url);
        let mut answer = answer.map_err(|error| said(&error.to_string()))?;
        let status = answer.status();
        // Read to its end either way: the connection is kept for the next word.
        let text = answer.body_mut().with_config().limit(ANSWER).read_to_string().unwrap_or_default();
        if status.is_success() { Ok(()) } else { Err(said(format!("{status} {}", text.trim()).trim())) }
    }
}
