//! Keeps what the target has, before anything is written to it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ferrite_client::ClientError;

use super::format::Writer;
use super::{PAYLOAD_MAX, file_error};
use crate::engine::Job;
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::{Fetched, Fetcher};
use crate::live::apply::Target;
use crate::live::checkpoint;
use crate::preflight::Checked;
use crate::report::key_text;
use crate::targets::redis::target_error;

/// Keys read in one transaction.
const TRANSACTION_KEYS_MAX: usize = 100;
/// What to do when the copy cannot be made.
const HINT: &str = "--state-dir chooses another disk; --no-undo keeps nothing, and `abort --clean` \
                    cannot bring the target's own keys back then";

/// What was kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Keys.
    pub keys: u64,
    /// Bytes of the file.
    pub bytes: u64,
}

struct Keeper<'a> {
    job: &'a Job,
    checked: &'a Checked,
    writer: Writer,
    path: PathBuf,
}

/// Writes what the target has to the file, synced; `None` if that was stopped.
///
/// # Errors
/// A target that cannot be read, a value too large to be written again, a disk that does not take
/// it. Nothing was written to the target.
pub async fn keep(
    job: &Arc<Job>,
    checked: &Checked,
    path: &Path,
) -> Result<Option<Kept>, MigrateError> {
    let writer = Writer::create(path).map_err(|cause| disk(path, &cause))?;
    let mut keeper = Keeper { job, checked, writer, path: path.to_owned() };
    keeper.functions().await?;
    if !keeper.keys(&Target::new(job, checked)).await? {
        return Ok(None);
    }
    let kept = Kept { keys: keeper.writer.keys(), bytes: keeper.writer.bytes() };
    let Keeper { writer, path, .. } = keeper;
    let folder = path.parent().map(Path::to_owned).unwrap_or_default();
    let synced = tokio::task::spawn_blocking(move || {
        writer.finish()?;
        std::fs::File::open(folder)?.sync_all()
    });
    let synced = synced.await.map_err(|panic| file_error("syncing", &path, panic))?;
    synced.map_err(|cause| disk(&path, &cause))?;
    Ok(Some(kept))
}

fn disk(path: &Path, cause: &io::Error) -> MigrateError {
    file_error("keeping what the target has in", path, cause).with_hint(HINT)
}

impl Keeper<'_> {
    fn lost(&self, error: &ClientError) -> MigrateError {
        let doing = "keeping what is there";
        let failed = target_error(doing, &self.checked.target.connector, error);
        match error.is_refusal() {
            true => failed.with_hint(
                "what is on the target is kept for `abort --clean`: ACL SETUSER <user> +scan +dump \
                 +pexpiretime +multi +exec there; or --no-undo",
            ),
            false => failed,
        }
    }

    /// The function libraries, as far as they may be asked for.
    async fn functions(&mut self) -> Result<(), MigrateError> {
        if !self.checked.target.has_functions() {
            return Ok(());
        }
        let connected = self.checked.target.connector.connect().await;
        let mut connection = connected.map_err(|error| self.lost(&error))?;
        match connection.call(&["FUNCTION", "DUMP"]).await {
            Ok(payload) => {
                let payload = payload.as_bytes().unwrap_or_default();
                self.writer.functions(payload).map_err(|cause| disk(&self.path, &cause))
            }
            Err(error) if error.is_refusal() => {
                self.job.warn(format!(
                    "`abort --clean` will leave the target's function libraries as they are then: \
                     {error}"
                ));
                Ok(())
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// All keys that take part; whether it came to the end.
    async fn keys(&mut self, target: &Target) -> Result<bool, MigrateError> {
        let server = &self.checked.target;
        let limit = self.job.config.fetch_limit();
        let connected = server.connector.connect().await;
        let connection = connected.map_err(|error| self.lost(&error))?;
        let mut fetcher = Fetcher::new(connection, server.has_expiretime(), limit);
        for (db, source_db) in target.dbs(None).await.map_err(|error| self.lost(&error))? {
            let mut scanner = target.scanner(db).await.map_err(|error| self.lost(&error))?;
            let mut cursor = b"0".to_vec();
            loop {
                let step = scanner.step(source_db, &cursor).await;
                let (next, names) = step.map_err(|error| self.lost(&error))?;
                let keys: Vec<&[u8]> = names.iter().filter(|key| self.takes_part(key)).collect();
                for keys in keys.chunks(TRANSACTION_KEYS_MAX) {
                    self.transaction(&mut fetcher, db, keys).await?;
                }
                if self.job.stop.is_stopped() {
                    return Ok(false);
                }
                if next == b"0" {
                    break;
                }
                cursor = next;
            }
        }
        Ok(true)
    }

    fn takes_part(&self, key: &[u8]) -> bool {
        self.job.config.filter.accepts(key) && !key.starts_with(checkpoint::PREFIX)
    }

    async fn transaction(
        &mut self,
        fetcher: &mut Fetcher,
        db: u32,
        keys: &[&[u8]],
    ) -> Result<(), MigrateError> {
        let asked = fetcher.request(db, keys.iter().copied()).await;
        asked.map_err(|error| self.lost(&error))?;
        for key in keys {
            let (expires_at_ms, length) =
                match fetcher.next().await.map_err(|error| self.lost(&error))? {
                    Fetched::Missing => continue,
                    Fetched::Small { expires_at_ms } => (expires_at_ms, fetcher.payload().len()),
                    Fetched::Large { expires_at_ms, .. } => (expires_at_ms, fetcher.left()),
                };
            let length = length as u64;
            if length > PAYLOAD_MAX {
                return Err(self.too_large(key, length));
            }
            let begun = self.writer.key(db, expires_at_ms.unwrap_or(0), key, length);
            begun.map_err(|cause| disk(&self.path, &cause))?;
            self.payload(fetcher).await?;
        }
        Ok(())
    }

    /// The payload that comes, held whole or in parts.
    async fn payload(&mut self, fetcher: &mut Fetcher) -> Result<(), MigrateError> {
        let mut put = self.writer.put(fetcher.payload());
        while fetcher.left() > 0 {
            put.map_err(|cause| disk(&self.path, &cause))?;
            let part = fetcher.raw().await.map_err(|error| self.lost(&error))?;
            put = self.writer.put(&part);
        }
        put.and_then(|()| self.writer.close()).map_err(|cause| disk(&self.path, &cause))
    }

    fn too_large(&self, key: &[u8], length: u64) -> MigrateError {
        let address = self.checked.target.connector.address();
        let doing = format!("keeping the key \"{}\" of the target {address}", key_text(key));
        let cause = format!(
            "its value has {length} bytes, more than a server takes in one RESTORE ({PAYLOAD_MAX}), \
             so that it could not be put back"
        );
        MigrateError::new(ErrorKind::Target, doing, cause).with_hint(
            "delete it on the target, or leave it out of the migration (--exclude); with --no-undo \
             nothing is kept",
        )
    }
}
