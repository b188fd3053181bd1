//! Cameras through nokhwa: the portable backend, for a developer's or demonstrator's laptop. A gate uses Video4Linux directly.
//!
//! nokhwa cannot be told how long to wait, so its camera lives in a thread of its own and every wait here is for that thread's
//! slot. A camera that hangs leaves its thread behind, which ends with the next picture or error; until then opening it again
//! says that it is busy. Buffers come whole, without the length the driver filled: JPEG ends where its markers say.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use host::config::{self, Device, PixelOrder};
use nokhwa::{
    Camera, NokhwaError,
    pixel_format::LumaFormat,
    utils::{ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution},
};

use super::{FrameSource, Next, SourceError};
use crate::frame::{Damage, Frame, Layout, Pool, Slot, SlotReceiver, SlotSender, slot, to_luma};
use crate::moment;

/// Opening asks the operating system for permission on some machines, and a person answers.
const OPENING: Duration = Duration::from_secs(30);

/// A camera in a thread of its own.
#[derive(Debug)]
pub struct Portable {
    pictures: SlotReceiver<Result<Frame, Trouble>>,
    stop: Arc<AtomicBool>,
    about: String,
}

/// Why a picture did not come.
#[derive(Debug)]
enum Trouble {
    Damaged(Damage),
    Gone(String),
}

impl Portable {
    /// Opens the camera that the configuration means, by number: nokhwa knows no paths and no USB ids.
    pub fn open(camera: &config::Camera) -> Result<Portable, SourceError> {
        let number = match &camera.device {
            Device::Index(number) => *number,
            Device::Auto => 0,
            other => {
                return Err(SourceError::Backend(format!("nokhwa opens cameras by number only; \"{other}\" is none")));
            }
        };
        let (told, heard) = mpsc::channel();
        let (sender, pictures) = slot();
        let stop = Arc::new(AtomicBool::new(false));
        let (settings, stopped) = (camera.clone(), stop.clone());
        let thread = move || match start(number, &settings) {
            Ok(opened) => {
                // Nobody waits any more: then the slot is closed too, and the loop ends at once.
                let _ = told.send(Ok(opened.camera_format().to_string()));
                deliver(opened, &sender, &stopped);
            }
            Err(error) => {
                let _ = told.send(Err(error.to_string()));
            }
        };
        thread::Builder::new()
            .name("nokhwa".to_owned())
            .spawn(thread)
            .map_err(|cause| SourceError::Io { doing: "starting a thread for the camera".to_owned(), cause })?;
        match heard.recv_timeout(OPENING) {
            Ok(Ok(about)) => Ok(Portable { pictures, stop, about: format!("camera {number} {about}") }),
            Ok(Err(says)) => Err(SourceError::Backend(says)),
            Err(_) => Err(SourceError::Busy(format!("camera {number}"))),
        }
    }
}

impl FrameSource for Portable {
    fn next(&mut self, deadline: Duration) -> Next {
        match self.pictures.take(moment::now() + deadline) {
            Slot::Filled(Ok(frame)) => Next::Frame(frame),
            Slot::Filled(Err(Trouble::Damaged(damage))) => Next::Damaged(damage),
            Slot::Filled(Err(Trouble::Gone(says))) => Next::Gone(SourceError::Backend(says)),
            Slot::Timeout => Next::Timeout,
            Slot::Closed => Next::Gone(SourceError::Backend("the camera's thread has ended".to_owned())),
        }
    }

    fn describe(&self) -> String {
        self.about.clone()
    }
}

impl Drop for Portable {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn start(number: u32, settings: &config::Camera) -> Result<Camera, NokhwaError> {
    let size = Resolution::new(settings.resolution.width, settings.resolution.height);
    let index = || CameraIndex::Index(number);
    // `Closest` fails where the exact size is missing; then whatever is fastest, and last whatever comes first.
    let closest = CameraFormat::new(size, FrameFormat::MJPEG, settings.rate);
    let mut tried = Err(NokhwaError::OpenDeviceError(number.to_string(), "no format was tried".to_owned()));
    for request in [
        RequestedFormatType::Closest(closest),
        RequestedFormatType::HighestFrameRate(settings.rate),
        RequestedFormatType::None,
    ] {
        tried = Camera::with_backend(index(), RequestedFormat::new::<LumaFormat>(request), ApiBackend::Auto);
        if tried.is_ok() {
            break;
        }
    }
    let mut camera = tried?;
    camera.open_stream()?;
    Ok(camera)
}

/// Takes pictures until somebody asks to stop, nobody listens, or the camera fails; nokhwa never heals by itself.
fn deliver(mut camera: Camera, slot: &SlotSender<Result<Frame, Trouble>>, stop: &AtomicBool) {
    let pool = Pool::new();
    let mut sequence = 0;
    while !stop.load(Ordering::Relaxed) {
        let picture = match camera.frame() {
            Ok(buffer) => {
                sequence += 1;
                let size = buffer.resolution();
                frame(buffer.buffer(), buffer.source_frame_format(), size, sequence, &pool).map_err(Trouble::Damaged)
            }
            Err(error) => Err(Trouble::Gone(error.to_string())),
        };
        let gone = matches!(picture, Err(Trouble::Gone(_)));
        if !slot.put(picture) || gone {
            return;
        }
    }
}

fn frame(bytes: &[u8], format: FrameFormat, size: Resolution, sequence: u64, pool: &Pool) -> Result<Frame, Damage> {
    let captured = moment::now();
    let order = match format {
        FrameFormat::MJPEG => PixelOrder::Mjpeg,
        FrameFormat::YUYV => PixelOrder::Yuyv,
        FrameFormat::NV12 => PixelOrder::Nv12,
        FrameFormat::GRAY => PixelOrder::Grey,
        _ => return Err(Damage::Undecodable),
    };
    let (width, height) = (size.width() as usize, size.height() as usize);
    let layout = Layout { order, width, height, stride: 0 };
    let luma = to_luma(bytes, layout, pool)?;
    Frame::new(luma, width, height, sequence, captured).map_err(|_| Damage::TooLarge { width, height })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_that_is_not_there_or_not_a_number_is_an_error_in_words() {
        let named = |device| config::Camera { device, ..config::Camera::default() };
        let by_path = Portable::open(&named(Device::Path("/dev/v4l/by-id/x".into()))).expect_err("no number");
        assert!(by_path.to_string().contains("by number only"), "{by_path}");
        assert!(Portable::open(&named(Device::Index(250))).is_err());
    }
}
