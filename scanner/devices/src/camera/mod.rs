//! Where frames and texts come from: cameras, picture files, and the scan engines installers already own.
//!
//! A [`FrameSource`] is one opened thing that either delivers, or says in time that it does not. It never hangs longer
//! than its deadline, never repairs itself, and after [`Next::Gone`] is only good for being dropped: opening anew, with
//! patience, is the supervisor's business. The thread that owns a source owns nothing else.

#[cfg(feature = "nokhwa")]
pub mod nokhwa;
pub mod pictures;
pub mod supervisor;
#[cfg(all(target_os = "linux", feature = "camera"))]
pub mod v4l;

use std::{fmt, io, time::Duration};

use host::config::{self, Backend, Device, PixelOrder, Resolution};
use serde::{Serialize, Serializer, ser::SerializeStruct};

use crate::frame::{Damage, Frame};

pub use pictures::Pictures;
pub use supervisor::{SourceEvent, supervise, supervise_with};

/// Opens what a lane looks through, once. Pictures are played for ever, at the configured rate.
///
/// # Errors
/// When it is not there, cannot be opened, or this build has no backend for it.
pub fn open(camera: &config::Camera) -> Result<Box<dyn FrameSource>, SourceError> {
    match (&camera.device, camera.backend) {
        (Device::None, _) => Err(SourceError::Absent("a camera (the lane is configured without one)".to_owned())),
        (Device::Pictures(path), _) => Ok(Box::new(Pictures::open(path)?.repeated().at_rate(camera.rate))),
        (_, Backend::V4l) => open_v4l(camera),
        (_, Backend::Nokhwa) => open_nokhwa(camera),
        (_, Backend::Auto) if cfg!(target_os = "linux") => open_v4l(camera),
        (_, Backend::Auto) => open_nokhwa(camera),
    }
}

#[cfg(all(target_os = "linux", feature = "camera"))]
fn open_v4l(camera: &config::Camera) -> Result<Box<dyn FrameSource>, SourceError> {
    Ok(Box::new(v4l::V4l::open(camera)?))
}

#[cfg(not(all(target_os = "linux", feature = "camera")))]
fn open_v4l(_: &config::Camera) -> Result<Box<dyn FrameSource>, SourceError> {
    Err(SourceError::Backend("this build has no Video4Linux (it needs Linux and the feature `camera`)".to_owned()))
}

#[cfg(feature = "nokhwa")]
fn open_nokhwa(camera: &config::Camera) -> Result<Box<dyn FrameSource>, SourceError> {
    Ok(Box::new(nokhwa::Portable::open(camera)?))
}

#[cfg(not(feature = "nokhwa"))]
fn open_nokhwa(_: &config::Camera) -> Result<Box<dyn FrameSource>, SourceError> {
    Err(SourceError::Backend("this build has no nokhwa (it needs the feature `nokhwa`)".to_owned()))
}

/// One opened source of frames.
pub trait FrameSource: Send {
    /// The next frame, waiting at most `deadline` for it.
    fn next(&mut self, deadline: Duration) -> Next;

    /// What it is and how it delivers, for the journal and for an installer's eyes.
    fn describe(&self) -> String;

    /// What it could do beside that. A folder of pictures can do nothing else.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }
}

/// What a camera could do, for whoever chooses its settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Abilities {
    /// Formats that are read here, each in one size.
    pub offers: Vec<Offer>,
    /// What of `lane.camera` it lets itself be set.
    pub knobs: Vec<Knob>,
}

/// One format of a camera in one size.
#[derive(Clone, Debug, PartialEq)]
pub struct Offer {
    /// The format.
    pub order: PixelOrder,
    /// The size.
    pub size: Resolution,
    /// Pictures a second, fastest first; empty when the driver does not say.
    pub rates: Vec<f64>,
}

impl Serialize for Offer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut offer = serializer.serialize_struct("Offer", 4)?;
        offer.serialize_field("format", self.order.code())?;
        offer.serialize_field("width", &self.size.width)?;
        offer.serialize_field("height", &self.size.height)?;
        offer.serialize_field("rates", &self.rates)?;
        offer.end()
    }
}

/// Something of a camera that can be set to a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Knob {
    /// Its key in `lane.camera`.
    pub key: &'static str,
    /// The least it can be set to, in the units of that key.
    pub least: i64,
    /// The most.
    pub most: i64,
    /// From one position to the next.
    pub step: i64,
    /// Where it stands when nobody has touched it.
    pub usual: i64,
    /// Where it stands now; a camera's automatic moves it.
    pub now: Option<i64>,
}

/// What waiting for a frame ended with.
#[derive(Debug)]
pub enum Next {
    /// A whole frame.
    Frame(Frame),
    /// Something arrived that is no whole frame. The source goes on.
    Damaged(Damage),
    /// Nothing arrived in time. Whether the source is still alive is for its owner to decide.
    Timeout,
    /// The source has no more, as intended: the last picture of a list.
    End,
    /// The source is broken or unplugged. Drop it.
    Gone(SourceError),
}

/// Why a source could not be opened, or is gone.
#[derive(Debug)]
pub enum SourceError {
    /// Nothing is plugged in where it should be.
    Absent(String),
    /// Another program has it.
    Busy(String),
    /// This process may not open it.
    Forbidden(String),
    /// It has no format that is read here.
    NoFormat(String),
    /// The operating system says no.
    Io {
        /// What was attempted, on what.
        doing: String,
        /// What came back.
        cause: io::Error,
    },
    /// A backend that has only words for its errors.
    Backend(String),
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(what) => write!(f, "{what} is not there: check its plug, then `checkpointd camera list`"),
            Self::Busy(what) => write!(f, "{what} is in use by another program"),
            Self::Forbidden(what) => write!(f, "no permission to open {what}: is this user in its group?"),
            Self::NoFormat(what) => write!(f, "{what} offers neither GREY, NV12, YUYV nor MJPG"),
            Self::Io { doing, cause } => write!(f, "{doing}: {cause}"),
            Self::Backend(says) => f.write_str(says),
        }
    }
}

impl std::error::Error for SourceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

impl SourceError {
    /// Sorts an error of the operating system by what can be done about it.
    #[must_use]
    pub fn from_io(what: &str, doing: &str, cause: io::Error) -> SourceError {
        match cause.kind() {
            io::ErrorKind::NotFound => Self::Absent(what.to_owned()),
            io::ErrorKind::PermissionDenied => Self::Forbidden(what.to_owned()),
            io::ErrorKind::ResourceBusy => Self::Busy(what.to_owned()),
            // ENXIO and ENODEV: the node is there, or was, and the device behind it is not.
            _ if matches!(cause.raw_os_error(), Some(6 | 19)) => Self::Absent(what.to_owned()),
            _ => Self::Io { doing: format!("{doing} {what}"), cause },
        }
    }
}
