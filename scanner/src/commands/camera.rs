//! `checkpointd camera`: what is plugged in, and how well it sees from where it hangs.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::{Args, Subcommand};
use devices::{
    camera::{self, Abilities, Knob, Next, Offer},
    frame::Frame,
};
use eye::{Budget, Eye, Hint, Reader, cause, presence::Watch};
use host::{
    clock::Clock,
    config::{Camera, Device},
};
use serde::Serialize;

use crate::commands::failure::{Exit, Failure};

/// `camera`
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    what: CameraCommand,
}

#[derive(Debug, Subcommand)]
enum CameraCommand {
    /// List the cameras of this machine
    #[command(
        after_help = "Example:\n  checkpointd camera list\n\nPut the stable name into lane.camera.device: numbers move when a camera is replugged."
    )]
    List {
        /// One JSON array
        #[arg(long)]
        json: bool,
    },
    /// Take pictures for a while and say how well they can be read, and what the camera could do beside
    #[command(
        after_help = "Examples:\n  checkpointd camera probe\n  checkpointd camera probe --device usb:046d:0825 --save view.png\n\n\
        Hold a phone with a pass code where travellers will hold theirs. Ends with 1 when no picture arrives."
    )]
    Probe(Probe),
}

#[derive(Debug, Args)]
struct Probe {
    /// Which camera, as in lane.camera.device; the first lane's when absent
    #[arg(long, value_parser = device)]
    device: Option<Device>,
    /// For how long
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
    /// Keep the last picture in this file (PNG). It may show people: delete it when you are done
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

fn device(text: &str) -> Result<Device, String> {
    Device::parse_text(text)
        .ok_or_else(|| "not a camera: auto, a number, a path, usb:vvvv:pppp or pictures:/folder".to_owned())
}

/// How a camera sees.
#[derive(Debug, Default, Serialize)]
pub struct View {
    /// What it is and how it delivers.
    pub source: String,
    /// Whole pictures.
    pub frames: u32,
    /// Damaged ones.
    pub damaged: u32,
    /// Pictures a second.
    pub rate: f64,
    /// From opening to the first picture, in milliseconds.
    pub first_after_ms: u64,
    /// Pixels.
    pub width: usize,
    /// Pixels.
    pub height: usize,
    /// Mean brightness of the last picture, 0 to 255.
    pub brightness: u8,
    /// How much contrast is left in the finest patterns of a symbol, 0 to 1; `null` when none was seen.
    pub sharpness: Option<f32>,
    /// Pixels a module of the nearest symbol.
    pub pixels_per_module: Option<f32>,
    /// Pictures in which a symbol was read.
    pub read: u32,
    /// Why a symbol that is held up is not read, such as `blurred` or `glare`; `null` where none is, or it is read.
    pub unread: Option<&'static str>,
    /// The same with its measure and what helps, in words.
    pub finding: Option<String>,
    /// What the camera could do beside that.
    #[serde(flatten)]
    pub abilities: Abilities,
}

/// Lists or probes.
///
/// # Errors
/// When there is no camera, or none that can be opened.
pub fn run(said: &super::ConfigArgs, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    match arguments.what {
        CameraCommand::List { json } => list(json),
        CameraCommand::Probe(probe) => {
            let mut camera = super::config_args::configuration(said)?
                .lane
                .first()
                .map(|lane| lane.camera.clone())
                .unwrap_or_default();
            if let Some(device) = probe.device {
                camera.device = device;
            }
            let (view, last) = look(&camera, clock, Duration::from_secs(probe.seconds))?;
            if let (Some(file), Some(frame)) = (&probe.save, &last) {
                save(frame, file)?;
            }
            let shown = if probe.json {
                serde_json::to_string(&view).expect("numbers are plain data") + "\n"
            } else {
                view.text()
            };
            super::output::print(&shown);
            Ok(if view.frames == 0 { Exit::Failure } else { Exit::Ok })
        }
    }
}

/// Opens a camera and looks through it for a while.
///
/// # Errors
/// When it cannot be opened.
pub fn look(camera: &Camera, clock: &Clock, how_long: Duration) -> Result<(View, Option<Frame>), Failure> {
    let began = clock.now();
    let mut source = camera::open(camera).map_err(|error| Failure::new("no picture").because(error))?;
    let mut view = View { source: source.describe(), abilities: source.abilities(), ..View::default() };
    let (mut eye, mut watch) = (Eye::new(), Watch::default());
    let mut last = None;
    let mut first = None;
    while clock.since(began) < how_long {
        match source.next(Duration::from_millis(200)) {
            Next::Frame(frame) => {
                let first = *first.get_or_insert_with(|| clock.now());
                view.first_after_ms = u64::try_from((first - began).as_millis()).unwrap_or(u64::MAX);
                view.frames += 1;
                let reading = eye.read(frame.luma(), Budget::frame(view.frames));
                view.read += u32::from(!reading.symbols.is_empty());
                view.brightness = reading.statistics.mean;
                view.sharpness = reading.statistics.sharpness.or(view.sharpness);
                view.pixels_per_module = reading.statistics.module_size.or(view.pixels_per_module);
                let held_up = if reading.symbols.is_empty() { watch.look(frame.luma()) } else { None };
                view.unread = held_up.map(|presence| presence.hint.code());
                (view.width, view.height) = (frame.width(), frame.height());
                last = Some(frame);
            }
            Next::Damaged(_) => view.damaged += 1,
            Next::Timeout => (),
            Next::End => break,
            Next::Gone(error) => return Err(Failure::new("the camera is gone").because(error)),
        }
    }
    let span = first.map_or(Duration::ZERO, |first| clock.since(first)).as_secs_f64();
    view.rate = if span > 0.0 { f64::from(view.frames.saturating_sub(1)) / span } else { 0.0 };
    if let Some(finding) = last.as_ref().filter(|_| view.read == 0).and_then(|frame| cause::of(frame.luma())) {
        view.unread = Some(finding.cause.code());
        view.finding = Some(finding.to_string());
    }
    Ok((view, last))
}

fn save(frame: &Frame, file: &Path) -> Result<(), Failure> {
    let luma = frame.luma();
    let picture = image::GrayImage::from_fn(frame.width() as u32, frame.height() as u32, |x, y| {
        image::Luma([luma.at(x as usize, y as usize)])
    });
    picture.save(file).map_err(|error| Failure::new(format!("cannot write {}", file.display())).because(error))
}

impl View {
    /// What to do better, for an installer.
    #[must_use]
    pub fn advice(&self) -> Vec<&'static str> {
        let mut advice = Vec::new();
        let mut when = |bad: bool, what| {
            if bad {
                advice.push(what);
            }
        };
        when(self.frames == 0, "no picture arrived: try another cable or port, and lane.camera.device");
        when(
            self.frames > 0 && self.rate < 10.0,
            "fewer than ten pictures a second: choose a smaller resolution or another port",
        );
        when(self.damaged > self.frames / 10, "many damaged pictures: shorten the cable, or take it off the hub");
        when(self.frames > 0 && self.brightness < 40, "too dark: more light, or more exposure");
        when(self.brightness > 220, "too bright: less exposure, or turn the camera away from the lamp");
        when(
            self.sharpness.is_some_and(|sharpness| sharpness < 0.4) || self.unread == Some(Hint::Blurred.code()),
            "a symbol is blurred: set the focus to the working distance",
        );
        when(
            self.pixels_per_module.is_some_and(|module| module < 2.5) || self.unread == Some(Hint::TooSmall.code()),
            "symbols are small: nearer, or a longer lens (hardware.md)",
        );
        advice
    }

