//! What the workspace's manifests say of packages and features.
//!
//! They are read line by line, in the shape in which they are written here, because a newcomer's `cargo xtask demo` builds this program first
//! and a parser of TOML would be most of it. A test holds what is read here against `cargo metadata`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// A member of the workspace.
#[derive(Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    /// Relative to the workspace.
    pub folder: PathBuf,
    /// In the manifest's order, without `default`.
    pub features: Vec<String>,
}

/// Every member, in the workspace's order.
///
/// # Errors
/// When a manifest cannot be read.
pub fn packages(workspace: &Path) -> io::Result<Vec<Package>> {
    let text = fs::read_to_string(workspace.join("Cargo.toml"))?;
    let members = text.split_once("\nmembers = [").and_then(|(_, rest)| rest.split_once(']'));
    let (members, _) = members.ok_or_else(|| io::Error::other("Cargo.toml has no list of members"))?;
    let quoted = |member: &str| member.trim().trim_matches('"').to_owned();
    members
        .split(',')
        .map(quoted)
        .filter(|folder| !folder.is_empty())
        .map(|folder| package(workspace, folder))
        .collect()
}

fn package(workspace: &Path, folder: String) -> io::Result<Package> {
    let mut package = Package { name: String::new(), folder: folder.into(), features: Vec::new() };
    let text = fs::read_to_string(workspace.join(&package.folder).join("Cargo.toml"))?;
    let mut table = "";
    for line in text.lines() {
        if line.starts_with('[') {
            table = line.trim();
            continue;
        }
        let Some((key, value)) = line.split_once(" = ") else { continue };
        match table {
            "[package]" if key == "name" => package.name = value.trim_matches('"').to_owned(),
            "[features]" if key != "default" && !key.starts_with([' ', '#']) => package.features.push(key.to_owned()),
            _ => (),
        }
    }
    Ok(package)
}

/// The sets of features that are looked at: none, each alone, and all together. What breaks in a set between them breaks in one of
/// these as a rule, and all sets of five features would keep whoever waits for half an hour.
pub fn combinations(features: &[String]) -> Vec<String> {
    let mut sets = vec![String::new()];
    sets.extend(features.iter().cloned());
    if features.len() > 1 {
        sets.push(features.join(","));
    }
    sets
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn packages_and_features_are_those_that_cargo_knows() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let metadata = Command::new(env!("CARGO"))
            .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
            .current_dir(&workspace)
            .output()
            .expect("cargo starts");
        let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("an object");
        let mut known: Vec<(String, Vec<String>)> = metadata["packages"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|package| {
                let features = package["features"].as_object().expect("an object").keys();
                let mut features: Vec<_> = features.filter(|name| *name != "default").cloned().collect();
                features.sort();
                (package["name"].as_str().expect("a name").to_owned(), features)
            })
            .collect();
        let mut read: Vec<_> = packages(&workspace)
            .expect("read")
            .into_iter()
            .map(|mut package| {
                package.features.sort();
                (package.name, package.features)
            })
            .collect();
        known.sort();
        read.sort();
        assert_eq!(read, known);
    }

    #[test]
    fn no_feature_each_alone_and_all_together_are_asked_for_once() {
        let features = ["a", "b", "c"].map(str::to_owned);
        assert_eq!(combinations(&features), ["", "a", "b", "c", "a,b,c"]);
        assert_eq!(combinations(&[]), [""]);
    }
}
