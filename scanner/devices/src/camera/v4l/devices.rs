//! Finding cameras: which device nodes there are, what stands behind them, and which one a configuration means.
//!
//! Numbers move when a camera is replugged, so a node is looked up anew at every opening. What a node is called and which USB
//! device it belongs to is read from sysfs, as the camera's own words, which nobody has checked: never trusted to be UTF-8.

use std::{
    fs,
    path::{Path, PathBuf},
};

use host::config::{Device, UsbId};

use crate::camera::SourceError;

/// Nodes of one machine; more is a driver gone mad.
const MAX_NODES: usize = 256;

/// Where cameras are looked up: the real machine's folders, or a test's.
#[derive(Clone, Debug)]
pub struct Machine {
    /// Device nodes.
    pub dev: PathBuf,
    /// `class/video4linux` of sysfs.
    pub class: PathBuf,
}

impl Default for Machine {
    fn default() -> Machine {
        Machine { dev: PathBuf::from("/dev"), class: PathBuf::from("/sys/class/video4linux") }
    }
}

/// A device node that may be a camera; USB cameras have a second one for metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its number.
    pub number: u32,
    /// Where it is opened.
    pub path: PathBuf,
    /// Which of the nodes of its device it is; pictures come from the first.
    pub index: u32,
    /// What the driver calls it.
    pub name: String,
    /// The USB device behind it.
    pub usb: Option<UsbId>,
    /// A link that stays when numbers move.
    pub stable: Option<PathBuf>,
}

impl Machine {
    /// All nodes, by number.
    #[must_use]
    pub fn nodes(&self) -> Vec<Node> {
        let links = self.links();
        let mut nodes: Vec<Node> = entries(&self.class)
            .filter_map(|folder| {
                let number = folder.file_name()?.to_str()?.strip_prefix("video")?.parse().ok()?;
                let path = self.dev.join(format!("video{number}"));
                Some(Node {
                    number,
                    index: word(&folder.join("index")).and_then(|text| text.parse().ok()).unwrap_or_default(),
                    name: word(&folder.join("name")).unwrap_or_default(),
                    usb: usb(&folder.join("device")),
                    stable: links.iter().find(|(_, target)| *target == path).map(|(link, _)| link.clone()),
                    path,
                })
            })
            .collect();
        nodes.sort_by_key(|node| node.number);
        nodes
    }

    /// The paths that `device` means, in the order they are to be tried.
    pub fn find(&self, device: &Device) -> Result<Vec<PathBuf>, SourceError> {
        let found: Vec<PathBuf> = match device {
            Device::Index(number) => vec![self.dev.join(format!("video{number}"))],
            Device::Path(path) => vec![path.clone()],
            Device::Auto => self.nodes().into_iter().map(|node| node.path).collect(),
            Device::Usb(id) => self
                .nodes()
                .into_iter()
                .filter(|node| node.usb.as_ref().is_some_and(|usb| usb.answers(id)))
                .map(|node| node.path)
                .collect(),
            Device::Pictures(_) | Device::None => Vec::new(),
        };
        if found.is_empty() {
            return Err(SourceError::Absent(match device {
                Device::Auto => "a camera".to_owned(),
                other => format!("camera {other}"),
            }));
        }
        Ok(found)
    }

    /// Links by what they are, then by where they are plugged in; each with the node it leads to.
    fn links(&self) -> Vec<(PathBuf, PathBuf)> {
        ["by-id", "by-path"]
            .iter()
            .flat_map(|kind| {
                let mut links: Vec<PathBuf> = entries(&self.dev.join("v4l").join(kind)).collect();
                links.sort();
                links
            })
            .filter_map(|link| {
                let target = fs::read_link(&link).ok()?;
                Some((link, self.dev.join(target.file_name()?)))
            })
            .collect()
    }
}

/// The node's device is a USB interface; the USB device is the folder above it.
fn usb(interface: &Path) -> Option<UsbId> {
    let device = fs::canonicalize(interface).ok()?.parent()?.to_owned();
    let hex = |name: &str| u16::from_str_radix(&word(&device.join(name))?, 16).ok();
    Some(UsbId { vendor: hex("idVendor")?, product: hex("idProduct")?, serial: word(&device.join("serial")) })
}

