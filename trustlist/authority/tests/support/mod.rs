//! What the tests of the command share: running it, and a gate's half of what comes out.

// Each test program uses its own part of this.
#![allow(dead_code)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use trustlist::{
    judge::{Context, Outcome, decide},
    region::Region,
    time::{Moment, UnixTime},
    trust::{Repository, Trust},
    tuf::{self, Answer, Request, Trusted},
    verdict::Reason,
};

pub const MORNING: &str = "2021-02-01T08:00:00+08:00";

pub fn authority(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_authority")).arg("--dir").arg(dir).args(arguments).output().expect("it starts")
}

pub fn done(dir: &Path, arguments: &[&str]) -> String {
    let output = authority(dir, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The message of a command that must fail, without its beginning.
pub fn refused(dir: &Path, arguments: &[&str]) -> String {
    let output = authority(dir, arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("UTF-8")
}

pub fn region(text: &str) -> Region {
    text.parse().expect("a region")
}

/// What a gate holds after it has verified a mirror from the pinned root.
pub fn verified(mirror: &Path, issuer: &str, root: &[u8], at: UnixTime) -> Repository {
    let home = mirror.join(issuer);
    let mut fetch = |request: &Request| match fs::read(home.join("metadata").join(&request.path)) {
        Ok(bytes) => Answer::Bytes(bytes),
        Err(_) => Answer::NotFound,
    };
    let mut trusted = Trusted::from_root(root).expect("a root");
    tuf::refresh(&mut trusted, at, &mut fetch).expect("accepted");
    let names: Vec<String> = trusted.targets("targets").expect("targets").signed.targets.keys().cloned().collect();
    let mut targets = BTreeMap::new();
    for name in names {
        let target = tuf::find_target(&mut trusted, &name, at, &mut fetch).expect("looked for").expect("named");
        let path = tuf::target_request(&trusted, &name, &target).path;
        let bytes = fs::read(home.join("targets").join(path)).expect("a target");
        assert!(target.is(&bytes), "{name}");
        targets.insert(name, bytes);
    }
    let timestamp = &trusted.timestamp().expect("a timestamp").signed;
    Repository {
        issuer: region(issuer),
        generation: timestamp.version,
        issued: timestamp.issued.expect("our publisher says it"),
        expires: timestamp.expires,
        targets,
        arrived: None,
        root_keys: trusted.root_keys(),
    }
}

pub fn reason(trust: &Trust, code: &str, relying: &str, at: UnixTime) -> Reason {
    let context = Context { moment: Moment::synced(at), relying: region(relying), profile: None };
    match decide(code.trim(), trust, &context) {
        Outcome::Judged(judgement) => judgement.decision().reason,
        Outcome::NotAPassCode => panic!("no pass code: {code}"),
    }
}

pub struct Authorities {
    pub home: tempfile::TempDir,
    pub nation: PathBuf,
    pub hubei: PathBuf,
    pub mirror: PathBuf,
}

/// Hubei and the national platform, each in its own folder; Hubei's codes count in Guangdong.
pub fn authorities() -> Authorities {
    let home = tempfile::tempdir().expect("a folder");
    let [nation, hubei, mirror] = ["nation", "hubei", "mirror"].map(|name| home.path().join(name));
    done(&hubei, &["init", "420000", "--at", MORNING]);
    done(&nation, &["init", "000000", "--at", MORNING]);
    let root = hubei.join("roots/1.root.json");
    done(&nation, &["issuer", "add", "420000", "--root", root.to_str().expect("a UTF-8 path")]);
    done(&nation, &["arrange", "420000", "440000", "--route", "direct"]);
    Authorities { home, nation, hubei, mirror }
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

pub fn at(text: &str) -> UnixTime {
    UnixTime::parse_rfc3339(text).expect("a time")
}

/// A gate's state of one repository: it keeps what it accepted, as a gate does.
pub struct Gate(pub Trusted);

impl Gate {
    pub fn new(root: &Path) -> Gate {
        Gate(Trusted::from_root(&fs::read(root).expect("a root")).expect("a root"))
    }

    /// Takes what is newer on a mirror; the generation it then holds.
    pub fn sync(&mut self, mirror: &Path, issuer: &str, now: &str) -> Result<u64, String> {
        let home = mirror.join(issuer).join("metadata");
        let mut fetch = |request: &Request| match fs::read(home.join(&request.path)) {
            Ok(bytes) => Answer::Bytes(bytes),
            Err(_) => Answer::NotFound,
        };
        tuf::refresh(&mut self.0, at(now), &mut fetch).map_err(|refusal| refusal.to_string())?;
        Ok(self.0.timestamp().expect("a timestamp").signed.version)
    }

    /// How a code stands in the list that the gate holds.
    pub fn status(&self, mirror: &Path, issuer: &str, index: u64) -> trustlist::status::Status {
        let target = &self.0.targets("targets").expect("targets").signed.targets["status/0"];
        let path = tuf::target_request(&self.0, "status/0", target).path;
        let bytes = fs::read(mirror.join(issuer).join("targets").join(path)).expect("a list");
        assert!(target.is(&bytes));
        trustlist::status::StatusArray::of_shard(&bytes).expect("a list").status(index)
    }
}
