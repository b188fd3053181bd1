//! What leaves the workspace: Debian packages, and the daemon for the boards that are no PCs.

use std::process::Command;

use crate::{
    BUILD,
    shell::{install, output, run, succeeds, there},
};

/// Packages for a gate (without the demonstration's signing code), for an authority, and for an operations centre.
pub fn deb() -> bool {
    if !there("cargo-deb") {
        eprintln!("xtask: cargo-deb is not installed: cargo install --locked cargo-deb");
        return false;
    }
    install(BUILD)
        && run("cargo", &["deb", "--strip", "--package", "scanner"])
        && run("cargo", &["deb", "--strip", "--package", "authority"])
        && run("cargo", &["deb", "--strip", "--package", "centre"])
}

/// A board's architecture, in everybody's spelling.
struct Board {
    name: &'static str,
    rust: &'static str,
    gnu: &'static str,
    tools: &'static [(&'static str, &'static str)],
}

const BOARDS: &[Board] = &[
    Board {
        name: "aarch64",
        rust: "aarch64-unknown-linux-gnu",
        gnu: "aarch64-linux-gnu",
        tools: &[
            ("gcc-aarch64-linux-gnu", "aarch64-linux-gnu-gcc"),
            ("libc6-dev-arm64-cross", "/usr/aarch64-linux-gnu/include/stdlib.h"),
        ],
    },
    Board {
        name: "armv7",
        rust: "armv7-unknown-linux-gnueabihf",
        gnu: "arm-linux-gnueabihf",
        tools: &[
            ("gcc-arm-linux-gnueabihf", "arm-linux-gnueabihf-gcc"),
            ("libc6-dev-armhf-cross", "/usr/arm-linux-gnueabihf/include/stdlib.h"),
        ],
    },
];

/// The daemon as a gate's package has it, for a board: `target/<triple>/release/checkpointd`.
pub fn board(name: &str) -> bool {
    let Some(board) = BOARDS.iter().find(|board| board.name == name) else {
        eprintln!("xtask: known boards are {}", BOARDS.iter().map(|board| board.name).collect::<Vec<_>>().join(", "));
        return false;
    };
    if !(install(BUILD) && install(board.tools)) {
        return false;
    }
    let installed = output("rustup", &["target", "list", "--installed"]);
    if !installed.lines().any(|target| target == board.rust) && !run("rustup", &["target", "add", board.rust]) {
        return false;
    }
    let spelt = board.rust.replace('-', "_");
    let mut build = Command::new("cargo");
    build
        .args(["build", "--release", "--package", "scanner", "--bin", "checkpointd", "--target", board.rust])
        .args(["--no-default-features", "--features", "camera,gpio,mqtt"])
        .env(format!("CARGO_TARGET_{}_LINKER", spelt.to_uppercase()), format!("{}-gcc", board.gnu))
        // The camera bindings are made from that board's headers, not from this machine's.
        .env(format!("BINDGEN_EXTRA_CLANG_ARGS_{spelt}"), format!("-I/usr/{}/include", board.gnu));
    succeeds(&mut build)
}
