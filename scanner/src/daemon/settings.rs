//! The slices of the configuration: what each part of the daemon is begun with. A reload begins anew only the parts whose slice is another.

use std::path::PathBuf;

use host::config::{self, Config, Device};
use page::{strings::Strings, view::Hello};
use sync::upload;
use trustlist::region::Region;

use super::error::DaemonError;

/// What a lane is begun with.
#[derive(Clone, Debug, PartialEq)]
pub struct LaneSettings {
    /// Its own section.
    pub lane: config::Lane,
    /// The post's name: a gate on a network is known by it.
    pub post: String,
    /// Whose gate it is.
    pub relying: Region,
    /// The policy profile.
    pub profile: Option<String>,
    /// Sounds and lights.
    pub signals: config::Signals,
    /// The lanes whose admissions count here as earlier ones, where any do: of the same group and direction.
    pub alike: Vec<String>,
    /// The runtime folder.
    pub runtime: PathBuf,
    /// Which opening of the scan log it writes to.
    pub log: u64,
}

impl LaneSettings {
    /// Those of every lane, in the order of the configuration.
    ///
    /// # Errors
    /// When the configuration does not say whose gate it is.
    pub fn all(config: &Config, log: u64) -> Result<Vec<LaneSettings>, DaemonError> {
        let relying = config.relying()?;
        let alike = |lane: &config::Lane| {
            let others = config.lane.iter().filter(|_| !lane.anti_passback.is_zero());
            let alike = others.filter(|other| other.group == lane.group && other.direction == lane.direction);
            alike.map(|other| other.id.clone()).collect()
        };
        let slice = |lane: &config::Lane| LaneSettings {
            alike: alike(lane),
            lane: lane.clone(),
            post: config.checkpoint.id.clone(),
            relying,
            profile: config.checkpoint.profile.clone(),
            signals: config.signals.clone(),
            runtime: config.places.runtime.clone(),
            log,
        };
        Ok(config.lane.iter().map(slice).collect())
    }

    /// Whether it looks through a camera.
    pub fn has_camera(&self) -> bool {
        self.lane.camera.device != Device::None
    }
}

/// What the list updater is begun with: a configuration in which only what concerns lists is as the installer wants it.
pub fn of_lists(config: &Config) -> Config {
    Config {
        checkpoint: config.checkpoint.clone(),
        places: config.places.clone(),
        trust: config.trust.clone(),
        network: config.network.clone(),
        sync: config.sync.clone(),
        ..Config::default()
    }
}

/// What the upload is begun with.
#[derive(Clone, Debug, PartialEq)]
pub struct UploadSettings {
    /// The centre.
    pub options: upload::Options,
    /// The socket of the process that has the network, where that is another one.
    pub relay: Option<PathBuf>,
    /// Which opening of the scan log it reads.
    pub log: u64,
}

impl UploadSettings {
    /// `None` where rows stay here.
    pub fn of(config: &Config, log: u64) -> Option<UploadSettings> {
        let options = upload::Options::configured(config)?;
        Some(UploadSettings { options, relay: config.network.apart.then(|| config.places.relay()), log })
    }
}

/// What the pages are begun with.
#[derive(Clone, Debug, PartialEq)]
pub struct PageSettings {
    /// Its own section.
    pub page: config::Page,
    /// What every page is told first.
    pub hello: Hello,
    /// The words of the screens, as they stand in the files now.
    pub strings: String,
    /// Where the desk's certificate and its pairing lie.
    pub places: config::Places,
    /// The lanes that have a screen.
    pub lanes: Vec<String>,
    /// Which opening of the scan log an officer's word goes to.
    pub log: u64,
}

impl PageSettings {
    /// With words and recordings as they are.
    pub fn of(config: &Config, strings: &Strings, hello: Hello, log: u64) -> PageSettings {
        PageSettings {
            page: config.page.clone(),
            hello,
            strings: strings.json(),
            places: config.places.clone(),
            lanes: config.lane.iter().map(|lane| lane.id.clone()).collect(),
            log,
        }
    }
}

/// What the report is begun with.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportSettings {
    /// The post's name.
    pub post: String,
    /// The policy profile: it says how old lists may be.
    pub profile: Option<String>,
    /// The runtime folder.
    pub runtime: PathBuf,
    /// The store of lists, where somebody's word on the nation's root lies.
    pub trust_store: PathBuf,
    /// Numbers for whoever watches many checkpoints.
    pub metrics: config::Metrics,
    /// Which opening of the scan log it reads.
    pub log: u64,
}

impl ReportSettings {
    /// From the configuration.
    pub fn of(config: &Config, log: u64) -> ReportSettings {
        ReportSettings {
            post: config.checkpoint.id.clone(),
            profile: config.checkpoint.profile.clone(),
            runtime: config.places.runtime.clone(),
            trust_store: config.places.trust_store(),
            metrics: config.metrics.clone(),
            log,
        }
    }
}
