//! What a gate fetches that holds nothing yet: the small files of all repositories in one (`trustlist/FORMAT.md` §9), in place of a hundred
//! requests. As little signed, and as little believed, as the index.

use std::path::{Component, Path};

use serde::Serialize;
use serde_json::{Map, Value};
use trustlist::region::Region;

use super::folder::{read, replace};
use crate::{
    fault::WorkspaceError,
    files,
    metadata::{self, Snapshot, Targets, Timestamp},
    publish::target_path,
};

/// The file's name at the top of a mirror.
pub const FILE: &str = "first.json";
/// Largest, before compression. A gate looks at no more.
pub const MAX_FIRST: usize = 1024 * 1024;
/// Largest file that is put into it. What is longer is fetched alone.
const MAX_FILE: u64 = 64 * 1024;

#[derive(Serialize)]
struct First {
    first: u8,
    files: Map<String, Value>,
}

/// Puts it at the top of a mirror, for these issuers. False when the same stands there already.
///
/// # Errors
/// When the file cannot be written.
pub fn write(mirror: &Path, issuers: &[Region]) -> Result<bool, WorkspaceError> {
    replace(mirror, FILE, &of_mirror(mirror, issuers))
}

/// The small files of these issuers that are texts; those of whom something is not whole are left out, alone.
#[must_use]
pub fn of_mirror(mirror: &Path, issuers: &[Region]) -> Vec<u8> {
    let mut first = First { first: 1, files: Map::new() };
    let mut bytes = 0;
    for issuer in issuers {
        for (path, text) in small_files(&mirror.join(issuer.as_str())) {
            let path = format!("{issuer}/{path}");
            // What a text becomes in JSON is at most six times as long (RFC 8259 §7).
            bytes += serde_json::to_string(&text).map_or(0, |text| text.len()) + path.len() + 16;
            if bytes > MAX_FIRST {
                return json(&first);
            }
            first.files.insert(path, Value::String(text));
        }
    }
    json(&first)
}

fn json(first: &First) -> Vec<u8> {
    serde_json::to_vec(first).expect("texts have a JSON form")
}

/// What is in force of a repository, as far as it is there: later roots, snapshot, targets and the targets that are JSON.
fn small_files(repository: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut roots: Vec<u64> = files::names(&repository.join("metadata"))
        .unwrap_or_default()
        .iter()
        .filter_map(|name| name.strip_suffix(".root.json")?.parse().ok())
        .filter(|version| *version > 1)
        .collect();
    roots.sort_unstable();
    for version in roots {
        keep(&mut found, repository, format!("metadata/{version}.root.json"));
    }
    // What cannot be followed further is fetched alone.
    let _ = keep_in_force(&mut found, repository);
    found
}

fn keep_in_force(found: &mut Vec<(String, String)>, repository: &Path) -> Option<()> {
    let timestamp: Timestamp = metadata::read(text(repository, "metadata/timestamp.json")?.as_bytes()).ok()?;
    let version = timestamp.meta.get("snapshot.json")?.version;
    let snapshot = keep(found, repository, format!("metadata/{version}.snapshot.json"))?;
    let snapshot: Snapshot = metadata::read(snapshot.as_bytes()).ok()?;
    let version = snapshot.meta.get("targets.json")?.version;
    let targets = keep(found, repository, format!("metadata/{version}.targets.json"))?;
    let targets: Targets = metadata::read(targets.as_bytes()).ok()?;
    for (name, facts) in targets.targets.iter().filter(|(name, _)| name.ends_with(".json") && is_plain(name)) {
        let path = target_path(name, &facts.hashes.sha256);
        // An issuer may write its own folder: nothing comes into a public file but what the issuer itself has signed for.
        if text(repository, &path).is_some_and(|text| metadata::sha256(text.as_bytes()) == facts.hashes.sha256) {
            keep(found, repository, path);
        }
    }
    Some(())
}

fn keep(found: &mut Vec<(String, String)>, repository: &Path, path: String) -> Option<String> {
    let text = text(repository, &path)?;
    found.push((path, text.clone()));
    Some(text)
}

fn text(repository: &Path, path: &str) -> Option<String> {
    String::from_utf8(read(&repository.join(path), path, "file", MAX_FILE).ok()?).ok()
}

fn is_plain(name: &str) -> bool {
    Path::new(name).components().all(|part| matches!(part, Component::Normal(_)))
}
