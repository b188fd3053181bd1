//! Files that tell other programs something: the gate's word, the numbers. Whoever watches one never sees half of it, and may read it
//! although the service's umask keeps everything else it writes to itself.

use std::{
    fs::{self, Permissions},
    io,
    path::Path,
};

/// Puts `text` at `path`: written aside as `….new`, made readable for everybody, then renamed.
///
/// # Errors
/// When the folder cannot be written to.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    fs::write(&aside, text)?;
    fs::set_permissions(&aside, everybody_reads(&aside)?)?;
    fs::rename(&aside, path)
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
    fn a_posted_file_may_be_read_by_everybody_whatever_mode_new_files_begin_with() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("numbers.prom");
        // As under the unit's UMask=0077, which a test cannot set for itself alone: the file that is written into is its owner's only.
        fs::write(folder.path().join("numbers.prom.new"), "").expect("written");
        fs::set_permissions(folder.path().join("numbers.prom.new"), Permissions::from_mode(0o600))
            .expect("its owner's");
        write(&path, "one 1\n").expect("posted");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o644);
        assert_eq!(fs::read_to_string(&path).expect("readable"), "one 1\n");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1, "nothing is left aside");
    }
}