fn word(file: &Path) -> Option<String> {
    let bytes = fs::read(file).ok()?;
    let text: String = String::from_utf8_lossy(&bytes).chars().filter(|letter| !letter.is_control()).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path()).take(MAX_NODES)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// Two USB cameras of one kind, each with a metadata node, and a camera that is not on USB.
    fn machine() -> (tempfile::TempDir, Machine) {
        let root = tempfile::tempdir().expect("a folder");
        let machine = Machine { dev: root.path().join("dev"), class: root.path().join("class") };
        let by_id = machine.dev.join("v4l/by-id");
        fs::create_dir_all(&by_id).expect("made");
        for (number, index, port, serial) in
            [(0, 1, "1-1", "A1"), (1, 0, "1-1", "A1"), (3, 0, "1-2", "B2"), (10, 0, "", "")]
        {
            let folder = machine.class.join(format!("video{number}"));
            fs::create_dir_all(&folder).expect("made");
            fs::write(folder.join("index"), format!("{index}\n")).expect("written");
            // A name as a camera may really give it: not UTF-8, and with a line's end in it.
            fs::write(folder.join("name"), b"Cam\xff \x1bEra\n").expect("written");
            if port.is_empty() {
                continue;
            }
            let device = root.path().join("devices").join(port);
            let interface = device.join(format!("{port}:1.0"));
            fs::create_dir_all(&interface).expect("made");
            for (name, value) in [("idVendor", "046d\n"), ("idProduct", "0825\n"), ("serial", serial)] {
                fs::write(device.join(name), value).expect("written");
            }
            symlink(interface, folder.join("device")).expect("linked");
        }
        symlink("../../video3", by_id.join("usb-Cam_B2-video-index0")).expect("linked");
        (root, machine)
    }

    #[test]
    fn nodes_are_told_by_number_with_their_usb_device_and_stable_link() {
        let (_root, machine) = machine();
        let nodes = machine.nodes();
        assert_eq!(nodes.iter().map(|node| node.number).collect::<Vec<_>>(), [0, 1, 3, 10]);
        assert_eq!(nodes[0].name, "Cam\u{fffd} Era");
        assert_eq!(nodes[2].usb.as_ref().map(ToString::to_string).as_deref(), Some("046d:0825:B2"));
        assert_eq!(nodes[2].stable, Some(machine.dev.join("v4l/by-id/usb-Cam_B2-video-index0")));
        assert_eq!((nodes[3].usb.clone(), nodes[3].stable.clone()), (None, None));
    }

    #[test]
    fn a_usb_id_finds_every_node_of_its_kind_and_a_serial_number_only_its_own() {
        let (_root, machine) = machine();
        let find = |text: &str| machine.find(&Device::parse_text(text).expect("a device"));
        let nodes = |numbers: &[u32]| numbers.iter().map(|number| machine.dev.join(format!("video{number}"))).collect();
        let alike: Vec<PathBuf> = nodes(&[0, 1, 3]);
        assert_eq!(find("usb:046d:0825").ok(), Some(alike));
        let one: Vec<PathBuf> = nodes(&[3]);
        assert_eq!(find("usb:046d:0825:B2").ok(), Some(one));
        assert!(matches!(find("usb:046d:0826"), Err(SourceError::Absent(_))));
        let number: Vec<PathBuf> = nodes(&[7]);
        assert_eq!(find("7").ok(), Some(number));
    }

    #[test]
    fn a_machine_without_cameras_says_so() {
        let root = tempfile::tempdir().expect("a folder");
        let machine = Machine { dev: root.path().to_owned(), class: root.path().join("none") };
        assert!(machine.nodes().is_empty());
        let error = machine.find(&Device::Auto).expect_err("no camera");
        assert_eq!(error.to_string(), "a camera is not there: check its plug, then `checkpointd camera list`");
    }
}
