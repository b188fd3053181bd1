//! The scan engines that installers own already: they read codes themselves and deliver texts.
//!
//! A text goes the same way as a symbol of a camera: same normaliser, same judge, same row, same gate. What an engine sends is as hostile
//! as what a lens sees, so a text is bounded, and what is longer is dropped whole. Each text carries the moment at which it came: an old
//! one is worth nothing, as an old picture is.

pub mod framing;
#[cfg(target_os = "linux")]
mod keyboard;
#[cfg(target_os = "linux")]
mod serial;
#[cfg(unix)]
mod socket;
pub mod tally;
#[cfg(unix)]
mod watched;

use std::{
    io,
    sync::{
        Arc,
        atomic::AtomicBool,
        mpsc::{Sender, SyncSender, TrySendError},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use host::config::ScanEngine;
use trustlist::verdict::Verdict;

use framing::{Ended, Fault, Piece};
use tally::{Outcome, Tally};

/// How soon a request to stop is noticed, and how often an engine that is gone is looked for.
const NOTICE: Duration = Duration::from_millis(200);
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// What an engine read.
#[derive(Debug)]
pub struct EngineRead {
    payload: Vec<u8>,
    arrived: Instant,
    answer: Option<Sender<bool>>,
    tally: Arc<Tally>,
}

impl EngineRead {
    /// What it sent, with whatever was around it.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// When its last byte came.
    #[must_use]
    pub fn arrived(&self) -> Instant {
        self.arrived
    }

    /// Where this engine's texts are counted.
    #[must_use]
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Answers an engine in host mode, which beeps as it is answered: well for an admission, badly for anything else, a text that gave no
    /// verdict included.
    pub fn answer(self, verdict: Option<Verdict>) {
        if let Some(answer) = self.answer {
            // The engine may have been unplugged meanwhile.
            let _ = answer.send(verdict == Some(Verdict::Admit));
        }
    }

    #[cfg(test)]
    fn text(&self) -> String {
        String::from_utf8(self.payload.clone()).expect("text")
    }
}

/// One engine that is listened to.
#[derive(Debug)]
pub struct Engine {
    /// The thread that listens.
    pub thread: JoinHandle<()>,
    /// What came of its texts.
    pub tally: Arc<Tally>,
}

/// Listens to one engine on a thread of its own until `stop` is set or nobody takes texts. An engine that is unplugged is looked for again.
///
/// # Errors
/// When the system gives no thread.
pub fn listen(reader: ScanEngine, texts: SyncSender<EngineRead>, stop: Arc<AtomicBool>) -> io::Result<Engine> {
    let tally = Arc::new(Tally::of(name(&reader)));
    let listener = Listener { texts, stop, answer: None, tally: Arc::clone(&tally) };
    let thread = thread::Builder::new().name("reader".to_owned()).spawn(move || listener.keep_listening(&reader))?;
    Ok(Engine { thread, tally })
}

fn name(reader: &ScanEngine) -> String {
    match reader {
        ScanEngine::Keyboard(path) => format!("keyboard {}", path.display()),
        ScanEngine::Socket(path) => format!("socket {}", path.display()),
        ScanEngine::Serial { port, baud, .. } => format!("serial {} at {baud} baud", port.display()),
        ScanEngine::Stdin => "standard input".to_owned(),
    }
}

/// Where texts go, and until when.
#[derive(Clone)]
struct Listener {
    texts: SyncSender<EngineRead>,
    stop: Arc<AtomicBool>,
    /// For an engine that wants to hear what came of its texts.
    answer: Option<Sender<bool>>,
    tally: Arc<Tally>,
}

impl Listener {
    fn keep_listening(&self, reader: &ScanEngine) {
        let name = self.tally.name();
        let mut told = false;
        while !self.stopped() {
            let ended = match reader {
                #[cfg(unix)]
                ScanEngine::Stdin => {
                    let ended = watched::texts(watched::Watched(rustix::stdio::stdin()), self);
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
                ScanEngine::Socket(_) | ScanEngine::Stdin => Err(io::Error::from(io::ErrorKind::Unsupported)),
            };
            match ended {
                Ok(()) => told = false,
                Err(error) if !told => {
                    log::error!("{name} cannot be read: {error}; it is looked for again");
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
    fn hand_over(&self, piece: Piece) -> bool {
        let Piece { bytes, arrived, ended, fault } = piece;
        let heard = EngineRead { payload: bytes, arrived, answer: self.answer.clone(), tally: Arc::clone(&self.tally) };
        if let Some(fault) = fault {
            self.tally.count(match fault {
                Fault::Old => Outcome::Old,
                Fault::TooLong => Outcome::TooLong,
            });
            heard.answer(None);
            return true;
        }
        if ended == Ended::Silence {
            self.tally.count_without_suffix();
        }
        match self.texts.try_send(heard) {
            Ok(()) => true,
            Err(TrySendError::Full(lost)) => {
                self.tally.count(Outcome::Crowded);
                lost.answer(None);
                true
            }
            Err(TrySendError::Disconnected(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{self, Receiver};

    use super::*;

    /// A lane's side of an engine, with room for so many texts.
    pub(super) fn listener(room: usize) -> (Listener, Receiver<EngineRead>) {
        let (texts, heard) = mpsc::sync_channel(room);
        let tally = Arc::new(Tally::of("an engine".to_owned()));
        (Listener { texts, stop: Arc::default(), answer: None, tally }, heard)
    }

    #[test]
    fn a_text_that_is_dropped_is_counted_by_its_cause_and_its_engine_hears_a_no() {
        let (mut listener, heard) = listener(1);
        let (answer, answers) = mpsc::channel();
        listener.answer = Some(answer);
        let piece = |fault, ended| Piece { bytes: b"MR1:A".to_vec(), arrived: Instant::now(), ended, fault };
        assert!(listener.hand_over(piece(None, Ended::Silence)));
        assert!(listener.hand_over(piece(None, Ended::Suffix)), "there is no room for it");
        assert!(listener.hand_over(piece(Some(Fault::Old), Ended::Suffix)));
        assert!(listener.hand_over(piece(Some(Fault::TooLong), Ended::Suffix)));
        assert_eq!(answers.try_iter().collect::<Vec<_>>(), [false; 3]);
        let counted =
            [Outcome::Crowded, Outcome::Old, Outcome::TooLong].map(|outcome| listener.tally.of_outcome(outcome));
        assert_eq!((counted, listener.tally.without_suffix()), ([1; 3], 1));
        drop(heard);
        assert!(!listener.hand_over(piece(None, Ended::Suffix)), "there is no lane any more");
    }
}
