//! `checkpointd enrol`: this device shows its key and build to a centre with a one-time slip, and takes what the centre assigns to it.
//!
//! The request is signed by the device's key and good at the centre of the slip only; the answer counts only by that centre's key and for
//! this device only. What is taken on sets a name, an address and keys, and nothing that a verdict depends on.

use std::{fs, path::PathBuf};

use cache::{
    exchange::{Assignment, Pinned, Request, Slip, enrolment::NotASlip},
    log::{Options, Reader, ScanLog, UnixMillis, device_key, note::NoteSigner},
    state_lock::StateLock,
};
use clap::Args;
use host::{
    clock::Clock,
    config::{Config, Enrolment},
    peer::Peer,
    places::LogPlace,
};
use sync::enrolment;
use uuid::Uuid;

use super::{
    ConfigArgs,
    config_args::configuration,
    failure::{Exit, Failure},
    output::print,
    owner,
};
use crate::daemon::machine;

/// Longest slip: an address, a key and a token.
const MAX_SLIP: u64 = 4096;

/// `enrol`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  sudo checkpointd enrol 'checkpoint-slip:1 https://centre.example:8443 KEY TOKEN'
  sudo checkpointd enrol --file /media/stick/slip.txt
  sudo checkpointd enrol --again            (renamed, or the centre has a new key)
  sudo systemctl reload checkpointd

The slip comes from the centre: checkpoint-centre enrol, or posts replace where a box was exchanged or wiped.
The centre's certificate is checked against upload.ca, or against the web's authorities.")]
pub struct Arguments {
    /// The slip's text
    #[arg(required_unless_present_any = ["file", "again"], conflicts_with_all = ["file", "again"])]
    slip: Option<Slip>,
    /// A file with the slip's text
    #[arg(long, value_name = "FILE", conflicts_with = "again")]
    file: Option<PathBuf>,
    /// Ask the centre once more what it assigns: after a post was renamed, or when the centre announced a key
    #[arg(long)]
    again: bool,
    /// One JSON object: what was assigned
    #[arg(long)]
    json: bool,
}

/// Enrols.
///
/// # Errors
/// When the slip, the log or the centre does not allow it; what held before then still holds.
pub fn run(said: &ConfigArgs, clock: &Clock, arguments: Arguments) -> Result<Exit, Failure> {
    let config = configuration(said)?;
    let state = &config.places.state;
    owner::take_on(state)?;
    let held = Enrolment::read(state)?;
    let mut slip = slip(&arguments, held.as_ref())?;
    let centre =
        Peer { url: slip.url.clone(), ca: config.upload.ca.clone(), timeout: config.upload.timeout, ..Peer::default() };
    let refused = |error| Failure::new("this device is not enrolled anew; what held before still holds").because(error);
    let pinned = pinned(&slip, held.as_ref().filter(|_| arguments.again))?;
    let pinned = if arguments.again { enrolment::followed(&centre, pinned).map_err(refused)? } else { pinned };
    // A request is good at one centre only; that of a device that asks again may have another key by now.
    slip.centre = pinned.keys().last().expect("one key or two").clone();
    let (signer, log) = device(&config, clock)?;
    let request = Request {
        token: slip.token.clone(),
        centre: slip.centre.clone(),
        device: signer.verifier(),
        log,
        build: host::BUILD.to_owned(),
        at: UnixMillis(clock.unix_millis()),
    };
    let (assignment, note) = enrolment::ask(&centre, &request, &signer, &pinned).map_err(refused)?;
    let place = &assignment.place;
    let taken = Enrolment {
        post: place.post.clone(),
        upload: place.upload.clone(),
        centre_keys: place.centre_keys.clone(),
        slip: slip.to_string(),
        assignment: note,
    };
    usable(&taken)?;
    taken.write(state).map_err(|error| {
        Failure::new(format!(
            "what the centre assigned cannot be written into {}; ask again (--again)",
            state.display()
        ))
        .because(error)
    })?;
    if arguments.json {
        print(&format!("{}\n", serde_json::to_string(place).expect("plain data")));
    } else {
        print(&words(&assignment, &config));
    }
    Ok(Exit::Ok)
}

