//! What a command answers when it cannot do what was asked.

use std::borrow::Cow;

/// An error reply: the line without its `-`, beginning with the code (`ERR`, `WRONGTYPE`, …).
/// The texts are Redis's, because clients and tests compare them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError(Cow<'static, str>);

impl CommandError {
    /// The key holds another type.
    pub const WRONG_TYPE: Self =
        Self::text("WRONGTYPE Operation against a key holding the wrong kind of value");
    /// Not all keys are there yet.
    pub const LOADING: Self = Self::text("LOADING Redis is loading the dataset in memory");
    /// Words that the command does not know at their place.
    pub const SYNTAX: Self = Self::text("ERR syntax error");
    /// A word or value that should be a whole number.
    pub const NOT_AN_INTEGER: Self = Self::text("ERR value is not an integer or out of range");
    /// A word or value that should be a number.
    pub const NOT_A_FLOAT: Self = Self::text("ERR value is not a valid float");
    /// A key that must exist does not.
    pub const NO_SUCH_KEY: Self = Self::text("ERR no such key");
    /// An index outside of the value.
    pub const OUT_OF_RANGE: Self = Self::text("ERR index out of range");
    /// A transaction was not executed because one of its commands was refused.
    pub const EXEC_ABORTED: Self =
        Self::text("EXECABORT Transaction discarded because of previous errors.");
    /// Too few replicas keep up.
    pub const NO_REPLICAS: Self = Self::text("NOREPLICAS Not enough good replicas to write.");
    /// No more memory may be used.
    pub const OUT_OF_MEMORY: Self =
        Self::text("OOM command not allowed when used memory > 'maxmemory'.");

    /// An error with a fixed text.
    pub const fn text(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// An error with a text made for it. Line ends become blanks.
    pub fn new(text: String) -> Self {
        match text.contains(['\r', '\n']) {
            true => Self(text.replace(['\r', '\n'], " ").into()),
            false => Self(text.into()),
        }
    }

    /// `ERR wrong number of arguments for '…' command`, for the command's full name.
    pub fn arity(name: &str) -> Self {
        Self::new(format!("ERR wrong number of arguments for '{name}' command"))
    }

    /// The whole line, without its `-`.
    pub fn line(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for CommandError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for CommandError {}
