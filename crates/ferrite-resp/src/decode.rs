//! Builds owned values, piece by piece as bytes arrive.

use crate::scan::{AggregateKind, BlobKind, Head, head};
use crate::{ProtocolError, Value};

/// Bytes set aside at once for a string that was only announced.
const TRUSTED_BYTES: usize = 1 << 20;
/// Elements set aside at once for an aggregate that was only announced.
const TRUSTED_ELEMENTS: usize = 1 << 10;

/// How much one reply may ask of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Aggregates within aggregates.
    pub depth: usize,
    /// Length of one string, in bytes.
    pub bulk: usize,
    /// Elements of one aggregate (a map of n pairs has 2n).
    pub elements: usize,
    /// Bytes of one whole reply as sent.
    pub reply: usize,
}

impl Default for Limits {
    /// 128 levels, strings of 1 GiB, 2^28 elements, replies of 4 GiB: above what servers send,
    /// who limit strings to 512 MiB by default.
    fn default() -> Self {
        Self { depth: 128, bulk: 1 << 30, elements: 1 << 28, reply: u32::MAX as usize }
    }
}

/// Decodes the reply at the start of `input`: the value and how many bytes it took.
///
/// `None` when it is incomplete. Every call starts anew: while a long reply arrives in many
/// pieces, [`Decoder`] looks at each byte once.
///
/// # Errors
/// When the input is not RESP or a limit is exceeded.
pub fn decode(input: &[u8], limits: &Limits) -> Result<Option<(Value, usize)>, ProtocolError> {
    let (used, value) = Decoder::new(*limits).decode(input)?;
    Ok(value.map(|value| (value, used)))
}

/// Decodes a reply that arrives in pieces, taking every piece once.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    /// Aggregates begun and not complete, outermost first.
    stack: Vec<Frame>,
    /// A string begun and not complete.
    blob: Option<Blob>,
    /// Bytes taken of the reply under way.
    taken: usize,
}

#[derive(Debug)]
struct Frame {
    kind: AggregateKind,
    missing: usize,
    items: Vec<Value>,
}

#[derive(Debug)]
struct Blob {
    kind: BlobKind,
    length: usize,
    text: Vec<u8>,
}

