//! A configuration code at a lane: judged, written into the chain, then into `codes.toml`, then what it changes begins anew with it.
//!
//! What a code may say is [`trustlist::configuration`]'s word. Here is the order of the edge: evidence first, then effect; and what
//! would make the configuration invalid is found out before either.

use std::{path::Path, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use cache::log::{Event, Memory, UnixMillis, Written};
use host::{
    atomic_file::{self, Readers},
    believed_time::BelievedTime,
    config::{Codes, Config},
    service_window,
};
use tokio::sync::mpsc;
use trustlist::{
    configuration::{self, Context, Order, Refusal, Wifi},
    trust::Trust,
};

/// How long the chain is waited for. No traveller is waiting meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);
/// The wireless network as NetworkManager reads it, in `places.state`.
const WIFI: &str = "wifi.nmconnection";

/// Takes configuration codes for the lanes. Clones take them into the same configuration.
#[derive(Clone)]
pub struct ConfigCodes {
    in_force: Arc<ArcSwap<Config>>,
    /// Asks for the configuration to be read anew.
    reload: mpsc::Sender<()>,
}

impl ConfigCodes {
    /// Over the configuration in force; whoever listens to `reload` reads it anew.
    pub fn new(in_force: Arc<ArcSwap<Config>>, reload: mpsc::Sender<()>) -> ConfigCodes {
        ConfigCodes { in_force, reload }
    }

    /// Takes a configuration code that the lane `lane` saw; what came of it, as the screen says it.
    pub fn take(
        &self,
        lane: &str,
        text: &str,
        (trust, time): (&Trust, &BelievedTime),
        memory: Option<&Memory>,
    ) -> &'static str {
        let config = self.in_force.load();
        // Asked first: outside of a window anybody may hold up such a code, and it is not looked into.
        let window = service_window::remaining(&config.places.runtime, time.clock().calendar()).is_some();
        if !window {
            log::info!(
                "lane {lane}: a configuration code outside of a service window (checkpointd service-window opens one)"
            );
            return Refusal::NoWindow.code();
        }
        let state = &config.places.state;
        let codes = match Codes::read(state) {
            Ok(codes) => codes,
            Err(error) => {
                log::error!("lane {lane}: a configuration code cannot be taken: {error}");
                return "not-applied";
            }
        };
        let context =
            Context { window, checkpoint: &config.checkpoint.id, moment: time.moment(trust), taken: codes.number };
        let order = match configuration::decide(text, trust, &context) {
            Ok(order) => order,
            Err(refusal) => {
                log::warn!("lane {lane}: a configuration code sets nothing: {refusal}");
                return refusal.code();
            }
        };
        let at = UnixMillis(time.clock().unix_millis());
        let applied = possible(&config, &order, lane)
            .and_then(|()| remember(&order, lane, (&context, at), memory))
            .and_then(|()| apply(&codes.after(order.number, &order.settings, lane), &order, state));
        match applied {
            Ok(()) => {
                let sets = order.settings.names().join(", ");
                log::info!("lane {lane}: configuration code {} of key {} sets {sets}", order.number, order.kid);
                // One that was asked for already brings this one, too.
                let _ = self.reload.try_send(());
                "taken"
            }
            Err(trouble) => {
                log::error!("lane {lane}: configuration code {} cannot be applied: {trouble}", order.number);
                "not-applied"
            }
        }
    }
}

/// Whether the configuration would still be one.
fn possible(config: &Config, order: &Order, lane: &str) -> Result<(), String> {
    let alone = Codes::default().after(order.number, &order.settings, lane);
    config.with(&alone).map(drop).map_err(|error| error.to_string())
}

/// No effect without a row.
fn remember(
    order: &Order,
    lane: &str,
    (context, at): (&Context<'_>, UnixMillis),
    memory: Option<&Memory>,
) -> Result<(), String> {
    let event = Event::ConfigurationCode {
        number: order.number,
        kid: order.kid.to_string(),
        lane: lane.to_owned(),
        sets: order.settings.names().into_iter().map(str::to_owned).collect(),
    };
    let memory = memory.ok_or("there is no scan log")?;
    match memory.record(&event, at, context.moment.trust).wait(PATIENCE) {
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
