//! A gate driver: a barrier that is told `open` or `close`, a word a line, through a device file (a serial line, a named pipe).
//!
//!     cargo run --package tests --example gate_driver -- /dev/ttyUSB0
//!
//! A driver that is to be chosen by name in the configuration is a file in `scanner/devices/src/gate/`; CONTRIBUTING.md has the walk.

use std::{
    fmt,
    fs::OpenOptions,
    io::Write,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

use devices::gate::{Gate, GateDriver, GateMove, Hold};

/// The barrier's line. A lane waits for nobody, so the words are written on a thread of the driver's own.
struct Barrier {
    words: Option<mpsc::Sender<GateMove>>,
    trouble: Arc<Mutex<Option<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Barrier")
    }
}

impl Barrier {
    fn new(mut line: impl Write + Send + 'static) -> Barrier {
        let (words, told) = mpsc::channel::<GateMove>();
        let trouble = Arc::new(Mutex::new(None));
        let there = Arc::clone(&trouble);
        let thread = thread::spawn(move || {
            for to in told {
                let written = writeln!(line, "{}", to.word()).and_then(|()| line.flush());
                // What is wrong is shown on the screens for as long as it is; the next word that goes through clears it.
                *there.lock().unwrap_or_else(PoisonError::into_inner) = written.err().map(|error| error.to_string());
            }
        });
        Barrier { words: Some(words), trouble, thread: Some(thread) }
    }
}

impl GateDriver for Barrier {
    fn drive(&mut self, to: GateMove) {
        if let Some(words) = &self.words {
            // The thread ends only when this sender is dropped.
            let _ = words.send(to);
        }
    }

    fn tend(&mut self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The last word, which is `close`, is still written.
impl Drop for Barrier {
    fn drop(&mut self) {
        self.words = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: gate_driver DEVICE");
        return ExitCode::from(2);
    };
    let gate = OpenOptions::new().append(true).open(&path).map_err(|error| error.to_string());
    let gate = gate.and_then(|line| Gate::driven_by(Box::new(Barrier::new(line))).map_err(|error| error.to_string()));
    match gate {
        Ok(mut gate) => {
            // Only an installer opens a gate without an admission, and it is said in the journal.
            gate.hold(Hold::Test);
            thread::sleep(Duration::from_secs(2));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io};

    use scanner::demo::country;
    use trustlist::{
        judge::{self, Context, Outcome},
        time::{Moment, UnixTime},
    };

    use super::*;

    #[test]
    fn an_admission_opens_the_barrier_and_dropping_the_gate_closes_it() {
        let now = UnixTime(1_612_137_600);
        let country = country::country(now).expect("made");
        let folder = tempfile::tempdir().expect("a folder");
        for (path, bytes) in &country.files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder above it")).expect("made");
            fs::write(path, bytes).expect("written");
        }
        let trust = sync::lists::from_folder(folder.path()).expect("lists");
        let moment = Moment::synced(now);
        let context = Context { moment, relying: country::GATE.parse().expect("a region"), profile: None };
        let Outcome::Judged(judgement) = judge::decide(&country.travellers[0].text, &trust, &context) else {
            panic!("the first traveller has a pass code")
        };
        let (_, admission) = judgement.close();

        let line = folder.path().join("line");
        let mut gate =
            Gate::driven_by(Box::new(Barrier::new(fs::File::create(&line).expect("made")))).expect("it closes");
        gate.open(admission.expect("the first traveller is admitted"));
        drop(gate);
        assert_eq!(fs::read_to_string(&line).expect("written"), "close\nopen\nclose\n");
    }

    #[test]
    fn a_line_that_is_gone_is_said() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut barrier = Barrier::new(Gone);
        barrier.drive(GateMove::Open);
        barrier.words = None;
        barrier.thread.take().expect("running").join().expect("ended");
        assert!(barrier.tend().is_some());
    }
}
