//! The documents that a package brings, with links that work where they are installed.
//!
//! In the project a page lies beside what it speaks of; a package lays its pages side by side into `/usr/share/doc/<package>`. A link to a page
//! or picture that comes along is turned to where that lies, one to anything else becomes its own text: nobody at a gate can follow it.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Component, Path, PathBuf},
};

/// A page or picture: where the project has it, and its name in the package.
pub type Shipped = BTreeMap<PathBuf, String>;

/// Pages of the gate's package whose name would not tell what they are; every page and picture of `docs` comes under its own name.
const GATE: &[(&str, &str)] = &[
    ("README.md", "README.md"),
    ("CHANGELOG.md", "release-notes.md"),
    ("hardware.md", "hardware.md"),
    ("systemd/README.md", "systemd.md"),
    ("systemd/config.toml", "config.toml"),
    ("systemd/image/README.md", "image.md"),
    ("trustlist/FORMAT.md", "FORMAT.md"),
    ("cache/LOG.md", "LOG.md"),
];
const AUTHORITY: &[(&str, &str)] = &[
    ("docs/authority.md", "authority.md"),
    ("docs/carrying.md", "carrying.md"),
    ("docs/glossary.md", "glossary.md"),
    ("trustlist/FORMAT.md", "FORMAT.md"),
];
const CENTRE: &[(&str, &str)] =
    &[("docs/fleet.md", "fleet.md"), ("cache/EXCHANGE.md", "EXCHANGE.md"), ("cache/LOG.md", "LOG.md")];

/// What each package brings, by the package's name.
///
/// # Errors
/// When a folder cannot be read.
pub fn shipped(project: &Path) -> io::Result<[(&'static str, Shipped); 3]> {
    let named = |list: &[(&str, &str)]| -> Shipped {
        let there = list.iter().filter(|(from, _)| project.join(from).exists());
        there.map(|(from, to)| (PathBuf::from(from), (*to).to_owned())).collect()
    };
    let mut gate = named(GATE);
    gate.extend(files(project, Path::new("docs"))?);
    let mut centre = named(CENTRE);
    centre.extend(files(project, Path::new("docs/fleet"))?);
    Ok([("checkpointd", gate), ("checkpoint-authority", named(AUTHORITY)), ("checkpoint-centre", centre)])
}

/// The files of a folder, each under its own name.
fn files(project: &Path, folder: &Path) -> io::Result<Shipped> {
    let mut files = Shipped::new();
    for entry in project.join(folder).read_dir()? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            files.insert(folder.join(&name), name);
        }
    }
    Ok(files)
}

/// Writes a package's documents into a folder.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(project: &Path, shipped: &Shipped, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (from, to) in shipped {
        if from.extension().is_some_and(|end| end == "md") {
            let text = fs::read_to_string(project.join(from))?;
            fs::write(folder.join(to), relink(from, &text, shipped))?;
        } else {
            fs::copy(project.join(from), folder.join(to))?;
        }
    }
    Ok(())
}

/// A page's text with its links turned to what is shipped beside it.
fn relink(page: &Path, text: &str, shipped: &Shipped) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, link)) = next_link(rest) {
        let shown = &rest[before..before + link.shown];
        let target = &rest[before + link.shown + 2..before + link.shown + 2 + link.target];
        // A picture's mark stands before its bracket; where the picture stays behind, so does the mark.
        let picture = rest[..before].ends_with('!');
        let (file, anchor) = target.split_at(target.find('#').unwrap_or(target.len()));
        written.push_str(&rest[..before]);
        if file.is_empty() || file.contains("://") || file.starts_with('/') {
            written.push_str(&format!("{shown}]({target}"));
        } else if let Some(name) = shipped.get(&resolve(page, file)) {
            written.push_str(&format!("{shown}]({name}{anchor}"));
        } else {
            if picture {
                written.pop();
            }
            written.push_str(&shown[1..]);
            rest = &rest[before + link.shown + 2 + link.target + 1..];
            continue;
        }
        written.push(')');
        rest = &rest[before + link.shown + 2 + link.target + 1..];
    }
    written.push_str(rest);
    written
}

/// Lengths of `[shown` and `target` in `[shown](target)`.
struct Link {
    shown: usize,
    target: usize,
}

/// Where the next link begins. Brackets within the shown text do not occur in our pages, and a target has neither space nor line end.
fn next_link(text: &str) -> Option<(usize, Link)> {
    let mut from = 0;
    loop {
        let middle = from + text[from..].find("](")?;
        let end = text[middle..].find(')').map(|end| middle + end);
        let begin = text[..middle].rfind('[');
        if let (Some(begin), Some(end)) = (begin, end)
            && !text[middle + 2..end].contains([' ', '\n', '`'])
            && !text[begin..middle].contains("\n\n")
        {
            return Some((begin, Link { shown: middle - begin, target: end - middle - 2 }));
        }
        from = middle + 2;
    }
}

/// What a page's relative link names, from the project's top.
fn resolve(page: &Path, link: &str) -> PathBuf {
    let mut named = PathBuf::new();
    for part in page.parent().unwrap_or(Path::new("")).join(link).components() {
        match part {
            Component::ParentDir => {
                named.pop();
            }
            Component::Normal(part) => named.push(part),
            _ => (),
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_leads_to_what_comes_along_and_is_plain_text_where_nothing_does() {
        let shipped: Shipped =
            [("docs/carrying.md", "carrying.md"), ("trustlist/FORMAT.md", "FORMAT.md"), ("docs/lane.png", "lane.png")]
                .into_iter()
                .map(|(from, to)| (from.into(), to.to_owned()))
                .collect();
        let relinked = |text: &str| relink(Path::new("docs/page.md"), text, &shipped);
        for (text, becomes) in [
            (
                "see [lists](carrying.md#how) and [bytes](../trustlist/FORMAT.md), §8",
                "see [lists](carrying.md#how) and [bytes](FORMAT.md), §8",
            ),
            ("![A lane](lane.png)", "![A lane](lane.png)"),
            ("[a test](../tests/vm/run.sh), ![away](away.png)", "a test, away"),
            (
                "[the web](https://example.invalid/a) [here](#below)",
                "[the web](https://example.invalid/a) [here](#below)",
            ),
            ("`a[1](2 3)` and [x]", "`a[1](2 3)` and [x]"),
        ] {
            assert_eq!(relinked(text), becomes);
        }
    }

    #[test]
    fn every_link_in_a_packages_documents_leads_somewhere() {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for (package, shipped) in shipped(&project).expect("read") {
            let folder = tempfile::tempdir().expect("a folder");
            write(&project, &shipped, folder.path()).expect("written");
            for name in shipped.values().filter(|name| name.ends_with(".md")) {
                let text = fs::read_to_string(folder.path().join(name)).expect("text");
                let mut rest = text.as_str();
                while let Some((begin, link)) = next_link(rest) {
                    let from = begin + link.shown + 2;
                    let target = &rest[from..from + link.target];
                    let file = target.split('#').next().unwrap_or_default();
                    let works = file.is_empty() || file.contains("://") || folder.path().join(file).exists();
                    assert!(works, "{package}: {name} leads to {target}");
                    rest = &rest[from + link.target..];
                }
            }
        }
    }
}
