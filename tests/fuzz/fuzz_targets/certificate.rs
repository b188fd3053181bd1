//! Any bytes as a certificate to be imported: no panic, and a key that is read is of the algorithm it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trustlist::{code::hc1::certificate, key::Algorithm};

fuzz_target!(|data: &[u8]| {
    if let Ok(signer) = certificate::read(data) {
        assert_ne!(signer.public.algorithm(), Algorithm::EdDsa);
        assert!(!signer.public.verify(b"nothing", &[0; 64]));
    }
});
