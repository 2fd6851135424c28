//! From what a script returns to the reply of its client.

use mlua::{Table, Value};

use super::fields::Fields;
use super::host::Protocol;
use super::number;

/// Tables in tables: deeper ones are cut off with an error.
const MAX_DEPTH: usize = 1000;

/// Writes one value as a reply.
#[derive(Debug)]
pub(super) struct ReplyWriter<'a> {
    /// The names of the fields that give tables a meaning.
    pub(super) fields: &'a Fields,
    /// What the client speaks.
    pub(super) client: Protocol,
    /// What the script chose with `redis.setresp`.
    pub(super) script: Protocol,
    /// Where the reply goes.
    pub(super) out: &'a mut Vec<u8>,
    /// Errors that the script made itself: those of commands have been counted.
    pub(super) errors: Vec<Vec<u8>>,
}

impl ReplyWriter<'_> {
    /// Appends `value`.
    pub(super) fn write(&mut self, value: &Value) -> mlua::Result<()> {
        self.write_at(value, 0)
    }

    fn write_at(&mut self, value: &Value, depth: usize) -> mlua::Result<()> {
        match value {
            Value::String(text) => ferrite_resp::encode::bulk(self.out, &text.as_bytes()),
            Value::Integer(number) => self.line(b':', number.to_string().as_bytes()),
            Value::Number(number) => self.line(b':', truncated(*number).to_string().as_bytes()),
            Value::Boolean(truth) => self.boolean(*truth),
            Value::Table(_) if depth >= MAX_DEPTH => {
                self.line(b'-', b"ERR reached lua stack limit");
            }
            Value::Table(table) => self.table(table, depth)?,
            _ => self.null(),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        let fields = self.fields;
        if let Some(text) = string_field(table, &fields.err)? {
            let text = one_line(&text);
            self.line(b'-', &text);
            if !matches!(table.raw_get(&fields.ignore_error_stats_update)?, Value::Boolean(true)) {
                self.errors.push(text);
            }
        } else if let Some(text) = string_field(table, &fields.ok)? {
            self.line(b'+', &one_line(&text));
        } else if let Some(number) = number_field(table, &fields.double)? {
            self.double(number);
        } else if let Value::Table(map) = table.raw_get(&fields.map)? {
            self.map(&map, depth)?;
        } else if let Value::Table(set) = table.raw_get(&fields.set)? {
            self.set(&set, depth)?;
        } else if let Some(digits) = string_field(table, &fields.big_number)? {
            self.big_number(&digits);
        } else if let Value::Table(verbatim) = table.raw_get(&fields.verbatim_string)? {
            self.verbatim(&verbatim)?;
        } else {
            self.array(table, depth)?;
        }
        Ok(())
    }

    fn array(&mut self, table: &Table, depth: usize) -> mlua::Result<()> {
        let start = self.out.len();
        let mut count = 0;
        loop {
            let value: Value = table.raw_get(count + 1)?;
            if value.is_nil() {
                break;
            }
            count += 1;
            self.write_at(&value, depth + 1)?;
        }
        self.header_at(start, b'*', count);
        Ok(())
    }

    fn map(&mut self, map: &Table, depth: usize) -> mlua::Result<()> {
        let start = self.out.len();
        let mut count = 0;
        for pair in map.pairs::<Value, Value>() {
            let (key, value) = pair?;
            count += 1;
            self.write_at(&key, depth + 1)?;
            self.write_at(&value, depth + 1)?;
        }
        match self.client {
            Protocol::Three => self.header_at(start, b'%', count),
            Protocol::Two => self.header_at(start, b'*', count * 2),
        }
        Ok(())
    }

    fn set(&mut self, set: &Table, depth: usize) -> mlua::Result<()> {
        let start = self.out.len();
        let mut count = 0;
        for pair in set.pairs::<Value, Value>() {
            count += 1;
            self.write_at(&pair?.0, depth + 1)?;
        }
        self.header_at(start, if self.client == Protocol::Three { b'~' } else { b'*' }, count);
        Ok(())
    }

    /// Puts the header of an aggregate before its elements, which were counted as they were
    /// written.
    fn header_at(&mut self, start: usize, kind: u8, count: usize) {
        let header = format!("{}{count}\r\n", char::from(kind));
        self.out.splice(start..start, header.into_bytes());
    }

    fn verbatim(&mut self, table: &Table) -> mlua::Result<()> {
        let text = string_field(table, &self.fields.string)?;
        let format = string_field(table, &self.fields.format)?;
        let (Some(text), Some(format)) = (text, format) else {
            self.null();
            return Ok(());
        };
        match self.client {
            Protocol::Two => ferrite_resp::encode::bulk(self.out, &text),
            Protocol::Three => {
                let mut format = [format, b"   ".to_vec()].concat();
                format.truncate(3);
                self.line(b'=', (text.len() + 4).to_string().as_bytes());
                self.out.extend_from_slice(&format);
                self.out.push(b':');
                self.out.extend_from_slice(&text);
                self.out.extend_from_slice(b"\r\n");
            }
        }
        Ok(())
    }

    fn double(&mut self, number: f64) {
        let text = number::shortest(number);
        match self.client {
            Protocol::Two => ferrite_resp::encode::bulk(self.out, text.as_bytes()),
            Protocol::Three => self.line(b',', text.trim_start_matches("-nan").as_bytes()),
        }
    }

    fn big_number(&mut self, digits: &[u8]) {
        let digits = one_line(digits);
        match self.client {
            Protocol::Two => ferrite_resp::encode::bulk(self.out, &digits),
            Protocol::Three => self.line(b'(', &digits),
        }
    }

    fn boolean(&mut self, truth: bool) {
        match (self.script, self.client, truth) {
            (Protocol::Two, _, true) | (Protocol::Three, Protocol::Two, true) => {
                self.line(b':', b"1");
            }
            (Protocol::Two, _, false) => self.null(),
            (Protocol::Three, Protocol::Two, false) => self.line(b':', b"0"),
            (Protocol::Three, Protocol::Three, true) => self.line(b'#', b"t"),
            (Protocol::Three, Protocol::Three, false) => self.line(b'#', b"f"),
        }
    }

    fn null(&mut self) {
        self.out.extend_from_slice(match self.client {
            Protocol::Two => b"$-1\r\n",
            Protocol::Three => b"_\r\n",
        });
    }

    fn line(&mut self, kind: u8, text: &[u8]) {
        self.out.push(kind);
        self.out.extend_from_slice(text);
        self.out.extend_from_slice(b"\r\n");
    }
}

/// Statuses and errors are one line each.
pub(super) fn one_line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if matches!(byte, b'\r' | b'\n') { b' ' } else { *byte }).collect()
}

/// Towards zero; what no integer can hold becomes the smallest, as the conversion of the
/// processor does that scripts have always seen.
fn truncated(number: f64) -> i64 {
    // 2^63, the first that is too large.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) { number as i64 } else { i64::MIN }
}

/// A field that is a string; numbers are strings, too, where the language takes them so.
fn string_field(table: &Table, name: &mlua::LuaString) -> mlua::Result<Option<Vec<u8>>> {
    Ok(match table.raw_get(name)? {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        _ => None,
    })
}

fn number_field(table: &Table, name: &mlua::LuaString) -> mlua::Result<Option<f64>> {
    Ok(match table.raw_get(name)? {
        Value::Number(number) => Some(number),
        Value::Integer(number) => Some(number as f64),
        _ => None,
    })
}
