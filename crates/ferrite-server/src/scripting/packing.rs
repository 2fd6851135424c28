//! `struct`: values to and from the bytes of C structures, by a format.
//!
//! ```text
//! > < !n   byte order, alignment        b B h H l L i3 I3 T   integers, signed in lower case
//! x        a zero byte                  f d                   float, double
//! c5 c0    a string of that length      s                     a string and a zero byte
//! ```

use mlua::{Lua, MultiValue, Table, Value};

use super::builtins::{Arguments, Outcome, define};

/// The widest integer of a format.
const MAX_INTEGER: usize = 32;
/// The alignment of `!` without a number.
const NATIVE_ALIGNMENT: usize = 8;
/// What one call may unpack: the results lie on the stack of the script.
const MAX_RESULTS: usize = 7000;

/// The functions of the module.
pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    define(lua, &module, "pack", pack)?;
    define(lua, &module, "unpack", unpack)?;
    define(lua, &module, "size", size)?;
    Ok(module)
}

/// One step of a format.
#[derive(Debug, Clone, Copy)]
struct Step {
    option: u8,
    size: usize,
    /// Bytes before it, so that it is aligned.
    padding: usize,
    big_endian: bool,
}

/// Reads a format from the left.
struct Format<'a> {
    function: &'static str,
    rest: &'a [u8],
    alignment: usize,
    big_endian: bool,
}

impl<'a> Format<'a> {
    fn new(function: &'static str, text: &'a [u8]) -> Self {
        Self { function, rest: text, alignment: 1, big_endian: false }
    }

    fn number(&mut self, default: usize) -> Outcome<usize> {
        if !self.rest.first().is_some_and(u8::is_ascii_digit) {
            return Ok(default);
        }
        let mut value: usize = 0;
        while let Some((digit @ b'0'..=b'9', rest)) = self.rest.split_first() {
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(usize::from(digit - b'0')))
                .filter(|value| *value <= i32::MAX as usize)
                .ok_or("integral size overflow")?;
            self.rest = rest;
        }
        Ok(value)
    }

    /// The next step, for a structure that has `length` bytes so far.
    fn next(&mut self, length: usize) -> Outcome<Option<Step>> {
        while let Some((option, rest)) = self.rest.split_first() {
            self.rest = rest;
            let size = match option {
                b'b' | b'B' | b'x' => 1,
                b'h' | b'H' => 2,
                b'l' | b'L' | b'T' | b'd' => 8,
                b'f' => 4,
                b'c' => self.number(1)?,
                b'i' | b'I' => match self.number(4)? {
                    size if size > MAX_INTEGER => {
                        let message =
                            format!("integral size {size} is larger than limit of {MAX_INTEGER}");
                        return Err(message.into());
                    }
                    size => size,
                },
                b's' => 0,
                other => {
                    self.control(*other)?;
                    continue;
                }
            };
            let padding = if *option == b'c' { 0 } else { self.padding(length, size) };
            let big_endian = self.big_endian;
            return Ok(Some(Step { option: *option, size, padding, big_endian }));
        }
        Ok(None)
    }

    fn padding(&self, length: usize, size: usize) -> usize {
        let size = size.min(self.alignment);
        if size > 1 { (size - (length & (size - 1))) & (size - 1) } else { 0 }
    }

    fn control(&mut self, option: u8) -> Outcome<()> {
        match option {
            b' ' => {}
            b'>' => self.big_endian = true,
            b'<' => self.big_endian = false,
            b'!' => {
                let alignment = self.number(NATIVE_ALIGNMENT)?;
                if !alignment.is_power_of_two() {
                    return Err(format!("alignment {alignment} is not a power of 2").into());
                }
                self.alignment = alignment;
            }
            other => {
                let option = char::from(other);
                let message = format!(
                    "bad argument #1 to '{}' (invalid format option '{option}')",
                    self.function
                );
                return Err(message.into());
            }
        }
        Ok(())
    }
}

fn size(lua: &Lua, arguments: Arguments) -> Outcome<usize> {
    let text = arguments.text(lua, 0)?;
    let text = text.as_bytes();
    let mut format = Format::new("size", &text);
    let mut length: usize = 0;
    while let Some(step) = format.next(length)? {
        match step.option {
            b's' => return Err(arguments.bad(0, "option 's' has no fixed size")),
            b'c' if step.size == 0 => {
                return Err(arguments.bad(0, "option 'c0' has no fixed size"));
            }
            _ => length = length.saturating_add(step.padding).saturating_add(step.size),
        }
    }
    Ok(length)
}

