//! `authority issuer …`: who is in the trust list, and the keys of whoever runs the command.

use std::{collections::BTreeMap, path::PathBuf};

use crate::{
    Authority, Plan, Source, Workspace, WorkspaceError,
    import::{Found, NOWHERE},
    key::{KeyType, SigningKey},
    metadata,
    national::{ListError, Newcomer},
};
use clap::{Args, Subcommand};
use trustlist::{
    code::{Format, KeyState},
    key::KeyId,
    lists::{
        Names,
        keys::{KeyEntry, KeyUse},
        recognition::{Arrangement, Party, Route},
    },
    region::Region,
    time::{UnixTime, Window},
};

use super::{Done, Global, party, print_json, region, time, word};

/// Add, import, retire issuers; rotate, retire or revoke own keys
#[derive(Subcommand)]
pub enum Issuer {
    Add(Add),
    Import(Import),
    Retire(Retire),
    RotateKey(RotateKey),
    RetireKey(RetireKey),
}

impl Issuer {
    pub fn run(self, global: &Global) -> Done {
        match self {
            Self::Add(command) => command.run(global),
            Self::Import(command) => command.run(global),
            Self::Retire(command) => command.run(global),
            Self::RotateKey(command) => command.run(global),
            Self::RetireKey(command) => command.run(global),
        }
    }
}

const ADD: &str = "\
Examples:
  authority issuer add 420000 --root 1.root.json --mirror https://mirror.example/
  authority issuer add 420100 --root 1.root.json --zh 武汉市 --en Wuhan --parent 420000
  authority issuer add DE --certificate dsc.der --format HC1 --counts-in '*'
  authority issuer add NZ --did did.json --format NZCP --counts-in '*'";

/// Put an issuer into the trust list (national platform)
///
/// A province hands over its first root, metadata/1.root.json of what it publishes. A country whose certificates are known gets a
/// repository here, published with the national one.
#[derive(Args)]
#[command(after_help = ADD)]
pub struct Add {
    /// Division code, or two letters of a country
    #[arg(value_parser = region)]
    id: Region,
    /// The issuer's first root
    #[arg(long, value_name = "FILE", required_unless_present_any = ["certificate", "did"])]
    #[arg(conflicts_with_all = ["certificate", "did"])]
    root: Option<PathBuf>,
    /// What the fingerprint of that root must be, as read out on the telephone; spaces do not count
    #[arg(long, value_name = "SHA256", requires = "root")]
    fingerprint: Option<String>,
    /// Certificates, DER or PEM, of an issuer that has no repository
    #[arg(long, value_name = "FILE")]
    certificate: Vec<PathBuf>,
    /// DID document with the keys of an issuer that has no repository
    #[arg(long, value_name = "FILE", conflicts_with = "certificate")]
    did: Option<PathBuf>,
    /// Formats that count [default: MR1, or HC1 with certificates, or NZCP with a DID document]
    #[arg(long, value_parser = word::<Format>, value_name = "FORMAT")]
    format: Vec<Format>,
    /// Chinese name
    #[arg(long, value_name = "NAME", requires = "en")]
    zh: Option<String>,
    /// English name
    #[arg(long, value_name = "NAME", requires = "zh")]
    en: Option<String>,
    /// The issuer above it [default: its province, or the national platform]
    #[arg(long, value_parser = region, value_name = "ID")]
    parent: Option<Region>,
    /// Regions that it may speak for [default: itself]
    #[arg(long, value_parser = region, value_name = "ID")]
    scope: Vec<Region>,
    /// Where its repository is served, in order of preference
    #[arg(long, value_name = "URL")]
    mirror: Vec<String>,
    /// Regions where its codes count directly, or '*'
    #[arg(long, value_parser = party, value_name = "ID")]
    counts_in: Vec<Party>,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
}

