//! Replies, written straight into a client's output in the protocol it speaks.
//!
//! Every call writes one element. Where RESP2 has no type for it, the one is written that Redis
//! writes: a map is a flat array, a set an array, a double a bulk string, a boolean an integer.

use crate::error::CommandError;
use crate::number;

/// Bytes around a bulk string: its length and the ends of both lines.
const BULK_FRAME: usize = 25;

/// The output of one client.
#[derive(Debug)]
pub struct Reply {
    bytes: Vec<u8>,
    resp3: bool,
    /// More bytes than this are not sent: the client is disconnected instead.
    limit: usize,
}

impl Default for Reply {
    fn default() -> Self {
        Self::new(false)
    }
}

/// A place of which an aggregate's length is told later; see [`Reply::defer`].
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Deferred(usize);

impl Reply {
    /// An empty output.
    pub fn new(resp3: bool) -> Self {
        Self::onto(Vec::new(), resp3)
    }

    /// An output that goes on behind `bytes`.
    pub fn onto(bytes: Vec<u8>, resp3: bool) -> Self {
        Self { bytes, resp3, limit: usize::MAX }
    }

    /// How many bytes may wait to be sent; for an output that has no limit yet.
    pub fn limited(self, limit: usize) -> Self {
        Self { limit, ..self }
    }

    /// Whether there is more than may wait to be sent. Nothing of it is sent then, so whoever
    /// writes much by chance or repetition may stop.
    pub fn is_over(&self) -> bool {
        self.bytes.len() > self.limit
    }

    /// Whether the client speaks RESP3.
    pub fn resp3(&self) -> bool {
        self.resp3
    }

    /// Changes the protocol for what follows.
    pub fn set_resp3(&mut self, resp3: bool) {
        self.resp3 = resp3;
    }

    /// How many bytes were written.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes what was written.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Whether what was written at a place is an error.
    pub fn is_error_at(&self, at: usize) -> bool {
        self.bytes.get(at) == Some(&b'-')
    }

    /// Forgets what was written behind `length` bytes.
    pub fn truncate(&mut self, length: usize) {
        self.bytes.truncate(length);
    }

