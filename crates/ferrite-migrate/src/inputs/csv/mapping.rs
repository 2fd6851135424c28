//! Which columns become what of a key.

use super::mapping_file::CsvOrigin;
use crate::engine::now_ms;
use crate::time::parse_rfc3339;

/// How rows become keys. Columns go by their names, or, in a file without a header, by their
/// numbers from 1 on.
#[derive(Clone, Debug)]
pub struct CsvMapping {
    /// The key, with columns in braces: `user:{id}`.
    pub key: String,
    /// What becomes of a row.
    pub shape: CsvShape,
    /// The fields of a hash and their columns; none for all columns, by their names.
    pub fields: Vec<(String, String)>,
    /// The column with the value of a string, or with the element of a list, set or sorted set.
    pub value: Option<String>,
    /// The column with the score of a sorted set.
    pub score: Option<String>,
    /// The column with the seconds a key lives, from now on; an empty one is none.
    pub ttl: Option<String>,
    /// The column that tells until when, as Unix time in seconds or RFC 3339; an empty one is none.
    pub expires_at: Option<String>,
    /// The byte between columns.
    pub delimiter: u8,
    /// Whether the first row has the names of the columns.
    pub has_header: bool,
    /// Where all this stands, for errors; the command line unless told otherwise.
    pub origin: CsvOrigin,
}

/// The byte that stands between columns, as it is written.
///
/// # Errors
/// A text that is none, or has another meaning.
pub fn delimiter(text: &str) -> Result<u8, String> {
    match text.as_bytes() {
        b"\\t" => Ok(b'\t'),
        [b'"' | b'\r' | b'\n'] => Err("it has another meaning in CSV".to_owned()),
        [byte] => Ok(*byte),
        _ => Err("it must be one byte, or \\t".to_owned()),
    }
}

/// What becomes of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CsvShape {
    /// A string.
    String,
    /// A hash.
    Hash,
    /// An item of a list.
    List,
    /// A member of a set.
    Set,
    /// A member of a sorted set.
    Zset,
}

impl CsvShape {
    /// Whether a key grows by a row.
    pub fn is_grown(self) -> bool {
        matches!(self, Self::List | Self::Set | Self::Zset)
    }
}

/// A piece of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Column(usize),
}

/// The columns by their places.
#[derive(Clone, Debug, Default)]
pub struct Columns {
    /// How many a row has; `None` without a header, until the first row.
    count: Option<usize>,
    key: Vec<Piece>,
    /// Names and places of the fields of a hash; `None` without a header: all of a row.
    fields: Option<Vec<(Vec<u8>, usize)>>,
    value: usize,
    score: usize,
    ttl: Option<usize>,
    expires_at: Option<usize>,
    now_ms: u64,
}

impl CsvMapping {
    /// What is wrong between the parts of it, without a file.
    ///
    /// # Errors
    /// Says what is missing or too much.
    pub fn check(&self) -> Result<(), String> {
        let name = |name: &str| self.origin.name(name);
        let wrong = |part, why: String| Err(self.origin.wrong(part, None, &why));
        let needs = |what| wrong("type", format!("a {} needs {}", self.shape_name(), name(what)));
        let is_for = |part, what| wrong(part, format!("it is for the type {what}"));
        let pieces = pieces(&self.key).map_err(|why| self.origin.wrong("key", None, &why))?;
        match self.shape {
            _ if !pieces.iter().any(|(is_column, _)| *is_column) => {
                wrong("key", String::from("it names no column, as in user:{id}"))
            }
            CsvShape::String if self.value.is_none() => needs("value"),
            shape if shape.is_grown() && self.value.is_none() => needs("member"),
            CsvShape::Zset if self.score.is_none() => needs("score"),
            shape if shape != CsvShape::Zset && self.score.is_some() => is_for("score", "zset"),
            shape if shape != CsvShape::Hash && !self.fields.is_empty() => is_for("fields", "hash"),
            CsvShape::Hash if self.value.is_some() => {
                wrong("type", format!("a hash has {}, not a value", name("fields")))
            }
            _ if self.ttl.is_some() && self.expires_at.is_some() => {
                wrong("ttl", format!("{} says the same", name("expires_at")))
            }
            _ if !self.has_header => self.resolve_names(None).map(drop),
            _ => Ok(()),
        }
    }

