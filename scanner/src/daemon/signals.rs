//! Signals: SIGTERM and SIGINT end the daemon in order, SIGHUP asks it to read configuration and lists anew.

use std::io;

use tokio::sync::watch;

/// What somebody wants of the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonRequest {
    /// End in order.
    Stop,
    /// Read configuration and lists anew.
    Reload,
}

/// Signals, and the switch of whoever runs the daemon in its own process.
pub struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
    switch: Option<watch::Receiver<bool>>,
}

impl Signals {
    /// Listens from here on.
    ///
    /// # Errors
    /// When the system has no place for a handler.
    pub fn listen(switch: Option<watch::Receiver<bool>>) -> io::Result<Signals> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Signals {
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            hangup: signal(SignalKind::hangup())?,
            switch,
        })
    }

    /// The next wish.
    pub async fn next(&mut self) -> DaemonRequest {
        let switched = async {
            match &mut self.switch {
                Some(switch) => drop(switch.wait_for(|stop| *stop).await),
                None => std::future::pending().await,
            }
        };
        #[cfg(unix)]
        tokio::select! {
            _ = self.terminate.recv() => DaemonRequest::Stop,
            _ = tokio::signal::ctrl_c() => DaemonRequest::Stop,
            _ = self.hangup.recv() => DaemonRequest::Reload,
            () = switched => DaemonRequest::Stop,
        }
        #[cfg(not(unix))]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => DaemonRequest::Stop,
            () = switched => DaemonRequest::Stop,
        }
    }
}
