//! The lock of a job: who holds it runs the job. The system takes it from a process that dies,
//! so there is never a stale one.
//!
//! ```text
//! lock    the pid in decimal and a line end; flock'ed as a whole
//! ```

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::JobError;

/// The file's name.
const NAME: &str = "lock";
/// A reader looks at the lock by taking it for a moment, shared: how often we try again, …
const ATTEMPTS_MAX: u32 = 100;
/// … and after how long.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest pid in bytes, with its line end.
const PID_LENGTH_MAX: u64 = 16;

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    _held: File,
}

impl Lock {
    /// Takes the lock of the job in `dir` and writes our pid into it.
    ///
    /// # Errors
    /// [`JobError::Running`] if somebody else, or we ourselves, hold it.
    pub fn take(id: &str, dir: &Path) -> Result<Self, JobError> {
        let path = dir.join(NAME);
        let open = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .open(&path);
        let mut file = open.map_err(JobError::io("opening", &path))?;
        if !exclusively(&file).map_err(JobError::io("locking", &path))? {
            return Err(JobError::Running { id: id.to_owned(), pid: read_pid(&mut file) });
        }
        let pid = format!("{}\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.write_all(pid.as_bytes()))
            .map_err(JobError::io("writing", &path))?;
        Ok(Self { _held: file })
    }
}

/// The process that holds the lock of the job in `dir`; the inner option is its pid.
///
/// # Errors
/// A lock that cannot be looked at.
pub fn holder(dir: &Path) -> Result<Option<Option<u32>>, JobError> {
    let path = dir.join(NAME);
    let mut file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(JobError::io("opening", &path))?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(read_pid(&mut file))),
        Err(TryLockError::Error(error)) => Err(JobError::io("looking at", &path)(error)),
    }
}

/// Whether it could be had, at once or as soon as readers have looked.
fn exclusively(file: &File) -> std::io::Result<bool> {
    for attempt in 0..ATTEMPTS_MAX {
        if attempt > 0 {
            thread::sleep(PAUSE);
        }
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}

fn read_pid(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(PID_LENGTH_MAX).read_to_string(&mut text).ok()?;
    text.trim_end().parse().ok()
}