    fn shape_name(&self) -> &'static str {
        match self.shape {
            CsvShape::String => "string",
            CsvShape::Hash => "hash",
            CsvShape::List => "list",
            CsvShape::Set => "set",
            CsvShape::Zset => "sorted set",
        }
    }

    /// Finds the columns among these names, or takes them for numbers.
    ///
    /// # Errors
    /// A column that is not there, and those that are.
    pub fn resolve(&self, names: Option<&[Vec<u8>]>) -> Result<Columns, String> {
        self.check()?;
        self.resolve_names(names)
    }

    fn resolve_names(&self, names: Option<&[Vec<u8>]>) -> Result<Columns, String> {
        let of = |part, index, name: &str| {
            place(name, names).map_err(|why| self.origin.wrong(part, index, &why))
        };
        let pieces = pieces(&self.key).map_err(|why| self.origin.wrong("key", None, &why))?;
        let key = pieces.into_iter().map(|(is_column, text)| match is_column {
            true => of("key", None, &text).map(Piece::Column),
            false => Ok(Piece::Text(text)),
        });
        let optional = |part, name: &Option<String>| {
            name.as_deref().map(|name| of(part, None, name)).transpose()
        };
        let element = if self.shape.is_grown() { "member" } else { "value" };
        let ttl = optional("ttl", &self.ttl)?;
        let expires_at = optional("expires_at", &self.expires_at)?;
        let fields = match (self.fields.is_empty(), names) {
            (false, _) => {
                let named = self.fields.iter().enumerate();
                let named = named.map(|(at, (field, column))| {
                    Ok((field.clone().into_bytes(), of("fields", Some(at), column)?))
                });
                Some(named.collect::<Result<Vec<_>, String>>()?)
            }
            (true, Some(names)) => {
                let all = names.iter().cloned().enumerate().map(|(at, name)| (name, at));
                Some(all.filter(|(_, at)| ![ttl, expires_at].contains(&Some(*at))).collect())
            }
            (true, None) => None,
        };
        Ok(Columns {
            count: names.map(<[Vec<u8>]>::len),
            key: key.collect::<Result<_, String>>()?,
            fields,
            value: optional(element, &self.value)?.unwrap_or(0),
            score: optional("score", &self.score)?.unwrap_or(0),
            ttl,
            expires_at,
            now_ms: now_ms(),
        })
    }
}

/// The place of a column.
fn place(name: &str, names: Option<&[Vec<u8>]>) -> Result<usize, String> {
    let Some(names) = names else {
        let number = name.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        return number.ok_or_else(|| {
            format!("without a header, columns are named by numbers from 1 on, not \"{name}\"")
        });
    };
    names.iter().position(|known| known == name.as_bytes()).ok_or_else(|| {
        let known: Vec<_> = names.iter().map(|name| name.escape_ascii().to_string()).collect();
        format!("there is no column \"{name}\"; there are: {}", known.join(", "))
    })
}

/// The pieces of a key: whether each is a column, and its text. `{{` and `}}` are braces.
fn pieces(key: &str) -> Result<Vec<(bool, String)>, String> {
    let (mut pieces, mut text) = (Vec::new(), String::new());
    let mut rest = key.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '{' | '}' if rest.peek() == Some(&next) => {
                rest.next();
                text.push(next);
            }
            '{' => {
                pieces.push((false, std::mem::take(&mut text)));
                let name: String = rest.by_ref().take_while(|next| *next != '}').collect();
                pieces.push((true, name));
            }
            '}' => return Err(format!("a brace is closed in \"{key}\" that was not opened")),
            other => text.push(other),
        }
    }
    pieces.push((false, text));
    pieces.retain(|(is_column, text)| *is_column || !text.is_empty());
    Ok(pieces)
}

impl Columns {
    /// Whether a row has as many columns as it should.
    ///
    /// # Errors
    /// How many it has.
    pub fn check(&mut self, row: &[&[u8]]) -> Result<(), String> {
        let count = *self.count.get_or_insert(row.len());
        match row.len() == count {
            true => Ok(()),
            false => Err(format!("it has {} columns, and there should be {count}", row.len())),
        }
    }

