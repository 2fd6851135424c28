//! The words of etcd's JSON: keys and values in base 64, numbers as text.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// A key, what is kept under it, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// What is kept under it.
    pub value: String,
    /// The revision that made it: another one when it was deleted and made again.
    pub create_revision: i64,
}

/// Text as JSON has it here.
pub(super) fn bytes(text: &str) -> String {
    STANDARD.encode(text)
}

/// A number, which may be text, or missing where it is 0.
pub(super) fn number(object: &Value, name: &str) -> Option<i64> {
    match object.get(name)? {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    }
}

/// The first key behind all that begin so.
pub(super) fn range_end(prefix: &str) -> String {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            break;
        }
    }
    STANDARD.encode(end)
}

/// What an answer to a range lists; what is no text is left out: we write nothing else.
pub(super) fn entries(range: &Value) -> Vec<Entry> {
    let text = |object: &Value, name: &str| {
        let encoded = object.get(name).and_then(Value::as_str).unwrap_or_default();
        String::from_utf8(STANDARD.decode(encoded).ok()?).ok()
    };
    let entry = |object: &Value| {
        let create_revision = number(object, "create_revision").unwrap_or(0);
        Some(Entry { key: text(object, "key")?, value: text(object, "value")?, create_revision })
    };
    let listed = range.get("kvs").and_then(Value::as_array);
    listed.into_iter().flatten().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_end_of_a_range_is_behind_its_last_key() {
        assert_eq!(range_end("job/"), bytes("job0"));
        assert_eq!(STANDARD.decode(range_end("a\u{7f}")).unwrap(), [b'a', 0x80]);
    }

    #[test]
    fn answers_are_understood_whatever_is_missing() {
        let kv = json!({ "key": bytes("k"), "value": bytes("v"), "create_revision": "7" });
        let told = json!({ "kvs": [kv, { "key": bytes("empty") }, { "key": "%" }] });
        let entry = |key: &str, value: &str, create_revision| Entry {
            key: key.to_owned(),
            value: value.to_owned(),
            create_revision,
        };
        assert_eq!(entries(&told), [entry("k", "v", 7), entry("empty", "", 0)]);
        assert_eq!(entries(&json!({})), []);
        assert_eq!(entries(&json!({ "kvs": 3 })), []);
        assert_eq!(number(&json!({ "TTL": "12" }), "TTL"), Some(12));
        assert_eq!(number(&json!({}), "TTL"), None);
    }
}
