//! Asks a centre to take this device on: one signed request, one signed answer (`cache/EXCHANGE.md`, *Enrolment*).
//!
//! What is asked and whether the answer is believed is decided by [`cache::exchange::enrolment`]; this carries it.

use std::fmt;

use cache::{
    exchange::{Assignment, MAX_NOTE, Pinned, Request, StatementError},
    log::note::NoteSigner,
};
use host::peer::{Peer, PeerError};

/// Why this device is not enrolled.
#[derive(Debug)]
pub enum EnrolmentError {
    /// The centre cannot be asked the way it is configured.
    Peer(PeerError),
    /// It does not answer.
    NoAnswer(String, Box<ureq::Error>),
    /// It answered that it does not enrol this device, or not now.
    Refused(u16, String),
    /// Whatever answered is not the centre of the slip, or meant another device.
    NotTheCentre(StatementError),
}

impl fmt::Display for EnrolmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(_) => f.write_str("the centre cannot be asked"),
            Self::NoAnswer(url, _) => {
                write!(f, "{url} does not answer; is the link up, and is the centre's authority in upload.ca?")
            }
            Self::Refused(status, text) => write!(f, "the centre says {status}: {}", text.trim()),
            Self::NotTheCentre(_) => f.write_str(
                "what answered is not the centre of the slip: is something between this device and its centre?",
            ),
        }
    }
}

impl std::error::Error for EnrolmentError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Peer(error) => Some(error),
            Self::NoAnswer(_, error) => Some(error),
            Self::Refused(..) => None,
            Self::NotTheCentre(error) => Some(error),
        }
    }
}

/// The keys to go by: those that are pinned, and the one that a pinned one has announced since. No answer, or somebody else's, changes
/// nothing.
///
/// # Errors
/// When the centre cannot be asked the way it is configured.
pub fn followed(centre: &Peer, pinned: Pinned) -> Result<Pinned, EnrolmentError> {
    let url = format!("{}/v1/key/succession", centre.url.trim_end_matches('/'));
    let agent = centre.agent().map_err(EnrolmentError::Peer)?;
    let Ok(mut response) = agent.get(&url).call() else { return Ok(pinned) };
    let note = response.body_mut().with_config().limit(MAX_NOTE as u64).read_to_string();
    Ok(note.ok().and_then(|note| pinned.succeed(&note).ok()).unwrap_or(pinned))
}

/// Asks, and returns the answer with its signed note; only an assignment by a `pinned` key for this very device is one.
///
/// # Errors
/// When there is no such answer.
pub fn ask(
    centre: &Peer,
    request: &Request,
    device: &NoteSigner,
    pinned: &Pinned,
) -> Result<(Assignment, String), EnrolmentError> {
    let url = format!("{}/v1/enrol", centre.url.trim_end_matches('/'));
    let agent = centre.agent().map_err(EnrolmentError::Peer)?;
    let no_answer = |error| EnrolmentError::NoAnswer(url.clone(), Box::new(error));
    let mut response = agent
        .post(&url)
        .header("content-type", "text/plain; charset=utf-8")
        .header("user-agent", format!("checkpointd/{}", host::BUILD))
        .send(request.sign(device))
        .map_err(no_answer)?;
    let status = response.status().as_u16();
    let text = response.body_mut().with_config().limit(MAX_NOTE as u64).read_to_string().map_err(no_answer)?;
    if status != 200 {
        let shown = text.chars().filter(|character| !character.is_control() || *character == '\n').take(400);
        return Err(EnrolmentError::Refused(status, shown.collect()));
    }
    let assignment = Assignment::open(&text, pinned.keys(), &request.device).map_err(EnrolmentError::NotTheCentre)?;
    Ok((assignment, text))
}
