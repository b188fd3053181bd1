//! The words of every screen: two languages in the binary, others by putting a file beside the configuration.
//!
//! A file `<language>.json` of `page.strings` holds what it translates of the built-in keys; the rest is said in English, so that a
//! half-finished translation shows words and never keys. A file named like a built-in language changes that one's words.

use std::{collections::BTreeMap, fs, io::Read, path::Path};

/// The built-in languages, as one file.
pub const BUILT_IN: &str = include_str!("assets/strings.json");
/// What is not translated is said in this one.
const FALLBACK: &str = "en";
/// Largest file of one language, and most of them.
const MAX_FILE: u64 = 256 * 1024;
const MAX_LANGUAGES: usize = 32;

type Words = BTreeMap<String, String>;

/// All languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strings(BTreeMap<String, Words>);

impl Strings {
    /// The built-in ones.
    #[must_use]
    pub fn built_in() -> Strings {
        Strings(serde_json::from_str(BUILT_IN).expect("the built-in file is JSON; a test reads it"))
    }

    /// The built-in ones and those of a folder. Also what is wrong there, for the journal: a slip in a translation costs its words,
    /// not the lane.
    #[must_use]
    pub fn with_folder(folder: &Path) -> (Strings, Vec<String>) {
        let (mut strings, mut troubles) = (Strings::built_in(), Vec::new());
        let mut files: Vec<_> = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).collect();
        files.sort_by_key(fs::DirEntry::file_name);
        for path in files.into_iter().map(|file| file.path()).take(MAX_LANGUAGES) {
            let Some(language) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")) else {
                continue;
            };
            match words(&path) {
                Ok(words) => troubles.extend(
                    strings.add(language, words).into_iter().map(|trouble| format!("{}: {trouble}", path.display())),
                ),
                Err(trouble) => troubles.push(format!("{}: {trouble}", path.display())),
            }
        }
        (strings, troubles)
    }

    /// Adds the words of a language; keys that nobody asks for are told with the nearest known one, and left out.
    fn add(&mut self, language: &str, words: Words) -> Vec<String> {
        let fallback = self.0[FALLBACK].clone();
        let mut troubles = Vec::new();
        let known = self.0.entry(language.to_owned()).or_insert_with(|| fallback.clone());
        for (key, word) in words {
            if fallback.contains_key(&key) {
                known.insert(key, word);
            } else {
                let nearest = fallback.keys().min_by_key(|name| strsim::damerau_levenshtein(&key, name));
                troubles.push(format!("{key} is not known; did you mean {}?", nearest.map_or("", String::as_str)));
            }
        }
        troubles
    }

    /// Whether a language is there.
    #[must_use]
    pub fn speaks(&self, language: &str) -> bool {
        self.0.contains_key(language)
    }

    /// For the pages.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string(&self.0).expect("texts are plain data")
    }
}

fn words(path: &Path) -> Result<Words, String> {
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    let read = file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if read as u64 > MAX_FILE {
        return Err(format!("larger than {MAX_FILE} bytes"));
    }
    serde_json::from_str(&text).map_err(|error| format!("no object of words ({error})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_adds_a_language_and_what_it_does_not_say_is_said_in_english() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("ug.json"), r#"{"verdict.admit": "ئۆتۈڭ", "verdict.admitt": "x"}"#)
            .expect("written");
        fs::write(folder.path().join("fr.json"), "{").expect("written");
        fs::write(folder.path().join("en.json"), r#"{"verdict.refuse": "Halt"}"#).expect("written");
        let (strings, troubles) = Strings::with_folder(folder.path());
        let word = |language: &str, key: &str| strings.0[language][key].clone();
        assert_eq!(word("ug", "verdict.admit"), "ئۆتۈڭ");
        assert_eq!(word("ug", "state.idle"), "Show your pass code");
        assert_eq!(word("en", "verdict.refuse"), "Halt", "words of a built-in language can be changed");
        assert!(!strings.speaks("fr"), "a broken file costs its own language only");
        assert!(troubles.iter().any(|told| told.contains("did you mean verdict.admit?")), "{troubles:?}");
        assert!(troubles.iter().any(|told| told.contains("fr.json")), "{troubles:?}");
    }

    #[test]
    fn without_a_folder_the_built_in_languages_are_spoken() {
        let (strings, troubles) = Strings::with_folder(Path::new("/nonexistent"));
        assert_eq!((strings, troubles), (Strings::built_in(), Vec::new()));
    }
}
