//! Which files an append-only file is made of, and what stands in front of their commands.

use std::path::{Path, PathBuf};

use ferrite_rdb::aof::{Content, MANIFEST_MAX, Manifest};
use ferrite_rdb::{Event, Format, Reader, Sink, Step};

use super::walk::file_error;
use super::window::FileBytes;
use crate::error::{ErrorKind, MigrateError};

/// How the name of a manifest ends.
const MANIFEST_SUFFIX: &str = "manifest";
/// Manifests that are named when there are several.
const NAMED_MAX: usize = 5;
/// The size from which a value of a preamble is walked in parts, in bytes.
const VALUE_LIMIT: usize = 1 << 20;

/// One file.
#[derive(Clone, Debug)]
pub struct AofFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is what was there at a moment, not what was done since.
    pub is_base: bool,
    /// The snapshot it begins with, where it does.
    pub rdb: Option<Preamble>,
    /// Where its commands begin.
    pub commands_at: u64,
}

/// A snapshot in front of commands.
#[derive(Clone, Copy, Debug)]
pub struct Preamble {
    /// Who wrote it.
    pub format: Format,
    /// Unix time in seconds at which it was made, where it says so.
    pub made_at: Option<u64>,
    /// Whether it says that commands follow it.
    pub is_part_of_aof: bool,
}

/// The files of `path`, in order: a file by itself, a directory with a manifest, or a manifest.
///
/// # Errors
/// Files that cannot be read or are none of an append-only file; a damaged snapshot.
pub fn list(path: &Path) -> Result<Vec<AofFile>, MigrateError> {
    let meta = std::fs::metadata(path).map_err(|error| file_error("opening", path, &error))?;
    if meta.is_dir() {
        return parts(&manifest_in(path)?);
    }
    if path.extension().is_some_and(|ending| ending == MANIFEST_SUFFIX) {
        return parts(path);
    }
    let file = look_at(path.to_owned(), false)?;
    let has_commands = std::fs::metadata(path).is_ok_and(|meta| meta.len() > file.commands_at);
    match file.rdb {
        Some(rdb) if !rdb.is_part_of_aof && !has_commands => {
            let cause = "it is an RDB file, without commands behind it";
            let hint = "an RDB file is imported by: ferrite-migrate import-rdb FILE";
            Err(refused(path, cause).with_hint(hint))
        }
        _ => Ok(vec![file]),
    }
}

/// Whether an RDB that begins with these bytes says that it is the beginning of an append-only file.
#[must_use]
pub fn announces_commands(begins: &[u8]) -> bool {
    let mut reader = Reader::new(VALUE_LIMIT);
    let mut found = Preamble::default();
    let mut rest = begins;
    while let Ok(Step::Event { consumed, event }) = reader.next(rest) {
        match event {
            Event::Aux { key, value } => found.aux(&key, &value),
            Event::Header(_) => {}
            _ => break,
        }
        rest = rest.get(consumed..).unwrap_or_default();
    }
    found.is_part_of_aof
}

/// Whether a file is an RDB, as it stands, with something behind it; a pipe is read only once, and
/// not by this.
///
/// # Errors
/// A file that cannot be read; a damaged snapshot.
pub fn has_commands_behind(path: &Path) -> Result<bool, MigrateError> {
    let failed = |error| file_error("reading", path, &error);
    let meta = std::fs::metadata(path).map_err(failed)?;
    if !meta.is_file() {
        return Ok(false);
    }
    let mut bytes = FileBytes::open(path, 0).map_err(failed)?;
    bytes.more().map_err(failed)?;
    let head = bytes.bytes();
    match Content::of(head.get(..Content::HEAD_LEN).unwrap_or(head)) {
        Content::Rdb => preamble(path, bytes).map(|(_, commands_at)| meta.len() > commands_at),
        _ => Ok(false),
    }
}

/// The one manifest of a directory.
fn manifest_in(folder: &Path) -> Result<PathBuf, MigrateError> {
    let entries =
        std::fs::read_dir(folder).map_err(|error| file_error("opening", folder, &error))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let is_manifest = |path: &PathBuf| path.extension().is_some_and(|it| it == MANIFEST_SUFFIX);
    let mut found: Vec<PathBuf> = paths.filter(is_manifest).take(NAMED_MAX).collect();
    found.sort();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => {
            let hint = "name the file, or the directory with the manifest (appendonlydir)";
            Err(refused(folder, "there is no manifest in this directory").with_hint(hint))
        }
        several => {
            let names: Vec<_> = several.iter().map(|path| path.display().to_string()).collect();
            let cause = format!("there are several manifests: {}", names.join(", "));
            Err(refused(folder, cause).with_hint("name the manifest"))
        }
    }
}

