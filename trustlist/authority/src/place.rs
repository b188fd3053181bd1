//! Places where repositories stand: a folder or a web server. Only read here.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::PathBuf,
    str::FromStr,
    time::Duration,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use trustlist::tuf::Answer;

/// How long a server may take for one file. A publication waits for it.
const PATIENCE: Duration = Duration::from_secs(30);

/// The top of a mirror, above the issuers' folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder, a stick.
    Folder(PathBuf),
    /// The address of a web server, with a slash at the end.
    Server(String),
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Place, String> {
        if text.starts_with("https://") || text.starts_with("http://") {
            return Ok(Place::Server(format!("{}/", text.trim_end_matches('/'))));
        }
        match text.strip_prefix("file://") {
            None if text.contains("://") => Err(format!("{text} is neither a folder nor an http(s) address")),
            None => Ok(Place::Folder(text.into())),
            Some(folder) => Ok(Place::Folder(folder.into())),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(f),
            Self::Server(address) => f.write_str(address),
        }
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Place, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl Place {
    /// Reads the file at `path`, which has slashes between its parts; at most one byte beyond `limit`.
    #[must_use]
    pub fn fetch(&self, path: &str, limit: u64) -> Answer {
        match self {
            Self::Folder(folder) => {
                let mut bytes = Vec::new();
                match File::open(folder.join(path)).and_then(|file| file.take(limit + 1).read_to_end(&mut bytes)) {
                    Ok(_) => Answer::Bytes(bytes),
                    // A stick that was pulled out holds nothing, and must not be taken for an empty one.
                    Err(error) if error.kind() == io::ErrorKind::NotFound && folder.is_dir() => Answer::NotFound,
                    Err(error) => Answer::Unreachable(error.to_string()),
                }
            }
            Self::Server(address) => fetch(&format!("{address}{path}"), limit),
        }
    }
}

fn fetch(address: &str, limit: u64) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let mut response = match agent.get(address).call() {
        Ok(response) => response,
        Err(ureq::Error::StatusCode(404 | 410)) => return Answer::NotFound,
        Err(error) => return Answer::Unreachable(error.to_string()),
    };
    match response.body_mut().with_config().limit(limit + 1).read_to_vec() {
        Ok(bytes) => Answer::Bytes(bytes),
        Err(error) => Answer::Unreachable(error.to_string()),
    }
}
