//! `[[lane]]`: one camera or other reader, one gate, and how patient both are.

use std::{fmt, path::PathBuf, time::Duration};

use data_encoding::HEXLOWER_PERMISSIVE;

use super::{
    error::Problem,
    node::{Node, Value},
    setting::{Setting, settings, words},
    values::{Aim, Backend, Device, Level, PixelOrder, Resolution, Url},
};

const TENTH: Duration = Duration::from_millis(100);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

settings! {
    /// `[[lane]]`
    pub struct Lane {
        /// Its name in rows, metrics and on the screen.
        id: String = "lane-1".to_owned(),
        /// Which way its travellers go.
        direction: Direction = Direction::Entry,
        /// Lanes of one group share their anti-passback memory.
        group: String = "default".to_owned(),
        /// What it looks through.
        camera: Camera = Camera::default(),
        /// Scan engines beside or instead of the camera.
        readers: Vec<ScanEngine> = Vec::new(),
        /// Where travellers are asked to hold their code.
        aim: Aim = Aim { x: 0.5, y: 0.5 },
        /// How far from there a code still counts, as a fraction of the way to the picture's farthest corner; 1 is the whole picture.
        aim_radius: f64 = 1.0 => 0.05..=1.0,
        /// A code judged already must be out of view this long before it is judged again.
        same_symbol_timeout: Duration = Duration::from_secs(3) => TENTH..=HOUR,
        /// A code must be out of view this long before another one is judged.
        rearm: Duration = Duration::from_millis(500) => Duration::ZERO..=MINUTE,
        /// A code in view this long is not a traveller's but stuck to the glass.
        stuck: Duration = Duration::from_secs(60) => TENTH * 10..=HOUR,
        /// How long a verdict stays on the screen.
        show_for: Duration = Duration::from_secs(4) => TENTH..=HOUR,
        /// How long the gate waits for the scan row to be on disk.
        commit_deadline: Duration = Duration::from_millis(50) => Duration::ZERO..=MINUTE,
        /// A code admitted here in the same direction within this time was used already; 0 switches it off.
        anti_passback: Duration = Duration::ZERO,
        /// What it opens.
        gate: Gate = Gate::default(),
        /// How that is wired.
        gpio: Gpio = Gpio::default(),
    }
}

settings! {
    /// `[lane.camera]`
    pub struct Camera {
        /// Which one.
        device: Device = Device::Auto,
        /// Who talks to it.
        backend: Backend = Backend::Auto,
        /// The picture size asked for.
        resolution: Resolution = Resolution { width: 1280, height: 720 },
        /// Pictures a second asked for.
        rate: u32 = 30 => 1..=1000,
        /// Pixel formats in the order they are tried: the cheapest first.
        formats: Vec<PixelOrder> = vec![PixelOrder::Grey, PixelOrder::Nv12, PixelOrder::Yuyv, PixelOrder::Mjpeg],
        /// Without a picture for this long, the camera is lost and opened anew.
        deadline: Duration = Duration::from_secs(1) => TENTH..=MINUTE,
        /// Longest pause between attempts to open it.
        retry_at_most: Duration = Duration::from_secs(5) => TENTH / 10..=HOUR,
        /// Fixed focus, in the camera's own steps; its autofocus when absent.
        focus: Option<i64> = None,
        /// Fixed exposure, in 100 µs; automatic when absent.
        exposure: Option<i64> = None,
        /// Fixed gain; automatic when absent.
        gain: Option<i64> = None,
        /// Fixed white balance, in kelvin; automatic when absent.
        white_balance: Option<i64> = None,
        /// Backlight compensation.
        backlight: Option<i64> = None,
        /// Mains frequency whose flicker is to be avoided, in hertz: 50 or 60.
        mains: Option<i64> = None,
    }
}

settings! {
    /// `[lane.gate]`
    pub struct Gate {
        /// Who moves it.
        driver: GateKind = GateKind::None,
        /// How long it stays open when nobody passes.
        open_for: Duration = Duration::from_secs(3) => TENTH / 2..=HOUR,
        /// For `file`: the file that holds `open` or `closed`.
        path: Option<PathBuf> = None,
        /// For `command`: the program and its arguments; `open` or `close` follows as the last one.
        command: Vec<String> = Vec::new(),
        /// For `http` and `mqtt`: where to. An HTTP address with `{}` in it is asked with the word there; another one is posted to.
        url: Option<Url> = None,
        /// For `mqtt`: the topic that the words are published to.
        topic: String = "checkpoint/gate".to_owned(),
        /// For `http` and `mqtt`: what the controller calls opening…
        open_word: String = "open".to_owned(),
        /// …and closing.
        close_word: String = "close".to_owned(),
        /// For `http` and `mqtt`: authorities that vouch for the other side's certificate (PEM); the web's when absent.
        ca: Option<PathBuf> = None,
        /// For `http` (Basic) and `mqtt`: user name.
        user: Option<String> = None,
        /// For `http` and `mqtt`: a file with the password, or without a user the bearer token, on its first line.
        secret: Option<PathBuf> = None,
        /// How long a command or a request may take.
        timeout: Duration = Duration::from_secs(2) => TENTH..=MINUTE,
    }
}

