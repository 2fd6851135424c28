//! Whether the target can become a replica of the source, found out before it loses anything.
//!
//! The target begins to lose its keys when the source's RDB has come. Whatever would end it there
//! (a format it cannot load, a module it lacks, too few databases) must be known before.

use std::time::{Duration, Instant};

use ferrite_client::server::{Family, Role, ServerInfo};
use ferrite_client::{Address, ClientError, Connector, Endpoint, ReplyError};
use tokio::time::sleep;

use super::{Checked, Server, permissions};
use crate::config::{Config, OnConflict};
use crate::engine::Job;
use crate::error::MigrateError;
use crate::live::{Before, Settings};
use crate::report::{PreflightReport, key_text};
use crate::targets::redis::{libraries, target_error};

/// How long a target is waited for that loads its data: one that became our replica before may be
/// loading the source's.
const LOADED_WITHIN: Duration = Duration::from_secs(600);
/// How often it is asked.
const LOADED_EVERY: Duration = Duration::from_millis(200);
/// How long the address the target is to use may take to answer us.
const REACHED_WITHIN: Duration = Duration::from_secs(3);

/// What to choose where there can be no replica.
const ELSE: &str = "choose --strategy psync, which re-encodes values and sends on commands";

/// Waits for a target that loads its data. Whatever else it says is for the checks.
pub async fn until_loaded(job: &Job) {
    let began = Instant::now();
    while began.elapsed() < LOADED_WITHIN && !job.stop.is_stopped() {
        match Server::connect(job, &job.config.target).await {
            Err(error) if error.reply().is_some_and(|reply| reply.code == "LOADING") => {}
            Ok(server) if server.info.loading && server.info.role == Role::Replica => {}
            _ => return,
        }
        sleep(LOADED_EVERY).await;
    }
}

/// Checks both ends.
///
/// # Errors
/// An end that breaks while it is being asked.
pub async fn check(job: &Job, checked: &mut Checked) -> Result<(), MigrateError> {
    versions(&checked.source, &checked.target, &mut checked.report);
    modules(&checked.source, &checked.target, &mut checked.report);
    let is_ours = role(&job.config, &checked.target, &mut checked.report);
    if checked.report.is_blocked() {
        return Ok(());
    }
    let lost = |connector: &Connector, error: &ClientError| {
        target_error("checking whether it can be a replica", connector, error)
    };
    if !is_ours {
        conflicts(&job.config, checked).await;
        let asked = replicaof(checked).await;
        asked.map_err(|error| lost(&checked.target.connector, &error))?;
    }
    let asked = settings(checked).await;
    asked.map_err(|error| lost(&checked.target.connector, &error))?;
    permissions::comparable(job, checked).await?;
    databases(checked).await;
    source_rights(checked).await;
    reached(job, checked).await;
    Ok(())
}

/// Whether the target loads the source's RDB and understands all it sends.
fn versions(source: &Server, target: &Server, report: &mut PreflightReport) {
    let (from, to) = (source.describe(), target.describe());
    let (format, reads) = (source.dump_format(), target.values().format);
    match why_not(source, target) {
        None => report.ok("replica format", format!("{to} loads the RDB of {from} ({format})")),
        Some(why) => report.block(
            "replica format",
            format!("{to} cannot be a replica of {from}: {why} ({format} to {reads})"),
            ELSE,
        ),
    }
}

/// Why a target cannot follow a source as its replica, by what they are.
fn why_not(source: &Server, target: &Server) -> Option<&'static str> {
    let version = |server: &Server| (server.info.version.major, server.info.version.minor);
    let (from, to) = (version(source), version(target));
    if to < (5, 0) {
        return Some("REPLICAOF came with Redis 5.0");
    }
    match (source.info.family, target.info.family) {
        (Family::Redis, Family::Redis) | (Family::Valkey, Family::Valkey) if from > to => {
            Some("it is older, and would fail at what the source is newer by")
        }
        (Family::Redis, Family::Redis) | (Family::Valkey, Family::Valkey) => None,
        (Family::Redis, Family::Valkey) if target.values().accepts_version(rdb(source)) => None,
        (Family::Redis, Family::Valkey) => Some("Valkey loads no RDB of Redis 7.4 or later"),
        (Family::Valkey, Family::Redis) if from >= (8, 0) => {
            Some("Redis does not know all commands of Valkey 8.0 and later")
        }
        (Family::Valkey, Family::Redis) if target.values().accepts_version(rdb(source)) => None,
        (Family::Valkey, Family::Redis) => Some("its RDB is newer"),
        _ => Some("only Redis and Valkey are known to follow each other"),
    }
}

