//! From values of the language to JSON.

use mlua::{Lua, Table, Value};

use super::{InvalidNumbers, Options};
use crate::scripting::builtins::{Outcome, type_name};
use crate::scripting::number;

/// The text of one value.
pub(super) fn encode(lua: &Lua, options: &Options, value: &Value) -> Outcome<mlua::LuaString> {
    let mut encoder = Encoder { options, out: Vec::new() };
    encoder.value(value, 0)?;
    Ok(lua.create_string(&encoder.out)?)
}

struct Encoder<'a> {
    options: &'a Options,
    out: Vec<u8>,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value, depth: i64) -> Outcome<()> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(number) => self.number(*number as f64)?,
            Value::Number(number) => self.number(*number)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"true"),
            Value::Boolean(false) => self.out.extend_from_slice(b"false"),
            Value::Table(table) => self.table(table, depth + 1)?,
            value if value.is_nil() || value.is_null() => self.out.extend_from_slice(b"null"),
            other => return Err(refused(other, "type not supported")),
        }
        Ok(())
    }

    fn table(&mut self, table: &Table, depth: i64) -> Outcome<()> {
        if depth > self.options.encode_max_depth {
            return Err(format!("Cannot serialise, excessive nesting ({depth})").into());
        }
        match self.array_length(table)? {
            Some(length) if length > 0 => self.array(table, length, depth),
            _ => self.object(table, depth),
        }
    }

    /// How many slots the table has as an array; `None` when it is none.
    fn array_length(&self, table: &Table) -> Outcome<Option<i64>> {
        let (mut highest, mut count) = (0_i64, 0_i64);
        for pair in table.pairs::<Value, Value>() {
            let (key, _) = pair?;
            match key {
                Value::Integer(index) if index > 0 => {
                    highest = highest.max(index);
                    count += 1;
                }
                _ => return Ok(None),
            }
        }
        let Options { sparse_ratio, sparse_safe, .. } = *self.options;
        let sparse = sparse_ratio > 0
            && highest > count.saturating_mul(sparse_ratio)
            && highest > sparse_safe;
        if sparse && !self.options.sparse_convert {
            return Err("Cannot serialise table: excessively sparse array".into());
        }
        Ok(if sparse { None } else { Some(highest) })
    }

    fn array(&mut self, table: &Table, length: i64, depth: i64) -> Outcome<()> {
        self.out.push(b'[');
        for index in 1..=length {
            if index > 1 {
                self.out.push(b',');
            }
            let value: Value = table.raw_get(index)?;
            self.value(&value, depth)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table, depth: i64) -> Outcome<()> {
        self.out.push(b'{');
        let mut first = true;
        for pair in table.pairs::<Value, Value>() {
            let (key, value) = pair?;
            if !first {
                self.out.push(b',');
            }
            first = false;
            match &key {
                Value::String(text) => self.string(&text.as_bytes()),
                Value::Integer(number) => self.number_key(*number as f64)?,
                Value::Number(number) => self.number_key(*number)?,
                other => return Err(refused(other, "table key must be a number or string")),
            }
            self.out.push(b':');
            self.value(&value, depth)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn number_key(&mut self, number: f64) -> Outcome<()> {
        self.out.push(b'"');
        self.number(number)?;
        self.out.push(b'"');
        Ok(())
    }

    fn number(&mut self, number: f64) -> Outcome<()> {
        if !number.is_finite() {
            match self.options.encode_invalid {
                InvalidNumbers::Refused => {
                    return Err("Cannot serialise number: must not be NaN or Inf".into());
                }
                InvalidNumbers::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                InvalidNumbers::Written if number.is_nan() => {
                    self.out.extend_from_slice(b"nan");
                    return Ok(());
                }
                InvalidNumbers::Written => {}
            }
        }
        let text = number::significant(number, self.options.precision);
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn string(&mut self, text: &[u8]) {
        self.out.push(b'"');
        for byte in text {
            match byte {
                b'"' => self.out.extend_from_slice(b"\\\""),
                b'\\' => self.out.extend_from_slice(b"\\\\"),
                b'/' => self.out.extend_from_slice(b"\\/"),
                0x08 => self.out.extend_from_slice(b"\\b"),
                b'\t' => self.out.extend_from_slice(b"\\t"),
                b'\n' => self.out.extend_from_slice(b"\\n"),
                0x0c => self.out.extend_from_slice(b"\\f"),
                b'\r' => self.out.extend_from_slice(b"\\r"),
                0..0x20 | 0x7f => self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => self.out.push(*byte),
            }
        }
        self.out.push(b'"');
    }
}

fn refused(value: &Value, why: &str) -> crate::scripting::builtins::Failure {
    format!("Cannot serialise {}: {why}", type_name(value)).into()
}
