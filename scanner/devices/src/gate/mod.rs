//! Gates: whoever moves what stands in the traveller's way, and the lights, sounder and contacts beside it. Opening asks for an
//! [`Admission`] and consumes it.
//!
//! A gate closes when told, when dropped, and, wired so, with the power. How it is moved is a `GateDriver`; GPIO lines are `wires`. None of
//! them makes a lane wait: what takes time is done on threads of their own, or later.

mod http;
#[cfg(all(feature = "gpio", target_os = "linux"))]
pub mod lines;
#[cfg(feature = "mqtt")]
mod mqtt;
pub mod panel;
mod program;
#[cfg(all(feature = "gpio", target_os = "linux"))]
mod wires;
#[cfg(not(all(feature = "gpio", target_os = "linux")))]
#[path = "no_wires.rs"]
mod wires;
pub mod wiring;

use std::{fmt, path::PathBuf, time::Instant};

use host::{
    atomic_file,
    config::{self, GateKind},
    peer::{Peer, PeerError},
};
use lane::signal::{Cues, Signal};
use panel::PanelCommand;
use trustlist::judge::Admission;
use wires::Wires;

/// One gate.
#[derive(Debug)]
pub struct Gate {
    driver: Option<Box<dyn GateDriver>>,
    wires: Option<Wires>,
}

/// Where the gate goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateMove {
    /// It lets somebody through.
    Open,
    /// It lets nobody through.
    Close,
}

impl GateMove {
    /// The word of drivers that have no words of their own.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Close => "close",
        }
    }
}

/// Moves a gate. The newest word wins, and what was said last is still carried out when it is dropped.
pub trait GateDriver: fmt::Debug + Send {
    /// Begins to move it; waits for nothing.
    fn drive(&mut self, to: GateMove);

    /// Goes on with what was begun; what is wrong now.
    fn tend(&mut self) -> Option<String>;
}

/// What the contacts beside a gate say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContactEvent {
    /// Somebody is in the passage's beam.
    InBeam,
    /// Nobody is any more.
    BeamFree,
    /// The fire or egress contact closed.
    Alarm,
    /// It opened again.
    AlarmOver,
}

/// Why a gate stands open without an admission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The fire or egress contact asks for it.
    Alarm,
    /// An installer looks whether it moves.
    Test,
}

/// There is no gate to be had the way it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GateError {
    /// The configuration asks for something this build or this machine does not have.
    Unsuitable(String),
    /// It does not answer.
    Silent(String),
}

impl fmt::Display for GateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unsuitable(why) => write!(f, "no such gate: {why}"),
            Self::Silent(why) => write!(f, "the gate does not answer: {why}"),
        }
    }
}

impl std::error::Error for GateError {}

impl From<PeerError> for GateError {
    fn from(error: PeerError) -> GateError {
        GateError::Unsuitable(error.to_string())
    }
}

/// What the configuration lets sound.
#[must_use]
pub fn cues(signals: &config::Signals) -> Cues {
    Cues { sound: signals.sound, read_cue: signals.read_cue, discreet: signals.discreet }
}

impl Gate {
    /// Whether the files that a lane's gate needs are there and hold what they should. Nothing is moved, and nobody is asked.
    ///
    /// # Errors
    /// With what is missing.
    pub fn check(lane: &config::Lane) -> Result<(), GateError> {
        let settings = &lane.gate;
        match settings.driver {
            GateKind::Http => {
                peer_of(settings).read_secret()?;
                peer_of(settings).agent()?;
            }
            #[cfg(feature = "mqtt")]
            GateKind::Mqtt => drop(host::peer::Broker::new(&peer_of(settings))?),
            #[cfg(not(feature = "mqtt"))]
            GateKind::Mqtt => return Err(GateError::Unsuitable("this build does not speak MQTT".to_owned())),
            GateKind::File => {
                let folder = settings.path.as_deref().and_then(std::path::Path::parent);
                if let Some(folder) = folder.filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
                    return Err(GateError::Silent(format!("{}: there is no such folder", folder.display())));
                }
            }
            GateKind::None | GateKind::Log | GateKind::Command | GateKind::Gpio => (),
        }
        Ok(())
    }

    /// The gate of a lane, closed. `post` names the checkpoint.
    ///
    /// # Errors
    /// When the driver is not in this build, or the gate cannot be closed to begin with.
    pub fn new(post: &str, lane: &config::Lane, cues: &Cues) -> Result<Gate, GateError> {
        let settings = &lane.gate;
        let peer = || peer_of(settings);
        // GPIO lines are wires, whoever moves the gate.
        let driver: Option<Box<dyn GateDriver>> = match settings.driver {
            GateKind::None | GateKind::Gpio => None,
            GateKind::Log => Some(Box::new(Journal { lane: lane.id.clone() })),
            GateKind::File => Some(Box::new(File {
                path: settings.path.clone().expect("the configuration was checked for it"),
                trouble: None,
            })),
            GateKind::Command => Some(Box::new(program::Program::new(settings))),
            GateKind::Http => Some(Box::new(http::Controller::new(settings, &peer())?)),
            #[cfg(feature = "mqtt")]
            GateKind::Mqtt => Some(Box::new(mqtt::Topic::new(&format!("{post}-{}", lane.id), settings, &peer())?)),
            #[cfg(not(feature = "mqtt"))]
            GateKind::Mqtt => return Err(GateError::Unsuitable(format!("{post}: this build does not speak MQTT"))),
        };
        let wires = Wires::connect(lane, cues).map_err(|fault| GateError::Silent(fault.to_string()))?;
        Gate::closed(driver, wires)
    }

    /// A gate that a driver from elsewhere moves, closed; lights, sounder and contacts it has none.
    ///
    /// # Errors
    /// When the gate cannot be closed to begin with.
    pub fn driven_by(driver: Box<dyn GateDriver>) -> Result<Gate, GateError> {
        Gate::closed(Some(driver), None)
    }

    fn closed(driver: Option<Box<dyn GateDriver>>, wires: Option<Wires>) -> Result<Gate, GateError> {
        let mut gate = Gate { driver, wires };
        gate.close();
        match gate.trouble() {
            None => Ok(gate),
            Some(why) => Err(GateError::Silent(why)),
        }
    }

    /// Opens the gate for one traveller.
    pub fn open(&mut self, _spent: Admission) {
        self.drive(GateMove::Open);
    }

    /// Holds the gate open until it is closed, for everybody: no admission stands behind it, so the journal says why.
    pub fn hold(&mut self, why: Hold) {
        log::warn!("the gate is held open: {why:?}");
        self.drive(GateMove::Open);
    }

    /// Closes the gate; closed already is no fault.
    pub fn close(&mut self) {
        self.drive(GateMove::Close);
    }

    /// Lights and sounds, where there are any.
    pub fn signal(&self, signal: Signal) {
        if let Some(wires) = &self.wires {
            wires.order(PanelCommand::Signal(signal));
        }
    }

    /// What the contacts said since this was asked last and when, oldest first.
    pub fn sensed(&self) -> Option<(ContactEvent, Instant)> {
        self.wires.as_ref().and_then(Wires::sensed)
    }

    /// Goes on with what was begun; what is wrong with the gate now.
    pub fn trouble(&mut self) -> Option<String> {
        let driver = self.driver.as_mut().and_then(|driver| driver.tend());
        driver.or_else(|| self.wires.as_ref().and_then(Wires::trouble))
    }

    fn drive(&mut self, to: GateMove) {
        if let Some(wires) = &self.wires {
            wires.order(match to {
                GateMove::Open => PanelCommand::Open,
                GateMove::Close => PanelCommand::Close,
            });
        }
        if let Some(driver) = &mut self.driver {
            driver.drive(to);
        }
    }
}

