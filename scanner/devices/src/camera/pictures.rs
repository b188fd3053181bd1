//! Pictures from a folder or a list of files, played as frames: the laptop's camera, and the tests'.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use super::{FrameSource, Next, SourceError};
use crate::frame::{Damage, PictureError, read_picture};
use crate::moment;

/// Names that are taken for pictures in a folder; inside, only the content counts.
const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "bmp"];

/// Pictures in a folder; more is a mistaken path, and reading the whole of a disk would look like a hang.
const MAX_PICTURES: usize = 100_000;

/// Picture files played in the order of their names.
#[derive(Debug)]
pub struct Pictures {
    files: Vec<PathBuf>,
    at: usize,
    repeat: bool,
    interval: Duration,
    due: Option<Instant>,
    sequence: u64,
    skipped: u64,
}

impl Pictures {
    /// All pictures below one folder, or one picture.
    pub fn open(path: &Path) -> Result<Pictures, SourceError> {
        let name = path.display().to_string();
        let failed = |cause: io::Error| SourceError::from_io(&name, "reading", cause);
        let mut files = Vec::new();
        if fs::metadata(path).map_err(failed)?.is_dir() {
            for entry in fs::read_dir(path).map_err(failed)?.take(MAX_PICTURES) {
                files.push(entry.map_err(failed)?.path());
            }
            files.retain(|file| {
                let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
                EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
            });
            files.sort();
        } else {
            files.push(path.to_owned());
        }
        if files.is_empty() {
            return Err(SourceError::Absent(format!("any picture in {name}")));
        }
        Ok(Pictures::list(files))
    }

    /// These files, in this order, once, as fast as they are taken.
    #[must_use]
    pub fn list(files: Vec<PathBuf>) -> Pictures {
        Pictures { files, at: 0, repeat: false, interval: Duration::ZERO, due: None, sequence: 0, skipped: 0 }
    }

    /// Begins again after the last one.
    #[must_use]
    pub fn repeated(mut self) -> Pictures {
        self.repeat = true;
        self
    }

    /// Delivers at most `rate` pictures a second, as a camera would.
    #[must_use]
    pub fn at_rate(mut self, rate: u32) -> Pictures {
        self.interval = Duration::from_secs(1).checked_div(rate).unwrap_or_default();
        self
    }

    /// The file that comes next.
    #[must_use]
    pub fn upcoming(&self) -> Option<&Path> {
        self.files.get(self.at).map(PathBuf::as_path)
    }

    fn pace(&mut self, deadline: Duration) -> bool {
        let now = moment::now();
        let due = self.due.unwrap_or(now);
        let wait = due.saturating_duration_since(now);
        if wait > deadline {
            std::thread::sleep(deadline);
            return false;
        }
        std::thread::sleep(wait);
        // Late pictures are not caught up with: a camera does not either.
        self.due = Some(due.max(now) + self.interval);
        true
    }
}

impl FrameSource for Pictures {
    fn next(&mut self, deadline: Duration) -> Next {
        if self.at == self.files.len() {
            // Where not one picture could be read, playing them again would spin for ever.
            if !self.repeat || self.skipped == self.files.len() as u64 {
                return Next::End;
            }
            self.at = 0;
            self.skipped = 0;
        }
        if !self.pace(deadline) {
            return Next::Timeout;
        }
        let file = &self.files[self.at];
        let read = read_picture(file);
        self.at += 1;
        self.sequence += 1;
        match read {
            Ok(frame) => Next::Frame(frame.numbered(self.sequence, moment::now())),
            Err(PictureError::Unreadable(cause)) if cause.kind() == io::ErrorKind::NotFound => {
                self.skipped += 1;
                Next::Damaged(Damage::NoPicture)
            }
            Err(_) => {
                self.skipped += 1;
                Next::Damaged(Damage::Undecodable)
            }
        }
    }

    fn describe(&self) -> String {
        format!("{} pictures", self.files.len())
    }
}

#[cfg(test)]
mod tests {
    use image::GrayImage;

    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    fn folder(names: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for (index, name) in names.iter().enumerate() {
            let path = folder.path().join(name);
            if name.starts_with("broken") {
                fs::write(path, b"no picture").expect("written");
            } else {
                GrayImage::from_pixel(20, 10, image::Luma([index as u8])).save(path).expect("written");
            }
        }
        folder
    }

    fn play(source: &mut Pictures, count: usize) -> Vec<String> {
        (0..count)
            .map(|_| match source.next(LONG) {
                Next::Frame(frame) => frame.luma().at(0, 0).to_string(),
                other => format!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn a_folder_is_played_once_in_the_order_of_its_names() {
        let folder = folder(&["b.png", "a.png", "broken.png", "c.bmp"]);
        fs::write(folder.path().join("readme.txt"), "not a picture").expect("written");
        let mut source = Pictures::open(folder.path()).expect("pictures");
        assert_eq!(play(&mut source, 6), ["1", "0", "Damaged(Undecodable)", "3", "End", "End"]);
    }

    #[test]
    fn a_repeated_folder_never_ends_unless_nothing_in_it_can_be_read() {
        let good = folder(&["a.png", "broken.png"]);
        let mut source = Pictures::open(good.path()).expect("pictures").repeated();
        assert_eq!(play(&mut source, 3), ["0", "Damaged(Undecodable)", "0"]);
        let bad = folder(&["broken.png"]);
        let mut source = Pictures::open(bad.path()).expect("pictures").repeated();
        assert_eq!(play(&mut source, 2), ["Damaged(Undecodable)", "End"]);
    }

    #[test]
    fn a_paced_picture_that_is_not_due_is_a_timeout() {
        let folder = folder(&["a.png"]);
        let mut source = Pictures::open(folder.path()).expect("pictures").repeated().at_rate(1);
        assert!(matches!(source.next(Duration::ZERO), Next::Frame(_)));
        assert!(matches!(source.next(Duration::ZERO), Next::Timeout));
    }

    #[test]
    fn an_empty_folder_and_a_missing_one_are_absent() {
        let empty = tempfile::tempdir().expect("a folder");
        assert!(matches!(Pictures::open(empty.path()), Err(SourceError::Absent(_))));
        assert!(matches!(Pictures::open(&empty.path().join("none")), Err(SourceError::Absent(_))));
    }
}
