//! The words of every screen, a file for each language: two in the binary, others beside it.
//!
//! A file `<language>.json` holds what it translates of the built-in keys; the rest is said in English, so that a half-finished
//! translation shows words and never keys. A file named like a built-in language changes that one's words. What is wrong with a file
//! costs that file or that word and no lane; `check-config` says all of it.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::Read,
    path::{Path, PathBuf},
};

/// The built-in languages.
const BUILT_IN: [(&str, &str); 2] =
    [("zh-CN", include_str!("../words/zh-CN.json")), ("en", include_str!("../words/en.json"))];
/// What is not translated is said in this one.
const FALLBACK: &str = "en";
/// What a region is called in this language: this, and six digits. The signed lists have Chinese and English names.
const REGION: &str = "region.";
/// Which way the language is written.
const DIRECTION: &str = "text.direction";
/// The first part of what travellers read; a language of the lane's screen that lacks one of these is unfinished.
const TRAVELLERS: [&str; 8] = ["text", "verdict", "state", "hint", "attention", "why", "next", "code"];
/// Largest file of one language, and most of them. Stops a file that is no translation from filling the memory.
const MAX_FILE: u64 = 256 * 1024;
const MAX_LANGUAGES: usize = 32;
/// Longest words, and those that travellers read from three metres, in characters.
const MAX_WORDS: usize = 200;
const MAX_TRAVELLERS_WORDS: usize = 64;

type Words = BTreeMap<String, String>;

/// All languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strings(BTreeMap<String, Words>);

/// What is wrong with a translation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The file cannot be read.
    Unreadable(PathBuf, String),
    /// The file is larger than a translation is.
    TooLarge(PathBuf),
    /// The file holds no object of words.
    Malformed(PathBuf, String),
    /// There are more files than languages on a screen.
    TooMany(PathBuf),
    /// Nobody asks for this key; the nearest that is one.
    UnknownKey(PathBuf, String, String),
    /// These words are longer than this many characters.
    TooLong(PathBuf, String, usize),
    /// These words lack a place that the English ones have (`{}`), have one that is filled by nobody, or hold a control character.
    Unfit(PathBuf, String),
    /// This language lacks words that travellers read; they are said in English.
    Lacks(String, Vec<String>),
    /// There are no words for this language of the lane's screen.
    Unspoken(String),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(file, why) => write!(f, "{}: {why}", file.display()),
            Self::TooLarge(file) => write!(f, "{}: larger than {MAX_FILE} bytes", file.display()),
            Self::Malformed(file, why) => write!(f, "{}: no object of words ({why})", file.display()),
            Self::TooMany(file) => write!(f, "{}: more than {MAX_LANGUAGES} languages", file.display()),
            Self::UnknownKey(file, key, nearest) => {
                write!(f, "{}: {key} is not known; did you mean {nearest}?", file.display())
            }
            Self::TooLong(file, key, most) => {
                write!(f, "{}: {key} has more than {most} characters", file.display())
            }
            Self::Unfit(file, key) => write!(
                f,
                "{}: {key} needs the {{}} of the English words, if they have it, no other braces, and no control characters",
                file.display()
            ),
            Self::Lacks(language, keys) => {
                let some: Vec<&str> = keys.iter().take(5).map(String::as_str).collect();
                let dots = if keys.len() > some.len() { " …" } else { "" };
                write!(f, "{language} lacks {} of what travellers read: {}{dots}", keys.len(), some.join(", "))
            }
            Self::Unspoken(language) => {
                write!(f, "there are no words for {language}: put {language}.json into page.strings")
            }
        }
    }
}

impl Strings {
    /// The built-in ones.
    #[must_use]
    pub fn built_in() -> Strings {
        let language = |(name, text): (&str, &str)| {
            (name.to_owned(), serde_json::from_str(text).expect("the built-in files are JSON; a test reads them"))
        };
        Strings(BUILT_IN.into_iter().map(language).collect())
    }