impl Add {
    fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        workspace.authority.national()?;
        let Some(root) = &self.root else {
            let at = global.moment(&workspace, self.at, None)?;
            return self.run_with_certificates(&mut workspace, at);
        };
        let root = std::fs::read(root).map_err(|error| WorkspaceError::io("read", root, error))?;
        let read_out = self.fingerprint.map(|text| text.replace([' ', ':'], "").to_lowercase());
        if let Some(read_out) = read_out.filter(|read_out| *read_out != metadata::sha256(&root)) {
            return Err(WorkspaceError::Usage(format!(
                "the root's fingerprint is {}, and not {read_out}: this is not the file that {} made. Ask for it again, by another way",
                metadata::fingerprint(&root),
                self.id
            )));
        }
        let fingerprint = metadata::fingerprint(&root);
        let names = self.zh.zip(self.en).map(|(zh, en)| Names { zh, en });
        let newcomer = Newcomer {
            id: self.id,
            names,
            parent: self.parent,
            scope: self.scope,
            formats: self.format,
            mirrors: self.mirror,
            root,
        };
        let national = workspace.authority.national_mut()?;
        let entry = national.add(newcomer)?;
        say!("{} {} {} is in the trust list", entry.id, entry.name.en, entry.name.zh);
        say!("its fingerprint; have {} read theirs out before you publish: {fingerprint}", entry.id);
        for relying in self.counts_in {
            let issuing = Party::Region(self.id);
            national.arrange(Arrangement { issuing, relying, route: Route::Direct, window: Window::default() })?;
        }
        workspace.save()
    }

    fn run_with_certificates(self, workspace: &mut Workspace, at: UnixTime) -> Done {
        let usual = if self.did.is_some() { Format::Nzcp } else { Format::Hc1 };
        let formats = if self.format.is_empty() { vec![usual] } else { self.format };
        let mut found = Found::default();
        if let Some(path) = &self.did {
            let bytes = std::fs::read(path).map_err(|error| WorkspaceError::io("read", path, error))?;
            let taken = found.did(&bytes, self.id, formats[0]);
            taken.map_err(|why| WorkspaceError::BadFile(path.display().to_string().into(), why))?;
        }
        for path in &self.certificate {
            let bytes = std::fs::read(path).map_err(|error| WorkspaceError::io("read", path, error))?;
            found.certificate(&path.display().to_string(), &bytes, Some(self.id.as_str()), formats[0], self.id);
        }
        if let Some((name, why)) = found.left_out.first() {
            return Err(WorkspaceError::BadFile(name.into(), why.clone()));
        }
        let names = self.zh.zip(self.en).map(|(zh, en)| Names { zh, en });
        let entries = found.entries.into_values().flatten().collect();
        host(workspace, self.id, names, &formats, &self.mirror, entries, at)?;
        recognise(workspace, self.id, &self.counts_in)?;
        workspace.save()
    }
}

const IMPORT: &str = "\
Example: every certificate of a list, counting everywhere
  authority issuer import trustlist.json --counts-in '*'";

/// Put countries into the trust list from their certificates (national platform)
///
/// Takes a folder of certificates (DER or PEM), or a JSON list [{\"country\": \"DE\", \"certificate\": \"<DER in Base64>\"}, …].
/// What cannot be used is left out and named.
#[derive(Args)]
#[command(after_help = IMPORT)]
pub struct Import {
    /// Folder or JSON list
    path: PathBuf,
    /// Format that the certificates sign
    #[arg(long, value_parser = word::<Format>, default_value = "HC1", value_name = "FORMAT")]
    format: Format,
    /// Where certificates go that name no country
    #[arg(long, value_parser = region, default_value = NOWHERE, value_name = "ID")]
    nowhere: Region,
    /// Regions where their codes count directly, or '*'
    #[arg(long, value_parser = party, value_name = "ID")]
    counts_in: Vec<Party>,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
}

