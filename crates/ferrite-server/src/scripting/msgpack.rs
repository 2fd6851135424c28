//! `cmsgpack`: MessagePack for scripts.

use mlua::{Lua, MultiValue, Table, Value};

use super::builtins::{Arguments, Failure, Outcome, define};

/// Tables in tables: deeper ones are written as nil.
const MAX_PACK_DEPTH: usize = 16;
/// Arrays and maps in each other: deeper ones are refused.
const MAX_UNPACK_DEPTH: usize = 1000;
/// What one call may unpack: the results lie on the stack of the script.
const MAX_RESULTS: usize = 7000;

const MISSING: &str = "Missing bytes in input.";
const BAD: &str = "Bad data format in input.";

/// The functions of the module.
pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    module.raw_set("_NAME", "cmsgpack")?;
    module.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    module.raw_set("_COPYRIGHT", "")?;
    module.raw_set("_DESCRIPTION", "MessagePack for scripts")?;
    define(lua, &module, "pack", pack)?;
    define(lua, &module, "unpack", |lua, arguments| {
        unpack(lua, &arguments, usize::MAX, 0).map(|(values, _)| values)
    })?;
    define(lua, &module, "unpack_one", |lua, arguments| {
        let offset = optional(&arguments, 1, 0)?;
        let start = check(lua, &arguments, offset, 1)?;
        with_offset(unpack(lua, &arguments, 1, start)?)
    })?;
    define(lua, &module, "unpack_limit", |lua, arguments| {
        let limit = arguments.integer(1)?;
        let offset = optional(&arguments, 2, 0)?;
        let start = check(lua, &arguments, offset, limit)?;
        let all = limit == 0;
        let limit = usize::try_from(limit).unwrap_or(0);
        let (values, position) =
            unpack(lua, &arguments, if all { usize::MAX } else { limit }, start)?;
        if all { Ok(values) } else { with_offset((values, position)) }
    })?;
    Ok(module)
}

fn optional(arguments: &Arguments, index: usize, default: i64) -> Outcome<i64> {
    if arguments.get(index).is_nil() { Ok(default) } else { arguments.integer(index) }
}

fn check(lua: &Lua, arguments: &Arguments, offset: i64, limit: i64) -> Outcome<usize> {
    match (usize::try_from(offset), limit) {
        (Ok(start), 0..) => Ok(start),
        _ => {
            // The message has always named the length of the input as the limit.
            let length = arguments.text(lua, 0)?.as_bytes().len();
            Err(format!("Invalid request to unpack with offset of {offset} and limit of {length}.")
                .into())
        }
    }
}

/// Puts first where to go on, -1 at the end of the input.
fn with_offset((mut values, position): (MultiValue, Option<usize>)) -> Outcome<MultiValue> {
    values.push_front(Value::Number(position.map_or(-1.0, |position| position as f64)));
    Ok(values)
}

fn pack(lua: &Lua, arguments: Arguments) -> Outcome<mlua::LuaString> {
    if arguments.len() == 0 {
        return Err("bad argument #0 to 'pack' (MessagePack pack needs input.)".into());
    }
    let mut out = Vec::new();
    for value in &arguments.values {
        put(&mut out, value, 0)?;
    }
    Ok(lua.create_string(&out)?)
}

fn put(out: &mut Vec<u8>, value: &Value, depth: usize) -> mlua::Result<()> {
    match value {
        Value::String(text) => put_string(out, &text.as_bytes()),
        Value::Boolean(truth) => out.push(if *truth { 0xC3 } else { 0xC2 }),
        Value::Integer(number) => put_integer(out, *number),
        Value::Number(number) => put_number(out, *number),
        Value::Table(table) if depth < MAX_PACK_DEPTH => put_table(out, table, depth)?,
        _ => out.push(0xC0),
    }
    Ok(())
}