fn pack(lua: &Lua, arguments: Arguments) -> Outcome<mlua::LuaString> {
    let text = arguments.text(lua, 0)?;
    let text = text.as_bytes();
    let mut format = Format::new("pack", &text);
    let mut out = Vec::new();
    let mut index = 1;
    while let Some(step) = format.next(out.len())? {
        out.resize(out.len() + step.padding, 0);
        match step.option {
            b'x' => out.push(0),
            b'f' => {
                let value = arguments.number(index)? as f32;
                out.extend(if step.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
                index += 1;
            }
            b'd' => {
                let value = arguments.number(index)?;
                out.extend(if step.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
                index += 1;
            }
            b'c' | b's' => {
                let string = arguments.text(lua, index)?;
                let string = string.as_bytes();
                let length = if step.size == 0 { string.len() } else { step.size };
                let Some(taken) = string.get(..length) else {
                    // The message has always named the argument behind it.
                    return Err(arguments.bad(index + 1, "string too short"));
                };
                out.extend_from_slice(taken);
                if step.option == b's' {
                    out.push(0);
                }
                index += 1;
            }
            _ => {
                put_integer(&mut out, arguments.number(index)?, step);
                index += 1;
            }
        }
    }
    Ok(lua.create_string(&out)?)
}

fn put_integer(out: &mut Vec<u8>, value: f64, step: Step) {
    // Conversions saturate, where C leaves them undefined.
    let bits = if value < 0.0 { value as i64 as u64 } else { value as u64 };
    let mut bytes = [0; MAX_INTEGER];
    for (target, byte) in bytes.iter_mut().zip(bits.to_le_bytes()) {
        *target = byte;
    }
    let bytes = &mut bytes[..step.size.min(MAX_INTEGER)];
    if step.big_endian {
        bytes.reverse();
    }
    out.extend_from_slice(bytes);
}

fn unpack(lua: &Lua, arguments: Arguments) -> Outcome<MultiValue> {
    let text = arguments.text(lua, 0)?;
    let text = text.as_bytes();
    let data = arguments.text(lua, 1)?;
    let data = data.as_bytes();
    let start = if arguments.get(2).is_nil() { 1 } else { arguments.integer(2)? };
    let short = || arguments.bad(1, "data string too short");
    if start == 0 {
        return Err(arguments.bad(2, "offset must be 1 or greater"));
    }
    let start = usize::try_from(start).map_err(|_| short())? - 1;
    let mut format = Format::new("unpack", &text);
    let mut position = start;
    let mut results: Vec<Value> = Vec::new();
    while let Some(step) = format.next(position)? {
        if results.len() >= MAX_RESULTS {
            return Err("too many results to unpack".into());
        }
        position = position.checked_add(step.padding).ok_or_else(short)?;
        let end = position.checked_add(step.size).ok_or_else(short)?;
        let field = data.get(position..end).ok_or_else(short)?;
        position = end;
        match step.option {
            b'x' => {}
            b'f' => results.push(Value::Number(f64::from(float(field, step.big_endian)))),
            b'd' => results.push(Value::Number(double(field, step.big_endian))),
            b'c' if step.size == 0 => {
                let length = results.pop().as_ref().and_then(super::command::integer);
                let length = length.ok_or("format 'c0' needs a previous size")?;
                let length = usize::try_from(length).map_err(|_| short())?;
                let end = position.checked_add(length).ok_or_else(short)?;
                let string = data.get(position..end).ok_or_else(short)?;
                results.push(Value::String(lua.create_string(string)?));
                position = end;
            }
            b'c' => results.push(Value::String(lua.create_string(field)?)),
            b's' => {
                let rest = data.get(position..).unwrap_or_default();
                let length =
                    rest.iter().position(|byte| *byte == 0).ok_or("unfinished string in data")?;
                let string = rest.get(..length).unwrap_or_default();
                results.push(Value::String(lua.create_string(string)?));
                position += length + 1;
            }
            option => results.push(Value::Number(integer(field, step.big_endian, option))),
        }
    }
    results.push(Value::Number(position as f64 + 1.0));
    Ok(MultiValue::from_iter(results))
}

fn ordered<const N: usize>(field: &[u8], big_endian: bool) -> [u8; N] {
    let mut bytes = [0; N];
    for (target, byte) in bytes.iter_mut().zip(field) {
        *target = *byte;
    }
    if big_endian {
        bytes.reverse();
    }
    bytes
}

fn float(field: &[u8], big_endian: bool) -> f32 {
    f32::from_le_bytes(ordered(field, big_endian))
}

fn double(field: &[u8], big_endian: bool) -> f64 {
    f64::from_le_bytes(ordered(field, big_endian))
}

/// The lowest eight bytes, with the sign of a narrower one if the option is in lower case.
fn integer(field: &[u8], big_endian: bool, option: u8) -> f64 {
    let mut low: u64 = 0;
    let accumulate = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
    if big_endian {
        low = field.iter().fold(low, accumulate);
    } else {
        low = field.iter().rev().fold(low, accumulate);
    }
    if !option.is_ascii_lowercase() {
        return low as f64;
    }
    let bits = (field.len() * 8).clamp(1, 64) as u32;
    let spare = 64 - bits;
    ((low << spare) as i64 >> spare) as f64
}
