//! `authority show`.

use std::path::Path;

use authority::{Workspace, desk::entry_kid, metadata::Role, rotate::ID_PREFIX};
use clap::Args;
use serde_json::json;

use super::{Done, print_json};

const EXAMPLE: &str = "\
Example: what is in the lists, for a script
  authority --dir nation show --json";

/// Show keys, roles, lists and what was published last
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct Show {
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Show {
    pub fn run(self, dir: &Path) -> Done {
        let workspace = Workspace::open(dir)?;
        let authority = &workspace.authority;
        let root = authority.root()?;
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
        println!("authority {}", authority.issuer());
        match published {
            Some((generation, at)) => println!("published: generation {generation} at {at}"),
            None => println!("published: nothing yet"),
        }
        println!("root: version {}, until {}", root.version, root.expires);
        for role in Role::ALL {
            if let Some(keys) = root.roles.get(&role) {
                let ids: Vec<&str> = keys.keyids.iter().map(|id| &id[..id.len().min(ID_PREFIX)]).collect();
                println!("  {:<9} {} of {}: {}", role.name(), keys.threshold, ids.len(), ids.join(" "));
            }
        }
        println!("keys.json:");
        for key in &keys {
            let here = if key["private_key_here"] == true { ", private key here" } else { "" };
            println!(
                "  {} {} {} {}{here}",
                text(&key["kid"]),
                text(&key["use"]),
                text(&key["algorithm"]),
                text(&key["state"]["state"])
            );
        }
        for list in &statuses {
            println!(
                "status/{}: {} codes, {} not valid, changed {}",
                list["list"],
                list["codes"],
                list["set"],
                text(&list["changed"])
            );
        }
        if let Some(national) = national {
            println!("issuers: {}", national.list.issuers.len());
            for issuer in &national.list.issuers {
                let formats: Vec<&str> = issuer.formats.iter().map(|format| format.code()).collect();
                println!("  {} {} {} ({})", issuer.id, issuer.name.en, issuer.name.zh, formats.join(", "));
            }
            println!("arrangements: {}", national.recognition.arrangements.len());
            for arrangement in &national.recognition.arrangements {
                println!(
                    "  {} counts in {}, {}{}",
                    arrangement.issuing,
                    arrangement.relying,
                    arrangement.route.code(),
                    span(arrangement.window)
                );
            }
            for suspension in &national.recognition.suspensions {
                println!(
                    "  suspended: {} in {}, notice {}{}",
                    suspension.issuing,
                    suspension.relying,
                    suspension.notice,
                    span(suspension.window)
                );
            }
            println!("risk areas: {}", national.risk_areas.areas.len());
            for area in &national.risk_areas.areas {
                println!("  {} {}{}", area.area, text(&json!(area.level)), span(area.window));
            }
            println!("policy: {} ({} profiles)", national.policy.default, national.policy.profiles.len());
        }
        Ok(())
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
