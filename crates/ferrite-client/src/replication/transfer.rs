//! Follows an RDB through the receive buffer: where it begins, which bytes belong to it, where
//! it ends. No I/O, so that every way of cutting the stream can be tested.
//!
//! ```text
//! \n…  $<length>\r\n        | RDB                              | commands …
//! \n…  $EOF:<40 bytes>\r\n  | RDB …          | marker 40 bytes | commands …
//!                             available ^    (39 bytes are held back: they may be its start)
//! ```

use ferrite_resp::{ProtocolError, ReplyRef, peek, peek_bulk_header};

use super::marker::{MARKER_LENGTH, Marker};

const MARKER_PREFIX: &[u8] = b"$EOF:";

/// The RDB on its way.
#[derive(Debug)]
pub(super) struct Transfer {
    state: State,
    /// Bytes at the start of the buffer that certainly belong to the RDB.
    available: usize,
    /// Bytes of the RDB consumed.
    consumed: u64,
    total: Option<u64>,
}

#[derive(Debug)]
enum State {
    /// The header has not come.
    Header,
    /// The length was announced.
    Counted,
    /// The end is marked.
    Marked(Box<Marker>),
    /// The whole RDB is in the buffer or consumed; so many bytes behind it are no commands.
    Whole { marker: usize },
}

/// Why the stream cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum TransferError {
    /// Not what may come here.
    Protocol(ProtocolError),
    /// The server changed its mind; its words.
    Refused(Vec<u8>),
}

impl From<ProtocolError> for TransferError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

impl Transfer {
    pub(super) fn new() -> Self {
        Self { state: State::Header, available: 0, consumed: 0, total: None }
    }

