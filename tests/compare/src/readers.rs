//! The readers, each as it is meant to be used, each stopping at its first symbol.

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::GrayImage;
use rustix::time::{ClockId, clock_gettime};

/// Something that reads QR codes from a luma plane.
pub trait Peer {
    fn name(&self) -> &'static str;
    /// The payloads read.
    fn read(&mut self, picture: &GrayImage) -> Vec<Vec<u8>>;
}

/// The reader of that name.
pub fn named(name: &str) -> Result<Box<dyn Peer>, String> {
    Ok(match name {
        "eye" => Box::new(Eye { eye: eye::Eye::new(), budget: single() }),
        "eye-quick" => {
            Box::new(EyeQuick { eye: eye::Eye::new(), budget: eye::Budget { effort: eye::Effort::Quick, ..single() } })
        }
        "zxing-cpp" => Box::new(ZxingCpp { reader: zxing(true), name: "zxing-cpp" }),
        "zxing-cpp-fast" => Box::new(ZxingCpp { reader: zxing(false), name: "zxing-cpp-fast" }),
        "rxing" => Box::new(Rxing),
        "rqrr" => Box::new(Rqrr),
        _ => return Err(format!("unknown reader {name}: eye, eye-quick, zxing-cpp, zxing-cpp-fast, rxing, rqrr")),
    })
}

/// What was read, the thread's CPU milliseconds, and whether it panicked.
pub fn timed(peer: &mut dyn Peer, picture: &GrayImage) -> (Vec<Vec<u8>>, f64, bool) {
    let start = thread_ms();
    let read = catch_unwind(AssertUnwindSafe(|| peer.read(picture)));
    let time = thread_ms() - start;
    let panicked = read.is_err();
    (read.unwrap_or_default(), time, panicked)
}

fn thread_ms() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// Every try the eye knows, till the first symbol.
fn single() -> eye::Budget {
    eye::Budget { effort: eye::Effort::Thorough, keep_unread: false, ..eye::Budget::frame(0) }
}

struct Eye {
    eye: eye::Eye,
    budget: eye::Budget,
}

impl Peer for Eye {
    fn name(&self) -> &'static str {
        "eye"
    }

    fn read(&mut self, picture: &GrayImage) -> Vec<Vec<u8>> {
        look(&mut self.eye, self.budget, picture)
    }
}

struct EyeQuick {
    eye: eye::Eye,
    budget: eye::Budget,
}

impl Peer for EyeQuick {
    fn name(&self) -> &'static str {
        "eye-quick"
    }

    fn read(&mut self, picture: &GrayImage) -> Vec<Vec<u8>> {
        look(&mut self.eye, self.budget, picture)
    }
}

fn look(reader: &mut eye::Eye, budget: eye::Budget, picture: &GrayImage) -> Vec<Vec<u8>> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let Ok(luma) = eye::Luma::new(picture.as_raw(), width, height) else { return Vec::new() };
    eye::Reader::read(reader, luma, budget).symbols.into_iter().map(|symbol| symbol.payload).collect()
}

struct ZxingCpp {
    reader: zxingcpp::BarcodeReader,
    name: &'static str,
}

fn zxing(harder: bool) -> zxingcpp::BarcodeReader {
    zxingcpp::BarcodeReader::new()
        .formats([zxingcpp::BarcodeFormat::QRCodeModel2])
        .try_harder(harder)
        .try_rotate(harder)
        .try_invert(harder)
        .try_downscale(harder)
        .max_number_of_symbols(1)
}

impl Peer for ZxingCpp {
    fn name(&self) -> &'static str {
        self.name
    }

    fn read(&mut self, picture: &GrayImage) -> Vec<Vec<u8>> {
        let view = zxingcpp::ImageView::from_slice(
            picture.as_raw(),
            picture.width(),
            picture.height(),
            zxingcpp::ImageFormat::Lum,
        );
        let Ok(view) = view else { return Vec::new() };
        self.reader.from(view).map(|found| found.iter().map(|code| code.bytes()).collect()).unwrap_or_default()
    }
}

struct Rxing;

impl Peer for Rxing {
    fn name(&self) -> &'static str {
        "rxing"
    }

    fn read(&mut self, picture: &GrayImage) -> Vec<Vec<u8>> {
        let mut hints = rxing::DecodeHints::default()
            .with(rxing::DecodeHintValue::TryHarder(true))
            .with(rxing::DecodeHintValue::AlsoInverted(true));
        rxing::helpers::detect_in_luma_slice_with_hints(
            picture.as_raw(),
            picture.width(),
            picture.height(),
            Some(rxing::BarcodeFormat::QR_CODE),
            &mut hints,
        )
        .map(|found| vec![text_bytes(&found)])
        .unwrap_or_default()
    }
}

/// rxing hands out text; the bytes are its Latin-1 or UTF-8.
fn text_bytes(found: &rxing::RXingResult) -> Vec<u8> {
    found.getText().as_bytes().to_vec()
}

struct Rqrr;

impl Peer for Rqrr {
    fn name(&self) -> &'static str {
        "rqrr"
    }

    fn read(&mut self, picture: &GrayImage) -> Vec<Vec<u8>> {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let mut image =
            rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| picture.as_raw()[y * width + x]);
        for grid in image.detect_grids() {
            let mut bytes = Vec::new();
            if grid.decode_to(&mut bytes).is_ok() {
                return vec![bytes];
            }
        }
        Vec::new()
    }
}
