//! How the keys of a file get to the target, and when a file can be loaded by the target itself.

use super::{Config, ConfigBuilder};
use crate::engine::Limits;

/// How the keys of a file get to the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileStrategy {
    /// As a replica where that can be done and nobody would notice, else by commands.
    #[default]
    Auto,
    /// The target is made a replica of this process, loads the file itself, and is made a primary
    /// again. Only an empty target, and a whole RDB file.
    Replica,
    /// The keys are written by commands.
    Commands,
}

impl ConfigBuilder {
    /// How the keys of an [`input`](Self::input) get to the target; [`FileStrategy::Auto`] by default.
    #[must_use]
    pub fn file_strategy(mut self, strategy: FileStrategy) -> Self {
        self.file_strategy = strategy;
        self
    }
}

/// Why the target is not to load the file itself, by what is wanted.
#[must_use]
pub fn why_not_loaded(config: &Config) -> Option<&'static str> {
    let is_whole = config.filter.is_all() && config.types.is_empty();
    match () {
        () if config.file_strategy == FileStrategy::Commands => {
            Some("asked for with --strategy commands")
        }
        () if config.source.input().and_then(|input| input.kind().whole_rdb()).is_none() => {
            Some("only an RDB file is loaded, under the names it has")
        }
        () if config.dry_run => Some("nothing is to be written"),
        () if !is_whole || config.input_db.is_some() => Some("only some of the keys are wanted"),
        () if config.target_db().is_some() => Some("the target's address names a database"),
        () if config.limits != Limits::default() => Some("a server loads as fast as it can"),
        () => None,
    }
}
