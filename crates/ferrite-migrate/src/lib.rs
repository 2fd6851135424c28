//! Moves data between servers that speak the Redis protocol: the engine and its Rust interface.
//!
//! ```no_run
//! use ferrite_migrate::{Config, Migration, Mode};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::builder()
//!     .source("redis://source:6379")
//!     .target("redis://target:6379")
//!     .mode(Mode::Snapshot)
//!     .parallel(8)
//!     .include_pattern("user:*")
//!     .exclude_pattern("temp:*")
//!     .build()?;
//!
//! let mut migration = Migration::new(config).await?;
//! migration.start().await?;
//! let report = migration.wait().await?;
//! println!("{} keys copied", report.keys.copied);
//!
//! let result = migration.verify().await?;
//! println!("verified: {}", result.success);
//! # Ok(())
//! # }
//! ```
//!
//! The library never prints, never exits and reads no environment; what happens is told by
//! [`Status`], [`Event`]s and the final [`Report`].

mod analyze;
mod cluster;
mod config;
mod engine;
mod error;
mod exports;
mod fetch;
mod files;
mod glob;
mod inputs;
mod jobs;
mod key_template;
mod live;
mod migration;
mod model;
mod preflight;
mod rdb_diff;
mod rdb_out;
mod report;
mod scan;
mod sources;
mod targets;
mod time;
mod verify;
mod workers;

pub use analyze::{
    Analysis, BigKey, Damage, DatabaseCount, ExpiryBucket, KeyFacts, Look, Measure, PatternCount,
    RdbAnalysis, Rung, Size, SourceAnalysis, Speed, StepOver, TOP_MAX, Tally, TypeShare,
    analyze_rdb, analyze_source,
};
pub use config::{
    BATCH_SIZE_MAX, Config, ConfigBuilder, ConfigError, Endpoint, FileStrategy, KeyType,
    MEMORY_LIMIT_MIN, Mode, OnConflict, Origin, PARALLEL_MAX, Strategy,
};
pub use engine::{Limits, RATE_MIN};
pub use error::{ErrorKind, MigrateError};
pub use exports::{Export, ExportFormat, ExportReport};
pub use ferrite_client::{Address, TlsOptions};
pub use files::RdbReader;
pub use glob::{KeyFilter, matches_glob};
pub use inputs::{
    AofOptions, Input, MAPPING_MAX, MappedType, Mapping, MappingOrigin, MemcachedFlags,
    csv_delimiter, read_mapping,
};
pub use jobs::{
    JobDir, JobEntry, JobError, JobGuard, JobLag, JobProgress, JobRecord, JobRounds, JobStatus,
    JobStore, JobVerify, JournalRecord, Pattern, Plan, PlanTls, Shard, SkippedKeys, State,
    Throttle, TtlGuard, WrittenBy, control,
};
pub use key_template::KeyTemplate;
pub use live::{Guard, adopt};
pub use migration::{Migration, Stopper, abort};
pub use rdb_diff::diff_rdb;
pub use rdb_out::{
    ExportSource, RdbDestination, RdbProgress, RdbReport, convert_rdb, export_rdb, parse_server,
};
pub use report::{
    Aborted, Check, CheckStatus, Cutover, Difference, DifferenceKind, Event, ExitCode, Followed,
    Following, KeyCounts, KeyName, PartitionStatus, Phase, PreflightReport, Replayed, Report,
    SharedReport, SharedStatus, Skip, Status, Throttled, TypeCount, VerificationReport, Verified,
    WorkerShare,
};
pub use time::{parse_rfc3339, rfc3339};
pub use verify::Coverage;
pub use workers::{Workers, shared_status};
