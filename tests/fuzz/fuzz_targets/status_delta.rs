//! Any bytes as a delta of a status list, and any bytes as the statuses that one leads to: no panic, nothing but the signed list is taken,
//! and what is deflated inflates to what it was.
#![no_main]

use std::io::Read;

use data_encoding::HEXLOWER;
use libfuzzer_sys::fuzz_target;
use trustlist::status::{StatusArray, delta};

/// The list of `trustlist/FORMAT.md`.
const HELD: &[u8] = b"d284582aa301270448b14705888f4a683910781a6170706c69636174696f6e2f7374617475736c6973742b637774a05839a3026873\
    74617475732f30061a6017448019fffda2646269747302636c7374581878da55c03101000000823022d83f9f41b8d947080f4000f55840e12e5eeefe0f8281\
    ccb6450c5982ea4f04382154c9951f1e7a07027a485d7988e45824c82c185658326ab315ae4190e59f18edc2bde9cd097277996da63b8800";

fuzz_target!(|data: &[u8]| {
    let held = HEXLOWER.decode(HELD).expect("hexadecimal");
    if let Ok(delta) = delta::Delta::read(data) {
        let made = delta.apply(&held);
        assert_eq!(delta::follow(data, &held, |_| true), made);
    }
    assert!(delta::follow(data, &held, |_| false).is_err(), "not the list that was signed");

    let mut inflated = Vec::new();
    let stream = StatusArray::from_bytes(data.to_vec()).deflate();
    flate2::read::ZlibDecoder::new(stream.as_slice()).read_to_end(&mut inflated).expect("any inflater reads it");
    assert_eq!(inflated, data);
});
