//! The sections that concern the whole checkpoint; what concerns one lane is in its own file.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use trustlist::region::Region;

use super::{
    setting::{settings, words},
    values::{Listen, Receipts, Share, Url},
};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

settings! {
    /// `[checkpoint]`
    pub struct Checkpoint {
        /// Its name in rows, metrics and reports.
        id: String = "checkpoint-1".to_owned(),
        /// The region it stands in: whose recognition arrangements count here. No default can know it.
        relying: Option<Region> = None,
        /// The policy profile of the national list to decide by; the list's own default when absent.
        profile: Option<String> = None,
    }
}

settings! {
    /// `[places]`
    pub struct Places {
        /// What survives a reboot: trust store, scan log, inbox.
        state: PathBuf = PathBuf::from("/var/lib/checkpointd"),
        /// What does not: sockets, the textfile of numbers.
        runtime: PathBuf = PathBuf::from("/run/checkpointd"),
    }
}

settings! {
    /// `[trust]`
    pub struct Trust {
        /// The repositories the package brings, for the first boot without a network.
        seed: PathBuf = PathBuf::from("/usr/share/checkpointd/trust"),
        /// Newer lists that would change more than this part of the last day's verdicts wait for an operator's word…
        hold_above: Share = Share(0.25),
        /// …and at most so long: a revoked key must not count for ever because nobody looks.
        hold_at_most: Duration = Duration::from_secs(2 * 3600),
    }
}

settings! {
    /// `[log]`
    pub struct Log {
        /// How long rows are kept; then they and the day's key are destroyed.
        retention: Duration = Duration::from_secs(14 * 86_400) => DAY..=DAY * 3650,
        /// An anchor is written after this many rows…
        anchor_rows: u32 = 256 => 1..=100_000,
        /// …or this long after the last one, whichever comes first.
        anchor_every: Duration = Duration::from_secs(60) => SECOND..=DAY,
        /// How many gates may open before the rows of their travellers are on the disk, over all lanes…
        openings_ahead: u32 = 8 => 0..=64,
        /// …and how long after the oldest row that is not; beyond either every traveller is referred.
        ahead_for: Duration = Duration::from_secs(2) => Duration::from_millis(100)..=SECOND * 60,
    }
}

words! {
    /// Where something is, seen by whoever looks at the screen.
    pub enum Side, "a side: left, right, ahead or behind" {
        /// To the left.
        Left = "left",
        /// To the right.
        Right = "right",
        /// Straight on.
        Ahead = "ahead",
        /// Behind whoever looks.
        Behind = "behind",
    }
}

settings! {
    /// `[page]`
    pub struct Page {
        /// Where the screen's browser finds it.
        listen: Listen = Listen(SocketAddr::from(([127, 0, 0, 1], 8470))),
        /// A file with one officer's role and public key a line; nobody may override a verdict when absent.
        officers: Option<PathBuf> = None,
        /// Users of this machine whose browsers are this gate's screens: they alone see the aiming picture and names, beside root and
        /// the daemon's own user.
        viewers: Vec<String> = Vec::new(),
        /// The languages of the lane's screen, the large one first.
        languages: Vec<String> = vec!["zh-CN".to_owned(), "en".to_owned()],
        /// What the second line's desk is called, in the order of `languages`; the languages' own word where it is missing.
        desk: Vec<String> = Vec::new(),
        /// On which side of the screen that desk is.
        desk_side: Option<Side> = None,
        /// A folder of recordings that the lane's screen speaks with; it does not speak when absent.
        voice: Option<PathBuf> = None,
        /// A folder with more languages, `<language>.json` each; its words outrank those that came with the package.
        strings: PathBuf = PathBuf::from("/etc/checkpointd/strings"),
        /// Where the second line's desk on another machine finds its page, over TLS; nowhere when absent.
        desk_listen: Option<SocketAddr> = None,
        /// Whether it is served at all.
        enabled: bool = true,
    }
}

settings! {
    /// `[metrics]`
    pub struct Metrics {
        /// A file for node_exporter's textfile collector, replaced whole.
        textfile: Option<PathBuf> = None,
        /// How often it is written.
        every: Duration = Duration::from_secs(15) => SECOND..=DAY,
    }
}

settings! {
    /// `[network]`
    pub struct Network {
        /// Whether another process (`checkpointd sync run`) asks the mirrors and sends the rows, so that this one needs no network.
        apart: bool = false,
    }
}

settings! {
    /// `[sync]`
    pub struct Sync {
        /// Mirrors of the repositories, tried in this order; none must be trusted.
        mirrors: Vec<Url> = Vec::new(),
        /// How often they are asked.
        every: Duration = Duration::from_secs(15 * 60) => SECOND..=DAY * 7,
        /// Over how long the gates of a fleet spread when all of them start at once, or their link comes up; longer for larger fleets.
        spread: Duration = Duration::from_secs(60) => Duration::ZERO..=DAY,
        /// How long one request may take.
        timeout: Duration = Duration::from_secs(20) => SECOND..=SECOND * 600,
        /// The proxy through which mirrors are reached; that of the environment (`https_proxy`, `no_proxy`) when absent.
        proxy: Option<Url> = None,
        /// Authorities that vouch for mirrors (PEM); the web's when absent.
        ca: Option<PathBuf> = None,
        /// A folder watched for repositories brought by hand; `inbox` below `places.state` when absent.
        inbox: Option<PathBuf> = None,
    }
}

settings! {
    /// `[upload]`
    pub struct Upload {
        /// Where rows are sent; nowhere when absent.
        url: Option<Url> = None,
        /// Rows in one request.
        batch: u32 = 500 => 1..=10_000,
        /// How long one request may take.
        timeout: Duration = Duration::from_secs(20) => SECOND..=SECOND * 600,
        /// Authorities that vouch for the centre's certificate (PEM); the web's when absent.
        ca: Option<PathBuf> = None,
        /// MQTT user name.
        user: Option<String> = None,
        /// A file with the MQTT password or the HTTPS bearer token on its first line.
        secret: Option<PathBuf> = None,
        /// What counts as the centre's word that it has stored rows.
        receipts: Receipts = Receipts::Signed,
        /// The centre's keys whose receipts count: one, or two while one takes over from the other.
        centre_keys: Vec<String> = Vec::new(),
        /// First part of the MQTT topics.
        topic: String = "checkpoint".to_owned(),
    }
}

settings! {
    /// `[signals]`
    pub struct Signals {
        /// Whether anything sounds at all; lights and screen always speak.
        sound: bool = true,
        /// Whether a short tick says that a code was seen, before it is judged.
        read_cue: bool = true,
        /// Whether a refusal looks and sounds to bystanders like a referral.
        discreet: bool = false,
    }
}
