//! The bytes on disk: what is written today is read by every later version.

use super::*;
use crate::live::spool::block::{self, HEADER, Header};

/// `PING\r\n` at offset 100, received at 1700000000123; put together and summed by other programs.
const PING: [u8; 46] = [
    0x6a, 0x72, 0x51, 0xec, 0x14, 0x81, 0xc8, 0x4a, // checksum
    b'F', b'S', b'B', b'1', 6, 0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, // stored, raw, flags
    100, 0, 0, 0, 0, 0, 0, 0, 0x7b, 0x68, 0xe5, 0xcf, 0x8b, 1, 0, 0, // start, received
    b'P', b'I', b'N', b'G', b'\r', b'\n',
];

#[test]
fn a_block_is_these_bytes() {
    let mut block = Vec::new();
    block::encode(&mut block, 100, 1_700_000_000_123, b"PING\r\n", true);
    assert_eq!(block, PING);
}

#[tokio::test]
async fn a_segment_of_these_bytes_is_read() {
    let dir = folder();
    std::fs::write(dir.path().join("00000000000000000100.spool"), PING).unwrap();
    let (_writer, mut reader) = open(&dir, 1000, 100).unwrap();
    let mut bytes = Vec::new();
    let block = next(&mut reader, &mut bytes).await.unwrap();
    assert_eq!(bytes, b"PING\r\n");
    assert_eq!(block, Block { start: 100, end: 106, received_at_ms: 1_700_000_000_123 });
}

#[test]
fn blocks_come_back_compressed_or_not() {
    let sizes = [1, block::COMPRESS_MIN - 1, block::COMPRESS_MIN, super::super::BLOCK_RAW_MAX];
    for raw in sizes.iter().flat_map(|size| [commands(*size), noise(*size)]) {
        for compress in [false, true] {
            let mut block = Vec::new();
            block::encode(&mut block, 7, 8, &raw, compress);
            let header = Header::parse(&block).unwrap();
            assert_eq!((header.start, header.end), (7, 7 + raw.len() as u64));
            assert_eq!(header.disk_bytes(), block.len());
            header.verify(&block).unwrap();
            let mut bytes = b"before".to_vec();
            header.unpack(&block, &mut bytes).unwrap();
            assert_eq!(bytes, [b"before", raw.as_slice()].concat());
        }
    }
}

#[test]
fn a_block_shrinks_or_stays() {
    let disk = |raw: &[u8]| {
        let mut block = Vec::new();
        block::encode(&mut block, 0, 0, raw, true);
        block.len()
    };
    let large = 16 * block::COMPRESS_MIN;
    assert!(disk(&commands(large)) < large / 10);
    assert_eq!(disk(&noise(large)), HEADER + large);
    assert_eq!(disk(&commands(block::COMPRESS_MIN - 1)), HEADER + block::COMPRESS_MIN - 1);
}

#[test]
fn headers_that_contradict_themselves_are_refused() {
    let with = |at: usize, field: &[u8]| {
        let mut block = PING;
        block[at..at + field.len()].copy_from_slice(field);
        Header::parse(&block).map(|_| ())
    };
    assert_eq!(with(8, b"FSB1"), Ok(()));
    assert!(with(8, b"FSB2").is_err(), "another magic");
    assert!(with(12, &[7]).is_err(), "stored differs from raw");
    assert!(with(12, &[0, 0, 0, 0, 0]).is_err(), "no bytes");
    assert!(with(12, &[255; 8]).is_err(), "too many bytes");
    assert!(with(20, &[1]).is_err(), "compressed and not smaller");
    assert!(with(20, &[2]).is_err(), "an unknown flag");
    assert!(with(24, &[255; 8]).is_err(), "the end passes 64 bits");
    assert!(Header::parse(&PING[..HEADER - 1]).is_err(), "torn");
}

#[tokio::test]
async fn only_a_reader_that_lags_has_blocks_compressed() {
    let dir = folder();
    let (mut writer, mut reader) = create(&dir, 1 << 20, 0);
    let piece = commands(64 * 1024);
    for _ in 0..32 {
        writer.append(1, &piece).unwrap();
        read_to(&mut reader, writer.end()).await;
    }
    assert_eq!(disk_bytes(dir.path()), 32 * (piece.len() + HEADER) as u64);
    let (written, before) = (writer.end(), disk_bytes(dir.path()));
    for _ in 0..64 {
        writer.append(2, &piece).unwrap();
    }
    assert!(disk_bytes(dir.path()) - before < 32 * piece.len() as u64);
    assert_eq!(writer.gauge().bytes(), disk_bytes(dir.path()));
    let bytes = read_to(&mut reader, writer.end()).await;
    assert_eq!(bytes.len() as u64, writer.end() - written);
    assert!(bytes.chunks(piece.len()).all(|chunk| chunk == piece));
}
