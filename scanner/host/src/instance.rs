//! Which running daemon is this gate's: a number of its own that it draws at its start, leaves in the runtime folder, and says on its page.
//!
//! A port answers for whoever has it. A demonstration that somebody forgot, or another gate's daemon, answers as readily as this gate's;
//! only the one that could write into this gate's folder has the number that lies there.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use data_encoding::HEXLOWER;

use crate::atomic_file;

fn file(runtime: &Path) -> PathBuf {
    runtime.join("instance")
}

/// Draws a number and leaves it in the folder.
///
/// # Errors
/// When the folder cannot be written to, or the system has no random numbers.
pub fn announce(runtime: &Path) -> io::Result<String> {
    let mut number = [0; 16];
    getrandom::fill(&mut number).map_err(io::Error::other)?;
    let number = HEXLOWER.encode(&number);
    fs::create_dir_all(runtime)?;
    atomic_file::publish(&file(runtime), &number)?;
    Ok(number)
}

/// The number of the daemon that was started last with this folder; `None` where none was.
///
/// # Errors
/// When it cannot be read.
pub fn announced(runtime: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(file(runtime)) {
        Ok(number) => Ok(Some(number)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_start_has_a_number_of_its_own_and_the_folder_knows_the_latest() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = folder.path().join("run");
        assert_eq!(announced(&runtime).expect("nothing is wrong"), None);
        let (one, two) = (announce(&runtime).expect("written"), announce(&runtime).expect("written"));
        assert_ne!(one, two);
        assert_eq!(announced(&runtime).expect("readable"), Some(two));
    }
}