impl Import {
    fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        workspace.authority.national()?;
        let mut found = Found::default();
        let failed = |error| WorkspaceError::io("read", &self.path, error);
        if self.path.is_dir() {
            let mut files: Vec<PathBuf> = std::fs::read_dir(&self.path)
                .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
                .map_err(failed)?;
            files.sort_unstable();
            for file in files.iter().filter(|file| file.is_file()) {
                let bytes = std::fs::read(file).map_err(|error| WorkspaceError::io("read", file, error))?;
                found.certificate(&file.display().to_string(), &bytes, None, self.format, self.nowhere);
            }
        } else {
            let bytes = std::fs::read(&self.path).map_err(failed)?;
            let list = found.list(&bytes, self.format, self.nowhere);
            list.map_err(|why| WorkspaceError::BadFile(self.path.clone(), why))?;
        }
        for (name, why) in &found.left_out {
            complain!("authority: {name} is left out: {why}");
        }
        if found.is_empty() {
            return Err(WorkspaceError::BadFile(self.path, "no certificate in it can be used".to_owned()));
        }
        let at = global.moment(&workspace, self.at, None)?;
        let (certificates, countries) = (found.len(), found.entries.len());
        for (country, entries) in std::mem::take(&mut found.entries) {
            host(&mut workspace, country, None, &[self.format], &[], entries, at)?;
            recognise(&mut workspace, country, &self.counts_in)?;
        }
        say!(
            "{certificates} certificates of {countries} countries are in the trust list, {} left out",
            found.left_out.len()
        );
        workspace.save()
    }
}

/// Keeps keys of a country in this folder, and lists the country unless it is listed.
fn host(
    workspace: &mut Workspace,
    id: Region,
    names: Option<Names>,
    formats: &[Format],
    mirrors: &[String],
    entries: Vec<KeyEntry>,
    at: UnixTime,
) -> Done {
    let hosted = workspace.hosted_issuers()?.contains(&id);
    if !hosted && workspace.authority.national()?.issuer(id).is_some() {
        return Err(ListError::DuplicateIssuer(id).into());
    }
    let mut host = if hosted {
        workspace.hosted(id)?
    } else {
        let authority = Authority::init(id, &Plan::default(), workspace.authority.terms(), Source::Random, at)?;
        workspace.authority.national_mut()?.add(Newcomer {
            id,
            names,
            parent: None,
            scope: Vec::new(),
            formats: formats.to_vec(),
            mirrors: mirrors.to_vec(),
            root: authority.first_root().to_vec(),
        })?;
        workspace.host(authority)?
    };
    let mut counts = BTreeMap::from([(true, 0), (false, 0)]);
    for entry in entries {
        // Importing a newer copy of a list must not fail over what is known already.
        *counts.entry(host.authority.add_entry(entry).is_ok()).or_insert(0) += 1;
    }
    say!("{id}: {} certificates added, {} there already", counts[&true], counts[&false]);
    host.save()
}

