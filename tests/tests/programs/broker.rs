//! A real broker, Mosquitto, and who listens to it.

use super::{Program, find, free_port, wait_for};
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// Mosquitto on a port of its own, with its files in a directory.
pub struct Broker {
    pub program: Program,
    pub port: u16,
    binary: PathBuf,
    config: PathBuf,
}

impl Broker {
    /// With more lines of configuration; `None`, and a word about it, where it is not installed.
    pub fn start(directory: &Path, extra: &str) -> Option<Broker> {
        let binary = find("mosquitto", "mosquitto mosquitto-clients")?;
        find("mosquitto_sub", "mosquitto-clients")?;
        let (port, config) = (free_port(), directory.join("mosquitto.conf"));
        fs::write(&config, format!("listener {port} 127.0.0.1\nuser root\n{extra}\n")).expect("written");
        Some(Broker { program: Broker::run(&binary, &config, port), port, binary, config })
    }

    fn run(binary: &Path, config: &Path, port: u16) -> Program {
        Program::serve(Command::new(binary).arg("-c").arg(config), port)
    }

    /// Again, on the same port.
    pub fn restart(&mut self) {
        self.program = Broker::run(&self.binary, &self.config, self.port);
    }

    /// Writes what is published under topics to a file, as `topic payload` lines; `subscription` is mosquitto_sub's. It has begun when this returns.
    pub fn subscribe(&self, subscription: &[&str], file: &Path) -> Program {
        let port = self.port.to_string();
        let program = Program::start(
            Command::new("mosquitto_sub")
                .args(["-p", &port, "-V", "5", "-q", "1", "-t", "marker", "-F", "%t %p"])
                .args(subscription)
                .stdout(File::create(file).expect("made"))
                .stderr(Stdio::null()),
        );
        wait_for("the subscription", Duration::from_secs(20), || {
            let sent = Command::new("mosquitto_pub").args(["-p", &port, "-t", "marker", "-m", "x"]).status();
            assert!(sent.expect("started").success());
            fs::read_to_string(file).expect("there").lines().any(|line| line == "marker x").then_some(())
        });
        program
    }
}
