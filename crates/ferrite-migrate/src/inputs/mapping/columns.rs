//! Which columns become what of a key. Of a JSON object, columns are its fields.

use super::file::MappingOrigin;
use crate::engine::now_ms;
use crate::time::parse_rfc3339;

/// How rows of CSV, or objects of JSON, become keys. Columns go by their names, or, in a CSV file
/// without a header, by their numbers from 1 on.
#[derive(Clone, Debug)]
pub struct Mapping {
    /// The key, with columns in braces: `user:{id}`.
    pub key: String,
    /// What becomes of a row.
    pub shape: MappedType,
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
    /// The byte between columns of CSV, where it is told; else a comma.
    pub delimiter: Option<u8>,
    /// Whether the first row of CSV has the names of the columns, where it is told; else it has.
    pub has_header: Option<bool>,
    /// Where all this stands, for errors; the command line unless told otherwise.
    pub origin: MappingOrigin,
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
pub enum MappedType {
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

impl MappedType {
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
    /// The names, for errors; none without a header.
    names: Vec<Vec<u8>>,
    key: Vec<Piece>,
    /// Names and places of the fields of a hash; `None` without a header: all of a row.
    fields: Option<Vec<(Vec<u8>, usize)>>,
    value: usize,
    score: usize,
    ttl: Option<usize>,
    expires_at: Option<usize>,
    now_ms: u64,
}

impl Mapping {
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
            MappedType::String if self.value.is_none() => needs("value"),
            shape if shape.is_grown() && self.value.is_none() => needs("member"),
            MappedType::Zset if self.score.is_none() => needs("score"),
            shape if shape != MappedType::Zset && self.score.is_some() => is_for("score", "zset"),
            shape if shape != MappedType::Hash && !self.fields.is_empty() => {
                is_for("fields", "hash")
            }
            MappedType::Hash if self.value.is_some() => {
                wrong("type", format!("a hash has {}, not a value", name("fields")))
            }
            _ if self.ttl.is_some() && self.expires_at.is_some() => {
                wrong("ttl", format!("{} says the same", name("expires_at")))
            }
            _ if !self.has_header() => self.resolve_names(None).map(drop),
            _ => Ok(()),
        }
    }

    /// What is wrong with it for objects of JSON, whatever the file.
    ///
    /// # Errors
    /// Says what is missing or too much.
    pub fn check_for_json(&self) -> Result<(), String> {
        let for_csv = "it is for CSV: the fields of an object have names";
        if self.delimiter.is_some() {
            return Err(self.origin.wrong("delimiter", None, for_csv));
        }
        if self.has_header.is_some() {
            return Err(self.origin.wrong("header", None, for_csv));
        }
        self.check()
    }

    /// Whether the first row of CSV has the names of the columns.
    #[must_use]
    pub fn has_header(&self) -> bool {
        self.has_header.unwrap_or(true)
    }

    /// All columns it names, in the order in which [`Columns`] of them count.
    #[must_use]
    pub fn named(&self) -> Vec<Vec<u8>> {
        let pieces = pieces(&self.key).unwrap_or_default();
        let of_key = pieces.into_iter().filter(|(is_column, _)| *is_column).map(|(_, name)| name);
        let of_fields = self.fields.iter().map(|(_, column)| column.clone());
        let others = [&self.value, &self.score, &self.ttl, &self.expires_at];
        let others = others.into_iter().flatten().cloned();
        let mut named: Vec<Vec<u8>> = Vec::new();
        for name in of_key.chain(of_fields).chain(others).map(String::into_bytes) {
            if !named.contains(&name) {
                named.push(name);
            }
        }
        named
    }

    fn shape_name(&self) -> &'static str {
        match self.shape {
            MappedType::String => "string",
            MappedType::Hash => "hash",
            MappedType::List => "list",
            MappedType::Set => "set",
            MappedType::Zset => "sorted set",
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
            names: names.unwrap_or_default().to_vec(),
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

/// A row: the text of each column, where it has one. In CSV every column has.
pub type Row<'r> = [Option<&'r [u8]>];

impl Columns {
    /// Whether a row has as many columns as it should.
    ///
    /// # Errors
    /// How many it has.
    pub fn check(&mut self, row: &Row<'_>) -> Result<(), String> {
        let count = *self.count.get_or_insert(row.len());
        match row.len() == count {
            true => Ok(()),
            false => Err(format!("it has {} columns, and there should be {count}", row.len())),
        }
    }

    /// Where the value of a string, or the element of a list, set or sorted set is.
    #[must_use]
    pub fn value_at(&self) -> usize {
        self.value
    }

    /// Whether this column says how long a key lives, and is no field.
    #[must_use]
    pub fn is_of_expiry(&self, name: &[u8]) -> bool {
        let names = [self.ttl, self.expires_at].into_iter().flatten();
        names.filter_map(|at| self.names.get(at)).any(|known| known == name)
    }

    /// Appends the key of a row.
    ///
    /// # Errors
    /// A column that is not there.
    pub fn key(&self, row: &Row<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        for piece in &self.key {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Column(at) => out.extend_from_slice(self.column(row, *at)?),
            }
        }
        Ok(())
    }

