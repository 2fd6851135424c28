//! What a server answered, made for assertions.

use std::fmt;

/// Bytes of a string shown in messages.
const SHOWN_BYTES: usize = 200;
/// Items of an array shown in messages.
const SHOWN_ITEMS: usize = 40;

/// A reply. Maps and sets of RESP3 arrive as flat arrays, as RESP2 would send them.
///
/// `Debug` prints what `Display` does, so that a failed assertion is readable. Replies compare with
/// `&str` (text of a simple or bulk string) and `i64`.
#[derive(Clone, PartialEq)]
pub enum Reply {
    /// A status such as `OK`.
    Simple(String),
    /// An error, without the leading dash.
    Error(String),
    /// An integer.
    Int(i64),
    /// A string, any bytes.
    Bulk(Vec<u8>),
    /// Nothing there.
    Nil,
    /// RESP3 only.
    Double(f64),
    /// RESP3 only.
    Bool(bool),
    /// Several replies.
    Array(Vec<Reply>),
    /// RESP3 only: a message nobody asked for.
    Push(Vec<Reply>),
}

impl Reply {
    /// Whether the server answered with an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }

    /// The bytes of a bulk or simple string.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Reply::Bulk(bytes) => Some(bytes),
            Reply::Simple(text) => Some(text.as_bytes()),
            _ => None,
        }
    }

    /// A string as text, invalid UTF-8 replaced; other kinds as they are displayed.
    pub fn text(&self) -> String {
        match self.bytes() {
            Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
            None => self.to_string(),
        }
    }

    /// The number: an integer, or a string that spells one.
    pub fn int(&self) -> Option<i64> {
        match self {
            Reply::Int(value) => Some(*value),
            _ => std::str::from_utf8(self.bytes()?).ok()?.parse().ok(),
        }
    }

    /// The items of an array or push message; empty for all else.
    pub fn items(&self) -> &[Reply] {
        match self {
            Reply::Array(items) | Reply::Push(items) => items,
            _ => &[],
        }
    }
}

impl PartialEq<str> for Reply {
    fn eq(&self, other: &str) -> bool {
        self.bytes() == Some(other.as_bytes())
    }
}

impl PartialEq<&str> for Reply {
    fn eq(&self, other: &&str) -> bool {
        self == *other
    }
}

impl PartialEq<i64> for Reply {
    fn eq(&self, other: &i64) -> bool {
        matches!(self, Reply::Int(value) if value == other)
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(text) => formatter.write_str(text),
            Reply::Error(text) => write!(formatter, "(error) {text}"),
            Reply::Int(value) => write!(formatter, "(integer) {value}"),
            Reply::Bulk(bytes) => write_bytes(formatter, bytes),
            Reply::Nil => formatter.write_str("(nil)"),
            Reply::Double(value) => write!(formatter, "(double) {value}"),
            Reply::Bool(value) => write!(formatter, "(boolean) {value}"),
            Reply::Array(items) => write_items(formatter, "", items),
            Reply::Push(items) => write_items(formatter, "(push) ", items),
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Bytes in quotes with escapes, cut when long.
pub(crate) fn write_bytes(formatter: &mut impl fmt::Write, bytes: &[u8]) -> fmt::Result {
    let shown = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
    write!(formatter, "\"{}\"", shown.escape_ascii())?;
    if shown.len() < bytes.len() {
        write!(formatter, "… ({} bytes)", bytes.len())?;
    }
    Ok(())
}

fn write_items(formatter: &mut fmt::Formatter<'_>, kind: &str, items: &[Reply]) -> fmt::Result {
    write!(formatter, "{kind}[")?;
    for (index, item) in items.iter().take(SHOWN_ITEMS).enumerate() {
        let comma = if index > 0 { ", " } else { "" };
        write!(formatter, "{comma}{item}")?;
    }
    if items.len() > SHOWN_ITEMS {
        write!(formatter, ", … ({} items)", items.len())?;
    }
    formatter.write_str("]")
}