settings! {
    /// `[lane.gpio]`: lines by number, or by the name the board gives them.
    pub struct Gpio {
        /// The chip.
        chip: PathBuf = PathBuf::from("/dev/gpiochip0"),
        /// The relay that opens the gate.
        relay: Option<GpioLine> = None,
        /// Which level energises the relay.
        relay_active: Level = Level::High,
        /// Light for *admit*.
        green: Option<GpioLine> = None,
        /// Light for *refer*.
        amber: Option<GpioLine> = None,
        /// Light for *refuse*.
        red: Option<GpioLine> = None,
        /// Sounder.
        buzzer: Option<GpioLine> = None,
        /// Which level switches lights and sounder on.
        signals_active: Level = Level::High,
        /// Sensor that sees a traveller pass.
        passage: Option<GpioLine> = None,
        /// Which level says that somebody is passing.
        passage_active: Level = Level::High,
        /// Fire or egress contact: overrides everything.
        fire: Option<GpioLine> = None,
        /// Which level is the alarm. `low` with the line pulled down also alarms when the wire is cut.
        fire_active: Level = Level::High,
    }
}

words! {
    /// Which way travellers go.
    pub enum Direction, "a direction: entry or exit" {
        /// In.
        Entry = "entry",
        /// Out.
        Exit = "exit",
    }
}

words! {
    /// Who moves the gate.
    pub enum GateKind, "a gate driver: none, log, file, command, gpio, http or mqtt" {
        /// Nobody: the screen is all there is.
        None = "none",
        /// Nobody, but the journal says what would have moved.
        Log = "log",
        /// A file that says `open` or `closed`, for whoever watches it.
        File = "file",
        /// A program of the installer's.
        Command = "command",
        /// A relay on this board.
        Gpio = "gpio",
        /// A controller that speaks HTTP.
        Http = "http",
        /// A controller that listens to an MQTT broker.
        Mqtt = "mqtt",
    }
}

/// A line of a GPIO chip.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum GpioLine {
    /// By its number on the chip.
    Offset(u32),
    /// By the name the board's description gives it, such as `GPIO17`.
    Name(String),
}

impl fmt::Display for GpioLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Offset(number) => write!(f, "{number}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Setting for GpioLine {
    const EXPECTED: &'static str = "a line of the chip: its number, or its name such as \"GPIO17\"";

    fn parse(node: &Node) -> Option<Self> {
        match &node.value {
            Value::Integer(number) => u32::try_from(*number).ok().map(GpioLine::Offset),
            _ => match node.text()? {
                "" => None,
                text => Some(text.parse().map_or_else(|_| GpioLine::Name(text.to_owned()), GpioLine::Offset)),
            },
        }
    }

    fn show(&self) -> Option<toml::Value> {
        Some(match self {
            Self::Offset(number) => i64::from(*number).into(),
            Self::Name(name) => name.clone().into(),
        })
    }
}

/// A scan engine that delivers texts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ScanEngine {
    /// A USB engine that pretends to be a keyboard; grabbed, so that it types nowhere else.
    Keyboard(PathBuf),
    /// An engine on a serial port.
    Serial {
        /// The port.
        port: PathBuf,
        /// Its speed.
        baud: u32,
        /// What it wants to hear of each code it delivered, in host mode.
        host: Option<Host>,
    },
    /// Lines of standard input.
    Stdin,
    /// Lines sent to a Unix socket made here.
    Socket(PathBuf),
}

/// Host mode: the engine beeps well or badly as the lane decides, not as soon as it has read something.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Host {
    /// Sent for an admission.
    pub accept: Vec<u8>,
    /// Sent for anything else.
    pub reject: Vec<u8>,
}

impl Host {
    /// `accept=06 reject=15`: bytes in hex.
    fn parse(words: &str) -> Option<Host> {
        let (accept, reject) = words.split_once(' ')?;
        let bytes = |word: &str, name: &str| {
            let hex = word.strip_prefix(name)?.strip_prefix('=')?;
            HEXLOWER_PERMISSIVE
                .decode(hex.as_bytes())
                .ok()
                .filter(|bytes| !bytes.is_empty() && bytes.len() <= MAX_ANSWER)
        };
        Some(Host { accept: bytes(accept, "accept")?, reject: bytes(reject, "reject")? })
    }
}

