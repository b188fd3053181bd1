//! What goes wrong in an authority's folder, with the file and what to do.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use crate::{
    authority::{AuthorityError, CodeError},
    last::LastError,
    national::ListError,
    statuses::StatusError,
};

/// Why a command in a folder fails.
#[derive(Debug)]
pub enum WorkspaceError {
    /// A file cannot be read or written.
    Io {
        /// What was tried.
        tried: &'static str,
        /// With which file.
        path: PathBuf,
        /// The system's word.
        source: io::Error,
    },
    /// There is no authority in this folder.
    NotAWorkspace(PathBuf),
    /// There is one already.
    AlreadyThere(PathBuf),
    /// Another command works in it.
    Busy(PathBuf),
    /// Others than its owner may read a key.
    OpenKey(PathBuf),
    /// A file is not what its name says.
    BadFile(PathBuf, String),
    /// The first root is gone.
    NoRoot(PathBuf),
    /// The authority does not do it.
    Authority(AuthorityError),
    /// A status list does not bear it.
    Status(StatusError),
    /// A code cannot be made.
    Code(CodeError),
    /// Gates may hold a later generation than is known here.
    Last(LastError),
    /// A backup is not whole, or not what it says.
    Backup(PathBuf, String),
    /// Something much, and nobody has said yes.
    Unconfirmed(String),
    /// What was asked for makes no sense.
    Usage(String),
}

impl WorkspaceError {
    /// A file that could not be read or written.
    #[must_use]
    pub fn io(tried: &'static str, path: &Path, source: io::Error) -> WorkspaceError {
        WorkspaceError::Io { tried, path: path.to_owned(), source }
    }
}

impl From<AuthorityError> for WorkspaceError {
    fn from(error: AuthorityError) -> WorkspaceError {
        WorkspaceError::Authority(error)
    }
}

impl From<LastError> for WorkspaceError {
    fn from(error: LastError) -> WorkspaceError {
        WorkspaceError::Last(error)
    }
}

impl From<ListError> for WorkspaceError {
    fn from(error: ListError) -> WorkspaceError {
        WorkspaceError::Authority(AuthorityError::List(error))
    }
}

impl From<StatusError> for WorkspaceError {
    fn from(error: StatusError) -> WorkspaceError {
        WorkspaceError::Status(error)
    }
}

impl From<CodeError> for WorkspaceError {
    fn from(error: CodeError) -> WorkspaceError {
        WorkspaceError::Code(error)
    }
}

impl From<crate::key::KeyError> for WorkspaceError {
    fn from(error: crate::key::KeyError) -> WorkspaceError {
        WorkspaceError::Authority(AuthorityError::Key(error))
    }
}

impl fmt::Display for WorkspaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { tried, path, source } => write!(f, "cannot {tried} {}: {source}", path.display()),
            Self::NotAWorkspace(path) => write!(
                f,
                "{} holds no authority; name its folder with --dir, or make one with `authority init`",
                path.display()
            ),
            Self::AlreadyThere(path) => {
                write!(
                    f,
                    "{} holds an authority already; its keys are never overwritten, choose another folder",
                    path.display()
                )
            }
            Self::Busy(path) => {
                write!(f, "another authority command works with {}; try again when it is done", path.display())
            }
            Self::OpenKey(path) => write!(
                f,
                "others may read the key {}; if nobody has, run `chmod 600` on it, otherwise replace the key",
                path.display()
            ),
            Self::BadFile(path, why) => write!(f, "{}: {why}", path.display()),
            Self::NoRoot(path) => write!(
                f,
                "{} is missing; copy every metadata/*.root.json of the published repository back there",
                path.display()
            ),
            Self::Authority(error) => error.fmt(f),
            Self::Status(error) => error.fmt(f),
            Self::Code(error) => error.fmt(f),
            Self::Last(error) => error.fmt(f),
            Self::Backup(path, why) => write!(f, "the backup {} cannot be used: {why}", path.display()),
            Self::Unconfirmed(what) => {
                write!(f, "{what}; nothing was done. Say --yes if that is meant")
            }
            Self::Usage(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for WorkspaceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Authority(error) => Some(error),
            Self::Status(error) => Some(error),
            Self::Code(error) => Some(error),
            Self::Last(error) => Some(error),
            _ => None,
        }
    }
}
