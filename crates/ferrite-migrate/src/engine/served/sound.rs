//! A whole RDB file whose checksum was found right: nothing else is given to a server to load, because
//! a server that finds a damaged value in an RDB ends its process.
//!
//! ```text
//! REDIS0011 … 0xff │ checksum of all bytes before it, 8 bytes, least significant first │ nothing
//! ```

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use ferrite_rdb::Crc64;

use crate::inputs::{GZIP_MAGIC, RdbFile};

/// Bytes of the checksum.
const CHECKSUM: usize = 8;
/// The shortest RDB there is: nine bytes of head, the end mark, the checksum.
const SHORTEST: u64 = 18;
/// Bytes that are read at a time.
const PIECE: usize = 1 << 20;

/// A file that is open and sound.
#[derive(Clone, Debug)]
pub struct Sound {
    file: Arc<File>,
    /// Its bytes, checksum included.
    pub len: u64,
}

impl Sound {
    /// Reads the file whole. An error in words where it is not one that can be given to a server.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn open(path: &Path) -> io::Result<Result<Self, &'static str>> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Ok(Err("it is no plain file"));
        }
        let sound = Self { file: Arc::new(file), len: metadata.len() };
        if sound.len < SHORTEST {
            return Ok(Err("the file is too short"));
        }
        let mut checksum = Crc64::new();
        let mut reader = sound.reader().take(sound.len - CHECKSUM as u64);
        let mut piece = vec![0; PIECE];
        let mut is_first = true;
        loop {
            let len = reader.read(&mut piece)?;
            let read = piece.get(..len).unwrap_or_default();
            let at_head = std::mem::take(&mut is_first);
            if at_head && read.starts_with(GZIP_MAGIC) {
                return Ok(Err("the file is compressed"));
            }
            if at_head && !RdbFile::is_begun_by(read) {
                return Ok(Err("it is no RDB file"));
            }
            if read.is_empty() {
                break;
            }
            checksum.update(read);
        }
        let mut stored = [0; CHECKSUM];
        sound.file.read_exact_at(&mut stored, sound.len - CHECKSUM as u64)?;
        Ok(match u64::from_le_bytes(stored) {
            0 => {
                Err("the file has no checksum, so a damage would not be found before it is loaded")
            }
            stored if stored == checksum.value() => Ok(sound),
            _ => Err("its last bytes are not the checksum of the others"),
        })
    }

    /// Its bytes from the first one on.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader_from(0)
    }

    /// Its bytes from this one on.
    #[must_use]
    pub fn reader_from(&self, at: u64) -> Reader {
        Reader { file: Arc::clone(&self.file), at }
    }
}

/// Reads a file from its beginning, whoever else reads it.
#[derive(Debug)]
pub struct Reader {
    file: Arc<File>,
    at: u64,
}

impl Read for Reader {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let len = self.file.read_at(room, self.at)?;
        self.at += len as u64;
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(bytes: &[u8]) -> Result<u64, &'static str> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump.rdb");
        std::fs::write(&path, bytes).unwrap();
        Sound::open(&path).unwrap().map(|sound| sound.len)
    }

    fn with_checksum(bytes: &[u8]) -> Vec<u8> {
        [bytes, &ferrite_rdb::crc64(bytes).to_le_bytes()[..]].concat()
    }

    #[test]
    fn only_a_whole_file_with_its_checksum_is_given_away() {
        let file = with_checksum(b"REDIS0011\xff");
        assert_eq!(opened(&file), Ok(18));
        let long = with_checksum(&[b"REDIS0011", &[7; 3 << 20][..], b"\xff"].concat());
        assert_eq!(opened(&long), Ok(long.len() as u64));
        for at in 0..file.len() {
            let mut flipped = file.clone();
            flipped[at] ^= 1;
            assert!(opened(&flipped).is_err(), "byte {at}");
        }
        assert!(opened(&file[..17]).unwrap_err().contains("short"));
        assert!(opened(&[&file[..], b"*1\r\n"].concat()).unwrap_err().contains("last bytes"));
        assert!(
            opened(&[b"REDIS0011\xff", &[0; 8][..]].concat()).unwrap_err().contains("no check")
        );
        assert!(opened(&[GZIP_MAGIC, &[0; 30]].concat()).unwrap_err().contains("compressed"));
    }
}
