//! Values with a meaning of their own: cameras, picture sizes, addresses.

use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{
    node::{Node, Value},
    setting::{Setting, words},
};

/// Which camera a lane looks through.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Device {
    /// The first one that can deliver pictures.
    Auto,
    /// By number. Numbers move when a camera is replugged; a path by id does not.
    Index(u32),
    /// A device node or a stable link to one, such as `/dev/v4l/by-id/…`.
    Path(PathBuf),
    /// By what it is, wherever it is plugged in.
    Usb(UsbId),
    /// No camera: the pictures of a folder, or one picture, again and again.
    Pictures(PathBuf),
    /// No camera: the lane is fed by other readers.
    None,
}

/// A USB camera by its vendor, product and, where several are alike, serial number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UsbId {
    /// Vendor.
    pub vendor: u16,
    /// Product.
    pub product: u16,
    /// Serial number, where it matters.
    pub serial: Option<String>,
}

impl Device {
    /// Reads the form that is written in a configuration or on the command line.
    #[must_use]
    pub fn parse_text(text: &str) -> Option<Device> {
        let absolute = |text: &str| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
        match text {
            "auto" => Some(Device::Auto),
            "none" => Some(Device::None),
            _ => match text.split_once(':') {
                Some(("usb", id)) => UsbId::parse(id).map(Device::Usb),
                Some(("pictures", path)) => absolute(path).map(Device::Pictures),
                _ => text.parse().map(Device::Index).ok().or_else(|| absolute(text).map(Device::Path)),
            },
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Index(number) => write!(f, "{number}"),
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Usb(id) => write!(f, "usb:{id}"),
            Self::Pictures(path) => write!(f, "pictures:{}", path.display()),
            Self::None => f.write_str("none"),
        }
    }
}

impl UsbId {
    /// Whether the device of this name is the one that was asked for; without a serial number, any of its kind is.
    #[must_use]
    pub fn answers(&self, wanted: &UsbId) -> bool {
        self.vendor == wanted.vendor
            && self.product == wanted.product
            && wanted.serial.as_ref().is_none_or(|serial| self.serial.as_ref() == Some(serial))
    }

    fn parse(text: &str) -> Option<UsbId> {
        let mut parts = text.splitn(3, ':');
        let hex = |part: Option<&str>| {
            part.filter(|part| part.len() == 4).and_then(|part| u16::from_str_radix(part, 16).ok())
        };
        let (vendor, product) = (hex(parts.next())?, hex(parts.next())?);
        Some(UsbId { vendor, product, serial: parts.next().map(str::to_owned) })
    }
}

impl fmt::Display for UsbId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)?;
        self.serial.iter().try_for_each(|serial| write!(f, ":{serial}"))
    }
}

impl Setting for Device {
    const EXPECTED: &'static str = "a camera: \"auto\", a path such as \"/dev/v4l/by-id/…\", \"usb:046d:0825\", a number, \"pictures:/folder\" or \"none\"";

    fn parse(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Integer(number) => u32::try_from(*number).ok().map(Device::Index),
            _ => Device::parse_text(node.text()?),
        }
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.to_string()))
    }
}

/// Width and height of the picture asked for; the camera answers with the nearest it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Resolution {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Setting for Resolution {
    const EXPECTED: &'static str = "a picture size such as \"1280x720\", at most 12.5 megapixels";

    fn parse(node: &Node) -> Option<Self> {
        let (width, height) = node.text()?.split_once('x')?;
        let (width, height) = (width.parse().ok()?, height.parse().ok()?);
        // The eye's limit is one of area, whichever way a camera is mounted.
        let fits = (16..=16_384).contains(&width) && (16..=16_384).contains(&height) && width * height <= 4096 * 3072;
        fits.then_some(Resolution { width, height })
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(format!("{}x{}", self.width, self.height)))
    }
}

words! {
    /// How pictures lie in memory, in the camera's own words.
    pub enum PixelOrder, "a pixel format this reads: GREY, NV12, YUYV or MJPG" {
        /// Luma alone: nothing to do.
        Grey = "GREY",
        /// Luma first, colour after it: cut off.
        Nv12 = "NV12",
        /// Luma and colour by turns: stripped.
        Yuyv = "YUYV",
        /// A JPEG picture each: decoded to luma only.
        Mjpeg = "MJPG",
    }
}

