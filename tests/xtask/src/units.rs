//! The systemd units, as systemd itself reads them.

use std::{env, fs, path::Path, process::Command};

use crate::shell::run;

/// Whether systemd understands the units, and how far those of the daemon are confined (0 is most, 10 least).
pub fn check() -> bool {
    let folder = env::temp_dir().join(format!("checkpointd-units-{}", std::process::id()));
    let mut units = Vec::new();
    let written = fs::create_dir_all(&folder).and_then(|()| {
        for entry in Path::new("systemd").read_dir()?.chain(Path::new("systemd/centre").read_dir()?) {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !(name.ends_with(".service") || name.ends_with(".path") || name.ends_with(".timer")) {
                continue;
            }
            // Programs that are not installed here would be reported; whether they are is the package's concern.
            let installed = |line: &str| match line.split_once("=/") {
                Some((key, _)) if key.starts_with("Exec") => format!("{key}=/bin/true\n"),
                _ => format!("{line}\n"),
            };
            // A line that ends in a backslash goes on in the next one (systemd.syntax(7)).
            let text: String = fs::read_to_string(&path)?.replace("\\\n", " ").lines().map(installed).collect();
            fs::write(folder.join(&name), text)?;
            units.push(folder.join(name).display().to_string());
        }
        Ok(())
    });
    if let Err(error) = written {
        eprintln!("xtask: the units cannot be copied to {}: {error}", folder.display());
        return false;
    }
    let all: Vec<&str> = units.iter().map(String::as_str).collect();
    let confined_ones = [
        "/checkpointd.service",
        "/checkpointd-sync.service",
        "/checkpointd-stick@.service",
        "/checkpointd-wifi.service",
        "/checkpoint-centre.service",
    ];
    let daemon = |unit: &&&str| confined_ones.iter().any(|name| unit.ends_with(name));
    let sound = run("systemd-analyze", &[&["verify", "--man=no"], all.as_slice()].concat())
        && all.iter().filter(daemon).all(|unit| confined(unit));
    // Only copies: what is left of them is nobody's loss.
    let _ = fs::remove_dir_all(&folder);
    sound
}

/// Whether systemd's own score of a unit is at most 2.0.
fn confined(unit: &str) -> bool {
    let asked = Command::new("systemd-analyze")
        .args(["security", "--no-pager", "--offline=true", "--threshold=20", unit])
        .output();
    let Ok(answer) = asked else { return false };
    let text = String::from_utf8_lossy(&answer.stdout);
    println!("{}", text.lines().last().unwrap_or_default());
    answer.status.success()
}
