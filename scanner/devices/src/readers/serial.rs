//! An engine on a serial port: 8 data bits, no parity, one stop bit. In host mode it is told what came of each code.

use std::{
    io::{self, Write},
    path::Path,
    sync::mpsc::{self, Receiver},
    thread,
};

use host::config::Host;

use super::{Listener, NOTICE, lines};

/// Reads until it is unplugged.
pub(super) fn read(port: &Path, baud: u32, host: Option<&Host>, listener: &Listener) -> io::Result<()> {
    let name = port.to_str().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let port = serialport::new(name, baud).timeout(NOTICE).open().map_err(io::Error::from)?;
    let Some(host) = host.cloned() else { return lines::read(port, listener) };
    let (answer, answers) = mpsc::channel();
    let way_back = port.try_clone().map_err(io::Error::from)?;
    // A thread of its own: the lane must not wait for an engine whose cable is half out.
    let answering = thread::Builder::new().name("answers".to_owned()).spawn(move || give(&answers, &host, way_back))?;
    let listener = Listener { answer: Some(answer), ..listener.clone() };
    let ended = lines::read(port, &listener);
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
    use std::{
        io::Read,
        path::PathBuf,
        sync::{Arc, atomic::AtomicBool},
        time::Duration,
    };

    use serialport::{SerialPort, TTYPort};
    use trustlist::verdict::Verdict;

    use super::*;

    #[test]
    fn an_engine_in_host_mode_hears_of_each_code_what_came_of_it_and_its_end_is_noticed() {
        // A pseudo terminal: the engine holds one end, the daemon opens the other by its name.
        let (mut engine, other) = TTYPort::pair().expect("a pseudo terminal");
        engine.set_timeout(Duration::from_secs(20)).expect("set");
        let port = PathBuf::from(other.name().expect("a name"));
        let (texts, heard) = mpsc::sync_channel(4);
        let listener = Listener { texts, stop: Arc::<AtomicBool>::default(), answer: None };
        let host = Host { accept: vec![0x06], reject: vec![0x15, 0x0d] };
        let daemon = thread::spawn(move || read(&port, 9600, Some(&host), &listener));
        let mut told = |text: &str, verdict: Option<Verdict>, hears: &[u8]| {
            engine.write_all(format!("{text}\r\n").as_bytes()).expect("sent");
            let (read, asker) = heard.recv_timeout(Duration::from_secs(20)).expect("heard").apart();
            assert_eq!(read, text);
            asker.answer(verdict);
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
}
