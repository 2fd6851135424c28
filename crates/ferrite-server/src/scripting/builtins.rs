//! The functions that `sandbox.lua` builds the scripts' world from.
//!
//! Those of the libraries answer `true, results…` or `false, message`: an error is raised by the
//! sandbox, which knows where the script is.

use std::time::Instant;

use mlua::{IntoLua, IntoLuaMulti, Lua, MultiValue, Table, Value};
use sha1::{Digest, Sha1};

use super::command::{REPLICATE_TO_FILE, REPLICATE_TO_REPLICAS, integer};
use super::interpreter::{Purpose, Settings, Shared, first_line, place};
use super::{json, msgpack, packing, source};

/// Why a library function failed: a message for the script.
#[derive(Debug)]
pub(super) enum Failure {
    /// The script's mistake.
    Message(String),
    /// The interpreter's own trouble: no memory.
    Lua(mlua::Error),
}

impl From<mlua::Error> for Failure {
    fn from(error: mlua::Error) -> Self {
        Self::Lua(error)
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::Message(message)
    }
}

impl From<&str> for Failure {
    fn from(message: &str) -> Self {
        Self::Message(message.to_owned())
    }
}

/// What a library function gives.
pub(super) type Outcome<T> = Result<T, Failure>;

/// Puts a library function into a table, in the form that the sandbox wants.
pub(super) fn define<R: IntoLuaMulti>(
    lua: &Lua,
    table: &Table,
    name: &'static str,
    work: impl Fn(&Lua, Arguments) -> Outcome<R> + Send + 'static,
) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, values: MultiValue| {
        match work(lua, Arguments { name, values }) {
            Ok(results) => {
                let mut results = results.into_lua_multi(lua)?;
                results.push_front(Value::Boolean(true));
                Ok(results)
            }
            Err(Failure::Message(message)) => (false, message).into_lua_multi(lua),
            Err(Failure::Lua(error)) => Err(error),
        }
    })?;
    table.raw_set(name, function)
}

/// The arguments of a library function, and its name for messages.
#[derive(Debug)]
pub(super) struct Arguments {
    name: &'static str,
    pub(super) values: MultiValue,
}

impl Arguments {
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn get(&self, index: usize) -> Value {
        self.values.get(index).cloned().unwrap_or(Value::Nil)
    }

    /// A string, or a number as its text.
    pub(super) fn text(&self, lua: &Lua, index: usize) -> Outcome<mlua::LuaString> {
        match self.get(index) {
            Value::String(text) => Ok(text),
            number @ (Value::Integer(_) | Value::Number(_)) => {
                lua.coerce_string(number)?.ok_or_else(|| self.wrong(index, "string"))
            }
            _ => Err(self.wrong(index, "string")),
        }
    }

    pub(super) fn integer(&self, index: usize) -> Outcome<i64> {
        integer(&self.get(index)).ok_or_else(|| self.wrong(index, "number"))
    }

    pub(super) fn number(&self, index: usize) -> Outcome<f64> {
        match self.get(index) {
            Value::Integer(number) => Ok(number as f64),
            Value::Number(number) => Ok(number),
            Value::String(text) => text
                .to_str()
                .ok()
                .and_then(|text| text.trim().parse().ok())
                .ok_or_else(|| self.wrong(index, "number")),
            _ => Err(self.wrong(index, "number")),
        }
    }

    pub(super) fn bad(&self, index: usize, why: &str) -> Failure {
        Failure::Message(format!("bad argument #{} to '{}' ({why})", index + 1, self.name))
    }

    fn wrong(&self, index: usize, wanted: &str) -> Failure {
        let got = match self.values.get(index) {
            None => "no value",
            Some(Value::LightUserData(_)) => "userdata",
            Some(value) => type_name(value),
        };
        self.bad(index, &format!("{wanted} expected, got {got}"))
    }
}

/// The name of a value's type, as the language says it.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "nil",
        Value::Boolean(_) => "boolean",
        Value::Integer(_) | Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Table(_) => "table",
        Value::Function(_) => "function",
        Value::Thread(_) => "thread",
        _ => "userdata",
    }
}

