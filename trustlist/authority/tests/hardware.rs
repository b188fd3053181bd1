//! Keys that never leave their token: SoftHSM2 from Debian stands in for a security module. Where it is not installed the tests say so
//! and pass.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

mod support;

use support::{Gate, MORNING, text};

const LIBRARIES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
];

struct Module {
    home: tempfile::TempDir,
    library: &'static str,
}

impl Module {
    /// Two tokens, "first" and "second", with the PIN 1234.
    fn new() -> Option<Module> {
        let library = LIBRARIES.into_iter().find(|library| Path::new(library).exists());
        let Some(library) = library.filter(|_| Command::new("softhsm2-util").arg("--version").output().is_ok()) else {
            eprintln!("skipped: SoftHSM2 is not installed");
            return None;
        };
        let home = tempfile::tempdir().expect("a folder");
        let tokens = home.path().join("tokens");
        fs::create_dir(&tokens).expect("made");
        fs::write(
            home.path().join("softhsm2.conf"),
            format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display()),
        )
        .expect("written");
        fs::write(home.path().join("pin"), "1234\n").expect("written");
        fs::write(home.path().join("wrong"), "4321\n").expect("written");
        let module = Module { home, library };
        for label in ["first", "second"] {
            let made = Command::new("softhsm2-util")
                .args(["--init-token", "--free", "--label", label, "--pin", "1234", "--so-pin", "12345678"])
                .env("SOFTHSM2_CONF", module.home.path().join("softhsm2.conf"))
                .output()
                .expect("it starts");
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        Some(module)
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn run(&self, dir: &Path, pin: Option<&str>, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_authority"));
        command.arg("--dir").arg(dir).args(arguments);
        command.env("SOFTHSM2_CONF", self.folder("softhsm2.conf")).env_remove("AUTHORITY_PIN_FILE");
        if let Some(pin) = pin {
            command.env("AUTHORITY_PIN_FILE", self.folder(pin));
        }
        command.output().expect("it starts")
    }

    fn done(&self, dir: &Path, arguments: &[&str]) -> String {
        let output = self.run(dir, Some("pin"), arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("UTF-8")
    }

    fn refused(&self, dir: &Path, pin: Option<&str>, arguments: &[&str]) -> String {
        let output = self.run(dir, pin, arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    }
}

#[test]
fn a_nation_whose_root_and_targets_keys_are_in_tokens_publishes_what_gates_believe() {
    let Some(module) = Module::new() else { return };
    let (nation, mirror) = (module.folder("nation"), module.folder("mirror"));
    let init =
        ["init", "000000", "--root-keys", "2", "--root-threshold", "2", "--root-key-type", "ecdsa", "--at", MORNING];
    module.done(&nation, &[&init[..], &["--pkcs11", module.library, "--token", "first"]].concat());
    let keys = || fs::read_dir(nation.join("keys")).expect("keys").map(|entry| entry.expect("a key").path());
    let roots = keys().filter(|path| text(path).contains("/root-")).collect::<Vec<_>>();
    assert_eq!(roots.len(), 2);
    for root in &roots {
        let note = fs::read_to_string(root).expect("a note");
        assert!(text(root).ends_with(".pkcs11") && !note.contains("PRIVATE") && !note.contains("1234"), "{note}");
    }
    // The key that signs the lists goes into hardware, too: another token, the other kind of key.
    let shown: serde_json::Value = serde_json::from_str(&module.done(&nation, &["show", "--json"])).expect("JSON");
    let gone = shown["root"]["roles"]["targets"]["keyids"][0].as_str().expect("an id").to_owned();
    let rotate = ["root", "rotate", "--role", "targets", "--add", "1", "--remove", &gone, "--at", MORNING];
    module.done(&nation, &[&rotate[..], &["--pkcs11", module.library, "--token", "second"]].concat());
    module.done(&nation, &["publish", "--at", MORNING, "--out", text(&mirror)]);
    let mut gate = Gate::new(&nation.join("roots/1.root.json"));
    assert_eq!(gate.sync(&mirror, "000000", MORNING), Ok(1));
    assert_eq!(gate.0.root().signed.version, 2);
}

#[test]
fn a_token_that_cannot_be_used_is_named_with_what_to_do_and_nothing_is_signed() {
    let Some(module) = Module::new() else { return };
    let hubei = module.folder("hubei");
    let token = |label: &'static str| {
        ["init", "420000", "--root-key-type", "ecdsa", "--at", MORNING, "--pkcs11", module.library, "--token", label]
    };
    for (pin, arguments, words) in [
        (None, token("first"), "AUTHORITY_PIN_FILE"),
        (Some("nowhere"), token("first"), "cannot be read"),
        (Some("wrong"), token("first"), "refuses the PIN"),
        (Some("pin"), token("third"), "no token of this label"),
    ] {
        let said = module.refused(&hubei, pin, &arguments);
        assert!(said.contains(words), "{said}");
        assert!(!hubei.exists(), "nothing was made");
    }
    let no_library = ["init", "420000", "--at", MORNING, "--pkcs11", "/nonexistent.so", "--token", "first"];
    assert!(module.refused(&hubei, Some("pin"), &no_library).contains("cannot be reached"));

    module.done(&hubei, &token("first"));
    module.done(&hubei, &["publish", "--at", MORNING]);
    let said = module.refused(&hubei, None, &["root", "rotate", "--at", MORNING]);
    assert!(said.contains("AUTHORITY_PIN_FILE"), "{said}");
    fs::rename(module.folder("tokens"), module.folder("away")).expect("taken out");
    fs::create_dir(module.folder("tokens")).expect("an empty reader");
    assert!(module.refused(&hubei, Some("pin"), &["root", "rotate", "--at", MORNING]).contains("put it in"));
    module.run(&hubei, None, &["publish", "--at", MORNING]);
    assert!(hubei.join("published/420000/metadata/timestamp.json").exists(), "publishing needs no root key");
}

#[test]
fn the_reference_client_accepts_what_a_token_signed() {
    let Some(module) = Module::new() else { return };
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-tuf/bin/python");
    if !python.exists() {
        eprintln!("skipped: python-tuf is not installed; the test python_tuf does that");
        return;
    }
    let hubei = module.folder("hubei");
    let init = ["init", "420000", "--root-key-type", "ecdsa", "--pkcs11", module.library, "--token", "first"];
    module.done(&hubei, &init);
    module.done(&hubei, &["publish"]);
    let client = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/tuf_client.py");
    let output = Command::new(python)
        .arg(client)
        .arg(hubei.join("published/420000"))
        .arg(module.folder("state"))
        .arg(hubei.join("roots/1.root.json"))
        .output()
        .expect("it starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
