//! Files that lie beside the database: its write-ahead log, the head file, the reserve, the marks.

use std::path::{Path, PathBuf};

/// The file beside the database whose name ends so.
pub(super) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
