//! The documents inside the trust repositories, as JSON. The publisher's desk writes these types; the judge reads them.
//!
//! A member that is not known here is passed over, so that newer lists serve older gates. An **entry** that cannot be understood is
//! left out and reported as a [`Fault`], so that one mistake does not stop a country; a document that is no document is an error.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::region::Region;

pub mod keys;
pub mod policy;
pub mod recognition;
pub mod risk;
pub mod trustlist;

/// Entries read from one document. Stops a megabyte of `{}` from becoming a slow list.
pub const MAX_ENTRIES: usize = 16_384;

/// Something in a list that was left out, and why: for the journal and `trust show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Whose repository.
    pub issuer: Region,
    /// Which target of it.
    pub file: String,
    /// What is wrong and with which entry.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}: {}", self.issuer, self.file, self.what)
    }
}

/// A document that cannot be read at all.
#[derive(Debug)]
pub struct BadDocument {
    /// Which target.
    pub file: String,
    /// Why.
    pub why: String,
}

impl fmt::Display for BadDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; publish it again", self.file, self.why)
    }
}

impl std::error::Error for BadDocument {}

/// Reads a document whose entries stand in the array `member`, leaving out those that are not understood.
pub(crate) fn entries<T: DeserializeOwned>(
    bytes: &[u8],
    issuer: Region,
    file: &str,
    member: &str,
    faults: &mut Vec<Fault>,
) -> Result<Vec<T>, BadDocument> {
    let bad = |why: String| BadDocument { file: file.to_owned(), why };
    let mut document: Value = serde_json::from_slice(bytes).map_err(|error| bad(format!("not JSON ({error})")))?;
    let values = match document.get_mut(member).map(Value::take) {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(values)) if values.len() <= MAX_ENTRIES => values,
        Some(Value::Array(values)) => {
            return Err(bad(format!("{} entries in {member}; at most {MAX_ENTRIES}", values.len())));
        }
        Some(_) => return Err(bad(format!("{member} is no array"))),
    };
    let mut read = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        match serde_json::from_value(value) {
            Ok(entry) => read.push(entry),
            Err(error) => {
                faults.push(Fault {
                    issuer,
                    file: file.to_owned(),
                    what: format!("{member}[{index}] is left out: {error}"),
                });
            }
        }
    }
    Ok(read)
}

/// A name in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}
