//! The service manager (sd_notify(3)): readiness, one line of status, and the watchdog. Silent where there is none.

#[cfg(target_os = "linux")]
mod manager {
    use sd_notify::NotifyState;

    fn tell(state: &[NotifyState<'_>]) {
        if let Err(error) = sd_notify::notify(state) {
            log::debug!("the service manager does not listen: {error}");
        }
    }

    /// Lanes work, or have said why not.
    pub fn ready(status: &str) {
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// One line for `systemctl status`.
    pub fn status(status: &str) {
        tell(&[NotifyState::Status(status)]);
    }

    /// Frames and decisions advance.
    pub fn alive() {
        tell(&[NotifyState::Watchdog]);
    }

    /// A reload has begun; [`ready`] ends it.
    pub fn reloading() {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            tell(&[NotifyState::Reloading, now]);
        }
    }

    /// The end has begun.
    pub fn stopping() {
        tell(&[NotifyState::Stopping]);
    }
}

#[cfg(not(target_os = "linux"))]
mod manager {
    pub fn ready(_: &str) {}
    pub fn status(_: &str) {}
    pub fn alive() {}
    pub fn reloading() {}
    pub fn stopping() {}
}

pub use manager::*;
