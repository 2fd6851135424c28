//! Whatever happens to the files, what is read is what was written, up to where it ends.

use std::fs;

use super::*;

const START: u64 = 1000;
const SEGMENT: u64 = 150;

/// Three segments with two blocks each; the bytes of all.
fn write_log(dir: &TempDir) -> Vec<u8> {
    let (mut writer, _) = create(dir, SEGMENT, START);
    let all = noise(6 * 80);
    all.chunks(80).for_each(|piece| writer.append(3, piece).unwrap());
    assert_eq!(segments(dir.path()).len(), 3);
    all
}

/// A log with a compressed block among others, in one segment.
async fn write_compressed_log(dir: &TempDir) -> Vec<u8> {
    let (mut writer, mut reader) = create(dir, 1 << 24, START);
    let lag = commands(1_100_000);
    writer.append(3, &lag).unwrap();
    let before = disk_bytes(dir.path());
    let last = commands(200_000);
    writer.append(3, &last).unwrap();
    assert!(disk_bytes(dir.path()) - before < 10_000, "it is compressed");
    reader.seek(writer.end()).unwrap();
    writer.append(3, b"end").unwrap();
    [lag, last, b"end".to_vec()].concat()
}

/// Reopens a log and reads it to its end, which has to be a part from the beginning; how long.
async fn reopened(dir: &TempDir, all: &[u8]) -> usize {
    let Some((mut writer, mut reader)) = open(dir, SEGMENT, START) else {
        return 0;
    };
    let end = writer.end();
    writer.append(4, b"more").unwrap();
    assert_eq!(writer.gauge().bytes(), disk_bytes(dir.path()));
    drop(writer);
    let (bytes, error) = read_all(&mut reader).await;
    assert!(matches!(error, SpoolError::Closed), "{error}");
    let held = (end - START) as usize;
    assert_eq!(bytes, [&all[..held], b"more"].concat());
    held
}

#[tokio::test]
async fn any_cut_of_the_last_segment_leaves_the_blocks_before_it() {
    let dir = folder();
    let all = write_log(&dir);
    let path = segments(dir.path()).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    for length in 0..=whole.len() {
        fs::write(&path, &whole[..length]).unwrap();
        let blocks = length / (whole.len() / 2);
        assert_eq!(reopened(&dir, &all).await, 320 + 80 * blocks, "cut at {length}");
        segments(dir.path()).iter().skip(3).for_each(|later| fs::remove_file(later).unwrap());
    }
}

#[tokio::test]
async fn any_cut_of_the_first_segment_ends_the_log_there() {
    let dir = folder();
    let all = write_log(&dir);
    let files: Vec<_> =
        segments(dir.path()).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let (first, path) = &files[0];
    for length in 0..first.len() {
        files.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
        fs::write(path, &first[..length]).unwrap();
        let blocks = length / (first.len() / 2);
        assert_eq!(reopened(&dir, &all).await, 80 * blocks, "cut at {length}");
        assert_eq!(segments(dir.path()), std::slice::from_ref(path));
    }
}

#[tokio::test]
async fn a_flipped_byte_ends_the_log_and_never_changes_it() {
    let dir = folder();
    let all = write_log(&dir);
    let files: Vec<_> =
        segments(dir.path()).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    for (segment, (whole, path)) in files.iter().enumerate() {
        for at in 0..whole.len() {
            segments(dir.path()).iter().for_each(|path| fs::remove_file(path).unwrap());
            files.iter().for_each(|(bytes, path)| fs::write(path, bytes).unwrap());
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            fs::write(path, &damaged).unwrap();
            let blocks = 2 * segment + at / (whole.len() / 2);
            assert_eq!(reopened(&dir, &all).await, 80 * blocks, "byte {at} of {path:?}");
        }
    }
}

#[tokio::test]
async fn a_byte_flipped_under_a_reader_is_an_error_and_never_read() {
    let dir = folder();
    let all = write_compressed_log(&dir).await;
    let path = segments(dir.path()).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    let (_writer, mut reader) = super::super::open(options(&dir, 1 << 24), START).unwrap().unwrap();
    for at in (whole.len().saturating_sub(3000)..whole.len()).step_by(7) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        reader.seek(START + 1_100_000).unwrap();
        let (bytes, error) = read_all(&mut reader).await;
        assert!(matches!(error, SpoolError::Damaged { .. }), "{error}");
        assert!(all[1_100_000..].starts_with(&bytes), "byte {at}");
    }
    fs::write(&path, &whole).unwrap();
    reader.seek(START).unwrap();
    assert_eq!(read_to(&mut reader, START + all.len() as u64).await, all);
}

#[tokio::test]
async fn a_segment_cut_short_under_a_reader_is_an_error() {
    let dir = folder();
    let (mut writer, mut reader) = create(&dir, 1000, 0);
    writer.append(1, &noise(100)).unwrap();
    let path = segments(dir.path()).pop().unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    let mut bytes = b"x".to_vec();
    for _ in 0..2 {
        let error = next(&mut reader, &mut bytes).await.unwrap_err();
        assert!(matches!(error, SpoolError::Damaged { position: 0, .. }), "{error}");
    }
    assert_eq!(bytes, b"x");
    fs::remove_file(&path).unwrap();
    let error = next(&mut reader, &mut bytes).await.unwrap_err();
    assert!(matches!(error, SpoolError::Io { doing: "open", .. }), "{error}");
}

#[tokio::test]
async fn a_missing_segment_ends_the_log_and_strangers_stay() {
    let dir = folder();
    let all = write_log(&dir);
    fs::remove_file(&segments(dir.path())[1]).unwrap();
    for stranger in ["notes.txt", "1160.spool", "0000000000000000116x.spool"] {
        fs::write(dir.path().join(stranger), b"x").unwrap();
    }
    let (writer, mut reader) = open(&dir, SEGMENT, START).unwrap();
    assert_eq!(writer.end(), START + 160);
    assert_eq!(read_to(&mut reader, writer.end()).await, all[..160]);
    assert_eq!(segments(dir.path()).len(), 4);
    drop(create(&dir, SEGMENT, START));
    assert_eq!(segments(dir.path()).len(), 4);
}

/// A block of another place, with a right checksum, does not pass for the one that belongs there.
#[tokio::test]
async fn blocks_in_the_wrong_place_are_not_read() {
    let dir = folder();
    let all = write_log(&dir);
    let paths = segments(dir.path());
    fs::copy(&paths[2], &paths[1]).unwrap();
    let (writer, mut reader) = open(&dir, SEGMENT, START).unwrap();
    assert_eq!(writer.end(), START + 160);
    drop(writer);
    assert_eq!(read_all(&mut reader).await.0, all[..160]);
}
