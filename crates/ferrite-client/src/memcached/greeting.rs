//! The first lines on a new connection: who we are, and what the server can do.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::Memcached;
use crate::stream::Stream;
use crate::{AuthFailure, ClientError, Connector, Receiver, Sender};

/// What a server can do beyond the oldest commands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Abilities {
    /// `mg`, the meta commands of 1.6: reads a value with the time it has left.
    pub meta: bool,
    /// Keys with spaces and control characters, written in base 64 (flag `b`, 1.6.10).
    pub binary_keys: bool,
    /// Reading a key without its being more recently used afterwards (flag `u`).
    pub leaves_order: bool,
}

/// Asked for to see what `mg` understands: a key named `ferrite-probe`, in base 64 and plainly.
/// Whether there is one does not matter.
const PROBES: &[u8] = b"version\r\nmn\r\nmg ZmVycml0ZS1wcm9iZQ== b\r\nmg ferrite-probe u\r\n";

pub(super) async fn connect(connector: &Connector) -> Result<Memcached, ClientError> {
    let mut memcached = open(connector.open().await?, connector.place());
    memcached.set_timeout(Some(connector.connect_time()));
    let greeted = greet(connector, &mut memcached).await;
    memcached.set_timeout(Some(connector.reply_timeout_limit()));
    greeted.map_err(|error| hint(connector, error)).map(|()| memcached)
}

/// A connection that nothing was said on.
pub(super) fn open(stream: Stream, place: String) -> Memcached {
    let (read, write) = stream.into_split();
    let (address, written) = (Arc::<str>::from(place), Arc::new(AtomicU64::new(0)));
    let sender = Sender::new(write, Arc::clone(&address), None, Arc::clone(&written));
    let receiver = Receiver::new(read, address, None, written);
    let abilities = Abilities { meta: false, binary_keys: false, leaves_order: false };
    Memcached { sender, receiver, version: String::new(), abilities, pending: 0, rest: 0 }
}

async fn greet(connector: &Connector, memcached: &mut Memcached) -> Result<(), ClientError> {
    authenticate(connector, memcached).await?;
    memcached.sender.send(PROBES).await?;
    let line = memcached.line(GREETING).await?;
    let Some(version) = line.strip_prefix("VERSION ") else {
        return Err(not_memcached(memcached, &line));
    };
    memcached.version = version.trim().to_owned();
    let meta = memcached.line(GREETING).await?.starts_with("MN");
    let understood = |line: String| meta && (line.starts_with("EN") || line.starts_with("HD"));
    let binary_keys = understood(memcached.line(GREETING).await?);
    let leaves_order = understood(memcached.line(GREETING).await?);
    memcached.abilities = Abilities { meta, binary_keys, leaves_order };
    Ok(())
}

const GREETING: &str = "saying hello";

/// `set` with a key that does not matter: a server that wants a password takes the value for it.
async fn authenticate(connector: &Connector, to: &mut Memcached) -> Result<(), ClientError> {
    let address = connector.address();
    let (Some(user), Some(password)) = (address.username(), address.password()) else {
        return Ok(());
    };
    let mut identity = user.as_bytes().to_vec();
    identity.push(b' ');
    identity.extend_from_slice(password.expose());
    let mut message = format!("set auth 0 1 {}\r\n", identity.len()).into_bytes();
    message.extend_from_slice(&identity);
    message.extend_from_slice(b"\r\n");
    to.sender.send(&message).await?;
    match to.line(GREETING).await?.as_str() {
        "STORED" => Ok(()),
        refused => {
            let failure = match refused.contains("authentication failure") {
                true => AuthFailure::WrongPassword,
                false => AuthFailure::Other,
            };
            let (address, message) = (to.address().to_owned(), refused.to_owned());
            Err(ClientError::Auth { address, failure, message })
        }
    }
}

/// Why somebody who says this is nobody we can talk to.
fn not_memcached(memcached: &Memcached, line: &str) -> ClientError {
    let address = memcached.address().to_owned();
    if line.contains("unauthenticated") {
        let (failure, message) = (AuthFailure::PasswordNeeded, line.to_owned());
        return ClientError::Auth { address, failure, message };
    }
    if line.starts_with("-ERR") || line.starts_with("-NOAUTH") || line.starts_with("-DENIED") {
        let what = "it is no Memcached but a server of the Redis family: write redis:// instead of \
                    memcached://";
        return memcached.unexpected(GREETING, what);
    }
    let shown = line.get(..80).unwrap_or(line).escape_default();
    memcached.unexpected(GREETING, format!("'{shown}', which is not what Memcached says"))
}

/// Adds what is likely to be the reason when a new connection ends.
fn hint(connector: &Connector, error: ClientError) -> ClientError {
    let ended = |cause: &std::io::Error| {
        matches!(cause.kind(), std::io::ErrorKind::ConnectionReset | std::io::ErrorKind::BrokenPipe)
    };
    match error {
        ClientError::Closed { address, .. } => {
            ClientError::Closed { address, doing: GREETING.to_owned(), hint: reason(connector) }
        }
        ClientError::Broken { address, cause, .. } if ended(&cause) => {
            ClientError::Closed { address, doing: GREETING.to_owned(), hint: reason(connector) }
        }
        other => other.while_doing(GREETING),
    }
}

fn reason(connector: &Connector) -> String {
    let tls = match connector.address().is_tls() {
        true => "",
        false => "TLS (use memcacheds:// instead of memcached://), or ",
    };
    format!(
        "; perhaps it expects {tls}the binary protocol with SASL (memcached -S), which is not \
         spoken here"
    )
}
