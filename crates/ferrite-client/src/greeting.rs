//! The first commands on a new connection, sent in one go.
//!
//! ```text
//! AUTH [user] password    HELLO 3    CLIENT SETNAME name    SELECT database    PING
//! ```

use std::io;

use ferrite_resp::{ProtocolError, Value};

use crate::tls::{explain, tls_cause};
use crate::{AuthFailure, ClientError, Connection, Connector, Pipeline, ReplyError};

/// One of the first commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Auth,
    Hello,
    SetName,
    Select,
    Ping,
}

/// First byte of a TLS alert record: what a TLS server sends to whom it does not understand.
const TLS_ALERT: u8 = 0x15;

/// Authenticates and prepares a connection; the error says what the server has against us.
pub(crate) async fn greet(
    connector: &Connector,
    connection: &mut Connection,
) -> Result<(), ClientError> {
    let (steps, pipeline) = commands(connector);
    let mut replies = Vec::with_capacity(steps.len());
    let done = connection.gather(&pipeline, &mut replies).await;
    for (step, reply) in steps.iter().zip(replies) {
        if let Value::Error(text) = reply {
            check(connector, *step, ReplyError::parse(&text))?;
        }
    }
    done.map_err(|error| hint(connector, error))
}

fn commands(connector: &Connector) -> (Vec<Step>, Pipeline) {
    let (mut steps, mut pipeline) = (Vec::new(), Pipeline::new());
    let address = connector.address();
    let mut add = |step, arguments: &[&[u8]]| {
        steps.push(step);
        pipeline.push(arguments);
    };
    match (address.username(), address.password()) {
        (Some(user), Some(password)) => {
            add(Step::Auth, &[b"AUTH", user.as_bytes(), password.expose()]);
        }
        // A user without a password is one with `nopass`, whom any password suits.
        (Some(user), None) => add(Step::Auth, &[b"AUTH", user.as_bytes(), b""]),
        (None, Some(password)) => add(Step::Auth, &[b"AUTH", password.expose()]),
        (None, None) => {}
    }
    if connector.speaks_resp3() {
        add(Step::Hello, &[b"HELLO", b"3"]);
    }
    if let Some(name) = connector.name() {
        add(Step::SetName, &[b"CLIENT", b"SETNAME", name.as_bytes()]);
    }
    if address.database() != 0 {
        add(Step::Select, &[b"SELECT", address.database().to_string().as_bytes()]);
    }
    add(Step::Ping, &[b"PING"]);
    (steps, pipeline)
}

/// What an error reply to a step means; `Ok` when it does no harm.
fn check(connector: &Connector, step: Step, error: ReplyError) -> Result<(), ClientError> {
    let failure = match step {
        _ if error.code == "DENIED" => Some(AuthFailure::Protected),
        _ if error.code == "NOAUTH" => Some(AuthFailure::PasswordNeeded),
        _ if error.is_transient() => None,
        Step::Auth => Some(auth_failure(connector, &error)),
        Step::Select | Step::Hello if error.code == "NOPERM" => Some(AuthFailure::NotPermitted),
        Step::Select | Step::Hello => error.auth_failure(),
        // A name is a courtesy, and any other error proves that somebody is there.
        Step::SetName | Step::Ping => error.auth_failure().filter(|_| error.code != "NOPERM"),
    };
    let address = connector.place();
    if let Some(failure) = failure {
        return Err(ClientError::Auth { address, failure, message: error.message });
    }
    let harmless = match step {
        Step::SetName => true,
        Step::Ping => !matches!(error.code.as_str(), "LOADING" | "BUSY") && !error.is_crowded(),
        Step::Auth | Step::Hello | Step::Select => false,
    };
    let command = match step {
        Step::Auth => "AUTH".to_owned(),
        Step::Hello => "HELLO 3".to_owned(),
        Step::SetName => "CLIENT SETNAME".to_owned(),
        Step::Select => format!("SELECT {}", connector.address().database()),
        Step::Ping => "PING".to_owned(),
    };
    if harmless { Ok(()) } else { Err(ClientError::Reply { address, command, error }) }
}

fn auth_failure(connector: &Connector, error: &ReplyError) -> AuthFailure {
    let with_user = connector.address().username().is_some();
    match error.auth_failure() {
        Some(failure) => failure,
        None if with_user && error.message.contains("wrong number of arguments") => {
            AuthFailure::NoUsers
        }
        None => AuthFailure::Other,
    }
}

/// Adds what is likely to be the reason when a new connection ends or brings garbage.
fn hint(connector: &Connector, error: ClientError) -> ClientError {
    let doing = "saying hello".to_owned();
    let plain = !connector.address().is_tls() && connector.address().host().is_some();
    match error {
        ClientError::Broken { cause, .. } if tls_cause(&cause).is_some() => {
            connector.tls_error(explain(&cause))
        }
        ClientError::Protocol { cause: ProtocolError::UnknownType(TLS_ALERT), .. } if plain => {
            connector.tls_error("this port expects TLS: use rediss:// instead of redis://".into())
        }
        ClientError::Broken { address, cause, .. } if plain && is_end(&cause) => {
            ClientError::Closed { address, doing, hint: EXPECTS_TLS.to_owned() }
        }
        ClientError::Closed { address, .. } if plain => {
            ClientError::Closed { address, doing, hint: EXPECTS_TLS.to_owned() }
        }
        other => other.while_doing(doing),
    }
}

fn is_end(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}

const EXPECTS_TLS: &str = "; perhaps it expects TLS: use rediss:// instead of redis://";
