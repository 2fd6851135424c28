//! Tells where all streams are, again and again.

use ferrite_client::{ClientError, Connection};

use super::nodes::primaries;
use crate::error::{ErrorKind, MigrateError};
use crate::live::progress::Progress;
use crate::live::settle::master_offset;
use crate::preflight::Checked;
use crate::sources::redis_scan::source_error;

/// A connection to each server that is followed, in the order of the streams.
pub struct Clocks(Vec<(String, Connection)>);

impl Clocks {
    /// Connects to the servers whose histories are followed.
    ///
    /// # Errors
    /// One that is lost, or is not the primary any more.
    pub async fn connect(checked: &Checked, progress: &Progress) -> Result<Self, MigrateError> {
        let lost = |error: ClientError| lost(checked, &error);
        let now = primaries(&checked.source).await.map_err(lost)?;
        let mut clocks = Vec::new();
        for part in progress.parts() {
            let replid = part.replid();
            let Some(primary) = now.iter().find(|primary| primary.replid == replid) else {
                let doing = format!("asking {} for its offset", checked.source.connector.address());
                let cause = "a primary that was followed is not there any more";
                return Err(MigrateError::new(ErrorKind::Source, doing, cause).passing(true));
            };
            clocks.push((replid, primary.connector.connect().await.map_err(lost)?));
        }
        Ok(Self(clocks))
    }

    /// Whether these are the streams that are followed now.
    #[must_use]
    pub fn are_of(&self, progress: &Progress) -> bool {
        let parts = progress.parts();
        let is_same = parts.iter().zip(&self.0).all(|(part, (replid, _))| part.replid() == *replid);
        is_same && parts.len() == self.0.len()
    }

    /// Where each of them is.
    ///
    /// # Errors
    /// A server that is lost, or is not the primary any more.
    pub async fn offsets(&mut self, checked: &Checked) -> Result<Vec<u64>, MigrateError> {
        let mut offsets = Vec::new();
        for (_, connection) in &mut self.0 {
            let offset = master_offset(connection).await;
            offsets.push(offset.map_err(|error| lost(checked, &error))?);
        }
        Ok(offsets)
    }
}

fn lost(checked: &Checked, error: &ClientError) -> MigrateError {
    source_error(&checked.source.connector, "asking for its offset", error)
}