fn put_number(out: &mut Vec<u8>, number: f64) {
    let narrow = number as f32;
    if number.fract() == 0.0 && number.abs() < 9.0e18 {
        put_integer(out, number as i64);
    } else if f64::from(narrow) == number {
        out.push(0xCA);
        out.extend_from_slice(&narrow.to_be_bytes());
    } else {
        out.push(0xCB);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn put_integer(out: &mut Vec<u8>, number: i64) {
    match number {
        -32..=127 => out.push(number as i8 as u8),
        128..=0xFF => out.extend_from_slice(&[0xCC, number as u8]),
        0x100..=0xFFFF => with_tail(out, 0xCD, &(number as u16).to_be_bytes()),
        0x1_0000..=0xFFFF_FFFF => with_tail(out, 0xCE, &(number as u32).to_be_bytes()),
        0x1_0000_0000.. => with_tail(out, 0xCF, &(number as u64).to_be_bytes()),
        -0x80..=-33 => out.extend_from_slice(&[0xD0, number as i8 as u8]),
        -0x8000..=-0x81 => with_tail(out, 0xD1, &(number as i16).to_be_bytes()),
        -0x8000_0000..=-0x8001 => with_tail(out, 0xD2, &(number as i32).to_be_bytes()),
        _ => with_tail(out, 0xD3, &number.to_be_bytes()),
    }
}

fn with_tail(out: &mut Vec<u8>, kind: u8, tail: &[u8]) {
    out.push(kind);
    out.extend_from_slice(tail);
}

fn put_string(out: &mut Vec<u8>, text: &[u8]) {
    let length = text.len();
    match length {
        0..=31 => out.push(0xA0 | length as u8),
        32..=0xFF => out.extend_from_slice(&[0xD9, length as u8]),
        0x100..=0xFFFF => with_tail(out, 0xDA, &(length as u16).to_be_bytes()),
        _ => with_tail(out, 0xDB, &(length as u32).to_be_bytes()),
    }
    out.extend_from_slice(text);
}

/// Whether the keys of the table are 1, 2, 3, … and how many there are.
fn shape(table: &Table) -> mlua::Result<(bool, usize)> {
    let (mut highest, mut count, mut array) = (0_usize, 0_usize, true);
    for pair in table.pairs::<Value, Value>() {
        count += 1;
        match pair?.0 {
            Value::Integer(index) if index > 0 => highest = highest.max(index as usize),
            _ => array = false,
        }
    }
    Ok((array && highest == count, count))
}

fn put_table(out: &mut Vec<u8>, table: &Table, depth: usize) -> mlua::Result<()> {
    let (array, count) = shape(table)?;
    if array {
        header(out, count, 0x90, 0xDC);
        for index in 1..=count {
            put(out, &table.raw_get::<Value>(index)?, depth + 1)?;
        }
        return Ok(());
    }
    header(out, count, 0x80, 0xDE);
    for pair in table.pairs::<Value, Value>() {
        let (key, value) = pair?;
        put(out, &key, depth + 1)?;
        put(out, &value, depth + 1)?;
    }
    Ok(())
}

fn header(out: &mut Vec<u8>, count: usize, short: u8, wide: u8) {
    match count {
        0..=15 => out.push(short | count as u8),
        16..=0xFFFF => with_tail(out, wide, &(count as u16).to_be_bytes()),
        _ => with_tail(out, wide + 1, &(count as u32).to_be_bytes()),
    }
}

/// Up to `limit` values from `start`, and where to go on.
fn unpack(
    lua: &Lua,
    arguments: &Arguments,
    limit: usize,
    start: usize,
) -> Outcome<(MultiValue, Option<usize>)> {
    let text = arguments.text(lua, 0)?;
    let text = text.as_bytes();
    let Some(rest) = text.get(start..) else {
        let length = text.len();
        return Err(format!("Start offset {start} greater than input length {length}.").into());
    };
    let mut reader = Reader { lua, rest };
    let mut values = Vec::new();
    while !reader.rest.is_empty() && values.len() < limit {
        if values.len() >= MAX_RESULTS {
            return Err("too many results to unpack".into());
        }
        values.push(reader.value(0)?);
    }
    let position = text.len() - reader.rest.len();
    let more = !reader.rest.is_empty();
    Ok((MultiValue::from_iter(values), more.then_some(position)))
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Outcome<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(MISSING)?;
        self.rest = rest;
        Ok(taken)
    }

    fn bytes<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| MISSING.into())
    }

    /// A length of so many bytes.
    fn length(&mut self, width: usize) -> Outcome<usize> {
        Ok(self.take(width)?.iter().fold(0, |value, byte| value << 8 | usize::from(*byte)))
    }

    fn value(&mut self, depth: usize) -> Outcome<Value> {
        if depth > MAX_UNPACK_DEPTH {
            return Err("stack overflow (in function mp_decode_to_lua_array)".into());
        }
        let [kind] = self.bytes::<1>()?;
        Ok(match kind {
            0x00..=0x7F => Value::Number(f64::from(kind)),
            0xE0..=0xFF => Value::Number(f64::from(kind as i8)),
            0x80..=0x8F => self.map(usize::from(kind & 0x0F), depth)?,
            0x90..=0x9F => self.array(usize::from(kind & 0x0F), depth)?,
            0xA0..=0xBF => self.string(usize::from(kind & 0x1F))?,
            0xC0 => Value::Nil,
            0xC2 => Value::Boolean(false),
            0xC3 => Value::Boolean(true),
            0xC4 | 0xD9 => self.long_string(1)?,
            0xC5 | 0xDA => self.long_string(2)?,
            0xC6 | 0xDB => self.long_string(4)?,
            0xCA => Value::Number(f64::from(f32::from_be_bytes(self.bytes()?))),
            0xCB => Value::Number(f64::from_be_bytes(self.bytes()?)),
            0xCC => Value::Number(f64::from(u8::from_be_bytes(self.bytes()?))),
            0xCD => Value::Number(f64::from(u16::from_be_bytes(self.bytes()?))),
            0xCE => Value::Number(f64::from(u32::from_be_bytes(self.bytes()?))),
            0xCF => Value::Number(u64::from_be_bytes(self.bytes()?) as f64),
            0xD0 => Value::Number(f64::from(i8::from_be_bytes(self.bytes()?))),
            0xD1 => Value::Number(f64::from(i16::from_be_bytes(self.bytes()?))),
            0xD2 => Value::Number(f64::from(i32::from_be_bytes(self.bytes()?))),
            0xD3 => Value::Number(i64::from_be_bytes(self.bytes()?) as f64),
            0xDC => self.long_array(2, depth)?,
            0xDD => self.long_array(4, depth)?,
            0xDE => self.long_map(2, depth)?,
            0xDF => self.long_map(4, depth)?,
            _ => return Err(BAD.into()),
        })
    }

    fn string(&mut self, length: usize) -> Outcome<Value> {
        let text = self.take(length)?;
        Ok(Value::String(self.lua.create_string(text)?))
    }

    fn long_string(&mut self, width: usize) -> Outcome<Value> {
        let length = self.length(width)?;
        self.string(length)
    }

    fn long_array(&mut self, width: usize, depth: usize) -> Outcome<Value> {
        let count = self.length(width)?;
        self.array(count, depth)
    }

    fn long_map(&mut self, width: usize, depth: usize) -> Outcome<Value> {
        let count = self.length(width)?;
        self.map(count, depth)
    }

    /// Takes memory as elements are found, never by the count that the input claims.
    fn array(&mut self, count: usize, depth: usize) -> Outcome<Value> {
        let table = self.lua.create_table()?;
        for index in 1..=count {
            let value = self.value(depth + 1)?;
            table.raw_set(index, value)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, count: usize, depth: usize) -> Outcome<Value> {
        let table = self.lua.create_table()?;
        for _ in 0..count {
            let key = self.value(depth + 1)?;
            let value = self.value(depth + 1)?;
            match key {
                Value::Nil => return Err(Failure::from("table index is nil")),
                Value::Number(number) if number.is_nan() => {
                    return Err(Failure::from("table index is NaN"));
                }
                key => table.raw_set(key, value)?,
            }
        }
        Ok(Value::Table(table))
    }
}
