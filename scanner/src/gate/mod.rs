//! Gates: whoever moves what stands in the traveller's way. Opening asks for an [`Admission`] and consumes it.
//!
//! A gate closes when told, when dropped, and, wired so, with the power. [`Gate`] is one of the drivers for installers without GPIO: none,
//! the journal, a file, or a program of theirs.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use trustlist::judge::Admission;

use crate::config;

/// One gate.
#[derive(Debug)]
pub struct Gate {
    driver: Driver,
    open: bool,
}

#[derive(Debug)]
enum Driver {
    None,
    Log { lane: String },
    File { path: PathBuf },
    Program { command: Vec<String>, timeout: Duration, running: Option<(Child, Instant)> },
}

/// The gate did not do what it was told.
#[derive(Debug)]
pub struct GateFault {
    what: String,
    cause: io::Error,
}

impl fmt::Display for GateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the gate does not answer: {}: {}", self.what, self.cause)
    }
}

impl std::error::Error for GateFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}

/// The configured driver is not in this build.
#[derive(Debug)]
pub struct NoSuchDriver(pub config::GateDriver);

impl fmt::Display for NoSuchDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this build has no gate driver {:?}; use none, log, file or command", self.0)
    }
}

impl std::error::Error for NoSuchDriver {}

impl Gate {
    /// The gate of a lane, closed.
    ///
    /// # Errors
    /// When the driver is not in this build, or the gate cannot be closed to begin with.
    pub fn new(lane: &str, settings: &config::Gate) -> Result<Gate, Box<dyn std::error::Error + Send + Sync>> {
        let driver = match settings.driver {
            config::GateDriver::None => Driver::None,
            config::GateDriver::Log => Driver::Log { lane: lane.to_owned() },
            config::GateDriver::File => {
                Driver::File { path: settings.path.clone().expect("the configuration was checked for it") }
            }
            config::GateDriver::Command => {
                Driver::Program { command: settings.command.clone(), timeout: settings.timeout, running: None }
            }
            other => return Err(Box::new(NoSuchDriver(other))),
        };
        let mut gate = Gate { driver, open: true };
        gate.close()?;
        Ok(gate)
    }

    /// Opens the gate for one traveller.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn open(&mut self, _spent: Admission) -> Result<(), GateFault> {
        self.open = true;
        self.driver.drive("open")
    }

    /// Closes the gate; closed already is no fault.
    ///
    /// # Errors
    /// When it does not answer.
    pub fn close(&mut self) -> Result<(), GateFault> {
        if !self.open {
            return Ok(());
        }
        self.driver.drive("close")?;
        self.open = false;
        Ok(())
    }

    /// Looks after a program that was started: reaps it, and ends it when it takes too long.
    pub fn tick(&mut self) {
        if let Driver::Program { timeout, running, .. } = &mut self.driver {
            reap(running, *timeout);
        }
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        if let Err(fault) = self.close() {
            log::error!("{fault}");
        }
        if let Driver::Program { timeout, running, .. } = &mut self.driver {
            while running.is_some() {
                reap(running, *timeout);
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

impl Driver {
    fn drive(&mut self, to: &'static str) -> Result<(), GateFault> {
        match self {
            Self::None => Ok(()),
            Self::Log { lane } => {
                log::info!("lane {lane}: gate {to}");
                Ok(())
            }
            Self::File { path } => write_whole(path, if to == "open" { "open\n" } else { "closed\n" })
                .map_err(|cause| GateFault { what: path.display().to_string(), cause }),
            Self::Program { command, timeout, running } => {
                // One at a time: an `open` that still runs must not overtake the `close` after it.
                let started = Instant::now();
                while running.is_some() && started.elapsed() < *timeout {
                    reap(running, *timeout);
                    std::thread::sleep(Duration::from_millis(2));
                }
                let (program, arguments) = command.split_first().expect("the configuration was checked for it");
                let child = Command::new(program)
                    .args(arguments)
                    .arg(to)
                    .stdin(Stdio::null())
                    .stdout(Stdio::null())
                    .spawn()
                    .map_err(|cause| GateFault { what: program.clone(), cause })?;
                *running = Some((child, Instant::now()));
                Ok(())
            }
        }
    }
}

/// Written aside and renamed: whoever watches the file never sees half a word.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let aside = path.with_extension("new");
    fs::write(&aside, text)?;
    fs::rename(&aside, path)
}

fn reap(running: &mut Option<(Child, Instant)>, timeout: Duration) {
    let Some((child, since)) = running else { return };
    match child.try_wait() {
        Ok(Some(status)) => {
            if !status.success() {
                log::error!("the gate's program ended with {status}");
            }
            *running = None;
        }
        Ok(None) if since.elapsed() < timeout => (),
        _ => {
            log::error!("the gate's program took longer than {timeout:?} and was ended");
            // It may have ended by itself in between.
            let _ = child.kill();
            let _ = child.wait();
            *running = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, GateDriver};

    fn settings(driver: GateDriver, change: impl FnOnce(&mut config::Gate)) -> config::Gate {
        let mut settings = Config::default().lane[0].gate.clone();
        settings.driver = driver;
        change(&mut settings);
        settings
    }

    #[test]
    fn a_file_says_closed_from_the_start_and_after_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gate");
        let settings = settings(GateDriver::File, |gate| gate.path = Some(path.clone()));
        let mut gate = Gate::new("1", &settings).expect("a gate");
        let says = || fs::read_to_string(&path).expect("written");
        assert_eq!(says(), "closed\n");
        gate.driver.drive("open").expect("it answers");
        gate.open = true;
        assert_eq!(says(), "open\n");
        drop(gate);
        assert_eq!(says(), "closed\n");
    }

    #[test]
    fn a_program_is_told_open_and_close_and_one_that_hangs_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let told = folder.path().join("told");
        let script = format!("echo $0 >> {}", told.display());
        let settings = settings(GateDriver::Command, |gate| {
            gate.command = vec!["sh".to_owned(), "-c".to_owned(), script];
        });
        drop(Gate::new("1", &settings).expect("a gate"));
        assert_eq!(fs::read_to_string(&told).expect("told"), "close\n");
    }

    #[test]
    fn a_driver_that_is_not_in_this_build_is_said_so() {
        let error = Gate::new("1", &settings(GateDriver::Mqtt, |_| ())).expect_err("not in this build");
        assert!(error.to_string().contains("no gate driver"), "{error}");
    }
}
