//! What the installer decides: read once from every place that may say it, typed, checked, and never guessed at.
//!
//! Command line > environment > configuration codes > the centre's assignment > `conf.d/*.toml` (by file name) > `config.toml` > built-in. Every file is read whole before
//! anything is believed, and *all* problems are told at once, each with file, line and key: whoever repairs this is cold
//! and gets one try per reboot. A key nobody knows is an error that names the nearest one known, since a typo that is
//! ignored is a setting that silently is not there.
//!
//! Nothing here opens a device or a socket; values are meaning (a [`Device`], a `Region`, a `Duration`), not text.

mod codes;
mod enrolment;
mod error;
mod lane;
mod layers;
mod node;
mod sections;
mod setting;
mod state_file;
mod values;

use std::path::{Path, PathBuf};

pub use codes::Codes;
pub use enrolment::Enrolment;
use error::Defect;
pub use error::{ConfigError, Problem};
pub use lane::{Camera, Direction, Gate, GateKind, Gpio, GpioLine, Host, Lane, ScanEngine};
pub use layers::{Assignment, Layers, Overlay};
pub use node::Origin;
pub use sections::{Checkpoint, Log, Metrics, Network, Page, Places, Side, Signals, Sync, Trust, Upload};
use trustlist::region::Region;
pub use values::{Aim, Backend, Device, Level, Listen, PixelOrder, Receipts, Resolution, Share, Url, UsbId};

use node::Node;
use setting::Setting;

/// Where the configuration is read from unless the command line says otherwise.
pub const DEFAULT_FILE: &str = "/etc/checkpointd/config.toml";

/// The exit status of `sysexits.h` for a configuration that cannot be used; systemd does not restart on it.
pub const EXIT_CONFIG: u8 = 78;

setting::settings! {
    /// Everything that can be configured, with every default filled in.
    pub struct Config {
        /// What this checkpoint is and for whom it decides.
        checkpoint: Checkpoint = Checkpoint::default(),
        /// Where things are kept.
        places: Places = Places::default(),
        /// Whose lists are believed, from the first boot on.
        trust: Trust = Trust::default(),
        /// What is remembered, and for how long.
        log: Log = Log::default(),
        /// The lane's screen.
        page: Page = Page::default(),
        /// Numbers for whoever watches many checkpoints.
        metrics: Metrics = Metrics::default(),
        /// Which process has the network.
        network: Network = Network::default(),
        /// Where newer lists come from.
        sync: Sync = Sync::default(),
        /// Where rows go, if anywhere.
        upload: Upload = Upload::default(),
        /// Sounds and lights.
        signals: Signals = Signals::default(),
        /// One entry per lane; without any, one lane named `lane-1` on the first camera, without a gate.
        lane: Vec<Lane> = vec![Lane::default()],
    }
}

impl Config {
    /// Reads `file` and the `conf.d` beside it, the environment, and what the command line set.
    ///
    /// A missing *default* file is not an error: built-in values hold. A missing file somebody named is one.
    pub fn load(file: &Path, named: bool, overlay: &Overlay) -> Result<Config, ConfigError> {
        let mut layers = Layers::default();
        layers.read_file(file, named)?;
        if let Some(folder) = file.parent() {
            layers.read_folder(&folder.join("conf.d"))?;
        }
        // Where codes are kept is itself configured: by files, environment or command line, never by a code.
        let state = layers.clone().with(overlay)?.text("places", "state").map(PathBuf::from);
        let state = state.unwrap_or_else(|| Places::default().state);
        if let Some(enrolment) = Enrolment::read(&state)? {
            enrolment.lay_over(&mut layers, &state.join(enrolment::FILE).display().to_string())?;
        }
        Codes::read(&state)?.lay_over(&mut layers, &state.join(codes::FILE).display().to_string())?;
        layers.with(overlay)?.finish()
    }

    /// Reads one text, as though it were `file`; for tests and the demonstration.
    pub fn parse(text: &str, file: &str) -> Result<Config, ConfigError> {
        let mut layers = Layers::default();
        layers.add_text(text, file)?;
        layers.finish()
    }