    /// The built-in ones and those of these folders; a later folder's words count. Also what is wrong there, for the journal.
    #[must_use]
    pub fn with_folders(folders: &[&Path]) -> (Strings, Vec<Trouble>) {
        let (mut strings, mut troubles) = (Strings::built_in(), Vec::new());
        let mut files: Vec<PathBuf> = Vec::new();
        for folder in folders {
            let mut here: Vec<_> = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok).collect();
            here.sort_by_key(fs::DirEntry::file_name);
            files.extend(here.into_iter().map(|file| file.path()));
        }
        for path in files {
            let Some(language) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")) else {
                continue;
            };
            if strings.0.len() >= MAX_LANGUAGES && !strings.speaks(language) {
                troubles.push(Trouble::TooMany(path));
                continue;
            }
            match words(&path) {
                Ok(words) => troubles.extend(strings.add(&path, language, words)),
                Err(trouble) => troubles.push(trouble),
            }
        }
        (strings, troubles)
    }

    /// Adds the words of a language as far as they are fit; the rest is told.
    fn add(&mut self, path: &Path, language: &str, words: Words) -> Vec<Trouble> {
        let english = self.0[FALLBACK].clone();
        let (mut troubles, file) = (Vec::new(), path.to_owned());
        let known = self.0.entry(language.to_owned()).or_default();
        for (key, word) in words {
            match unfit(&file, &key, &word, &english) {
                Some(trouble) => troubles.push(trouble),
                None => drop(known.insert(key, word)),
            }
        }
        troubles
    }

    /// What is wrong with the languages of a lane's screen.
    #[must_use]
    pub fn lacking(&self, languages: &[String]) -> Vec<Trouble> {
        let trouble = |language: &String| {
            let Some(words) = self.0.get(language) else { return Some(Trouble::Unspoken(language.clone())) };
            let read = |key: &&String| is_travellers(key) && !words.contains_key(*key);
            let missing: Vec<String> = self.0[FALLBACK].keys().filter(read).cloned().collect();
            (!missing.is_empty()).then(|| Trouble::Lacks(language.clone(), missing))
        };
        languages.iter().filter_map(trouble).collect()
    }

    /// Whether a language is there.
    #[must_use]
    pub fn speaks(&self, language: &str) -> bool {
        self.0.contains_key(language)
    }

    /// The languages.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// What is said in a language, in English where it has no words of its own.
    #[must_use]
    pub fn word(&self, language: &str, key: &str) -> Option<&str> {
        let own = self.0.get(language).and_then(|words| words.get(key));
        own.or_else(|| self.0[FALLBACK].get(key)).map(String::as_str)
    }

    /// For the pages: each language whole, with English where it has no words of its own.
    #[must_use]
    pub fn json(&self) -> String {
        let whole = |words: &Words| {
            let mut whole = self.0[FALLBACK].clone();
            whole.extend(words.clone());
            whole
        };
        let all: BTreeMap<&String, Words> = self.0.iter().map(|(language, words)| (language, whole(words))).collect();
        serde_json::to_string(&all).expect("texts are plain data")
    }
}

fn is_travellers(key: &str) -> bool {
    key == "desk.name" || key.split('.').next().is_some_and(|first| TRAVELLERS.contains(&first))
}

/// Why these words cannot be shown.
fn unfit(file: &Path, key: &str, word: &str, english: &Words) -> Option<Trouble> {
    let file = file.to_owned();
    let most = if is_travellers(key) { MAX_TRAVELLERS_WORDS } else { MAX_WORDS };
    if word.chars().count() > most {
        return Some(Trouble::TooLong(file, key.to_owned(), most));
    }
    let is_region = |code: &str| code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit());
    let told = match (english.get(key), key.strip_prefix(REGION)) {
        (Some(told), _) => told.as_str(),
        (None, Some(code)) if is_region(code) => "",
        (None, _) => {
            let nearest = english.keys().min_by_key(|name| strsim::damerau_levenshtein(key, name));
            return Some(Trouble::UnknownKey(file, key.to_owned(), nearest.cloned().unwrap_or_default()));
        }
    };
    let direction = key == DIRECTION && !matches!(word, "ltr" | "rtl");
    let bad = direction || word.contains(char::is_control) || !fills(&places(word), &places(told));
    bad.then(|| Trouble::Unfit(file, key.to_owned()))
}

/// Whether words have a place for what the caller gives where the English ones have one, and none that nobody fills. They need not name the desk.
fn fills(own: &[&str], english: &[&str]) -> bool {
    own.contains(&"") == english.contains(&"") && own.iter().all(|place| english.contains(place))
}

/// What is filled in: `{}` and `{desk}`, in the order of the alphabet, each once: a language may say it where it likes.
fn places(word: &str) -> Vec<&str> {
    let mut places: Vec<&str> =
        word.split('{').skip(1).map(|rest| rest.split('}').next().unwrap_or_default()).collect();
    places.sort_unstable();
    places.dedup();
    places
}

