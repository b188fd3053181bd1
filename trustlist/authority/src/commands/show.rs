//! `authority show`.

use crate::{
    Workspace,
    authority::entry_kid,
    metadata::{self, Role},
    rotate::ID_PREFIX,
};
use clap::Args;
use serde_json::json;
use trustlist::{code::KeyState, lists::keys::KeyEntry, time::UnixTime};

use super::{Done, Global, moment, print_json, publishing::warn_of_root, time};

const EXAMPLE: &str = "\
Example: what is in the lists, for a script
  authority --dir nation show --json";

/// Show keys, roles, lists and what was published last
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct Show {
    /// How keys and roots stand then, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub fn run(self, global: &Global) -> Done {
        let workspace = Workspace::open(&global.dir)?;
        let authority = &workspace.authority;
        let root = authority.root()?;
        let now = moment(self.at);
        let published = authority.last_published()?;
        let keys: Vec<_> = authority
            .keys()
            .keys
            .iter()
            .map(|entry| {
                let kid = entry_kid(entry).ok();
                let here = kid.is_some_and(|kid| authority.private_key(kid).is_some());
                json!({
                    "kid": kid,
                    "use": entry.use_for,
                    "algorithm": entry.algorithm,
                    "formats": entry.formats,
                    "state": entry.state,
                    "now": standing(entry, now),
                    "window": entry.window,
                    "private_key_here": here,
                })
            })
            .collect();
        let statuses: Vec<_> = authority
            .statuses()
            .shards()
            .iter()
            .map(|(number, draft)| {
                json!({"list": number, "codes": draft.codes, "set": draft.set.len(), "changed": draft.changed})
            })
            .collect();
        let national = authority.national().ok();
        if self.json {
            print_json(&json!({
                "issuer": authority.issuer(),
                "root": {"version": root.version, "expires": root.expires, "roles": root.roles},
                "first_root_sha256": metadata::sha256(authority.first_root()),
                "mirrors": workspace.mirrors,
                "generation": published.map(|(generation, _)| generation),
                "published": published.map(|(_, at)| at),
                "keys": keys,
                "status_lists": statuses,
                "hosted": workspace.hosted_issuers()?,
                "trustlist": national.map(|national| &national.list),
                "recognition": national.map(|national| &national.recognition),
                "risk_areas": national.map(|national| &national.risk_areas),
                "policy": national.map(|national| &national.policy),
            }));
            return Ok(());
        }
        say!("authority {}", authority.issuer());
        warn_of_root(authority.issuer().as_str(), root.expires, now);
        match published {
            Some((generation, at)) => say!("published: generation {generation} at {at}"),
            None => say!("published: nothing yet"),
        }
        say!("root: version {}, until {}", root.version, root.expires);
        say!("first root: {}", metadata::fingerprint(authority.first_root()));
        for role in Role::ALL {
            if let Some(keys) = root.roles.get(&role) {
                let ids: Vec<&str> = keys.keyids.iter().map(|id| &id[..id.len().min(ID_PREFIX)]).collect();
                say!("  {:<9} {} of {}: {}", role.name(), keys.threshold, ids.len(), ids.join(" "));
            }
        }
        say!("keys.json:");
        for key in &keys {
            let here = if key["private_key_here"] == true { ", private key here" } else { "" };
            say!(
                "  {} {} {} {}{here}",
                text(&key["kid"]),
                text(&key["use"]),
                text(&key["algorithm"]),
                text(&key["now"])
            );
        }
        for list in &statuses {
            say!(
                "status/{}: {} codes, {} not valid, changed {}",
                list["list"],
                list["codes"],
                list["set"],
                text(&list["changed"])
            );
        }
        if let Some(national) = national {
            say!("issuers: {}", national.list.issuers.len());
            for issuer in &national.list.issuers {
                let formats: Vec<&str> = issuer.formats.iter().map(|format| format.code()).collect();
                say!("  {} {} {} ({})", issuer.id, issuer.name.en, issuer.name.zh, formats.join(", "));
            }
            say!("arrangements: {}", national.recognition.arrangements.len());
            for arrangement in &national.recognition.arrangements {
                say!(
                    "  {} counts in {}, {}{}",
                    arrangement.issuing,
                    arrangement.relying,
                    arrangement.route.code(),
                    span(arrangement.window)
                );
            }
            for suspension in &national.recognition.suspensions {
                say!(
                    "  suspended: {} in {}, notice {}{}",
                    suspension.issuing,
                    suspension.relying,
                    suspension.notice,
                    span(suspension.window)
                );
            }
            say!("risk areas: {}", national.risk_areas.areas.len());
            for area in &national.risk_areas.areas {
                say!("  {} {}{}", area.area, text(&json!(area.level)), span(area.window));
            }
            say!("policy: {} ({} profiles)", national.policy.default, national.policy.profiles.len());
        }
        Ok(())
    }
}

/// How a key stands at `now`: announced, active, retired or revoked.
fn standing(entry: &KeyEntry, now: UnixTime) -> String {
    match (entry.state, entry.window.from) {
        (KeyState::Revoked, _) => "revoked".to_owned(),
        (KeyState::Retired { at }, _) if at <= now => format!("retired since {at}"),
        (KeyState::Retired { at }, _) => format!("active, retires at {at}"),
        (KeyState::Active, Some(from)) if from > now => format!("announced, signs from {from}"),
        (KeyState::Active, _) => "active".to_owned(),
    }
}

fn text(value: &serde_json::Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn span(window: trustlist::time::Window) -> String {
    let from = window.from.map(|from| format!(", from {from}")).unwrap_or_default();
    let until = window.until.map(|until| format!(", until {until}")).unwrap_or_default();
    from + &until
}
