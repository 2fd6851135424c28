//! Writes and reads the file, whose layout the module's head draws.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ferrite_rdb::Crc64;

use super::PAYLOAD_MAX;

/// How the file begins.
const MAGIC: [u8; 8] = *b"FERUNDO\x01";
/// Kinds of records.
const KEY: u8 = 1;
const FUNCTIONS: u8 = 2;
const END: u8 = 3;
/// Bytes of a key's record in front of its name.
const KEY_HEAD: u64 = 16;
/// Longest name of a key, in bytes: servers take none longer.
const NAME_MAX: u32 = 512 << 20;
/// Bytes of a payload that are read at once.
const PIECE: usize = 256 << 10;
/// Bytes that are gathered before they go to the disk.
const BUFFER: usize = 1 << 20;

/// Writes a file.
pub struct Writer {
    file: BufWriter<File>,
    crc: Crc64,
    keys: u64,
    bytes: u64,
}

impl Writer {
    /// Begins a file, in place of the one that is there.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        let (file, crc) = (BufWriter::with_capacity(BUFFER, file), Crc64::default());
        let mut writer = Self { file, crc, keys: 0, bytes: 0 };
        writer.put(&MAGIC)?;
        Ok(writer)
    }

    /// Keys so far.
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Begins the record of a key, whose payload follows in parts, and then [`close`](Self::close).
    pub fn key(&mut self, db: u32, expires_at_ms: u64, key: &[u8], payload: u64) -> io::Result<()> {
        let name_length = u32::try_from(key.len()).map_err(io::Error::other)?;
        self.open(KEY, KEY_HEAD + u64::from(name_length) + payload)?;
        self.put(&db.to_le_bytes())?;
        self.put(&expires_at_ms.to_le_bytes())?;
        self.put(&name_length.to_le_bytes())?;
        self.keys += 1;
        self.put(key)
    }

    /// The record of the function libraries.
    pub fn functions(&mut self, payload: &[u8]) -> io::Result<()> {
        self.open(FUNCTIONS, payload.len() as u64)?;
        self.put(payload)?;
        self.close()
    }

    /// Writes a part of a record.
    pub fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.crc.update(bytes);
        self.bytes += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    fn open(&mut self, kind: u8, length: u64) -> io::Result<()> {
        self.crc = Crc64::default();
        self.put(&[kind])?;
        self.put(&length.to_le_bytes())
    }

    /// Ends a record.
    pub fn close(&mut self) -> io::Result<()> {
        let crc = self.crc.value();
        self.put(&crc.to_le_bytes())
    }

    /// Ends the file; it is on the disk when this returns.
    pub fn finish(mut self) -> io::Result<()> {
        let keys = self.keys;
        self.open(END, 8)?;
        self.put(&keys.to_le_bytes())?;
        self.close()?;
        self.file.flush()?;
        self.file.get_ref().sync_all()
    }
}

/// A record; its payload is what [`Reader::part`] gives.
#[derive(Debug, PartialEq, Eq)]
pub enum Record {
    /// A key.
    Key {
        /// Its database.
        db: u32,
        /// When it expires, in ms of Unix time; 0 for never.
        expires_at_ms: u64,
        /// Its name.
        key: Vec<u8>,
        /// Bytes of its payload.
        length: u64,
    },
    /// The function libraries, in so many bytes.
    Functions(u64),
    /// The end.
    End,
}

/// Reads a file.
pub struct Reader {
    file: BufReader<File>,
    crc: Crc64,
    keys: u64,
    /// Bytes of the record's payload that were not read yet.
    left: u64,
}

