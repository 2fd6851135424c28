//! Bytes come out as they went in, in time, from anywhere, and after a restart.

use super::*;
use crate::live::spool::BLOCK_RAW_MAX;

#[tokio::test]
async fn bytes_cross_segments_while_they_are_written() {
    let dir = folder();
    let (mut writer, mut reader) = create(&dir, 4000, 100);
    let all = noise(300_000);
    let end = 100 + all.len() as u64;
    let reading = tokio::spawn(async move {
        let bytes = read_to(&mut reader, end).await;
        (bytes, reader)
    });
    let mut rest = all.as_slice();
    for size in (1..3000).cycle().step_by(377) {
        let (piece, later) = rest.split_at(size.min(rest.len()));
        writer.append(5, piece).unwrap();
        tokio::task::yield_now().await;
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    let (bytes, reader) = reading.await.unwrap();
    assert_eq!(bytes, all);
    assert_eq!((writer.end(), reader.lag()), (end, 0));
    assert!(segments(dir.path()).len() > 40);
    assert_eq!(reader.gauge().segments(), segments(dir.path()).len());
    assert!(dir.path().join("00000000000000000100.spool").exists());
}

#[tokio::test]
async fn a_waiting_reader_is_woken() {
    let dir = folder();
    let (mut writer, mut reader) = create(&dir, 4000, 7);
    let mut bytes = Vec::new();
    let waiting = next(&mut reader, &mut bytes);
    let writing = async {
        tokio::task::yield_now().await;
        writer.append(1234, b"PING\r\n").unwrap();
    };
    let (block, ()) = tokio::join!(waiting, writing);
    assert_eq!(block.unwrap(), Block { start: 7, end: 13, received_at_ms: 1234 });
    assert_eq!(bytes, b"PING\r\n");
}

#[tokio::test]
async fn what_was_written_is_read_before_the_end_is_told() {
    let dir = folder();
    let (mut writer, mut reader) = create(&dir, 4000, 0);
    writer.append(1, b"").unwrap();
    writer.append(1, b"ab").unwrap();
    writer.append(1, b"c").unwrap();
    let gauge: Gauge = writer.gauge();
    drop(writer);
    let (bytes, error) = read_all(&mut reader).await;
    assert_eq!(bytes, b"abc");
    assert!(matches!(error, SpoolError::Closed), "{error}");
    assert_eq!((gauge.end(), gauge.read()), (3, 3));
}

#[tokio::test]
async fn large_pieces_become_several_blocks() {
    let dir = folder();
    let (mut writer, mut reader) = create(&dir, 1 << 20, 0);
    let all = noise(2 * BLOCK_RAW_MAX + 1);
    writer.append(1, &all).unwrap();
    let mut bytes = Vec::new();
    let mut lengths = Vec::new();
    for _ in 0..3 {
        let block = next(&mut reader, &mut bytes).await.unwrap();
        lengths.push(block.end - block.start);
    }
    assert_eq!(lengths, [BLOCK_RAW_MAX as u64, BLOCK_RAW_MAX as u64, 1]);
    assert_eq!(bytes, all);
}

#[tokio::test]
async fn reading_goes_on_at_any_offset() {
    let dir = folder();
    let (mut writer, mut reader) = create(&dir, 100, 1000);
    let all = noise(600);
    all.chunks(30).for_each(|piece| writer.append(1, piece).unwrap());
    for offset in 0..600 {
        reader.seek(1000 + offset).unwrap();
        assert_eq!(reader.lag(), 600 - offset);
        let mut bytes = b"x".to_vec();
        let block = next(&mut reader, &mut bytes).await.unwrap();
        let end = offset / 30 * 30 + 30;
        assert_eq!((block.start, block.end), (1000 + offset, 1000 + end));
        assert_eq!(bytes[1..], all[offset as usize..end as usize]);
    }
    reader.seek(1600).unwrap();
    for outside in [999, 1601] {
        let error = reader.seek(outside).unwrap_err();
        assert!(matches!(error, SpoolError::NotHeld { start: 1000, end: 1600, .. }), "{error}");
    }
}

#[tokio::test]
async fn a_new_log_replaces_the_old_one() {
    let dir = folder();
    let (mut writer, mut reader) = create(&dir, 100, 1000);
    writer.append(1, &noise(500)).unwrap();
    writer.append(1, &noise(500)).unwrap();
    read_to(&mut reader, 1500).await;
    writer.restart(1000).unwrap();
    writer.append(2, b"new").unwrap();
    let restarted = |error: SpoolError| matches!(error, SpoolError::Restarted { start: 1000 });
    assert!(restarted(reader.trim(1500).unwrap_err()));
    assert!(restarted(reader.seek(1001).unwrap_err()));
    let mut bytes = Vec::new();
    assert!(restarted(next(&mut reader, &mut bytes).await.unwrap_err()));
    let block = next(&mut reader, &mut bytes).await.unwrap();
    assert_eq!(block, Block { start: 1000, end: 1003, received_at_ms: 2 });
    assert_eq!(bytes, b"new");
    assert_eq!(segments(dir.path()).len(), 1);
    assert_eq!(writer.gauge().bytes(), disk_bytes(dir.path()));
}

#[tokio::test]
async fn a_new_log_wakes_a_waiting_reader() {
    let dir = folder();
    let (mut writer, mut reader) = create(&dir, 100, 5);
    let mut bytes = Vec::new();
    let waiting = next(&mut reader, &mut bytes);
    let writing = async {
        tokio::task::yield_now().await;
        writer.restart(70).unwrap();
    };
    let (result, ()) = tokio::join!(waiting, writing);
    assert!(matches!(result, Err(SpoolError::Restarted { start: 70 })), "{result:?}");
    assert_eq!((reader.lag(), writer.end(), writer.gauge().read()), (0, 70, 70));
}

/// Bytes by which one can tell of which log they are, and from which offset on.
fn marked(log: u64, start: u64, bytes: u64) -> Vec<u8> {
    (start..start + bytes).map(|offset| (offset * 31 + log * 7) as u8).collect()
}

/// Reads until the writer is gone, trimming all the time: how often it was begun anew, and where
/// it ended.
async fn follow(mut reader: Reader) -> (u64, u64) {
    let (mut restarts, mut place, mut log) = (0, 1000, None);
    loop {
        let mut bytes = Vec::new();
        match next(&mut reader, &mut bytes).await {
            Ok(block) => {
                assert_eq!(block.start, place);
                assert_eq!(*log.get_or_insert(block.received_at_ms), block.received_at_ms);
                assert_eq!(bytes, marked(block.received_at_ms, place, block.end - place));
                place = block.end;
            }
            Err(SpoolError::Restarted { start }) => {
                (restarts, place, log) = (restarts + 1, start, None);
            }
            Err(SpoolError::Closed) => return (restarts, place),
            Err(error) => panic!("{error}"),
        }
        let trimmed = reader.trim(place);
        assert!(matches!(trimmed, Ok(()) | Err(SpoolError::Restarted { .. })), "{trimmed:?}");
    }
}

/// Every new log begins at the same offset, so that its segments have the names of the old ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_logs_and_old_ones_do_not_mix() {
    let dir = folder();
    let (mut writer, reader) = create(&dir, 300, 1000);
    let following = tokio::spawn(follow(reader));
    for log in 0..300 {
        if log > 0 {
            writer.restart(1000).unwrap();
        }
        for size in (1..80).step_by(3) {
            writer.append(log, &marked(log, writer.end(), size)).unwrap();
        }
        tokio::task::yield_now().await;
    }
    let end = writer.end();
    drop(writer);
    let (restarts, place) = following.await.unwrap();
    assert!((1..300).contains(&restarts), "{restarts}");
    assert_eq!(place, end);
}

