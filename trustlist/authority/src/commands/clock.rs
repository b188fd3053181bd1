//! Whether a time service confirms this machine's clock: systemd's word, which covers every service that tells the kernel, or chrony's own.

use std::process::{Command, Stdio};

/// Whether a time service says that the clock is right.
pub fn is_confirmed() -> bool {
    let answer = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    // timedatectl(1): the kernel's clock is disciplined, by systemd-timesyncd, chronyd, ntpd, ntpd-rs or whoever else told it.
    answer("timedatectl", &["show", "--property=NTPSynchronized", "--value"]).is_some_and(|word| word == "yes")
        || answer("chronyc", &["-n", "-c", "tracking"]).is_some_and(|line| follows(&line))
}

/// chronyc(1), `tracking` as CSV: reference id, name, stratum, …, leap status. "Not synchronised" is the other word.
fn follows(line: &str) -> bool {
    let fields: Vec<&str> = line.split(',').collect();
    let stratum = fields.get(2).and_then(|stratum| stratum.parse::<u8>().ok());
    stratum.is_some_and(|stratum| (1..16).contains(&stratum))
        && fields.last().is_some_and(|leap| matches!(*leap, "Normal" | "Insert second" | "Delete second"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chrony_confirms_a_clock_only_while_it_follows_somebody() {
        let heard = "C0248F97,192.36.143.151,2,1611000000.1,0.000001,0.0,0.0,1.0,0.0,0.1,0.02,0.01,64.2,Normal";
        let silent = "00000000,,0,0.000000000,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised";
        assert!(follows(heard));
        assert!(!follows(silent));
        assert!(!follows(""));
    }
}
