//! The file system below the simulated one: only what SQLite asks of the machine besides files, which are randomness, sleep and
//! the time of day. All three belong to the world: random bytes come from its seed, sleeping takes its time and nobody's else,
//! and the time of day is a constant, since no statement of ours may ask SQLite for it.

use std::{
    cell::RefCell,
    ffi::{CStr, c_char, c_int},
    ptr::null_mut,
    slice,
};

use rusqlite::ffi;

use crate::disk::Disk;

/// The disk of the world that this thread runs, and its randomness for SQLite.
struct Current {
    disk: Disk,
    random: fastrand::Rng,
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

const NAME: &CStr = c"simulated-machine";

/// Julian day of 1970-01-01T00:00:00Z, in milliseconds (sqlite.org/c3ref/vfs.html, `xCurrentTimeInt64`).
const UNIX_EPOCH: i64 = 210_866_760_000_000;

/// The disk that connections of this thread are opened on.
pub(crate) fn current() -> Option<Disk> {
    CURRENT.with_borrow(|current| current.as_ref().map(|current| current.disk.clone()))
}

/// Puts another world in place, and lets SQLite draw its randomness anew.
pub(crate) fn enter(disk: &Disk, seed: u64) {
    let random = fastrand::Rng::with_seed(seed);
    CURRENT.set(Some(Current { disk: disk.clone(), random }));
    // SAFETY: a null pointer with zero bytes asks SQLite to forget its generator's state (sqlite.org/c3ref/randomness.html).
    unsafe { ffi::sqlite3_randomness(0, null_mut()) };
}

/// Makes this the default file system, for the simulated one to be put on top of. Once in a process.
pub(crate) fn register() {
    let vfs = Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: 0,
        mxPathname: 512,
        pNext: null_mut(),
        zName: NAME.as_ptr(),
        pAppData: null_mut(),
        xOpen: None,
        xDelete: None,
        xAccess: None,
        xFullPathname: None,
        xDlOpen: None,
        xDlError: None,
        xDlSym: None,
        xDlClose: None,
        xRandomness: Some(randomness),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xGetLastError: None,
        xCurrentTimeInt64: Some(current_time_int64),
        xSetSystemCall: None,
        xGetSystemCall: None,
        xNextSystemCall: None,
    });
    // SAFETY: SQLite keeps the pointer for ever, and the box is never freed. The functions that are missing are never called:
    // the file system registered on top answers for files itself and hands down only the four above.
    let code = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(vfs), 1) };
    assert_eq!(code, ffi::SQLITE_OK, "SQLite refuses the file system below the simulated one");
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, length: c_int, out: *mut c_char) -> c_int {
    let Ok(bytes) = usize::try_from(length) else { return 0 };
    if out.is_null() {
        return 0;
    }
    // SAFETY: SQLite passes a buffer of `length` bytes that it owns (sqlite.org/c3ref/vfs.html, `xRandomness`).
    let buffer = unsafe { slice::from_raw_parts_mut(out.cast::<u8>(), bytes) };
    CURRENT.with_borrow_mut(|current| match current {
        Some(current) => current.random.fill(buffer),
        None => buffer.fill(0),
    });
    length
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    if let (Some(disk), Ok(time)) = (current(), u64::try_from(microseconds)) {
        disk.spend(time);
    }
    microseconds
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, day: *mut f64) -> c_int {
    // SAFETY: SQLite passes a pointer to a number of its own, or null.
    if let Some(day) = unsafe { day.as_mut() } {
        *day = UNIX_EPOCH as f64 / 86_400_000.0;
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_int64(_: *mut ffi::sqlite3_vfs, millis: *mut i64) -> c_int {
    // SAFETY: as above.
    if let Some(millis) = unsafe { millis.as_mut() } {
        *millis = UNIX_EPOCH;
    }
    ffi::SQLITE_OK
}
