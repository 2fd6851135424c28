//! A client of etcd (v3), by its JSON gateway: what is kept there, and leases.
//!
//! ```text
//! POST /v3/kv/range          {"key": base64, "range_end": base64}        → kvs
//! POST /v3/kv/put            {"key", "value", "lease"}
//! POST /v3/kv/txn            compare the revision that made a key, then put or delete
//! POST /v3/lease/grant       {"TTL": seconds}                            → ID
//! POST /v3/lease/keepalive   {"ID"}                                      → TTL, none when it is over
//! POST /v3/auth/authenticate {"name", "password"}                        → token
//! ```
//!
//! Numbers of 64 bits are text in this JSON, keys and values are base 64. What goes away with a
//! lease goes away when nobody has kept the lease alive for its time: so a worker that dies is
//! noticed, whatever it died of.

mod http;
mod place;
mod words;

use std::time::{Duration, Instant};

use serde_json::{Value, json};

pub use place::EtcdPlace;
pub use words::Entry;

use crate::{AuthFailure, ClientError, Connector, TlsOptions};
use http::{Answer, Http};
use words::{bytes, entries, number, range_end};

/// The port etcd listens on for clients unless told otherwise.
pub const DEFAULT_PORT: u16 = 2379;
/// Most servers that one address may name.
pub const SERVERS_MAX: usize = 16;
/// How long one server may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// The pause before all servers are tried once more.
const BEFORE_NEXT_ROUND: Duration = Duration::from_millis(200);
/// Keys in one answer, where many are asked for.
const PAGE: usize = 100;
/// Pages of one list.
const PAGES_MAX: usize = 1000;

/// gRPC's number for somebody who is not known (any more).
const UNAUTHENTICATED: i64 = 16;
/// gRPC's number for a server that cannot answer now, as one without a leader.
const UNAVAILABLE: i64 = 14;
/// gRPC's number for an answer that took too long within the cluster.
const DEADLINE_EXCEEDED: i64 = 4;

/// A lease, by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease(i64);

impl std::fmt::Display for Lease {
    /// As `etcdctl lease list` shows it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// A connection to one of the servers of an etcd, made anew where it is lost.
#[derive(Debug)]
pub struct Etcd {
    servers: Vec<Connector>,
    /// The server that answered last.
    at: usize,
    connection: Option<Http>,
    token: Option<String>,
    patience: Duration,
}

impl Etcd {
    /// Prepares it; nothing connects yet. A call is tried on all servers, again and again, until
    /// `patience` is over.
    #[must_use]
    pub fn new(place: &EtcdPlace, tls: &TlsOptions, patience: Duration) -> Self {
        let server = |address: &crate::Address| {
            Connector::new(address.clone()).tls(tls.clone()).connect_timeout(ANSWER_WITHIN)
        };
        let servers = place.servers().iter().map(server).collect();
        Self { servers, at: 0, connection: None, token: None, patience }
    }

    /// Makes a lease of so many seconds.
    ///
    /// # Errors
    /// No server answers, or it refuses.
    pub async fn grant(&mut self, seconds: u64) -> Result<Lease, ClientError> {
        let doing = "asking for a lease";
        let told = self.call("/v3/lease/grant", json!({ "TTL": seconds }), doing).await?;
        match number(&told, "ID") {
            Some(id) => Ok(Lease(id)),
            None => Err(self.unexpected(doing, "a lease without a number")),
        }
    }

    /// Keeps a lease alive; false when it is over.
    ///
    /// # Errors
    /// No server answers, or it refuses.
    pub async fn keep_alive(&mut self, lease: Lease) -> Result<bool, ClientError> {
        let asked = json!({ "ID": lease.0 });
        let told = self.call("/v3/lease/keepalive", asked, "keeping a lease alive").await?;
        Ok(told.get("result").and_then(|it| number(it, "TTL")).is_some_and(|seconds| seconds > 0))
    }

    /// Ends a lease, and with it what was put under it.
    ///
    /// # Errors
    /// No server answers, or it refuses.
    pub async fn revoke(&mut self, lease: Lease) -> Result<(), ClientError> {
        self.call("/v3/lease/revoke", json!({ "ID": lease.0 }), "giving a lease back").await?;
        Ok(())
    }

