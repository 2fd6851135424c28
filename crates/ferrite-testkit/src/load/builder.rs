//! What a load is to be, before it starts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::{io, thread};

use super::counters::{self, Counter};
use super::feature::Feature;
use super::shared::{Settings, Shared};
use super::writer::Writer;
use super::{Load, commands};
use crate::client::{Client, ClientError, Connector};
use crate::dataset::DEFAULT_SEED;

/// Writers, keys of each type and longest pipeline, unless told otherwise.
const WRITERS: usize = 2;
const KEYS: u64 = 200;
const PIPELINE: usize = 32;
/// Most writers, and longest pipeline.
const MAX_WRITERS: usize = 64;
const MAX_PIPELINE: usize = 1000;

/// Why a load did not start.
#[derive(Debug, thiserror::Error)]
pub enum LoadStartError {
    /// Settings that do not go together, or are out of bounds.
    #[error("this load cannot be: {0}")]
    Setting(String),
    /// The first connection failed.
    #[error("a load could not start: {0}")]
    Client(#[from] ClientError),
    /// The server refused a database of the load.
    #[error("a load could not select database {database}: {reply}")]
    Database {
        /// The database.
        database: u32,
        /// The server's answer.
        reply: String,
    },
    /// The system gave no thread.
    #[error("a load could not start a writer: {0}")]
    Thread(#[from] io::Error),
}

/// Settings of a [`Load`].
#[derive(Debug, Clone)]
pub struct LoadBuilder {
    settings: Settings,
}

impl LoadBuilder {
    pub(super) fn new() -> LoadBuilder {
        LoadBuilder {
            settings: Settings {
                writers: WRITERS,
                seed: DEFAULT_SEED,
                rate: None,
                keys: KEYS,
                databases: vec![0],
                pipeline: PIPELINE,
                features: BTreeSet::from(Feature::USUAL),
            },
        }
    }

    /// Threads with a connection each: 1 to 64, two unless told otherwise.
    #[must_use]
    pub fn writers(mut self, writers: usize) -> LoadBuilder {
        self.settings.writers = writers;
        self
    }

    /// The same seed gives every writer the same choices, except for moments in time and for ids
    /// and payloads the server has told.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> LoadBuilder {
        self.settings.seed = seed;
        self
    }

    /// Operations in a second of all writers together; as many as the server takes with `None`.
    #[must_use]
    pub fn rate(mut self, per_second: Option<u64>) -> LoadBuilder {
        self.settings.rate = per_second;
        self
    }

    /// Different keys of each type and database, at least one; 200 unless told otherwise.
    #[must_use]
    pub fn keys(mut self, keys: u64) -> LoadBuilder {
        self.settings.keys = keys;
        self
    }

    /// The databases written to; the first, which holds the counters, gets more than the others.
    #[must_use]
    pub fn dbs(mut self, databases: &[u32]) -> LoadBuilder {
        self.settings.databases = databases.to_vec();
        self
    }

    /// Most operations sent at once: 1 to 1,000, 32 unless told otherwise. Each time a number up
    /// to this one is chosen.
    #[must_use]
    pub fn pipeline(mut self, most: usize) -> LoadBuilder {
        self.settings.pipeline = most;
        self
    }

    /// Adds a group of commands.
    #[must_use]
    pub fn with(mut self, feature: Feature) -> LoadBuilder {
        self.settings.features.insert(feature);
        self
    }

    /// Leaves a group of commands out.
    #[must_use]
    pub fn without(mut self, feature: Feature) -> LoadBuilder {
        self.settings.features.remove(&feature);
        self
    }

    /// Starts the writers against a server.
    ///
    /// # Errors
    /// [`LoadStartError`] when settings do not go together or the server cannot be asked.
    pub fn start(mut self, connector: Connector) -> Result<Load, LoadStartError> {
        // One database is an ordinary wish; flushing or swapping others is then a mistake.
        if self.settings.databases.len() < Feature::Databases.databases() {
            self.settings.features.remove(&Feature::Databases);
        }
        check(&self.settings).map_err(LoadStartError::Setting)?;
        let mut client = connector.connect()?;
        let counters = prepared(&self.settings, &mut client)?;
        let mut load = Load::of(Arc::new(Shared::new(self.settings, connector)));
        for (number, counters) in counters.into_iter().enumerate() {
            let writer = Writer::new(number, Arc::clone(&load.shared), counters);
            let thread = thread::Builder::new().name(format!("load-{number}"));
            load.threads.push(thread.spawn(move || writer.run())?);
        }
        Ok(load)
    }
}

fn check(settings: &Settings) -> Result<(), String> {
    let Settings { writers, keys, databases, pipeline, features, .. } = settings;
    let different: BTreeSet<&u32> = databases.iter().collect();
    if !(1..=MAX_WRITERS).contains(writers) {
        return Err(format!("{writers} writers, not 1 to {MAX_WRITERS}"));
    }
    if !(1..=MAX_PIPELINE).contains(pipeline) {
        return Err(format!("pipelines of {pipeline}, not 1 to {MAX_PIPELINE}"));
    }
    if *keys == 0 || databases.is_empty() || different.len() < databases.len() {
        return Err("it needs keys, and databases that are all different".to_owned());
    }
    match features.iter().find(|feature| feature.databases() > databases.len()) {
        Some(feature) => {
            Err(format!("{feature:?} needs at least {} databases", feature.databases()))
        }
        None => Ok(()),
    }
}

/// Makes sure that the server will do; gives the counters of each writer.
fn prepared(settings: &Settings, client: &mut Client) -> Result<Vec<Vec<Counter>>, LoadStartError> {
    if commands::menu(client, &settings.features)?.is_empty() {
        let reason = "the server has none of the commands that were not left out";
        return Err(LoadStartError::Setting(reason.to_owned()));
    }
    // The first comes last: it has the counters.
    for database in settings.databases.iter().rev() {
        let reply = client.try_call(&["SELECT", &database.to_string()])?;
        if reply.is_error() {
            let (database, reply) = (*database, reply.to_string());
            return Err(LoadStartError::Database { database, reply });
        }
    }
    let first = settings.databases.first().copied().unwrap_or_default();
    let counters = (0..settings.writers).map(|writer| counters::of_writer(writer, first, client));
    Ok(counters.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(builder: LoadBuilder) -> String {
        check(&builder.settings).unwrap_err()
    }

    #[test]
    fn settings_that_cannot_be_are_refused() {
        let builder = LoadBuilder::new;
        assert!(refusal(builder().writers(0)).contains("0 writers"));
        assert!(refusal(builder().pipeline(0)).contains("pipelines of 0"));
        assert!(refusal(builder().keys(0)).contains("keys"));
        assert!(refusal(builder().dbs(&[1, 1])).contains("different"));
        let without = builder().without(Feature::Databases);
        assert_eq!(check(&without.settings), Ok(()));
        assert!(refusal(without.with(Feature::FlushDb)).contains("FlushDb needs at least 2"));
        let swapping = builder().dbs(&[0, 1]).with(Feature::SwapDb);
        assert!(refusal(swapping).contains("SwapDb needs at least 3"));
    }
}
