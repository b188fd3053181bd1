//! Repositories written by the command are accepted by a client that we did not write: python-tuf, the reference.
//!
//! The client comes from PyPI into a virtual environment below the build folder. Where there is no Python or no network the test says so
//! and passes.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
};

use serde_json::Value;

struct Client {
    python: PathBuf,
}

/// Both tests ask for the same environment.
static CLIENT: OnceLock<Option<Client>> = OnceLock::new();

impl Client {
    /// The environment with the client in it, made once; `None` where it cannot be had.
    fn install() -> Option<Client> {
        let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-tuf");
        let python = environment.join("bin/python");
        let has_client = |python: &Path| {
            Command::new(python)
                .args(["-c", "import tuf.ngclient"])
                .output()
                .is_ok_and(|output| output.status.success())
        };
        if !has_client(&python) {
            let requirements = tests().join("requirements-tuf.txt");
            let venv = Command::new("python3").args(["-m", "venv"]).arg(&environment).output();
            let pip = Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(requirements).output();
            for output in [venv, pip] {
                match output {
                    Ok(output) if output.status.success() => (),
                    Ok(output) => eprintln!("{}", String::from_utf8_lossy(&output.stderr)),
                    Err(error) => eprintln!("{error}"),
                }
            }
        }
        if has_client(&python) {
            return Some(Client { python });
        }
        eprintln!("skipped: python-tuf cannot be installed here");
        None
    }

    fn update(&self, repository: &Path, state: &Path, root: &Path) -> Result<Value, String> {
        let output = Command::new(&self.python)
            .arg(tests().join("tuf_client.py"))
            .args([repository, state, root])
            .output()
            .expect("the interpreter starts");
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(serde_json::from_slice(&output.stdout).expect("one JSON object"))
    }
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python")
}

fn authority(dir: &Path, arguments: &[&str]) -> Output {
    let command = Command::new(env!("CARGO_BIN_EXE_authority")).arg("--dir").arg(dir).args(arguments).output();
    let output = command.expect("the command starts");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn role_keys(dir: &Path, role: &str) -> Vec<String> {
    let shown: Value = serde_json::from_slice(&authority(dir, &["show", "--json"]).stdout).expect("one JSON object");
    let ids = shown["root"]["roles"][role]["keyids"].as_array().expect("key ids");
    ids.iter().map(|id| id.as_str().expect("a text").to_owned()).collect()
}

#[test]
fn the_reference_client_follows_publications_and_a_chain_of_roots_with_keys_of_every_kind() {
    let Some(client) = CLIENT.get_or_init(Client::install) else { return };
    let home = tempfile::tempdir().expect("a folder");
    let (hubei, mirror) = (home.path().join("hubei"), home.path().join("mirror"));
    let out = ["publish", "--out", mirror.to_str().expect("a UTF-8 path")];
    authority(&hubei, &["init", "420000", "--root-keys", "3", "--root-threshold", "2", "--root-key-type", "ecdsa"]);
    authority(&hubei, &["status-list", "grow", "1000"]);
    authority(&hubei, &out);

    let (repository, first) = (mirror.join("420000"), hubei.join("roots/1.root.json"));
    let state = home.path().join("state");
    let seen = client.update(&repository, &state, &first).expect("accepted");
    assert_eq!((&seen["root"], &seen["threshold"], &seen["timestamp"]), (&1.into(), &2.into(), &1.into()));
    assert_eq!(seen["targets"], serde_json::json!(["keys.json", "status/0"]));
    assert!(seen["issued"].is_string(), "the client keeps the member that it does not know");

    let gone = role_keys(&hubei, "root").remove(0);
    authority(&hubei, &["root", "rotate", "--add", "1", "--key-type", "rsa", "--remove", &gone]);
    authority(&hubei, &["status-list", "set", "revoked", "7"]);
    authority(&hubei, &out);
    let gone = role_keys(&hubei, "timestamp").remove(0);
    authority(&hubei, &["root", "rotate", "--role", "timestamp", "--add", "1", "--remove", &gone]);
    authority(&hubei, &["root", "rotate", "--add", "1", "--threshold", "3"]);
    authority(&hubei, &out);

    for (state, who) in [(&state, "a client that has the old generation"), (&home.path().join("new"), "a new client")] {
        let seen = client.update(&repository, state, &first).expect(who);
        assert_eq!((&seen["root"], &seen["threshold"], &seen["timestamp"]), (&4.into(), &3.into(), &3.into()), "{who}");
        let schemes = serde_json::json!(["ecdsa-sha2-nistp256", "ed25519", "rsassa-pss-sha256"]);
        assert_eq!(seen["schemes"], schemes);
    }

    let other = home.path().join("other");
    authority(&other, &["init", "420000"]);
    let wrong = other.join("roots/1.root.json");
    let refused = client.update(&repository, &home.path().join("wrong"), &wrong).expect_err("another first root");
    assert!(refused.contains("refused:"), "{refused}");
}

#[test]
fn the_reference_client_accepts_the_national_repository_and_those_that_it_hosts() {
    let Some(client) = CLIENT.get_or_init(Client::install) else { return };
    let home = tempfile::tempdir().expect("a folder");
    let nation = home.path().join("nation");
    let certificate = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dsc-de.pem");
    authority(&nation, &["init", "000000"]);
    let certificate = certificate.to_str().expect("a UTF-8 path");
    authority(&nation, &["issuer", "add", "DE", "--certificate", certificate, "--counts-in", "*"]);
    authority(&nation, &["publish"]);
    for (issuer, target) in [("000000", "roots/DE.json"), ("DE", "keys.json")] {
        let repository = nation.join("published").join(issuer);
        let root = repository.join("metadata/1.root.json");
        let seen = client.update(&repository, &home.path().join(issuer), &root).expect(issuer);
        assert!(seen["targets"].as_array().expect("names").contains(&target.into()), "{issuer}: {seen}");
    }
}
