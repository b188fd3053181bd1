//! Any bytes as a role's metadata: no panic, and nothing is accepted that nobody signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trustlist::{time::UnixTime, tuf::trusted::Trusted};

fuzz_target!(|data: &[u8]| {
    // Whole as a first root; or a root, a blank line and what follows it.
    let end = data.windows(2).position(|pair| pair == b"\n\n");
    let (root, rest) = end.map_or((data, data), |end| (&data[..end], &data[end + 2..]));
    let Ok(mut trusted) = Trusted::from_root(root) else { return };
    let now = UnixTime(0);
    let _ = trusted.update_root(rest);
    let _ = trusted.finish_root(now);
    let _ = trusted.update_timestamp(rest, now);
    let _ = trusted.update_snapshot(rest, now);
});
