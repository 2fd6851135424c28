//! Asks sentinels for a primary.
//!
//! ```text
//! SENTINEL GET-MASTER-ADDR-BY-NAME name  →  host, port, or nothing
//! ROLE (of the server there)             →  master …
//! ```

use ferrite_resp::Value;

use crate::{ClientError, Connection, Connector, Endpoint};

/// Names of primaries that are told when the one asked for is not known.
const NAMES_MAX: usize = 20;

/// Connects to the primary the sentinels name, and makes sure that it is one.
pub(crate) async fn connect(
    connector: &Connector,
    sentinels: &[(String, u16)],
    name: &str,
) -> Result<Connection, ClientError> {
    let mut failed = None;
    for (host, port) in sentinels {
        match ask(connector, host, *port, name).await {
            Ok(primary) => return connect_to(connector, primary, name).await,
            Err(error) => failed = Some(worse(failed, error)),
        }
    }
    Err(failed.unwrap_or_else(|| ClientError::Unexpected {
        address: connector.place(),
        doing: String::from("asking sentinels"),
        what: String::from("the address names none"),
    }))
}

/// Of two failures the one that says more: a sentinel that answered before one that did not.
fn worse(before: Option<ClientError>, now: ClientError) -> ClientError {
    match before {
        Some(before) if !before.is_transient() => before,
        _ => now,
    }
}

async fn ask(
    connector: &Connector,
    host: &str,
    port: u16,
    name: &str,
) -> Result<Endpoint, ClientError> {
    let address = connector.address().of_sentinel(host, port);
    let limit = connector.connect_timeout_limit();
    let asked = connector.clone().with_address(address).reply_timeout(limit).resp3(false);
    let mut sentinel = asked.connect_here().await?;
    let reply = sentinel.call(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name]).await?;
    if reply.is_null() {
        return Err(unknown(&mut sentinel, name).await);
    }
    let parts = reply.as_array().unwrap_or_default();
    let part = |index: usize| parts.get(index).and_then(Value::as_str);
    let port = part(1).and_then(|port| port.parse().ok());
    match (part(0), port) {
        (Some(host), Some(port)) => Ok(Endpoint::Tcp { host: host.to_owned(), port }),
        _ => Err(ClientError::Unexpected {
            address: sentinel.address().to_owned(),
            doing: format!("asking for the primary '{name}'"),
            what: String::from("neither a host with a port nor nothing"),
        }),
    }
}

/// The error about a name the sentinel does not know, with those it knows.
async fn unknown(sentinel: &mut Connection, name: &str) -> ClientError {
    let masters = sentinel.call(&["SENTINEL", "MASTERS"]).await.unwrap_or(Value::Null);
    let names = masters.as_array().unwrap_or_default().iter().take(NAMES_MAX).filter_map(|one| {
        let pairs = one.clone().into_pairs().ok()?;
        let found = pairs.iter().find(|(field, _)| field.as_str() == Some("name"))?;
        found.1.as_str().map(|name| format!("'{name}'"))
    });
    let names = names.collect::<Vec<_>>().join(", ");
    let known = match names.as_str() {
        "" => String::from("it watches none"),
        names => format!("it knows {names}"),
    };
    ClientError::NoSuchPrimary {
        address: sentinel.address().to_owned(),
        name: name.to_owned(),
        known,
    }
}

async fn connect_to(
    connector: &Connector,
    primary: Endpoint,
    name: &str,
) -> Result<Connection, ClientError> {
    let address = connector.address().clone().with_endpoint(primary);
    let connector = connector.clone().with_address(address);
    let mut connection = connector.connect_here().await?;
    let role = match connection.call(&["ROLE"]).await {
        // Who may not ask takes the sentinels' word for it.
        Err(error) if error.is_refusal() => return Ok(connection),
        role => role?,
    };
    let role = role.as_array().and_then(<[Value]>::first).and_then(Value::as_str);
    if role == Some("master") {
        return Ok(connection);
    }
    let said_by = format!("the sentinels name it as that of '{name}': a failover may be under way");
    Err(ClientError::NotPrimary { address: connection.address().to_owned(), said_by })
}