fn parts(manifest: &Path) -> Result<Vec<AofFile>, MigrateError> {
    let meta =
        std::fs::metadata(manifest).map_err(|error| file_error("opening", manifest, &error))?;
    if meta.len() > MANIFEST_MAX as u64 {
        return Err(refused(manifest, "a manifest of more than 1 MiB is none"));
    }
    let text = std::fs::read(manifest).map_err(|error| file_error("reading", manifest, &error))?;
    let parsed = Manifest::parse(&text).map_err(|error| {
        MigrateError::new(
            ErrorKind::Data,
            format!("reading the manifest {}", manifest.display()),
            error,
        )
    })?;
    let folder = manifest.parent().unwrap_or(Path::new("."));
    let base = parsed.base.iter().map(|part| (part, true));
    let increments = parsed.increments.iter().map(|part| (part, false));
    base.chain(increments)
        .map(|(part, is_base)| look_at(folder.join(os_name(&part.name)?), is_base))
        .collect()
}

/// A name of bytes as a name of a file.
fn os_name(name: &[u8]) -> Result<String, MigrateError> {
    String::from_utf8(name.to_vec()).map_err(|_| {
        let name = name.escape_ascii();
        MigrateError::new(ErrorKind::Data, format!("opening \"{name}\""), "the name is not UTF-8")
    })
}

/// What a file begins with. A snapshot is walked to its end, which finds damage in it.
fn look_at(path: PathBuf, is_base: bool) -> Result<AofFile, MigrateError> {
    let failed = |error| file_error("reading", &path, &error);
    let mut bytes = FileBytes::open(&path, 0).map_err(failed)?;
    bytes.more().map_err(failed)?;
    let head = bytes.bytes();
    match Content::of(head.get(..Content::HEAD_LEN).unwrap_or(head)) {
        Content::Commands | Content::Empty => {
            Ok(AofFile { path, is_base, rdb: None, commands_at: 0 })
        }
        Content::Rdb => {
            let (rdb, commands_at) = preamble(&path, bytes)?;
            Ok(AofFile { path, is_base, rdb: Some(rdb), commands_at })
        }
        Content::Other => {
            let cause = "it begins with neither a command (*), nor an annotation (#), nor an RDB";
            Err(refused(&path, cause).with_hint("see that it is the file that is meant"))
        }
    }
}

/// Takes elements and keeps none.
struct Nothing;

impl Sink for Nothing {}

/// Walks a snapshot: what it says of itself, and where it ends.
fn preamble(path: &Path, mut bytes: FileBytes) -> Result<(Preamble, u64), MigrateError> {
    let mut reader = Reader::new(VALUE_LIMIT);
    let mut found = Preamble::default();
    let mut in_parts = false;
    loop {
        let damaged = |error| {
            let doing = format!("reading the RDB in front of {}", path.display());
            let hint = "what is in it can be seen with: ferrite-migrate analyze-rdb FILE";
            MigrateError::new(ErrorKind::Data, doing, error).with_hint(hint)
        };
        let consumed = if in_parts {
            let part = reader.next_part(bytes.bytes(), &mut Nothing).map_err(damaged)?;
            in_parts = !part.done;
            (part.consumed > 0 || part.done).then_some(part.consumed)
        } else {
            match reader.next(bytes.bytes()).map_err(damaged)? {
                Step::NeedMore => None,
                Step::Event { consumed, event } => {
                    match event {
                        Event::End { .. } => {
                            found.format = reader.format();
                            return Ok((found, reader.offset()));
                        }
                        Event::Aux { key, value } => found.aux(&key, &value),
                        Event::Large(_) => in_parts = true,
                        _ => {}
                    }
                    Some(consumed)
                }
            }
        };
        match consumed {
            Some(count) => bytes.consume(count),
            None if bytes.more().map_err(|error| file_error("reading", path, &error))? => {}
            None => {
                let kind = ferrite_rdb::ErrorKind::Truncated("the RDB");
                return Err(damaged(ferrite_rdb::Error::new(kind, reader.offset())));
            }
        }
    }
}

impl Default for Preamble {
    fn default() -> Self {
        Self { format: Format::redis(0), made_at: None, is_part_of_aof: false }
    }
}

impl Preamble {
    fn aux(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"ctime" => {
                self.made_at = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
            }
            b"aof-base" | b"aof-preamble" => self.is_part_of_aof = value == b"1",
            _ => {}
        }
    }
}

fn refused(path: &Path, cause: impl std::fmt::Display) -> MigrateError {
    MigrateError::new(ErrorKind::Data, format!("opening {}", path.display()), cause)
}
