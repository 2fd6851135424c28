//! One block of a log: its bytes on disk.
//!
//! ```text
//!  0         8      12       16    20     24         32             40
//!  ┌──────────┬──────┬────────┬─────┬──────┬──────────┬──────────────┬─────────┐
//!  │ checksum │ FSB1 │ stored │ raw │ flags│  start   │ received, ms │ payload │
//!  └──────────┴──────┴────────┴─────┴──────┴──────────┴──────────────┴─────────┘
//!       8        4       4       4     4        8            8         stored
//! ```
//!
//! Numbers are little-endian. The checksum is XXH3 of 64 bits over everything behind it, header
//! and payload. `start` is the offset of the first raw byte in the source's stream, `received` the
//! Unix time the bytes came. Bit 0 of `flags` says that the payload is one LZ4 block of `raw`
//! bytes, and then `stored < raw`; otherwise it is the raw bytes themselves. The other bits are 0.

use xxhash_rust::xxh3::xxh3_64;

use super::BLOCK_RAW_MAX;

/// Bytes of a block's header.
pub const HEADER: usize = 40;

/// Bytes of a block on disk at most.
pub const BLOCK_DISK_MAX: usize = HEADER + BLOCK_RAW_MAX;

/// Raw bytes below which compressing a block is not worth the time.
pub const COMPRESS_MIN: usize = 4 * 1024;

const MAGIC: [u8; 4] = *b"FSB1";
const CHECKSUM: usize = 8;
const FLAG_LZ4: u32 = 1;

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Offset of the first raw byte.
    pub start: u64,
    /// Offset behind the last raw byte.
    pub end: u64,
    /// When the bytes came, in milliseconds since 1970.
    pub received_at_ms: u64,
    raw: usize,
    stored: usize,
    compressed: bool,
}

impl Header {
    /// Reads the header a block begins with.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(block: &[u8]) -> Result<Self, &'static str> {
        let mut fields = Fields(block.get(CHECKSUM..HEADER).ok_or("its header is torn")?);
        if fields.take::<4>() != MAGIC {
            return Err("no block begins here");
        }
        let (stored, raw, flags) = (fields.u32() as usize, fields.u32() as usize, fields.u32());
        let (start, received_at_ms) = (fields.u64(), fields.u64());
        let compressed = flags == FLAG_LZ4;
        let fits = if compressed { stored < raw } else { flags == 0 && stored == raw };
        if !fits || raw == 0 || raw > BLOCK_RAW_MAX {
            return Err("its lengths contradict each other");
        }
        let end = start.checked_add(raw as u64).ok_or("its offsets pass the end of 64 bits")?;
        Ok(Self { start, end, received_at_ms, raw, stored, compressed })
    }

    /// Bytes of the block on disk, this header included.
    pub fn disk_bytes(&self) -> usize {
        HEADER + self.stored
    }

    /// Whether the block is what was written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, block: &[u8]) -> Result<(), &'static str> {
        let (checksum, rest) = block.split_first_chunk().ok_or("its header is torn")?;
        let rest = rest.get(..self.disk_bytes() - CHECKSUM).ok_or("its payload is torn")?;
        if u64::from_le_bytes(*checksum) == xxh3_64(rest) {
            Ok(())
        } else {
            Err("its checksum does not match")
        }
    }

    /// Appends the raw bytes of a verified block.
    ///
    /// # Errors
    /// What is wrong with it; `into` is as it was.
    pub fn unpack(&self, block: &[u8], into: &mut Vec<u8>) -> Result<(), &'static str> {
        let payload = block.get(HEADER..self.disk_bytes()).ok_or("its payload is torn")?;
        if !self.compressed {
            into.extend_from_slice(payload);
            return Ok(());
        }
        let before = into.len();
        into.resize(before + self.raw, 0);
        let (_, room) = into.split_at_mut(before);
        let result = lz4_flex::block::decompress_into(payload, room);
        if result.is_ok_and(|bytes| bytes == self.raw) {
            return Ok(());
        }
        into.truncate(before);
        Err("its payload does not decompress")
    }
}

/// Little-endian fields, taken from the front.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    /// The next bytes; zeros where there are none, which no caller asks for.
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let (field, rest) = self.0.split_first_chunk().unwrap_or((&[0; N], &[]));
        self.0 = rest;
        *field
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.take())
    }

    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.take())
    }
}

/// Writes a block of 1 to [`BLOCK_RAW_MAX`] raw bytes into an emptied buffer, compressed if that is
/// wished for and makes it smaller.
pub fn encode(out: &mut Vec<u8>, start: u64, received_at_ms: u64, raw: &[u8], compress: bool) {
    out.clear();
    out.resize(HEADER, 0);
    let compressed = compress && raw.len() >= COMPRESS_MIN && append_compressed(out, raw);
    if !compressed {
        out.extend_from_slice(raw);
    }
    let stored = (out.len() - HEADER) as u32;
    let flags = if compressed { FLAG_LZ4 } else { 0 };
    let mut header = [0; HEADER];
    let fields: [&[u8]; 6] = [
        &MAGIC,
        &stored.to_le_bytes(),
        &(raw.len() as u32).to_le_bytes(),
        &flags.to_le_bytes(),
        &start.to_le_bytes(),
        &received_at_ms.to_le_bytes(),
    ];
    header[CHECKSUM..].copy_from_slice(&fields.concat());
    out[..HEADER].copy_from_slice(&header);
    let checksum = xxh3_64(&out[CHECKSUM..]);
    out[..CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
}

/// Appends the compressed bytes where they are fewer; says whether they were.
fn append_compressed(out: &mut Vec<u8>, raw: &[u8]) -> bool {
    let before = out.len();
    out.resize(before + lz4_flex::block::get_maximum_output_size(raw.len()), 0);
    let bytes = lz4_flex::block::compress_into(raw, &mut out[before..]).unwrap_or(raw.len());
    let shrinks = bytes < raw.len();
    out.truncate(if shrinks { before + bytes } else { before });
    shrinks
}
