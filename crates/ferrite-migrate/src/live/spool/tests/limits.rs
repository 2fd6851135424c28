//! Quota, trimming, full disks, and the end of the numbers.

use super::*;
use crate::live::spool::block::{BLOCK_DISK_MAX, HEADER};
use crate::live::spool::{BLOCK_RAW_MAX, SEGMENT_BYTES};

fn small(dir: &TempDir) -> SpoolOptions {
    SpoolOptions::new(dir.path(), QUOTA_MIN)
}

fn has_room(writer: &Writer) -> bool {
    poll_once(writer.room()).is_some()
}

/// Fills a log with noise until it says that there is no room.
fn fill(writer: &mut Writer) {
    let piece = noise(100_000);
    while has_room(writer) {
        writer.append(1, &piece).unwrap();
    }
}

#[tokio::test]
async fn a_full_log_has_room_again_once_it_is_trimmed() {
    let dir = folder();
    let (mut writer, mut reader) = super::super::create(small(&dir), 0).unwrap();
    fill(&mut writer);
    assert_eq!(writer.gauge().quota(), QUOTA_MIN);
    assert!(disk_bytes(dir.path()) <= QUOTA_MIN);
    assert!(disk_bytes(dir.path()) + BLOCK_DISK_MAX as u64 > QUOTA_MIN);
    read_to(&mut reader, writer.end()).await;
    assert!(!has_room(&writer), "reading alone frees nothing");
    let end = writer.end();
    let trimming = async {
        tokio::task::yield_now().await;
        reader.trim(end).unwrap();
    };
    let both = async { tokio::join!(writer.room(), trimming) };
    tokio::time::timeout(DEADLINE, both).await.expect("trimming makes room");
    writer.append(1, &noise(BLOCK_RAW_MAX)).unwrap();
    assert_eq!(writer.gauge().bytes(), disk_bytes(dir.path()));
}

#[tokio::test]
async fn what_does_not_fit_is_refused_and_the_log_stays_whole() {
    let dir = folder();
    let (mut writer, mut reader) = super::super::create(small(&dir), 0).unwrap();
    let all = noise(8 * BLOCK_RAW_MAX);
    let error = writer.append(1, &all).unwrap_err();
    assert!(matches!(error, SpoolError::Quota { quota: QUOTA_MIN, .. }), "{error}");
    let appended = writer.end();
    assert!(appended > QUOTA_MIN / 2 && disk_bytes(dir.path()) <= QUOTA_MIN);
    let mut bytes = read_to(&mut reader, appended).await;
    reader.trim(appended).unwrap();
    writer.append(1, &all[appended as usize..][..BLOCK_RAW_MAX]).unwrap();
    bytes.extend(read_to(&mut reader, writer.end()).await);
    assert_eq!(bytes, all[..writer.end() as usize]);
}

#[tokio::test]
async fn nobody_waits_for_a_reader_that_is_gone() {
    let dir = folder();
    let (mut writer, reader) = super::super::create(small(&dir), 0).unwrap();
    fill(&mut writer);
    assert!(!has_room(&writer));
    drop(reader);
    assert!(has_room(&writer));
    assert!(matches!(writer.append(1, &noise(BLOCK_RAW_MAX)), Err(SpoolError::Quota { .. })));
}

#[tokio::test]
async fn trimming_keeps_what_is_not_read_and_the_last_segment() {
    let dir = folder();
    let (mut writer, mut reader) = create(&dir, 1000, 0);
    for _ in 0..5 {
        writer.append(1, &noise(1000)).unwrap();
    }
    reader.trim(u64::MAX).unwrap();
    assert_eq!(segments(dir.path()).len(), 5, "nothing was read");
    read_to(&mut reader, 3000).await;
    reader.trim(1999).unwrap();
    assert_eq!(segments(dir.path()).len(), 4);
    assert!(matches!(reader.seek(999), Err(SpoolError::NotHeld { start: 1000, .. })));
    reader.trim(u64::MAX).unwrap();
    assert_eq!(segments(dir.path()).len(), 2);
    assert_eq!(read_to(&mut reader, 5000).await.len(), 2000);
    reader.trim(u64::MAX).unwrap();
    assert_eq!(segments(dir.path()), [dir.path().join("00000000000000004000.spool")]);
    assert_eq!(writer.gauge().bytes(), (1000 + HEADER) as u64);
    writer.sync().unwrap();
}

#[tokio::test]
async fn bytes_sent_one_by_one_keep_to_the_quota_too() {
    let dir = folder();
    let (mut writer, mut reader) = super::super::create(small(&dir), 0).unwrap();
    for _ in 0..40_000 {
        if !has_room(&writer) {
            let end = writer.end();
            read_to(&mut reader, end).await;
            reader.trim(end).unwrap();
        }
        writer.append(1, b"x").unwrap();
    }
    assert_eq!(writer.end(), 40_000);
    assert!(disk_bytes(dir.path()) <= QUOTA_MIN);
}

#[test]
fn options_are_brought_into_bounds() {
    let dir = folder();
    let options = SpoolOptions { quota: QUOTA_MIN - 1, ..small(&dir) };
    let error = super::super::create(options.clone(), 0).unwrap_err();
    assert!(matches!(error, SpoolError::QuotaTooSmall { .. }), "{error}");
    assert!(super::super::open(options, 0).is_err());
    assert_eq!(small(&dir).check().unwrap().segment_bytes, QUOTA_MIN / 4);
    let tiny = SpoolOptions { quota: 1 << 40, segment_bytes: 0, ..small(&dir) };
    assert_eq!(tiny.check().unwrap().segment_bytes, 1 << 24);
    assert_eq!(SpoolOptions::new(".", 1 << 30).check().unwrap().segment_bytes, SEGMENT_BYTES);
}

#[test]
fn offsets_do_not_wrap() {
    let dir = folder();
    let (mut writer, _reader) = create(&dir, 1000, u64::MAX - 3);
    writer.append(1, b"abc").unwrap();
    let error = writer.append(1, b"d").unwrap_err();
    assert!(matches!(error, SpoolError::OffsetOverflow { end: u64::MAX, bytes: 1 }), "{error}");
    assert_eq!(open(&dir, 1000, u64::MAX).unwrap().0.end(), u64::MAX);
}

/// The system's own device that is always full stands in for a segment; it cannot be cut back
/// either, so this is the worst case.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_apart_and_nothing_follows_what_is_torn() {
    let dir = folder();
    let path = dir.path().join("00000000000000000100.spool");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let (mut writer, _reader) = open(&dir, 1000, 100).unwrap();
    let error = writer.append(1, b"PING\r\n").unwrap_err();
    assert!(matches!(error, SpoolError::DiskFull { .. }), "{error}");
    assert!(error.to_string().contains("00000000000000000100.spool"), "{error}");
    assert_eq!(writer.end(), 100);
    assert!(matches!(writer.append(1, b"PING\r\n"), Err(SpoolError::Broken)));
    assert!(matches!(writer.sync(), Err(SpoolError::Broken)));
    writer.restart(200).unwrap();
    writer.append(1, b"PING\r\n").unwrap();
    assert_eq!(writer.end(), 206);
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_the_log() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    let inner = dir.path().join("a/b");
    let options = SpoolOptions::new(&inner, QUOTA_MIN);
    let _log = super::super::create(options, 0).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&inner), 0o700);
    assert_eq!(mode(&segments(&inner)[0]), 0o600);
}
