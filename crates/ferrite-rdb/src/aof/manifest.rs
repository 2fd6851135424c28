//! The manifest of a multi-part append-only file: which files, in which order.
//!
//! ```text
//! file appendonly.aof.2.base.rdb seq 2 type b
//! file appendonly.aof.7.incr.aof seq 7 type i startoffset 4711
//! file "with \"quotes\".aof" seq 1 type h
//! ```
//!
//! A line is pairs of a name and a value; names that are not known are skipped, as servers do. A
//! name with spaces or quotes stands in quotes, as words of `redis.conf` do. Type `b` is what was
//! there at a moment, at most one; `i` is what was done since, in the order of `seq`; `h` is what
//! is not needed any more.

use std::fmt;

/// Bytes of a manifest at most: thousands of times what servers write.
pub const MANIFEST_MAX: usize = 1 << 20;

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name, in the directory of the manifest.
    pub name: Vec<u8>,
    /// Its sequence number, at least 1.
    pub seq: u64,
}

/// The files to be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    /// What was there at a moment; servers write none where the log began with the server.
    pub base: Option<Part>,
    /// What was done since, in order.
    pub increments: Vec<Part>,
}

/// What is wrong with a manifest, and in which line, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// The line.
    pub line: usize,
    /// What is wrong.
    pub what: &'static str,
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for ManifestError {}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// The first line that a server would not accept, or that names a file elsewhere.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let mut manifest = Self::default();
        let mut last = 0;
        for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
            last = index + 1;
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            manifest.line(line).map_err(|what| ManifestError { line: last, what })?;
        }
        if manifest.base.is_none() && manifest.increments.is_empty() {
            return Err(ManifestError { line: last, what: "it names no file to be read" });
        }
        Ok(manifest)
    }

    /// The files to be read, in order.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.increments)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), &'static str> {
        let (mut name, mut seq, mut kind) = (None, None, None);
        let words = words(line)?;
        if !words.len().is_multiple_of(2) {
            return Err("a word is missing its value");
        }
        for pair in words.chunks_exact(2) {
            match (pair[0].to_ascii_lowercase().as_slice(), &pair[1]) {
                (b"file", value) => name = Some(value.clone()),
                (b"seq", value) => {
                    seq = std::str::from_utf8(value).ok().and_then(|n| n.parse().ok())
                }
                (b"type", value) => kind = Some(value.clone()),
                _ => {}
            }
        }
        let name = name.ok_or("no file is named")?;
        let seq: u64 = seq.filter(|seq| *seq > 0).ok_or("seq is no number above 0")?;
        let is_name = !name.is_empty() && name != b"." && name != b"..";
        if !is_name || name.contains(&b'/') || name.contains(&b'\\') || name.contains(&0) {
            return Err("the file is not one of this directory");
        }
        self.add(kind.as_deref(), Part { name, seq })
    }

    fn add(&mut self, kind: Option<&[u8]>, part: Part) -> Result<(), &'static str> {
        match kind {
            Some(b"b") if self.base.is_some() => return Err("there are two base files"),
            Some(b"b") => self.base = Some(part),
            Some(b"i") if self.increments.last().is_some_and(|last| last.seq >= part.seq) => {
                return Err("the increments are not in the order of their seq");
            }
            Some(b"i") => self.increments.push(part),
            Some(b"h") => {}
            _ => return Err("type is none of b, i and h"),
        }
        Ok(())
    }
}

/// The words of a line, without their quotes.
fn words(mut line: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
    let mut words = Vec::new();
    loop {
        line = line.trim_ascii_start();
        let Some(first) = line.first() else { return Ok(words) };
        let (word, rest) = match first {
            b'"' | b'\'' => quoted(line, *first)?,
            _ => {
                let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
                let (word, rest) = line.split_at(end);
                (word.to_vec(), rest)
            }
        };
        words.push(word);
        line = rest;
    }
}

/// A word in quotes: in double ones with escapes, in single ones with `\'` alone.
fn quoted(line: &[u8], quote: u8) -> Result<(Vec<u8>, &[u8]), &'static str> {
    let mut word = Vec::new();
    let mut rest = line.get(1..).unwrap_or_default();
    loop {
        rest = match rest {
            [] => return Err("a quote is not closed"),
            [byte, tail @ ..] if *byte == quote => {
                let ends = tail.first().is_none_or(u8::is_ascii_whitespace);
                return if ends {
                    Ok((word, tail))
                } else {
                    Err("a quote is closed within a word")
                };
            }
            [b'\\', b'\'', tail @ ..] if quote == b'\'' => {
                word.push(b'\'');
                tail
            }
            [b'\\', tail @ ..] if quote == b'"' => escaped(tail, &mut word)?,
            [byte, tail @ ..] => {
                word.push(*byte);
                tail
            }
        };
    }
}

/// What stands behind a backslash: `\xff`, `\n`, `\r`, `\t`, `\b`, `\a`, or the byte itself.
fn escaped<'a>(tail: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], &'static str> {
    if let [b'x', high, low, rest @ ..] = tail
        && let (Some(high), Some(low)) = (hex(*high), hex(*low))
    {
        word.push(high << 4 | low);
        return Ok(rest);
    }
    let (byte, rest) = tail.split_first().ok_or("a quote is not closed")?;
    word.push(match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'a' => 7,
        other => *other,
    });
    Ok(rest)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_in_their_order() {
        let manifest = Manifest::parse(
            b"file a.1.base.rdb seq 1 type h\nfile \"a b\\x2e\\\"2\\\".base.rdb\" seq 2 type b\n\
              # comment\r\nfile 'it''s.aof' seq 9 type h\n",
        );
        assert_eq!(manifest.unwrap_err().what, "a quote is closed within a word");
        let manifest = Manifest::parse(
            b"file a.1.base.rdb seq 1 type h\nfile \"a b\\x2e\\\"2\\\".base.rdb\" seq 2 type b\n\
              # comment\r\nfile 'it\\'s.aof' seq 3 type i startoffset 7\r\n\
              file a.4.incr.aof seq 4 type i\n",
        );
        let manifest = manifest.unwrap();
        let names: Vec<_> = manifest.parts().map(|part| part.name.as_slice()).collect();
        assert_eq!(names, [&b"a b.\"2\".base.rdb"[..], b"it's.aof", b"a.4.incr.aof"]);
    }

    #[test]
    fn what_servers_refuse_is_refused_with_its_line() {
        let cases: [(&[u8], usize, &str); 12] = [
            (b"", 1, "no file to be read"),
            (b"file a seq 1 type h\n", 2, "no file to be read"),
            (b"file a seq 1 type b\nfile b seq 2 type b", 2, "two base files"),
            (b"file a seq 2 type i\nfile b seq 2 type i", 2, "order of their seq"),
            (b"file a seq 1 type x", 1, "none of b, i and h"),
            (b"file a seq 1", 1, "none of b, i and h"),
            (b"file a seq 0 type b", 1, "above 0"),
            (b"file a seq x type b", 1, "above 0"),
            (b"seq 1 type b", 1, "no file is named"),
            (b"file ../a seq 1 type b", 1, "not one of this directory"),
            (b"file a seq 1 type", 1, "missing its value"),
            (b"file \"a seq 1 type b", 1, "not closed"),
        ];
        for (text, line, what) in cases {
            let error = Manifest::parse(text).unwrap_err();
            assert_eq!(error.line, line, "{text:?}");
            assert!(error.what.contains(what), "{text:?}: {error}");
        }
    }
}
