//! What can go wrong with the log, and what to try.

use std::{fmt, io, path::PathBuf};

use rusqlite::ErrorCode;

/// Why a log could not be opened, read or changed as a whole.
#[derive(Debug)]
pub enum Fault {
    /// The file is no SQLite database, and not a damaged one either.
    NotADatabase(PathBuf),
    /// A SQLite database of another program.
    Foreign(PathBuf),
    /// Written by a newer release.
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest this release knows.
        known: i64,
    },
    /// The database fails its check.
    Damaged {
        /// The file.
        path: PathBuf,
        /// First complaint of the check.
        complaint: String,
    },
    /// A trust store that held lists holds nothing.
    CutShort(PathBuf),
    /// File or directory cannot be written.
    ReadOnly(PathBuf),
    /// The disk, or the size the log may have, is used up.
    Full,
    /// A reader holds the write-ahead log, and it has grown to its bound.
    Held,
    /// Another process holds the database for too long.
    Busy,
    /// A damaged file could not be moved aside.
    CannotSetAside(PathBuf, io::Error),
    /// The file cannot be opened, read or made.
    File(PathBuf, io::Error),
    /// The system gives no randomness.
    NoRandomness,
    /// The writer has ended.
    Closed,
    /// Anything else SQLite says.
    Sqlite(rusqlite::Error),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotADatabase(path) => {
                write!(f, "{}: not a database; check the configured path, or move the file away", path.display())
            }
            Self::Foreign(path) => write!(
                f,
                "{}: a SQLite database of another program; check the configured path (nothing was changed)",
                path.display()
            ),
            Self::Newer { path, found, known } => write!(
                f,
                "{}: written by a newer release (schema {found}, this one knows {known}); \
                 install that release again, or move the file away (nothing was changed)",
                path.display()
            ),
            Self::Damaged { path, complaint } => write!(f, "{}: damaged ({complaint})", path.display()),
            Self::CutShort(path) => write!(
                f,
                "{}: empty, though lists were held in it; move it away to begin again (nothing older than those lists is taken \
                 then), and tell the technician",
                path.display()
            ),
            Self::ReadOnly(path) => {
                write!(f, "{}: cannot be written; check the directory's owner and the mount", path.display())
            }
            Self::Full => f.write_str("no space left for the scan log; free disk space or raise the log's size"),
            Self::Held => f.write_str(
                "a program that reads the scan log holds its write-ahead log, which may not grow further; end that program",
            ),
            Self::Busy => f.write_str("the scan log is held by another process; end it and try again"),
            Self::CannotSetAside(path, _) => {
                write!(f, "{}: damaged, and it cannot be moved aside; check the directory's owner", path.display())
            }
            Self::File(path, _) => write!(f, "{}: cannot be opened or made", path.display()),
            Self::NoRandomness => f.write_str("the system gives no randomness"),
            Self::Closed => f.write_str("the scan log's writer has ended"),
            Self::Sqlite(error) => write!(f, "scan log: {error}"),
        }
    }
}

impl std::error::Error for Fault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::CannotSetAside(_, error) | Self::File(_, error) => Some(error),
            Self::Sqlite(error) => Some(error),
            _ => None,
        }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        match WriteFault::of(&error) {
            WriteFault::Full => Self::Full,
            WriteFault::Busy => Self::Busy,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<getrandom::Error> for Fault {
    fn from(_: getrandom::Error) -> Self {
        Self::NoRandomness
    }
}

/// Why a row is not in the log. Small, because every row that waited in the same group is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// No space, and nothing that may be dropped.
    Full,
    /// A reader holds the write-ahead log, which may not grow further.
    Held,
    /// The file system became read-only.
    ReadOnly,
    /// The database is damaged.
    Damaged,
    /// Another process holds it.
    Busy,
    /// The disk returned an error.
    Disk,
    /// More rows wait than the writer accepts: the disk has hung.
    Overloaded,
    /// The writer has ended.
    Closed,
    /// Anything else; the journal has the text.
    Other,
}

impl WriteFault {
    /// The stable word for pages and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Held => "held",
            Self::ReadOnly => "read-only",
            Self::Damaged => "damaged",
            Self::Busy => "busy",
            Self::Disk => "disk",
            Self::Overloaded => "overloaded",
            Self::Closed => "closed",
            Self::Other => "other",
        }
    }

    pub(crate) fn of(error: &rusqlite::Error) -> WriteFault {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::SystemIoFailure) => Self::Disk,
            _ => Self::Other,
        }
    }
}

impl From<&Fault> for WriteFault {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::Full => Self::Full,
            Fault::Held => Self::Held,
            Fault::Busy => Self::Busy,
            Fault::ReadOnly(_) => Self::ReadOnly,
            Fault::Damaged { .. } => Self::Damaged,
            Fault::Closed => Self::Closed,
            Fault::Sqlite(error) => Self::of(error),
            _ => Self::Other,
        }
    }
}

impl fmt::Display for WriteFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}
