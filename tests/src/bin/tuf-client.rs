//! A thin TUF client on the daemon's own workflow, with the command line that the TUF project's conformance suite asks for.
//!
//! Metadata is kept in the metadata folder as `<role>.json`, byte for byte as received. Exit 0 on success, 1 on refusal.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use clap::{Parser, Subcommand};
use trustlist::{
    time::UnixTime,
    tuf::{self, Answer, Request, Trusted, schema::TargetFile},
};
use ureq::Agent;

/// Largest target brought. Stops endless data.
const MAX_TARGET: u64 = 64 * 1024 * 1024;

#[derive(Parser)]
struct Line {
    #[arg(long)]
    metadata_dir: PathBuf,
    #[arg(long)]
    metadata_url: Option<String>,
    #[arg(long)]
    target_name: Vec<String>,
    #[arg(long)]
    target_base_url: Option<String>,
    #[arg(long)]
    target_dir: Option<PathBuf>,
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Begin with a trusted root
    Init { root: PathBuf },
    /// Refresh the top-level metadata
    Refresh,
    /// Refresh, then download the targets in their order, until one fails
    Download,
}

fn main() -> ExitCode {
    match run(&Line::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn run(line: &Line) -> Result<(), String> {
    let folder = &line.metadata_dir;
    if let What::Init { root } = &line.what {
        let bytes = fs::read(root).map_err(|error| format!("{}: {error}", root.display()))?;
        Trusted::from_root(&bytes).map_err(|refusal| refusal.to_string())?;
        return store(folder, "root", &bytes);
    }
    let now = UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed()));
    let agent: Agent = Agent::config_builder()
        .timeout_global(Some(Duration::from_secs(20)))
        .http_status_as_error(false)
        .build()
        .into();
    let base = asked(line.metadata_url.as_deref(), "--metadata-url")?;
    let mut fetch = |request: &Request| get(&agent, base, request);
    let mut trusted = load(folder)?;
    let refreshed = tuf::refresh(&mut trusted, now, &mut fetch);
    // What was accepted before a refusal stays accepted.
    keep(folder, &trusted)?;
    refreshed.map_err(|refusal| refusal.to_string())?;
    if matches!(line.what, What::Download) {
        restore_delegated(folder, &mut trusted);
        if line.target_name.is_empty() {
            return Err("--target-name is needed".to_owned());
        }
        for name in &line.target_name {
            let found = tuf::find_target(&mut trusted, name, now, &mut fetch);
            keep(folder, &trusted)?;
            let target = found.map_err(|refusal| refusal.to_string())?.ok_or_else(|| format!("nobody names {name}"))?;
            download(line, &agent, name, &target, &tuf::target_request(&trusted, name, &target))?;
        }
    }
    Ok(())
}

/// A target into its folder, unless it is there.
fn download(line: &Line, agent: &Agent, name: &str, target: &TargetFile, request: &Request) -> Result<(), String> {
    let place = line.target_dir.as_deref().ok_or("--target-dir is needed")?.join(quoted(name));
    if fs::read(&place).is_ok_and(|held| target.is(&held)) {
        return Ok(());
    }
    if request.limit > MAX_TARGET {
        return Err(format!("{name}: more than {MAX_TARGET} bytes"));
    }
    let base = asked(line.target_base_url.as_deref(), "--target-base-url")?;
    match get(agent, base, request) {
        Answer::Bytes(bytes) if target.is(&bytes) => write(&place, &bytes),
        Answer::Bytes(_) => Err(format!("{name}: not the content that was signed for")),
        Answer::NotFound => Err(format!("{name}: not there")),
        Answer::Unreachable(why) => Err(why),
    }
}

fn asked<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, String> {
    value.ok_or_else(|| format!("{name} is needed"))
}

