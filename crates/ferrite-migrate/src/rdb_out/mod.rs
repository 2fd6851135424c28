//! RDB files that are written: converted from another file, or exported from a server.
//!
//! ```text
//! file ───────► Bytes ─┐                            ┌─ as it is ──┐
//! PSYNC ──────► link  ─┴─► reader ──► key ──► route ┼─ re-encoded ┼─► file ──► fsync, rename
//! SCAN, DUMP ───────────────────────► key ────────► └─ left out   ┘
//! ```
//!
//! The file has a temporary name until it is complete: a run that fails leaves nothing under the
//! name that was asked for.

mod export;
mod file;
mod output;
mod walk;

use std::path::{Path, PathBuf};
use std::time::Instant;

use ferrite_rdb::transcode::Target;
use ferrite_rdb::{Dialect, Format};
use serde::Serialize;

pub use export::{ExportSource, export_rdb};

use crate::error::{ErrorKind, MigrateError};
use crate::inputs::{FileSupply, Place};
use crate::report::{ExitCode, Skip, TypeCount};
use output::RdbOutput;

/// What a file is written for, and where it goes.
#[derive(Clone, Debug)]
pub struct RdbDestination {
    path: PathBuf,
    to: Option<Target>,
}

impl RdbDestination {
    /// A file at that path, `-` for standard output; without more, for the server it is read from.
    #[must_use]
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self { path: path.as_ref().to_owned(), to: None }
    }

    /// The same file, for a server of that name: see [`parse_server`]. `modules` are those it has,
    /// by the names `MODULE LIST` shows.
    ///
    /// # Errors
    /// Says which names there are.
    pub fn to_server(mut self, name: &str, modules: &[String]) -> Result<Self, String> {
        let to = parse_server(name)?.with_modules(modules.iter().map(String::as_str));
        self.to = Some(to);
        Ok(self)
    }
}

/// A server by family and version: `redis-6.2`, `valkey-9`, `keydb`, `dragonfly`; or a version of
/// the format: `rdb-9`, as Redis has it, from 6 to 15.
///
/// # Errors
/// Says what is accepted.
pub fn parse_server(name: &str) -> Result<Target, String> {
    let refused = || {
        String::from(
            "a server is named as redis-6.2, redis-7.0, valkey-8.1, valkey-9, keydb or dragonfly; \
             or its format as rdb-6 to rdb-15",
        )
    };
    let (family, version) = name.split_once('-').unwrap_or((name, ""));
    let (major, minor) = version.split_once('.').unwrap_or((version, "0"));
    let numbers = major.parse::<u32>().ok().zip(minor.parse::<u32>().ok());
    match (family, numbers) {
        ("redis", Some((major @ 2.., minor))) => {
            Ok(Target::for_server(Dialect::Redis, major, minor))
        }
        ("valkey", Some((major @ 7.., minor))) => {
            Ok(Target::for_server(Dialect::Valkey, major, minor))
        }
        ("keydb", _) => Ok(Target::for_server(Dialect::KeyDb, 6, 3)),
        ("dragonfly", _) => Ok(Target::for_server(Dialect::Dragonfly, 1, 0)),
        ("rdb", Some((version @ 6..=15, 0))) => Ok(Target::new(Format::redis(version))),
        _ => Err(refused()),
    }
}

/// What became of the keys of a file that was written.
#[derive(Clone, Debug, Serialize)]
pub struct RdbReport {
    /// Where the keys came from.
    pub source: String,
    /// How they were read: `rdb`, `psync` or `scan`.
    pub how: &'static str,
    /// The file.
    pub file: String,
    /// The family of servers it is for.
    pub dialect: String,
    /// The version of its format.
    pub rdb_version: u32,
    /// Its size in bytes.
    pub file_bytes: u64,
    /// Keys in it.
    pub keys: u64,
    /// Those that had to be written anew, because the server does not read the source's encoding.
    pub reencoded: u64,
    /// Function libraries in it.
    pub functions: u64,
    /// Keys by type.
    pub types: Vec<TypeCount>,
    /// What was left out, by reason.
    pub skipped: Vec<Skip>,
    /// Milliseconds it took.
    pub elapsed_ms: u64,
}

impl RdbReport {
    /// The exit code that says how it went.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        if self.skipped.is_empty() { ExitCode::Done } else { ExitCode::Skipped }
    }
}

/// Writes the keys of an RDB file (`-` is standard input) to another one, for another server.
///
/// # Errors
/// A file that cannot be read to its end, or cannot be written; there is no new file then.
pub async fn convert_rdb(
    from: impl AsRef<Path>,
    to: &RdbDestination,
) -> Result<RdbReport, MigrateError> {
    let began = Instant::now();
    let place = Place::named(from.as_ref());
    let mut supply = FileSupply::open(&place).await?;
    let Some(server) = to.to.clone() else {
        let cause = "it is not said for which server the new file is";
        return Err(MigrateError::new(ErrorKind::Config, format!("converting {place}"), cause)
            .with_hint("name it, as in --to redis-7.0"));
    };
    let mut output = RdbOutput::create(&to.path, server)?;
    walk::write_rdb(&mut supply, &mut output).await?;
    output.finish(place.to_string(), "rdb", began)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_have_their_formats() {
        let cases = [
            ("redis-2.8", Format::redis(6)),
            ("redis-6.2", Format::redis(9)),
            ("redis-7", Format::redis(10)),
            ("redis-8.0", Format::redis(12)),
            ("valkey-8.1", Format::redis(11)),
            ("valkey-9", Format::valkey(80)),
            ("keydb", Format { dialect: Dialect::KeyDb, version: 9 }),
            ("rdb-11", Format::redis(11)),
        ];
        for (name, format) in cases {
            assert_eq!(parse_server(name).map(|target| target.format), Ok(format), "{name}");
        }
        for name in ["", "redis", "redis-1.0", "redis-x", "valkey-6", "rdb-5", "rdb-16", "mysql-8"]
        {
            assert!(parse_server(name).is_err_and(|why| why.contains("redis-6.2")), "{name}");
        }
    }
}
