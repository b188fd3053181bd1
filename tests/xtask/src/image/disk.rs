//! The disk of an image: the verified system, its boot partition, the boot loader, the counters, and the table of them all. Every identity in it is
//! a constant or follows from the contents, so that two builds of the same files are the same bytes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    Order,
    root::{self, LEFT_OUT},
    step,
};
use crate::{package::Architecture, shell::output};

/// What a machine's firmware starts.
#[derive(Debug)]
pub struct Firmware {
    architecture: &'static str,
    /// The removable path of the UEFI specification (§3.5.1.1): it needs none of the firmware's variables, which boards lose.
    file: &'static str,
    /// GRUB's name of the platform.
    grub: &'static str,
    /// Debian's package with GRUB's modules for it.
    package: &'static str,
}

const FIRMWARES: &[Firmware] = &[
    Firmware { architecture: "amd64", file: "BOOTX64.EFI", grub: "x86_64-efi", package: "grub-efi-amd64-bin" },
    Firmware { architecture: "arm64", file: "BOOTAA64.EFI", grub: "arm64-efi", package: "grub-efi-arm64-bin" },
];

impl Firmware {
    /// The firmware of an architecture's boards, where that is UEFI.
    pub fn of(architecture: &Architecture) -> Option<&'static Firmware> {
        FIRMWARES.iter().find(|known| known.architecture == architecture.name)
    }
}

/// GRUB's modules: what reads the partitions, the counters and the kernel, and nothing that reads a keyboard or a network.
const MODULES: &str = "all_video configfile echo fat linux loadenv part_gpt reboot regexp sleep test";
/// Those that hold what is started to the key it was built with.
const VERIFYING: &str = "pgp gcry_rsa gcry_dsa gcry_sha256 gcry_sha512 hashsum";

/// A partition: what it is called, its size in MiB, and what is in it when the card is new.
struct Partition {
    name: &'static str,
    mebibytes: u64,
    kind: &'static str,
    contents: Option<&'static str>,
}

const fn linux(name: &'static str, mebibytes: u64, contents: Option<&'static str>) -> Partition {
    Partition { name, mebibytes, kind: "linux", contents }
}

/// In this order, from the first mebibyte on; `grub.cfg` and `fstab` know the numbers. The data partition follows at the first start.
const PARTITIONS: &[Partition] = &[
    Partition { name: "esp", mebibytes: 34, kind: "uefi", contents: Some("esp.img") },
    linux("env", 4, Some("env.img")),
    linux("boot-a", 64, Some("boot.img")),
    linux("system-a", 1024, Some("system.img")),
    linux("boot-b", 64, None),
    linux("system-b", 1024, None),
];

/// The counters of a new card: A may start, B holds nothing yet. GRUB's format is 1,024 bytes, filled with `#`; it writes into a file that is
/// there and makes none.
fn counters() -> String {
    let said = "# GRUB Environment Block\nORDER=A B\nA_OK=1\nA_TRY=0\nB_OK=0\nB_TRY=0\n";
    format!("{said:#<1024}")
}

/// What `sfdisk` is told.
fn table() -> String {
    let mut table = "label: gpt\nlabel-id: 5CA1AB1E-0000-4000-8000-000000000000\n".to_owned();
    let mut start = 1;
    for (number, partition) in (1..).zip(PARTITIONS) {
        let Partition { name, mebibytes, kind, .. } = partition;
        table += &format!(
            "start={start}MiB, size={mebibytes}MiB, type={kind}, uuid=5CA1AB1E-0000-4000-8000-{number:012}, name=checkpoint-{name}\n"
        );
        start += mebibytes;
    }
    table
}

