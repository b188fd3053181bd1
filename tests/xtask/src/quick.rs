//! `cargo xtask quick`: the inner loop. Format, lints, and the tests of what changed since the branch left `main`; those of the pure crates always,
//! because every verdict rests on them and they take seconds.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use crate::{
    manifest::{self, Package},
    shell::{output, run},
};

/// Crates without clock, file, thread or device.
const PURE: &[&str] = &["trustlist", "eye", "lane"];

/// What there is to test.
#[derive(Debug, Default, PartialEq, Eq)]
struct Selection {
    /// Packages with a changed file, and the pure ones.
    packages: BTreeSet<String>,
    /// Integration tests with a changed file: package, target, and the part of the target that changed.
    targets: BTreeSet<(String, String, Option<String>)>,
}

/// Runs it.
pub fn quick() -> bool {
    let packages = match manifest::packages(Path::new(".")) {
        Ok(packages) => packages,
        Err(error) => {
            eprintln!("xtask: the manifests cannot be read: {error}");
            return false;
        }
    };
    let selection = select(&packages, &changed());
    let named: Vec<&str> = selection.packages.iter().flat_map(|name| ["--package", name.as_str()]).collect();
    run("cargo", &["fmt", "--all", "--check"])
        && run("cargo", &[&["clippy", "--quiet"], &named[..], &["--all-targets", "--", "--deny", "warnings"]].concat())
        && run("cargo", &[&["test", "--quiet"], &named[..], &["--lib", "--bins"]].concat())
        && selection.targets.iter().all(|(package, target, part)| {
            let part: Vec<&str> = part.iter().map(String::as_str).collect();
            run("cargo", &[&["test", "--quiet", "--package", package, "--test", target], part.as_slice()].concat())
        })
}

/// Files that differ from where this branch left `main`, committed or not.
fn changed() -> Vec<PathBuf> {
    let base = output("git", &["merge-base", "HEAD", "main"]);
    let base = if base.is_empty() { "HEAD" } else { base.trim() };
    let listed =
        output("git", &["diff", "--name-only", base]) + &output("git", &["ls-files", "--others", "--exclude-standard"]);
    listed.lines().map(PathBuf::from).collect()
}

fn select(packages: &[Package], changed: &[PathBuf]) -> Selection {
    let pure = packages.iter().filter(|package| PURE.contains(&package.name.as_str()));
    let mut selection =
        Selection { packages: pure.map(|package| package.name.clone()).collect(), ..Selection::default() };
    for file in changed {
        if let Ok(story) = file.strip_prefix("tests/stories") {
            // The stories are a test of the daemon's own package, which gives them the program.
            let part = story.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            let part = part.filter(|part| !["main", "support"].contains(&part.as_str()));
            selection.targets.insert(("scanner".to_owned(), "stories".to_owned(), part.map(|part| part + "::")));
            continue;
        }
        let holds = |package: &&Package| file.starts_with(&package.folder);
        let Some(package) = packages.iter().filter(holds).max_by_key(|package| package.folder.as_os_str().len()) else {
            continue;
        };
        selection.packages.insert(package.name.clone());
        let Ok(test) = file.strip_prefix(package.folder.join("tests")) else { continue };
        if test.extension().is_some_and(|end| end == "rs") && test.components().count() == 1 {
            let target = test.with_extension("").display().to_string();
            selection.targets.insert((package.name.clone(), target, None));
        }
    }
    selection
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, folder: &str) -> Package {
        Package { name: name.to_owned(), folder: folder.into(), features: Vec::new() }
    }

    #[test]
    fn a_change_selects_its_innermost_package_and_its_test_beside_the_pure_crates() {
        let packages = [
            package("trustlist", "trustlist"),
            package("authority", "trustlist/authority"),
            package("scanner", "scanner"),
            package("eye", "scanner/eye"),
            package("tests", "tests"),
        ];
        let of = |files: &[&str]| select(&packages, &files.iter().map(PathBuf::from).collect::<Vec<_>>());
        let target = |package: &str, target: &str, part: Option<&str>| {
            (package.to_owned(), target.to_owned(), part.map(str::to_owned))
        };
        let names = |selection: &Selection| selection.packages.iter().cloned().collect::<Vec<_>>();
        assert_eq!(names(&of(&["README.md", "docs/eye.md"])), ["eye", "trustlist"]);
        assert_eq!(names(&of(&["trustlist/authority/src/main.rs"])), ["authority", "eye", "trustlist"]);
        let test = of(&["tests/tests/log_mqtt.rs", "tests/tests/programs/mod.rs", "scanner/eye/tests/clips.rs"]);
        assert_eq!(names(&test), ["eye", "tests", "trustlist"]);
        let targets: Vec<_> = test.targets.into_iter().collect();
        assert_eq!(targets, [target("eye", "clips", None), target("tests", "log_mqtt", None)]);
        let stories: Vec<_> = of(&["tests/stories/gate.rs", "tests/stories/main.rs"]).targets.into_iter().collect();
        assert_eq!(stories, [target("scanner", "stories", None), target("scanner", "stories", Some("gate::"))]);
    }
}
