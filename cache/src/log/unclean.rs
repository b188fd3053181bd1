//! A mark beside the log while gates run ahead of the disk, so that the start after a power cut knows that rows may be missing.
//!
//! A lane makes it before it knows whether the disk will ever answer, so it is made on a thread of its own; the writer takes it away when
//! every row is durable. It says how many openings there can be at most.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use super::{openings::Bounds, side_files::beside};

fn place(database: &Path) -> PathBuf {
    beside(database, "-ahead")
}

/// Makes the mark, as durable as the disk lets it be.
pub(super) fn mark(database: &Path, at_most: u64) -> io::Result<()> {
    let path = place(database);
    let mut file = File::create(&path)?;
    writeln!(file, "{at_most}")?;
    file.sync_all()?;
    File::open(path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?.sync_all()
}

/// How many openings may lack their rows since the last end; `None` when it was orderly, or no gate ran ahead.
pub(super) fn openings_ahead(database: &Path) -> Option<u64> {
    let text = fs::read_to_string(place(database)).ok()?;
    // A mark that was torn by the cut is a mark.
    Some(text.trim().parse().unwrap_or(u64::from(Bounds::default().openings)))
}

/// Takes the mark away.
pub(super) fn forget(database: &Path) {
    // One that stays costs a row too many at the next start.
    let _ = fs::remove_file(place(database));
}
