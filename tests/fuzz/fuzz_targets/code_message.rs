//! Any bytes as the message of a code of each format, with its outer layers put on: the fuzzer spends itself on COSE and CWT.
//!
//! Keys are known by the ids that the seeds name, so that algorithm and signature are reached; no signature can be made here.
#![no_main]

use std::{io::Write, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use trustlist::{
    code::{Envelope, Format, IssuerKey, KeyRing, KeyState, Usage},
    key::{KeyId, PublicKey},
    time::Window,
};

static RING: LazyLock<KeyRing> = LazyLock::new(|| {
    // RFC 8032 §7.1, TEST 1: its private key is public, but no fuzzer finds a signature by it.
    let raw = data_encoding::HEXLOWER
        .decode(b"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
        .expect("hexadecimal");
    let mut ring = KeyRing::default();
    for kid in [KeyId([0; 8]), KeyId::of(&raw), KeyId::of(b"did:web:nzcp.covid19.health.nz#key-1")] {
        let issuer = "440000".parse().expect("a region");
        ring.add(IssuerKey {
            issuer,
            scope: vec![issuer],
            kid,
            public: PublicKey::ed25519(&raw).expect("a key"),
            formats: Format::ALL.to_vec(),
            usage: Usage::Codes,
            window: Window::default(),
            state: KeyState::Active,
        });
    }
    ring
});

fuzz_target!(|data: &[u8]| {
    let mut zlib = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    zlib.write_all(data).expect("writing to memory");
    let texts = [
        format!("MR1:{}", base45::encode(data)),
        format!("HC1:{}", base45::encode(zlib.finish().expect("writing to memory"))),
        format!("NZCP:/1/{}", data_encoding::BASE32_NOPAD.encode(data)),
    ];
    for text in texts {
        if let Ok(envelope) = Envelope::parse(&text) {
            assert!(envelope.attest(&RING).is_err(), "a signature was made without its key");
        }
    }
});