    /// Appends the key of a row.
    ///
    /// # Errors
    /// A column that is not there.
    pub fn key(&self, row: &[&[u8]], out: &mut Vec<u8>) -> Result<(), String> {
        for piece in &self.key {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Column(at) => out.extend_from_slice(column(row, *at)?),
            }
        }
        Ok(())
    }

    /// When the key of a row expires, in Unix ms.
    ///
    /// # Errors
    /// A text that is no time.
    pub fn expiry(&self, row: &[&[u8]]) -> Result<Option<u64>, String> {
        let text = |at: Option<usize>| match at {
            None => Ok(None),
            Some(at) => column(row, at).map(|text| Some(text).filter(|text| !text.is_empty())),
        };
        if let Some(ttl) = text(self.ttl)? {
            let seconds = number(ttl).ok_or_else(|| wrong(ttl, "a number of seconds"))?;
            return Ok(Some(self.now_ms.saturating_add(seconds.saturating_mul(1000))));
        }
        let Some(at) = text(self.expires_at)? else { return Ok(None) };
        let moment = || parse_rfc3339(std::str::from_utf8(at).ok()?).ok();
        let at_ms = number(at).map(|seconds| seconds.saturating_mul(1000)).or_else(moment);
        at_ms.map(Some).ok_or_else(|| wrong(at, "a Unix time in seconds, or as RFC 3339 has it"))
    }

    /// Shows the value of a string, or the names and values of a hash.
    pub fn whole(&self, shape: CsvShape, row: &[&[u8]], mut each: impl FnMut(&[u8])) {
        match (shape, &self.fields) {
            (CsvShape::Hash, Some(fields)) => {
                for (name, at) in fields {
                    each(name);
                    each(row.get(*at).copied().unwrap_or_default());
                }
            }
            (CsvShape::Hash, None) => {
                for (at, value) in row.iter().enumerate() {
                    if ![self.ttl, self.expires_at].contains(&Some(at)) {
                        each((at + 1).to_string().as_bytes());
                        each(value);
                    }
                }
            }
            _ => each(row.get(self.value).copied().unwrap_or_default()),
        }
    }

    /// The element a row adds, and its score.
    ///
    /// # Errors
    /// A text that is no score.
    pub fn element<'r>(
        &self,
        shape: CsvShape,
        row: &[&'r [u8]],
    ) -> Result<(&'r [u8], f64), String> {
        let member = column(row, self.value)?;
        if shape != CsvShape::Zset {
            return Ok((member, 0.0));
        }
        let text = column(row, self.score)?;
        let score = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<f64>().ok());
        let score = score.filter(|score| !score.is_nan());
        score.map(|score| (member, score)).ok_or_else(|| wrong(text, "a score"))
    }
}

fn column<'r>(row: &[&'r [u8]], at: usize) -> Result<&'r [u8], String> {
    row.get(at).copied().ok_or_else(|| format!("it has no column {}", at + 1))
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

fn wrong(text: &[u8], what: &str) -> String {
    let shown = text.get(..40).unwrap_or(text);
    format!("\"{}\" is not {what}", shown.escape_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(key: &str, shape: CsvShape) -> CsvMapping {
        CsvMapping {
            key: key.to_owned(),
            shape,
            fields: Vec::new(),
            value: None,
            score: None,
            ttl: None,
            expires_at: None,
            delimiter: b',',
            has_header: true,
            origin: CsvOrigin::default(),
        }
    }

    fn names(names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn keys_are_made_of_columns() {
        let names = names(&["id", "zone"]);
        let columns = mapping("{{u}}:{zone}:{id}", CsvShape::Hash).resolve(Some(&names)).unwrap();
        let mut key = Vec::new();
        columns.key(&[b"7", b"\xff"], &mut key).unwrap();
        assert_eq!(key, b"{u}:\xff:7");
        let by_number = mapping("k{2}", CsvShape::Hash).resolve(None).unwrap();
        key.clear();
        by_number.key(&[b"7", b"8"], &mut key).unwrap();
        assert_eq!(key, b"k8");
    }

    #[test]
    fn what_is_missing_is_named() {
        let names = names(&["id", "name"]);
        let cases = [
            (mapping("user", CsvShape::Hash), "names no column"),
            (mapping("user:{nr}", CsvShape::Hash), "no column \"nr\"; there are: id, name"),
            (mapping("user:id}", CsvShape::Hash), "not opened"),
            (mapping("{id}", CsvShape::String), "--type: a string needs --value"),
            (mapping("{id}", CsvShape::Zset), "needs --member"),
            (
                CsvMapping { score: Some("id".into()), ..mapping("{id}", CsvShape::Hash) },
                "--score: it is for the type zset",
            ),
        ];
        for (mapping, why) in cases {
            let error = mapping.resolve(Some(&names)).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let mut columns = mapping("{id}", CsvShape::Hash).resolve(Some(&names)).unwrap();
        assert!(columns.check(&[b"1"]).unwrap_err().contains("1 columns"));
    }
}
