//! Where fetched peers live between runs, and how several test processes share that place.
//!
//! ```text
//! $XDG_CACHE_HOME/ferrite/peers/          (~/.cache/ferrite/peers)
//!     debian-trixie-1/                    one bundle: complete as soon as it has its name
//!     debian-trixie-1.lock                held by the process that fetches it
//!     .debian-trixie-1-XXXXXX/            a bundle being fetched, renamed when complete
//! ```

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Gives the folder of a bundle, fetching it first when it is not there.
///
/// `fetch` fills an empty folder `root` using another one, `scratch`, for what need not be kept.
/// Only one process fetches a bundle; the others wait for it.
pub(super) fn bundle(
    folder: &str,
    what: &str,
    fetch: impl FnOnce(&Path, &Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let cache = directory()?;
    let bundle = cache.join(folder);
    if bundle.is_dir() {
        return Ok(bundle);
    }
    let explain =
        |doing: &str, error: io::Error| format!("cannot {doing} {}: {error}", cache.display());
    fs::create_dir_all(&cache).map_err(|error| explain("create", error))?;
    let lock = File::create(cache.join(format!("{folder}.lock")))
        .map_err(|error| explain("write a lock file in", error))?;
    lock.lock().map_err(|error| explain("lock a file in", error))?;
    if bundle.is_dir() {
        return Ok(bundle);
    }
    let prefix = format!(".{folder}-");
    remove_leftovers(&cache, &prefix);
    say(&format!("fetching {what} into {}", bundle.display()));
    let temporary = tempfile::Builder::new()
        .prefix(&prefix)
        .tempdir_in(&cache)
        .map_err(|error| explain("create a folder in", error))?;
    let (root, scratch) = (temporary.path().join("root"), temporary.path().join("scratch"));
    for part in [&root, &scratch] {
        fs::create_dir(part).map_err(|error| explain("create a folder in", error))?;
    }
    fetch(&root, &scratch)?;
    fs::rename(&root, &bundle).map_err(|error| explain("rename a folder in", error))?;
    Ok(bundle)
}

/// Removes what an interrupted fetch has left; whoever holds the lock is the only one to fetch.
fn remove_leftovers(cache: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(cache) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(prefix) {
            // What cannot be removed does no harm but take space.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// Writes one line to standard error, past the capture of the test harness: a test that waits for
/// a download should say so at once.
fn say(line: &str) {
    // Nobody to tell when standard error is closed.
    let _ = writeln!(io::stderr(), "{line}");
}

/// The folder that holds all bundles.
pub(super) fn directory() -> Result<PathBuf, String> {
    let absolute =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .ok_or("neither XDG_CACHE_HOME nor HOME names a folder to keep servers in")?;
    Ok(base.join("ferrite").join("peers"))
}
