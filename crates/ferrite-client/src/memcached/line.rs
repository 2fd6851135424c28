//! Reads the lines of Memcached's answers. No I/O, and nothing allocated but keys.

/// A key as `lru_crawler metadump` names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpedKey {
    /// The name.
    pub key: Vec<u8>,
    /// When it expires by the clock of the server, Unix time in seconds; `None` for never.
    pub expires_at_s: Option<u64>,
    /// The unique number of its last write; 0 where the server keeps none (`-C`).
    pub cas: u64,
    /// Bytes it takes on the server, those around key and value included.
    pub size: u64,
}

/// What stands before a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueHeader {
    /// Bytes of the value.
    pub size: usize,
    /// What the client library of the application keeps with it: how it was serialized.
    pub flags: u32,
    /// The unique number of its last write; 0 where none was told.
    pub cas: u64,
    /// Seconds until it expires. `None` where that was not told, `Some(None)` for never.
    pub expires_in_s: Option<Option<u64>>,
}

/// Reads `key=K exp=E la=T cas=N fetch=F cls=C size=B`; `None` for a line that is none of these.
///
/// Words that are not known are passed over: later versions add some. Everything in a key but
/// letters, digits and `-._~` is written as `%XX`. An `exp` of -1 is never; so is 0, which is how
/// Memcached itself keeps it.
#[must_use]
pub fn dumped_key(line: &[u8]) -> Option<DumpedKey> {
    let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
    let key = unescape(words.next()?.strip_prefix(b"key=")?)?;
    let mut found = DumpedKey { key, expires_at_s: None, cas: 0, size: 0 };
    for word in words {
        let Some(at) = word.iter().position(|byte| *byte == b'=') else { continue };
        let (name, value) = word.split_at(at);
        let value = value.get(1..).unwrap_or_default();
        match name {
            b"exp" => found.expires_at_s = u64::try_from(signed(value)?).ok().filter(|at| *at > 0),
            b"cas" => found.cas = number(value)?,
            b"size" => found.size = number(value)?,
            _ => {}
        }
    }
    (!found.key.is_empty()).then_some(found)
}

/// Reads `VA <size> f<flags> t<seconds> c<cas>` or `VALUE <key> <flags> <size> [<cas>]`; `None` for
/// a line that is none of these.
#[must_use]
pub fn value_header(line: &[u8]) -> Option<ValueHeader> {
    let mut words = line.trim_ascii_end().split(|byte| *byte == b' ');
    let mut found = ValueHeader { size: 0, flags: 0, cas: 0, expires_in_s: None };
    match words.next()? {
        b"VA" => {
            found.size = number(words.next()?)?;
            for word in words.filter(|word| !word.is_empty()) {
                let (name, value) = word.split_at(1);
                match name {
                    b"f" => found.flags = number(value)?,
                    b"c" => found.cas = number(value)?,
                    b"t" => found.expires_in_s = Some(u64::try_from(signed(value)?).ok()),
                    _ => {}
                }
            }
        }
        b"VALUE" => {
            words.next()?;
            (found.flags, found.size) = (number(words.next()?)?, number(words.next()?)?);
            found.cas = words.next().map_or(Some(0), number)?;
        }
        _ => return None,
    }
    Some(found)
}

fn number<T: std::str::FromStr>(text: &[u8]) -> Option<T> {
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(text).ok().filter(|_| digits)?.parse().ok()
}

fn signed(text: &[u8]) -> Option<i64> {
    match text.strip_prefix(b"-") {
        Some(digits) => number(digits).map(|value: i64| -value),
        None => number(text),
    }
}

/// `%20` stands for the byte 0x20.
fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut key = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(&byte) = bytes.next() {
        key.push(match byte {
            b'%' => hex(*bytes.next()?)? << 4 | hex(*bytes.next()?)?,
            byte => byte,
        });
    }
    Some(key)
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
