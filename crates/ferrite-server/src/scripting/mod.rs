//! Lua: scripts of EVAL and libraries of functions.
//!
//! The engine knows nothing of the rest of the server. A script asks its [`Host`] to execute
//! commands; whoever runs it hands over a [`Watch`], through which other threads see that it is
//! slow and order its end. Only `runtime` and `runner` know the server.
//!
//! ```text
//! Interpreter   LuaJIT without its compiler, shut in by sandbox.lua
//!   builtins    what that world is made of: json, msgpack, packing (struct), random
//!   command     what a script asks of its host; from_resp, to_resp convert
//!   cache       the scripts of EVAL; flags: what their first lines say
//!   runtime     who runs; runner: the thread for what may be slow
//!   source      what the text of a script tells that the interpreter does not
//! ```

mod builtins;
pub mod cache;
mod command;
mod error;
mod fields;
pub mod flags;
mod from_resp;
pub mod functions;
mod host;
mod interpreter;
mod json;
mod msgpack;
mod number;
mod packing;
mod random;
mod runner;
mod runtime;
mod source;
mod to_resp;
mod watch;

pub use error::ScriptError;
pub use host::{AccessProblem, Destinations, Host, LogLevel, Protocol};
pub use interpreter::{Interpreter, Invocation, Purpose, Settings};
pub use runtime::{Job, QUICK, Running, STACK, Scripting};
pub use watch::Watch;

/// The checksum by which a script is known: 40 hexadecimal digits.
pub fn checksum(text: &[u8]) -> String {
    builtins::sha1_hex(text)
}
