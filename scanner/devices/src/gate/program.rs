//! A program of the installer's moves the gate: started with `open` or `close`, one at a time, ended when it takes too long.

use std::{
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use host::config;

use super::{GateDriver, GateMove};
use crate::moment;

/// How often the end looks whether the program has ended.
const LOOK: Duration = Duration::from_millis(5);

/// The program, and what it was told.
#[derive(Debug)]
pub struct Program {
    command: Vec<String>,
    timeout: Duration,
    running: Option<(Child, Instant)>,
    /// Said while another one ran: the newest waits, so that an `open` never overtakes the `close` after it.
    waiting: Option<GateMove>,
    trouble: Option<String>,
}

impl Program {
    /// Not started yet.
    pub fn new(settings: &config::Gate) -> Program {
        Program {
            command: settings.command.clone(),
            timeout: settings.timeout,
            running: None,
            waiting: None,
            trouble: None,
        }
    }

    fn start(&mut self, to: GateMove) {
        let (program, arguments) = self.command.split_first().expect("the configuration was checked for it");
        let child =
            Command::new(program).args(arguments).arg(to.word()).stdin(Stdio::null()).stdout(Stdio::null()).spawn();
        match child {
            Ok(child) => self.running = Some((child, moment::now())),
            Err(error) => self.trouble = Some(format!("{program}: {error}")),
        }
    }

    fn reap(&mut self) {
        let Some((child, since)) = &mut self.running else { return };
        self.trouble = match child.try_wait() {
            Ok(Some(status)) if status.success() => None,
            Ok(Some(status)) => Some(format!("its program ended with {status}")),
            Ok(None) if moment::now().saturating_duration_since(*since) < self.timeout => return,
            _ => {
                // It may have ended by itself in between.
                let _ = child.kill();
                let _ = child.wait();
                Some(format!("its program took longer than {:?} and was ended", self.timeout))
            }
        };
        self.running = None;
    }
}

impl GateDriver for Program {
    fn drive(&mut self, to: GateMove) {
        self.waiting = Some(to);
        self.tend();
    }

    fn tend(&mut self) -> Option<String> {
        self.reap();
        if self.running.is_none()
            && let Some(to) = self.waiting.take()
        {
            self.start(to);
        }
        self.trouble.clone()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        while self.running.is_some() || self.waiting.is_some() {
            self.tend();
            thread::sleep(LOOK);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use host::config::Config;

    fn program(script: &str, told: &Path) -> Program {
        let command = ["sh", "-c", &script.replace("TOLD", &told.display().to_string())].map(str::to_owned).to_vec();
        let settings =
            config::Gate { command, timeout: Duration::from_secs(20), ..Config::default().lane[0].gate.clone() };
        Program::new(&settings)
    }

    #[test]
    fn while_one_word_is_carried_out_only_the_newest_of_the_others_waits() {
        let folder = tempfile::tempdir().expect("a folder");
        let (told, go) = (folder.path().join("told"), folder.path().join("go"));
        let script = format!("echo $0 >> TOLD; while [ ! -e {} ]; do sleep 0.01; done", go.display());
        let mut program = program(&script, &told);
        for to in [GateMove::Close, GateMove::Open, GateMove::Close, GateMove::Open, GateMove::Close] {
            program.drive(to);
        }
        fs::write(&go, "").expect("written");
        drop(program);
        assert_eq!(fs::read_to_string(&told).expect("told"), "close\nclose\n", "no open came late");
    }

    #[test]
    fn a_program_that_hangs_or_fails_is_trouble_until_one_succeeds() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut program = program("[ $0 = close ]", &folder.path().join("told"));
        let settled = |program: &mut Program, to| {
            program.drive(to);
            while program.running.is_some() {
                program.tend();
            }
            program.tend()
        };
        assert_eq!(settled(&mut program, GateMove::Close), None);
        assert!(settled(&mut program, GateMove::Open).expect("trouble").contains("exit status: 1"));
        assert_eq!(settled(&mut program, GateMove::Close), None);
        program = self::program("sleep 60", &folder.path().join("told"));
        program.timeout = Duration::ZERO;
        program.drive(GateMove::Open);
        assert!(program.tend().expect("trouble").contains("took longer"));
    }
}
