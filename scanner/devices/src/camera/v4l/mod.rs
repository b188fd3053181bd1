//! Cameras through Video4Linux, for gates: memory-mapped buffers, luma straight out of them, and never a wait without an end.
//!
//! The crate `v4l` wraps the system calls; what is known about it and about drivers is dealt with here and nowhere else:
//! - A buffer is cut to `bytesused`, and refused when the driver flagged it.
//! - After a wait that ran out, the crate's `next` would queue a buffer that is queued already, which a driver refuses for ever.
//!   So such a wait is followed by a plain dequeue, which puts both sides in step again.
//! - Its stream panics when dropped if the driver does not stop; so it is stopped first, and forgotten when that fails.
//! - STREAMON happens with the first wait, so an opened camera proves nothing: the first frame does.

mod arrival;
pub mod choice;
mod controls;
pub mod devices;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use host::config::{Camera, PixelOrder, Resolution};
use v4l::{
    Device, Format, FourCC, Fraction,
    buffer::{Flags, Type},
    frameinterval::FrameIntervalEnum,
    framesize::FrameSizeEnum,
    io::{
        mmap::Stream,
        traits::{CaptureStream, Stream as _},
    },
    video::{Capture, capture::Parameters},
};

use super::{Abilities, FrameSource, Next, Offer, SourceError};
use crate::frame::{Damage, Frame, Layout, Pool, to_luma};
use crate::moment;

/// Buffers given to the driver: one being filled, one waiting, and two for a lane that was busy.
const BUFFERS: u32 = 4;

/// Longest single wait; a deadline beyond it is a mistake, and must not overflow the system call's milliseconds.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// A camera that streams.
pub struct V4l {
    /// Both are taken only when this is dropped.
    device: Option<Device>,
    stream: Option<Stream<'static>>,
    /// The driver holds every buffer: the one before was given back and none was taken since.
    stalled: bool,
    layout: Layout,
    pool: Pool,
    path: String,
}

impl V4l {
    /// Opens the camera that the configuration means, sets format, rate and knobs, and asks for buffers.
    pub fn open(camera: &Camera) -> Result<V4l, SourceError> {
        let mut first_refusal = None;
        for path in devices::Machine::default().find(&camera.device)? {
            match V4l::open_path(&path, camera) {
                Ok(opened) => return Ok(opened),
                // A metadata node has no pictures; what a real camera says is worth more than that.
                Err(SourceError::NoFormat(_)) if first_refusal.is_some() => {}
                Err(error) => {
                    if first_refusal.as_ref().is_none_or(|first| matches!(first, SourceError::NoFormat(_))) {
                        first_refusal = Some(error);
                    }
                }
            }
        }
        Err(first_refusal.expect("at least one path was found and none could be opened"))
    }

    fn open_path(path: &Path, camera: &Camera) -> Result<V4l, SourceError> {
        let name = path.display().to_string();
        let failed = |doing: &'static str| {
            let name = name.clone();
            move |cause: io::Error| SourceError::from_io(&name, doing, cause)
        };
        let device = Device::with_path(path).map_err(failed("opening"))?;
        let offers = offers(&device, camera.resolution);
        let chosen = choice::choose(&offers, camera).ok_or_else(|| SourceError::NoFormat(name.clone()))?;
        let asked = Format::new(chosen.size.width, chosen.size.height, fourcc(chosen.order));
        let format = device.set_format(&asked).map_err(failed("setting the format of"))?;
        // The driver may answer with another format than it was asked for: what it says holds.
        let order = order(format.fourcc).ok_or_else(|| SourceError::NoFormat(name.clone()))?;
        if let Err(error) = device.set_params(&Parameters::new(Fraction::new(1, camera.rate.max(1)))) {
            log::debug!("camera {name}: its rate cannot be set: {error}");
        }
        controls::apply(&device, &name, camera);
        let stream =
            Stream::with_buffers(&device, Type::VideoCapture, BUFFERS).map_err(failed("mapping buffers of"))?;
        let layout = Layout {
            order,
            width: format.width as usize,
            height: format.height as usize,
            stride: format.stride as usize,
        };
        Ok(V4l { device: Some(device), stream: Some(stream), stalled: false, layout, pool: Pool::new(), path: name })
    }

    fn stream(&mut self) -> &mut Stream<'static> {
        self.stream.as_mut().expect("taken only when this is dropped")
    }

    /// Puts the crate and the driver in step after a wait that ran out. The picture taken for it is given up.
    fn catch_up(&mut self) -> io::Result<()> {
        if self.stalled {
            CaptureStream::dequeue(self.stream())?;
            self.stalled = false;
        }
        Ok(())
    }

    fn gone(&self, cause: io::Error) -> Next {
        Next::Gone(SourceError::from_io(&self.path, "taking a picture from", cause))
    }
}