fn rdb(server: &Server) -> u32 {
    server.dump_format().version
}

/// A replica ends its process at values of a module it has not got.
fn modules(source: &Server, target: &Server, report: &mut PreflightReport) {
    let has = |name: &str| target.info.modules.iter().any(|module| module.name == name);
    if let Some(module) = source.info.modules.iter().find(|module| !has(&module.name)) {
        let name = key_text(module.name.as_bytes());
        report.block(
            "modules",
            format!("the source has the module {name}, the target has not, and could not load it"),
            format!("load {name} on the target, or choose --strategy psync"),
        );
    }
}

/// Whether the target is a replica of the source already.
fn role(config: &Config, target: &Server, report: &mut PreflightReport) -> bool {
    if target.info.role != Role::Replica {
        return false;
    }
    let told = |name| target.info.info.get(name).unwrap_or_default();
    let (host, port) = (told("master_host"), told("master_port"));
    let ours = config.replicates_from();
    if ours.is_some_and(|(our_host, our_port)| host == our_host && port == our_port.to_string()) {
        report.ok("target role", format!("the target is a replica of {host}:{port} already"));
        return true;
    }
    report.block(
        "target role",
        format!("the target is a replica of {host}:{port}, which is not the source"),
        "REPLICAOF NO ONE on the target if it is free; if that is the source by another name: \
         --replica-source",
    );
    false
}

/// A replica loses everything it has.
async fn conflicts(config: &Config, checked: &mut Checked) {
    let keys = checked.target.info.keys();
    let functions = match checked.target.has_functions() {
        true => libraries(&mut checked.target.control).await.map_or(0, |found| found.len()),
        false => 0,
    };
    if keys == 0 && functions == 0 {
        checked.report.ok("target empty", "there is nothing on the target");
        return;
    }
    let has = format!("the target has {keys} keys and {functions} function libraries");
    let goes = "a replica loses everything it has, in all databases, functions too";
    match config.on_conflict {
        OnConflict::Replace => checked.report.warn(
            "target empty",
            format!("{has}; all of it goes: {goes}"),
            "take a copy of the target first if it matters",
        ),
        OnConflict::Fail | OnConflict::Skip => checked.report.block(
            "target empty",
            format!("{has}; {goes}"),
            "choose --on-conflict replace if all of it may go, or another target, or --strategy \
             psync, which leaves other keys alone",
        ),
    }
}

/// Why a command is refused that changes nothing in this form; `None` if it is not.
async fn refusal(
    server: &mut Server,
    command: &[&[u8]],
) -> Result<Option<ReplyError>, ClientError> {
    match server.control.call(command).await {
        Ok(_) => Ok(None),
        Err(ClientError::Reply { error, .. }) => Ok(Some(error)),
        Err(error) if error.is_refusal() => {
            Ok(Some(ReplyError::parse(error.to_string().as_bytes())))
        }
        Err(error) => Err(error),
    }
}

/// A master is told to be one.
async fn replicaof(checked: &mut Checked) -> Result<(), ClientError> {
    match refusal(&mut checked.target, &[b"REPLICAOF", b"NO", b"ONE"]).await? {
        None => checked.report.ok("target permissions", "REPLICAOF is allowed"),
        Some(error) => checked.report.block(
            "target permissions",
            format!("REPLICAOF is refused: {error}"),
            "ACL SETUSER <user> +replicaof on the target; where that cannot be, --strategy psync",
        ),
    }
    Ok(())
}

