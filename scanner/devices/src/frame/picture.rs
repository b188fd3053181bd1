//! Pictures from files: PNG, JPEG, WebP and BMP, as luma, within bounds.

use std::{fmt, fs::File, io, io::Read, path::Path};

use image::{DynamicImage, ImageDecoder, ImageError, ImageReader, Limits, error::LimitErrorKind};

use super::Frame;
use crate::moment;

/// Largest picture file read. Larger is no photograph of a code but an attempt on memory.
pub const MAX_FILE: u64 = 32 << 20;

/// Memory a decoder may take: the largest frame with four 16-bit channels, and half as much to work with.
const MAX_DECODER: u64 = eye::MAX_PIXELS as u64 * 12;

/// Why a file is no picture.
#[derive(Debug)]
pub enum PictureError {
    /// It cannot be read.
    Unreadable(io::Error),
    /// It is larger than `MAX_FILE`.
    FileTooLarge,
    /// Its picture is larger than any frame that is read, or needs more memory than that.
    TooLarge,
    /// Its content is none of the formats read here.
    NotAPicture,
    /// It is cut short or damaged.
    Damaged(ImageError),
}

impl fmt::Display for PictureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(cause) => write!(f, "cannot be read: {cause}"),
            Self::FileTooLarge => write!(f, "is larger than {} MiB", MAX_FILE >> 20),
            Self::TooLarge => {
                write!(f, "has more than {} pixels: scale it down", eye::MAX_PIXELS)
            }
            Self::NotAPicture => f.write_str("is no PNG, JPEG, WebP or BMP picture"),
            Self::Damaged(cause) => write!(f, "is damaged: {cause}"),
        }
    }
}

impl std::error::Error for PictureError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(cause) => Some(cause),
            Self::Damaged(cause) => Some(cause),
            _ => None,
        }
    }
}

/// Reads one picture file.
pub fn read_picture(path: &Path) -> Result<Frame, PictureError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(PictureError::Unreadable)?;
    file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(PictureError::Unreadable)?;
    read_picture_bytes(&bytes)
}

/// Reads one picture; its content says which format it is, not its name.
pub fn read_picture_bytes(bytes: &[u8]) -> Result<Frame, PictureError> {
    if bytes.len() as u64 > MAX_FILE {
        return Err(PictureError::FileTooLarge);
    }
    let began = moment::now();
    let mut reader =
        ImageReader::new(io::Cursor::new(bytes)).with_guessed_format().map_err(PictureError::Unreadable)?;
    if reader.format().is_none() {
        return Err(PictureError::NotAPicture);
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(eye::MAX_SIDE as u32);
    limits.max_image_height = Some(eye::MAX_SIDE as u32);
    limits.max_alloc = Some(MAX_DECODER);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(refused)?;
    let (width, height) = decoder.dimensions();
    if !eye::within_limits(width as usize, height as usize) {
        return Err(PictureError::TooLarge);
    }
    let picture = DynamicImage::from_decoder(decoder).map_err(refused)?;
    let luma = match picture {
        DynamicImage::ImageLuma8(luma) => luma,
        // Codes are printed on something: what is transparent is seen as paper.
        picture if picture.color().has_alpha() => over_white(&picture),
        picture => picture.into_luma8(),
    };
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    Frame::new(luma.into_raw().into(), width, height, 0, began).map_err(|_| PictureError::TooLarge)
}

fn refused(error: ImageError) -> PictureError {
    match error {
        ImageError::Limits(limit) if !matches!(limit.kind(), LimitErrorKind::Unsupported { .. }) => {
            PictureError::TooLarge
        }
        ImageError::Unsupported(_) => PictureError::NotAPicture,
        error => PictureError::Damaged(error),
    }
}

fn over_white(picture: &DynamicImage) -> image::GrayImage {
    let mut seen = picture.to_luma_alpha8();
    for pixel in seen.pixels_mut() {
        let [luma, alpha] = pixel.0.map(u16::from);
        pixel.0[0] = ((luma * alpha + 255 * (255 - alpha)) / 255) as u8;
    }
    image::GrayImage::from_fn(seen.width(), seen.height(), |x, y| image::Luma([seen.get_pixel(x, y).0[0]]))
}

#[cfg(test)]
mod tests {
    use image::{GrayAlphaImage, GrayImage, ImageFormat};

    use super::*;

    fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).expect("it encodes");
        bytes.into_inner()
    }

    fn gradient(width: u32, height: u32) -> DynamicImage {
        GrayImage::from_fn(width, height, |x, y| image::Luma([(x + y) as u8])).into()
    }

    #[test]
    fn every_format_is_read_and_its_content_decides_which_it_is() {
        for format in [ImageFormat::Png, ImageFormat::Bmp, ImageFormat::WebP, ImageFormat::Jpeg] {
            let picture = gradient(40, 30);
            let picture = if format == ImageFormat::Png { picture } else { picture.to_rgb8().into() };
            let frame =
                read_picture_bytes(&encoded(&picture, format)).unwrap_or_else(|error| panic!("{format:?}: {error}"));
            assert_eq!((frame.width(), frame.height()), (40, 30));
            assert!(frame.luma().at(10, 10).abs_diff(20) < 6, "{format:?}");
        }
    }

    #[test]
    fn what_is_transparent_is_paper() {
        let picture: DynamicImage = GrayAlphaImage::from_pixel(8, 8, image::LumaA([0, 0])).into();
        let frame = read_picture_bytes(&encoded(&picture, ImageFormat::Png)).expect("a picture");
        assert_eq!(frame.luma().at(3, 3), 255);
    }

    #[test]
    fn a_photograph_of_twelve_megapixels_is_read_upright_and_lying_and_one_row_more_is_not() {
        let black = |width, height| encoded(&GrayImage::new(width, height).into(), ImageFormat::Png);
        for (width, height) in [(3072, 4096), (4096, 3072)] {
            let frame = read_picture_bytes(&black(width, height)).expect("a picture");
            assert_eq!((frame.width(), frame.height()), (width as usize, height as usize));
        }
        for (width, height) in [(3072, 4097), (eye::MAX_SIDE as u32 + 1, 2)] {
            let picture = black(width, height);
            assert!(matches!(read_picture_bytes(&picture), Err(PictureError::TooLarge)), "{width}x{height}");
        }
    }

    #[test]
    fn what_is_no_picture_says_what_it_is_instead() {
        let png = encoded(&gradient(40, 30), ImageFormat::Png);
        assert!(matches!(read_picture_bytes(b"hello"), Err(PictureError::NotAPicture)));
        assert!(matches!(read_picture_bytes(b""), Err(PictureError::NotAPicture)));
        assert!(matches!(read_picture_bytes(&png[..png.len() / 2]), Err(PictureError::Damaged(_))));
        assert!(matches!(read_picture(Path::new("/nonexistent")), Err(PictureError::Unreadable(_))));
    }
}