/// Builds the image from a root file system, and returns where it is.
pub fn build(order: &Order, firmware: &Firmware, root: &Path, place: &Path) -> io::Result<PathBuf> {
    let kernel = root::kernel(root)?;
    fs::copy(root.join("boot").join(format!("vmlinuz-{kernel}")), place.join("vmlinuz"))?;
    fs::copy(root.join("boot").join(format!("initrd.img-{kernel}")), place.join("initrd"))?;
    verified(root, place)?;
    let mut boot = vec![place.join("vmlinuz"), place.join("initrd"), place.join("slot.cfg")];
    if let Some(key) = &order.boot_key {
        for file in boot.clone() {
            let signature = PathBuf::from(format!("{}.sig", file.display()));
            step(
                Command::new("gpg")
                    .args(["--batch", "--yes", "--local-user", key, "--output"])
                    .arg(&signature)
                    .arg("--detach-sign")
                    .arg(&file),
            )?;
            boot.push(signature);
        }
    }
    loader(order, firmware, place)?;
    fs::write(place.join("grubenv"), counters())?;
    fat(place, "esp.img", "ESP", 1, &[("EFI/BOOT", &[place.join(firmware.file)])])?;
    fat(place, "env.img", "ENV", 2, &[("", &[place.join("grubenv")])])?;
    fat(place, "boot.img", "BOOT", 3, &[("", &boot)])?;
    assemble(place)
}

/// `system.img`: the squashfs and, behind it, the tree of hashes over it; `slot.cfg`: the hash at the tree's root.
fn verified(root: &Path, place: &Path) -> io::Result<()> {
    let system = place.join("system.img");
    let mut squash = Command::new("mksquashfs");
    squash.arg(root).arg(&system).args([
        "-comp",
        "zstd",
        "-Xcompression-level",
        "15",
        "-b",
        "256K",
        "-noappend",
        "-no-progress",
        "-quiet",
    ]);
    step(squash.args(["-wildcards", "-e"]).args(LEFT_OUT))?;
    // dm-verity's blocks are 4 KiB.
    let file = fs::OpenOptions::new().write(true).open(&system)?;
    let size = file.metadata()?.len().next_multiple_of(4096);
    file.set_len(size)?;
    drop(file);
    // A salt that follows from the contents is as good as a random one against whoever does not choose them, and the same in each build.
    let digest = output("sha256sum", &[&system.display().to_string()]);
    let salt = digest.get(..64).ok_or_else(|| io::Error::other("sha256sum says nothing"))?;
    let (path, offset) = (system.display().to_string(), format!("--hash-offset={size}"));
    let said = output(
        "/usr/sbin/veritysetup",
        &["format", &path, &path, &offset, &format!("--salt={salt}"), "--uuid=5ca1ab1e-0000-4000-8000-0000000000ff"],
    );
    let hash = root_hash(&said).ok_or_else(|| io::Error::other("veritysetup names no root hash"))?;
    let room = PARTITIONS
        .iter()
        .find(|partition| partition.contents == Some("system.img"))
        .map_or(0, |partition| partition.mebibytes << 20);
    if fs::metadata(&system)?.len() > room {
        return Err(io::Error::other(format!(
            "the system has {} bytes and its partition {room}",
            fs::metadata(&system)?.len()
        )));
    }
    fs::write(place.join("slot.cfg"), format!("set root_hash={hash}\nset hash_offset={size}\n"))
}

fn root_hash(said: &str) -> Option<&str> {
    said.lines().find_map(|line| line.strip_prefix("Root hash:")).map(str::trim)
}

/// GRUB as one program with its configuration inside.
fn loader(order: &Order, firmware: &Firmware, place: &Path) -> io::Result<()> {
    let modules = fs::canonicalize(place)?.join("grub");
    fs::create_dir_all(&modules)?;
    // The modules of another architecture's package are unpacked and not installed: nothing of it runs here.
    let other = format!("{}:{}", firmware.package, firmware.architecture);
    step(Command::new("apt-get").args(["download", &other]).current_dir(&modules))?;
    for entry in modules.read_dir()? {
        let package = entry?.path();
        if package.extension().is_some_and(|end| end == "deb") {
            step(Command::new("dpkg-deb").arg("--extract").arg(&package).arg(&modules))?;
        }
    }
    let mut make = Command::new("grub-mkstandalone");
    make.arg(format!("--directory={}", modules.join("usr/lib/grub").join(firmware.grub).display()));
    make.arg(format!("--format={}", firmware.grub)).arg(format!("--output={}", place.join(firmware.file).display()));
    make.args(["--fonts=", "--locales=", "--themes="]);
    match &order.boot_key {
        Some(key) => {
            let public = place.join("boot-key.gpg");
            step(Command::new("gpg").args(["--batch", "--yes", "--output"]).arg(&public).args(["--export", key]))?;
            make.arg(format!("--pubkey={}", public.display())).arg(format!("--modules={MODULES} {VERIFYING}"));
        }
        None => {
            println!(
                "xtask: no --boot-key: the system is held to its root hash, and nothing holds the root hash to a key"
            );
            make.arg(format!("--modules={MODULES}"));
        }
    }
    step(make.arg("boot/grub/grub.cfg=systemd/image/grub.cfg"))
}

