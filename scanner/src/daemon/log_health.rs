//! How the scan log is, as the report says it: told by everybody who writes to it.

use tokio::sync::watch;

/// How the log is. Clones are the same.
#[derive(Clone, Default)]
pub struct LogHealth(watch::Sender<LogState>);

/// What is said of the log at one moment.
#[derive(Clone, Debug, Default)]
pub struct LogState {
    /// A damaged log was set aside at this start.
    pub set_aside: Option<String>,
    /// Rows cannot be written, and why.
    pub unavailable: Option<String>,
    /// Rows that are old enough to go and are owed to a centre.
    pub overdue: Option<u64>,
    /// It is damaged where nothing has touched it yet.
    pub damaged: Option<String>,
}

impl LogHealth {
    /// As it is at this moment.
    pub fn now(&self) -> LogState {
        self.0.borrow().clone()
    }

    /// A log was opened, perhaps after a damaged one was set aside.
    pub fn opened(&self, set_aside: Option<String>) {
        self.0.send_replace(LogState { set_aside, ..LogState::default() });
    }

    /// Rows cannot be written.
    pub fn unavailable(&self, why: impl Into<String>) {
        self.0.send_modify(|now| now.unavailable = Some(why.into()));
    }

    /// Rows are written again.
    pub fn available(&self) {
        self.0.send_modify(|now| now.unavailable = None);
    }

    /// So many old rows are owed to a centre.
    pub fn overdue(&self, rows: u64) {
        self.0.send_modify(|now| now.overdue = (rows > 0).then_some(rows));
    }

    /// It is damaged where nothing has touched it yet.
    pub fn damaged(&self, how: String) {
        self.0.send_modify(|now| now.damaged = Some(how));
    }
}