fn get(agent: &Agent, base: &str, request: &Request) -> Answer {
    let url = format!("{}/{}", base.trim_end_matches('/'), in_url(&request.path));
    let unreachable = |why: String| Answer::Unreachable(format!("{url}: {why}"));
    match agent.get(&url).call() {
        Err(error) => unreachable(error.to_string()),
        Ok(response) if matches!(response.status().as_u16(), 403 | 404) => Answer::NotFound,
        Ok(response) if response.status().as_u16() != 200 => unreachable(response.status().to_string()),
        Ok(mut response) => {
            let mut bytes = Vec::new();
            let mut body = io::Read::take(response.body_mut().as_reader(), request.limit.saturating_add(1));
            match io::Read::read_to_end(&mut body, &mut bytes) {
                Ok(_) => Answer::Bytes(bytes),
                Err(error) => unreachable(error.to_string()),
            }
        }
    }
}

/// A path as a URL carries it: what would end the path or is not allowed in it is percent-encoded. Role names already are.
fn in_url(path: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_graphic() && !b"\"#<>?[\\]^`{|}".contains(&byte);
    path.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// What is kept, as far as it verifies; the rest is fetched anew.
fn load(folder: &Path) -> Result<Trusted, String> {
    let read = |role: &str| fs::read(place(folder, role)).ok();
    let root = read("root").ok_or("there is no root.json: begin with init")?;
    let mut trusted = Trusted::from_root(&root).map_err(|refusal| refusal.to_string())?;
    if let Some(bytes) = read("timestamp")
        && trusted.restore_timestamp(&bytes).is_ok()
        && let Some(bytes) = read("snapshot")
        && trusted.restore_snapshot(&bytes).is_ok()
        && let Some(bytes) = read("targets")
    {
        // A targets file that no longer verifies is fetched anew.
        let _ = trusted.restore_targets("targets", None, &bytes);
    }
    Ok(trusted)
}

/// The delegated roles that are kept, as far as their delegator still trusts them.
fn restore_delegated(folder: &Path, trusted: &mut Trusted) {
    let kept: Vec<String> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok()?.strip_suffix(".json").map(str::to_owned))
        .collect();
    let mut waiting = vec!["targets".to_owned()];
    while let Some(delegator) = waiting.pop() {
        let Some(delegations) = trusted.targets(&delegator).and_then(|held| held.signed.delegations.clone()) else {
            continue;
        };
        let names = delegations.roles.into_iter().flatten().map(|role| role.name);
        let bins = delegations.succinct_roles.is_some().then(|| kept.clone());
        for role in names.chain(bins.into_iter().flatten()) {
            if trusted.targets(&role).is_none()
                && let Ok(bytes) = fs::read(place(folder, &role))
                && trusted.restore_targets(&role, Some(&delegator), &bytes).is_ok()
            {
                waiting.push(role);
            }
        }
    }
}

fn keep(folder: &Path, trusted: &Trusted) -> Result<(), String> {
    store(folder, "root", &trusted.root().bytes)?;
    let top = [
        ("timestamp", trusted.timestamp().map(|held| &held.bytes)),
        ("snapshot", trusted.snapshot().map(|held| &held.bytes)),
    ];
    for (role, bytes) in top {
        match bytes {
            Some(bytes) => store(folder, role, bytes)?,
            None => drop(fs::remove_file(place(folder, role))),
        }
    }
    trusted.all_targets().try_for_each(|(role, held)| store(folder, role, &held.bytes))
}

fn store(folder: &Path, role: &str, bytes: &[u8]) -> Result<(), String> {
    let place = place(folder, role);
    if fs::read(&place).is_ok_and(|held| held == bytes) { Ok(()) } else { write(&place, bytes) }
}

fn write(place: &Path, bytes: &[u8]) -> Result<(), String> {
    let failed = |error: io::Error| format!("{}: {error}", place.display());
    fs::create_dir_all(place.parent().expect("a file is in a folder")).map_err(failed)?;
    // Not `with_extension`: a role may be called ".".
    let mut temporary = place.as_os_str().to_owned();
    temporary.push(".new");
    fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, place)).map_err(failed)
}

fn place(folder: &Path, role: &str) -> PathBuf {
    folder.join(format!("{}.json", quoted(role)))
}

/// A name as one file name: everything but letters, digits and `-._~` percent-encoded.
fn quoted(name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    name.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
