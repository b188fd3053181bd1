//! A configuration code at a lane: judged, written into the chain, then into `codes.toml`, then the shift begins anew with it.
//!
//! What a code may say is [`trustlist::configuration`]'s word. Here is the order of the edge: evidence first, then effect; and what
//! would make the configuration invalid is found out before either.

use std::{path::Path, time::Duration};

use cache::log::{Event, Memory, UnixMillis, Written};
use host::{
    atomic_file::{self, Readers},
    config::Codes,
    service_window,
};
use trustlist::configuration::{self, Context, Order, Refusal, Wifi};

use super::shared::Shared;

/// How long the chain is waited for. No traveller is waiting meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
/// The wireless network as NetworkManager reads it, in `places.state`.
const WIFI: &str = "wifi.nmconnection";

/// Takes a configuration code that the lane `lane` saw; what came of it, as the screen says it.
pub fn take(shared: &Shared, lane: usize, text: &str, memory: Option<&Memory>) -> &'static str {
    let name = &shared.config.lane[lane].id;
    // Asked first: outside of a window anybody may hold up such a code, and it is not looked into.
    let window = service_window::remaining(&shared.config.places.runtime, shared.time.clock().calendar()).is_some();
    if !window {
        log::info!(
            "lane {name}: a configuration code outside of a service window (checkpointd service-window opens one)"
        );
        return Refusal::NoWindow.code();
    }
    let state = &shared.config.places.state;
    let codes = match Codes::read(state) {
        Ok(codes) => codes,
        Err(error) => {
            log::error!("lane {name}: a configuration code cannot be taken: {error}");
            return "not-applied";
        }
    };
    let trust = shared.trust.load();
    let context = Context {
        window,
        checkpoint: &shared.config.checkpoint.id,
        moment: shared.moment(&trust),
        taken: codes.number,
    };
    let order = match configuration::decide(text, &trust, &context) {
        Ok(order) => order,
        Err(refusal) => {
            log::warn!("lane {name}: a configuration code sets nothing: {refusal}");
            return refusal.code();
        }
    };
    let applied = possible(shared, &order, name)
        .and_then(|()| remember(&order, name, (&context, shared.time.clock().unix_millis()), memory))
        .and_then(|()| apply(&codes.after(order.number, &order.settings, name), &order, state));
    match applied {
        Ok(()) => {
            let sets = order.settings.names().join(", ");
            log::info!("lane {name}: configuration code {} of key {} sets {sets}", order.number, order.kid);
            "taken"
        }
        Err(trouble) => {
            log::error!("lane {name}: configuration code {} cannot be applied: {trouble}", order.number);
            "not-applied"
        }
    }
}

/// Whether the configuration would still be one.
fn possible(shared: &Shared, order: &Order, lane: &str) -> Result<(), String> {
    let alone = Codes::default().after(order.number, &order.settings, lane);
    shared.config.with(&alone).map(drop).map_err(|error| error.to_string())
}

/// No effect without a row.
fn remember(
    order: &Order,
    lane: &str,
    (context, at_ms): (&Context<'_>, i64),
    memory: Option<&Memory>,
) -> Result<(), String> {
    let event = Event::ConfigurationCode {
        number: order.number,
        kid: order.kid.to_string(),
        lane: lane.to_owned(),
        sets: order.settings.names().into_iter().map(str::to_owned).collect(),
    };
    let memory = memory.ok_or("there is no scan log")?;
    match memory.record(&event, UnixMillis(at_ms), context.moment.trust).wait(PATIENCE) {
        Written::Committed(_) => Ok(()),
        Written::Late => Err("the scan log does not answer".to_owned()),
        Written::Failed(fault) => Err(format!("the scan log: {}", fault.code())),
    }
}

fn apply(codes: &Codes, order: &Order, state: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("{}: {error}", state.display());
    if let Some(wifi) = &order.settings.wifi {
        write_wifi(&state.join(WIFI), wifi).map_err(failed)?;
    }
    codes.write(state).map_err(failed)
}

/// For `checkpointd-wifi.path`, which hands it to NetworkManager: this daemon may not.
fn write_wifi(path: &Path, wifi: &Wifi) -> std::io::Result<()> {
    atomic_file::replace(path, keyfile(wifi).as_bytes(), Readers::Owner)
}

/// NetworkManager's keyfile (nm-settings-keyfile(5)): the name as a list of bytes, the passphrase with its backslashes and outer
/// blanks escaped, so that neither can end its line or its section.
fn keyfile(wifi: &Wifi) -> String {
    let name: String = wifi.name.iter().map(|byte| format!("{byte};")).collect();
    let passphrase = wifi.passphrase.replace('\\', "\\\\").replace(' ', "\\s");
    format!(
        "[connection]\nid=checkpoint\ntype=wifi\nautoconnect=true\n\n[wifi]\nmode=infrastructure\nssid={name}\n\n\
         [wifi-security]\nkey-mgmt=wpa-psk\npsk={passphrase}\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=auto\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_and_no_passphrase_can_leave_its_line_of_the_keyfile() {
        let wifi = Wifi { name: b"x\n[vpn]".to_vec(), passphrase: " back\\slash; #1 ".to_owned() };
        let text = keyfile(&wifi);
        assert!(text.contains("ssid=120;10;91;118;112;110;93;\n"), "{text}");
        assert!(text.contains("psk=\\sback\\\\slash;\\s#1\\s\n"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with('[')).count(), 5);
    }

    #[cfg(unix)]
    #[test]
    fn the_passphrase_is_its_owners_only() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(WIFI);
        let wifi = Wifi { name: b"station".to_vec(), passphrase: "correct horse".to_owned() };
        write_wifi(&path, &wifi).expect("written");
        assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o600);
    }
}
