//! Tells the program when it was built: the only evidence of time that an authority has before it signed anything.

use std::{
    env,
    time::{SystemTime, UNIX_EPOCH},
};

fn main() {
    // https://reproducible-builds.org/specs/source-date-epoch/
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=Cargo.toml");
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let built = env::var("SOURCE_DATE_EPOCH").ok().and_then(|epoch| epoch.parse().ok()).unwrap_or_else(now);
    println!("cargo::rustc-env=AUTHORITY_BUILT={built}");
}
