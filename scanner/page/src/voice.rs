//! Spoken words of the lane's screen: sound files that a site recorded, a folder for each language.
//!
//! `<language>/admit.ogg`, `refer`, `refuse`, a side (`left`, `right`, `ahead`, `behind`), and one for each character of a number (`K.ogg`, `7.ogg`).
//! They are read once, when the daemon begins; a page asks for one by its name, so that no path comes from a page.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
};

use axum::body::Bytes;

/// What a file may say, beside a character of a number.
const NAMES: [&str; 7] = ["admit", "refer", "refuse", "left", "right", "ahead", "behind"];
/// By the end of a file's name: what a browser is told of it.
const KINDS: [(&str, &str); 4] =
    [("ogg", "audio/ogg"), ("mp3", "audio/mpeg"), ("wav", "audio/wav"), ("flac", "audio/flac")];
/// Largest file, and all of them together: they stay in memory. Stops a folder of music.
const MAX_FILE: u64 = 512 * 1024;
const MAX_ALL: usize = 16 * 1024 * 1024;

/// A recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recording {
    /// What a browser is told of it.
    pub kind: &'static str,
    /// The file.
    pub bytes: Bytes,
}

/// All recordings, by language and name (`ug/admit`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voice(BTreeMap<String, Recording>);

/// What is wrong with a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VoiceTrouble {
    /// The folder or a file cannot be read.
    Unreadable(PathBuf, String),
    /// Nobody plays a file of this name or kind.
    Unknown(PathBuf),
    /// The file is larger than a spoken word.
    TooLarge(PathBuf),
    /// There is no room for this file beside those before it.
    TooMuch(PathBuf),
}

impl fmt::Display for VoiceTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, why) => write!(f, "{}: {why}", path.display()),
            Self::Unknown(path) => write!(
                f,
                "{}: not played: expected {} or one letter or digit, and ogg, mp3, wav or flac",
                path.display(),
                NAMES.join(", ")
            ),
            Self::TooLarge(path) => write!(f, "{}: larger than {MAX_FILE} bytes", path.display()),
            Self::TooMuch(path) => {
                write!(f, "{}: all recordings together have more than {MAX_ALL} bytes", path.display())
            }
        }
    }
}

impl Voice {
    /// Reads a folder. What cannot be played is left out and told.
    #[must_use]
    pub fn of_folder(folder: &Path) -> (Voice, Vec<VoiceTrouble>) {
        let (mut voice, mut troubles, mut room) = (Voice::default(), Vec::new(), MAX_ALL);
        for language in entries(folder, &mut troubles) {
            for file in entries(&language, &mut troubles) {
                match read(&file, room) {
                    Ok((name, recording)) => {
                        room -= recording.bytes.len();
                        let language = language.file_name().unwrap_or_default().to_string_lossy();
                        voice.0.insert(format!("{language}/{name}"), recording);
                    }
                    Err(trouble) => troubles.push(trouble),
                }
            }
        }
        (voice, troubles)
    }

    /// What can be played.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.0.keys().cloned().collect()
    }

    /// One recording.
    #[must_use]
    pub fn recording(&self, language: &str, name: &str) -> Option<&Recording> {
        self.0.get(&format!("{language}/{name}"))
    }
}

fn entries(folder: &Path, troubles: &mut Vec<VoiceTrouble>) -> Vec<PathBuf> {
    let mut entries: Vec<PathBuf> = match fs::read_dir(folder) {
        Ok(entries) => entries.filter_map(Result::ok).map(|entry| entry.path()).collect(),
        Err(error) => {
            troubles.push(VoiceTrouble::Unreadable(folder.to_owned(), error.to_string()));
            Vec::new()
        }
    };
    entries.sort();
    entries
}

fn read(path: &Path, room: usize) -> Result<(String, Recording), VoiceTrouble> {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let character = matches!(name.as_bytes(), [one] if one.is_ascii_uppercase() || one.is_ascii_digit());
    let kind = KINDS.iter().find(|(known, _)| *known == ending).map(|(_, kind)| *kind);
    let (Some(kind), true) = (kind, character || NAMES.contains(&name)) else {
        return Err(VoiceTrouble::Unknown(path.to_owned()));
    };
    let unreadable = |error: std::io::Error| VoiceTrouble::Unreadable(path.to_owned(), error.to_string());
    let mut bytes = Vec::new();
    fs::File::open(path).map_err(unreadable)?.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(VoiceTrouble::TooLarge(path.to_owned()));
    }
    if bytes.len() > room {
        return Err(VoiceTrouble::TooMuch(path.to_owned()));
    }
    Ok((name.to_owned(), Recording { kind, bytes: bytes.into() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_recordings_is_known_by_language_and_name_and_the_rest_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("ug")).expect("made");
        for (name, length) in
            [("admit.ogg", 9), ("K.wav", 9), ("k.wav", 9), ("admit.txt", 9), ("refer.mp3", MAX_FILE as usize + 1)]
        {
            fs::write(folder.path().join("ug").join(name), vec![0; length]).expect("written");
        }
        let (voice, troubles) = Voice::of_folder(folder.path());
        assert_eq!(voice.names(), ["ug/K", "ug/admit"]);
        assert_eq!(voice.recording("ug", "K").map(|one| (one.kind, one.bytes.len())), Some(("audio/wav", 9)));
        assert_eq!(voice.recording("ug", "../../secret"), None);
        let told: Vec<String> = troubles.iter().map(VoiceTrouble::to_string).collect();
        assert!(told.len() == 3 && told[0].contains("admit.txt: not played"), "{told:?}");
        assert!(told[1].contains("k.wav: not played") && told[2].contains("refer.mp3: larger than"), "{told:?}");
    }

    #[test]
    fn a_folder_of_music_fills_no_memory() {
        let folder = tempfile::tempdir().expect("a folder");
        for language in 0..5 {
            let language = folder.path().join(language.to_string());
            fs::create_dir(&language).expect("made");
            for digit in 0..10 {
                fs::write(language.join(format!("{digit}.ogg")), vec![0; MAX_FILE as usize]).expect("written");
            }
        }
        let (voice, troubles) = Voice::of_folder(folder.path());
        assert_eq!(voice.names().len(), MAX_ALL / MAX_FILE as usize);
        assert!(troubles.iter().all(|trouble| matches!(trouble, VoiceTrouble::TooMuch(_))), "{troubles:?}");
        assert_eq!(Voice::of_folder(Path::new("/nonexistent")).1.len(), 1);
    }
}