    fn text(&self) -> String {
        let or_dash = |value: Option<f32>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        let mut text = format!(
            "{}\n{}x{}, {:.1} pictures a second ({} in all, {} damaged), the first after {} ms\n\
             brightness {}, sharpness {}, {} pixels a module, symbols read in {} pictures\n",
            self.source,
            self.width,
            self.height,
            self.rate,
            self.frames,
            self.damaged,
            self.first_after_ms,
            self.brightness,
            or_dash(self.sharpness),
            or_dash(self.pixels_per_module),
            self.read,
        );
        for Offer { order, size, rates } in &self.abilities.offers {
            let rates: Vec<String> = rates.iter().map(|rate| format!("{rate:.4}")).collect();
            let rates: Vec<&str> = rates.iter().map(|rate| rate.trim_end_matches('0').trim_end_matches('.')).collect();
            let rates = if rates.is_empty() { "as it likes".to_owned() } else { rates.join(", ") };
            let size = format!("{}x{}", size.width, size.height);
            text.push_str(&format!("offers {} {size:<10} pictures a second: {rates}\n", order.code()));
        }
        for knob in &self.abilities.knobs {
            let now = knob.now.map_or(String::new(), |now| format!(", now {now}"));
            let Knob { key, least, most, step, usual, .. } = knob;
            text.push_str(&format!("{key}: {least} to {most} in steps of {step} (usually {usual}{now})\n"));
        }
        if let Some(finding) = &self.finding {
            text.push_str(&format!("not read, {finding}\n"));
        }
        for advice in self.advice() {
            text.push_str(&format!("advice: {advice}\n"));
        }
        text
    }
}

