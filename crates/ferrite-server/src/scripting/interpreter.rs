//! One interpreter: the language, shut in.
//!
//! It is LuaJIT without its compiler, reached through `mlua`, and built as follows: a state with
//! the string, table, math and bit libraries; `sandbox.lua`, which makes of them the world that
//! scripts see; chunks of scripts, loaded as text only, with that world as their globals.
//!
//! `docs/scripting.md` says what a script can rely on.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, Value, VmState};

use super::builtins;
use super::command::Operations;
use super::error::ScriptError;
use super::fields::Fields;
use super::host::{Host, Protocol};
use super::random::Random;
use super::source;
use super::to_resp::ReplyWriter;
use super::watch::{INTERVAL, Watch};

/// What an interpreter is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Scripts of EVAL.
    Scripts,
    /// Libraries of functions.
    Functions,
}

impl Purpose {
    /// The name that chunks have in messages.
    pub(super) fn chunk_name(self) -> &'static str {
        match self {
            Self::Scripts => "user_script",
            Self::Functions => "user_function",
        }
    }
}

/// How an interpreter is made.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The version of Redis that scripts are told they run on, such as `7.2.0`.
    pub version: (u8, u8, u8),
    /// What the interpreter may hold, in bytes; a script that wants more fails.
    pub memory_limit: usize,
}

/// What the interpreter's own functions need to know of the run.
#[derive(Debug, Default)]
pub(super) struct Running {
    /// The text that is being executed, to find a line that the interpreter forgot.
    pub(super) source: Arc<[u8]>,
    pub(super) random: Random,
    /// Where the script was when it was killed.
    pub(super) ended: Option<(Vec<u8>, Vec<u8>)>,
}

/// Shared with the functions that scripts call.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    pub(super) purpose: Purpose,
    running: Arc<Mutex<Running>>,
}

impl Shared {
    /// Works on what is known of the run.
    pub(super) fn running<R>(&self, work: impl FnOnce(&mut Running) -> R) -> R {
        work(&mut self.running.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What to run, for whom.
#[derive(Debug)]
pub struct Invocation<'a> {
    /// The script's checksum or the function's name, for messages.
    pub name: &'a str,
    /// `KEYS`
    pub keys: &'a [&'a [u8]],
    /// `ARGV`
    pub arguments: &'a [&'a [u8]],
    /// What the client speaks.
    pub protocol: Protocol,
    /// Who watches the run.
    pub watch: &'a Arc<Watch>,
}

/// The language, shut in.
pub struct Interpreter {
    lua: Lua,
    pub(super) fields: Fields,
    pub(super) shared: Shared,
    /// Where the running script finds its host.
    slots: Table,
    /// Whether the run was ended from outside.
    state: Table,
    /// The globals of every chunk.
    environment: Table,
    /// What is behind them.
    globals: Table,
    run: Function,
    set_loading: Function,
    /// Compiled functions by name, kept in the interpreter.
    compiled: Table,
    memory_limit: usize,
}

impl fmt::Debug for Interpreter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interpreter").field("purpose", &self.shared.purpose).finish_non_exhaustive()
    }
}

/// Builds the world that scripts see.
const SANDBOX: &str = include_str!("sandbox.lua");
/// The name of that chunk, by which its frames are told from those of scripts.
pub(super) const SANDBOX_NAME: &str = "=sandbox";

impl Interpreter {
    /// Makes one.
    ///
    /// # Errors
    /// When there is not enough memory for the libraries.
    pub fn new(purpose: Purpose, settings: &Settings) -> Result<Self, ScriptError> {
        Self::build(purpose, settings).map_err(|error| ScriptError::from_lua(&error))
    }