    /// Writes bytes that are replies already.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn head(&mut self, kind: u8, number: i64) {
        if let Ok(small @ 0..100) = u8::try_from(number) {
            // Most lengths are: their bytes are put together without a call.
            let (tens, ones) = (b'0' + small / 10, b'0' + small % 10);
            match small < 10 {
                true => self.bytes.extend_from_slice(&[kind, ones, b'\r', b'\n']),
                false => self.bytes.extend_from_slice(&[kind, tens, ones, b'\r', b'\n']),
            }
            return;
        }
        self.bytes.push(kind);
        self.bytes.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        self.bytes.extend_from_slice(b"\r\n");
    }

    fn length(&mut self, kind: u8, length: usize) {
        self.head(kind, i64::try_from(length).unwrap_or(i64::MAX));
    }

    /// `+OK`.
    pub fn ok(&mut self) {
        self.raw(b"+OK\r\n");
    }

    /// A simple string; `text` must be a single line.
    pub fn simple(&mut self, text: &str) {
        self.bytes.push(b'+');
        self.raw(text.as_bytes());
        self.raw(b"\r\n");
    }

    /// An error.
    pub fn error(&mut self, error: &CommandError) {
        self.bytes.push(b'-');
        self.raw(error.line().as_bytes());
        self.raw(b"\r\n");
    }

    /// An integer.
    pub fn int(&mut self, value: i64) {
        self.head(b':', value);
    }

    /// A count as an integer.
    pub fn count(&mut self, value: usize) {
        self.length(b':', value);
    }

    /// A bulk string.
    pub fn bulk(&mut self, bytes: &[u8]) {
        if self.is_over() {
            return;
        }
        self.bytes.reserve(bytes.len() + BULK_FRAME);
        self.length(b'$', bytes.len());
        self.raw(bytes);
        self.raw(b"\r\n");
    }

    /// A bulk string of text.
    pub fn text(&mut self, text: &str) {
        self.bulk(text.as_bytes());
    }

    /// A number as a bulk string.
    pub fn bulk_int(&mut self, value: i64) {
        self.bulk(itoa::Buffer::new().format(value).as_bytes());
    }

    /// A bulk string, or null.
    pub fn bulk_or_null(&mut self, bytes: Option<&[u8]>) {
        match bytes {
            Some(bytes) => self.bulk(bytes),
            None => self.null(),
        }
    }

    /// Null where a value could be.
    pub fn null(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// Null where an array could be.
    pub fn null_array(&mut self) {
        self.raw(if self.resp3 { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// An array of `length` elements, which follow.
    pub fn array(&mut self, length: usize) {
        self.length(b'*', length);
    }

    /// A map of `pairs` pairs, which follow: key, value, key, value.
    pub fn map(&mut self, pairs: usize) {
        match self.resp3 {
            true => self.length(b'%', pairs),
            false => self.length(b'*', pairs * 2),
        }
    }

    /// A set of `length` elements, which follow.
    pub fn set(&mut self, length: usize) {
        self.length(if self.resp3 { b'~' } else { b'*' }, length);
    }

    /// A message that was not asked for, of `length` elements, which follow.
    pub fn push(&mut self, length: usize) {
        self.length(if self.resp3 { b'>' } else { b'*' }, length);
    }

    /// What is said besides a reply, of `pairs` pairs, which follow and before which nothing of
    /// the reply was written; RESP3 only.
    pub fn attribute(&mut self, pairs: usize) {
        self.length(b'|', pairs);
    }

    /// A floating point number.
    pub fn double(&mut self, value: f64) {
        let text = number::double_text(value);
        match self.resp3 {
            true => {
                self.bytes.push(b',');
                self.raw(text.as_bytes());
                self.raw(b"\r\n");
            }
            false => self.text(&text),
        }
    }

    /// A floating point number without an exponent, of up to seventeen digits behind the point.
    pub fn human_double(&mut self, value: f64) {
        let mut text = Vec::new();
        ferrite_store::double::write_human(&mut text, value);
        match self.resp3 {
            true => {
                self.bytes.push(b',');
                self.raw(&text);
                self.raw(b"\r\n");
            }
            false => self.bulk(&text),
        }
    }

    /// A truth value.
    pub fn bool(&mut self, value: bool) {
        match (self.resp3, value) {
            (true, true) => self.raw(b"#t\r\n"),
            (true, false) => self.raw(b"#f\r\n"),
            (false, value) => self.int(i64::from(value)),
        }
    }

    /// Text of a kind of three letters (`txt`, `mkd`).
    pub fn verbatim(&mut self, kind: &str, text: &[u8]) {
        match self.resp3 {
            true => {
                self.length(b'=', text.len() + 4);
                self.raw(kind.as_bytes());
                self.bytes.push(b':');
                self.raw(text);
                self.raw(b"\r\n");
            }
            false => self.bulk(text),
        }
    }

    /// A whole number of any size, given as its digits.
    pub fn big_number(&mut self, digits: &str) {
        match self.resp3 {
            true => {
                self.bytes.push(b'(');
                self.raw(digits.as_bytes());
                self.raw(b"\r\n");
            }
            false => self.text(digits),
        }
    }

    /// Begins an aggregate whose length is not known yet; one of the functions that begin with
    /// `settle` must follow.
    pub fn defer(&mut self) -> Deferred {
        Deferred(self.bytes.len())
    }

    /// Makes what was written since `from` an array of `length` elements.
    pub fn settle_array(&mut self, from: Deferred, length: usize) {
        self.settle(from, |head| head.array(length));
    }

    /// Makes what was written since `from` a set of `length` elements.
    pub fn settle_set(&mut self, from: Deferred, length: usize) {
        self.settle(from, |head| head.set(length));
    }

    /// Makes what was written since `from` a map of `pairs` pairs.
    pub fn settle_map(&mut self, from: Deferred, pairs: usize) {
        self.settle(from, |head| head.map(pairs));
    }

    fn settle(&mut self, from: Deferred, write: impl FnOnce(&mut Self)) {
        let mut head = Self::new(self.resp3);
        write(&mut head);
        self.bytes.splice(from.0..from.0, head.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(resp3: bool, write: impl Fn(&mut Reply)) -> String {
        let mut reply = Reply::new(resp3);
        write(&mut reply);
        String::from_utf8(reply.into_bytes()).unwrap()
    }

    #[test]
    fn each_protocol_gets_the_types_it_has() {
        let all = |reply: &mut Reply| {
            reply.map(1);
            reply.double(1.5);
            reply.bool(true);
            reply.null();
            reply.verbatim("txt", b"x");
        };
        assert_eq!(written(true, all), "%1\r\n,1.5\r\n#t\r\n_\r\n=5\r\ntxt:x\r\n");
        assert_eq!(written(false, all), "*2\r\n$3\r\n1.5\r\n:1\r\n$-1\r\n$1\r\nx\r\n");
    }

    #[test]
    fn a_length_may_be_told_behind_the_elements() {
        let text = written(false, |reply| {
            reply.int(1);
            let list = reply.defer();
            reply.int(2);
            reply.int(3);
            reply.settle_array(list, 2);
        });
        assert_eq!(text, ":1\r\n*2\r\n:2\r\n:3\r\n");
    }
}
