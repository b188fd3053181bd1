//! What posts send beside batches: health lines, and requests to be enrolled with their slips.
#![no_main]

use cache::{
    exchange::{Assignment, Health, Request, Slip},
    log::note::NoteSigner,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let device = NoteSigner::new("gate-3", &[5; 32]).expect("a name");
    let _ = Health::claimed_post(text);
    if let Ok(slip) = text.parse::<Slip>() {
        assert_eq!(slip.to_string().parse(), Ok(slip));
    }
    let _ = Request::open(text);
    if !text.ends_with('\n') {
        return;
    }
    let note = device.sign(text);
    let _ = Health::open(&note, &device.verifier());
    if let Ok(request) = Request::open(&note) {
        assert_eq!(request.sign(&device), note);
    }
    let _ = Assignment::open(&note, &device.verifier(), &device.verifier());
});
