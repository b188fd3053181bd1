//! Base45, three ways: the judge's door, the crate below it, and a decoder written from RFC 9285 §4.2 alone. The door opens exactly
//! where the RFC's decoder does, and to the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trustlist::code::text;

const ALPHABET: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

fn by_the_rfc(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> =
        text.bytes().map(|byte| ALPHABET.iter().position(|letter| *letter == byte).map(|at| at as u32)).collect();
    let mut bytes = Vec::new();
    for group in digits?.chunks(3) {
        match *group {
            [c, d, e] => bytes.extend(u16::try_from(c + d * 45 + e * 2025).ok()?.to_be_bytes()),
            [c, d] => bytes.push(u8::try_from(c + d * 45).ok()?),
            _ => return None,
        }
    }
    Some(bytes)
}

fuzz_target!(|data: &[u8]| {
    let Ok(spelt) = std::str::from_utf8(data) else { return };
    if spelt.len() <= text::MAX_TEXT {
        assert_eq!(text::base45(spelt).ok(), by_the_rfc(spelt));
    }
    if let Ok(bytes) = text::base45(spelt) {
        assert_eq!(base45::encode(&bytes), spelt);
        if let Ok(inflated) = text::inflate(&bytes) {
            assert!(inflated.len() <= text::MAX_INFLATED);
        }
    }
});
