//! `redis.register_function`: what a library does while it is loaded.

use std::cell::RefCell;
use std::sync::Arc;

use mlua::{Lua, MultiValue, Table, Value};

use super::metadata::{BAD_NAME, is_name};
use crate::scripting::command::failure;
use crate::scripting::flags::Flags;
use crate::scripting::interpreter::{Interpreter, first_line};
use crate::scripting::watch::Watch;

/// A function that a library wants to have.
pub(super) struct Registered {
    pub(super) name: String,
    pub(super) description: Option<Vec<u8>>,
    pub(super) flags: Flags,
    pub(super) callback: mlua::Function,
}

/// Runs a library's text and collects the functions that it registers.
///
/// # Errors
/// The whole error reply.
pub(super) fn run(
    interpreter: &Interpreter,
    code: &Arc<[u8]>,
    chunk: mlua::Function,
    watch: &Arc<Watch>,
) -> Result<Vec<Registered>, String> {
    let all = RefCell::new(Vec::new());
    let fields = &interpreter.fields;
    let result = interpreter.run_loading(code, chunk, watch, |lua, mut arguments| {
        let operation = arguments.pop_front();
        if !matches!(&operation, Some(Value::String(name)) if &*name.as_bytes() == b"register") {
            return Ok((true, Value::Nil));
        }
        let registered = register(lua, &all.borrow(), arguments);
        match registered {
            Ok(one) => {
                all.borrow_mut().push(one);
                Ok((true, Value::Nil))
            }
            Err(message) => failure(lua, fields, &message),
        }
    });
    let failed = |message: &str| Err(format!("ERR Error registering functions: {message}"));
    match result {
        _ if watch.is_killed() => failed("FUNCTION LOAD timeout"),
        Err(error) => failed(&first_line(&error)),
        Ok(Err(error)) => failed(&String::from_utf8_lossy(&error.message)),
        Ok(Ok(())) => Ok(all.into_inner()),
    }
}

fn register(lua: &Lua, known: &[Registered], arguments: MultiValue) -> Result<Registered, String> {
    let arguments: Vec<Value> = arguments.into_iter().collect();
    let one = match arguments.as_slice() {
        [Value::Table(named)] => by_name(lua, named)?,
        [_] => {
            return Err("calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).".into());
        }
        [name, callback] => {
            let name = text(lua, name)
                .ok_or("first argument to redis.register_function must be a string")?;
            let Value::Function(callback) = callback else {
                return Err("second argument to redis.register_function must be a function".into());
            };
            let (flags, description) = (Flags::default(), None);
            Registered { name: lossy(&name), description, flags, callback: callback.clone() }
        }
        _ => return Err("wrong number of arguments to redis.register_function".into()),
    };
    if !is_name(&one.name) {
        return Err(BAD_NAME.into());
    }
    if known.iter().any(|other| other.name == one.name) {
        return Err("Function already exists in the library".into());
    }
    Ok(one)
}

fn by_name(lua: &Lua, named: &Table) -> Result<Registered, String> {
    let (mut name, mut description, mut callback) = (None, None, None);
    let mut flags = Flags::default();
    for pair in named.pairs::<Value, Value>() {
        let (key, value) = pair.map_err(|error| first_line(&error))?;
        let Some(key) = text(lua, &key) else {
            return Err(
                "named argument key given to redis.register_function is not a string".into()
            );
        };
        match key.as_slice() {
            b"function_name" => {
                name = Some(text(lua, &value).ok_or("function_name argument given to redis.register_function must be a string")?);
            }
            b"description" => {
                description = Some(text(lua, &value).ok_or("description argument given to redis.register_function must be a string")?);
            }
            b"callback" => match value {
                Value::Function(function) => callback = Some(function),
                _ => return Err("callback argument given to redis.register_function must be a function".into()),
            },
            b"flags" => match value {
                Value::Table(list) => flags = flags_of(lua, &list)?,
                _ => return Err("flags argument to redis.register_function must be a table representing function flags".into()),
            },
            _ => return Err("unknown argument given to redis.register_function".into()),
        }
    }
    let name = name.ok_or("redis.register_function must get a function name argument")?;
    let callback = callback.ok_or("redis.register_function must get a callback argument")?;
    Ok(Registered { name: lossy(&name), description, flags, callback })
}

fn flags_of(lua: &Lua, list: &Table) -> Result<Flags, String> {
    let mut flags = Flags::default();
    for index in 1_i64.. {
        let value: Value = list.raw_get(index).map_err(|error| first_line(&error))?;
        if value.is_nil() {
            break;
        }
        let known = text(lua, &value).is_some_and(|name| flags.set(&lossy(&name)));
        if !known {
            return Err("unknown flag given".into());
        }
    }
    Ok(flags)
}

/// A string, or a number as its text.
fn text(lua: &Lua, value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(_) | Value::Number(_) => {
            let text = lua.coerce_string(value.clone()).ok()??;
            Some(text.as_bytes().to_vec())
        }
        _ => None,
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
