//! The scan engines that installers own already: they read codes themselves and deliver texts, a line each.
//!
//! A text goes the same way as a symbol of a camera: same judge, same row, same gate. What an engine sends is as hostile as what a lens
//! sees, so a line is bounded, and what is longer is dropped whole.

#[cfg(target_os = "linux")]
mod keyboard;
mod lines;
#[cfg(target_os = "linux")]
mod serial;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod watched;

use std::{
    io,
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{Sender, SyncSender},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use host::config::ScanEngine;
use trustlist::verdict::Verdict;

/// Longest text: the largest symbol's.
pub const MAX_TEXT: usize = 4296;
/// How soon a request to stop is noticed, and how often an engine that is gone is looked for.
const NOTICE: Duration = Duration::from_millis(200);
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What an engine read.
#[derive(Debug)]
pub struct EngineRead {
    text: String,
    answer: Option<Sender<bool>>,
}

impl EngineRead {
    /// Its text, and whoever wants to hear what came of it.
    #[must_use]
    pub fn apart(self) -> (String, HostReply) {
        (self.text, HostReply(self.answer))
    }
}

/// An engine in host mode, if the text came from one: it beeps as it is answered.
#[derive(Debug)]
pub struct HostReply(Option<Sender<bool>>);

impl HostReply {
    /// Answers: well for an admission, badly for anything else, a text that gave no verdict included.
    pub fn answer(self, verdict: Option<Verdict>) {
        if let Some(answer) = self.0 {
            // The engine may have been unplugged meanwhile.
            let _ = answer.send(verdict == Some(Verdict::Admit));
        }
    }
}

/// Listens to one engine on a thread of its own until `stop` is set or nobody takes texts. An engine that is unplugged is looked for again.
///
/// # Errors
/// When the system gives no thread.
pub fn listen(reader: ScanEngine, texts: SyncSender<EngineRead>, stop: Arc<AtomicBool>) -> io::Result<JoinHandle<()>> {
    let listener = Listener { texts, stop, answer: None };
    thread::Builder::new().name("reader".to_owned()).spawn(move || listener.keep_listening(&reader))
}

/// Where texts go, and until when.
#[derive(Clone)]
struct Listener {
    texts: SyncSender<EngineRead>,
    stop: Arc<AtomicBool>,
    /// For an engine that wants to hear what came of its texts.
    answer: Option<Sender<bool>>,
}

impl Listener {
    fn keep_listening(&self, reader: &ScanEngine) {
        let name = match reader {
            ScanEngine::Keyboard(path) | ScanEngine::Socket(path) => path.display().to_string(),
            ScanEngine::Serial { port, baud, .. } => format!("{} at {baud} baud", port.display()),
            ScanEngine::Stdin => "standard input".to_owned(),
        };
        let mut told = false;
        while !self.stopped() {
            let ended = match reader {
                ScanEngine::Stdin => {
                    #[cfg(unix)]
                    let input = watched::Watched(rustix::stdio::stdin());
                    #[cfg(not(unix))]
                    let input = io::stdin().lock();
                    let ended = lines::read(input, self);
                    log::info!("{name} has ended");
                    match ended {
                        Ok(()) => return,
                        Err(error) => Err(error),
                    }
                }
                #[cfg(unix)]
                ScanEngine::Socket(path) => socket::serve(path, self),
                #[cfg(target_os = "linux")]
                ScanEngine::Serial { port, baud, host } => serial::read(port, *baud, host.as_ref(), self),
                #[cfg(target_os = "linux")]
                ScanEngine::Keyboard(path) => keyboard::read(path, self),
                #[cfg(not(target_os = "linux"))]
                ScanEngine::Keyboard(_) | ScanEngine::Serial { .. } => Err(io::Error::from(io::ErrorKind::Unsupported)),
                #[cfg(not(unix))]
                ScanEngine::Socket(_) => Err(io::Error::from(io::ErrorKind::Unsupported)),
            };
            match ended {
                Ok(()) => told = false,
                Err(error) if !told => {
                    log::error!("the scan engine at {name} cannot be read: {error}; it is looked for again");
                    told = true;
                }
                Err(_) => (),
            }
            self.pause();
        }
    }

    /// Until it is time to look again, or to stop.
    fn pause(&self) {
        let mut left = LOOK_AGAIN;
        while !self.stopped() && !left.is_zero() {
            thread::sleep(NOTICE);
            left = left.saturating_sub(NOTICE);
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Hands a text over. A lane that does not keep up loses it: an old code is worth nothing. `false` when there is no lane any more.
    fn hand_over(&self, text: String) -> bool {
        use std::sync::mpsc::TrySendError;
        match self.texts.try_send(EngineRead { text, answer: self.answer.clone() }) {
            Ok(()) => true,
            Err(TrySendError::Full(lost)) => {
                lost.apart().1.answer(None);
                log::warn!("a scan engine sends faster than the lane takes; a text was dropped");
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}