/// A partition with FAT, and files in its folders.
fn fat(place: &Path, name: &str, label: &str, number: u32, folders: &[(&str, &[PathBuf])]) -> io::Result<()> {
    let image = place.join(name);
    let mebibytes =
        PARTITIONS.iter().find(|partition| partition.contents == Some(name)).map_or(0, |partition| partition.mebibytes);
    let mut make = Command::new("/usr/sbin/mkfs.vfat");
    make.args(["-C", "--invariant", "-n", label, "-i", &format!("5ca1ab{number:02x}")]).arg(&image);
    step(make.arg((mebibytes * 1024).to_string()))?;
    for (folder, files) in folders {
        let mut path = String::new();
        for part in folder.split('/').filter(|part| !part.is_empty()) {
            path = format!("{path}/{part}");
            step(Command::new("mmd").arg("-i").arg(&image).arg(format!("::{path}")))?;
        }
        step(Command::new("mcopy").arg("-i").arg(&image).args(*files).arg(format!("::{path}/")))?;
    }
    Ok(())
}

/// Puts the partitions where the table has them.
fn assemble(place: &Path) -> io::Result<PathBuf> {
    let image = place.join("checkpoint.img");
    // A mebibyte before the first partition and one behind the last, for the table and its copy.
    let whole = PARTITIONS.iter().map(|partition| partition.mebibytes).sum::<u64>() + 2;
    fs::File::create(&image)?.set_len(whole << 20)?;
    let script = place.join("table");
    fs::write(&script, table())?;
    // sfdisk takes its script from its standard input alone.
    let mut divide = Command::new("sh");
    step(divide.args(["-c", "exec /usr/sbin/sfdisk --quiet \"$1\" <\"$2\"", "sfdisk"]).arg(&image).arg(&script))?;
    let mut start = 1;
    for partition in PARTITIONS {
        if let Some(contents) = partition.contents {
            let (from, to) = (place.join(contents), format!("of={}", image.display()));
            let mut copy = Command::new("dd");
            copy.arg(format!("if={}", from.display())).args([to, "bs=1M".to_owned(), format!("seek={start}")]);
            step(copy.args(["conv=notrunc,sparse", "status=none"]))?;
        }
        start += partition.mebibytes;
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loader_and_the_box_know_the_partitions_that_the_table_makes() {
        let grub = include_str!("../../../../systemd/image/grub.cfg");
        let fstab = include_str!("../../../../systemd/image/root/etc/fstab");
        let table = table();
        for (number, name) in [(2, "env"), (3, "boot-a"), (5, "boot-b")] {
            assert_eq!(PARTITIONS[number - 1].name, name);
            assert!(grub.contains(&format!("gpt{number}")), "{name}");
        }
        for (number, name) in [(4, "system-a"), (6, "system-b")] {
            let uuid = format!("5ca1ab1e-0000-4000-8000-{number:012}");
            assert!(
                grub.contains(&uuid) && table.contains(&format!("{}, name=checkpoint-{name}\n", uuid.to_uppercase())),
                "{name}"
            );
        }
        assert!(fstab.contains("PARTLABEL=checkpoint-env "));
    }

    #[test]
    fn new_counters_are_complete_and_of_the_size_that_grub_writes_into() {
        let counters = counters();
        assert_eq!(counters.len(), 1024);
        for name in ["ORDER=A B", "A_OK=1", "A_TRY=0", "B_OK=0", "B_TRY=0"] {
            assert!(counters.lines().any(|line| line == name), "{name}");
        }
    }

    #[test]
    fn the_root_hash_is_read_from_what_veritysetup_says() {
        assert_eq!(root_hash("UUID:   x\nSalt: \tab\nRoot hash:      \t7cac\n"), Some("7cac"));
        assert_eq!(root_hash("Device is busy\n"), None);
    }
}
