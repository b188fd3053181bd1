//! SQLite on the simulated disk: the virtual file system that it calls.
//!
//! `sqlite-plugin` holds the C side of the interface. What it passes on to the file system below it (randomness, sleep, the
//! time of day) goes to [`crate::base`], so that the write-ahead log's salts and everything else are the seed's.

use std::{borrow::Cow, ffi::CString, ptr::NonNull, sync::Once};

use sqlite_plugin::{
    flags::{AccessFlags, LockLevel, OpenOpts, ShmLockMode},
    vars,
    vfs::{RegisterOpts, SqliteErr, Vfs, VfsHandle, VfsResult, register_static},
};

use crate::{
    base,
    disk::{Disk, Inode, Refusal, State},
    file::SECTOR,
    locks::{Busy, Handle},
};

/// From here on every connection that this thread opens is on `disk`, and SQLite's randomness comes from `seed`.
///
/// The file systems are registered once in a process, for ever, as its default: a program that has called this opens no real
/// database any more. SQLite's generator is the process's, so that two worlds at once, on two threads, are not repeatable.
///
/// # Panics
/// When SQLite refuses the registration.
pub fn install(disk: &Disk, seed: u64) {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        base::register();
        let name = CString::new("simulated-disk").expect("the name has no zero byte");
        let registered = register_static(name, OnDisk, RegisterOpts { make_default: true });
        assert!(registered.is_ok(), "SQLite refuses the simulated disk: {:?}", registered.err());
    });
    base::enter(disk, seed);
}

/// The file system; each open file knows its disk.
struct OnDisk;

/// An open file.
struct Open {
    disk: Disk,
    inode: Inode,
    handle: Handle,
    read_only: bool,
    /// The name to remove when it is closed.
    delete: Option<String>,
}

impl VfsHandle for Open {
    fn readonly(&self) -> bool {
        self.read_only
    }

    fn in_memory(&self) -> bool {
        // The disk is in memory; the database is not, as far as SQLite is concerned: it must keep its write-ahead log.
        false
    }
}

/// SQLite's code for a refusal during `doing` (one of its `SQLITE_IOERR_…`).
fn code(refusal: Refusal, doing: SqliteErr) -> SqliteErr {
    match refusal {
        Refusal::Full => vars::SQLITE_FULL,
        Refusal::ReadOnly => vars::SQLITE_READONLY,
        Refusal::NotFound | Refusal::Medium | Refusal::Dead => doing,
    }
}

fn alive(state: &State, open: &Open, doing: SqliteErr) -> VfsResult<()> {
    if state.alive(open.handle) { Ok(()) } else { Err(doing) }
}

impl Vfs for OnDisk {
    type Handle = Open;

