//! What a script asks of the server that runs it, and nothing else the engine knows of it.

/// A version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// RESP2.
    Two,
    /// RESP3.
    Three,
}

/// How urgent a line of `redis.log` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    /// `redis.LOG_DEBUG`
    Debug,
    /// `redis.LOG_VERBOSE`
    Verbose,
    /// `redis.LOG_NOTICE`
    Notice,
    /// `redis.LOG_WARNING`
    Warning,
}

impl LogLevel {
    /// The level that scripts know by this number.
    pub fn from_number(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::Debug,
            1 => Self::Verbose,
            2 => Self::Notice,
            3 => Self::Warning,
            _ => return None,
        })
    }
}

/// Where the effects of a script go from now on (`redis.set_repl`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Destinations {
    /// To the append-only file.
    pub append_only_file: bool,
    /// To the replicas.
    pub replicas: bool,
}

/// Why `redis.acl_check_cmd` has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessProblem {
    /// There is no such command.
    UnknownCommand,
    /// The command takes another number of arguments.
    WrongArity,
}

/// The server, as the running script sees it.
pub trait Host {
    /// Executes a command and appends its reply to `reply`, an error reply included, as a client
    /// of that protocol would get it.
    fn call(&mut self, command: &[&[u8]], protocol: Protocol, reply: &mut Vec<u8>);

    /// The script answers an error of its own making; its text, without the dash.
    fn answers_error(&mut self, text: &[u8]);

    /// Writes a line to the server's log.
    fn log(&mut self, level: LogLevel, message: &[u8]);

    /// Directs the effects of the commands that follow.
    fn replicate_to(&mut self, destinations: Destinations);

    /// Whether the user that runs the script may execute the command.
    ///
    /// # Errors
    /// When the command does not exist or cannot take these arguments.
    fn may_execute(&mut self, command: &[&[u8]]) -> Result<bool, AccessProblem>;
}
