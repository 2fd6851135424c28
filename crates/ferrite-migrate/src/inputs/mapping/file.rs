//! A mapping of columns in a small YAML file.
//!
//! ```text
//! key: user:{id}              as the options of the commands are called; `-` is `_`
//! type: hash
//! fields:                     a list of columns, or the names of fields and their columns
//!   name: full_name
//!   age: age
//! expires_at: until
//! delimiter: ';'             of CSV
//! header: true               of CSV
//! ```
//!
//! What is wrong is told with its line, column and field; a name that is not known is wrong too.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

use super::columns::{MappedType, Mapping, delimiter};

/// Longest file in bytes.
pub const LENGTH_MAX: usize = 64 << 10;
/// What the parser says to those who write programs.
const FOR_PROGRAMMERS: [&str; 2] = ["; use Option", ", set DuplicateKeyPolicy"];

/// Where a mapping comes from: a file, or the command line.
#[derive(Clone, Debug, Default)]
pub struct MappingOrigin(Option<Places>);

/// Where the fields of a file are.
#[derive(Clone, Debug)]
struct Places {
    file: String,
    /// Line and column of each value, by the name of its field.
    values: Vec<(&'static str, (u64, u64))>,
    /// Those of the columns in `fields`.
    fields: Vec<(u64, u64)>,
}

impl MappingOrigin {
    /// What is wrong with an option or field, `index` of those that have several values.
    pub fn wrong(&self, name: &str, index: Option<usize>, why: &str) -> String {
        let Some(places) = &self.0 else {
            return format!("--{}: {why}", name.replace('_', "-"));
        };
        let of_value = || places.values.iter().find(|(known, _)| *known == name);
        let place = index
            .and_then(|index| places.fields.get(index).copied())
            .or_else(|| of_value().map(|(_, place)| *place));
        at(&places.file, place, Some(name), why)
    }

    /// How an option or field is called there.
    pub fn name(&self, name: &str) -> String {
        match self.0 {
            Some(_) => format!("`{name}`"),
            None => format!("--{}", name.replace('_', "-")),
        }
    }
}

fn at(file: &str, place: Option<(u64, u64)>, field: Option<&str>, why: &str) -> String {
    let place =
        place.map_or(String::new(), |(line, column)| format!(", line {line}, column {column}"));
    let field = field.map_or(String::new(), |field| format!(", `{field}`"));
    format!("{file}{place}{field}: {why}")
}

/// The file as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    key: Spanned<String>,
    #[serde(rename = "type")]
    shape: Option<Spanned<MappedType>>,
    fields: Option<Spanned<Fields>>,
    value: Option<Spanned<String>>,
    member: Option<Spanned<String>>,
    score: Option<Spanned<String>>,
    ttl: Option<Spanned<String>>,
    expires_at: Option<Spanned<String>>,
    delimiter: Option<Spanned<String>>,
    header: Option<Spanned<bool>>,
}

