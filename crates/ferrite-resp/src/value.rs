//! An owned reply.

use std::fmt;

/// A whole reply. Strings are bytes: keys, values and even errors may hold anything.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A status, such as `OK`.
    Simple(Vec<u8>),
    /// An error, such as `ERR no such key`, without the dash.
    Error(Vec<u8>),
    /// A signed 64-bit integer.
    Integer(i64),
    /// A string.
    Bulk(Vec<u8>),
    /// Nothing: RESP2's null string and null array, RESP3's null.
    Null,
    /// Elements in order.
    Array(Vec<Value>),
    /// Pairs, in the order sent (RESP3).
    Map(Vec<(Value, Value)>),
    /// Elements without order (RESP3).
    Set(Vec<Value>),
    /// A floating-point number (RESP3).
    Double(f64),
    /// A truth value (RESP3).
    Boolean(bool),
    /// The digits of an integer of any size (RESP3).
    BigNumber(Vec<u8>),
    /// A text with its format (RESP3).
    Verbatim {
        /// `txt`, `mkd`, …
        format: [u8; 3],
        /// The text.
        text: Vec<u8>,
    },
    /// Sent by the server without being asked (RESP3).
    Push(Vec<Value>),
}

impl Value {
    /// The bytes of any string-like value: bulk, simple, verbatim, big number.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bulk(text) | Self::Simple(text) | Self::BigNumber(text) => Some(text),
            Self::Verbatim { text, .. } => Some(text),
            _ => None,
        }
    }

    /// Like [`Value::as_bytes`], when they are UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// An integer, also when it came as a string of digits or as a boolean.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            Self::Boolean(value) => Some(i64::from(*value)),
            other => other.as_str().and_then(|text| text.parse().ok()),
        }
    }

    /// A number, also when it came as a string.
    pub fn as_double(&self) -> Option<f64> {
        match self {
            Self::Double(value) => Some(*value),
            Self::Integer(value) => Some(*value as f64),
            other => other.as_str().and_then(|text| text.parse().ok()),
        }
    }

    /// The elements of an array, a set or a push.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Some(items),
            _ => None,
        }
    }

    /// The text of an error.
    pub fn as_error(&self) -> Option<&[u8]> {
        match self {
            Self::Error(text) => Some(text),
            _ => None,
        }
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Self::Error(_))
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// Whether this is the status `OK`.
    pub fn is_ok(&self) -> bool {
        matches!(self, Self::Simple(text) if text == b"OK")
    }

    /// The bytes of a string-like value.
    ///
    /// # Errors
    /// Hands the value's kind back when it is no string.
    pub fn into_bytes(self) -> Result<Vec<u8>, UnexpectedValue> {
        match self {
            Self::Bulk(text) | Self::Simple(text) | Self::BigNumber(text) => Ok(text),
            Self::Verbatim { text, .. } => Ok(text),
            other => Err(UnexpectedValue { wanted: "a string", got: other.kind() }),
        }
    }

    /// The elements of an array, a set or a push; a map gives key, value, key, value, …
    ///
    /// # Errors
    /// Hands the value's kind back when it is no aggregate.
    pub fn into_array(self) -> Result<Vec<Value>, UnexpectedValue> {
        match self {
            Self::Array(items) | Self::Set(items) | Self::Push(items) => Ok(items),
            Self::Map(pairs) => Ok(pairs.into_iter().flat_map(|(k, v)| [k, v]).collect()),
            other => Err(UnexpectedValue { wanted: "an array", got: other.kind() }),
        }
    }

    /// Pairs: those of a map, or the elements of an array taken by twos (RESP2's way to send a
    /// map).
    ///
    /// # Errors
    /// Hands the value's kind back when it is neither, or has an odd number of elements.
    pub fn into_pairs(self) -> Result<Vec<(Value, Value)>, UnexpectedValue> {
        match self {
            Self::Map(pairs) => Ok(pairs),
            Self::Array(items) if items.len() % 2 == 0 => {
                let mut items = items.into_iter();
                let mut pairs = Vec::with_capacity(items.len() / 2);
                while let (Some(key), Some(value)) = (items.next(), items.next()) {
                    pairs.push((key, value));
                }
                Ok(pairs)
            }
            other => Err(UnexpectedValue { wanted: "pairs", got: other.kind() }),
        }
    }

    /// The kind in words, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Simple(_) => "a status",
            Self::Error(_) => "an error",
            Self::Integer(_) => "an integer",
            Self::Bulk(_) => "a string",
            Self::Null => "null",
            Self::Array(_) => "an array",
            Self::Map(_) => "a map",
            Self::Set(_) => "a set",
            Self::Double(_) => "a double",
            Self::Boolean(_) => "a boolean",
            Self::BigNumber(_) => "a big number",
            Self::Verbatim { .. } => "a verbatim string",
            Self::Push(_) => "a push",
        }
    }
}

/// A reply of another kind than the command promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnexpectedValue {
    /// What was wanted, in words.
    pub wanted: &'static str,
    /// What came, in words.
    pub got: &'static str,
}

impl fmt::Display for UnexpectedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.wanted, self.got)
    }
}

impl std::error::Error for UnexpectedValue {}
