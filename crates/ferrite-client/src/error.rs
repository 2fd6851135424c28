//! What can go wrong between us and a server, in words an operator can act on.

use std::fmt;
use std::io;
use std::time::Duration;

use ferrite_resp::ProtocolError;

/// A failure talking to a server. Its text says what we were doing and to which address, and
/// never holds a secret or an argument of a command.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// No connection could be made.
    #[error("cannot reach {address}: {cause}")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system says.
        cause: io::Error,
    },
    /// The server was silent for too long.
    #[error("{address} was silent for {} while {doing}", Seconds(*.after))]
    Timeout {
        /// Where.
        address: String,
        /// What we were doing.
        doing: String,
        /// How long we waited.
        after: Duration,
    },
    /// TLS could not be set up, or one side speaks TLS and the other does not.
    #[error("cannot speak TLS with {address}: {reason}")]
    Tls {
        /// Where.
        address: String,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The server does not let us in.
    #[error("{address} does not let us in: {failure} (it says: {message})")]
    Auth {
        /// Where.
        address: String,
        /// Which kind of refusal.
        failure: AuthFailure,
        /// The server's words.
        message: String,
    },
    /// A command got an error reply.
    #[error("{address} refused {command}: {error}")]
    Reply {
        /// Where.
        address: String,
        /// The command's name, without arguments.
        command: String,
        /// The reply.
        error: ReplyError,
    },
    /// The server sent something that is not the protocol.
    #[error("{address} sent bytes that are not RESP while {doing}: {cause}")]
    Protocol {
        /// Where.
        address: String,
        /// What we were doing.
        doing: String,
        /// What is wrong with the bytes.
        cause: ProtocolError,
    },
    /// The server sent valid protocol that does not answer what we asked.
    #[error("{address} gave an unexpected answer while {doing}: {what}")]
    Unexpected {
        /// Where.
        address: String,
        /// What we were doing.
        doing: String,
        /// What came.
        what: String,
    },
    /// The server closed the connection.
    #[error("{address} closed the connection while {doing}{hint}")]
    Closed {
        /// Where.
        address: String,
        /// What we were doing.
        doing: String,
        /// What may be the reason, or nothing.
        hint: String,
    },
    /// The connection broke.
    #[error("the connection to {address} broke while {doing}: {cause}")]
    Broken {
        /// Where.
        address: String,
        /// What we were doing.
        doing: String,
        /// What the system says.
        cause: io::Error,
    },
    /// More data than we are willing to hold.
    #[error("{address} sent more than {limit} bytes while {doing}, which is the limit")]
    TooLarge {
        /// Where.
        address: String,
        /// What we were doing.
        doing: String,
        /// The limit, in bytes.
        limit: usize,
    },
    /// The sentinels know no primary of that name.
    #[error("the sentinel {address} knows no primary '{name}'; {known}")]
    NoSuchPrimary {
        /// The sentinel that was asked last.
        address: String,
        /// The name.
        name: String,
        /// The names it knows, in words.
        known: String,
    },
    /// A server is not the primary it was said to be: a failover may be under way.
    #[error("{address} is no primary, although {said_by}")]
    NotPrimary {
        /// The server.
        address: String,
        /// Who says that it is one.
        said_by: String,
    },
    /// An earlier call on this connection failed or was given up, so that replies can no longer
    /// be told apart.
    #[error("the connection to {address} is of no use after an earlier call was not completed")]
    Unusable {
        /// Where.
        address: String,
    },
}

