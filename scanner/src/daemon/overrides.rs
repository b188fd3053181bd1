//! The second line's desk: an officer decides otherwise than the device, signs it, and the chain remembers it.
//!
//! It opens no gate: a gate opens for a verdict of the lane only. It turns a recorded scan into what an officer made of it.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use cache::log::{
    Event, UnixMillis, Writer, Written,
    attestation::Statement,
    officer::{Officers, Word},
};
use host::believed_time::BelievedTime;
use page::{
    overrides::{Override, OverrideRefusal, OverrideService},
    second_line::SecondLineBoard,
};
use trustlist::verdict::Verdict;

use super::{lists_in_force::ListsInForce, recent_scans::RecentScans};

/// Largest list of officers.
const MAX_FILE: u64 = 64 * 1024;
/// How far the clock of whoever signed may be from ours. The page runs on this machine; a script may not.
const SKEW_MS: i64 = 120_000;
/// How long an officer waits for the disk.
const PATIENCE: Duration = Duration::from_secs(5);

/// When each key signed last: a word that was overheard is not heard twice, whatever is read anew.
pub type SignedBefore = Arc<Mutex<BTreeMap<String, i64>>>;

/// The desk of the second line.
pub struct LoggedOverrides {
    /// The post's name.
    pub post: String,
    /// The list of officers.
    pub officers: Option<PathBuf>,
    /// The time as this device believes it.
    pub time: BelievedTime,
    /// The lists in force.
    pub lists: ListsInForce,
    /// The latest verdicts.
    pub recent: RecentScans,
    /// Who waits.
    pub second_line: SecondLineBoard,
    /// The log; without one nothing can be overridden.
    pub writer: Option<Writer>,
    /// When each key signed last.
    pub heard: SignedBefore,
}

impl fmt::Debug for LoggedOverrides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoggedOverrides")
    }
}

impl LoggedOverrides {
    /// Whether an officer signed it. The list is read each time: an officer who is taken out of it is gone at once.
    fn signed(&self, word: &Word) -> Result<(), OverrideRefusal> {
        let path = self.officers.as_deref().ok_or(OverrideRefusal::NoOfficers)?;
        let officers = officers(path).map_err(|trouble| {
            log::error!("page.officers {}: {trouble}", path.display());
            OverrideRefusal::NoOfficers
        })?;
        if officers.vouch_for(word) {
            return Ok(());
        }
        log::warn!("an override was tried that no officer signed");
        Err(OverrideRefusal::NotAnOfficer)
    }

    /// Whether it was signed just now, and after everything its key signed before.
    fn new_word(&self, word: &Word) -> Result<(), OverrideRefusal> {
        let signed = word.signed_ms.0;
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let before = heard.get(&word.key).copied().unwrap_or(i64::MIN);
        if signed <= before || self.time.clock().unix_millis().abs_diff(signed) > SKEW_MS.unsigned_abs() {
            return Err(OverrideRefusal::NotNow);
        }
        heard.insert(word.key.clone(), signed);
        Ok(())
    }
}

/// The list of officers, if nobody else can write into it.
fn officers(path: &Path) -> Result<Officers, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mode = file.metadata().map_err(|error| error.to_string())?.permissions().mode();
    if mode & 0o022 != 0 {
        return Err(format!("others can write it (mode {:o}); chmod 644", mode & 0o777));
    }
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text).map_err(|error| error.to_string())?;
    Officers::parse(&text).map_err(|error| error.to_string())
}

impl OverrideService for LoggedOverrides {
    fn decide(&self, said: &Override) -> Result<(), OverrideRefusal> {
        let word = Word {
            scan: said.scan,
            verdict: said.verdict,
            role: said.role.clone(),
            why: said.why.code().to_owned(),
            signed_ms: UnixMillis(said.signed_ms),
            key: said.key.clone(),
            signature: said.signature.clone(),
        };
        self.signed(&word)?;
        if word.verdict == Verdict::Refer {
            return Err(OverrideRefusal::NotAVerdict);
        }
        let scan = word.scan.to_string();
        let recent = || self.recent.all().iter().any(|recent| recent.scan.as_ref() == Some(&scan));
        if !self.second_line.has(word.scan) && !recent() {
            return Err(OverrideRefusal::UnknownScan);
        }
        self.new_word(&word)?;
        let trust = self.time.moment(&self.lists.now()).trust;
        let writer = self.writer.as_ref().ok_or(OverrideRefusal::NotWritten)?;
        let event = Event::Override(word);
        match writer.record(&event, UnixMillis(self.time.clock().unix_millis()), trust).wait(PATIENCE) {
            Written::Committed(_) => {
                log::info!("a {} decided by hand: {} ({})", said.role, said.verdict.code(), said.why.code());
                self.recent.decided_by_hand(&scan, said.verdict);
                self.second_line.done(said.scan);
                Ok(())
            }
            Written::Late | Written::Failed(_) => Err(OverrideRefusal::NotWritten),
        }
    }

    fn attestation(&self) -> Option<String> {
        let trust = self.lists.now();
        let generations =
            trust.issuers().filter_map(|issuer| Some((issuer.entry.id, issuer.repository?.generation))).collect();
        let statement = Statement {
            checkpoint: self.post.clone(),
            build: host::BUILD.to_owned(),
            at: UnixMillis(self.time.clock().unix_millis()),
            time_trust: self.time.moment(&trust).trust.code().to_owned(),
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
    fn a_list_that_others_can_write_is_not_believed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("officers");
        fs::write(&path, "# nobody yet\n").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o664)).expect("set");
        assert!(officers(&path).expect_err("refused").contains("chmod 644"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).expect("set");
        assert_eq!(officers(&path), Ok(Officers::default()));
    }
}