    fn canonical_path<'a>(&self, path: Cow<'a, str>) -> VfsResult<Cow<'a, str>> {
        Ok(path)
    }

    fn open(&self, path: Option<&str>, options: OpenOpts) -> VfsResult<Open> {
        let disk = base::current().ok_or(vars::SQLITE_CANTOPEN)?;
        let mut state = disk.state();
        let mode = options.mode();
        let found = path.and_then(|path| state.find(path));
        let inode = match found {
            Some(_) if mode.must_create() => return Err(vars::SQLITE_CANTOPEN),
            Some(inode) => inode,
            None if options.flags() & vars::SQLITE_OPEN_CREATE == 0 => return Err(vars::SQLITE_CANTOPEN),
            None => state.create(path).map_err(|_| vars::SQLITE_CANTOPEN)?,
        };
        let handle = state.open(inode);
        let read_only = mode.is_readonly() || state.faults.read_only;
        let delete = if options.delete_on_close() { path.map(str::to_owned) } else { None };
        drop(state);
        Ok(Open { disk, inode, handle, read_only, delete })
    }

    fn delete(&self, path: &str) -> VfsResult<()> {
        let disk = base::current().ok_or(vars::SQLITE_IOERR_DELETE)?;
        disk.remove(path).map_err(|refusal| match refusal {
            Refusal::NotFound => vars::SQLITE_IOERR_DELETE_NOENT,
            other => code(other, vars::SQLITE_IOERR_DELETE),
        })
    }

    fn access(&self, path: &str, flags: AccessFlags) -> VfsResult<bool> {
        let disk = base::current().ok_or(vars::SQLITE_IOERR_ACCESS)?;
        let state = disk.state();
        Ok(state.find(path).is_some() && !(flags == AccessFlags::ReadWrite && state.faults.read_only))
    }

    fn file_size(&self, open: &mut Open) -> VfsResult<usize> {
        let mut state = open.disk.state();
        alive(&state, open, vars::SQLITE_IOERR_FSTAT)?;
        Ok(state.file(open.inode).map_err(|_| vars::SQLITE_IOERR_FSTAT)?.seen.len())
    }

    fn truncate(&self, open: &mut Open, size: usize) -> VfsResult<()> {
        let mut state = open.disk.state();
        alive(&state, open, vars::SQLITE_IOERR_TRUNCATE)?;
        state.may_write(0).map_err(|refusal| code(refusal, vars::SQLITE_IOERR_TRUNCATE))?;
        let file = state.file(open.inode).map_err(|_| vars::SQLITE_IOERR_TRUNCATE)?;
        if size < file.seen.len() {
            file.resize(size);
        }
        Ok(())
    }

    fn write(&self, open: &mut Open, offset: usize, data: &[u8]) -> VfsResult<usize> {
        let mut state = open.disk.state();
        alive(&state, open, vars::SQLITE_IOERR_WRITE)?;
        let length = state.file(open.inode).map_err(|_| vars::SQLITE_IOERR_WRITE)?.seen.len();
        let grows = (offset + data.len()).saturating_sub(length);
        state.may_write(grows).map_err(|refusal| code(refusal, vars::SQLITE_IOERR_WRITE))?;
        state.count_written(data.len());
        state.file(open.inode).map_err(|_| vars::SQLITE_IOERR_WRITE)?.write(offset, data);
        Ok(data.len())
    }

    fn read(&self, open: &mut Open, offset: usize, data: &mut [u8]) -> VfsResult<usize> {
        let mut state = open.disk.state();
        alive(&state, open, vars::SQLITE_IOERR_READ)?;
        if state.happens(|faults| faults.read_error) {
            return Err(vars::SQLITE_IOERR_READ);
        }
        let content = &state.file(open.inode).map_err(|_| vars::SQLITE_IOERR_READ)?.seen;
        let there = content.get(offset..).unwrap_or_default();
        let read = there.len().min(data.len());
        data[..read].copy_from_slice(&there[..read]);
        Ok(read)
    }

    fn sync(&self, open: &mut Open) -> VfsResult<()> {
        let mut state = open.disk.state();
        alive(&state, open, vars::SQLITE_IOERR_FSYNC)?;
        state.flush(open.inode).map_err(|refusal| code(refusal, vars::SQLITE_IOERR_FSYNC))
    }

    fn lock(&self, open: &mut Open, level: LockLevel) -> VfsResult<()> {
        let mut state = open.disk.state();
        alive(&state, open, vars::SQLITE_IOERR_LOCK)?;
        let file = state.file(open.inode).map_err(|_| vars::SQLITE_IOERR_LOCK)?;
        file.database.raise(open.handle, level).map_err(|Busy| vars::SQLITE_BUSY)
    }

    fn unlock(&self, open: &mut Open, level: LockLevel) -> VfsResult<()> {
        let mut state = open.disk.state();
        if state.alive(open.handle)
            && let Ok(file) = state.file(open.inode)
        {
            file.database.lower(open.handle, level);
        }
        Ok(())
    }

    fn check_reserved_lock(&self, open: &mut Open) -> VfsResult<bool> {
        let mut state = open.disk.state();
        Ok(state.file(open.inode).is_ok_and(|file| file.database.reserved()))
    }

    fn close(&self, open: Open) -> VfsResult<()> {
        let mut state = open.disk.state();
        if !state.alive(open.handle) {
            return Ok(());
        }
        if let Ok(file) = state.file(open.inode) {
            file.database.lower(open.handle, LockLevel::Unlocked);
        }
        state.close(open.inode);
        if let Some(name) = &open.delete {
            // It may be gone already; then nothing is left to do.
            let _ = state.unlink(name);
        }
        Ok(())
    }

    fn sector_size(&self, _: &mut Open) -> VfsResult<i32> {
        Ok(i32::try_from(SECTOR).unwrap_or(4096))
    }

    fn device_characteristics(&self, _: &mut Open) -> VfsResult<i32> {
        // As Linux says of an ordinary disk: bytes beside a torn write stay, and nothing else is promised.
        Ok(vars::SQLITE_IOCAP_POWERSAFE_OVERWRITE)
    }

    fn shm_map(&self, open: &mut Open, region: usize, size: usize, extend: bool) -> VfsResult<Option<NonNull<u8>>> {
        let mut state = open.disk.state();
        alive(&state, open, vars::SQLITE_IOERR_SHMMAP)?;
        let file = state.file(open.inode).map_err(|_| vars::SQLITE_IOERR_SHMMAP)?;
        Ok(file.memory.map(open.handle, region, size, extend))
    }

    fn shm_lock(&self, open: &mut Open, offset: u32, count: u32, mode: ShmLockMode) -> VfsResult<()> {
        let mut state = open.disk.state();
        alive(&state, open, vars::SQLITE_IOERR_SHMLOCK)?;
        let file = state.file(open.inode).map_err(|_| vars::SQLITE_IOERR_SHMLOCK)?;
        file.memory.lock(open.handle, offset, count, mode).map_err(|Busy| vars::SQLITE_BUSY)
    }

    fn shm_unmap(&self, open: &mut Open, _delete: bool) -> VfsResult<()> {
        let mut state = open.disk.state();
        if state.alive(open.handle)
            && let Ok(file) = state.file(open.inode)
        {
            file.memory.unmap(open.handle);
        }
        Ok(())
    }
}
