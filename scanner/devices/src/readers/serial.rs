//! An engine on a serial port: 8 data bits, no parity, one stop bit. In host mode it is told what came of each code.

use std::{
    io::{self, Read, Write},
    path::Path,
    sync::mpsc::{self, Receiver},
    thread,
    time::Duration,
};

use host::config::Host;
use serialport::SerialPort;

use super::{
    Listener, NOTICE,
    watched::{self, Source},
};

/// A port, which can wait by itself.
struct Port(Box<dyn SerialPort>);

impl Source for Port {
    fn read(&mut self, bytes: &mut [u8], at_most: Duration) -> io::Result<Option<usize>> {
        // Zero would be no wait at all, and this a loop that spins.
        self.0.set_timeout(at_most.max(Duration::from_millis(1))).map_err(io::Error::from)?;
        match self.0.read(bytes) {
            Ok(count) => Ok(Some(count)),
            Err(error) => match error.kind() {
                io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
                _ => Err(error),
            },
        }
    }
}

/// Reads until it is unplugged.
pub(super) fn read(port: &Path, baud: u32, host: Option<&Host>, listener: &Listener) -> io::Result<()> {
    let name = port.to_str().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let port = serialport::new(name, baud).timeout(NOTICE).open().map_err(io::Error::from)?;
    let Some(host) = host.cloned() else { return watched::texts(Port(port), listener) };
    let (answer, answers) = mpsc::channel();
    let way_back = port.try_clone().map_err(io::Error::from)?;
    // A thread of its own: the lane must not wait for an engine whose cable is half out.
    let answering = thread::Builder::new().name("answers".to_owned()).spawn(move || give(&answers, &host, way_back))?;
    let listener = Listener { answer: Some(answer), ..listener.clone() };
    let ended = watched::texts(Port(port), &listener);
    drop(listener);
    if answering.join().is_err() {
        log::error!("the thread that answers a scan engine panicked");
    }
    ended
}

/// Gives answers until nobody can ask for one any more.
fn give(answers: &Receiver<bool>, host: &Host, mut engine: impl Write) {
    for admitted in answers {
        let bytes = if admitted { &host.accept } else { &host.reject };
        if let Err(error) = engine.write_all(bytes).and_then(|()| engine.flush()) {
            log::warn!("a scan engine does not take the answer: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, path::PathBuf, sync::mpsc::RecvTimeoutError};

    use serialport::{SerialPort, TTYPort};
    use trustlist::verdict::Verdict;

    use super::*;
    use crate::readers::{EngineRead, tally::Outcome, tests::listener};

    const SOON: Duration = Duration::from_secs(20);

    /// A pseudo terminal: the engine holds one end, the daemon opens the other by its name.
    fn cable() -> (TTYPort, TTYPort, PathBuf) {
        let (mut engine, other) = TTYPort::pair().expect("a pseudo terminal");
        engine.set_timeout(SOON).expect("set");
        let port = PathBuf::from(other.name().expect("a name"));
        (engine, other, port)
    }

    #[test]
    fn an_engine_in_host_mode_hears_of_each_code_what_came_of_it_and_its_end_is_noticed() {
        let (mut engine, other, port) = cable();
        let (listener, heard) = listener(4);
        let host = Host { accept: vec![0x06], reject: vec![0x15, 0x0d] };
        let daemon = thread::spawn(move || read(&port, 9600, Some(&host), &listener));
        let mut told = |text: &str, verdict: Option<Verdict>, hears: &[u8]| {
            engine.write_all(format!("{text}\r\n").as_bytes()).expect("sent");
            let read: EngineRead = heard.recv_timeout(SOON).expect("heard");
            assert_eq!(read.text(), text);
            read.answer(verdict);
            let mut answer = vec![0; hears.len()];
            engine.read_exact(&mut answer).expect("answered");
            assert_eq!(answer, hears, "{text}");
        };
        told("MR1:A", Some(Verdict::Admit), &[0x06]);
        told("MR1:B", Some(Verdict::Refer), &[0x15, 0x0d]);
        told("MR1:C", Some(Verdict::Refuse), &[0x15, 0x0d]);
        told("a bus ticket", None, &[0x15, 0x0d]);
        told("MR1:D", Some(Verdict::Admit), &[0x06]);
        drop((engine, other));
        daemon.join().expect("no panic").expect_err("unplugged");
    }

    #[test]
    fn an_engine_is_understood_with_every_suffix_and_without_one_and_travellers_are_never_glued_together() {
        let (mut engine, other, port) = cable();
        let (listener, heard) = listener(64);
        let tally = listener.tally.clone();
        let daemon = thread::spawn(move || read(&port, 115_200, None, &listener));
        let framings: [(&str, &str); 8] = [
            ("", "\r"),
            ("", "\n"),
            ("", "\r\n"),
            ("", "\t"),
            ("\u{2}", "\u{3}"),
            ("\u{2}", "\u{3}\r\n"),
            ("", "\0"),
            ("", ""),
        ];
        for (before, after) in framings {
            // The longest code there is takes several reads.
            for traveller in ["A".repeat(4000), "B".repeat(300)] {
                engine.write_all(format!("{before}{traveller}{after}").as_bytes()).expect("sent");
                let text = heard.recv_timeout(SOON).expect("heard").text();
                assert!(text == traveller, "{before:?} {after:?}: {} of {} bytes", text.len(), traveller.len());
            }
        }
        assert_eq!(
            heard.recv_timeout(Duration::from_millis(300)).map(drop),
            Err(RecvTimeoutError::Timeout),
            "each once"
        );
        assert_eq!((tally.without_suffix(), tally.of_outcome(Outcome::TooLong)), (2, 0));
        drop((engine, other));
        daemon.join().expect("no panic").expect_err("unplugged");
    }
}
