//! The files of a mirror, read as a stranger's: bounded, never through a link, never waiting for a pipe.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    time::{Duration, SystemTime},
};

use flate2::{Compression, GzBuilder};
use rustix::fs::OFlags;

use super::{Index, LeftOut, MAX_ROOT, MAX_TIMESTAMP, Newest};
use crate::{fault::WorkspaceError, files, publish::root_name};

/// The index's name at the top of a mirror.
pub const FILE: &str = "index.json";

/// What is newest in a repository's `metadata` folder.
pub(super) fn newest(metadata: &Path) -> Result<Newest, LeftOut> {
    let names = files::names(metadata).unwrap_or_default();
    let version = |name: &String| name.strip_suffix(".root.json").and_then(|number| number.parse::<u64>().ok());
    let root_version = names.iter().filter_map(version).max().ok_or(LeftOut::Missing("root.json"))?;
    let name = root_name(root_version);
    Ok(Newest {
        root_version,
        root: read(&metadata.join(&name), &name, "root.json", MAX_ROOT)?,
        timestamp: read(&metadata.join("timestamp.json"), "timestamp.json", "timestamp.json", MAX_TIMESTAMP)?,
    })
}

pub(super) fn read(path: &Path, name: &str, kind: &'static str, limit: u64) -> Result<Vec<u8>, LeftOut> {
    // An issuer may write its own folder: a link would put another file into a public index, a pipe would hold the command up.
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let open = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = match open {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(LeftOut::Missing(kind)),
        file => file.map_err(|_| LeftOut::NotAFile(name.to_owned()))?,
    };
    if !file.metadata().is_ok_and(|facts| facts.is_file()) {
        return Err(LeftOut::NotAFile(name.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(|_| LeftOut::NotAFile(name.to_owned()))?;
    if bytes.len() as u64 > limit { Err(LeftOut::TooLarge(name.to_owned())) } else { Ok(bytes) }
}

/// Puts an index and its compressed form at the top of a mirror. False when the same stands there already.
///
/// Servers make an `ETag` of length and time of modification, in seconds, and an index keeps its length when one issuer publishes: so each
/// new one is at least a second younger than the one before.
///
/// # Errors
/// When a file cannot be written.
pub fn write(mirror: &Path, index: &Index) -> Result<bool, WorkspaceError> {
    replace(mirror, FILE, &index.bytes)
}

/// The same for any file at the top of a mirror.
pub(super) fn replace(mirror: &Path, name: &str, bytes: &[u8]) -> Result<bool, WorkspaceError> {
    let (path, beside) = (mirror.join(name), mirror.join(format!("{name}.gz")));
    let compressed = compress(bytes);
    let held = |path: &Path, bytes: &[u8]| fs::read(path).is_ok_and(|held| held == bytes);
    if held(&path, bytes) && held(&beside, &compressed) {
        return Ok(false);
    }
    let before = fs::symlink_metadata(&path).and_then(|facts| facts.modified()).ok();
    let now = SystemTime::now();
    let modified = before.map_or(now, |before| now.max(before + Duration::from_secs(1)));
    put(&beside, &compressed, modified)?;
    put(&path, bytes, modified)?;
    Ok(true)
}

fn put(path: &Path, bytes: &[u8], modified: SystemTime) -> Result<(), WorkspaceError> {
    let failed = |error| WorkspaceError::io("write", path, error);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = File::create_new(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.set_modified(modified)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // What was begun is of no use to anybody; that it cannot be removed is told by the next attempt.
        let _ = fs::remove_file(&beside);
    }
    written.map_err(failed)
}

fn compress(bytes: &[u8]) -> Vec<u8> {
    // Without name and time: the same index gives the same bytes.
    let mut encoder = GzBuilder::new().write(Vec::new(), Compression::best());
    encoder.write_all(bytes).expect("writing to memory does not fail");
    encoder.finish().expect("writing to memory does not fail")
}
