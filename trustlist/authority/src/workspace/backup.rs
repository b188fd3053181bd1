//! Backups of a folder: every file with its digest, and the way back.
//!
//! A backup that cannot be restored is found out about on the worst day. So a backup is made by a command and not by hand, says what is in
//! it, is checked before anything is written, and remembers that later generations may have been published since.

use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use trustlist::{region::Region, time::UnixTime};

use super::{HOSTED, KEYS, LAST, LISTS, Workspace};
use crate::{
    fault::WorkspaceError,
    files::{create_directory, names, read, read_json, write_json},
    last::LastPublished,
    metadata,
};

/// The list of a backup's files.
const CONTENTS: &str = "backup.json";
/// The form of this list.
const VERSION: u32 = 1;

/// `backup.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackUp {
    version: u32,
    /// Whose.
    pub issuer: Region,
    /// When it was made.
    pub made: UnixTime,
    /// The newest generation in it.
    pub generation: Option<u64>,
    /// SHA-256 of every file.
    pub files: BTreeMap<String, String>,
    /// Ids of root keys whose private half is not in it.
    pub root_keys_elsewhere: Vec<String>,
}

/// What came back.
#[derive(Debug)]
pub struct Restored {
    /// The folder.
    pub workspace: Workspace,
    /// The backup's own list.
    pub backup: BackUp,
}

impl Workspace {
    /// Copies everything in the folder to `to`, which must be new or empty.
    ///
    /// # Errors
    /// When it is neither, lies in the folder itself, or a file cannot be copied.
    pub fn back_up(&self, to: &Path, at: UnixTime) -> Result<BackUp, WorkspaceError> {
        if !names(to)?.is_empty() {
            return Err(WorkspaceError::Backup(
                to.to_owned(),
                "there is something in it already; name a new folder".to_owned(),
            ));
        }
        let mut found = Vec::new();
        walk(&self.directory, Path::new(""), &mut found)?;
        create_directory(to, 0o700)?;
        let absolute = |path: &Path| fs::canonicalize(path).map_err(|error| WorkspaceError::io("find", path, error));
        if absolute(to)?.starts_with(absolute(&self.directory)?) {
            return Err(WorkspaceError::Backup(
                to.to_owned(),
                "it lies in the folder itself; name one on another disk".to_owned(),
            ));
        }
        let mut files = BTreeMap::new();
        for path in found {
            let bytes = read(&self.directory.join(&path))?;
            put(&to.join(&path), &bytes, is_key(&path))?;
            files.insert(path.display().to_string(), metadata::sha256(&bytes));
        }
        let root = self.authority.root()?;
        let held: Vec<String> = self.authority.private.iter().map(metadata::key_id).collect();
        let root_keys = root.roles.get(&metadata::Role::Root).map(|keys| keys.keyids.clone()).unwrap_or_default();
        let backup = BackUp {
            version: VERSION,
            issuer: self.authority.issuer,
            made: at,
            generation: self.record()?.map(|record| record.generation),
            files,
            root_keys_elsewhere: root_keys.into_iter().filter(|id| !held.contains(id)).collect(),
        };
        write_json(&to.join(CONTENTS), &backup)?;
        Ok(backup)
    }

    /// Brings a backup back into `directory`, where nothing may be. Nothing is published from there before somebody has looked at what was
    /// published since.
    ///
    /// # Errors
    /// When an authority is there, or the backup is not whole. Nothing is written then.
    pub fn restore(directory: &Path, from: &Path) -> Result<Restored, WorkspaceError> {
        Workspace::check_free(directory)?;
        let unusable = |why: String| WorkspaceError::Backup(from.to_owned(), why);
        if !from.join(CONTENTS).exists() {
            return Err(unusable(format!("it has no {CONTENTS}; name a folder that `authority backup` made")));
        }
        let backup: BackUp = read_json(&from.join(CONTENTS))?;
        if backup.version != VERSION {
            return Err(unusable(format!("its form is {}, and this program knows {VERSION}", backup.version)));
        }
        let mut files = Vec::new();
        for (name, digest) in &backup.files {
            let path = Path::new(name);
            if !path.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
                return Err(unusable(format!("{name} is no name of a file in it")));
            }
            let bytes = fs::read(from.join(path)).map_err(|error| unusable(format!("{name}: {error}")))?;
            if metadata::sha256(&bytes) != *digest {
                return Err(unusable(format!("{name} is not as it was backed up; take another copy")));
            }
            files.push((path, bytes));
        }
        create_directory(directory, 0o755)?;
        create_directory(&directory.join(KEYS), 0o700)?;
        for (path, bytes) in files {
            put(&directory.join(path), &bytes, is_key(path))?;
        }
        let mut workspace = Workspace::open(directory)?;
        workspace.mark_restored()?;
        for issuer in workspace.hosted_issuers()? {
            workspace.hosted(issuer)?.mark_restored()?;
        }
        Ok(Restored { workspace, backup })
    }

    fn mark_restored(&mut self) -> Result<(), WorkspaceError> {
        // Where nothing was ever published, nothing can have been published since that is not known here; but another copy may have begun.
        let last = LastPublished { last: self.record()?, restored: true };
        write_json(&self.directory.join(LISTS).join(LAST), &last)?;
        self.last = Some(last);
        Ok(())
    }
}

/// Files below `folder`, without what is being written just now.
fn walk(top: &Path, folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), WorkspaceError> {
    let mut here = names(&top.join(folder))?;
    here.sort_unstable();
    for name in here {
        let path = folder.join(&name);
        let full = top.join(&path);
        let kind = fs::symlink_metadata(&full).map_err(|error| WorkspaceError::io("read", &full, error))?.file_type();
        if kind.is_dir() {
            walk(top, &path, found)?;
        } else if kind.is_file() && !(name.starts_with('.') && name.ends_with(".new")) {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a file lies in `keys/`, of this issuer or of one that is kept here.
fn is_key(path: &Path) -> bool {
    let mut parts = path.iter();
    match parts.next() {
        Some(first) if first == KEYS => true,
        Some(first) if first == HOSTED => parts.nth(1).is_some_and(|part| part == KEYS),
        _ => false,
    }
}

fn put(path: &Path, bytes: &[u8], key: bool) -> Result<(), WorkspaceError> {
    let (folder, mode) = (path.parent().unwrap_or(Path::new(".")), if key { 0o700 } else { 0o755 });
    create_directory(folder, mode)?;
    let failed = |error: io::Error| WorkspaceError::io("write", path, error);
    let file = {
        use std::{fs::OpenOptions, io::Write, os::unix::fs::OpenOptionsExt};
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(if key { 0o600 } else { 0o644 })
            .open(path)
            .map_err(failed)?;
        file.write_all(bytes).map_err(failed)?;
        file
    };
    if key {
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed)?;
    }
    file.sync_all().map_err(failed)
}
