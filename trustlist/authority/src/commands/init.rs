//! `authority init`.

use crate::{Authority, Plan, RolePlan, Source, Workspace, key::KeyType, metadata, place::Place, terms::Terms};
use clap::Args;
use trustlist::{region::Region, time::UnixTime};

use super::{Done, Global, TokenArgs, made_in_token, print_json, region, time};

const EXAMPLE: &str = "\
Example: a province with three root keys, two of which must sign
  authority --dir hubei init 420000 --root-keys 3 --root-threshold 2";

/// Make an authority: its keys, its first root and empty lists
///
/// The key files in keys/ have no passphrase: take the root's to a safe place once they are made.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct Init {
    /// Whose: 000000 for the national platform, otherwise a division code
    #[arg(value_parser = region)]
    issuer: Region,
    /// Root keys made
    #[arg(long, default_value_t = 1, value_name = "N")]
    root_keys: u32,
    /// Root keys that must sign
    #[arg(long, default_value_t = 1, value_name = "N")]
    root_threshold: u32,
    /// Kind of the root keys
    #[arg(long, default_value = "ed25519", value_name = "KIND")]
    root_key_type: KeyType,
    /// Kind of the keys for targets, snapshot and timestamp
    #[arg(long, default_value = "ed25519", value_name = "KIND")]
    key_type: KeyType,
    /// Days that a root stays valid
    #[arg(long, default_value_t = Terms::default().root_days, value_name = "DAYS")]
    root_days: u32,
    /// Days that targets stay valid
    #[arg(long, default_value_t = Terms::default().targets_days, value_name = "DAYS")]
    targets_days: u32,
    /// Days that a snapshot stays valid
    #[arg(long, default_value_t = Terms::default().snapshot_days, value_name = "DAYS")]
    snapshot_days: u32,
    /// Days that a timestamp stays valid: how long a list can be carried on a stick
    #[arg(long, default_value_t = Terms::default().timestamp_days, value_name = "DAYS")]
    timestamp_days: u32,
    #[command(flatten)]
    token: TokenArgs,
    /// Where what is published here ends up, a folder or an address: looked at before each publication
    #[arg(long, value_name = "PLACE")]
    mirror: Vec<Place>,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Init {
    pub fn run(self, global: &Global) -> Done {
        let plan = Plan {
            root: RolePlan { keys: self.root_keys, threshold: self.root_threshold, key_type: self.root_key_type },
            online: RolePlan { key_type: self.key_type, ..RolePlan::default() },
        };
        let terms = Terms {
            root_days: self.root_days,
            targets_days: self.targets_days,
            snapshot_days: self.snapshot_days,
            timestamp_days: self.timestamp_days,
        };
        // What is made in a token stays there: first see that nothing else is in the way.
        Workspace::check_free(&global.dir)?;
        let at = global.first_moment(self.at)?;
        if self.token.is_given() {
            Authority::init(self.issuer, &plan, terms, Source::Random, at)?;
        }
        let root_keys = made_in_token(self.token, self.root_keys, self.root_key_type)?;
        let authority = Authority::init_with(self.issuer, &plan, terms, Source::Random, root_keys, at)?;
        let mut workspace = Workspace::create(&global.dir, authority)?;
        workspace.mirrors = self.mirror;
        workspace.save()?;
        if self.json {
            print_json(&serde_json::json!({
                "issuer": self.issuer,
                "first_root": workspace.first_root(),
                "sha256": metadata::sha256(workspace.authority.first_root()),
            }));
            return Ok(());
        }
        say!("{}: keys, first root and empty lists are made", self.issuer);
        say!("first root, for whoever pins it: {}", workspace.first_root().display());
        say!("its fingerprint, to compare by telephone: {}", metadata::fingerprint(workspace.authority.first_root()));
        say!("keep {}/root-*.pem in a safe place; publishing does not need them", global.dir.join("keys").display());
        Ok(())
    }
}