/// What one step over the input brought.
enum Step {
    /// A value that needs nothing further.
    Value(Value),
    /// A header, or part of a string.
    Progress,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Decoder {
    /// A decoder at the start of a reply.
    pub fn new(limits: Limits) -> Self {
        Self { limits, stack: Vec::new(), blob: None, taken: 0 }
    }

    /// Whether a reply is begun and not complete.
    pub fn is_midway(&self) -> bool {
        self.blob.is_some() || !self.stack.is_empty()
    }

    /// Takes bytes from `input`: says how many, and gives the value once it is complete. Bytes
    /// taken must not be offered again; bytes not taken must, with more behind them.
    ///
    /// # Errors
    /// When the input is not RESP or a limit is exceeded; the decoder is of no use after that.
    pub fn decode(&mut self, input: &[u8]) -> Result<(usize, Option<Value>), ProtocolError> {
        let mut at = 0;
        while let Some(rest) = input.get(at..) {
            let Some((step, used)) = self.step(rest)? else { break };
            at += used;
            self.taken = self.taken.saturating_add(used);
            if self.taken > self.limits.reply {
                return Err(ProtocolError::ReplyTooLong { limit: self.limits.reply });
            }
            if let Step::Value(value) = step
                && let Some(whole) = self.deliver(value)
            {
                self.taken = 0;
                return Ok((at, Some(whole)));
            }
        }
        Ok((at, None))
    }

    fn step(&mut self, input: &[u8]) -> Result<Option<(Step, usize)>, ProtocolError> {
        if self.blob.is_some() {
            return self.step_blob(input);
        }
        let Some((head, used)) = head(input)? else { return Ok(None) };
        let value = match head {
            Head::Blob(kind, length) => {
                self.begin_blob(kind, length)?;
                return Ok(Some((Step::Progress, used)));
            }
            Head::Aggregate(kind, count) => return Ok(Some((self.open(kind, count)?, used))),
            Head::Simple(text) => Value::Simple(text.to_vec()),
            Head::Error(text) => Value::Error(text.to_vec()),
            Head::Integer(value) => Value::Integer(value),
            Head::Null => Value::Null,
            Head::Boolean(value) => Value::Boolean(value),
            Head::Double(value) => Value::Double(value),
            Head::BigNumber(digits) => Value::BigNumber(digits.to_vec()),
        };
        Ok(Some((Step::Value(value), used)))
    }

    fn begin_blob(&mut self, kind: BlobKind, length: usize) -> Result<(), ProtocolError> {
        if length > self.limits.bulk {
            return Err(ProtocolError::BulkTooLong { length, limit: self.limits.bulk });
        }
        let text = Vec::with_capacity(length.min(TRUSTED_BYTES));
        self.blob = Some(Blob { kind, length, text });
        Ok(())
    }

    fn step_blob(&mut self, input: &[u8]) -> Result<Option<(Step, usize)>, ProtocolError> {
        let Some(blob) = self.blob.as_mut() else { return Ok(None) };
        let wanted = blob.length - blob.text.len();
        if wanted > 0 {
            let part = input.get(..wanted).unwrap_or(input);
            blob.take(part);
            return Ok((!part.is_empty()).then_some((Step::Progress, part.len())));
        }
        match input {
            [b'\r', b'\n', ..] => {}
            [] | [b'\r'] => return Ok(None),
            _ => return Err(ProtocolError::MissingTerminator),
        }
        match self.blob.take() {
            Some(blob) => Ok(Some((Step::Value(blob.finish()?), 2))),
            None => Ok(None),
        }
    }

    fn open(&mut self, kind: AggregateKind, count: usize) -> Result<Step, ProtocolError> {
        let limit = self.limits.elements;
        let missing = kind.elements(count).unwrap_or(usize::MAX);
        if missing > limit {
            return Err(ProtocolError::TooManyElements { count, limit });
        }
        if self.stack.len() >= self.limits.depth {
            return Err(ProtocolError::TooDeep { limit: self.limits.depth });
        }
        let items = Vec::with_capacity(missing.min(TRUSTED_ELEMENTS));
        let frame = Frame { kind, missing, items };
        if missing > 0 {
            self.stack.push(frame);
            return Ok(Step::Progress);
        }
        Ok(frame.finish().map_or(Step::Progress, Step::Value))
    }

    /// Puts a complete value where it belongs; gives it back when it is the whole reply.
    fn deliver(&mut self, mut value: Value) -> Option<Value> {
        loop {
            let Some(mut frame) = self.stack.pop() else { return Some(value) };
            frame.items.push(value);
            frame.missing -= 1;
            if frame.missing > 0 {
                self.stack.push(frame);
                return None;
            }
            value = frame.finish()?;
        }
    }
}

impl Blob {
    fn take(&mut self, part: &[u8]) {
        // A peer that has sent a megabyte is believed to send the rest.
        if self.text.len() + part.len() > self.text.capacity() {
            self.text.reserve_exact(self.length - self.text.len());
        }
        self.text.extend_from_slice(part);
    }

    fn finish(self) -> Result<Value, ProtocolError> {
        match self.kind {
            BlobKind::Bulk => Ok(Value::Bulk(self.text)),
            BlobKind::Error => Ok(Value::Error(self.text)),
            BlobKind::Verbatim => match self.text.as_slice() {
                [a, b, c, b':', text @ ..] => {
                    Ok(Value::Verbatim { format: [*a, *b, *c], text: text.to_vec() })
                }
                _ => Err(ProtocolError::BadVerbatim),
            },
        }
    }
}

impl Frame {
    /// The aggregate; `None` for an attribute, which is not part of the reply.
    fn finish(self) -> Option<Value> {
        Some(match self.kind {
            AggregateKind::Array => Value::Array(self.items),
            AggregateKind::Set => Value::Set(self.items),
            AggregateKind::Push => Value::Push(self.items),
            AggregateKind::Attribute => return None,
            AggregateKind::Map => {
                let mut items = self.items.into_iter();
                let mut pairs = Vec::with_capacity(items.len() / 2);
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    pairs.push((key, value));
                }
                Value::Map(pairs)
            }
        })
    }
}