const USUAL_BAUD: u32 = 115_200;
/// Longest answer an engine wants to hear; none wants more than a few bytes, and at 9600 baud these take 33 ms.
const MAX_ANSWER: usize = 32;

impl Setting for ScanEngine {
    const EXPECTED: &'static str = "a reader: \"keyboard:/dev/input/by-id/…\", \"serial:/dev/ttyUSB0@115200\" (in host mode \"… accept=06 reject=15\"), \"socket:/run/…\" or \"stdin\"";

    fn parse(node: &Node) -> Option<Self> {
        let absolute = |text: &str| Some(PathBuf::from(text)).filter(|path| path.is_absolute());
        let text = node.text()?;
        match text.split_once(':') {
            None if text == "stdin" => Some(ScanEngine::Stdin),
            Some(("keyboard", path)) => absolute(path).map(ScanEngine::Keyboard),
            Some(("socket", path)) => absolute(path).map(ScanEngine::Socket),
            Some(("serial", port)) => {
                let (port, host) = match port.split_once(' ') {
                    Some((port, words)) => (port, Some(Host::parse(words)?)),
                    None => (port, None),
                };
                let (port, baud) = match port.rsplit_once('@') {
                    Some((port, baud)) => (port, baud.parse().ok().filter(|baud| *baud > 0)?),
                    None => (port, USUAL_BAUD),
                };
                absolute(port).map(|port| ScanEngine::Serial { port, baud, host })
            }
            _ => None,
        }
    }

    fn show(&self) -> Option<toml::Value> {
        Some(toml::Value::String(match self {
            Self::Keyboard(path) => format!("keyboard:{}", path.display()),
            Self::Serial { port, baud, host: None } => format!("serial:{}@{baud}", port.display()),
            Self::Serial { port, baud, host: Some(host) } => {
                let hex = |bytes: &[u8]| HEXLOWER_PERMISSIVE.encode(bytes);
                let (accept, reject) = (hex(&host.accept), hex(&host.reject));
                format!("serial:{}@{baud} accept={accept} reject={reject}", port.display())
            }
            Self::Stdin => "stdin".to_owned(),
            Self::Socket(path) => format!("socket:{}", path.display()),
        }))
    }
}

impl Lane {
    pub(super) fn check(&self, node: Option<&Node>, problems: &mut Vec<Problem>) {
        let gate = node.and_then(|node| node.child("gate")).or(node);
        match self.gate.driver {
            GateKind::File if self.gate.path.is_none() => {
                problems.push(Problem::needed(gate, "lane.gate.path", "the file driver"));
            }
            GateKind::Command if self.gate.command.is_empty() => {
                problems.push(Problem::needed(gate, "lane.gate.command", "the command driver"));
            }
            GateKind::Gpio if self.gpio.relay.is_none() => {
                problems.push(Problem::needed(gate, "lane.gpio.relay", "the gpio driver"));
            }
            GateKind::Http | GateKind::Mqtt if self.gate.url.is_none() => {
                problems.push(Problem::needed(gate, "lane.gate.url", "a gate on a network"));
            }
            _ => {}
        }
        let speaks = |schemes: &[&str]| self.gate.url.as_ref().is_none_or(|url| schemes.contains(&url.scheme()));
        let wrong = match self.gate.driver {
            GateKind::Http if !speaks(&["http", "https"]) => Some("an address that begins with http:// or https://"),
            GateKind::Mqtt if !speaks(&["mqtt", "mqtts"]) => Some("an address that begins with mqtt:// or mqtts://"),
            _ => None,
        };
        if let (Some(expected), Some(url)) = (wrong, gate.and_then(|gate| gate.child("url"))) {
            problems.push(Problem::value(url, "lane.gate.url", expected));
        }
        // The log is asked in whole seconds: half of one would quietly be none.
        let whole = self.anti_passback.subsec_nanos() == 0;
        if let (false, Some(window)) = (whole, node.and_then(|node| node.child("anti_passback"))) {
            problems.push(Problem::value(window, "lane.anti_passback", "a number of whole seconds, or 0"));
        }
        self.gpio.check(node.and_then(|node| node.child("gpio")).or(node), problems);
        if self.camera.device == Device::None && self.readers.is_empty() {
            problems.push(Problem::needed(node, "lane.readers", "a lane without a camera"));
        }
    }
}

impl Gpio {
    /// No line does two things.
    fn check(&self, node: Option<&Node>, problems: &mut Vec<Problem>) {
        let lines = [&self.relay, &self.green, &self.amber, &self.red, &self.buzzer, &self.passage, &self.fire];
        let lines: Vec<&GpioLine> = lines.into_iter().flatten().collect();
        for (index, line) in lines.iter().enumerate() {
            if lines[..index].contains(line) {
                problems.push(Problem::twice(node, "lane.gpio", &line.to_string()));
            }
        }
    }
}