    fn build(purpose: Purpose, settings: &Settings) -> mlua::Result<Self> {
        let libraries = StdLib::STRING | StdLib::TABLE | StdLib::MATH | StdLib::BIT | StdLib::JIT;
        // `pcall` of the language itself: it must not catch panics of ours.
        let lua = Lua::new_with(libraries, LuaOptions::new().catch_rust_panics(false))?;
        lua.globals().get::<Table>("jit")?.get::<Function>("off")?.call::<()>(())?;
        let shared = Shared { purpose, running: Arc::default() };
        let (slots, state) = (lua.create_table()?, lua.create_table()?);
        let fields = Fields::new(&lua)?;
        let host = builtins::table(&lua, &shared, settings)?;
        let world: Table = lua
            .load(SANDBOX)
            .set_name(SANDBOX_NAME)
            .set_mode(ChunkMode::Text)
            .call((host, slots.clone(), state.clone()))?;
        let interpreter = Self {
            environment: world.raw_get("environment")?,
            globals: world.raw_get("globals")?,
            run: world.raw_get("run")?,
            set_loading: world.raw_get("set_loading")?,
            compiled: lua.create_table()?,
            memory_limit: settings.memory_limit,
            fields,
            shared,
            slots,
            state,
            lua,
        };
        interpreter.lua.set_memory_limit(settings.memory_limit)?;
        Ok(interpreter)
    }

    /// Bytes that the interpreter holds.
    pub fn memory(&self) -> usize {
        self.lua.used_memory()
    }

    /// Compiles a text and keeps it under `name`.
    ///
    /// # Errors
    /// The compiler's message.
    pub fn compile(&self, name: &str, text: &[u8]) -> Result<(), String> {
        let function = self.compile_chunk(text)?;
        self.compiled.raw_set(name, function).map_err(|error| first_line(&error))
    }

    pub(super) fn compile_chunk(&self, text: &[u8]) -> Result<Function, String> {
        let name = self.shared.purpose.chunk_name();
        if let Some(problem) = builtins::literal_problem(text, name) {
            return Err(problem);
        }
        self.lua
            .load(text)
            .set_name(format!("@{name}"))
            .set_mode(ChunkMode::Text)
            .set_environment(self.environment.clone())
            .into_function()
            .map_err(|error| first_line(&error))
    }

    /// Keeps a function under a name.
    pub(super) fn keep(&self, name: &str, function: Function) -> Result<(), ScriptError> {
        self.compiled.raw_set(name, function).map_err(|error| ScriptError::from_lua(&error))
    }

    /// Whether something is kept under this name.
    pub fn has(&self, name: &str) -> bool {
        matches!(self.compiled.raw_get(name), Ok(Value::Function(_)))
    }

    /// Gives up what is kept under this name.
    pub fn forget(&self, name: &str) {
        // Removing a key never needs memory.
        let _ = self.compiled.raw_remove(name);
    }

    /// Runs what is kept under `stored` and appends its reply to `out`.
    ///
    /// # Errors
    /// What the script raised, and where; nothing has been appended then.
    pub fn run(
        &mut self,
        stored: &str,
        text: &Arc<[u8]>,
        invocation: &Invocation<'_>,
        host: &mut dyn Host,
        out: &mut Vec<u8>,
    ) -> Result<(), ScriptError> {
        self.shared.running(|running| running.source = Arc::clone(text));
        let start = out.len();
        let result = self.run_watched(stored, invocation, host, out);
        let result = match result {
            Err(_) | Ok(_) if invocation.watch.is_killed() => Err(self.killed()),
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(error) => {
                Err(ScriptError { place: self.forgotten_place(), ..ScriptError::from_lua(&error) })
            }
        };
        if result.is_err() {
            out.truncate(start);
            if self.lua.used_memory() > self.memory_limit / 2 {
                self.collect();
            }
        }
        result
    }

    /// Gives back what a script left, so that it does not stand in the way of the next one. The
    /// collector itself needs some memory: it may have it.
    fn collect(&self) {
        let unlimited = self.lua.set_memory_limit(0);
        if let Err(error) = unlimited.and_then(|_| self.lua.gc_collect()) {
            tracing::warn!("collecting what a script left: {error}");
        }
        if let Err(error) = self.lua.set_memory_limit(self.memory_limit) {
            tracing::warn!("limiting the memory of scripts: {error}");
        }
    }

