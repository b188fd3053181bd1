//! Pictures to read: listed in a manifest, or a folder of pictures that hold no code.

use std::path::{Path, PathBuf};

use image::GrayImage;

/// What a picture is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Somebody may read something in it.
    Code,
    /// There is nothing to read: whatever is read is false.
    Empty,
    /// Made to cost time; what is read in it is nobody's business.
    Hostile,
}

/// One picture.
pub struct Frame {
    pub name: String,
    pub set: String,
    pub category: String,
    pub kind: Kind,
    /// Payloads that count as read.
    pub expected: Vec<Vec<u8>>,
    source: Source,
}

enum Source {
    File(PathBuf),
    Drawn(fn() -> GrayImage),
}

impl Frame {
    /// A picture that is drawn when it is needed.
    pub fn drawn(name: &str, draw: fn() -> GrayImage) -> Frame {
        Frame {
            name: name.into(),
            set: "hostile".into(),
            category: name.into(),
            kind: Kind::Hostile,
            expected: Vec::new(),
            source: Source::Drawn(draw),
        }
    }

    /// The luma plane.
    pub fn pixels(&self) -> Result<GrayImage, String> {
        match &self.source {
            Source::Drawn(draw) => Ok(draw()),
            Source::File(path) => Ok(image::open(path).map_err(|error| error.to_string())?.into_luma8()),
        }
    }
}

/// The pictures of a folder's manifest.
pub fn listed(folder: &str) -> Result<Vec<Frame>, String> {
    let manifest = Path::new(folder).join("manifest.csv");
    let text = std::fs::read_to_string(&manifest).map_err(|error| format!("{}: {error}", manifest.display()))?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |names: &[&str]| {
        header.iter().position(|name| names.contains(&name.trim())).ok_or(format!(
            "{}: no column {}",
            manifest.display(),
            names.join(" or ")
        ))
    };
    let (file, set, category) = (column(&["file", "path"])?, column(&["set", "source"])?, column(&["category"])?);
    let expected = column(&["expected_hex"])?;
    let mut frames = Vec::new();
    for line in lines.filter(|line| !line.trim().is_empty()) {
        let fields: Vec<&str> = line.split(',').collect();
        let field = |index: usize| fields.get(index).copied().unwrap_or_default();
        let kind = if field(set).ends_with("nocode") { Kind::Empty } else { Kind::Code };
        frames.push(Frame {
            name: field(file).into(),
            set: field(set).into(),
            category: field(category).into(),
            kind,
            expected: field(expected).split('|').filter_map(unhex).collect(),
            source: Source::File(Path::new(folder).join(field(file))),
        });
    }
    Ok(frames)
}

/// All pictures of a folder, as pictures without a code.
pub fn without_code(folder: &str) -> Result<Vec<Frame>, String> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(|error| format!("{folder}: {error}"))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.extension().is_some_and(|ending| ["png", "jpg", "jpeg", "bmp"].iter().any(|e| ending == *e))
        })
        .collect();
    files.sort();
    let name = |path: &PathBuf| path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(files
        .into_iter()
        .map(|path| Frame {
            name: name(&path),
            set: "empty".into(),
            category: "photo".into(),
            kind: Kind::Empty,
            expected: Vec::new(),
            source: Source::File(path),
        })
        .collect())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim();
    (!text.is_empty() && text.len() % 2 == 0)
        .then(|| (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect())?
}