/// The machine behind a gate on a network.
fn peer_of(settings: &config::Gate) -> Peer {
    Peer {
        url: settings.url.as_ref().map(ToString::to_string).unwrap_or_default(),
        ca: settings.ca.clone(),
        user: settings.user.clone(),
        secret: settings.secret.clone(),
        timeout: settings.timeout,
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.close();
    }
}

/// Nothing moves; the journal says what would.
#[derive(Debug)]
struct Journal {
    lane: String,
}

impl GateDriver for Journal {
    fn drive(&mut self, to: GateMove) {
        log::info!("lane {}: gate {}", self.lane, to.word());
    }

    fn tend(&mut self) -> Option<String> {
        None
    }
}

/// A file says `open` or `closed` to whoever watches it.
#[derive(Debug)]
struct File {
    path: PathBuf,
    trouble: Option<String>,
}

impl GateDriver for File {
    fn drive(&mut self, to: GateMove) {
        let text = match to {
            GateMove::Open => "open\n",
            GateMove::Close => "closed\n",
        };
        self.trouble =
            atomic_file::publish(&self.path, text).err().map(|cause| format!("{}: {cause}", self.path.display()));
    }

    fn tend(&mut self) -> Option<String> {
        self.trouble.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use host::config::{Config, GpioLine};

    fn lane(driver: GateKind, change: impl FnOnce(&mut config::Lane)) -> config::Lane {
        let mut lane = Config::default().lane.remove(0);
        lane.gate.driver = driver;
        change(&mut lane);
        lane
    }

    fn gate(lane: &config::Lane) -> Result<Gate, GateError> {
        Gate::new("post", lane, &Cues::default())
    }

    #[test]
    fn a_file_says_closed_from_the_start_and_after_the_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("gate");
        let mut gate = gate(&lane(GateKind::File, |lane| lane.gate.path = Some(path.clone()))).expect("a gate");
        let says = || fs::read_to_string(&path).expect("written");
        assert_eq!(says(), "closed\n");
        gate.hold(Hold::Test);
        assert_eq!(says(), "open\n");
        drop(gate);
        assert_eq!(says(), "closed\n");
    }

    #[test]
    fn a_file_that_cannot_be_written_is_no_gate_to_begin_with_and_trouble_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let there = folder.path().join("there");
        let lane = lane(GateKind::File, |lane| lane.gate.path = Some(there.join("gate")));
        assert!(matches!(gate(&lane), Err(GateError::Silent(why)) if why.contains("gate: No such file")));
        fs::create_dir(&there).expect("made");
        let mut gate = gate(&lane).expect("a gate");
        fs::remove_dir_all(&there).expect("removed");
        gate.hold(Hold::Test);
        assert!(gate.trouble().expect("trouble").contains("No such file"));
    }

    #[test]
    fn a_chip_that_is_not_there_is_named() {
        let lane = lane(GateKind::Gpio, |lane| {
            lane.gpio.chip = "/nonexistent/gpiochip7".into();
            lane.gpio.relay = Some(GpioLine::Offset(17));
        });
        let error = gate(&lane).expect_err("no chip").to_string();
        assert!(error.contains(if cfg!(feature = "gpio") { "gpiochip7" } else { "no GPIO lines" }), "{error}");
    }
}