impl ClientError {
    /// Whether the same attempt may work in a while without anybody changing anything: the
    /// network, a server starting, a failover.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::Closed { .. }
            | Self::Broken { .. }
            | Self::NotPrimary { .. }
            | Self::Unusable { .. } => true,
            Self::Reply { error, .. } => error.is_transient(),
            _ => false,
        }
    }

    /// Whether the server refused a command for good: it does not know it, or does not allow
    /// us to use it. What managed services say to `PSYNC`.
    pub fn is_refusal(&self) -> bool {
        match self {
            Self::Auth { failure, .. } => *failure == AuthFailure::NotPermitted,
            Self::Reply { error, .. } => !error.is_transient(),
            _ => false,
        }
    }

    /// The same failure with a better description of what was going on.
    #[must_use]
    pub(crate) fn while_doing(mut self, what: impl Into<String>) -> Self {
        if let Self::Timeout { doing, .. }
        | Self::Protocol { doing, .. }
        | Self::Unexpected { doing, .. }
        | Self::Closed { doing, .. }
        | Self::Broken { doing, .. }
        | Self::TooLarge { doing, .. } = &mut self
        {
            *doing = what.into();
        }
        self
    }

    /// The error reply, when there was one.
    pub fn reply(&self) -> Option<&ReplyError> {
        match self {
            Self::Reply { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Why a server does not let us in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthFailure {
    /// `WRONGPASS`: the user or the password is wrong.
    WrongPassword,
    /// `NOAUTH`: a password is needed and the address has none.
    PasswordNeeded,
    /// `NOPERM`: the ACL user is known but may not do this.
    NotPermitted,
    /// We sent a password to a server that has none.
    NoPasswordSet,
    /// We sent a user name to a server before 6.0, which has no users.
    NoUsers,
    /// `DENIED`: without a password the server serves only its own machine (protected mode).
    Protected,
    /// Anything else.
    Other,
}

impl fmt::Display for AuthFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrongPassword => "the user or the password is wrong",
            Self::PasswordNeeded => "it needs a password and the address has none",
            Self::NotPermitted => "this user is not permitted to do it",
            Self::NoPasswordSet => "it has no password set; leave the password out",
            Self::NoUsers => "it is older than 6.0 and has no users; give the password alone",
            Self::Protected => "without a password it serves only its own machine",
            Self::Other => "authentication failed",
        })
    }
}

/// An error reply, split into its code and its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplyError {
    /// The first word, such as `ERR` or `WRONGTYPE`; empty when the reply has none in capitals.
    pub code: String,
    /// The whole text, code included. Bytes that are not UTF-8 are replaced.
    pub message: String,
}

/// Replies that go away by waiting.
const TRANSIENT_CODES: [&str; 6] =
    ["LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "NOMASTERLINK"];

impl ReplyError {
    /// Reads the text of an error reply (without the dash).
    pub fn parse(text: &[u8]) -> Self {
        let message = String::from_utf8_lossy(text).into_owned();
        let word = message.split(' ').next().unwrap_or_default();
        let is_code = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let code = if word.chars().all(is_code) { word.to_owned() } else { String::new() };
        Self { code, message }
    }

    /// Whether the server will say something else in a while.
    pub fn is_transient(&self) -> bool {
        TRANSIENT_CODES.contains(&self.code.as_str()) || self.is_crowded()
    }

    /// Whether the server has as many clients as it wants.
    pub(crate) fn is_crowded(&self) -> bool {
        self.message.contains("max number of clients")
    }

    /// What kind of refusal this is as an answer to `AUTH` or to a first command.
    pub(crate) fn auth_failure(&self) -> Option<AuthFailure> {
        let message = self.message.to_ascii_lowercase();
        match self.code.as_str() {
            "WRONGPASS" => Some(AuthFailure::WrongPassword),
            "NOAUTH" => Some(AuthFailure::PasswordNeeded),
            "NOPERM" => Some(AuthFailure::NotPermitted),
            _ if message.contains("invalid password") => Some(AuthFailure::WrongPassword),
            _ if message.contains("no password is set") => Some(AuthFailure::NoPasswordSet),
            _ if message.contains("without any password configured") => {
                Some(AuthFailure::NoPasswordSet)
            }
            _ if message.contains("operation not permitted") => Some(AuthFailure::PasswordNeeded),
            _ => None,
        }
    }
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReplyError {}

/// A duration as people say it.
struct Seconds(Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < Duration::from_secs(1) {
            write!(f, "{} ms", self.0.as_millis())
        } else {
            write!(f, "{:.0} s", self.0.as_secs_f64())
        }
    }
}