fn words(path: &Path) -> Result<Words, Trouble> {
    let unreadable = |error: std::io::Error| Trouble::Unreadable(path.to_owned(), error.to_string());
    let file = fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    let read = file.take(MAX_FILE + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if read as u64 > MAX_FILE {
        return Err(Trouble::TooLarge(path.to_owned()));
    }
    serde_json::from_slice(&bytes).map_err(|error| Trouble::Malformed(path.to_owned(), error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join(name), text).expect("written");
        }
        folder
    }

    #[test]
    fn a_file_adds_a_language_and_what_it_does_not_say_is_said_in_english() {
        let folder = folder(&[
            ("ug.json", r#"{"verdict.admit": "ئۆتۈڭ", "verdict.admitt": "x", "region.650000": "شىنجاڭ"}"#),
            ("fr.json", "{"),
            ("en.json", r#"{"verdict.refuse": "Halt"}"#),
        ]);
        let (strings, troubles) = Strings::with_folders(&[folder.path()]);
        let word = |language: &str, key: &str| strings.word(language, key).unwrap_or_default().to_owned();
        assert_eq!(word("ug", "verdict.admit"), "ئۆتۈڭ");
        assert_eq!(word("ug", "region.650000"), "شىنجاڭ");
        assert_eq!(word("ug", "state.idle"), "Show your pass code");
        assert_eq!(word("en", "verdict.refuse"), "Halt", "words of a built-in language can be changed");
        assert!(!strings.speaks("fr"), "a broken file costs its own language only");
        let told: Vec<String> = troubles.iter().map(Trouble::to_string).collect();
        assert!(told.iter().any(|told| told.contains("did you mean verdict.admit?")), "{told:?}");
        assert!(told.iter().any(|told| told.contains("fr.json: no object of words")), "{told:?}");
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn each_slip_in_a_file_is_told_and_costs_its_own_words() {
        let long = format!(r#"{{"verdict.admit": "{}"}}"#, "x".repeat(MAX_TRAVELLERS_WORDS + 1));
        let large = format!(r#"{{"why.ok": "{}"}}"#, "x".repeat(MAX_FILE as usize));
        for (text, expected) in [
            (r#"{"next.instead": "Or another"}"#, "next.instead needs the {}"),
            (r#"{"verdict.admit": "Pass {name}"}"#, "verdict.admit needs the {}"),
            (r#"{"verdict.admit": "Pass\u0007"}"#, "no control characters"),
            (r#"{"text.direction": "up"}"#, "text.direction"),
            (r#"{"region.65": "Xinjiang"}"#, "region.65 is not known"),
            (r#"["Pass"]"#, "no object of words"),
            (r#"{"verdict.admit": 7}"#, "no object of words"),
            (&long, "verdict.admit has more than 64 characters"),
            (&large, "larger than 262144 bytes"),
        ] {
            let folder = folder(&[("de.json", text)]);
            let (strings, troubles) = Strings::with_folders(&[folder.path()]);
            let told: Vec<String> = troubles.iter().map(Trouble::to_string).collect();
            assert!(told.len() == 1 && told[0].contains(expected), "{expected}: {told:?}");
            assert_eq!(strings.word("de", "verdict.admit"), Some("Pass"), "{expected}");
        }
    }

    #[test]
    fn a_screen_in_a_language_without_words_or_with_half_of_them_is_told() {
        let folder = folder(&[("de.json", r#"{"verdict.admit": "Bitte durchgehen"}"#)]);
        let (strings, _) = Strings::with_folders(&[folder.path()]);
        let languages = ["zh-CN", "en", "de", "fr"].map(str::to_owned);
        let told: Vec<String> = strings.lacking(&languages).iter().map(Trouble::to_string).collect();
        assert!(told.len() == 2 && told[0].starts_with("de lacks ") && told[1].contains("no words for fr"), "{told:?}");
    }

    #[test]
    fn the_languages_that_come_with_the_package_have_no_slip_and_lack_nothing_that_travellers_read() {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("words");
        let (strings, troubles) = Strings::with_folders(&[&shipped]);
        assert_eq!(troubles, []);
        let all: Vec<String> = strings.languages().map(str::to_owned).collect();
        assert_eq!(all, ["bo", "en", "mn", "ug", "zh-CN"]);
        assert_eq!(strings.lacking(&all), []);
        assert_eq!(strings.word("ug", DIRECTION), Some("rtl"));
        for language in ["bo", "mn", "ug"] {
            let named = strings.0[language].keys().filter(|key| key.starts_with(REGION)).count();
            assert_eq!(named, 34, "{language} names every region at the level of a province");
        }
        assert_eq!(strings.0["zh-CN"].keys().collect::<Vec<_>>(), strings.0["en"].keys().collect::<Vec<_>>());
    }

    #[test]
    fn without_a_folder_the_built_in_languages_are_spoken() {
        let (strings, troubles) = Strings::with_folders(&[Path::new("/nonexistent")]);
        assert_eq!((strings, troubles), (Strings::built_in(), Vec::new()));
    }
}
