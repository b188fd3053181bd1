//! Keeps the lists: asks the mirrors now and then, looks into the inbox, and puts what is newer in force. A thread of its own.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant, SystemTime},
};

use super::{
    LoadLists,
    shared::{Shared, lock},
};
use crate::{
    clock,
    failure::Failure,
    sync::{Report, Word, round},
};

/// How often it is looked whether somebody put lists into the inbox.
const INBOX: Duration = Duration::from_secs(2);

/// Keeps the lists until the other end of `stop` is dropped.
pub fn keep(shared: &Arc<Shared>, lists: &LoadLists, stop: &Receiver<()>) {
    let config = &shared.config;
    let inbox = config.sync.inbox.clone().unwrap_or_else(|| config.places.state.join("inbox"));
    let mut seen = BTreeMap::new();
    let mut due = Instant::now();
    loop {
        let there = timestamps(&inbox);
        if there != seen {
            seen = there;
            if !seen.is_empty() {
                round(shared, lists, Some(&inbox));
            }
        }
        if !config.sync.mirrors.is_empty() && !config.network.apart && Instant::now() >= due {
            due = Instant::now() + config.sync.every;
            round(shared, lists, None);
        }
        match stop.recv_timeout(INBOX) {
            Err(RecvTimeoutError::Timeout) => (),
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Which repositories lie in a folder, by their timestamps: they change with every publication.
fn timestamps(folder: &Path) -> BTreeMap<PathBuf, (u64, Option<SystemTime>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries
        .filter_map(|entry| {
            let path = entry.path().join("metadata/timestamp.json");
            let file = fs::metadata(&path).ok()?;
            Some((path, (file.len(), file.modified().ok())))
        })
        .collect()
}

fn round(shared: &Shared, lists: &LoadLists, inbox: Option<&Path>) {
    let result = attempt(shared, inbox);
    let word = result.as_ref().map_or(Word::Failed, Report::word);
    let now = clock::unix_millis() / 1000;
    shared.metrics.sync(word.code(), now);
    let said = match &result {
        Ok(report) => format!("{} from {}", word.code(), report.source),
        Err(failure) => failure.to_string(),
    };
    match (&result, word) {
        (Ok(report), Word::Updated) => log::info!("lists: {}", report.to_string().replace('\n', "; ")),
        (Ok(report), Word::Failed) => log::warn!("lists: {}", report.to_string().replace('\n', "; ")),
        (Ok(_), Word::Unchanged) => log::debug!("lists: {said}"),
        (Err(failure), _) => log::warn!("lists: {failure}"),
    }
    {
        let mut sync = lock(&shared.sync);
        sync.last_result = Some(said);
        if word != Word::Failed {
            sync.last_success = Some(now);
        }
    }
    if word == Word::Updated {
        match lists(&shared.config) {
            Ok(trust) => shared.take(trust),
            Err(failure) => log::error!("newer lists are stored and cannot be loaded: {failure}"),
        }
    }
}

fn attempt(shared: &Shared, inbox: Option<&Path>) -> Result<Report, Failure> {
    let certain = Some(shared.trust.load().newest_issue());
    let mut store = round::open(&shared.config)?;
    match inbox {
        Some(inbox) => round::folder(&shared.config, &mut store, inbox, None, certain),
        None => round::mirrors(&shared.config, &mut store, certain),
    }
}
