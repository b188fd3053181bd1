//! Repositories that others wrote, read as theirs: what their libraries sign, this one must accept, and refuse what they made to be refused.
//!
//! Where they come from: `tests/vectors/README.md`.

mod support;

use std::fs;

use serde_json::Value;
use support::vectors;
use trustlist::{
    time::UnixTime,
    tuf::{self, Answer, Request, Trusted},
};

fn root(path: &str) -> Vec<u8> {
    fs::read(vectors("tuf").join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn a_root_signed_by_rsa_pss_holds_with_any_length_of_salt_and_with_no_other_padding() {
    for (file, good) in
        [("salt-of-the-hash", true), ("salt-of-nothing", true), ("longest-salt", true), ("another-padding", false)]
    {
        let read = Trusted::from_root(&root(&format!("rsa-pss/{file}.json")));
        assert_eq!(read.is_ok(), good, "{file}: {read:?}");
    }
}

#[test]
fn roots_of_other_libraries_hold_or_do_not_as_they_were_made_to() {
    for (folder, good) in [
        ("simple-rsa", true),
        ("hex-encoded-ecdsa-sig-keys", true),
        ("pem-encoded-ecdsa-sig-keys", true),
        ("ecdsa-new-type-sig-keys", true),
        ("duplicate-sigs", false),
        ("duplicate-sig-keys", false),
        ("mismatched-root-json-keyids", false),
        ("invalid-root-json-signature", false),
        ("no-root-json-signatures", false),
    ] {
        let read = Trusted::from_root(&root(&format!("tough/{folder}/root.json")));
        assert_eq!(read.is_ok(), good, "{folder}: {:?}", read.err());
    }
}

#[test]
fn a_root_that_turned_its_keys_is_followed() {
    let mut trusted = Trusted::from_root(&root("tough/rotated-root/1.root.json")).expect("the first");
    trusted.update_root(&root("tough/rotated-root/2.root.json")).expect("the second");
    assert_eq!(trusted.root().signed.version, 2);
}

#[test]
fn the_reference_implementations_own_repository_is_read_to_its_targets() {
    let folder = vectors("tuf/tough/tuf-reference-impl");
    let mut fetch = |request: &Request| match fs::read(folder.join("metadata").join(&request.path)) {
        Ok(bytes) => Answer::Bytes(bytes),
        Err(_) => Answer::NotFound,
    };
    let mut trusted = Trusted::from_root(&root("tough/tuf-reference-impl/metadata/1.root.json")).expect("a root");
    // Its metadata has expired since; expiry is another test's matter.
    let now = UnixTime(0);
    tuf::refresh(&mut trusted, now, &mut fetch).expect("accepted");
    for name in ["file1.txt", "file2.txt", "file3.txt"] {
        let target = tuf::find_target(&mut trusted, name, now, &mut fetch).expect("looked for").expect("named");
        assert!(target.is(&fs::read(folder.join("targets").join(name)).expect("a file")), "{name}");
    }
}

#[test]
fn a_flipped_byte_in_any_signed_part_is_found() {
    let bytes = root("tough/simple-rsa/root.json");
    let mut file: Value = serde_json::from_slice(&bytes).expect("JSON");
    file["signed"]["version"] = 2.into();
    assert!(Trusted::from_root(&serde_json::to_vec(&file).expect("JSON")).is_err());
}
