//! CBOR, two ways: the strict walk and the crate `ciborium`. What the walk lets through, the crate reads, and no two keys of a map
//! are then the same; what is deterministic comes out of the crate's writer as it went in, floats apart.
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

fn has_floats_or_tags(value: &Value) -> bool {
    match value {
        Value::Float(_) | Value::Tag(..) => true,
        Value::Array(items) => items.iter().any(has_floats_or_tags),
        Value::Map(entries) => entries.iter().any(|(key, item)| has_floats_or_tags(key) || has_floats_or_tags(item)),
        // A bignum is read as an integer.
        Value::Integer(_) => false,
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
    if deterministic && !has_floats_or_tags(&value) && !data.iter().any(|byte| byte >> 5 == 6) {
        let mut written = Vec::new();
        ciborium::into_writer(&value, &mut written).expect("writing to memory");
        assert_eq!(written, data);
    }
});
