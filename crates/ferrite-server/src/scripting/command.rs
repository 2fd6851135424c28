//! What the running script asks of its host: the one function that `sandbox.lua` finds in its
//! slots, by the name of the operation.

use std::cell::{Cell, RefCell};

use mlua::{Lua, MultiValue, Value};

use super::fields::Fields;
use super::from_resp::{Converted, ReplyReader};
use super::host::{AccessProblem, Destinations, Host, LogLevel, Protocol};
use super::number;

/// The `redis.REPL_…` bit of the append-only file.
pub(super) const REPLICATE_TO_FILE: i64 = 1;
/// The `redis.REPL_…` bit of the replicas.
pub(super) const REPLICATE_TO_REPLICAS: i64 = 2;

/// `true, result` or `false, { err = … }`, as the sandbox wants every answer.
type Answer = mlua::Result<(bool, Value)>;

/// One run of a script, as seen from its commands.
pub(super) struct Operations<'a> {
    pub(super) host: RefCell<&'a mut dyn Host>,
    pub(super) fields: &'a Fields,
    /// What `redis.setresp` chose.
    pub(super) protocol: Cell<Protocol>,
    /// Replies are made here, to be converted.
    pub(super) reply: RefCell<Vec<u8>>,
}

/// Reply buffers above this are given back after the command.
const KEPT_REPLY: usize = 1 << 20;

impl Operations<'_> {
    /// Does what the first argument says.
    pub(super) fn perform(&self, lua: &Lua, mut arguments: MultiValue) -> Answer {
        let Some(Value::String(operation)) = arguments.pop_front() else {
            return self.fail(lua, "unknown operation");
        };
        let operation = operation.as_bytes();
        match &*operation {
            b"call" => self.call(lua, arguments),
            b"many" => self.call(lua, unpacked(&arguments)?),
            b"access" => self.access(lua, arguments),
            b"log" => self.log(lua, arguments),
            b"protocol" => self.choose_protocol(lua, arguments),
            b"replicate" => self.replicate(lua, arguments),
            _ => self
                .fail(lua, "redis.register_function can only be called on FUNCTION LOAD command"),
        }
    }

    fn call(&self, lua: &Lua, arguments: MultiValue) -> Answer {
        let texts = match texts_of(&arguments) {
            Ok(texts) => texts,
            Err(problem) => return self.fail(lua, problem),
        };
        let command: Vec<&[u8]> = texts.iter().map(Text::bytes).collect();
        let mut reply = self.reply.borrow_mut();
        reply.clear();
        self.host.borrow_mut().call(&command, self.protocol.get(), &mut reply);
        let mut reader =
            ReplyReader { lua, fields: self.fields, protocol: self.protocol.get(), rest: &reply };
        let Converted { value, is_error } = reader.read()?;
        if reply.capacity() > KEPT_REPLY {
            *reply = Vec::new();
        }
        Ok((!is_error, value))
    }

    fn access(&self, lua: &Lua, arguments: MultiValue) -> Answer {
        let texts = match texts_of(&arguments) {
            Ok(texts) => texts,
            Err(problem) => return self.fail(lua, problem),
        };
        let command: Vec<&[u8]> = texts.iter().map(Text::bytes).collect();
        match self.host.borrow_mut().may_execute(&command) {
            Ok(allowed) => Ok((true, Value::Boolean(allowed))),
            Err(AccessProblem::UnknownCommand) => {
                self.fail(lua, "Invalid command passed to redis.acl_check_cmd()")
            }
            Err(AccessProblem::WrongArity) => {
                self.fail(lua, "Wrong number of args for redis.acl_check_cmd()")
            }
        }
    }

    fn log(&self, lua: &Lua, mut arguments: MultiValue) -> Answer {
        let Some(level) = arguments.pop_front().as_ref().and_then(integer) else {
            return self.fail(lua, "First argument must be a number (log level).");
        };
        let Some(level) = LogLevel::from_number(level) else {
            return self.fail(lua, "Invalid log level.");
        };
        let mut message = Vec::new();
        for argument in &arguments {
            let Some(text) = Text::of(argument) else { continue };
            if !message.is_empty() {
                message.push(b' ');
            }
            message.extend_from_slice(text.bytes());
        }
        self.host.borrow_mut().log(level, &message);
        Ok((true, Value::Nil))
    }

    fn choose_protocol(&self, lua: &Lua, mut arguments: MultiValue) -> Answer {
        match arguments.pop_front().as_ref().and_then(integer) {
            Some(2) => self.protocol.set(Protocol::Two),
            Some(3) => self.protocol.set(Protocol::Three),
            _ => return self.fail(lua, "RESP version must be 2 or 3."),
        }
        Ok((true, Value::Nil))
    }

    fn replicate(&self, lua: &Lua, mut arguments: MultiValue) -> Answer {
        let all = REPLICATE_TO_FILE | REPLICATE_TO_REPLICAS;
        let flags = arguments.pop_front().as_ref().and_then(integer).unwrap_or(0);
        if flags & !all != 0 {
            return self.fail(
                lua,
                "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.",
            );
        }
        self.host.borrow_mut().replicate_to(Destinations {
            append_only_file: flags & REPLICATE_TO_FILE != 0,
            replicas: flags & REPLICATE_TO_REPLICAS != 0,
        });
        Ok((true, Value::Nil))
    }

    fn fail(&self, lua: &Lua, message: &str) -> Answer {
        failure(lua, self.fields, message)
    }
}

/// `false` and an error table with this message, as the sandbox wants it.
pub(super) fn failure(lua: &Lua, fields: &Fields, message: &str) -> Answer {
    let table = lua.create_table()?;
    table.raw_set(&fields.err, format!("ERR {message}"))?;
    Ok((false, Value::Table(table)))
}

/// The elements of a table, whose number stands behind it.
fn unpacked(arguments: &MultiValue) -> mlua::Result<MultiValue> {
    let (Some(Value::Table(table)), Some(Value::Integer(count))) =
        (arguments.front(), arguments.get(1))
    else {
        return Ok(MultiValue::new());
    };
    (1..=*count).map(|index| table.raw_get(index)).collect()
}

/// An argument of a command.
enum Text {
    Lua(mlua::BorrowedBytes),
    Own(Vec<u8>),
}

impl Text {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Lua(text.as_bytes())),
            Value::Integer(number) => Some(Self::Own(number.to_string().into_bytes())),
            Value::Number(number) => Some(Self::Own(number::shortest(*number).into_bytes())),
            _ => None,
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Self::Lua(text) => text,
            Self::Own(text) => text,
        }
    }
}

fn texts_of(arguments: &MultiValue) -> Result<Vec<Text>, &'static str> {
    if arguments.is_empty() {
        return Err("Please specify at least one argument for this redis lib call");
    }
    let texts: Option<Vec<Text>> = arguments.iter().map(Text::of).collect();
    texts.ok_or("Lua redis lib command arguments must be strings or integers")
}

/// A number, cut to an integer, also when it is a string of digits.
pub(super) fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Integer(number) => Some(*number),
        Value::Number(number) => Some(*number as i64),
        Value::String(text) => {
            let text = text.to_str().ok()?;
            let text = text.trim();
            text.parse().ok().or_else(|| text.parse::<f64>().ok().map(|number| number as i64))
        }
        _ => None,
    }
}
