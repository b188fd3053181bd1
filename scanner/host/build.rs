//! Tells the program when it was built: no honest clock is before that.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

#[expect(clippy::disallowed_methods, reason = "the date of the build is what is asked for")]
fn main() {
    // https://reproducible-builds.org/specs/source-date-epoch/
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let built = env::var("SOURCE_DATE_EPOCH").ok().and_then(|epoch| epoch.parse().ok()).unwrap_or_else(now);
    println!("cargo::rustc-env=CHECKPOINTD_BUILT={built}");
}