    fn killed(&self) -> ScriptError {
        let text = match self.shared.purpose {
            Purpose::Scripts => "ERR Script killed by user with SCRIPT KILL...",
            Purpose::Functions => "ERR Script killed by user with FUNCTION KILL...",
        };
        ScriptError {
            place: self.shared.running(|running| running.ended.take()),
            ..ScriptError::new(text)
        }
    }

    /// Where a script may have been that left no trace.
    fn forgotten_place(&self) -> Option<(Vec<u8>, Vec<u8>)> {
        let (name, _, line) = forgotten(&self.shared)?;
        Some((name.into_bytes(), line.to_string().into_bytes()))
    }

    fn run_watched(
        &self,
        stored: &str,
        invocation: &Invocation<'_>,
        host: &mut dyn Host,
        out: &mut Vec<u8>,
    ) -> mlua::Result<Result<(), ScriptError>> {
        let operations = Operations {
            host: RefCell::new(host),
            fields: &self.fields,
            protocol: Cell::new(Protocol::Two),
            reply: RefCell::default(),
        };
        let callee: Function = self.compiled.raw_get(stored)?;
        let keys = self.strings(invocation.keys)?;
        let arguments = self.strings(invocation.arguments)?;
        self.watched(invocation.watch, || {
            self.lua.scope(|scope| {
                let command = scope.create_function(|lua, asked| operations.perform(lua, asked))?;
                self.slots.raw_set(&self.fields.command, command)?;
                let called = match self.shared.purpose {
                    Purpose::Scripts => {
                        self.globals.raw_set("KEYS", keys)?;
                        self.globals.raw_set("ARGV", arguments)?;
                        self.run.call::<(bool, Value)>(callee)
                    }
                    Purpose::Functions => self.run.call::<(bool, Value)>((callee, keys, arguments)),
                };
                self.slots.raw_remove(&self.fields.command)?;
                let (good, value) = called?;
                if !good {
                    return Ok(Err(self.raised(&value)));
                }
                let mut writer = ReplyWriter {
                    fields: &self.fields,
                    client: invocation.protocol,
                    script: operations.protocol.get(),
                    out,
                    errors: Vec::new(),
                };
                writer.write(&value)?;
                let mut host = operations.host.borrow_mut();
                writer.errors.iter().for_each(|error| host.answers_error(error));
                Ok(Ok(()))
            })
        })
    }

    /// Does some work of the interpreter while a watch is kept over it.
    pub(super) fn watched<R>(
        &self,
        watch: &Arc<Watch>,
        work: impl FnOnce() -> mlua::Result<R>,
    ) -> mlua::Result<R> {
        self.state.raw_remove(&self.fields.killed)?;
        let (watch, shared) = (Arc::clone(watch), self.shared.clone());
        let (state, killed) = (self.state.clone(), self.fields.killed.clone());
        let every = HookTriggers::new().every_nth_instruction(INTERVAL);
        self.lua.set_global_hook(every, move |lua, _| {
            if watch.may_continue() {
                return Ok(VmState::Continue);
            }
            let ended = place(lua, &shared)
                .map(|(name, _, line)| (name.into_bytes(), line.to_string().into_bytes()));
            shared.running(|running| running.ended = ended);
            // From here on every instruction fails, so that no `pcall` of the script saves it.
            state.raw_set(&killed, true)?;
            let each = HookTriggers::new().every_nth_instruction(1);
            lua.set_global_hook(each, |_, _| Err(mlua::Error::runtime("killed")))?;
            Err(mlua::Error::runtime("killed"))
        })?;
        let result = work();
        self.lua.remove_global_hook();
        result
    }

