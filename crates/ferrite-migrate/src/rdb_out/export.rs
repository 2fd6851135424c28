//! Reads a server for a file: as a replica would, or, where it does not allow that, key by key.

use std::collections::HashSet;
use std::time::Instant;

use ferrite_client::replication::{AttachOptions, RdbFill, ReplicationLink};
use ferrite_client::server::ServerInfo;
use ferrite_client::{Address, ClientError, Connector, TlsOptions, Value};
use ferrite_rdb::{Head, dump};
use xxhash_rust::xxh3::xxh3_128;

use super::output::{RdbOutput, bad_value};
use super::walk::{COLLECT_MAX, Nobody, VALUE_LIMIT, write_rdb};
use super::{RdbDestination, RdbReport};
use crate::config::Strategy;
use crate::error::{ErrorKind, MigrateError};
use crate::fetch::{FetchError, Fetched, Fetcher, LargeStream};
use crate::preflight::Server;
use crate::sources::rdb::{Supply, buffer_limit};
use crate::targets::redis::libraries;

/// Names asked for at a time.
const SCAN_COUNT: &[u8] = b"500";
/// Keys read in one transaction.
const TRANSACTION_KEYS_MAX: usize = 100;
/// Names of one database that are kept as 16 bytes each, because `SCAN` may give one twice and no
/// server loads a file that has one twice.
const NAMES_MAX: usize = 8 << 20;
/// Why a value is not carried that was read key by key.
const TOO_LARGE: &str = "above 64 MiB: it is carried where the server allows replication";
/// The name of our connections on the server.
const CLIENT_NAME: &str = "ferrite-migrate:export";

/// The server whose keys are written to a file.
#[derive(Clone, Debug)]
pub struct ExportSource {
    /// Where it is. A database in it restricts the file to that one.
    pub address: Address,
    /// How TLS is spoken with it.
    pub tls: TlsOptions,
    /// [`Strategy::Psync`], [`Strategy::Scan`], or [`Strategy::Auto`] for the first that works.
    pub strategy: Strategy,
}

/// Writes the keys of a server to an RDB file.
///
/// # Errors
/// A server that cannot be read, or a file that cannot be written; there is no new file then.
pub async fn export_rdb(
    source: &ExportSource,
    to: &RdbDestination,
) -> Result<RdbReport, MigrateError> {
    let began = Instant::now();
    let connector =
        Connector::new(source.address.clone()).tls(source.tls.clone()).client_name(CLIENT_NAME);
    let only_db = source.address.named_database();
    let mut server = ask(&connector).await?;
    let mut output = RdbOutput::create(&to.path, to.to.clone().unwrap_or_else(|| server.values()))?;
    let is_auto = source.strategy == Strategy::Auto;
    // The RDB of a replication has all databases.
    let by_psync = source.strategy == Strategy::Psync || (is_auto && only_db.is_none());
    if by_psync {
        let options = AttachOptions { rdb_only: true, ..AttachOptions::default() };
        match ReplicationLink::attach(&connector, &options).await {
            Ok((mut link, _)) => {
                link.set_max_buffer(buffer_limit(VALUE_LIMIT));
                let mut supply = Link { link, connector };
                write_rdb(&mut supply, &mut output).await?;
                return output.finish(source.address.to_string(), "psync", began);
            }
            Err(error) if is_auto && (error.reply().is_some() || error.is_refusal()) => {
                tracing::debug!(%error, "the source refuses PSYNC: read key by key");
            }
            Err(error) => return Err(lost(&connector, "attaching as a replica", &error)),
        }
    }
    scan(&mut server, only_db, &mut output).await?;
    output.finish(source.address.to_string(), "scan", began)
}

fn lost(connector: &Connector, doing: &str, error: &ClientError) -> MigrateError {
    let doing = format!("{doing} on the source {}", connector.address());
    MigrateError::new(ErrorKind::Source, doing, error)
        .passing(error.is_transient())
        .with_hint("see that the source is up and the address is right, then run it again")
}

/// A primary that sends its RDB.
struct Link {
    link: ReplicationLink,
    connector: Connector,
}

impl Supply for Link {
    fn bytes(&self) -> &[u8] {
        self.link.rdb_bytes()
    }

    fn consume(&mut self, count: usize) {
        self.link.rdb_consume(count);
    }

    async fn fill(&mut self) -> Result<(), MigrateError> {
        match self.link.rdb_fill().await {
            Ok(RdbFill::More(_)) => Ok(()),
            Ok(RdbFill::End) => {
                let doing = format!("receiving the RDB of {}", self.connector.address());
                let cause = format!("it ends early, after {} bytes", self.link.rdb_received());
                Err(MigrateError::new(ErrorKind::Source, doing, cause)
                    .with_hint("see the source's log, then run it again"))
            }
            Err(ClientError::TooLarge { .. }) => {
                // One element is larger than the buffer was sized for: let it grow by doubling.
                let have = self.link.rdb_bytes().len();
                self.link.set_max_buffer(have * 2);
                self.link.reserve(have * 2);
                Ok(())
            }
            Err(error) => Err(lost(&self.connector, "receiving the RDB", &error)),
        }
    }

