//! Keys with their fingerprints, in parts by key.
//!
//! ```text
//! name 16 | digest 16 | size 8 | groups 8 | expiry 8, 2^64-1 for none | type 1 | kind 1
//!         | db 4 | key length 4 | key
//! ```
//!
//! `name` is the fingerprint of database and key; numbers are little endian.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use ferrite_rdb::ValueKind;
use ferrite_rdb::digest::Digest;
use xxhash_rust::xxh3::Xxh3;

use crate::error::{ErrorKind, MigrateError};
use crate::verify::Found;

/// How many parts there are; each may be an open file.
pub const PARTS: usize = 256;
/// Bytes of a part that stay in memory.
const BUFFER_MAX: usize = 64 << 10;
/// Bytes of a record in front of its key.
const HEAD_LEN: usize = 66;
/// What stands for a key without expiry.
const NO_EXPIRY: u64 = u64::MAX;
/// The kinds of value, by their number in a record; 255 is none of them.
const KINDS: [ValueKind; 7] = [
    ValueKind::String,
    ValueKind::List,
    ValueKind::Set,
    ValueKind::Zset,
    ValueKind::Hash,
    ValueKind::Stream,
    ValueKind::Module,
];

/// The folder the parts are in; removed when it is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// A folder in `scratch`, which is made once it is needed.
    #[must_use]
    pub fn new(scratch: &Path) -> Self {
        Self { path: scratch.join(format!("ferrite-diff-{}", std::process::id())) }
    }

    /// The parts of one file, none of which has a key.
    #[must_use]
    pub fn parts(&self, name: &str) -> Parts {
        let parts = (0..PARTS).map(|_| Part::default()).collect();
        Parts { folder: self.path.clone(), name: name.to_owned(), parts }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Where no part was long, it was never made.
        let _ = fs::remove_dir_all(&self.path);
    }
}

#[derive(Debug, Default)]
struct Part {
    buffer: Vec<u8>,
    file: Option<File>,
}

/// The keys of one file.
#[derive(Debug)]
pub struct Parts {
    folder: PathBuf,
    name: String,
    parts: Vec<Part>,
}

impl Parts {
    /// Adds a key.
    ///
    /// # Errors
    /// The disk is full.
    pub fn push(&mut self, db: u32, key: &[u8], found: &Found) -> Result<(), MigrateError> {
        let name = name(db, key);
        let at = usize::from(name.to_le_bytes()[0]) % PARTS;
        let Some(part) = self.parts.get_mut(at) else { return Ok(()) };
        let kind = KINDS.iter().position(|kind| Some(*kind) == found.kind);
        let kind = kind.and_then(|at| u8::try_from(at).ok()).unwrap_or(u8::MAX);
        let out = &mut part.buffer;
        out.extend_from_slice(&name.to_le_bytes());
        out.extend_from_slice(&found.digest.0.to_le_bytes());
        out.extend_from_slice(&found.size.to_le_bytes());
        out.extend_from_slice(&found.groups.to_le_bytes());
        out.extend_from_slice(&found.expires_at_ms.unwrap_or(NO_EXPIRY).to_le_bytes());
        out.extend_from_slice(&[found.type_byte, kind]);
        out.extend_from_slice(&db.to_le_bytes());
        out.extend_from_slice(&u32::try_from(key.len()).unwrap_or(u32::MAX).to_le_bytes());
        out.extend_from_slice(key);
        if part.buffer.len() < BUFFER_MAX {
            return Ok(());
        }
        let path = self.folder.join(format!("{}-{at}", self.name));
        let failed = |error: std::io::Error| {
            MigrateError::new(ErrorKind::Target, format!("writing {}", path.display()), error)
                .with_hint("see whether the disk is full: df; TMPDIR=DIR takes another one")
        };
        if part.file.is_none() {
            fs::create_dir_all(&self.folder).map_err(failed)?;
            let file = File::options().read(true).write(true).create_new(true).open(&path);
            part.file = Some(file.map_err(failed)?);
        }
        if let Some(file) = &mut part.file {
            file.write_all(&part.buffer).map_err(failed)?;
            part.buffer.clear();
        }
        Ok(())
    }

    /// The bytes of a part, which is empty then.
    ///
    /// # Errors
    /// They cannot be read again.
    pub fn take(&mut self, at: usize) -> Result<Vec<u8>, MigrateError> {
        let Some(part) = self.parts.get_mut(at) else { return Ok(Vec::new()) };
        let mut bytes = Vec::new();
        if let Some(mut file) = part.file.take() {
            let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_end(&mut bytes));
            read.map_err(|error| {
                let doing = format!("reading {}", self.folder.display());
                MigrateError::new(ErrorKind::Internal, doing, error)
            })?;
        }
        bytes.append(&mut part.buffer);
        Ok(bytes)
    }
}

/// The fingerprint of database and key.
fn name(db: u32, key: &[u8]) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(&db.to_le_bytes());
    hasher.update(key);
    hasher.digest128()
}

/// A key, borrowed from its part.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// The fingerprint of database and key.
    pub name: u128,
    /// The database.
    pub db: u32,
    /// The key.
    pub key: &'a [u8],
    head: &'a [u8; HEAD_LEN],
}

impl Record<'_> {
    /// What is known of its value.
    #[must_use]
    pub fn found(&self) -> Found {
        let expires_at_ms = u64::from_le_bytes(self.field(48));
        Found {
            kind: KINDS.get(usize::from(self.field::<1>(57)[0])).copied(),
            expires_at_ms: (expires_at_ms != NO_EXPIRY).then_some(expires_at_ms),
            digest: Digest(u128::from_le_bytes(self.field(16))),
            size: u64::from_le_bytes(self.field(32)),
            groups: u64::from_le_bytes(self.field(40)),
            type_byte: self.field::<1>(56)[0],
        }
    }

    fn field<const LEN: usize>(&self, at: usize) -> [u8; LEN] {
        field(self.head, at)
    }
}

/// Bytes of a head; all offsets and lengths are those of the drawing above.
fn field<const LEN: usize>(head: &[u8; HEAD_LEN], at: usize) -> [u8; LEN] {
    head.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or([0; LEN])
}

/// The keys of a part, in the order they came.
pub fn records(bytes: &[u8]) -> impl Iterator<Item = Record<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (head, behind) = rest.split_first_chunk::<HEAD_LEN>()?;
        let len = u32::from_le_bytes(field(head, 62)) as usize;
        let (key, next) = behind.split_at_checked(len)?;
        rest = next;
        let (name, db) = (u128::from_le_bytes(field(head, 0)), u32::from_le_bytes(field(head, 58)));
        Some(Record { name, db, key, head })
    })
}
