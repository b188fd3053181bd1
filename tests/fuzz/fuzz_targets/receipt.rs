//! What a centre answers: a text that a pinned key signed is read or is not, and what is read has exactly one spelling.
#![no_main]

use cache::{
    exchange::receipt::{Pinned, Receipt, Refused},
    log::note::NoteSigner,
};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let centre = NoteSigner::new("centre", &[1; 32]).expect("a name");
    let pinned = Pinned::new(vec![centre.verifier()]).expect("one key");
    assert!(Receipt::verify(text, &pinned, "gate-3", Uuid::from_u128(7)).is_err(), "nobody signed this");
    if !text.ends_with('\n') {
        return;
    }
    let note = centre.sign(text);
    if let Ok(receipt) = Receipt::verify(&note, &pinned, "gate-3", Uuid::from_u128(7)) {
        assert_eq!(receipt.sign(&centre), note);
    }
    if let Ok(refused) = Refused::verify(&note, &pinned, "gate-3", Uuid::from_u128(7)) {
        assert_eq!(refused.sign(&centre), note);
    }
    let _ = pinned.succeed(&note);
});
