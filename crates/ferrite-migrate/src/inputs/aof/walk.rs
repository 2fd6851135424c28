//! Goes through the commands of one file, past damage where that is wanted.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use ferrite_rdb::aof::{Found, Item, Reader, Step, find_command};

use super::window::FileBytes;
use crate::error::{ErrorKind, MigrateError};

/// One thing found on the way.
#[derive(Debug)]
pub enum Seen<'a> {
    /// A command.
    Command {
        /// Where it begins in the file.
        offset: u64,
        /// Its bytes.
        raw: &'a [u8],
        /// Its words.
        words: &'a [&'a [u8]],
    },
    /// What follows was executed at this Unix time, in seconds, or later.
    Time {
        /// When.
        seconds: u64,
    },
    /// Bytes that are no command, and were gone past.
    Gap {
        /// Where they begin.
        offset: u64,
        /// How many there are.
        bytes: u64,
    },
    /// The last command was not written whole.
    Truncated {
        /// Where it begins.
        offset: u64,
        /// What there is of it.
        bytes: u64,
    },
}

/// What is said to whoever looks: go on, or stop here.
pub type Flow = ControlFlow<()>;

/// A file being gone through.
#[derive(Debug)]
pub struct Walk {
    path: PathBuf,
    bytes: FileBytes,
    reader: Reader,
    salvages: bool,
}

/// An error about a file.
pub fn file_error(doing: &str, path: &Path, error: &io::Error) -> MigrateError {
    let doing = format!("{doing} {}", path.display());
    MigrateError::new(ErrorKind::Source, doing, error)
        .with_hint("see that it is there, a file, and may be read")
}

impl Walk {
    /// The commands of a file from `offset` on, none longer than `command_limit` bytes; with
    /// `salvages`, past damage.
    ///
    /// # Errors
    /// A file that cannot be opened.
    pub fn open(
        path: &Path,
        offset: u64,
        command_limit: usize,
        salvages: bool,
    ) -> Result<Self, MigrateError> {
        let bytes =
            FileBytes::open(path, offset).map_err(|error| file_error("opening", path, &error))?;
        let reader = Reader::new(offset, command_limit);
        Ok(Self { path: path.to_owned(), bytes, reader, salvages })
    }

    /// Shows everything to `look`, in order, until it says to stop.
    ///
    /// # Errors
    /// What `look` says; a file that cannot be read; damage, unless it is gone past.
    pub fn each(
        mut self,
        mut look: impl FnMut(Seen<'_>) -> Result<Flow, MigrateError>,
    ) -> Result<(), MigrateError> {
        loop {
            let offset = self.reader.offset();
            let seen = match self.reader.next(self.bytes.bytes()) {
                Ok(Step::Item { consumed, item }) => {
                    let flow = match &item {
                        Item::Command { raw, words } => look(Seen::Command { offset, raw, words })?,
                        Item::Timestamp(seconds) => look(Seen::Time { seconds: *seconds })?,
                        Item::Annotation(_) => Flow::Continue(()),
                    };
                    self.bytes.consume(consumed);
                    if flow.is_break() {
                        return Ok(());
                    }
                    continue;
                }
                Ok(Step::NeedMore) => None,
                Err(error) if self.salvages => {
                    tracing::debug!(%error, "going past damage");
                    Some(self.gap()?)
                }
                Err(error) => return Err(self.damaged(&error)),
            };
            let seen = match seen {
                Some(seen) => seen,
                None if self.more()? => continue,
                None => match self.tail()? {
                    None => return Ok(()),
                    Some(gap @ Seen::Gap { .. }) => gap,
                    Some(truncated) => return look(truncated).map(|_| ()),
                },
            };
            if look(seen)?.is_break() {
                return Ok(());
            }
        }
    }

    fn more(&mut self) -> Result<bool, MigrateError> {
        self.bytes.more().map_err(|error| file_error("reading", &self.path, &error))
    }

    /// What an end in the middle of a command means. A command may seem to go on beyond the end
    /// because its length is damaged; then others stand in what seems to be its value.
    fn tail(&mut self) -> Result<Option<Seen<'static>>, MigrateError> {
        let rest = self.bytes.bytes();
        if rest.is_empty() {
            return Ok(None);
        }
        let (offset, bytes) = (self.reader.offset(), rest.len() as u64);
        match find_command(rest.get(1..).unwrap_or_default()) {
            Found::Nothing(_) => Ok(Some(Seen::Truncated { offset, bytes })),
            Found::Command(_) if self.salvages => self.gap().map(Some),
            Found::Command(_) => {
                let kind = ferrite_rdb::ErrorKind::Malformed(
                    "AOF: a word that would end behind the file has commands in it",
                );
                Err(self.damaged(&ferrite_rdb::Error::new(kind, offset)))
            }
        }
    }

    /// Goes to the next command behind the byte where the last one should have begun.
    fn gap(&mut self) -> Result<Seen<'static>, MigrateError> {
        let offset = self.reader.offset();
        let mut known = 1;
        loop {
            let rest = self.bytes.bytes();
            match find_command(rest.get(known..).unwrap_or_default()) {
                Found::Command(at) => {
                    self.skip(known + at);
                    break;
                }
                Found::Nothing(seen) => {
                    self.skip(known.min(rest.len()) + seen);
                    known = 0;
                }
            }
            if !self.more()? {
                self.skip(self.bytes.bytes().len());
                break;
            }
        }
        Ok(Seen::Gap { offset, bytes: self.reader.offset() - offset })
    }

    fn skip(&mut self, bytes: usize) {
        self.reader.skip(bytes);
        self.bytes.consume(bytes);
    }

    fn damaged(&self, error: &ferrite_rdb::Error) -> MigrateError {
        let doing = format!("reading the append-only file {}", self.path.display());
        let failed = MigrateError::new(ErrorKind::Data, doing, error);
        match error.kind {
            ferrite_rdb::ErrorKind::TooLarge { .. } => failed.with_hint(
                "a higher --memory-limit takes longer commands; --salvage leaves this one out",
            ),
            _ => failed
                .with_hint("--salvage goes on at the next command, and names what it leaves out"),
        }
    }
}
