//! Any bytes as a status list: no panic, and none is believed without a key. Any bytes as an array of statuses: every index answers.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trustlist::status::{Status, StatusArray, StatusList};

fuzz_target!(|data: &[u8]| {
    assert!(StatusList::read(data, "status/0", &[]).is_err(), "believed without a key");
    let array = StatusArray::from_bytes(data.to_vec());
    let codes = data.len() as u64 * 4;
    for index in (0..codes).take(64).chain([codes, u64::MAX]) {
        let status = array.status(index);
        assert!(index < codes || status == Status::Unknown, "an index beyond the list");
    }
});