    fn bad_data(&self, error: &ferrite_rdb::Error) -> MigrateError {
        let doing = format!("reading the RDB of {}", self.connector.address());
        MigrateError::new(ErrorKind::Data, doing, error)
            .with_hint("run the same command with --strategy scan, which reads key by key")
    }
}

/// Connects and asks what it is.
async fn ask(connector: &Connector) -> Result<Server, MigrateError> {
    let failed = |error| lost(connector, "connecting", &error);
    let mut control = connector.connect().await.map_err(failed)?;
    let info = ServerInfo::probe(&mut control).await.map_err(failed)?;
    if info.cluster_enabled {
        let doing = format!("exporting the keys of {}", connector.address());
        let cause = "it is one node of a cluster, and has a part of the keys";
        return Err(MigrateError::new(ErrorKind::Config, doing, cause).with_hint(
            "copy the cluster to one server first: ferrite-migrate migrate; then export that one",
        ));
    }
    let (cluster, other_versions) = (None, Vec::new());
    Ok(Server { connector: connector.clone(), info, control, cluster, other_versions })
}

/// Reads key by key.
async fn scan(
    server: &mut Server,
    only_db: Option<u32>,
    output: &mut RdbOutput,
) -> Result<(), MigrateError> {
    let connector = server.connector.clone();
    if server.has_functions() {
        // Who may not list them is told by the keys that follow.
        for code in libraries(&mut server.control).await.unwrap_or_default() {
            output.function(&code);
        }
    }
    let reading =
        connector.connect().await.map_err(|error| lost(&connector, "connecting", &error))?;
    let mut fetcher = Fetcher::new(reading, server.has_expiretime(), COLLECT_MAX);
    let dbs = only_db.map_or_else(|| server.dbs(), |db| vec![db]);
    for db in dbs {
        database(server, &mut fetcher, db, output).await?;
    }
    Ok(())
}

/// Reads one database.
async fn database(
    server: &mut Server,
    fetcher: &mut Fetcher,
    db: u32,
    output: &mut RdbOutput,
) -> Result<(), MigrateError> {
    let connector = server.connector.clone();
    let failed = |error| lost(&connector, "reading keys", &error);
    server.control.call(&[&b"SELECT"[..], db.to_string().as_bytes()]).await.map_err(failed)?;
    let mut cursor = b"0".to_vec();
    let mut seen = HashSet::new();
    loop {
        let reply = server.control.call(&[&b"SCAN"[..], &cursor, b"COUNT", SCAN_COUNT]).await;
        let (next, mut names) = page(&reply.map_err(failed)?);
        names.retain(|name| seen.insert(xxh3_128(name)));
        if seen.len() > NAMES_MAX {
            return Err(too_many(&connector, db));
        }
        for keys in names.chunks(TRANSACTION_KEYS_MAX) {
            transaction(server, fetcher, db, keys, output).await?;
        }
        if next == b"0" {
            return Ok(());
        }
        cursor = next;
    }
}

fn too_many(connector: &Connector, db: u32) -> MigrateError {
    let doing = format!("listing the keys of database {db} of {}", connector.address());
    let cause = format!("there are more than {} of them", NAMES_MAX);
    MigrateError::new(ErrorKind::Source, doing, cause)
        .with_hint("allow our user replication: ACL SETUSER <user> +psync +replconf")
}

/// The next cursor and the names in a reply of `SCAN`.
fn page(reply: &Value) -> (Vec<u8>, Vec<Vec<u8>>) {
    let parts = reply.as_array().unwrap_or_default();
    let cursor = parts.first().and_then(Value::as_bytes).unwrap_or(b"0");
    let names = parts.get(1).and_then(Value::as_array).unwrap_or_default();
    let names = names.iter().filter_map(Value::as_bytes).map(<[u8]>::to_vec);
    (cursor.to_vec(), names.collect())
}

async fn transaction(
    server: &Server,
    fetcher: &mut Fetcher,
    db: u32,
    keys: &[Vec<u8>],
    output: &mut RdbOutput,
) -> Result<(), MigrateError> {
    let failed = |error| lost(&server.connector, "reading keys", &error);
    let format = server.dump_format();
    fetcher.request(db, keys.iter().map(Vec::as_slice)).await.map_err(failed)?;
    for key in keys {
        match fetcher.next().await.map_err(failed)? {
            Fetched::Missing => {}
            Fetched::Small { expires_at_ms } => {
                let payload = dump::split(fetcher.payload());
                let payload = payload.map_err(|error| bad_value(key, &error))?;
                let head = Head {
                    db: u64::from(db),
                    key: key.into(),
                    expires_at_ms,
                    idle_s: None,
                    freq: None,
                    type_byte: payload.type_byte,
                };
                output.entry(format, &head, payload.body)?;
            }
            Fetched::Large { type_byte, .. } => {
                let unread = |error: &ferrite_rdb::Error| bad_value(key, error);
                let mut stream =
                    LargeStream::new(format, type_byte).map_err(|error| unread(&error))?;
                loop {
                    match fetcher.stream(&mut stream, &mut Nobody).await {
                        Ok(true) => break,
                        Ok(false) => {}
                        Err(FetchError::Client(error)) => return Err(failed(error)),
                        Err(FetchError::Value(error)) => return Err(unread(&error)),
                    }
                }
                output.skip(u64::from(db), key, TOO_LARGE);
            }
        }
    }
    Ok(())
}
