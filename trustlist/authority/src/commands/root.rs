//! `authority root …`.

use std::path::Path;

use authority::{
    Workspace, WorkspaceError,
    key::{KeyType, SigningKey},
    metadata::Role,
    rotate::Change,
};
use clap::{Args, Subcommand};
use trustlist::{region::Region, time::UnixTime};

use super::{Done, moment, region, time};

/// The root: which keys sign what
#[derive(Subcommand)]
pub enum RootCommand {
    Rotate(Rotate),
}

impl RootCommand {
    pub fn run(self, dir: &Path) -> Done {
        match self {
            Self::Rotate(command) => command.run(dir),
        }
    }
}

const EXAMPLE: &str = "\
Examples:
  authority root rotate                                    the same keys for another term
  authority root rotate --add 1 --remove 0123456789abcdef  one root key comes, one goes
  authority root rotate --role timestamp --add 1 --remove 0123456789abcdef";

/// Sign the next root, by the keys of the old one and of the new one
///
/// Enough old root keys must be in keys/ for this, and only for this. Gates follow the chain of roots by themselves; nobody pins
/// anything anew. `authority show` lists the ids.
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct Rotate {
    /// Which role's keys change
    #[arg(long, default_value = "root", value_name = "ROLE")]
    role: Role,
    /// Keys that come in
    #[arg(long, default_value_t = 0, value_name = "N")]
    add: u32,
    /// Kind of the keys that come in
    #[arg(long, default_value = "ed25519", value_name = "KIND")]
    key_type: KeyType,
    /// Ids of keys that go, at least sixteen digits each
    #[arg(long, value_name = "KEY")]
    remove: Vec<String>,
    /// Signatures needed from then on [default: as before]
    #[arg(long, value_name = "N")]
    threshold: Option<u32>,
    /// Of an issuer that is kept here
    #[arg(long, value_parser = region, value_name = "ID")]
    hosted: Option<Region>,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
}

impl Rotate {
    fn run(self, dir: &Path) -> Done {
        let mut workspace = Workspace::open(dir)?;
        if let Some(hosted) = self.hosted {
            workspace = workspace.hosted(hosted)?;
        }
        let add = (0..self.add).map(|_| SigningKey::generate(self.key_type)).collect::<Result<Vec<_>, _>>();
        let change = Change {
            role: self.role,
            add: add.map_err(WorkspaceError::from)?,
            remove: self.remove,
            threshold: self.threshold,
        };
        let version = workspace.authority.rotate_root(vec![change], moment(self.at))?;
        println!("root version {version} is signed; publish to let gates know");
        workspace.save()
    }
}