#[tokio::test]
async fn a_log_is_written_on_after_reopening() {
    let dir = folder();
    let all = noise(1000);
    let (mut writer, _) = create(&dir, 200, 50);
    all[..450].chunks(70).for_each(|piece| writer.append(1, piece).unwrap());
    writer.sync().unwrap();
    drop(writer);
    let (mut writer, mut reader) = open(&dir, 200, 60).unwrap();
    assert_eq!(writer.end(), 500);
    all[450..].chunks(70).for_each(|piece| writer.append(2, piece).unwrap());
    writer.sync().unwrap();
    assert_eq!(read_to(&mut reader, 1050).await, all[10..]);
    assert_eq!(writer.gauge().bytes(), disk_bytes(dir.path()));
}

#[tokio::test]
async fn a_log_is_opened_only_where_it_holds_the_offset() {
    let dir = folder();
    assert!(open(&dir, 200, 0).is_none(), "there is none");
    let (mut writer, _) = create(&dir, 200, 50);
    assert_eq!(open(&dir, 200, 50).unwrap().0.end(), 50);
    noise(1000).chunks(70).for_each(|piece| writer.append(1, piece).unwrap());
    drop(writer);
    let before = segments(dir.path());
    assert!(open(&dir, 200, 49).is_none());
    assert!(open(&dir, 200, 1051).is_none());
    assert_eq!(segments(dir.path()), before);
    let (_, mut reader) = open(&dir, 200, 1050).unwrap();
    assert!(matches!(read_all(&mut reader).await.1, SpoolError::Closed));
    assert_eq!(segments(dir.path()), before[before.len() - 1..], "the older ones are trimmed");
    let (writer, _) = create(&dir, 200, 9);
    assert_eq!(writer.end(), 9);
    assert_eq!(segments(dir.path()), [dir.path().join("00000000000000000009.spool")]);
}
