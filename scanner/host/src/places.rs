//! Where this device keeps its things: every path below the state folder, which survives a reboot, and the runtime folder, which does not.

use std::path::{Path, PathBuf};

use crate::config::{Config, Page, Places, Receipts};

impl Places {
    /// The store of the accepted lists.
    #[must_use]
    pub fn trust_store(&self) -> PathBuf {
        self.state.join("trust").join("store.db")
    }

    /// The scan log.
    #[must_use]
    pub fn scan_log(&self) -> PathBuf {
        self.state.join("scans.db")
    }

    /// The folder that is watched for repositories brought by hand, where the configuration names no other.
    #[must_use]
    pub fn inbox(&self) -> PathBuf {
        self.state.join("inbox")
    }

    /// What configuration codes have set.
    #[must_use]
    pub fn codes(&self) -> PathBuf {
        self.state.join("codes.toml")
    }

    /// The wireless network as NetworkManager reads it, set by a configuration code.
    #[must_use]
    pub fn wifi(&self) -> PathBuf {
        self.state.join("wifi.nmconnection")
    }

    /// The file whose time asks the process with the network for newer lists.
    #[must_use]
    pub fn sync_request(&self) -> PathBuf {
        self.runtime.join("lists-wanted")
    }

    /// The socket across which rows go to the process with the network.
    #[must_use]
    pub fn relay(&self) -> PathBuf {
        self.runtime.join("relay.sock")
    }

    /// The device's key: the one that the service manager hands in (systemd.exec(5), `LoadCredential=`), or where there is none, the one in
    /// the state folder.
    #[must_use]
    pub fn device_key(&self) -> PathBuf {
        device_key(std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from), &self.state)
    }
}

impl Page {
    /// Where the words of the screens lie beside the built-in ones: those that came with the package, and this site's own.
    #[must_use]
    pub fn word_folders(&self) -> [&Path; 2] {
        [Path::new("/usr/share/checkpointd/strings"), &self.strings]
    }
}

fn device_key(credentials: Option<PathBuf>, state: &Path) -> PathBuf {
    let handed_in = credentials.map(|folder| folder.join("device-key")).filter(|key| key.exists());
    handed_in.unwrap_or_else(|| state.join("device.key"))
}

/// This device's own scan log, as configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogPlace {
    /// The database.
    pub database: PathBuf,
    /// The runtime folder, where a settled clock is remembered.
    pub runtime: PathBuf,
    /// The file of the device's key.
    pub key: PathBuf,
    /// The post's name.
    pub post: String,
    /// What counts as a centre's word that it has stored rows, where they are owed to one.
    pub receipts: Option<Receipts>,
    /// Days after which rows go.
    pub retention_days: u32,
}

impl LogPlace {
    /// Where the configured device keeps its scan log.
    #[must_use]
    pub fn configured(config: &Config) -> LogPlace {
        LogPlace {
            database: config.places.scan_log(),
            runtime: config.places.runtime.clone(),
            key: config.places.device_key(),
            post: config.checkpoint.id.clone(),
            receipts: config.upload.url.as_ref().map(|_| config.upload.receipts),
            retention_days: u32::try_from(config.log.retention.as_secs().div_ceil(86_400)).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_the_service_manager_hands_in_goes_before_the_one_in_the_state_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = Path::new("/var/lib/checkpointd");
        let credentials = Some(folder.path().to_owned());
        assert_eq!(device_key(None, state), state.join("device.key"));
        assert_eq!(device_key(credentials.clone(), state), state.join("device.key"), "nothing was handed in");
        std::fs::write(folder.path().join("device-key"), "").expect("written");
        assert_eq!(device_key(credentials, state), folder.path().join("device-key"));
    }
}