    /// The relying region, which no default can know.
    pub fn relying(&self) -> Result<Region, ConfigError> {
        self.checkpoint.relying.ok_or(ConfigError::RelyingUnset)
    }

    /// What holds in effect, as TOML that could be read again.
    #[must_use]
    pub fn effective(&self) -> toml::Table {
        match self.show() {
            Some(toml::Value::Table(table)) => table,
            _ => unreachable!("a section always shows as a table"),
        }
    }

    fn read_root(node: &Node, problems: &mut Vec<Problem>) -> Option<Config> {
        let config = <Config as Setting>::read(node, "", problems)?;
        config.check(node, problems);
        Some(config)
    }

    /// What no single value can know: names used twice, drivers that lack what they need.
    fn check(&self, root: &Node, problems: &mut Vec<Problem>) {
        for (index, lane) in self.lane.iter().enumerate() {
            let node = root.child("lane").and_then(|lanes| lanes.element(index));
            lane.check(node, problems);
            if lane.commit_deadline >= self.log.ahead_for {
                let log = root.child("log").and_then(|log| log.child("ahead_for"));
                let said = node.and_then(|node| node.child("commit_deadline")).or(log);
                problems.push(Problem {
                    origin: said.map(|said| said.origin.clone()),
                    key: "lane.commit_deadline".to_owned(),
                    fault: Defect::NotShorter {
                        found: format!("{:?}", lane.commit_deadline),
                        than: ("log.ahead_for", format!("{:?}", self.log.ahead_for)),
                        because: "a gate would wait for its row until no gate may open any more, and refer everybody",
                    },
                });
            }
            if self.lane[..index].iter().any(|earlier| earlier.id == lane.id) {
                problems.push(Problem::twice(node, "lane.id", &lane.id));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SHIPPED: &str = include_str!("../../../../systemd/config.toml");

    fn problems(text: &str) -> String {
        Config::parse(text, "config.toml").expect_err("a configuration with a mistake in it").to_string()
    }

    #[test]
    fn the_shipped_file_says_what_holds_without_it() {
        assert_eq!(Config::parse(SHIPPED, "systemd/config.toml").expect("it is valid"), Config::default());
    }

    #[test]
    fn every_example_in_the_shipped_file_could_be_uncommented() {
        let uncommented: Vec<&str> = SHIPPED
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if !rest.starts_with(' ') && rest.contains(" = ") => rest,
                _ => line,
            })
            .collect();
        let config = Config::parse(&uncommented.join("\n"), "systemd/config.toml").expect("every example is valid");
        assert_ne!(config, Config::default());
        assert!(config.relying().is_ok());
    }

    #[test]
    fn every_known_key_is_described_in_the_shipped_file() {
        fn keys(value: &toml::Value, into: &mut Vec<String>) {
            match value {
                toml::Value::Table(table) => {
                    for (key, value) in table {
                        into.push(key.clone());
                        keys(value, into);
                    }
                }
                toml::Value::Array(list) => list.iter().for_each(|value| keys(value, into)),
                _ => {}
            }
        }
        let mut known = Vec::new();
        keys(&toml::Value::Table(Config::default().effective()), &mut known);
        known.extend(
            Config::KEYS
                .iter()
                .chain(Lane::KEYS)
                .chain(Gate::KEYS)
                .chain(Camera::KEYS)
                .chain(Gpio::KEYS)
                .map(ToString::to_string),
        );
        for key in known {
            assert!(SHIPPED.contains(&key), "{key} is not described");
        }
    }

    #[test]
    fn what_is_printed_as_effective_reads_back_as_the_same() {
        let text = r#"
            [checkpoint]
            relying = "420000"
            [[lane]]
            id = "east"
            direction = "exit"
            anti_passback = "5min"
            aim = [0.5, 0.4]
            readers = ["serial:/dev/ttyUSB0@9600", "serial:/dev/ttyUSB1@9600 accept=06 reject=150d", "stdin"]
            [lane.camera]
            device = "usb:046d:0825"
            exposure = 120
            [lane.gate]
            driver = "gpio"
            [lane.gpio]
            relay = 17
            buzzer = "BUZZER"
        "#;
        let config = Config::parse(text, "config.toml").expect("valid");
        assert_eq!(config.lane[0].camera.device, Device::Usb(UsbId { vendor: 0x046d, product: 0x0825, serial: None }));
        let printed = toml::to_string(&config.effective()).expect("it serialises");
        assert_eq!(Config::parse(&printed, "printed").expect("valid"), config);
    }

    #[test]
    fn a_checkpoint_stands_in_a_region_that_there_is() {
        for nowhere in ["\"999999\"", "\"420099\"", "990000"] {
            let said = problems(&format!("[checkpoint]\nrelying = {nowhere}\n"));
            assert!(said.contains("config.toml:2: checkpoint.relying") && said.contains("that there is"), "{said}");
        }
    }

    #[test]
    fn a_typo_is_refused_with_the_nearest_known_key_its_file_and_its_line() {
        let said = problems("[checkpoint]\nid = \"a\"\nreliyng = \"420000\"\n");
        assert!(said.contains("config.toml:3: checkpoint.reliyng is not known; did you mean relying?"), "{said}");
        let said = problems("[lnae]\n");
        assert!(said.contains("config.toml:1: lnae is not known; did you mean lane?"), "{said}");
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let said = problems(
            "[checkpoint]\nrelying = \"wuhan\"\n[[lane]]\nid = \"a\"\nrearm = \"soon\"\n[[lane]]\nid = \"a\"\n[lane.gate]\ndriver = \"file\"\n",
        );
        for part in [
            "config.toml:2: checkpoint.relying",
            "config.toml:5: lane.rearm",
            "lane.id: \"a\" is used twice",
            "gate.path",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }

    #[test]
    fn a_gate_that_cannot_be_moved_as_it_is_written_is_refused_before_anybody_stands_before_it() {
        let lane = |gate: &str| problems(&format!("[[lane]]\nid = \"a\"\n{gate}\n"));
        for (gate, says) in [
            ("[lane.gate]\ndriver = \"gpio\"", "lane.gpio.relay is not set"),
            ("[lane.gate]\ndriver = \"http\"\nurl = \"mqtt://10.0.0.7\"", "http:// or https://"),
            ("[lane.gate]\ndriver = \"mqtt\"\nurl = \"https://10.0.0.7/\"", "mqtt:// or mqtts://"),
            ("[lane.gpio]\ngreen = 5\nred = 5", "\"5\" is used twice"),
            ("readers = [\"serial:/dev/ttyS0 accept=06\"]", "accept=06 reject=15"),
            ("readers = [\"serial:/dev/ttyS0 accept=0 reject=15\"]", "accept=06 reject=15"),
        ] {
            let said = lane(gate);
            assert!(said.contains(says), "{gate}: {said}");
        }
    }

    #[test]
    fn a_value_that_would_make_no_sense_is_refused_with_what_would() {
        for (text, says) in [
            ("[sync]\nevery = \"0\"", "config.toml:2: sync.every: \"0\" is not from \"1s\" to \"7d\""),
            ("[sync]\ntimeout = \"0\"", "sync.timeout"),
            ("[upload]\nbatch = 0", "upload.batch: 0 is not from 1 to 10000"),
            ("[log]\nretention = \"1h\"", "log.retention"),
            ("[log]\nanchor_rows = 0", "log.anchor_rows"),
            ("[metrics]\nevery = \"10ms\"", "metrics.every"),
            ("[[lane]]\naim_radius = -1.0", "lane.aim_radius: -1 is not from 0.05 to 1.0"),
            ("[[lane]]\naim_radius = 1.5", "lane.aim_radius"),
            ("[[lane]]\nsame_symbol_timeout = \"0\"", "lane.same_symbol_timeout"),
            (
                "[[lane]]\nanti_passback = \"500ms\"",
                "lane.anti_passback: \"500ms\" is not a number of whole seconds, or 0",
            ),
            (
                "[[lane]]\n[lane.camera]\ndeadline = \"0\"",
                "lane.camera.deadline: \"0\" is not from \"100ms\" to \"1min\"",
            ),
            ("[[lane]]\n[lane.camera]\nrate = 0", "lane.camera.rate"),
            ("[[lane]]\n[lane.gate]\nopen_for = \"0\"", "lane.gate.open_for"),
        ] {
            let said = problems(&format!("{text}\n"));
            assert!(said.contains(says) && !said.contains('\n'), "{text}: {said}");
        }
    }

    #[test]
    fn a_gate_waits_for_its_row_no_longer_than_gates_may_run_ahead_of_the_disk() {
        let said = problems("[log]\nahead_for = \"2s\"\n[[lane]]\ncommit_deadline = \"2s\"\n");
        assert!(
            said.contains("config.toml:4: lane.commit_deadline: 2s is not shorter than log.ahead_for (2s)"),
            "{said}"
        );
        let said = problems("[log]\nahead_for = \"100ms\"\n[[lane]]\ncommit_deadline = \"150ms\"\n");
        assert!(said.contains("150ms is not shorter than log.ahead_for (100ms)"), "{said}");
        Config::parse("[log]\nahead_for = \"1min\"\n[[lane]]\ncommit_deadline = \"50s\"\n", "config.toml")
            .expect("shorter");
    }

    #[test]
    fn a_text_that_is_no_toml_is_refused_with_its_line() {
        let said = problems("[checkpoint]\nid = \n");
        assert!(said.contains("config.toml:2"), "{said}");
    }

    #[test]
    fn a_page_is_never_served_beyond_the_loopback_address() {
        assert!(problems("[page]\nlisten = \"0.0.0.0:8470\"\n").contains("loopback"));
    }

    #[test]
    fn the_later_layer_wins_and_a_lane_is_merged_by_its_id() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config.toml");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            std::fs::write(path, text).expect("written");
        };
        write(
            "config.toml",
            "[checkpoint]\nid = \"a\"\nrelying = \"420000\"\n[[lane]]\nid = \"east-1\"\nrearm = \"1s\"\nstuck = \"10s\"\n",
        );
        write("conf.d/20-late.toml", "[[lane]]\nid = \"east-1\"\nrearm = \"3s\"\n[[lane]]\nid = \"west\"\n");
        write("conf.d/10-early.toml", "[checkpoint]\nid = \"b\"\n[[lane]]\nid = \"east-1\"\nrearm = \"2s\"\n");
        write("conf.d/readme.txt", "not read");
        let overlay = Overlay::default()
            .environment([
                ("CHECKPOINTD_CHECKPOINT__ID".to_owned(), "c".to_owned()),
                ("CHECKPOINTD_LANE__EAST_1__STUCK".to_owned(), "90s".to_owned()),
                ("PATH".to_owned(), "/bin".to_owned()),
            ])
            .set(&["checkpoint.id=d", "lane.west.rearm=4s"].map(|text| text.parse().expect("an assignment")));
        let config = Config::load(&file, true, &overlay).expect("valid");
        assert_eq!(config.checkpoint.id, "d");
        assert_eq!(config.relying().expect("set").as_str(), "420000");
        assert_eq!(config.lane.len(), 2);
        assert_eq!(config.lane[0].rearm, Duration::from_secs(3));
        assert_eq!(config.lane[0].stuck, Duration::from_secs(90));
        assert_eq!(config.lane[1].rearm, Duration::from_secs(4));
    }

    #[test]
    fn a_mistake_in_the_environment_names_the_variable() {
        let overlay =
            Overlay::default().environment([("CHECKPOINTD_CHECKPOINT__RELYNG".to_owned(), "420000".to_owned())]);
        let said =
            Config::load(Path::new("/nonexistent/config.toml"), false, &overlay).expect_err("a typo").to_string();
        assert!(said.contains("CHECKPOINTD_CHECKPOINT__RELYNG"), "{said}");
        assert!(said.contains("did you mean relying?"), "{said}");
    }

    #[test]
    fn a_missing_file_matters_only_if_somebody_named_it() {
        let missing = Path::new("/nonexistent/config.toml");
        assert_eq!(Config::load(missing, false, &Overlay::default()).expect("built in"), Config::default());
        assert!(Config::load(missing, true, &Overlay::default()).is_err());
    }
}
