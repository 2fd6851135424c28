//! From the reply of a command to a value of the script.

use ferrite_resp::{AggregateKind, ReplyRef};
use mlua::{Lua, Table, Value};

use super::fields::Fields;
use super::host::Protocol;

/// Aggregates in aggregates: no command answers with deeper ones.
const MAX_DEPTH: usize = 128;

/// A reply, and whether it is an error.
#[derive(Debug)]
pub(super) struct Converted {
    pub(super) value: Value,
    pub(super) is_error: bool,
}

/// Reads one reply from its start.
#[derive(Debug)]
pub(super) struct ReplyReader<'a> {
    pub(super) lua: &'a Lua,
    pub(super) fields: &'a Fields,
    pub(super) protocol: Protocol,
    pub(super) rest: &'a [u8],
}

impl ReplyReader<'_> {
    /// The whole reply.
    pub(super) fn read(&mut self) -> mlua::Result<Converted> {
        let is_error = matches!(self.rest.first(), Some(b'-' | b'!'));
        let value = self.value(0)?;
        if let (true, Value::Table(table)) = (is_error, &value) {
            table.raw_set(&self.fields.ignore_error_stats_update, true)?;
        }
        Ok(Converted { value, is_error })
    }

    fn value(&mut self, depth: usize) -> mlua::Result<Value> {
        if depth > MAX_DEPTH {
            return Err(unreadable("it is nested too deeply"));
        }
        let (reply, used) = match ferrite_resp::peek(self.rest) {
            Ok(Some(found)) => found,
            Ok(None) => return Err(unreadable("it ends in the middle")),
            Err(error) => return Err(unreadable(&error.to_string())),
        };
        self.rest = self.rest.get(used..).unwrap_or_default();
        let (lua, fields) = (self.lua, self.fields);
        Ok(match reply {
            ReplyRef::Bulk(text) => Value::String(lua.create_string(text)?),
            ReplyRef::Integer(number) => Value::Number(number as f64),
            ReplyRef::Null => match self.protocol {
                Protocol::Two => Value::Boolean(false),
                Protocol::Three => Value::Nil,
            },
            ReplyRef::Boolean(truth) => Value::Boolean(truth),
            ReplyRef::Simple(text) => self.table(&fields.ok, lua.create_string(text)?)?,
            ReplyRef::Error(text) => self.table(&fields.err, lua.create_string(text)?)?,
            ReplyRef::Double(number) => self.table(&fields.double, number)?,
            ReplyRef::BigNumber(digits) => {
                self.table(&fields.big_number, lua.create_string(digits)?)?
            }
            ReplyRef::Verbatim { format, text } => {
                let parts = lua.create_table()?;
                parts.raw_set(&fields.format, lua.create_string(format)?)?;
                parts.raw_set(&fields.string, lua.create_string(text)?)?;
                self.table(&fields.verbatim_string, parts)?
            }
            ReplyRef::Aggregate(kind, count) => self.aggregate(kind, count, depth)?,
        })
    }

    fn aggregate(
        &mut self,
        kind: AggregateKind,
        count: usize,
        depth: usize,
    ) -> mlua::Result<Value> {
        let items = self.lua.create_table()?;
        match kind {
            AggregateKind::Array | AggregateKind::Push => {
                for index in 1..=count {
                    let value = self.value(depth + 1)?;
                    items.raw_set(index, value)?;
                }
                Ok(Value::Table(items))
            }
            AggregateKind::Set => {
                for _ in 0..count {
                    let member = self.value(depth + 1)?;
                    if !member.is_nil() {
                        items.raw_set(member, true)?;
                    }
                }
                self.table(&self.fields.set, items)
            }
            AggregateKind::Map => {
                for _ in 0..count {
                    let key = self.value(depth + 1)?;
                    let value = self.value(depth + 1)?;
                    if !key.is_nil() {
                        items.raw_set(key, value)?;
                    }
                }
                self.table(&self.fields.map, items)
            }
            AggregateKind::Attribute => {
                for _ in 0..count {
                    self.value(depth + 1)?;
                    self.value(depth + 1)?;
                }
                self.value(depth + 1)
            }
        }
    }

    fn table(&self, name: &mlua::LuaString, value: impl mlua::IntoLua) -> mlua::Result<Value> {
        let table: Table = self.lua.create_table()?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }
}

fn unreadable(why: &str) -> mlua::Error {
    mlua::Error::runtime(format!("the reply of the command cannot be read: {why}"))
}