/// Whether the target can be told how the source lets it in.
async fn settings(checked: &mut Checked) -> Result<(), ClientError> {
    let wanted = Settings::of(checked.source.connector.address());
    let Checked { target, report, .. } = checked;
    let Some(now) = Before::ask(&mut target.control).await? else {
        let refused = "CONFIG GET is refused, so it is not known how the target would log in";
        match wanted.are_default() {
            true => report.warn(
                "target settings",
                format!("{refused}; it must have no masterauth"),
                "ACL SETUSER <user> +config|get +config|set on the target",
            ),
            false => report.block(
                "target settings",
                refused,
                "ACL SETUSER <user> +config|get +config|set on the target; where that cannot be, \
                 --strategy psync",
            ),
        }
        return Ok(());
    };
    let read_only = target.control.call(&["CONFIG", "GET", "replica-read-only"]).await?;
    if read_only.as_array().and_then(|pair| pair.get(1)?.as_str()) == Some("no") {
        report.block(
            "target settings",
            "the target takes writes as a replica too (replica-read-only no): it would differ",
            "CONFIG SET replica-read-only yes on the target",
        );
        return Ok(());
    }
    if let Some(setting) = wanted.lacking(&now) {
        report.block(
            "target settings",
            format!("the target has no setting {setting}, which the source's address needs"),
            "use a build with TLS (Redis 6.0 or later), or choose --strategy psync",
        );
        return Ok(());
    }
    // What is set already changes nothing.
    let told = target.control.call(&["CONFIG", "GET", "repl-timeout"]).await?;
    let value = told.as_array().and_then(|pair| pair.get(1)?.as_bytes()).unwrap_or(b"60");
    match refusal(target, &[b"CONFIG", b"SET", b"repl-timeout", value]).await? {
        Some(error) if !wanted.are_default() => report.block(
            "target settings",
            format!("CONFIG SET is refused: {error}"),
            "ACL SETUSER <user> +config|set on the target; where that cannot be, --strategy psync",
        ),
        _ => report.ok("target settings", "user, password and TLS can be set"),
    }
    Ok(())
}

/// A command in a database that the replica has not got would end its replication.
async fn databases(checked: &mut Checked) {
    let (Some(from), Some(to)) =
        (count(&mut checked.source).await, count(&mut checked.target).await)
    else {
        return;
    };
    if to < from {
        checked.report.block(
            "target databases",
            format!("the source has {from} databases, the target {to}"),
            format!("set `databases {from}` in the target's configuration and restart it"),
        );
    }
}

async fn count(server: &mut Server) -> Option<u64> {
    let told = server.control.call(&["CONFIG", "GET", "databases"]).await.ok()?;
    told.as_array()?.get(1)?.as_str()?.parse().ok()
}

/// Whether the source lets this user replicate, where it can be asked (Redis 7.0 on).
async fn source_rights(checked: &mut Checked) {
    let user = checked.source.connector.address().username().unwrap_or("default").to_owned();
    let commands: [&[&str]; 2] = [&["PSYNC", "?", "-1"], &["REPLCONF", "capa", "eof"]];
    for command in commands {
        let asked = [&["ACL", "DRYRUN", &user], command].concat();
        let Ok(told) = checked.source.control.call(&asked).await else { return };
        let told = told.as_str().unwrap_or("OK").to_owned();
        if told != "OK" {
            checked.report.block(
                "source permissions",
                format!("the target would not be let in as {user}: {told}"),
                format!("ACL SETUSER {user} +psync +replconf +ping on the source"),
            );
            return;
        }
    }
}

/// Whether the address the target is to use is the source's, as far as we can tell from here.
async fn reached(job: &Job, checked: &mut Checked) {
    let Some((host, port)) = job.config.replicates_from() else { return };
    if job.config.replica_source.is_none() {
        checked.report.ok("replica source", format!("the target is to reach {host}:{port}"));
        return;
    }
    let endpoint = Endpoint::Tcp { host: host.to_owned(), port };
    let address: Address = checked.source.connector.address().clone().with_endpoint(endpoint);
    let connector = checked.source.connector.clone().with_address(address);
    let connector = connector.connect_timeout(REACHED_WITHIN);
    let there = async {
        let mut connection = connector.connect().await?;
        ServerInfo::probe(&mut connection).await
    };
    let there = there.await;
    let name = |info: &ServerInfo| info.replication_id.clone();
    match there {
        Ok(info) if name(&info) == name(&checked.source.info) => checked
            .report
            .ok("replica source", format!("{host}:{port} is the source, as seen from here")),
        Ok(_) => checked.report.block(
            "replica source",
            format!("{host}:{port} is another server than the source, as seen from here"),
            "give the address by which the target reaches the source: --replica-source HOST:PORT",
        ),
        Err(error) => checked.report.warn(
            "replica source",
            format!("whether {host}:{port} is the source cannot be seen from here: {error}"),
            "if the target cannot reach it, the migration says so and nothing is lost",
        ),
    }
}
