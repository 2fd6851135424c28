//! Objects of any shape, whose fields become keys by a mapping.
//!
//! ```text
//! {"id":7,"name":"Ada","at":{"city":"London"},"tags":["a","b"]}
//!
//! --key 'user:{id}'                               HSET user:7 id 7 name Ada at {"city":"London"} …
//! --key 'user:{id}' --fields name,at.city         HSET user:7 name Ada at.city London
//! --key 'tags:{id}' --type set --member tags      SADD tags:7 a b
//! ```
//!
//! A text is taken without its quotes; whatever else is no text, as it stands in the file. `null` is
//! as good as no field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::record::told;
use super::text::Text;
use super::value::{Element, read};
use crate::engine::Job;
use crate::inputs::mapping::{MappedKeys, MappedType, Mapping};
use crate::sources::Feed;

/// Fields of an object at most, as columns of a row: each takes memory besides its bytes.
const FIELDS_MAX: usize = 1 << 16;

/// The fields of an object by their names; of a name that comes twice, the last one.
struct Fields<'o>(BTreeMap<Cow<'o, str>, &'o RawValue>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FieldsVisitor;
        impl<'de> Visitor<'de> for FieldsVisitor {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some(Name(name)) = map.next_key()? {
                    fields.insert(name, map.next_value()?);
                    if fields.len() > FIELDS_MAX {
                        let why = format!("an object has more than {FIELDS_MAX} fields");
                        return Err(de::Error::custom(why));
                    }
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(FieldsVisitor)
    }
}

/// The name of a field, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'o>(#[serde(borrow)] Cow<'o, str>);

/// An element of an array.
#[derive(Deserialize)]
struct Item(Box<RawValue>);

impl Element for Item {
    fn of(_: Text, _: Text) -> Option<Self> {
        None
    }
}

/// Makes keys of objects.
pub struct Mapped {
    /// What makes them of rows.
    pub keys: MappedKeys,
    /// The columns of a row: names of fields, `at.city` for one of an object within.
    names: Vec<String>,
    /// Whether a hash gets all fields there are.
    takes_all: bool,
}

impl Mapped {
    /// Keys as this mapping says, of objects of at most `limit` bytes.
    ///
    /// # Errors
    /// What is wrong with the mapping.
    pub fn new(job: &Arc<Job>, mapping: &Mapping, limit: usize) -> Result<Self, String> {
        let named = mapping.named();
        let columns = mapping.resolve(Some(&named))?;
        let names = named.iter().map(|name| String::from_utf8_lossy(name).into_owned());
        Ok(Self {
            keys: MappedKeys::new(Arc::clone(job), columns, mapping.shape, limit),
            names: names.collect(),
            takes_all: mapping.shape == MappedType::Hash && mapping.fields.is_empty(),
        })
    }

    /// Takes an object.
    ///
    /// # Errors
    /// What is wrong with it, with the name of the field.
    pub fn object(&mut self, feed: &Feed, object: &[u8]) -> Result<(), String> {
        let fields: Fields<'_> = serde_json::from_slice(object).map_err(|error| told(&error))?;
        let mut texts = Vec::with_capacity(self.names.len());
        for name in &self.names {
            texts.push(find(&fields, name)?.and_then(text));
        }
        let row: Vec<Option<&[u8]>> = texts.iter().map(|one| one.as_deref()).collect();
        if self.takes_all {
            let all = fields.0.iter().filter_map(|(name, value)| Some((name, text(value)?)));
            let all: Vec<_> = all.collect();
            let columns = self.keys.columns();
            let pairs = all.iter().map(|(name, value)| (name.as_bytes(), value.as_ref()));
            let pairs: Vec<_> = pairs.filter(|(name, _)| !columns.is_of_expiry(name)).collect();
            return self.keys.row(feed, &row, Some(&pairs));
        }
        let at = self.keys.columns().value_at();
        let name = self.names.get(at).map(String::as_str).unwrap_or_default();
        let elements = match self.keys.shape().is_grown() {
            true => find(&fields, name)?.filter(|value| value.get().starts_with('[')),
            false => None,
        };
        let Some(elements) = elements else { return self.keys.row(feed, &row, None) };
        if self.keys.shape() == MappedType::Zset {
            return Err(format!("\"{name}\": a score is that of one member, and it is an array"));
        }
        read(elements.get(), |Item(element): &Item| {
            let element = text(element).ok_or("an element of it is null")?;
            let mut row = row.clone();
            if let Some(value) = row.get_mut(at) {
                *value = Some(element.as_ref());
            }
            self.keys.row(feed, &row, None)
        })
        .map_err(|why| format!("\"{name}\": {why}"))
    }
}

/// The field of that name, or, at a dot, that of an object within.
fn find<'o>(fields: &Fields<'o>, name: &str) -> Result<Option<&'o RawValue>, String> {
    if let Some(value) = fields.0.get(name) {
        return Ok(Some(value));
    }
    let Some((outer, inner)) = name.split_once('.') else { return Ok(None) };
    let Some(value) = fields.0.get(outer).filter(|value| value.get().starts_with('{')) else {
        return Ok(None);
    };
    let within: Fields<'o> = serde_json::from_str(value.get())
        .map_err(|error| format!("\"{outer}\": {}", told(&error)))?;
    find(&within, inner)
}

/// What a value is as bytes; none of `null`.
fn text(value: &RawValue) -> Option<Cow<'_, [u8]>> {
    let value = value.get();
    match value.as_bytes().first() {
        Some(b'n') => None,
        Some(b'"') => {
            let plain: Result<String, _> = serde_json::from_str(value);
            Some(plain.map_or(Cow::Borrowed(value.as_bytes()), |text| Cow::Owned(text.into())))
        }
        _ => Some(Cow::Borrowed(value.as_bytes())),
    }
}