words! {
    /// Who talks to the camera.
    pub enum Backend, "a camera backend: auto, v4l or nokhwa" {
        /// V4L2 on Linux, nokhwa elsewhere.
        Auto = "auto",
        /// Video4Linux directly, for gates.
        V4l = "v4l",
        /// The portable one, for laptops.
        Nokhwa = "nokhwa",
    }
}

words! {
    /// What counts as the centre's word that it has stored rows.
    pub enum Receipts, "signed or none" {
        /// Receipts that it signs: rows below them may be given up for want of space.
        Signed = "signed",
        /// Nothing: rows are sent and never acknowledged, kept for the whole retention, and can be sent again.
        None = "none",
    }
}

words! {
    /// Which voltage means *on*: a matter of wiring, known nowhere else.
    pub enum Level, "a level: high or low" {
        /// Current flows when on.
        High = "high",
        /// Current flows when off.
        Low = "low",
    }
}

/// The point travellers are asked to hold their code at, as fractions of the picture from its top left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

impl Setting for Aim {
    const EXPECTED: &'static str = "a point in the picture such as [0.5, 0.5], each from 0 to 1";

    fn parse(node: &Node) -> Option<Self> {
        let list = <Vec<f64> as Setting>::parse(node)?;
        let &[x, y] = list.as_slice() else { return None };
        ((0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y)).then_some(Aim { x, y })
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::Array(vec![self.x.into(), self.y.into()]))
    }
}

/// An address on this machine alone.
///
/// The page shows verdicts and the state of a device that opens a gate; it is nobody's business on the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listen(pub SocketAddr);

impl Setting for Listen {
    const EXPECTED: &'static str = "a loopback address with a port, such as \"127.0.0.1:8470\" or \"[::1]:8470\"";

    fn parse(node: &Node) -> Option<Self> {
        node.text()?.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback()).map(Listen)
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.0.to_string()))
    }
}

impl Setting for SocketAddr {
    const EXPECTED: &'static str =
        "an address of this machine with a port, such as \"192.0.2.7:8471\" or \"0.0.0.0:8471\"";

    fn parse(node: &Node) -> Option<Self> {
        node.text()?.parse().ok()
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.to_string()))
    }
}

/// A part of a whole, from 0 (none) to 1 (all).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share(pub f64);

impl Setting for Share {
    const EXPECTED: &'static str = "a part of a whole, from 0 to 1";

    fn parse(node: &Node) -> Option<Self> {
        f64::parse(node).filter(|share| (0.0..=1.0).contains(share)).map(Share)
    }

    fn show(&self) -> Option<toml::Value> {
        self.0.show()
    }
}

/// Where something is fetched from or sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url(pub String);

impl Url {
    /// What it is spoken to in.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.0.split_once("://").map_or("", |(scheme, _)| scheme)
    }

    /// The folder behind a `file://` address.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.0.strip_prefix("file://").map(Path::new)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Setting for Url {
    const EXPECTED: &'static str = "an address such as \"https://mirror.example/trust/\", without a password in it";

    fn parse(node: &Node) -> Option<Self> {
        let text = node.text()?;
        let (scheme, rest) = text.split_once("://")?;
        let known = matches!(scheme, "https" | "http" | "file" | "mqtt" | "mqtts");
        let authority = rest.split('/').next().unwrap_or_default();
        let plain = !text.contains(|letter: char| letter.is_whitespace() || letter.is_control());
        let whole = known && plain && !rest.is_empty() && !authority.contains('@');
        whole.then(|| Url(text.to_owned()))
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_camera_is_written_in_one_of_six_ways() {
        for text in
            ["auto", "none", "0", "/dev/v4l/by-id/usb-x", "usb:046d:0825", "usb:046d:0825:A1:7", "pictures:/srv/p"]
        {
            let device = Device::parse_text(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(device.to_string(), text);
        }
        for text in ["", "video0", "usb:46d:0825", "usb:046d", "pictures:relative", "-1"] {
            assert_eq!(Device::parse_text(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_of_a_broker_may_be_encrypted_and_none_may_hold_a_password() {
        let parse = |text: &str| {
            let origin = super::super::Origin::CommandLine("test".into());
            <Url as Setting>::parse(&Node { value: Value::Text(text.to_owned()), origin })
        };
        for text in ["mqtts://broker.example:8883", "mqtt://10.0.0.7", "https://a/", "http://a/relay?turn={}"] {
            assert_eq!(parse(text).expect(text).to_string(), text);
        }
        for text in ["mqtts://user:word@broker.example", "ftp://a/", "tcp://a:1", "https://", "https://a b/"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
