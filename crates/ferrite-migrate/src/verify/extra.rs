//! Finds keys that are on the target only.

use std::sync::Arc;

use ferrite_client::{ClientError, Value};

use super::Findings;
use crate::cluster::Asker;
use crate::config::Config;
use crate::engine::Job;
use crate::error::MigrateError;
use crate::preflight::Checked;
use crate::report::{Difference, DifferenceKind, KeyName};
use crate::scan::{AllScanner, Names};
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;
use tokio::sync::mpsc;

/// Asks the source for every key of the target.
///
/// # Errors
/// An end that cannot be read.
pub async fn find(
    job: &Arc<Job>,
    checked: &Checked,
    findings: &Findings,
) -> Result<(), MigrateError> {
    let target = checked.target.connector.clone();
    let lost = |error: ClientError| target_error("scanning", &target, &error);
    let scanner = AllScanner::new(&checked.target, &job.config);
    let pairs = checked.database_pairs(&job.config);
    for (source_db, target_db) in pairs {
        let (names, mut waiting) = mpsc::channel::<Names>(1);
        let dbs = [target_db];
        let scanning = async {
            let scanned = scanner.all(&dbs, &job.stop, |found| names.send(found)).await;
            drop(names);
            scanned.map_err(lost)
        };
        let asking = async {
            let mut asker = SourceAsker::connect(checked, source_db).await?;
            while let Some(names) = waiting.recv().await {
                asker.ask(&names, &job.config, findings).await?;
            }
            Ok::<_, MigrateError>(())
        };
        let (scanned, asked) = tokio::join!(scanning, asking);
        asked?;
        scanned?;
    }
    Ok(())
}

/// Asks the source which keys exist.
struct SourceAsker<'a> {
    checked: &'a Checked,
    source: Asker,
    target: Asker,
    db: u32,
}

impl<'a> SourceAsker<'a> {
    async fn connect(checked: &'a Checked, db: u32) -> Result<Self, MigrateError> {
        let source = Asker::connect(&checked.source).await;
        let source = source
            .map_err(|error| source_error(&checked.source.connector, "connecting", &error))?;
        let target = Asker::connect(&checked.target).await;
        let target = target
            .map_err(|error| target_error("connecting", &checked.target.connector, &error))?;
        Ok(Self { checked, source, target, db })
    }

    async fn ask(
        &mut self,
        names: &Names,
        config: &Config,
        findings: &Findings,
    ) -> Result<(), MigrateError> {
        let wanted: Vec<&[u8]> = names.iter().filter(|name| config.filter.accepts(name)).collect();
        for key in self.missing(&wanted).await? {
            if self.is_still_there(names.db, key).await? {
                findings.differs(Difference {
                    db: self.db,
                    key: KeyName(key.to_vec()),
                    kind: DifferenceKind::MissingSource,
                    detail: String::from("only on the target"),
                });
            }
        }
        Ok(())
    }

    /// Those of the keys that are not on the source.
    async fn missing<'k>(&mut self, keys: &[&'k [u8]]) -> Result<Vec<&'k [u8]>, MigrateError> {
        let lost = |error: ClientError| {
            source_error(&self.checked.source.connector, "reading keys", &error)
        };
        let replies = self.source.each(self.db, b"EXISTS", keys).await.map_err(lost)?;
        let pairs = keys.iter().zip(&replies);
        Ok(pairs.filter(|(_, reply)| **reply == Value::Integer(0)).map(|(key, _)| *key).collect())
    }

    /// Whether the target has the key now: it may just have expired on both ends.
    async fn is_still_there(&mut self, db: u32, key: &[u8]) -> Result<bool, MigrateError> {
        let lost = |error: ClientError| {
            target_error("reading keys", &self.checked.target.connector, &error)
        };
        let replies = self.target.each(db, b"EXISTS", &[key]).await.map_err(lost)?;
        Ok(replies.first() != Some(&Value::Integer(0)))
    }
}
