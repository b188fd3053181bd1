//! `authority root …`.

use std::path::PathBuf;

use crate::{
    Workspace, WorkspaceError,
    key::{KeyType, SigningKey},
    metadata::{self, Role},
    rotate::Change,
};
use clap::{Args, Subcommand};
use trustlist::{region::Region, time::UnixTime};

use super::{Done, Global, TokenArgs, made_in_token, print_json, region, time};

/// The root: which keys sign what
#[derive(Subcommand)]
pub enum RootCommand {
    Rotate(Rotate),
    Fingerprint(Fingerprint),
}

impl RootCommand {
    pub fn run(self, global: &Global) -> Done {
        match self {
            Self::Rotate(command) => command.run(global),
            Self::Fingerprint(command) => command.run(global),
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
    #[command(flatten)]
    token: TokenArgs,
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
    fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        if let Some(hosted) = self.hosted {
            workspace = workspace.hosted(hosted)?;
        }
        let add = if self.token.is_given() {
            made_in_token(self.token, self.add, self.key_type)?
        } else {
            (0..self.add).map(|_| SigningKey::generate(self.key_type)).collect::<Result<Vec<_>, _>>()?
        };
        let change = Change { role: self.role, add, remove: self.remove, threshold: self.threshold };
        let at = global.moment(&workspace, self.at, None)?;
        let version = workspace.authority.rotate_root(vec![change], at)?;
        say!("root version {version} is signed; publish to let gates know");
        workspace.save()
    }
}

const FINGERPRINT: &str = "\
Examples:
  authority --dir hubei root fingerprint                   of this authority's first root, to be read out on the telephone
  authority root fingerprint --file 1.root.json            of a file that somebody handed over
  authority --dir nation root fingerprint --issuer 420000  of the root that the national list pins";

/// Print the fingerprint of a first root, for comparing by telephone
///
/// Whoever pins a root trusts everything that is ever signed under it. Both sides print the fingerprint and read it to each other before
/// it is pinned.
#[derive(Args)]
#[command(after_help = FINGERPRINT)]
pub struct Fingerprint {
    /// Of this file
    #[arg(long, value_name = "FILE", conflicts_with = "issuer")]
    file: Option<PathBuf>,
    /// Of the root that the national list pins for this issuer (national platform)
    #[arg(long, value_parser = region, value_name = "ID")]
    issuer: Option<Region>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Fingerprint {
    fn run(self, global: &Global) -> Done {
        let bytes = match (&self.file, self.issuer) {
            (Some(file), _) => {
                let bytes = std::fs::read(file).map_err(|error| WorkspaceError::io("read", file, error))?;
                let unreadable = |_| WorkspaceError::BadFile(file.clone(), "it is no root metadata".to_owned());
                metadata::read::<metadata::Root>(&bytes).map_err(unreadable)?;
                bytes
            }
            (None, Some(issuer)) => {
                let workspace = Workspace::open(&global.dir)?;
                let pinned = workspace.authority.national()?.roots.get(&issuer);
                pinned.cloned().ok_or(crate::national::ListError::UnknownIssuer(issuer))?
            }
            (None, None) => Workspace::open(&global.dir)?.authority.first_root().to_vec(),
        };
        if self.json {
            print_json(&serde_json::json!({"sha256": metadata::sha256(&bytes)}));
        } else {
            say!("{}", metadata::fingerprint(&bytes));
        }
        Ok(())
    }
}
