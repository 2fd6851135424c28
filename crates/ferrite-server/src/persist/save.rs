//! The snapshot as a file: written beside the old one, and put in its place when it is whole.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::snapshot::{self, Origin, Readers};
use crate::shared::{Shared, unix_ms};

/// Writes the file. The old one stays as it is until the new one is whole and on disk.
///
/// # Errors
/// What the system says, with the file.
pub fn save(shared: &Shared) -> io::Result<()> {
    let path = shared.persistence.path();
    let began = Instant::now();
    shared.persistence.began.store(unix_ms() / 1000, Ordering::Relaxed);
    let mut dirty = 0;
    let written = write_file(shared, &path, &mut dirty);
    let state = &shared.persistence;
    state.last_ok.store(written.is_ok(), Ordering::Relaxed);
    state
        .last_seconds
        .store(i64::try_from(began.elapsed().as_secs()).unwrap_or(i64::MAX), Ordering::Relaxed);
    written.map_err(|error| {
        io::Error::new(error.kind(), format!("saving to {}: {error}", path.display()))
    })?;
    state.saved_dirty.store(dirty, Ordering::Relaxed);
    state.last_save.store(unix_ms() / 1000, Ordering::Relaxed);
    state.saves.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

fn write_file(shared: &Shared, path: &std::path::Path, dirty: &mut u64) -> io::Result<()> {
    let temporary = path.with_file_name(format!("temp-{}.rdb", std::process::id()));
    let written = (|| {
        let mut file = File::create(&temporary)?;
        let cut = || {
            *dirty = shared.dirty();
            Origin { id: shared.run_id.clone(), offset: shared.log.offset() }
        };
        snapshot::write(shared, Readers::Current, cut, &mut |bytes| file.write_all(bytes))?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(std::path::Path::new(".")))?.sync_all()
    })();
    if written.is_err()
        && let Err(error) = std::fs::remove_file(&temporary)
    {
        tracing::debug!("removing {}: {error}", temporary.display());
    }
    written
}

/// Writes the file on a thread of its own; whether that was begun, which it is not while another
/// is being written.
///
/// # Errors
/// When the system gives no thread.
pub fn save_in_background(shared: &Arc<Shared>) -> io::Result<bool> {
    if shared.persistence.saving.swap(true, Ordering::SeqCst) {
        return Ok(false);
    }
    let of_thread = Arc::clone(shared);
    let spawned = std::thread::Builder::new().name("ferrite-save".into()).spawn(move || {
        match save(&of_thread) {
            Ok(()) => tracing::info!("Background saving terminated with success"),
            Err(error) => tracing::error!("{error}; the old file is untouched"),
        }
        of_thread.persistence.saving.store(false, Ordering::SeqCst);
    });
    if let Err(error) = spawned {
        shared.persistence.saving.store(false, Ordering::SeqCst);
        return Err(error);
    }
    Ok(true)
}