    /// What is kept under a key.
    ///
    /// # Errors
    /// No server answers, or it refuses.
    pub async fn get(&mut self, key: &str) -> Result<Option<Entry>, ClientError> {
        let told = self.call("/v3/kv/range", json!({ "key": bytes(key) }), "reading").await?;
        Ok(entries(&told).into_iter().next())
    }

    /// All whose key begins so, in the order of their keys.
    ///
    /// # Errors
    /// No server answers, or it refuses; there are too many.
    pub async fn list(&mut self, prefix: &str) -> Result<Vec<Entry>, ClientError> {
        let (mut found, mut from) = (Vec::new(), prefix.to_owned());
        for _ in 0..PAGES_MAX {
            let asked =
                json!({ "key": bytes(&from), "range_end": range_end(prefix), "limit": PAGE });
            let told = self.call("/v3/kv/range", asked, "listing").await?;
            let page = entries(&told);
            let Some(last) = page.last() else { return Ok(found) };
            from = format!("{}\0", last.key);
            found.extend(page);
            if told.get("more").and_then(Value::as_bool) != Some(true) {
                return Ok(found);
            }
        }
        Err(self.unexpected("listing", "more keys than are accepted"))
    }

    /// Keeps a value, for as long as the lease lasts if there is one.
    ///
    /// # Errors
    /// No server answers, or it refuses.
    pub async fn put(
        &mut self,
        key: &str,
        value: &str,
        lease: Option<Lease>,
    ) -> Result<(), ClientError> {
        self.call("/v3/kv/put", put(key, value, lease), "writing").await.map(drop)
    }

    /// Keeps a value, for as long as the lease lasts if there is one, unless the key is there; tells
    /// whether the value is there now. Nobody else may write the same value.
    ///
    /// # Errors
    /// No server answers, or it refuses.
    pub async fn create(
        &mut self,
        key: &str,
        value: &str,
        lease: Option<Lease>,
    ) -> Result<bool, ClientError> {
        let asked = json!({
            "compare": [{ "key": bytes(key), "target": "CREATE", "createRevision": "0" }],
            "success": [{ "requestPut": put(key, value, lease) }],
            "failure": [{ "requestRange": { "key": bytes(key) } }],
        });
        let told = self.call("/v3/kv/txn", asked, "claiming").await?;
        // Ours is there where an answer was lost and the request was sent again.
        Ok(succeeded(&told) || found(&told).is_some_and(|entry| entry.value == value))
    }

    /// Keeps a value and deletes the key `held`, if that is still the one of this revision; tells
    /// whether the value is there now. Nobody else may write the same value.
    ///
    /// # Errors
    /// No server answers, or it refuses.
    pub async fn exchange(
        &mut self,
        held: &Entry,
        key: &str,
        value: &str,
    ) -> Result<bool, ClientError> {
        let revision = held.create_revision.to_string();
        let asked = json!({
            "compare": [
                { "key": bytes(&held.key), "target": "CREATE", "createRevision": revision },
            ],
            "success": [
                { "requestPut": put(key, value, None) },
                { "requestDeleteRange": { "key": bytes(&held.key) } },
            ],
            "failure": [{ "requestRange": { "key": bytes(key) } }],
        });
        let told = self.call("/v3/kv/txn", asked, "writing down what is done").await?;
        Ok(succeeded(&told) || found(&told).is_some_and(|entry| entry.value == value))
    }

    /// Asks until somebody answers or the patience is over.
    async fn call(
        &mut self,
        path: &'static str,
        body: Value,
        doing: &'static str,
    ) -> Result<Value, ClientError> {
        let began = Instant::now();
        loop {
            let failed = match self.round(path, &body, doing).await {
                Err(error) if error.is_transient() => error,
                answered => return answered,
            };
            if began.elapsed() + BEFORE_NEXT_ROUND > self.patience {
                return Err(failed);
            }
            tokio::time::sleep(BEFORE_NEXT_ROUND).await;
        }
    }

    /// Asks each server once, beginning with the one that answered last.
    async fn round(
        &mut self,
        path: &str,
        body: &Value,
        doing: &'static str,
    ) -> Result<Value, ClientError> {
        let mut asked = self.ask(path, body, doing).await;
        for _ in 1..self.servers.len() {
            match &asked {
                Err(error) if error.is_transient() => self.at = (self.at + 1) % self.servers.len(),
                _ => break,
            }
            asked = self.ask(path, body, doing).await;
        }
        asked
    }

