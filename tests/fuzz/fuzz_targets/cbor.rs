//! CBOR, two ways: the strict walk and the crate `ciborium`. What the walk lets through, the crate reads, and no two keys of a map
//! are then the same; what is deterministic comes out of the crate's writer as it went in, but for what it has two ways to write.
#![no_main]

use ciborium::Value;
use libfuzzer_sys::fuzz_target;
use trustlist::code::cbor::{Strictness, walk};

fn hold(value: &Value) {
    match value {
        Value::Array(items) => items.iter().for_each(hold),
        Value::Tag(_, item) => hold(item),
        Value::Map(entries) => {
            for (index, (key, item)) in entries.iter().enumerate() {
                assert!(entries[..index].iter().all(|(earlier, _)| earlier != key), "a duplicate key got through");
                hold(item);
            }
        }
        _ => (),
    }
}

/// What the crate writes otherwise than it read it: floats of another width, bignums (as integers), `undefined` (as null).
fn is_rewritten(value: &Value) -> bool {
    match value {
        Value::Float(_) | Value::Tag(..) | Value::Null => true,
        Value::Array(items) => items.iter().any(is_rewritten),
        Value::Map(entries) => entries.iter().any(|(key, item)| is_rewritten(key) || is_rewritten(item)),
        _ => false,
    }
}

fuzz_target!(|data: &[u8]| {
    let deterministic = walk(data, Strictness::Deterministic).is_ok();
    let bounded = walk(data, Strictness::Bounded).is_ok();
    assert!(bounded || !deterministic, "the stricter walk accepts less");
    if !bounded {
        return;
    }
    // Simple values that nobody has assigned are well-formed and mean nothing to the crate.
    let Ok(value) = ciborium::from_reader::<Value, _>(data) else { return };
    hold(&value);
    if deterministic && !is_rewritten(&value) && !data.iter().any(|byte| byte >> 5 == 6) {
        let mut written = Vec::new();
        ciborium::into_writer(&value, &mut written).expect("writing to memory");
        assert_eq!(written, data);
    }
});
