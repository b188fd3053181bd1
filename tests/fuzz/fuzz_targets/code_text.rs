//! Any text into the judge's first door: no panic, and what is parsed stays an envelope until a key is found.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trustlist::code::{Envelope, KeyRing, ParseError};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A prefix of each format in turn, so that the fuzzer need not find it.
    for prefix in ["", "MR1:", "HC1:", "NZCP:/1/"] {
        match Envelope::parse(&format!("{prefix}{text}")) {
            Ok(envelope) => assert!(envelope.attest(&KeyRing::default()).is_err(), "no key, no credential"),
            Err(ParseError::NotAPassCode) => assert!(prefix.is_empty(), "a prefix claims a format"),
            Err(ParseError::Malformed { detail, .. }) => assert!(!detail.is_empty()),
        }
    }
});