fn slip(arguments: &Arguments, held: Option<&Enrolment>) -> Result<Slip, Failure> {
    let parse = |text: &str, whence: &str| {
        text.trim().parse().map_err(|error: NotASlip| Failure::new(whence.to_owned()).because(error))
    };
    match (arguments, held) {
        (Arguments { slip: Some(slip), .. }, _) => Ok(slip.clone()),
        (Arguments { file: Some(file), .. }, _) => {
            let name = file.display().to_string();
            let unreadable = |error: std::io::Error| Failure::new(format!("{name} cannot be read")).because(error);
            if fs::metadata(file).map_err(unreadable)?.len() > MAX_SLIP {
                return Err(Failure::new(format!("{name} is larger than a slip")));
            }
            parse(&fs::read_to_string(file).map_err(unreadable)?, &name)
        }
        (_, Some(held)) => parse(&held.slip, "the slip of this device's enrolment"),
        (_, None) => Err(Failure::new("this device is not enrolled yet; ask the centre for a slip")),
    }
}

/// Whose word counts: the centre of a new slip; of a device that asks again, the keys that it has pinned.
fn pinned(slip: &Slip, held: Option<&Enrolment>) -> Result<Pinned, Failure> {
    let keys = match held {
        None => vec![slip.centre.clone()],
        Some(held) => held
            .centre_keys
            .iter()
            .map(|key| key.parse())
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::new("a pinned key of the centre cannot be read").because(error))?,
    };
    Pinned::new(keys).map_err(|error| Failure::new("the centre's keys").because(error))
}

/// The device's key, and the log that it writes, which a device that never ran begins here.
fn device(config: &Config, clock: &Clock) -> Result<(NoteSigner, Uuid), Failure> {
    let place = LogPlace::configured(config);
    let (state, path) = (&config.places.state, &place.database);
    let closed = |what: &str| format!("{}: {what}", path.display());
    let key = || device_key::open_or_make(&place.key, &place.post);
    let signer = key().map_err(|error| Failure::new("the device's key").because(error))?;
    if !path.exists() {
        let _lock = StateLock::take(state).map_err(|error| Failure::new("the log cannot be begun").because(error))?;
        let signer = key().map_err(|error| Failure::new("the device's key").because(error))?;
        ScanLog::open(Options::new(path, signer, machine(clock)), UnixMillis(clock.unix_millis()))
            .map_err(|fault| Failure::new(closed("the log cannot be begun")).because(fault))?;
    }
    let reader = Reader::open(path).map_err(|fault| Failure::new(closed("cannot be read")).because(fault))?;
    let known = reader.log_id().and_then(|log| Ok((log, reader.public_key()?)));
    let (log, key) = known.map_err(|fault| Failure::new(closed("cannot be read")).because(fault))?;
    let log =
        log.ok_or_else(|| Failure::new(closed("the log has no id; run the daemon once, which brings it up to date")))?;
    if key.is_some_and(|key| key != signer.verifier().to_string()) {
        return Err(Failure::new(format!(
            "{} is not the key that signs the log; where the service manager hands the key in, run this with CREDENTIALS_DIRECTORY set",
            place.key.display()
        )));
    }
    Ok((signer, log))
}

/// A configuration that the next start could not use is not taken on.
fn usable(enrolment: &Enrolment) -> Result<(), Failure> {
    let keys: Result<Vec<_>, _> = enrolment.centre_keys.iter().map(|key| key.parse()).collect();
    let keys = keys.map_err(|error| Failure::new("the centre assigned a key that is none").because(error))?;
    Pinned::new(keys)
        .map_err(|error| Failure::new("the centre assigned other keys than can be pinned").because(error))?;
    Ok(enrolment.check()?)
}

fn words(assignment: &Assignment, config: &Config) -> String {
    let place = &assignment.place;
    let mut text = format!("this device is {}; its rows go to {}\n", place.post, place.upload);
    for key in &place.centre_keys {
        text += &format!("  receipts count by {key}\n");
    }
    let own: Vec<&str> = config.lane.iter().map(|lane| lane.id.as_str()).collect();
    if !place.lanes.is_empty() && own != place.lanes {
        text += &format!(
            "  the centre expects the lanes {}; this device has {}: name them alike, or lanes will seem silent\n",
            place.lanes.join(", "),
            own.join(", ")
        );
    }
    text + "the daemon takes it on: sudo systemctl reload checkpointd\n"
}
