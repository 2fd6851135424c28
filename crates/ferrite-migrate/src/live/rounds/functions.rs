//! Function libraries: what the source has is loaded where the target has other code, and what came
//! from the source and is gone there is deleted.

use ferrite_client::{ClientError, Connection};
use serde_json::json;

use super::FUNCTIONS;
use crate::error::MigrateError;
use crate::live::run::Live;
use crate::sources::redis_scan::source_error;
use crate::targets::redis::{libraries, library_name, target_error};

fn name(code: &[u8]) -> String {
    String::from_utf8_lossy(library_name(code)).into_owned()
}

impl Live {
    /// Brings the target's libraries to what the source has.
    ///
    /// # Errors
    /// An end that is away, a library the target refuses.
    pub async fn level_functions(&mut self) -> Result<(), MigrateError> {
        if !self.checked.source.has_functions() {
            return Ok(());
        }
        let Some(ours) = self.libraries_of_source().await? else { return Ok(()) };
        if !self.checked.target.has_functions() {
            if !ours.is_empty() {
                self.job.warn("function libraries are left out: the target has none");
            }
            return Ok(());
        }
        let known = self.known().libraries.clone();
        if ours.is_empty() && known.is_empty() {
            return Ok(());
        }
        let names: Vec<String> = ours.iter().map(|code| name(code)).collect();
        if !names.iter().all(|name| known.contains(name)) {
            // Before they are loaded: what is not known to be ours is never deleted.
            self.known().libraries.extend(names.iter().cloned());
            let detail = json!({ FUNCTIONS: self.known().libraries });
            self.note(detail)?;
        }
        let gone = known.into_iter().filter(|name| !names.contains(name)).collect();
        let connector = self.checked.target.connector.clone();
        let levelled = async { level(&mut connector.connect().await?, ours, gone).await };
        let lost = |error| target_error("loading function libraries", &connector, &error);
        let loaded = levelled.await.map_err(lost)?;
        self.job.tally(|tally| tally.functions += loaded);
        Ok(())
    }

    /// The source's libraries; `None` where it does not show them.
    async fn libraries_of_source(&self) -> Result<Option<Vec<Vec<u8>>>, MigrateError> {
        let connector = &self.checked.source.connector;
        let read = async { libraries(&mut connector.connect().await?).await };
        match read.await {
            Ok(codes) => Ok(Some(codes)),
            Err(error) if error.is_refusal() => {
                self.job.warn(format!("function libraries are not copied: {error}"));
                Ok(None)
            }
            Err(error) => Err(source_error(connector, "reading functions", &error)),
        }
    }
}

/// Loads what is another code or missing, deletes what is gone; how many were loaded.
async fn level(
    target: &mut Connection,
    ours: Vec<Vec<u8>>,
    gone: Vec<String>,
) -> Result<u64, ClientError> {
    let theirs = libraries(target).await?;
    let mut loaded = 0;
    for code in ours.iter().filter(|code| !theirs.contains(code)) {
        target.call(&[&b"FUNCTION"[..], b"LOAD", b"REPLACE", code]).await?;
        loaded += 1;
    }
    for name in gone {
        if theirs.iter().any(|code| library_name(code) == name.as_bytes()) {
            target.call(&["FUNCTION", "DELETE", &name]).await?;
        }
    }
    Ok(loaded)
}