fn damaged(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

impl Reader {
    /// Opens a file.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = BufReader::with_capacity(BUFFER, File::open(path)?);
        let mut reader = Self { file, crc: Crc64::default(), keys: 0, left: 0 };
        match reader.array::<8>()? {
            MAGIC => Ok(reader),
            _ => Err(damaged("it is no copy of a target's keys")),
        }
    }

    /// Reads all of it, to see whether it is whole; how many keys it has.
    pub fn check(path: &Path) -> io::Result<u64> {
        let mut reader = Self::open(path)?;
        while reader.next()? != Record::End {
            while !reader.part()?.is_empty() {}
        }
        Ok(reader.keys)
    }

    /// The next record, after all parts of the one before.
    pub fn next(&mut self) -> io::Result<Record> {
        self.crc = Crc64::default();
        let [kind] = self.array()?;
        let length = u64::from_le_bytes(self.array()?);
        match kind {
            KEY => self.key(length),
            FUNCTIONS => {
                self.left = limited(length)?;
                Ok(Record::Functions(length))
            }
            END => {
                let keys = u64::from_le_bytes(self.array()?);
                self.close()?;
                match keys == self.keys {
                    true => Ok(Record::End),
                    false => Err(damaged(format!("it has {} keys of {keys}", self.keys))),
                }
            }
            _ => Err(damaged(format!("a record of the unknown kind {kind}"))),
        }
    }

    fn key(&mut self, length: u64) -> io::Result<Record> {
        let db = u32::from_le_bytes(self.array()?);
        let expires_at_ms = u64::from_le_bytes(self.array()?);
        let name_length = u32::from_le_bytes(self.array()?);
        let payload = length.checked_sub(KEY_HEAD + u64::from(name_length));
        let payload = payload.filter(|_| name_length <= NAME_MAX);
        let payload = limited(payload.ok_or_else(|| damaged("a name longer than its record"))?)?;
        let mut key = Vec::new();
        self.file.by_ref().take(name_length.into()).read_to_end(&mut key)?;
        if key.len() as u64 != u64::from(name_length) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.crc.update(&key);
        self.keys += 1;
        self.left = payload;
        Ok(Record::Key { db, expires_at_ms, key, length: payload })
    }

    /// The next part of the record's payload; empty at its end, when the checksum was right.
    pub fn part(&mut self) -> io::Result<Vec<u8>> {
        if self.left == 0 {
            return Ok(Vec::new());
        }
        let count = usize::try_from(self.left).unwrap_or(PIECE).min(PIECE);
        let mut part = vec![0; count];
        self.file.read_exact(&mut part)?;
        self.crc.update(&part);
        self.left -= count as u64;
        if self.left == 0 {
            self.close()?;
        }
        Ok(part)
    }

    /// The checksum behind a record.
    fn close(&mut self) -> io::Result<()> {
        let computed = self.crc.value();
        match u64::from_le_bytes(self.array()?) == computed {
            true => Ok(()),
            false => Err(damaged("a checksum is wrong")),
        }
    }

    fn array<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        self.crc.update(&bytes);
        Ok(bytes)
    }
}

/// A payload that a server could have given: never empty, and not too long.
fn limited(length: u64) -> io::Result<u64> {
    match length {
        1..=PAYLOAD_MAX => Ok(length),
        _ => Err(damaged(format!("a value of {length} bytes"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(path: &Path) -> Vec<u8> {
        let mut writer = Writer::create(path).unwrap();
        writer.functions(b"libraries").unwrap();
        for (db, expires_at_ms, key, payload) in [(0, 0, &b"a"[..], 5), (7, 9, b"", PIECE + 1)] {
            writer.key(db, expires_at_ms, key, payload as u64).unwrap();
            writer.put(&vec![b'x'; payload]).unwrap();
            writer.close().unwrap();
        }
        assert_eq!(writer.keys(), 2);
        let bytes = writer.bytes();
        writer.finish().unwrap();
        let file = std::fs::read(path).unwrap();
        assert_eq!(file.len() as u64, bytes + 25);
        file
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("undo");
        written(&path);
        assert_eq!(Reader::check(&path).unwrap(), 2);
        let mut reader = Reader::open(&path).unwrap();
        assert_eq!(reader.next().unwrap(), Record::Functions(9));
        assert_eq!(reader.part().unwrap(), b"libraries");
        let record = reader.next().unwrap();
        assert_eq!(record, Record::Key { db: 0, expires_at_ms: 0, key: b"a".to_vec(), length: 5 });
        assert_eq!(reader.part().unwrap(), b"xxxxx");
        assert!(reader.part().unwrap().is_empty());
        let length = PIECE as u64 + 1;
        let record = reader.next().unwrap();
        assert_eq!(record, Record::Key { db: 7, expires_at_ms: 9, key: Vec::new(), length });
        assert_eq!((reader.part().unwrap().len(), reader.part().unwrap().len()), (PIECE, 1));
        assert_eq!(reader.next().unwrap(), Record::End);
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_is_not_taken_for_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("undo");
        let whole = written(&path);
        let ends = (0..120).chain(whole.len() - 60..whole.len());
        for at in ends {
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(Reader::check(&path).is_err(), "cut at {at}");
            let mut other = whole.clone();
            other[at] ^= 0x40;
            std::fs::write(&path, &other).unwrap();
            assert!(Reader::check(&path).is_err(), "changed at {at}");
        }
    }
}
