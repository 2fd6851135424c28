//! Where the socket is. The system allows about a hundred bytes for its path; a longer directory
//! gets the socket elsewhere and a file that says where.

use std::fs;
use std::io::{self, Error, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::jobs::files;

/// The socket in the job's directory.
const SOCKET: &str = "control.sock";
/// The file that says where it is instead.
const POINTER: &str = "control.path";
/// Longest path of a socket in bytes: Linux has room for 107, macOS for 103.
const PATH_MAX: usize = 100;
/// Where directories for sockets are made; its name is short everywhere.
const SHORT: &str = "/tmp";
/// How often a name for one is tried.
const NAMES_MAX: u32 = 32;
/// Longest content of [`POINTER`] in bytes.
const POINTER_MAX: u64 = 4096;

/// A place for a socket; what is there goes when this is dropped.
#[derive(Debug)]
pub struct Place {
    pub socket: PathBuf,
    /// The directory made for it and the file that points to it.
    elsewhere: Option<(PathBuf, PathBuf)>,
}

impl Place {
    /// Makes place in a job's directory, whose lock is held: what an earlier process left goes.
    pub fn make(dir: &Path) -> io::Result<Self> {
        let (socket, pointer) = (dir.join(SOCKET), dir.join(POINTER));
        remove(&socket)?;
        remove(&pointer)?;
        if socket.as_os_str().len() <= PATH_MAX {
            return Ok(Self { socket, elsewhere: None });
        }
        let short = short_dir()?;
        let place = Self { socket: short.join(SOCKET), elsewhere: Some((short, pointer.clone())) };
        files::replace(&pointer, place.socket.as_os_str().as_encoded_bytes())
            .map_err(Error::other)?;
        Ok(place)
    }

    /// Nobody but the owner may connect.
    pub fn make_private(&self) -> io::Result<()> {
        fs::set_permissions(&self.socket, fs::Permissions::from_mode(0o600))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // What cannot be removed is in the way of nobody: the next process removes it.
        let _ = fs::remove_file(&self.socket);
        if let Some((dir, pointer)) = &self.elsewhere {
            let _ = fs::remove_file(pointer);
            let _ = fs::remove_dir(dir);
        }
    }
}

/// Where the socket of the job in `dir` is, if it has one.
pub fn find(dir: &Path) -> io::Result<PathBuf> {
    let (socket, pointer) = (dir.join(SOCKET), dir.join(POINTER));
    if !pointer.exists() {
        // With a path that is too long the system would not even look.
        return if socket.exists() { Ok(socket) } else { Err(ErrorKind::NotFound.into()) };
    }
    let text = files::read(&pointer, POINTER_MAX).map_err(Error::other)?;
    let socket = PathBuf::from(String::from_utf8(text).map_err(Error::other)?);
    check_owner(dir, socket.parent().unwrap_or(Path::new("/")))?;
    Ok(socket)
}

/// Anybody may make directories where ours was: believe only in one like the job's own.
fn check_owner(job: &Path, short: &Path) -> io::Result<()> {
    let (job, short) = (fs::metadata(job)?, fs::symlink_metadata(short)?);
    if short.is_dir() && short.uid() == job.uid() && short.mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::PermissionDenied, "the socket's directory belongs to somebody else"))
}

fn short_dir() -> io::Result<PathBuf> {
    let process = std::process::id();
    let mut last = Error::from(ErrorKind::AlreadyExists);
    for number in 0..NAMES_MAX {
        let path = Path::new(SHORT).join(format!("ferrite-migrate-{process}-{number}"));
        match files::make_dir(&path, false) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
