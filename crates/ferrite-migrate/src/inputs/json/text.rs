//! Bytes in JSON: text where they are one, base64 where they are not.
//!
//! ```text
//! "héllo"               the bytes of the text in UTF-8; written without control characters other
//!                       than tabs and line ends, which would take six bytes for one
//! {"base64":"/wA="}     the bytes ff 00 (RFC 4648, with padding)
//! 42                    the digits, as if in quotes; only read, never written
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

/// Bytes read from JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text(pub Vec<u8>);

/// Whether bytes are written as text.
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    let is_plain = |byte: &u8| *byte >= b' ' || b"\t\n\r".contains(byte);
    bytes.iter().all(is_plain) && std::str::from_utf8(bytes).is_ok()
}

/// Appends bytes as JSON.
pub fn push_text(out: &mut Vec<u8>, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        // Writing into memory does not fail.
        Ok(text) if is_text(bytes) => serde_json::to_writer(out, text).unwrap_or_default(),
        _ => {
            out.extend_from_slice(b"{\"base64\":\"");
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            out.extend_from_slice(b"\"}");
        }
    }
}

/// The bytes that a text in base64 stands for.
///
/// # Errors
/// What is wrong with it.
pub fn from_base64(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| format!("base64: {error}"))
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or {\"base64\": …}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Text, E> {
        Ok(Text(text.as_bytes().to_vec()))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text, E> {
        Ok(Text(number.to_string().into_bytes()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text, E> {
        Ok(Text(number.to_string().into_bytes()))
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Text, E> {
        Ok(Text(number.to_string().into_bytes()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Text, A::Error> {
        let wrong = || de::Error::custom("bytes are {\"base64\": \"…\"} and nothing else");
        let Some(("base64", text)) = map.next_entry::<&str, std::borrow::Cow<'_, str>>()? else {
            return Err(wrong());
        };
        if map.next_key::<&str>()?.is_some() {
            return Err(wrong());
        }
        from_base64(&text).map(Text).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back() {
        for bytes in [&b""[..], b"text", b"\"\\\n\0\x7f", "h\u{e9}llo".as_bytes(), b"\xff\0\xc3"] {
            let mut out = Vec::new();
            push_text(&mut out, bytes);
            let text: Text = serde_json::from_slice(&out).unwrap();
            assert_eq!(text.0, bytes);
        }
        let number: Text = serde_json::from_str("42").unwrap();
        assert_eq!(number.0, b"42");
        for wrong in ["null", "true", "{}", "{\"base64\":\"!\"}", "{\"base64\":\"\",\"a\":1}", "[]"]
        {
            assert!(serde_json::from_str::<Text>(wrong).is_err(), "{wrong}");
        }
    }
}
