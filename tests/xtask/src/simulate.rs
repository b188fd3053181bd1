//! `cargo xtask simulate`: the simulated world, built for speed.

use crate::shell::run;

/// Passes the arguments on.
pub fn simulate(arguments: &[&str]) -> bool {
    run("cargo", &["build", "--profile", "simulate", "--package", "simulated-world"])
        && run("target/simulate/simulated-world", arguments)
}
