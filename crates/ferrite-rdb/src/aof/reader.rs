//! The pull parser of commands, over a buffer the caller owns and fills.

use super::command::{self, Stop};
use crate::{Error, ErrorKind};

/// The longest annotation accepted, in bytes: servers read lines of 128.
const ANNOTATION_MAX: usize = 1024;

/// The outcome of one call of [`Reader::next`].
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Something was found in the first `consumed` bytes; the next input starts behind them.
    Item {
        /// How many bytes it took.
        consumed: usize,
        /// What it is.
        item: Item<'a>,
    },
    /// The next thing is not complete: call again with the same bytes and more. A
    /// buffer that grows by a part of itself keeps the work of reading again linear. At the end of the file it means that the
    /// last command was not written whole, unless no byte is left.
    NeedMore,
}

/// One thing of an append-only file, in the order of the file.
#[derive(Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// A command.
    Command {
        /// Its bytes, as they would be sent to a server.
        raw: &'a [u8],
        /// Its words, the name first; at least one.
        words: Vec<&'a [u8]>,
    },
    /// `#TS:<seconds>`: commands that follow were executed at this Unix time or later
    /// (`aof-timestamp-enabled`, Redis 7.0 on).
    Timestamp(u64),
    /// Another annotation, which servers skip.
    Annotation(&'a [u8]),
}

/// Reads commands one by one; see the module above for the format.
#[derive(Debug)]
pub struct Reader {
    offset: u64,
    command_limit: usize,
}

impl Reader {
    /// A reader whose first byte is at `offset` of the file: behind the preamble, where there is
    /// one. A command of more than `command_limit` bytes is refused: it is the most that the
    /// caller has to hold.
    #[must_use]
    pub fn new(offset: u64, command_limit: usize) -> Self {
        Self { offset, command_limit }
    }

    /// Where in the file the next thing begins.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes past bytes that are no command, see [`super::find_command`].
    pub fn skip(&mut self, bytes: usize) {
        self.offset += bytes as u64;
    }

    /// Finds the next thing. `input` starts where the call before stopped.
    ///
    /// # Errors
    /// Bytes that are no command, with their offset in the file; [`ErrorKind::TooLarge`] for a
    /// command above the limit. [`Reader::offset`] is still where it began.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> Result<Step<'a>, Error> {
        if input.first() == Some(&b'#') {
            return self.annotation(input);
        }
        match command::parse(input, self.command_limit) {
            Ok((words, consumed)) => {
                let raw = input.get(..consumed).unwrap_or_default();
                self.skip(consumed);
                Ok(Step::Item { consumed, item: Item::Command { raw, words } })
            }
            Err(Stop::Incomplete) => Ok(Step::NeedMore),
            Err(Stop::Bad(kind, at)) => Err(Error::new(kind, self.offset + at as u64)),
        }
    }

    fn annotation<'a>(&mut self, input: &'a [u8]) -> Result<Step<'a>, Error> {
        let Some(end) = input.iter().take(ANNOTATION_MAX).position(|byte| *byte == b'\n') else {
            let kind = ErrorKind::Malformed("AOF: annotation without its end");
            let is_long = input.len() >= ANNOTATION_MAX;
            return if is_long { Err(Error::new(kind, self.offset)) } else { Ok(Step::NeedMore) };
        };
        let line = input.get(..end).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let item = match line.strip_prefix(b"#TS:") {
            None => Item::Annotation(line),
            Some(digits) => {
                let seconds = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok());
                let kind = ErrorKind::Malformed("AOF: timestamp");
                Item::Timestamp(seconds.ok_or_else(|| Error::new(kind, self.offset))?)
            }
        };
        self.skip(end + 1);
        Ok(Step::Item { consumed: end + 1, item })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_annotations_alternate() {
        let input = b"#TS:1700000000\r\n*1\r\n$4\r\nPING\r\n#note\n*1\r\n";
        let mut reader = Reader::new(100, 1024);
        let mut rest = &input[..];
        let mut found = Vec::new();
        while let Step::Item { consumed, item } = reader.next(rest).unwrap() {
            rest = &rest[consumed..];
            found.push(match item {
                Item::Command { raw, words } => format!("{} {}", words.len(), raw.len()),
                Item::Timestamp(seconds) => seconds.to_string(),
                Item::Annotation(line) => String::from_utf8_lossy(line).into_owned(),
            });
        }
        assert_eq!(found, ["1700000000", "1 14", "#note"]);
        assert_eq!(reader.offset(), 100 + 16 + 14 + 6);
        assert_eq!(rest, b"*1\r\n");
    }

    #[test]
    fn errors_have_the_offset_of_the_file() {
        let mut reader = Reader::new(1000, 64);
        let error = reader.next(b"*1\r\n+OK\r\n").unwrap_err();
        assert_eq!(error.offset, 1004);
        assert_eq!(reader.offset(), 1000);
        let error = reader.next(b"*1\r\n$100\r\n").unwrap_err();
        assert!(matches!(error.kind, ErrorKind::TooLarge { .. }));
        assert!(reader.next(b"#TS:soon\r\n").is_err());
        assert!(reader.next(&[b'#'; ANNOTATION_MAX]).is_err());
        assert_eq!(reader.next(b"#TS:1").unwrap(), Step::NeedMore);
    }
}