#[cfg(all(target_os = "linux", feature = "camera"))]
fn list(json: bool) -> Result<Exit, Failure> {
    use devices::camera::v4l::devices::Machine;

    #[derive(Serialize)]
    struct CameraRecord {
        device: String,
        name: String,
        usb: Option<String>,
        stable: Option<String>,
    }
    let nodes = Machine::default().nodes();
    let found: Vec<CameraRecord> = nodes
        .into_iter()
        // The other nodes of a device carry metadata, not pictures.
        .filter(|node| node.index == 0)
        .map(|node| CameraRecord {
            device: node.path.display().to_string(),
            name: node.name,
            usb: node.usb.map(|usb| usb.to_string()),
            stable: node.stable.map(|path| path.display().to_string()),
        })
        .collect();
    if json {
        super::output::print(&(serde_json::to_string(&found).expect("names are plain data") + "\n"));
    } else if found.is_empty() {
        super::output::print("no camera; is it plugged in, and may this user see it (group video)?\n");
    }
    if !json {
        for camera in &found {
            let or_dash = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            super::output::print(&format!(
                "{:<14}{:<34}usb:{:<12}{}\n",
                camera.device,
                camera.name,
                or_dash(&camera.usb),
                or_dash(&camera.stable)
            ));
        }
    }
    Ok(if found.is_empty() { Exit::Failure } else { Exit::Ok })
}

#[cfg(not(all(target_os = "linux", feature = "camera")))]
fn list(_: bool) -> Result<Exit, Failure> {
    Err(Failure::new("this build cannot list cameras; give lane.camera.device a number, beginning with 0"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::config::{PixelOrder, Resolution};

    #[test]
    fn an_installer_is_told_formats_rates_and_what_can_be_set_and_a_script_the_same() {
        let size = Resolution { width: 1280, height: 720 };
        let abilities = Abilities {
            offers: vec![
                Offer { order: PixelOrder::Yuyv, size, rates: vec![10.0, 5.0] },
                Offer { order: PixelOrder::Mjpeg, size, rates: vec![30.0, 12.5] },
                Offer { order: PixelOrder::Grey, size, rates: Vec::new() },
            ],
            knobs: vec![Knob { key: "focus", least: 0, most: 250, step: 5, usual: 0, now: Some(30) }],
        };
        let view = View { frames: 90, rate: 30.0, brightness: 120, abilities, ..View::default() };
        let text = view.text();
        for line in [
            "offers YUYV 1280x720   pictures a second: 10, 5\n",
            "offers MJPG 1280x720   pictures a second: 30, 12.5\n",
            "offers GREY 1280x720   pictures a second: as it likes\n",
            "focus: 0 to 250 in steps of 5 (usually 0, now 30)\n",
        ] {
            assert!(text.contains(line), "{line}: {text}");
        }
        let json = serde_json::to_value(&view).expect("plain data");
        assert_eq!(json["offers"][1]["format"], "MJPG");
        assert_eq!(json["offers"][1]["rates"][1], 12.5);
        assert_eq!(json["knobs"][0]["most"], 250);
    }
}
