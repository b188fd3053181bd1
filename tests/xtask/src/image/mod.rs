//! `cargo xtask image ARCHITECTURE`: a card that becomes a gate. Debian's packages by the names in `systemd/image/packages.list`, the gate's own
//! package, and the few files of `systemd/image/root`; a root that is read-only and verified block by block, room for two systems, and a boot
//! loader that counts their tries. What a box keeps is on a partition that its first start makes.
//!
//! ```text
//! esp | env | boot A | system A | boot B | system B | (data, to the end of the card)
//! ```
//!
//! With the same packages in Debian's repository and the same `SOURCE_DATE_EPOCH` the same bytes come out; `MANIFEST` beside the image says which
//! packages those were.

mod disk;
mod root;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    package::{self, Architecture},
    shell::{announce, install, succeeds},
};

const TOOLS: &[(&str, &str)] = &[
    ("mmdebstrap", "mmdebstrap"),
    ("squashfs-tools", "mksquashfs"),
    ("cryptsetup-bin", "/usr/sbin/veritysetup"),
    ("grub-common", "grub-mkstandalone"),
    ("dosfstools", "/usr/sbin/mkfs.vfat"),
    ("mtools", "mcopy"),
    ("fdisk", "/usr/sbin/sfdisk"),
    ("zstd", "zstd"),
];
/// What runs a board's programs while its packages are configured on another machine.
const EMULATION: &[(&str, &str)] = &[("qemu-user-static", "qemu-aarch64-static"), ("arch-test", "arch-test")];

/// What goes into an image beside Debian's packages and our own.
#[derive(Debug, Default, PartialEq, Eq)]
struct Order {
    architecture: String,
    /// The gate's package, where it is built already: a released one.
    package: Option<PathBuf>,
    /// A file for `/etc/checkpointd/conf.d`: what all boxes of this image have in common.
    config: Option<PathBuf>,
    /// A folder of repositories: the lists that a box starts with.
    lists: Option<PathBuf>,
    /// A key of gpg(1) that signs kernel, initramfs and root hash; the boot loader then starts nothing else.
    boot_key: Option<String>,
}

const USAGE: &str = "cargo xtask image amd64|arm64 [--package FILE] [--config FILE] [--lists FOLDER] [--boot-key KEY]";

impl Order {
    fn parse(arguments: &[&str]) -> Option<Order> {
        let mut order = Order::default();
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match *word {
                "--package" => order.package = Some(words.next()?.into()),
                "--config" => order.config = Some(words.next()?.into()),
                "--lists" => order.lists = Some(words.next()?.into()),
                "--boot-key" => order.boot_key = Some((*words.next()?).to_owned()),
                name if order.architecture.is_empty() && !name.starts_with('-') => {
                    name.clone_into(&mut order.architecture)
                }
                _ => return None,
            }
        }
        (!order.architecture.is_empty()).then_some(order)
    }
}

/// Makes the image that the line orders, in `target/image`.
pub fn image(arguments: &[&str]) -> bool {
    let Some(order) = Order::parse(arguments) else {
        eprintln!("{USAGE}");
        return false;
    };
    let Some(architecture) = package::architecture(&order.architecture) else { return false };
    let Some(firmware) = disk::Firmware::of(architecture) else {
        eprintln!("xtask: no image is made for {}: its boards have no UEFI", architecture.name);
        return false;
    };
    if !install(TOOLS) || !(package::is_native(architecture) || install(EMULATION)) {
        return false;
    }
    let built = || package::build(architecture, true).and_then(|made| made.into_iter().next());
    let Some(package) = order.package.clone().or_else(built) else { return false };
    match make(&order, architecture, firmware, &package) {
        Ok(image) => {
            println!("\n{}", image.display());
            true
        }
        Err(error) => {
            eprintln!("xtask: {error}");
            false
        }
    }
}

fn make(order: &Order, architecture: &Architecture, firmware: &disk::Firmware, package: &Path) -> io::Result<PathBuf> {
    let place = Path::new("target/image").join(architecture.name);
    if place.exists() {
        fs::remove_dir_all(&place)?;
    }
    fs::create_dir_all(&place)?;
    let root = root::build(order, architecture, package, &place)?;
    let image = disk::build(order, firmware, &root, &place)?;
    fs::remove_dir_all(&root)?;
    Ok(image)
}

/// Runs a step; what it says is seen, and a failure names the program.
fn step(command: &mut Command) -> io::Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    announce(&program);
    command.env("SOURCE_DATE_EPOCH", package::epoch());
    if succeeds(command) { Ok(()) } else { Err(io::Error::other(format!("{program} did not succeed"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_one_architecture_and_nothing_unknown() {
        let order = Order::parse(&["arm64", "--config", "gate.toml", "--boot-key", "K"]).expect("an order");
        assert_eq!(
            (order.architecture.as_str(), order.config, order.boot_key),
            ("arm64", Some("gate.toml".into()), Some("K".to_owned()))
        );
        for none in
            [&[][..], &["--config", "gate.toml"], &["amd64", "--config"], &["amd64", "--sing"], &["amd64", "arm64"]]
        {
            assert_eq!(Order::parse(none), None, "{none:?}");
        }
    }
}