    /// A transfer that has nothing to transfer: the server continued.
    pub(super) fn none() -> Self {
        Self { state: State::Whole { marker: 0 }, ..Self::new() }
    }

    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.state, State::Header)
    }

    /// Whether every byte of the RDB has come.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.state, State::Whole { .. })
    }

    pub(super) fn available(&self) -> usize {
        self.available
    }

    pub(super) fn total(&self) -> Option<u64> {
        self.total
    }

    /// Bytes of the RDB that certainly came, consumed or not.
    pub(super) fn received(&self) -> u64 {
        self.consumed + self.available as u64
    }

    /// Looks at the buffer, which may have grown. Gives the number of bytes (keep-alives, the
    /// header) to remove from its start before anything else.
    pub(super) fn look(&mut self, buffer: &[u8]) -> Result<usize, TransferError> {
        let mut removed = 0;
        if let State::Header = self.state {
            removed = self.look_for_header(buffer)?;
        }
        let buffer = buffer.get(removed..).unwrap_or_default();
        match &self.state {
            State::Header | State::Whole { .. } => {}
            State::Counted => {
                let missing = self.total.unwrap_or_default() - self.consumed;
                let missing = usize::try_from(missing).unwrap_or(usize::MAX);
                self.available = buffer.len().min(missing);
                if self.available == missing {
                    self.state = State::Whole { marker: 0 };
                }
            }
            State::Marked(marker) => {
                let unsure = buffer.get(self.available..).unwrap_or_default();
                if let Some(at) = marker.find(unsure) {
                    self.available += at;
                    self.total = Some(self.received());
                    self.state = State::Whole { marker: MARKER_LENGTH };
                } else {
                    self.available += unsure.len().saturating_sub(MARKER_LENGTH - 1);
                }
            }
        }
        Ok(removed)
    }

    fn look_for_header(&mut self, buffer: &[u8]) -> Result<usize, TransferError> {
        let keepalives = buffer.iter().take_while(|byte| **byte == b'\n').count();
        let rest = buffer.get(keepalives..).unwrap_or_default();
        let header = match rest {
            [] => 0,
            [b'-', ..] => match peek(rest)? {
                Some((ReplyRef::Error(text), _)) => {
                    return Err(TransferError::Refused(text.to_vec()));
                }
                _ => 0,
            },
            _ if MARKER_PREFIX.starts_with(rest) => 0,
            _ => match rest.strip_prefix(MARKER_PREFIX) {
                Some(line) => self.look_for_marker(line)?,
                None => self.look_for_length(rest)?,
            },
        };
        Ok(keepalives + header)
    }

    /// Gives the length of the header, 0 while it is incomplete.
    fn look_for_marker(&mut self, line: &[u8]) -> Result<usize, TransferError> {
        let Some((bytes, [b'\r', b'\n', ..])) = line.split_first_chunk::<MARKER_LENGTH>() else {
            return match line.get(MARKER_LENGTH..) {
                None | Some([] | [b'\r']) => Ok(0),
                Some(_) => Err(ProtocolError::MissingTerminator.into()),
            };
        };
        self.state = State::Marked(Box::new(Marker::new(*bytes)));
        Ok(MARKER_PREFIX.len() + MARKER_LENGTH + 2)
    }

    /// Gives the length of the header, 0 while it is incomplete.
    fn look_for_length(&mut self, rest: &[u8]) -> Result<usize, TransferError> {
        match peek_bulk_header(rest)? {
            None => Ok(0),
            Some((None, _)) => Err(ProtocolError::BadLength(-1).into()),
            Some((Some(length), used)) => {
                self.total = Some(length as u64);
                self.state = State::Counted;
                Ok(used)
            }
        }
    }

    /// Notes that the first `count` available bytes were used (all, when there are fewer);
    /// gives how many bytes to remove from the start of the buffer, the marker included once
    /// the RDB is used up.
    pub(super) fn consume(&mut self, count: usize) -> usize {
        let count = count.min(self.available);
        self.available -= count;
        self.consumed += count as u64;
        match &mut self.state {
            State::Whole { marker } if self.available == 0 => count + std::mem::take(marker),
            _ => count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKER: &[u8] = b"0123456789abcdef0123456789abcdef01234567";

    /// Feeds `wire` in pieces ending at `cuts`; gives the RDB and what follows it.
    fn follow(wire: &[u8], cuts: &[usize]) -> (Vec<u8>, Vec<u8>) {
        let (mut transfer, mut buffer, mut rdb) = (Transfer::new(), Vec::new(), Vec::new());
        let mut from = 0;
        for &cut in cuts.iter().chain([&wire.len()]) {
            buffer.extend_from_slice(&wire[from..cut]);
            from = cut;
            let removed = transfer.look(&buffer).unwrap();
            buffer.drain(..removed);
            rdb.extend_from_slice(&buffer[..transfer.available()]);
            let removed = transfer.consume(usize::MAX);
            buffer.drain(..removed);
        }
        assert!(transfer.is_whole(), "cuts {cuts:?}");
        assert_eq!(transfer.total(), Some(rdb.len() as u64));
        (rdb, buffer)
    }

    fn marked(rdb: &[u8]) -> Vec<u8> {
        [b"\n\n$EOF:", MARKER, b"\r\n", rdb, MARKER, b"*1\r\n$4\r\nPING\r\n"].concat()
    }

    #[test]
    fn marked_end_is_found_cut_at_any_two_places() {
        // Ends like the beginning of the marker, and holds pieces of it.
        let rdb = [b"REDIS0011", &MARKER[..39], b"x\n", &MARKER[..20]].concat();
        let wire = marked(&rdb);
        for first in 0..wire.len() {
            for second in first..wire.len() {
                let (found, rest) = follow(&wire, &[first, second]);
                assert!(found == rdb, "cuts {first} {second}");
                assert_eq!(rest, b"*1\r\n$4\r\nPING\r\n");
            }
        }
    }

    #[test]
    fn single_bytes_and_an_empty_rdb() {
        for rdb in [b"".as_slice(), b"REDIS0011 and more"] {
            let wire = marked(rdb);
            let cuts: Vec<usize> = (0..wire.len()).collect();
            assert_eq!(follow(&wire, &cuts).0, rdb);
        }
    }

    #[test]
    fn counted_end_is_found_cut_anywhere() {
        let wire = b"\n$12\r\nREDIS0011\n\r\n*1\r\n";
        for cut in 0..wire.len() {
            let (rdb, rest) = follow(wire, &[cut]);
            assert_eq!(
                (rdb.as_slice(), rest.as_slice()),
                (&b"REDIS0011\n\r\n"[..], &b"*1\r\n"[..])
            );
        }
    }

    #[test]
    fn unconsumed_bytes_are_counted_once() {
        let rdb = vec![7; 1000];
        let (wire, mut transfer) = (marked(&rdb), Transfer::new());
        let removed = transfer.look(&wire[..200]).unwrap();
        let before = transfer.available();
        assert_eq!(before, 200 - removed - 39);
        assert_eq!(transfer.look(&wire[removed..200]).unwrap(), 0);
        assert_eq!(transfer.available(), before);
        assert_eq!(transfer.look(&wire[removed..]).unwrap(), 0);
        assert_eq!((transfer.available(), transfer.is_whole()), (1000, true));
        assert_eq!(transfer.consume(400), 400);
        assert_eq!(transfer.received(), 1000);
        assert_eq!(transfer.consume(600), 640);
        assert_eq!(transfer.consume(1), 0);
    }

    #[test]
    fn other_beginnings_are_refused() {
        let look = |wire: &[u8]| Transfer::new().look(wire);
        assert_eq!(look(b"-ERR no\r\n"), Err(TransferError::Refused(b"ERR no".to_vec())));
        assert_eq!(look(b"-ERR n"), Ok(0));
        let protocol = |error| Err(TransferError::Protocol(error));
        assert_eq!(look(b"+OK\r\n"), protocol(ProtocolError::UnknownType(b'+')));
        assert_eq!(look(b"$-1\r\n"), protocol(ProtocolError::BadLength(-1)));
        assert_eq!(look(b"$EOX"), protocol(ProtocolError::BadNumber));
        let unended = [b"$EOF:", MARKER, b"xx"].concat();
        assert_eq!(look(&unended), protocol(ProtocolError::MissingTerminator));
    }
}
