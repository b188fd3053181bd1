//! Nothing is built here: a build script must be there for its dependency to count (see the manifest).

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
}
