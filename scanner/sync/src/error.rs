//! Why lists could not be loaded, fetched or written: whose doing it is, and what to try.

use std::{error, fmt, io, path::PathBuf};

use cache::log::Fault;
use host::peer::PeerError;
use trustlist::{
    region::{NATIONAL, Region},
    time::UnixTime,
    trust::TrustError,
    tuf::Refusal,
};

/// Why there are no lists, or no newer ones.
#[derive(Debug)]
pub enum Error {
    /// Something else than a folder has the name of one.
    NotAFolder(PathBuf),
    /// A folder cannot be opened.
    FolderMirror(PathBuf, io::Error),
    /// A folder holds no trust repositories.
    NoRepositories(PathBuf),
    /// Several folders below the one that was named hold trust repositories.
    SeveralPlaces(Vec<PathBuf>),
    /// A folder does not give a file out.
    Unreadable(PathBuf, String),
    /// A repository of a folder does not verify.
    Refused {
        /// The folder and the repository.
        place: String,
        /// What is wrong.
        refusal: Refusal,
    },
    /// The verified lists of a folder do not fit together.
    Unusable(String, TrustError),
    /// The store cannot be opened, read or written.
    Store(Fault),
    /// The store's file cannot be read any more.
    StoreUnreadable(PathBuf, Fault),
    /// What is stored of the national lists does not verify.
    NationalDoesNotVerify,
    /// What is stored of an issuer does not verify.
    DoesNotVerify(Region, Refusal),
    /// The stored lists do not fit together.
    StoredUnusable(TrustError),
    /// Neither the store nor the package has lists.
    NoLists {
        /// The store.
        store: PathBuf,
        /// The package's folder.
        seed: PathBuf,
        /// What is wrong with the store, where there is one.
        why: Option<String>,
    },
    /// The store holds no national root, and nobody vouches for one.
    NoRoot,
    /// A root that counted until now does not verify.
    Root(Refusal),
    /// Lists under a root that somebody vouches for are not above what was accepted here once.
    NotAboveFloor {
        /// Their generation.
        found: u64,
        /// The highest that was accepted.
        floor: u64,
    },
    /// Lists under a root that somebody vouches for are dated in the future of this clock, which is confirmed.
    FoundedAhead(UnixTime),
    /// The configuration names no mirrors.
    NoMirrors,
    /// `sync.proxy` cannot be used.
    Proxy(String, ureq::Error),
    /// `sync.ca` cannot be used.
    Authorities(PeerError),
    /// The store has nothing in force that could be written out.
    NothingToExport,
    /// A file of an export cannot be written.
    CannotWrite(PathBuf, io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFolder(path) => write!(f, "{} is no folder", path.display()),
            Self::FolderMirror(path, _) => write!(f, "cannot open {}", path.display()),
            Self::NoRepositories(path) => write!(
                f,
                "{} holds no trust repositories: {NATIONAL}/metadata/1.root.json is not there; name the folder above {NATIONAL}",
                path.display()
            ),
            Self::SeveralPlaces(places) => {
                let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
                write!(f, "trust repositories lie in several folders ({}); name one of them", places.join(", "))
            }
            Self::Unreadable(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Refused { place, refusal } => write!(f, "{place}: {refusal}"),
            Self::Unusable(place, _) => write!(f, "{place}: the lists cannot be used"),
            Self::Store(_) => f.write_str("the trust store cannot be used"),
            Self::StoreUnreadable(path, _) => {
                write!(f, "the trust store cannot be read; keep {} for the technician", path.display())
            }
            Self::NationalDoesNotVerify => f.write_str("what is stored of the national lists does not verify"),
            Self::DoesNotVerify(issuer, refusal) => {
                write!(f, "{issuer}: what is stored does not verify: {refusal}")
            }
            Self::StoredUnusable(_) => f.write_str("the stored lists cannot be used"),
            Self::NoLists { store, seed, why } => {
                write!(f, "no lists on this device (looked in {} and {})", store.display(), seed.display())?;
                why.iter().try_for_each(|why| write!(f, "; {why}"))?;
                f.write_str("; bring some with checkpointd trust import, or name a folder with --trust")
            }
            Self::NoRoot => f.write_str(
                "this device trusts no national root yet; install the package's seed lists, or vouch for one with --first-root FILE",
            ),
            Self::Root(refusal) => write!(f, "{refusal}"),
            Self::NotAboveFloor { found, floor } => write!(
                f,
                "{NATIONAL}: generation {found} under the new root is not above {floor}, which this gate has accepted once; nothing was \
                 changed. Whoever founded the nation anew publishes with --after {floor}"
            ),
            Self::FoundedAhead(issued) => write!(
                f,
                "{NATIONAL}: the lists under the new root are dated {issued}, which is to come; nothing was changed. Set the clock, or \
                 have them published anew"
            ),
            Self::NoMirrors => f.write_str(
                "no mirrors are configured; set sync.mirrors, or bring lists with checkpointd trust import",
            ),
            Self::Proxy(proxy, _) => write!(f, "sync.proxy: {proxy} cannot be used"),
            Self::Authorities(error) => write!(f, "sync.ca: {error}"),
            Self::NothingToExport => {
                f.write_str("this device has accepted no lists yet; there is nothing to export")
            }
            Self::CannotWrite(path, _) => write!(f, "cannot write {}", path.display()),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::FolderMirror(_, cause) | Self::CannotWrite(_, cause) => Some(cause),
            Self::Unusable(_, cause) | Self::StoredUnusable(cause) => Some(cause),
            Self::Store(cause) | Self::StoreUnreadable(_, cause) => Some(cause),
            Self::Proxy(_, cause) => Some(cause),
            _ => None,
        }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Error {
        Error::Store(fault)
    }
}