impl FrameSource for V4l {
    fn next(&mut self, deadline: Duration) -> Next {
        let until = moment::now() + deadline.min(LONGEST_WAIT);
        // At most two waits: one to catch up, one for the picture.
        let left = || until.saturating_duration_since(moment::now()).max(Duration::from_millis(1));
        self.stream().set_timeout(left());
        if let Err(error) = self.catch_up() {
            return if is_only_late(&error) { Next::Timeout } else { self.gone(error) };
        }
        self.stream().set_timeout(left());
        let layout = self.layout;
        let Some(stream) = &mut self.stream else { return Next::End };
        match CaptureStream::next(stream) {
            Ok((bytes, about)) => {
                let captured = arrival::of(about);
                let began = moment::now();
                if about.flags.contains(Flags::ERROR) {
                    return Next::Damaged(Damage::Flagged);
                }
                let used = (about.bytesused as usize).min(bytes.len());
                match to_luma(&bytes[..used], layout, &self.pool) {
                    Ok(luma) => {
                        let Layout { width, height, .. } = layout;
                        let took = moment::now().saturating_duration_since(began);
                        Frame::new(luma, width, height, about.sequence.into(), captured)
                            .map_or(Next::Damaged(Damage::TooLarge { width, height }), |frame| {
                                Next::Frame(frame.converted_in(took))
                            })
                    }
                    Err(damage) => Next::Damaged(damage),
                }
            }
            Err(error) if is_only_late(&error) => {
                self.stalled = true;
                Next::Timeout
            }
            Err(error) => self.gone(error),
        }
    }

    fn describe(&self) -> String {
        let Layout { order, width, height, .. } = self.layout;
        format!("{} {width}x{height} {}", self.path, order.code())
    }

    /// Asked through the same handle: drivers allow it while pictures stream.
    fn abilities(&self) -> Abilities {
        let Some(device) = &self.device else { return Abilities::default() };
        let size = Resolution { width: self.layout.width as u32, height: self.layout.height as u32 };
        Abilities { offers: offers(device, size), knobs: controls::knobs(device) }
    }
}

impl Drop for V4l {
    fn drop(&mut self) {
        /// ENODEV: unplugged. The kernel has taken everything down already.
        const UNPLUGGED: i32 = 19;
        let Some(mut stream) = self.stream.take() else { return };
        if stream.stop().is_err_and(|error| error.raw_os_error() != Some(UNPLUGGED)) {
            // Dropping it would panic twice, which ends the process: rather lose its buffers, once, to a broken driver.
            log::error!("camera {}: its driver does not stop streaming", self.path);
            std::mem::forget(stream);
            return;
        }
        // Giving its buffers back may still fail, with a panic, and so may closing it.
        let device = self.device.take();
        if catch_unwind(AssertUnwindSafe(|| drop((stream, device)))).is_err() {
            log::error!("camera {}: its driver does not take its buffers back", self.path);
        }
    }
}

/// Whether a wait merely ran out, was interrupted by a signal, or woke up for nothing.
fn is_only_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock)
}

/// Everything a device offers that is read here; a range of sizes is told by the one nearest to `wanted`.
#[must_use]
pub fn offers(device: &Device, wanted: Resolution) -> Vec<Offer> {
    // The crate panics on a description that is not UTF-8, and descriptions are the camera's own words.
    let formats = catch_unwind(AssertUnwindSafe(|| device.enum_formats())).unwrap_or_else(|_| Ok(Vec::new()));
    let mut offers = Vec::new();
    for order in formats.unwrap_or_default().into_iter().filter_map(|format| order(format.fourcc)) {
        let sizes = device.enum_framesizes(fourcc(order)).unwrap_or_default();
        if sizes.is_empty() {
            // Some drivers name formats and no sizes: what is asked for will show.
            offers.push(Offer { order, size: wanted, rates: Vec::new() });
        }
        for size in sizes {
            let size = match size.size {
                FrameSizeEnum::Discrete(size) => Resolution { width: size.width, height: size.height },
                FrameSizeEnum::Stepwise(range) => Resolution {
                    width: choice::nearest_step(wanted.width, range.min_width, range.max_width, range.step_width),
                    height: choice::nearest_step(wanted.height, range.min_height, range.max_height, range.step_height),
                },
            };
            offers.push(Offer { order, size, rates: rates(device, order, size) });
        }
    }
    offers
}

fn rates(device: &Device, order: PixelOrder, size: Resolution) -> Vec<f64> {
    let intervals = device.enum_frameintervals(fourcc(order), size.width, size.height).unwrap_or_default();
    let mut rates: Vec<f64> = intervals
        .into_iter()
        .flat_map(|interval| match interval.interval {
            FrameIntervalEnum::Discrete(interval) => vec![rate(&interval)],
            FrameIntervalEnum::Stepwise(range) => vec![rate(&range.min), rate(&range.max)],
        })
        .filter(|rate| rate.is_finite() && *rate > 0.0)
        .collect();
    rates.sort_by(|one, other| other.total_cmp(one));
    rates.dedup();
    rates
}

/// Pictures a second of a time between two pictures.
fn rate(interval: &Fraction) -> f64 {
    f64::from(interval.denominator) / f64::from(interval.numerator)
}

fn fourcc(order: PixelOrder) -> FourCC {
    FourCC::new(match order {
        PixelOrder::Grey => b"GREY",
        PixelOrder::Nv12 => b"NV12",
        PixelOrder::Yuyv => b"YUYV",
        PixelOrder::Mjpeg => b"MJPG",
    })
}

fn order(fourcc: FourCC) -> Option<PixelOrder> {
    match &fourcc.repr {
        b"GREY" => Some(PixelOrder::Grey),
        b"NV12" => Some(PixelOrder::Nv12),
        b"YUYV" => Some(PixelOrder::Yuyv),
        // Drivers call the same thing by two names.
        b"MJPG" | b"JPEG" => Some(PixelOrder::Mjpeg),
        _ => None,
    }
}
