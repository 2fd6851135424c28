//! What a log promises, tried on real files.

mod damage;
mod flow;
mod format;
mod limits;
mod model;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tempfile::TempDir;

use super::{Block, Gauge, QUOTA_MIN, Reader, SpoolError, SpoolOptions, Writer};

/// Nothing waited for here takes as long.
const DEADLINE: Duration = Duration::from_secs(30);

/// A folder that does not outlive the test.
fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn options(dir: &TempDir, segment_bytes: u64) -> SpoolOptions {
    SpoolOptions { dir: dir.path().to_owned(), quota: 6 * QUOTA_MIN, segment_bytes }
}

fn create(dir: &TempDir, segment_bytes: u64, start: u64) -> (Writer, Reader) {
    super::create(options(dir, segment_bytes), start).unwrap()
}

fn open(dir: &TempDir, segment_bytes: u64, from: u64) -> Option<(Writer, Reader)> {
    super::open(options(dir, segment_bytes), from).unwrap()
}

/// Bytes that do not repeat, the same every time.
fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

/// Bytes that repeat, as commands do.
fn commands(bytes: usize) -> Vec<u8> {
    b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n".iter().copied().cycle().take(bytes).collect()
}

async fn next(reader: &mut Reader, into: &mut Vec<u8>) -> Result<Block, SpoolError> {
    tokio::time::timeout(DEADLINE, reader.next(into)).await.expect("the reader is woken")
}

/// What a future gives without waiting.
fn poll_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Reads up to an offset.
async fn read_to(reader: &mut Reader, end: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while next(reader, &mut bytes).await.unwrap().end < end {}
    bytes
}

/// Reads until nothing comes any more: the bytes, and why it ended.
async fn read_all(reader: &mut Reader) -> (Vec<u8>, SpoolError) {
    let mut bytes = Vec::new();
    loop {
        if let Err(error) = next(reader, &mut bytes).await {
            return (bytes, error);
        }
    }
}

/// The segments in a folder, in order.
fn segments(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn disk_bytes(dir: &Path) -> u64 {
    segments(dir).iter().map(|path| std::fs::metadata(path).unwrap().len()).sum()
}