    /// When the key of a row expires, in Unix ms.
    ///
    /// # Errors
    /// A text that is no time.
    pub fn expiry(&self, row: &Row<'_>) -> Result<Option<u64>, String> {
        let text = |at: Option<usize>| {
            let text = at.and_then(|at| row.get(at).copied().flatten().map(|text| (at, text)));
            text.filter(|(_, text)| !text.is_empty())
        };
        if let Some((at, ttl)) = text(self.ttl) {
            let seconds = number(ttl).ok_or_else(|| self.wrong(at, ttl, "a number of seconds"))?;
            return Ok(Some(self.now_ms.saturating_add(seconds.saturating_mul(1000))));
        }
        let Some((at, until)) = text(self.expires_at) else { return Ok(None) };
        let moment = || parse_rfc3339(std::str::from_utf8(until).ok()?).ok();
        let at_ms = number(until).map(|seconds| seconds.saturating_mul(1000)).or_else(moment);
        let wanted = "a Unix time in seconds, or as RFC 3339 has it";
        at_ms.map(Some).ok_or_else(|| self.wrong(at, until, wanted))
    }

    /// Shows the value of a string, or the names and values of a hash: of the columns that were
    /// named, those that are there.
    ///
    /// # Errors
    /// The value of a string that is not there.
    pub fn whole(
        &self,
        shape: MappedType,
        row: &Row<'_>,
        mut each: impl FnMut(&[u8]),
    ) -> Result<(), String> {
        match (shape, &self.fields) {
            (MappedType::Hash, Some(fields)) => {
                for (name, at) in fields {
                    if let Some(value) = row.get(*at).copied().flatten() {
                        each(name);
                        each(value);
                    }
                }
            }
            (MappedType::Hash, None) => {
                for (at, value) in row.iter().enumerate() {
                    if ![self.ttl, self.expires_at].contains(&Some(at)) {
                        each((at + 1).to_string().as_bytes());
                        each(value.unwrap_or_default());
                    }
                }
            }
            _ => each(self.column(row, self.value)?),
        }
        Ok(())
    }

    /// The element a row adds, and its score.
    ///
    /// # Errors
    /// A text that is no score.
    pub fn element<'r>(&self, shape: MappedType, row: &Row<'r>) -> Result<(&'r [u8], f64), String> {
        let member = self.column(row, self.value)?;
        if shape != MappedType::Zset {
            return Ok((member, 0.0));
        }
        let text = self.column(row, self.score)?;
        let score = std::str::from_utf8(text).ok().and_then(|text| text.trim().parse::<f64>().ok());
        let score = score.filter(|score| !score.is_nan());
        score.map(|score| (member, score)).ok_or_else(|| self.wrong(self.score, text, "a score"))
    }

    fn column<'r>(&self, row: &Row<'r>, at: usize) -> Result<&'r [u8], String> {
        let text = row.get(at).copied().flatten();
        text.ok_or_else(|| format!("it has no {}", self.name(at)))
    }

    /// How a column is called.
    pub fn name(&self, at: usize) -> String {
        match self.names.get(at) {
            Some(name) => format!("\"{}\"", name.escape_ascii()),
            None => format!("column {}", at + 1),
        }
    }

    fn wrong(&self, at: usize, text: &[u8], what: &str) -> String {
        let shown = text.get(..40).unwrap_or(text);
        format!("{}: \"{}\" is not {what}", self.name(at), shown.escape_ascii())
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(key: &str, shape: MappedType) -> Mapping {
        Mapping {
            key: key.to_owned(),
            shape,
            fields: Vec::new(),
            value: None,
            score: None,
            ttl: None,
            expires_at: None,
            delimiter: None,
            has_header: None,
            origin: MappingOrigin::default(),
        }
    }

    fn names(names: &[&str]) -> Vec<Vec<u8>> {
        names.iter().map(|name| name.as_bytes().to_vec()).collect()
    }

    #[test]
    fn keys_are_made_of_columns() {
        let names = names(&["id", "zone"]);
        let columns = mapping("{{u}}:{zone}:{id}", MappedType::Hash).resolve(Some(&names)).unwrap();
        let mut key = Vec::new();
        columns.key(&[Some(b"7"), Some(b"\xff")], &mut key).unwrap();
        assert_eq!(key, b"{u}:\xff:7");
        let by_number = mapping("k{2}", MappedType::Hash).resolve(None).unwrap();
        key.clear();
        by_number.key(&[Some(b"7"), Some(b"8")], &mut key).unwrap();
        assert_eq!(key, b"k8");
    }

    #[test]
    fn what_is_missing_is_named() {
        let names = names(&["id", "name"]);
        let cases = [
            (mapping("user", MappedType::Hash), "names no column"),
            (mapping("user:{nr}", MappedType::Hash), "no column \"nr\"; there are: id, name"),
            (mapping("user:id}", MappedType::Hash), "not opened"),
            (mapping("{id}", MappedType::String), "--type: a string needs --value"),
            (mapping("{id}", MappedType::Zset), "needs --member"),
            (
                Mapping { score: Some("id".into()), ..mapping("{id}", MappedType::Hash) },
                "--score: it is for the type zset",
            ),
        ];
        for (mapping, why) in cases {
            let error = mapping.resolve(Some(&names)).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
        let mut columns = mapping("{id}", MappedType::Hash).resolve(Some(&names)).unwrap();
        assert!(columns.check(&[Some(b"1")]).unwrap_err().contains("1 columns"));
    }
}
