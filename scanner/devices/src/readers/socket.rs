//! A Unix socket of ours: any program of the installer's may send texts to it. Senders are served side by side, and none of them, silent or
//! talkative, keeps another from being heard.

use std::{
    fs, io,
    os::{
        fd::AsFd,
        unix::{
            fs::{FileTypeExt, PermissionsExt},
            net::{UnixListener, UnixStream},
        },
    },
    path::Path,
    time::Instant,
};

use super::{
    Listener, NOTICE,
    framing::{Framing, Piece, SILENCE, STOOD_STILL},
    watched,
};
use crate::moment;

/// Senders at once. One more takes the place of whoever has been silent the longest: a program that connects and says nothing must not
/// keep others out.
const MAX_SENDERS: usize = 32;
/// Bytes read from one sender before the next is looked at.
const AT_ONCE: usize = 4096;

/// One program that is connected.
struct Sender {
    stream: UnixStream,
    framing: Framing,
    heard: Instant,
}

/// What reading from a sender came to.
enum Read {
    /// It may say more.
    Open,
    /// It is gone.
    Gone,
}

/// Serves senders until the end, or until nobody listens.
pub(super) fn serve(path: &Path, listener: &Listener) -> io::Result<()> {
    // Left over from a daemon that was killed; anything but a socket is somebody else's and stays.
    if fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket()) {
        fs::remove_file(path)?;
    }
    let socket = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
    socket.set_nonblocking(true)?;
    let mut senders: Vec<Sender> = Vec::new();
    let mut looked = moment::now();
    let mut woken = None;
    while !listener.stopped() {
        let now = moment::now();
        let silent_in = senders.iter().filter_map(|sender| sender.framing.silent_in(now)).min();
        let files =
            std::iter::once(&socket as &dyn AsFd).chain(senders.iter().map(|sender| &sender.stream as &dyn AsFd));
        let ready = watched::ready(files, silent_in.unwrap_or(NOTICE).min(NOTICE))?;
        let now = moment::now();
        if now.saturating_duration_since(looked) >= STOOD_STILL {
            woken = Some(now);
        }
        looked = now;
        // The wait that has just ended may have ended before everything stood still: who came meanwhile is seen by the next one.
        let stood_still = woken.is_some_and(|woken| now.saturating_duration_since(woken) < SILENCE);
        let mut pieces = Vec::new();
        let mut can_be_read = ready[1..].iter();
        senders.retain_mut(|sender| match can_be_read.next() {
            Some(true) => matches!(sender.read(now, &mut pieces), Read::Open),
            _ => {
                sender.framing.look(now);
                pieces.extend(sender.framing.silence(now));
                true
            }
        });
        if ready[0] {
            accept(&socket, &mut senders, stood_still)?;
        }
        if !pieces.into_iter().all(|piece| listener.hand_over(piece)) {
            break;
        }
    }
    // A daemon that comes after this one may have put its own there meanwhile.
    drop(socket);
    fs::remove_file(path)
}

/// Lets everybody in who waits. What they sent while nobody looked has no known age.
fn accept(socket: &UnixListener, senders: &mut Vec<Sender>, stood_still: bool) -> io::Result<()> {
    loop {
        let stream = match socket.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        if senders.len() >= MAX_SENDERS
            && let Some((most_silent, _)) = senders.iter().enumerate().min_by_key(|(_, sender)| sender.heard)
        {
            senders.swap_remove(most_silent);
        }
        let now = moment::now();
        let mut framing = Framing::new(now);
        if stood_still {
            framing.distrust();
        }
        senders.push(Sender { stream, framing, heard: now });
    }
}

impl Sender {
    fn read(&mut self, now: Instant, pieces: &mut Vec<Piece>) -> Read {
        self.framing.look(now);
        let mut bytes = [0; AT_ONCE];
        match io::Read::read(&mut self.stream, &mut bytes) {
            Ok(0) => {
                pieces.extend(self.framing.finish());
                Read::Gone
            }
            Ok(count) => {
                self.heard = now;
                pieces.extend(bytes[..count].iter().filter_map(|byte| self.framing.take(*byte, now)));
                Read::Open
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Read::Open,
            Err(error) => {
                log::debug!("a sender of texts ended: {error}");
                Read::Gone
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
            mpsc::Receiver,
        },
        thread::{self, JoinHandle},
        time::Duration,
    };

    use super::*;
    use crate::readers::{EngineRead, tests::listener};

    const SOON: Duration = Duration::from_secs(20);

    struct Served {
        path: std::path::PathBuf,
        heard: Receiver<EngineRead>,
        stop: Arc<AtomicBool>,
        thread: Option<JoinHandle<io::Result<()>>>,
        _folder: tempfile::TempDir,
    }

    impl Served {
        fn begin() -> Served {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().join("codes");
            let (listener, heard) = listener(64);
            let (stop, there) = (Arc::clone(&listener.stop), path.clone());
            let thread = Some(thread::spawn(move || serve(&there, &listener)));
            Served { path, heard, stop, thread, _folder: folder }
        }

        fn connect(&self) -> UnixStream {
            loop {
                match UnixStream::connect(&self.path) {
                    Ok(stream) => return stream,
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
        }

        fn hears(&self) -> String {
            self.heard.recv_timeout(SOON).expect("heard").text()
        }

        fn end(mut self) {
            self.stop.store(true, Ordering::Relaxed);
            let thread = self.thread.take().expect("once");
            thread.join().expect("no panic").expect("an orderly end");
            assert!(!self.path.exists());
        }
    }

    #[test]
    fn senders_are_heard_side_by_side_though_one_of_them_says_nothing_and_the_socket_is_gone_at_the_end() {
        let served = Served::begin();
        let _silent = served.connect();
        let mut halting = served.connect();
        halting.write_all(b"MR1:H").expect("sent");
        for text in ["MR1:A", "MR1:B"] {
            let mut stream = served.connect();
            writeln!(stream, "{text}").expect("sent");
        }
        let mut heard = [served.hears(), served.hears(), served.hears()];
        heard.sort();
        assert_eq!(heard, ["MR1:A", "MR1:B", "MR1:H"], "what was left unfinished ended by silence");
        served.end();
    }

    #[test]
    fn what_a_sender_wrote_is_heard_although_it_left_at_once_without_ending_it() {
        let served = Served::begin();
        served.connect().write_all(b"MR1:A").expect("sent");
        assert_eq!(served.hears(), "MR1:A");
        served.end();
    }

    #[test]
    fn however_many_connect_and_say_nothing_the_next_one_is_heard_and_the_most_silent_loses_its_place() {
        let served = Served::begin();
        let mut idle: Vec<UnixStream> = (0..3 * MAX_SENDERS).map(|_| served.connect()).collect();
        let mut stream = served.connect();
        writeln!(stream, "MR1:A").expect("sent");
        assert_eq!(served.hears(), "MR1:A");
        idle[0].set_read_timeout(Some(SOON)).expect("set");
        assert!(matches!(idle[0].read(&mut [0]), Ok(0) | Err(_)), "the first one was closed");
        served.end();
    }
}