/// Names of fields, and their columns.
struct Fields(Vec<(String, Spanned<String>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of columns, or names of fields with a column each")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(column) = list.next_element::<Spanned<String>>()? {
            fields.push((column.value.clone(), column));
        }
        Ok(Fields(fields))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

/// Line and column; `None` where they are not known.
fn place(location: Location) -> Option<(u64, u64)> {
    let place = (location.line(), location.column());
    (place.0 > 0).then_some(place)
}

/// Reads a mapping; `file` is what the file is called in errors.
///
/// # Errors
/// What is wrong, and where.
pub fn read(file: &str, bytes: &[u8]) -> Result<Mapping, String> {
    if bytes.len() > LENGTH_MAX {
        return Err(format!("{file} is longer than {LENGTH_MAX} bytes: it is no mapping"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|error| format!("{file} is no UTF-8 from byte {} on", error.valid_up_to()))?;
    let written: Written =
        serde_saphyr::from_str(text).map_err(|error| told(file, text, &error))?;
    let mut places = Places { file: file.to_owned(), values: Vec::new(), fields: Vec::new() };
    let mut note = |name, location| places.values.extend(place(location).map(|it| (name, it)));
    note("key", written.key.referenced);
    let shape = written.shape.map_or(MappedType::Hash, |shape| {
        note("type", shape.referenced);
        shape.value
    });
    let has_header = written.header.map(|header| {
        note("header", header.referenced);
        header.value
    });
    let mut text = |name, one: Option<Spanned<String>>| {
        one.map(|one| {
            note(name, one.referenced);
            one.value
        })
    };
    let (value, member) = (text("value", written.value), text("member", written.member));
    let (score, ttl) = (text("score", written.score), text("ttl", written.ttl));
    let expires_at = text("expires_at", written.expires_at);
    let between = text("delimiter", written.delimiter);
    let mut fields = Vec::new();
    if let Some(Spanned { value: Fields(named), referenced, .. }) = written.fields {
        note("fields", referenced);
        for (name, column) in named {
            places.fields.push(place(column.referenced).unwrap_or_default());
            fields.push((name, column.value));
        }
    }
    let origin = MappingOrigin(Some(places));
    if let (Some(_), Some(_)) = (&value, &member) {
        return Err(origin.wrong("member", None, "it says the same as `value`"));
    }
    let byte = between.as_deref().map(delimiter).transpose();
    let delimiter = byte.map_err(|why| origin.wrong("delimiter", None, &why))?;
    let mapping = Mapping {
        key: written.key.value,
        shape,
        fields,
        value: value.or(member),
        score,
        ttl,
        expires_at,
        delimiter,
        has_header,
        origin,
    };
    mapping.check()?;
    Ok(mapping)
}

/// What the parser found, in our words.
fn told(file: &str, text: &str, error: &serde_saphyr::Error) -> String {
    let error = error.without_snippet();
    let found = error.location().and_then(place);
    let mut why = error.to_string();
    if let Some((line, column)) = found {
        let behind = format!(" at line {line}, column {column}");
        why.truncate(why.strip_suffix(behind.as_str()).map_or(why.len(), str::len));
    }
    let end = FOR_PROGRAMMERS.iter().filter_map(|words| why.find(words)).min();
    why.truncate(end.unwrap_or(why.len()));
    let is_of_one = !why.starts_with("missing field");
    let field = found.filter(|_| is_of_one).and_then(|(line, _)| field_at(text, line));
    at(file, found, field, &why)
}

/// The field that a line belongs to: the last one that begins up to there.
fn field_at(text: &str, line: u64) -> Option<&str> {
    let lines = text.lines().take(usize::try_from(line).unwrap_or(usize::MAX));
    let named = lines.filter_map(|line| line.split_once(':').map(|(name, _)| name));
    let names = named.filter(|name| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    names.last()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mapping_says_what_the_options_say() {
        let text = b"# users\nkey: user:{1}\nfields:\n  name: full_name\n  age: age\n\
                     ttl: 4\ndelimiter: \"\\t\"\nheader: false\n";
        let mapping = read("m.yaml", text).unwrap_err();
        assert!(mapping.contains("line 4, column 9, `fields`: without a header"), "{mapping}");
        let text = b"key: '{id}'\ntype: zset\nmember: who\nscore: points\ndelimiter: ;\n";
        let mapping = read("m.yaml", text).unwrap();
        assert_eq!((mapping.shape, mapping.delimiter), (MappedType::Zset, Some(b';')));
        assert_eq!(mapping.value.as_deref(), Some("who"));
        assert!(mapping.has_header());
        let mapping = read("m.yaml", b"key: '{id}'\nfields: [name, age]\n").unwrap();
        assert_eq!(mapping.fields[1], ("age".to_owned(), "age".to_owned()));
    }

    #[test]
    fn what_is_wrong_has_a_line_a_column_and_a_field() {
        let cases = [
            ("type: hash\n", "m.yaml, line 1, column 1: missing field `key`"),
            ("key: '{a}'\ntyp: hash\n", "m.yaml, line 2, column 1, `typ`: unknown field `typ`"),
            ("key: '{a}'\ntype: tree\n", "line 2, column 7, `type`: unknown variant `tree`"),
            ("key: '{a}'\nheader: maybe\n", "line 2, column 9, `header`: invalid boolean"),
            ("key: [a]\n", "line 1, column 6, `key`: expected string scalar"),
            ("key: ~\n", "line 1, column 6, `key`: cannot deserialize null into string"),
            ("key: '{a}'\nkey: b\n", "line 2, column 1, `key`: duplicate mapping key: key"),
            ("key: '{a}'\nfields: 3\n", "line 2, column 1, `fields`: invalid type: integer"),
            ("key: user\n", "line 1, column 6, `key`: it names no column"),
            (
                "key: '{a}'\ntype: zset\nmember: b\n",
                "line 2, column 7, `type`: a sorted set needs `score`",
            ),
            ("key: '{a}'\nscore: b\n", "line 2, column 8, `score`: it is for the type zset"),
            ("key: '{a}'\ndelimiter: ab\n", "line 2, column 12, `delimiter`: it must be one byte"),
            ("key: '{a}'\ntype: list\nvalue: a\nmember: b\n", "line 4, column 9, `member`: "),
            ("", "m.yaml, line 1, column 1: unexpected end of input"),
        ];
        for (text, expected) in cases {
            let error = read("m.yaml", text.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
            assert!(!error.contains("Option") && !error.contains("Policy"), "{error}");
        }
        assert!(read("m", &vec![b' '; LENGTH_MAX + 1]).unwrap_err().contains("longer than 65536"));
        assert!(read("m", b"key: \xff").unwrap_err().contains("from byte 5 on"));
    }
}
