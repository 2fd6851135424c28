//! `cjson`: JSON for scripts, with the habits of the library of that name.

mod decode;
mod encode;

use std::sync::{Arc, Mutex, PoisonError};

use mlua::{Lua, Table, Value};

use super::builtins::{Arguments, Outcome, define};

/// What a script may choose; the choice holds for all that use the same module.
#[derive(Debug, Clone)]
struct Options {
    /// Whether a sparse array becomes an object instead of an error.
    sparse_convert: bool,
    /// How many times more slots than values make an array sparse; 0: never.
    sparse_ratio: i64,
    /// Arrays up to here are never sparse.
    sparse_safe: i64,
    encode_max_depth: i64,
    decode_max_depth: i64,
    /// Digits of numbers.
    precision: usize,
    encode_invalid: InvalidNumbers,
    decode_invalid: bool,
    keep_buffer: bool,
}

/// What becomes of NaN and infinity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InvalidNumbers {
    Refused,
    Written,
    Null,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_max_depth: 1000,
            decode_max_depth: 1000,
            precision: 14,
            encode_invalid: InvalidNumbers::Refused,
            decode_invalid: true,
            keep_buffer: true,
        }
    }
}

/// Deeper nesting is refused whatever a script sets: it costs stack.
const DEPTH_CEILING: i64 = 1000;

type Shared = Arc<Mutex<Options>>;

fn options(shared: &Shared) -> Options {
    shared.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

fn change<R>(shared: &Shared, work: impl FnOnce(&mut Options) -> R) -> R {
    work(&mut shared.lock().unwrap_or_else(PoisonError::into_inner))
}

/// The functions of the module, with options of their own.
pub(super) fn module(lua: &Lua) -> mlua::Result<Table> {
    let module = lua.create_table()?;
    let shared = Shared::default();
    module.raw_set("_NAME", "cjson")?;
    module.raw_set("_VERSION", "2.1.0")?;
    module.raw_set("null", Value::NULL)?;
    let known = Arc::clone(&shared);
    define(lua, &module, "encode", move |lua, arguments| {
        expect_one(&arguments)?;
        encode::encode(lua, &options(&known), &arguments.get(0))
    })?;
    let known = Arc::clone(&shared);
    define(lua, &module, "decode", move |lua, arguments| {
        expect_one(&arguments)?;
        let text = arguments.text(lua, 0)?;
        decode::decode(lua, &options(&known), &text.as_bytes())
    })?;
    settings(lua, &module, &shared)?;
    Ok(module)
}

fn expect_one(arguments: &Arguments) -> Outcome<()> {
    if arguments.len() == 1 { Ok(()) } else { Err(arguments.bad(0, "expected 1 argument")) }
}

fn settings(lua: &Lua, module: &Table, shared: &Shared) -> mlua::Result<()> {
    let known = Arc::clone(shared);
    define(lua, module, "encode_max_depth", move |_, arguments| {
        let chosen = whole(&arguments, 0, 1, DEPTH_CEILING)?;
        Ok(change(&known, |options| {
            options.encode_max_depth = chosen.unwrap_or(options.encode_max_depth);
            options.encode_max_depth
        }))
    })?;
    let known = Arc::clone(shared);
    define(lua, module, "decode_max_depth", move |_, arguments| {
        let chosen = whole(&arguments, 0, 1, DEPTH_CEILING)?;
        Ok(change(&known, |options| {
            options.decode_max_depth = chosen.unwrap_or(options.decode_max_depth);
            options.decode_max_depth
        }))
    })?;
    let known = Arc::clone(shared);
    define(lua, module, "encode_number_precision", move |_, arguments| {
        let chosen = whole(&arguments, 0, 1, 14)?;
        Ok(change(&known, |options| {
            options.precision = chosen.map_or(options.precision, |digits| digits as usize);
            options.precision
        }))
    })?;
    let known = Arc::clone(shared);
    define(lua, module, "encode_keep_buffer", move |_, arguments| {
        let chosen = truth(&arguments, 0)?;
        Ok(change(&known, |options| {
            options.keep_buffer = chosen.unwrap_or(options.keep_buffer);
            options.keep_buffer
        }))
    })?;
    let known = Arc::clone(shared);
    define(lua, module, "decode_invalid_numbers", move |_, arguments| {
        let chosen = truth(&arguments, 0)?;
        Ok(change(&known, |options| {
            options.decode_invalid = chosen.unwrap_or(options.decode_invalid);
            options.decode_invalid
        }))
    })?;
    special_values(lua, module, shared)
}

/// The options about numbers that JSON has not, and about sparse arrays.
fn special_values(lua: &Lua, module: &Table, shared: &Shared) -> mlua::Result<()> {
    let known = Arc::clone(shared);
    define(lua, module, "encode_invalid_numbers", move |lua, arguments| {
        let chosen = match arguments.get(0) {
            Value::String(text) if &*text.as_bytes() == b"null" => Some(InvalidNumbers::Null),
            Value::String(text) if &*text.as_bytes() == b"on" => Some(InvalidNumbers::Written),
            Value::String(text) if &*text.as_bytes() == b"off" => Some(InvalidNumbers::Refused),
            _ => truth(&arguments, 0)?
                .map(|yes| if yes { InvalidNumbers::Written } else { InvalidNumbers::Refused }),
        };
        let now = change(&known, |options| {
            options.encode_invalid = chosen.unwrap_or(options.encode_invalid);
            options.encode_invalid
        });
        Ok(match now {
            InvalidNumbers::Null => Value::String(lua.create_string("null")?),
            other => Value::Boolean(other == InvalidNumbers::Written),
        })
    })?;
    let known = Arc::clone(shared);
    define(lua, module, "encode_sparse_array", move |_, arguments| {
        let convert = truth(&arguments, 0)?;
        let ratio = whole(&arguments, 1, 0, i64::from(i32::MAX))?;
        let safe = whole(&arguments, 2, 0, i64::from(i32::MAX))?;
        Ok(change(&known, |options| {
            options.sparse_convert = convert.unwrap_or(options.sparse_convert);
            options.sparse_ratio = ratio.unwrap_or(options.sparse_ratio);
            options.sparse_safe = safe.unwrap_or(options.sparse_safe);
            (options.sparse_convert, options.sparse_ratio, options.sparse_safe)
        }))
    })
}

/// An optional integer between two bounds.
fn whole(arguments: &Arguments, index: usize, low: i64, high: i64) -> Outcome<Option<i64>> {
    if arguments.get(index).is_nil() {
        return Ok(None);
    }
    let value = arguments.integer(index)?;
    if value < low || value > high {
        let why = format!("expected integer between {low} and {high}");
        return Err(arguments.bad(index, &why));
    }
    Ok(Some(value))
}

/// An optional truth value, also as `on` and `off`.
fn truth(arguments: &Arguments, index: usize) -> Outcome<Option<bool>> {
    match arguments.get(index) {
        Value::Nil => Ok(None),
        Value::Boolean(yes) => Ok(Some(yes)),
        Value::String(text) if &*text.as_bytes() == b"on" => Ok(Some(true)),
        Value::String(text) if &*text.as_bytes() == b"off" => Ok(Some(false)),
        Value::String(text) => {
            let why = format!("invalid option '{}'", text.to_string_lossy());
            Err(arguments.bad(index, &why))
        }
        _ => Err(arguments.bad(index, "string expected")),
    }
}