    /// Runs a chunk that registers functions: with that API, and `register` as its host.
    pub(super) fn run_loading(
        &self,
        text: &Arc<[u8]>,
        chunk: Function,
        watch: &Arc<Watch>,
        register: impl Fn(&Lua, mlua::MultiValue) -> mlua::Result<(bool, Value)>,
    ) -> mlua::Result<Result<(), ScriptError>> {
        self.shared.running(|running| running.source = Arc::clone(text));
        self.set_loading.call::<()>(true)?;
        let result = self.watched(watch, || {
            self.lua.scope(|scope| {
                let command = scope.create_function(register)?;
                self.slots.raw_set(&self.fields.command, command)?;
                let called = self.run.call::<(bool, Value)>(chunk);
                self.slots.raw_remove(&self.fields.command)?;
                let (good, value) = called?;
                Ok(if good { Ok(()) } else { Err(self.raised(&value)) })
            })
        });
        self.set_loading.call::<()>(false)?;
        result
    }

    fn strings(&self, texts: &[&[u8]]) -> mlua::Result<Table> {
        let table = self.lua.create_table_with_capacity(texts.len(), 0)?;
        for text in texts {
            table.raw_push(self.lua.create_string(text)?)?;
        }
        Ok(table)
    }

    /// What the sandbox's handler made of an error.
    fn raised(&self, value: &Value) -> ScriptError {
        let Value::Table(table) = value else {
            return match value {
                Value::String(text) => ScriptError::new(&format!("ERR {}", text.to_string_lossy())),
                _ => ScriptError::new("ERR unknown error"),
            };
        };
        let text = |name: &mlua::LuaString| match table.raw_get::<Value>(name) {
            Ok(Value::String(text)) => Some(text.as_bytes().to_vec()),
            Ok(Value::Integer(number)) => Some(number.to_string().into_bytes()),
            Ok(Value::Number(number)) => Some(super::number::significant(number, 14).into_bytes()),
            _ => None,
        };
        ScriptError {
            message: text(&self.fields.err).unwrap_or_else(|| b"ERR unknown error".to_vec()),
            place: text(&self.fields.source).zip(text(&self.fields.line)),
            counted: matches!(
                table.raw_get(&self.fields.ignore_error_stats_update),
                Ok(Value::Boolean(true))
            ),
        }
    }
}

/// A message without the traceback that follows it.
pub(super) fn first_line(error: &mlua::Error) -> String {
    match error {
        mlua::Error::SyntaxError { message, .. } => message.clone(),
        mlua::Error::RuntimeError(message) => {
            message.split("\nstack traceback:").next().unwrap_or_default().to_owned()
        }
        mlua::Error::MemoryError(_) => "not enough memory".to_owned(),
        mlua::Error::CallbackError { cause, .. } => first_line(cause),
        other => other.to_string(),
    }
}

/// Where the script is, seen from a function that it called: the name of its chunk, as given and
/// as shown, and the line.
pub(super) fn place(lua: &Lua, shared: &Shared) -> Option<(String, String, usize)> {
    /// Frames that are looked at: those of the sandbox and of the libraries.
    const MAX_FRAMES: usize = 16;
    for level in 0..MAX_FRAMES {
        let frame = lua.inspect_stack(level, |debug| {
            let source = debug.source();
            let name = source.source.as_deref().unwrap_or_default();
            if source.what == "C" || name == SANDBOX_NAME {
                return None;
            }
            let shown = source.short_src.as_deref().unwrap_or_default().to_owned();
            Some((name.to_owned(), shown, debug.current_line()?))
        });
        match frame {
            Some(None) => {}
            Some(found) => return found,
            None => break,
        }
    }
    forgotten(shared)
}

/// The place of a call whose frame is gone.
pub(super) fn forgotten(shared: &Shared) -> Option<(String, String, usize)> {
    let name = shared.purpose.chunk_name();
    let line = shared.running(|running| source::tail_call_line(&running.source))?;
    Some((format!("@{name}"), name.to_owned(), line as usize))
}
