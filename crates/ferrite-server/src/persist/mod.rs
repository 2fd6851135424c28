//! Snapshots of all keys at one moment, without fork: to a file, and to replicas.
//!
//! All shards are locked for the moment of the cut. From then on every key that is about to
//! change is written to the snapshot as it was, and the others are written shard by shard, a few
//! hundred under each lock. What comes out is an RDB stream.

pub mod load;
pub mod points;
pub mod progress;
pub mod save;
pub mod snapshot;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64};

use parking_lot::Mutex;

use progress::Progress;

/// What the server knows about its snapshots.
#[derive(Debug)]
pub struct Persistence {
    /// Held by whoever writes a snapshot: there is one at a time.
    pub running: Mutex<()>,
    /// The folder of the file.
    pub folder: Mutex<PathBuf>,
    /// The file's name in it.
    pub file: Mutex<String>,
    /// Whether a file is being written in the background.
    pub saving: AtomicBool,
    /// When a file was last written whole, Unix seconds.
    pub last_save: AtomicI64,
    /// Whether the last attempt to write a file succeeded.
    pub last_ok: AtomicBool,
    /// When a save point last began to write a file, Unix seconds.
    pub last_try: AtomicI64,
    /// How long the last one took, in seconds; -1 where there was none.
    pub last_seconds: AtomicI64,
    /// When the file that is being written was begun, Unix seconds.
    pub began: AtomicI64,
    /// How far the file is loaded.
    pub progress: Progress,
    /// Keys of the file that was loaded at the start: that had expired, and that are there.
    pub loaded: [AtomicU64; 2],
    /// How many were written.
    pub saves: AtomicU64,
    /// Changes that the last file does not have.
    pub saved_dirty: AtomicU64,
}

impl Persistence {
    /// Nothing saved yet.
    pub fn new(folder: PathBuf, file: String) -> Self {
        Self {
            running: Mutex::new(()),
            folder: Mutex::new(folder),
            file: Mutex::new(file),
            saving: AtomicBool::new(false),
            last_save: AtomicI64::new(crate::shared::unix_ms() / 1000),
            last_ok: AtomicBool::new(true),
            last_try: AtomicI64::new(0),
            last_seconds: AtomicI64::new(-1),
            began: AtomicI64::new(0),
            progress: Progress::default(),
            loaded: Default::default(),
            saves: AtomicU64::new(0),
            saved_dirty: AtomicU64::new(0),
        }
    }

    /// The file's path.
    pub fn path(&self) -> PathBuf {
        self.folder.lock().join(&*self.file.lock())
    }
}
