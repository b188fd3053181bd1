//! The root file system of an image: packages, files, users, units; then everything that differs between two builds is taken out of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use super::{Order, step};
use crate::{package::Architecture, shell::output};

/// Units that are started with the box, beside those of the packages.
const ENABLED: &[&str] =
    &["checkpoint-good.service", "checkpointd-wifi.path", "seatd.service", "systemd-timesyncd.service"];

/// Nobody logs in, nothing updates packages, and a cable that is out delays nothing.
const MASKED: &[&str] = &[
    "apt-daily-upgrade.timer",
    "apt-daily.timer",
    "autovt@.service",
    "console-getty.service",
    "debug-shell.service",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "e2scrub_reap.service",
    "fstrim.timer",
    "getty@.service",
    "getty@tty1.service",
    "grub-common.service",
    "NetworkManager-wait-online.service",
    "serial-getty@.service",
];

/// What a running box finds elsewhere than Debian's packages think.
const LINKS: &[(&str, &str)] = &[
    ("/var/lib/NetworkManager/system-connections", "etc/NetworkManager/system-connections"),
    ("/run/NetworkManager/resolv.conf", "etc/resolv.conf"),
];

/// Builds it below `place` and returns where it is. Needs root, as every tool that makes users and devices does.
pub fn build(order: &Order, architecture: &Architecture, package: &Path, place: &Path) -> io::Result<PathBuf> {
    let root = place.join("root");
    let list = fs::read_to_string("systemd/image/packages.list")?;
    let include = names(&list, architecture.name).join(",");
    let settings = place.join("apt.conf");
    // Proxies and mirrors' certificates are those of this machine.
    let config = output("apt-config", &["dump"]);
    let config = config.lines().filter(|line| {
        ["Check-", "Retries", "ftp", "http"].iter().any(|key| line.starts_with(&format!("Acquire::{key}")))
    });
    fs::write(&settings, config.map(|line| format!("{line}\n")).collect::<String>())?;
    let mut strap = Command::new("mmdebstrap");
    strap.args(["--mode=root", "--variant=minbase", "--format=directory"]);
    strap.args([format!("--architectures={}", architecture.name), format!("--include={include}")]);
    strap
        .arg(format!("--aptopt={}", fs::canonicalize(&settings)?.display()))
        .arg("--aptopt=Acquire::Languages \"none\"");
    for left_out in ["man", "locale", "doc", "info", "help"] {
        strap.arg(format!("--dpkgopt=path-exclude=/usr/share/{left_out}/*"));
    }
    strap.arg("--dpkgopt=path-include=/usr/share/doc/checkpointd/*");
    // The initramfs is made by our own settings the first time.
    strap.arg("--essential-hook=cp -r systemd/image/root/etc/initramfs-tools \"$1/etc/\"");
    let package = fs::canonicalize(package)?;
    strap.arg(format!(
        "--customize-hook=cp {} \"$1/gate.deb\" && chroot \"$1\" dpkg --install /gate.deb && rm \"$1/gate.deb\"",
        package.display()
    ));
    step(strap.arg("bookworm").arg(&root))?;
    step(Command::new("cp").args(["--recursive", "--no-preserve=ownership", "systemd/image/root/."]).arg(&root))?;
    if let Some(config) = &order.config {
        fs::copy(config, root.join("etc/checkpointd/conf.d/50-gate.toml"))?;
    }
    if let Some(lists) = &order.lists {
        step(Command::new("cp").arg("--recursive").arg(lists.join(".")).arg(root.join("usr/share/checkpointd/trust")))?;
    }
    settle(&root)?;
    fs::write(place.join("MANIFEST"), manifest(&root)?)?;
    Ok(root)
}

/// Users, units, links; and away with what each build has of its own.
fn settle(root: &Path) -> io::Result<()> {
    step(Command::new("systemd-sysusers").arg(format!("--root={}", root.display())))?;
    for (to, link) in LINKS {
        let link = root.join(link);
        if link.is_dir() && !link.is_symlink() {
            fs::remove_dir_all(&link)?;
        } else if link.is_symlink() || link.exists() {
            fs::remove_file(&link)?;
        }
        std::os::unix::fs::symlink(to, link)?;
    }
    let enable = |verb: &str, units: &[&str]| {
        step(Command::new("systemctl").arg(format!("--root={}", root.display())).arg(verb).args(units))
    };
    enable("enable", ENABLED)?;
    enable("mask", MASKED)?;
    step(Command::new("chroot").arg(root).args(["usermod", "--lock", "root"]))?;
    step(Command::new("chroot").arg(root).args(["update-initramfs", "-u", "-k", "all"]))?;
    fs::create_dir_all(root.join("boot/env"))?;
    fs::write(root.join("etc/hostname"), "gate\n")?;
    // Empty: the boot loader hands the box's own id to the kernel.
    fs::write(root.join("etc/machine-id"), "")?;
    for backup in ["passwd-", "group-", "shadow-", "gshadow-", "subuid-", "subgid-", ".pwd.lock"] {
        let _ = fs::remove_file(root.join("etc").join(backup));
    }
    Ok(())
}

/// The packages of a list, whose lines are `name # reason`.
fn names(list: &str, architecture: &str) -> Vec<String> {
    let named = list.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    named.filter(|name| !name.is_empty()).map(|name| name.replace("ARCH", architecture)).collect()
}

/// What was installed, by name and version.
fn manifest(root: &Path) -> io::Result<String> {
    let database = format!("--admindir={}", root.join("var/lib/dpkg").display());
    let listed = output("dpkg-query", &[&database, "--show"]);
    if listed.is_empty() { Err(io::Error::other("dpkg-query lists no packages")) } else { Ok(listed) }
}

/// The newest kernel in it.
pub fn kernel(root: &Path) -> io::Result<String> {
    let mut kernels: Vec<String> = root
        .join("usr/lib/modules")
        .read_dir()?
        .filter_map(|entry| entry.ok().map(|entry| entry.file_name().to_string_lossy().into_owned()))
        .collect();
    kernels.sort();
    kernels.pop().ok_or_else(|| io::Error::other("there is no kernel in the image"))
}

/// What is not in a system's squashfs: the boot partition has the kernel, and what else there is belongs to one build or one start.
pub const LEFT_OUT: &[&str] = &[
    "boot/vmlinuz*",
    "boot/initrd*",
    "boot/config*",
    "boot/System*",
    "proc/*",
    "sys/*",
    "dev/*",
    "run/*",
    "tmp/*",
    "var/*",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_packages_names_each_once_with_its_reason() {
        let list = include_str!("../../../../systemd/image/packages.list");
        let mut named = names(list, "arm64");
        assert!(named.contains(&"linux-image-arm64".to_owned()) && named.contains(&"cage".to_owned()), "{named:?}");
        let count = named.len();
        named.sort();
        named.dedup();
        assert_eq!(named.len(), count);
        assert_eq!(names("a # why\n\n# only a remark\nb-ARCH\n", "amd64"), ["a", "b-amd64"]);
    }
}
