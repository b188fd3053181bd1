//! The second line's desk: an officer with a role and a PIN decides otherwise than the device, and the chain remembers it.
//!
//! It opens no gate: a gate opens for a verdict of the lane only. It turns a recorded scan into what an officer made of it.

use std::{
    fmt, fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use cache::log::{Event, UnixMillis, Writer, Written, attestation::Statement};
use sha2::{Digest, Sha256};
use trustlist::verdict::Verdict;

use super::shared::{Shared, lock};
use crate::{
    clock,
    page::desk::{Declined, Desk, Override},
};

/// Wrong PINs in a row before nobody is heard.
const TRIES: u32 = 5;
/// For how long then.
const LOCKED: Duration = Duration::from_secs(60);
/// Largest file of officers.
const MAX_FILE: u64 = 4096;
/// Shortest PIN: with five tries a minute, a million PINs last for months.
const MIN_PIN: usize = 6;
/// How long an officer waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// Guesses are counted here.
#[derive(Debug, Default)]
struct Guesses {
    wrong: u32,
    until: Option<Duration>,
}

impl Guesses {
    /// Whether anybody is heard now.
    fn heard(&mut self, now: Duration) -> bool {
        if self.until.is_some_and(|until| now >= until) {
            *self = Guesses::default();
        }
        self.until.is_none()
    }

    fn was(&mut self, right: bool, now: Duration) {
        self.wrong = if right { 0 } else { self.wrong + 1 };
        if self.wrong >= TRIES {
            self.until = Some(now + LOCKED);
        }
    }
}

/// The desk of one shift.
pub struct OfficersDesk {
    shared: Arc<Shared>,
    writer: Option<Writer>,
    guesses: Mutex<Guesses>,
}

impl fmt::Debug for OfficersDesk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OfficersDesk")
    }
}

impl OfficersDesk {
    /// For one shift; without a log nothing can be overridden.
    pub fn new(shared: Arc<Shared>, writer: Option<Writer>) -> OfficersDesk {
        OfficersDesk { shared, writer, guesses: Mutex::default() }
    }

    /// Whether the role has this PIN. The file is read each time: an officer who leaves is gone at once.
    fn proves(&self, role: &str, pin: &str) -> Result<bool, Declined> {
        let path = self.shared.config.page.officers.as_deref().ok_or(Declined::NoOfficers)?;
        let text = officers(path).map_err(|trouble| {
            log::error!("page.officers {}: {trouble}", path.display());
            Declined::NoOfficers
        })?;
        Ok(among(&text, role, pin))
    }
}

/// The file of officers, if nobody else can read it.
fn officers(path: &Path) -> Result<String, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mode = file.metadata().map_err(|error| error.to_string())?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(format!("others can read it (mode {:o}); chmod 600", mode & 0o777));
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Whether a line `ROLE PIN` says so. Compared as digests, so that the time taken tells nothing of a PIN.
fn among(text: &str, role: &str, pin: &str) -> bool {
    let digest = |pin: &str| Sha256::digest(pin.as_bytes());
    let wanted = digest(pin);
    let lines = text.lines().filter_map(|line| line.trim().split_once(char::is_whitespace));
    let mut found = false;
    for (name, secret) in lines.filter(|(name, _)| !name.starts_with('#')) {
        let secret = secret.trim();
        found |= name == role && secret.len() >= MIN_PIN && digest(secret) == wanted;
    }
    found
}

impl Desk for OfficersDesk {
    fn decide(&self, word: &Override) -> Result<(), Declined> {
        let now = self.shared.now();
        // Held from the question to the answer: guesses that arrive at once are still counted one by one.
        let mut guesses = lock(&self.guesses);
        if !guesses.heard(now) {
            return Err(Declined::LockedOut);
        }
        let right = self.proves(&word.role, &word.pin)?;
        guesses.was(right, now);
        drop(guesses);
        if !right {
            log::warn!("an override was tried with a wrong PIN");
            return Err(Declined::WrongPin);
        }
        if word.verdict == Verdict::Refer {
            return Err(Declined::NotAVerdict);
        }
        let scan = word.scan.to_string();
        if !self.shared.recent().iter().any(|recent| recent.scan.as_ref() == Some(&scan)) {
            return Err(Declined::UnknownScan);
        }
        let event = Event::Override {
            scan: word.scan,
            verdict: word.verdict,
            role: word.role.clone(),
            why: word.why.code().to_owned(),
        };
        let trust = self.shared.moment(&self.shared.trust.load()).trust;
        let writer = self.writer.as_ref().ok_or(Declined::NotWritten)?;
        match writer.record(&event, UnixMillis(clock::unix_millis()), trust).wait(PATIENCE) {
            Written::Committed(_) => {
                log::info!("a {} decided by hand: {} ({})", word.role, word.verdict.code(), word.why.code());
                self.shared.overridden(&scan, word.verdict);
                Ok(())
            }
            Written::Late | Written::Failed(_) => Err(Declined::NotWritten),
        }
    }

    fn attestation(&self) -> Option<String> {
        let trust = self.shared.trust.load_full();
        let generations =
            trust.issuers().filter_map(|issuer| Some((issuer.entry.id, issuer.repository?.generation))).collect();
        let statement = Statement {
            checkpoint: self.shared.config.checkpoint.id.clone(),
            build: crate::BUILD.to_owned(),
            at: UnixMillis(clock::unix_millis()),
            time_trust: self.shared.moment(&trust).trust.code().to_owned(),
            lists: generations,
        };
        match self.writer.as_ref()?.with_log(move |log| log.attest(&statement)) {
            Ok(note) => Some(note),
            Err(fault) => {
                log::error!("no attestation: {fault}");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_proven_by_its_own_pin_only_and_a_short_one_proves_nothing() {
        let text = "# role PIN\nsteward 314159\nsupervisor  271828 \nguard 1\n";
        for (role, pin, right) in [
            ("steward", "314159", true),
            ("supervisor", "271828", true),
            ("steward", "271828", false),
            ("guard", "1", false),
            ("", "", false),
            ("#", "role PIN", false),
        ] {
            assert_eq!(among(text, role, pin), right, "{role}");
        }
    }

    #[test]
    fn five_wrong_pins_lock_the_desk_for_a_minute() {
        let mut guesses = Guesses::default();
        let at = Duration::from_secs;
        for second in 0..4 {
            guesses.was(false, at(second));
        }
        assert!(guesses.heard(at(4)), "four are forgiven");
        guesses.was(false, at(4));
        assert!(!guesses.heard(at(63)));
        assert!(guesses.heard(at(64)));
    }

    #[test]
    fn a_file_that_others_can_read_is_not_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("officers");
        fs::write(&path, "steward 314159\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        assert!(officers(&path).expect_err("refused").contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("set");
        assert_eq!(officers(&path).expect("read"), "steward 314159\n");
    }
}
