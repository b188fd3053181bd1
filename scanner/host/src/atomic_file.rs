//! Files that are replaced whole: whoever reads one sees the old text or the new one, never half of either.
//!
//! What must survive a pulled plug is flushed, the file before its new name counts and the folder after it ([`replace`]). What only
//! tells other programs something (the gate's word, the numbers) is not worth a flush, and may be read by everybody although the
//! service's umask keeps everything else that it writes to itself ([`publish`]).

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Who may read a file that is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readers {
    /// Whoever the service's umask lets.
    Usual,
    /// The file's owner alone, whatever the umask says: it holds a secret.
    Owner,
}

/// Replaces the file at `path`, durably: written aside as `….new`, flushed, renamed, and the folder flushed.
///
/// # Errors
/// When the disk does not take it; the file before it stays.
pub fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let aside = aside(path);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    if readers == Readers::Owner {
        // An older file aside may be anybody's to read.
        match fs::remove_file(&aside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600),
        };
    }
    let mut file = options.open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    match path.parent() {
        Some(folder) if cfg!(unix) => File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

/// Puts `text` at `path`, readable for everybody and not flushed: written aside as `….new`, then renamed.
///
/// # Errors
/// When the folder cannot be written to.
pub fn publish(path: &Path, text: &str) -> io::Result<()> {
    let aside = aside(path);
    fs::write(&aside, text)?;
    fs::set_permissions(&aside, everybody_reads(aside.as_os_str())?)?;
    fs::rename(&aside, path)
}

fn aside(path: &Path) -> PathBuf {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    PathBuf::from(aside)
}

#[cfg(unix)]
fn everybody_reads(_: &std::ffi::OsStr) -> io::Result<Permissions> {
    Ok(std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

/// Elsewhere the folder's own rules decide.
#[cfg(not(unix))]
fn everybody_reads(aside: &std::ffi::OsStr) -> io::Result<Permissions> {
    fs::metadata(aside).map(|about| about.permissions())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_published_file_may_be_read_by_everybody_whatever_mode_new_files_begin_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("numbers.prom");
        // As under the unit's UMask=0077, which a test cannot set for itself alone: the file that is written into is its owner's only.
        fs::write(folder.path().join("numbers.prom.new"), "").expect("written");
        fs::set_permissions(folder.path().join("numbers.prom.new"), Permissions::from_mode(0o600))
            .expect("its owner's");
        publish(&path, "one 1\n").expect("published");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_to_string(&path).expect("readable"), "one 1\n");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left aside");
    }

    #[test]
    fn a_file_that_is_replaced_is_whole_and_one_with_a_secret_is_its_owners_whatever_lay_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("codes.toml");
        for text in ["number = 1\n", "2\n"] {
            replace(&path, text.as_bytes(), Readers::Usual).expect("replaced");
            assert_eq!(fs::read_to_string(&path).expect("readable"), text);
        }
        fs::write(folder.path().join("codes.toml.new"), "left by a pulled plug").expect("written");
        replace(&path, b"secret", Readers::Owner).expect("replaced");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left aside");
    }
}