fn recognise(workspace: &mut Workspace, id: Region, counts_in: &[Party]) -> Done {
    for relying in counts_in {
        let arrangement = Arrangement {
            issuing: Party::Region(id),
            relying: *relying,
            route: Route::Direct,
            window: Window::default(),
        };
        match workspace.authority.national_mut()?.arrange(arrangement) {
            Ok(()) | Err(ListError::AlreadyThere(_)) => (),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

const RETIRE: &str = "\
Example:
  authority issuer retire 420100";

/// Take an issuer and its arrangements out of the trust list (national platform)
#[derive(Args)]
#[command(after_help = RETIRE)]
pub struct Retire {
    /// Which
    #[arg(value_parser = region)]
    id: Region,
}

impl Retire {
    fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        workspace.authority.national_mut()?.retire(self.id)?;
        say!("{} is out of the trust list", self.id);
        workspace.save()
    }
}

const ROTATE: &str = "\
Examples:
  authority issuer rotate-key --use code                  announced now, used in two days; codes signed before stay good
  authority issuer rotate-key --use code --now            the key before was stolen

A gate with a fresh list refuses codes by a key that is not in it. So a new key is announced first, and the one before signs on meanwhile;
`authority show` names the moment. The change comes by itself: issue and publish use the key whose time it is.";

/// Announce a new key for own codes, status lists or configuration codes, which takes the place of the ones before
///
#[derive(Args)]
#[command(after_help = ROTATE)]
pub struct RotateKey {
    /// What it signs: code, status, or (national platform) configuration
    #[arg(long = "use", value_parser = word::<KeyUse>, default_value = "code", value_name = "USE")]
    use_for: KeyUse,
    /// Kind of key for status lists; codes are always signed with Ed25519
    #[arg(long, default_value = "ed25519", value_name = "KIND")]
    key_type: KeyType,
    /// Hours between the publication that announces the key and its first use: longer than a list counts as fresh at any gate
    #[arg(long, default_value_t = 48, value_parser = clap::value_parser!(u32).range(1..=2_160), value_name = "HOURS")]
    lead_hours: u32,
    /// The key before was stolen or lost: the new one signs at once. Gates refuse its codes until they have the new list
    #[arg(long, conflicts_with = "lead_hours")]
    now: bool,
    /// As JSON; the moment moves with the publication that announces the key, and publish --json says it again
    #[arg(long)]
    json: bool,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
}

impl RotateKey {
    fn run(self, global: &Global) -> Done {
        if self.use_for != KeyUse::Status && self.key_type != KeyType::Ed25519 {
            return Err(WorkspaceError::Usage(
                "codes are signed with Ed25519 keys only; leave --key-type out".to_owned(),
            ));
        }
        let mut workspace = Workspace::open(&global.dir)?;
        if self.use_for == KeyUse::Configuration {
            workspace.authority.national()?;
        }
        let at = global.moment(&workspace, self.at, None)?;
        let key = SigningKey::generate(self.key_type)?;
        if self.now {
            let kid = workspace.authority.rotate_key(self.use_for, key, at)?;
            if self.json {
                print_json(&serde_json::json!({"kid": kid, "from": at}));
                return workspace.save();
            }
            say!(
                "new key {kid} signs from now on; the ones before are retired. Publish at once: gates do not know it yet"
            );
        } else {
            let lead = i64::from(self.lead_hours) * 3600;
            let kid = workspace.authority.announce_key(self.use_for, key, at, lead)?;
            if self.json {
                print_json(&serde_json::json!({"kid": kid, "from": at.plus(lead), "lead_hours": self.lead_hours}));
                return workspace.save();
            }
            say!(
                "new key {kid} is announced; until {} the ones before sign. Publish now: the key begins {} hours after the publication \
                 that announces it",
                at.plus(lead),
                self.lead_hours
            );
        }
        workspace.save()
    }
}

const RETIRE_KEY: &str = "\
Examples:
  authority issuer retire-key 0123456789abcdef            what it signed before stays good
  authority issuer retire-key 0123456789abcdef --revoke   good for nothing: it was stolen";

/// Retire or revoke one of the own keys
#[derive(Args)]
#[command(after_help = RETIRE_KEY)]
pub struct RetireKey {
    /// Its id
    #[arg(value_parser = kid)]
    kid: KeyId,
    /// Good for nothing, also not for what it signed before
    #[arg(long)]
    revoke: bool,
    /// Of an issuer that is kept here
    #[arg(long, value_parser = region, value_name = "ID")]
    hosted: Option<Region>,
    /// When, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
}

impl RetireKey {
    fn run(self, global: &Global) -> Done {
        let mut workspace = Workspace::open(&global.dir)?;
        if let Some(hosted) = self.hosted {
            workspace = workspace.hosted(hosted)?;
        }
        let at = global.moment(&workspace, self.at, None)?;
        let state = if self.revoke { KeyState::Revoked } else { KeyState::Retired { at } };
        workspace.authority.set_key_state(self.kid, state)?;
        say!("key {} is {}", self.kid, if self.revoke { "revoked" } else { "retired" });
        workspace.save()
    }
}

fn kid(text: &str) -> Result<KeyId, String> {
    text.parse().map_err(|error: trustlist::key::NotAKeyId| error.to_string())
}
