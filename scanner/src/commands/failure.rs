//! How a command fails: what happened, where, what to do next, and which exit status says so to a script.

use std::{fmt, process::ExitCode};

use host::{causes::WithCauses, config::ConfigError};

use crate::daemon::DaemonError;

/// Exit statuses, stable for scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or admitted.
    Ok,
    /// It could not be done.
    Failure,
    /// The command line is wrong.
    Usage,
    /// The code was refused.
    Refuse,
    /// The code was referred to the second line.
    Refer,
    /// No pass code was found.
    NoPassCode,
    /// The configuration is wrong (EX_CONFIG of sysexits.h): systemd does not restart after it.
    Configuration,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(match exit {
            Exit::Ok => 0,
            Exit::Failure => 1,
            Exit::Usage => 2,
            Exit::Refuse => 10,
            Exit::Refer => 11,
            Exit::NoPassCode => 12,
            Exit::Configuration => 78,
        })
    }
}

/// A failure told in one line, with its causes behind it.
#[derive(Debug)]
pub struct Failure {
    what: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    exit: Exit,
}

impl Failure {
    /// `what` says what happened, where, and what to do.
    #[must_use]
    pub fn new(what: impl Into<String>) -> Failure {
        Failure { what: what.into(), cause: None, exit: Exit::Failure }
    }

    /// The configuration is at fault.
    #[must_use]
    pub fn configuration(what: impl Into<String>) -> Failure {
        Failure { exit: Exit::Configuration, ..Failure::new(what) }
    }

    /// The command line is at fault.
    #[must_use]
    pub fn usage(what: impl Into<String>) -> Failure {
        Failure { exit: Exit::Usage, ..Failure::new(what) }
    }

    /// Remembers what lies behind the failure.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
        self.cause = Some(cause.into());
        self
    }

    /// The status the process ends with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        self.exit
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Failure {
        Failure::configuration(error.to_string())
    }
}

impl From<sync::error::Error> for Failure {
    fn from(error: sync::error::Error) -> Failure {
        Failure::new(WithCauses(&error).to_string())
    }
}

impl From<DaemonError> for Failure {
    fn from(error: DaemonError) -> Failure {
        let what = WithCauses(&error).to_string();
        if error.is_configuration() { Failure::configuration(what) } else { Failure::new(what) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.cause.as_deref().map(|cause| cause as &dyn std::error::Error);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