    /// Asks the server that answered last, with a new token where the one we have is over.
    async fn ask(
        &mut self,
        path: &str,
        body: &Value,
        doing: &'static str,
    ) -> Result<Value, ClientError> {
        self.authenticate().await?;
        let mut answer = self.post(path, body, doing).await?;
        if answer.code() == Some(UNAUTHENTICATED) && self.token.take().is_some() {
            self.authenticate().await?;
            answer = self.post(path, body, doing).await?;
        }
        self.understood(answer, doing)
    }

    /// Gets a token, where the address has a user.
    async fn authenticate(&mut self) -> Result<(), ClientError> {
        const DOING: &str = "saying hello";
        let address = self.server()?.address();
        let (None, Some(name)) = (&self.token, address.username()) else { return Ok(()) };
        let password = address.password().map(|it| it.expose()).unwrap_or_default();
        let password = String::from_utf8_lossy(password).into_owned();
        let asked = json!({ "name": name, "password": password });
        let answer = self.post("/v3/auth/authenticate", &asked, DOING).await?;
        if answer.code().is_some_and(|code| ![UNAVAILABLE, DEADLINE_EXCEEDED].contains(&code)) {
            let (address, message) = (self.server()?.place(), answer.message());
            return Err(ClientError::Auth {
                address,
                failure: AuthFailure::WrongPassword,
                message,
            });
        }
        let told = self.understood(answer, DOING)?;
        self.token = told.get("token").and_then(Value::as_str).map(str::to_owned);
        match self.token {
            Some(_) => Ok(()),
            None => Err(self.unexpected(DOING, "no token")),
        }
    }

    async fn post(
        &mut self,
        path: &str,
        body: &Value,
        doing: &'static str,
    ) -> Result<Answer, ClientError> {
        let mut connection = match self.connection.take() {
            // Where it ended while nobody asked, a new one takes its place.
            Some(connection) if connection.is_open_to(self.at) => connection,
            _ => Http::connect(self.server()?, self.at).await?,
        };
        let place = self.server()?.place();
        let asking = connection.post(path, body, self.token.as_deref(), &place, doing);
        let answered = tokio::time::timeout(ANSWER_WITHIN, asking).await;
        let answer = answered.map_err(|_| ClientError::Timeout {
            address: place.clone(),
            doing: doing.to_owned(),
            after: ANSWER_WITHIN,
        })??;
        self.connection = Some(connection);
        Ok(answer)
    }

    /// What an answer says, unless it is a refusal.
    fn understood(&self, answer: Answer, doing: &'static str) -> Result<Value, ClientError> {
        let Some(code) = answer.code() else { return Ok(answer.body) };
        let (address, message) = (self.server()?.place(), answer.message());
        let is_password = code == UNAUTHENTICATED || message.contains("user name is empty");
        Err(match code {
            UNAVAILABLE | DEADLINE_EXCEEDED => {
                let cause = std::io::Error::other(message);
                ClientError::Broken { address, doing: doing.to_owned(), cause }
            }
            _ if is_password => {
                ClientError::Auth { address, failure: AuthFailure::PasswordNeeded, message }
            }
            _ => ClientError::Unexpected { address, doing: doing.to_owned(), what: message },
        })
    }

    fn server(&self) -> Result<&Connector, ClientError> {
        self.servers.get(self.at).ok_or_else(|| ClientError::Unreachable {
            address: String::from("etcd"),
            cause: std::io::Error::other("no server is named"),
        })
    }

    fn unexpected(&self, doing: &str, what: &str) -> ClientError {
        let address = self.servers.get(self.at).map(Connector::place).unwrap_or_default();
        ClientError::Unexpected { address, doing: doing.to_owned(), what: what.to_owned() }
    }
}

fn put(key: &str, value: &str, lease: Option<Lease>) -> Value {
    let lease = lease.map_or(0, |lease| lease.0).to_string();
    json!({ "key": bytes(key), "value": bytes(value), "lease": lease })
}

fn succeeded(told: &Value) -> bool {
    told.get("succeeded").and_then(Value::as_bool) == Some(true)
}

/// What a transaction that did not succeed found instead.
fn found(told: &Value) -> Option<Entry> {
    let range = told.get("responses")?.get(0)?.get("response_range")?;
    entries(range).into_iter().next()
}