/// The table that the sandbox is given.
pub(super) fn table(lua: &Lua, shared: &Shared, settings: &Settings) -> mlua::Result<Table> {
    let host = lua.create_table()?;
    host.raw_set("for_scripts", shared.purpose == Purpose::Scripts)?;
    host.raw_set("constants", constants(lua, settings)?)?;
    places(lua, &host, shared)?;
    randomness(lua, &host, shared)?;
    host.raw_set(
        "sha1hex",
        lua.create_function(|lua, text: Value| {
            let text = lua.coerce_string(text)?;
            Ok(sha1_hex(text.as_ref().map(|text| text.as_bytes()).as_deref().unwrap_or_default()))
        })?,
    )?;
    host.raw_set(
        "error_text",
        lua.create_function(|lua, text: mlua::LuaString| {
            lua.create_string(error_text(&text.as_bytes()))
        })?,
    )?;
    host.raw_set(
        "literal",
        lua.create_function(|_, (text, name): (mlua::LuaString, mlua::LuaString)| {
            Ok(literal_problem(&text.as_bytes(), &shown_name(&name.as_bytes())))
        })?,
    )?;
    let start = Instant::now();
    host.raw_set("clock", lua.create_function(move |_, ()| Ok(start.elapsed().as_secs_f64()))?)?;
    host.raw_set("cjson", lua.create_function(|lua, ()| json::module(lua))?)?;
    host.raw_set("cmsgpack", msgpack::module(lua)?)?;
    host.raw_set("struct", packing::module(lua)?)?;
    Ok(host)
}

fn places(lua: &Lua, host: &Table, shared: &Shared) -> mlua::Result<()> {
    let known = shared.clone();
    host.raw_set(
        "place",
        lua.create_function(move |lua, ()| {
            Ok(match place(lua, &known) {
                Some((_, shown, line)) => format!("{shown}:{line}: "),
                None => String::new(),
            })
        })?,
    )?;
    let known = shared.clone();
    host.raw_set(
        "position",
        lua.create_function(move |lua, ()| {
            Ok(place(lua, &known).map_or((None, None), |(name, _, line)| (Some(name), Some(line))))
        })?,
    )?;
    host.raw_set(
        "describe",
        lua.create_function(|_, value: Value| {
            Ok(match value {
                Value::Error(error) => first_line(&error),
                other => type_name(&other).to_owned(),
            })
        })?,
    )
}

fn randomness(lua: &Lua, host: &Table, shared: &Shared) -> mlua::Result<()> {
    let known = shared.clone();
    host.raw_set(
        "random",
        lua.create_function(move |_, ()| Ok(known.running(|running| running.random.fraction())))?,
    )?;
    let known = shared.clone();
    host.raw_set(
        "randomseed",
        lua.create_function(move |_, seed: f64| {
            // The lower 32 bits, as the language's own conversion keeps them.
            known.running(|running| running.random.seed(seed as i64 as i32));
            Ok(())
        })?,
    )
}

fn constants(lua: &Lua, settings: &Settings) -> mlua::Result<Table> {
    let (major, minor, patch) = settings.version;
    let number = u32::from(major) << 16 | u32::from(minor) << 8 | u32::from(patch);
    let table = lua.create_table()?;
    let all = REPLICATE_TO_FILE | REPLICATE_TO_REPLICAS;
    for (name, value) in [
        ("LOG_DEBUG", 0),
        ("LOG_VERBOSE", 1),
        ("LOG_NOTICE", 2),
        ("LOG_WARNING", 3),
        ("REPL_NONE", 0),
        ("REPL_AOF", REPLICATE_TO_FILE),
        ("REPL_SLAVE", REPLICATE_TO_REPLICAS),
        ("REPL_REPLICA", REPLICATE_TO_REPLICAS),
        ("REPL_ALL", all),
        ("REDIS_VERSION_NUM", i64::from(number)),
    ] {
        table.raw_set(name, value)?;
    }
    table.raw_set("REDIS_VERSION", format!("{major}.{minor}.{patch}").into_lua(lua)?)?;
    Ok(table)
}

/// The checksum of a text, in hexadecimal, by which scripts are known.
pub(super) fn sha1_hex(text: &[u8]) -> String {
    use std::fmt::Write;
    Sha1::digest(text).iter().fold(String::with_capacity(40), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// An error message as the reply has it: with a code before it.
///
/// ```text
/// x → ERR x    -WRONGTYPE x y → WRONGTYPE x y
/// ```
fn error_text(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"-").unwrap_or(text);
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = text.iter().take_while(|byte| is_end(byte)).count();
    let end = text.iter().rev().take_while(|byte| is_end(byte)).count();
    let text = text.get(start..text.len().saturating_sub(end)).unwrap_or_default();
    if text.contains(&b' ') { text.to_vec() } else { [b"ERR ", text].concat() }
}

/// The complaint about the first number of the text that is none in Lua 5.1.
pub(super) fn literal_problem(text: &[u8], name: &str) -> Option<String> {
    let (number, line) = source::foreign_number(text)?;
    Some(format!("{name}:{line}: malformed number near '{}'", String::from_utf8_lossy(number)))
}

/// How a chunk's name is shown in messages.
fn shown_name(name: &[u8]) -> String {
    match name {
        [b'=' | b'@', shown @ ..] => String::from_utf8_lossy(shown).into_owned(),
        text => {
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            format!("[string \"{}\"]", String::from_utf8_lossy(line))
        }
    }
}
