//! CSV: a row for each element, for spreadsheets and programs that read tables.
//!
//! ```text
//! db,key,type,expires_at_ms,field,value,score
//! 0,user:7,hash,1800000000000,name,"Lovelace, Ada",
//! 0,board,zset,,,Ada,1.5
//! 0,greeting,string,,,hello,
//! 0,queue,list,,0,first,
//! ```
//!
//! The field is that of a hash, or the place of a list's item. Streams, modules and functions have
//! no row, and expiries of fields no column: they are named as left out.

use csv_core::Writer;
use ferrite_rdb::{Part, Sink, ValueDecoder, ValueKind, decode};

use super::{Entry, Refused, Shape};
use crate::model::{Element, Elements};

/// The names of the columns.
const HEADER: &[u8] = b"db,key,type,expires_at_ms,field,value,score\n";
/// Types that have no rows.
const NO_ROWS: &str = "streams, modules and functions have no rows in CSV: use export-json";
/// Fields that expire.
const NO_COLUMN: &str = "expiries of hash fields have no column in CSV: use export-json";
/// A string that is written in parts.
const TOO_LARGE: &str = "a string above the memory limit: raise --memory-limit, or use export-json";

/// Writes rows.
#[derive(Debug, Default)]
pub struct CsvShape {
    rows: Rows,
}

impl Shape for CsvShape {
    fn head(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(HEADER);
    }

    fn key(&mut self, entry: &Entry<'_>, value: &[u8], out: &mut Vec<u8>) -> Result<(), Refused> {
        self.rows.begin(entry)?;
        decode(entry.format, entry.head.type_byte, value, &mut self.rows).map_err(Refused::Bad)?;
        self.end(out);
        Ok(())
    }

    fn begin(&mut self, entry: &Entry<'_>, _: &mut Vec<u8>) -> Result<(), Refused> {
        match entry.kind() {
            Some(ValueKind::String) => Err(Refused::LeftOut(TOO_LARGE)),
            _ => self.rows.begin(entry),
        }
    }

    fn part(
        &mut self,
        decoder: &mut ValueDecoder,
        stored: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<Part, Refused> {
        let part = decoder.decode(stored, &mut self.rows).map_err(Refused::Bad)?;
        out.append(&mut self.rows.out);
        Ok(part)
    }

    fn elements(&mut self, _: &Entry<'_>, elements: &Elements, out: &mut Vec<u8>) {
        for element in elements.iter() {
            match element {
                Element::ListItem(item) => self.rows.list_item(item),
                Element::SetMember(member) => self.rows.set_member(member),
                Element::ZsetMember(member, score) => self.rows.zset_member(member, score),
                Element::HashField(field, value, at) => self.rows.hash_field(field, value, at),
                _ => {}
            }
        }
        out.append(&mut self.rows.out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        self.rows.string();
        out.append(&mut self.rows.out);
    }

    fn function(&mut self, _: &[u8], _: &mut Vec<u8>) -> Result<(), Refused> {
        Err(Refused::LeftOut(NO_ROWS))
    }

    fn losses(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.rows.losses)
    }
}

/// The rows of one key.
#[derive(Debug, Default)]
struct Rows {
    out: Vec<u8>,
    /// What each row begins with.
    head: Vec<u8>,
    text: Option<Vec<u8>>,
    items: u64,
    losses: Vec<&'static str>,
}

impl Rows {
    fn begin(&mut self, entry: &Entry<'_>) -> Result<(), Refused> {
        let kind = match entry.kind() {
            Some(kind) if !matches!(kind, ValueKind::Stream | ValueKind::Module) => kind,
            _ => return Err(Refused::LeftOut(NO_ROWS)),
        };
        (self.text, self.items) = (None, 0);
        self.head.clear();
        self.head.extend_from_slice(format!("{},", entry.db).as_bytes());
        column(&mut self.head, entry.key);
        let expiry = entry.head.expires_at_ms.map(|at| at.to_string()).unwrap_or_default();
        self.head.extend_from_slice(format!(",{kind},{expiry},").as_bytes());
        Ok(())
    }

    fn row(&mut self, field: &[u8], value: &[u8], score: Option<f64>) {
        self.out.extend_from_slice(&self.head);
        column(&mut self.out, field);
        self.out.push(b',');
        column(&mut self.out, value);
        let score = score.map(|score| format!("{score:?}")).unwrap_or_default();
        self.out.extend_from_slice(format!(",{score}\n").as_bytes());
    }

    fn string(&mut self) {
        if let Some(text) = self.text.take() {
            self.row(b"", &text, None);
        }
    }

    fn lose(&mut self, what: &'static str) {
        if !self.losses.contains(&what) {
            self.losses.push(what);
        }
    }
}

impl Sink for Rows {
    fn string_part(&mut self, _: u64, piece: &[u8]) {
        self.text.get_or_insert_default().extend_from_slice(piece);
    }
    fn list_item(&mut self, item: &[u8]) {
        let place = self.items.to_string();
        self.row(place.as_bytes(), item, None);
        self.items += 1;
    }
    fn set_member(&mut self, member: &[u8]) {
        self.row(b"", member, None);
    }
    fn zset_member(&mut self, member: &[u8], score: f64) {
        self.row(b"", member, Some(score));
    }
    fn hash_field(&mut self, field: &[u8], value: &[u8], expires_at_ms: Option<u64>) {
        if expires_at_ms.is_some() {
            self.lose(NO_COLUMN);
        }
        self.row(field, value, None);
    }
    fn unsupported(&mut self, what: &'static str) {
        self.lose(what);
    }
}

/// Appends a column, in quotes where that is needed.
fn column(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        // Never the only column, which alone would have to be in quotes.
        return;
    }
    let start = out.len();
    // Every byte may be a quote that is doubled, and there is one at each end.
    out.resize(start + bytes.len() * 2 + 2, 0);
    let mut writer = Writer::new();
    let room = out.get_mut(start..).unwrap_or_default();
    let (_, _, written) = writer.field(bytes, room);
    let (_, closed) = writer.finish(room.get_mut(written..).unwrap_or_default());
    out.truncate(start + written + closed);
}
