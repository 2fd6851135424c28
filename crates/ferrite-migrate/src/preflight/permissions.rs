//! Whether both servers let us use the commands we need.
//!
//! Each command is tried in a form that changes nothing: a server that does not know it, or does
//! not allow it, says so before it looks at the arguments.

use ferrite_client::{ClientError, ReplyError, Value};

use super::{Checked, Server};
use crate::config::{Mode, OnConflict, Strategy};
use crate::engine::Job;
use crate::error::MigrateError;
use crate::report::PreflightReport;
use crate::sources::redis_scan::source_error;
use crate::targets::redis::target_error;

/// How a command is answered.
enum Answer {
    Allowed,
    /// Unknown, renamed, or denied; the reply.
    Denied(ReplyError),
    /// Allowed, but the server takes no writes now.
    Unable(ReplyError),
}

/// Checks both ends.
///
/// # Errors
/// An end that breaks while it is being asked.
pub async fn check(job: &Job, checked: &mut Checked) -> Result<(), MigrateError> {
    source(job, checked).await?;
    if !job.config.dry_run {
        target_readable(job, checked).await?;
        let Checked { report, target, .. } = checked;
        (checked.restore, checked.set) = writable(job, target, report).await?;
    }
    Ok(())
}

/// Tells the offset at which keys are read.
const FENCE: &str = "ROLE";
/// Reads a value.
const DUMP: &str = "DUMP";

/// A name nobody uses.
fn probe_key(job: &Job) -> Vec<u8> {
    format!("ferrite-migrate:probe:{}", job.id).into_bytes()
}

/// Whether keys can be read one by one. Without that, replication may still read the source, but
/// nothing can be verified.
async fn source(job: &Job, checked: &mut Checked) -> Result<(), MigrateError> {
    let config = &job.config;
    let mut denied = match unreadable(job, &mut checked.source).await {
        Ok(denied) => denied,
        Err(error) => {
            let connector = &checked.source.connector;
            return Err(source_error(connector, "checking permissions", &error));
        }
    };
    // Between clusters, keys that are written are read again.
    let is_of_clusters = checked.source.cluster.is_some() || checked.target.cluster.is_some();
    let rereads = config.mode == Mode::Incremental || config.mode == Mode::Live && is_of_clusters;
    let compares = config.verify || config.only_differing || rereads;
    checked.readable = denied.iter().all(|(command, _)| command == FENCE);
    let may_migrate = matches!(config.strategy, Strategy::Migrate | Strategy::Auto)
        && config.mode == Mode::Snapshot
        && denied.iter().all(|(command, _)| command == DUMP);
    let wants = config.strategy == Strategy::Migrate || !denied.is_empty();
    checked.scannable = denied.is_empty();
    if may_migrate && wants {
        let refused = migrates(job, checked).await?;
        checked.migratable = refused.is_none();
        if let (Some(error), Strategy::Migrate) = (refused, config.strategy) {
            denied.push((String::from("MIGRATE"), error));
        }
    }
    if config.strategy == Strategy::Migrate && !compares {
        denied.retain(|(command, _)| command != DUMP);
    }
    let Some((command, error)) = denied.into_iter().next() else {
        checked.report.ok("source permissions", "keys and expiries can be read");
        return Ok(());
    };
    let fix = format!("ACL SETUSER <user> +{} on the source", command.to_lowercase());
    let reads = [Strategy::Scan, Strategy::Fenced, Strategy::Migrate];
    let is_auto = config.strategy == Strategy::Auto && config.mode == Mode::Live;
    let may_go_by_rounds = is_auto && checked.readable && !rereads;
    if compares && !may_go_by_rounds || reads.contains(&config.strategy) {
        let detail = format!("{command} is refused: {error}");
        checked.report.block("source permissions", detail, fix);
    } else {
        let way = if checked.migratable { "replication or MIGRATE" } else { "replication" };
        let detail = format!("{command} is refused, so only {way} can read it: {error}");
        checked.report.warn("source permissions", detail, fix);
    }
    Ok(())
}

/// Why the source does not send keys itself; the arguments end it before it connects anywhere.
async fn migrates(job: &Job, checked: &mut Checked) -> Result<Option<ReplyError>, MigrateError> {
    let key = probe_key(job);
    let command: [&[u8]; 6] = [b"MIGRATE", b"localhost", b"1", &key, b"none", b"none"];
    let answer = probe(&mut checked.source, &command).await;
    let lost = |error| source_error(&checked.source.connector, "checking permissions", &error);
    Ok(match answer.map_err(lost)? {
        Answer::Denied(error) | Answer::Unable(error) => Some(error),
        Answer::Allowed => None,
    })
}

/// The commands that read keys which a server refuses.
///
/// # Errors
/// As [`check`].
pub async fn unreadable(
    job: &Job,
    server: &mut Server,
) -> Result<Vec<(String, ReplyError)>, ClientError> {
    let key = probe_key(job);
    let expiry: &[u8] = if server.has_expiretime() { b"PEXPIRETIME" } else { b"PTTL" };
    // `ROLE` tells the offset at which keys are read, which following needs.
    let is_followed = job.config.mode != Mode::Snapshot && job.config.strategy != Strategy::Scan;
    let fence: &[&[u8]] = if is_followed { &[FENCE.as_bytes()] } else { &[b"EXISTS", &key] };
    let commands: [&[&[u8]]; 7] = [
        &[b"SCAN", b"0", b"COUNT", b"1"],
        &[b"EXISTS", &key],
        &[b"MULTI"],
        &[DUMP.as_bytes(), &key],
        &[expiry, &key],
        &[b"EXEC"],
        fence,
    ];
    let mut denied = Vec::new();
    for command in commands {
        if let Answer::Denied(error) = probe(server, command).await? {
            denied.push((name(command), error));
        }
    }
    Ok(denied)
}

/// Checks whether both ends let us read keys, where they are to be compared.
///
/// # Errors
/// As [`check`].
pub async fn comparable(job: &Job, checked: &mut Checked) -> Result<(), MigrateError> {
    if job.config.verify {
        source(job, checked).await?;
    }
    target_readable(job, checked).await
}

async fn target_readable(job: &Job, checked: &mut Checked) -> Result<(), MigrateError> {
    let is_by_rounds = job.config.mode == Mode::Live && job.config.strategy == Strategy::Scan;
    if job.config.verify || job.config.only_differing || is_by_rounds {
        let denied = unreadable(job, &mut checked.target).await;
        let lost = |error| target_error("checking permissions", &checked.target.connector, &error);
        if let Some((command, error)) = denied.map_err(lost)?.into_iter().next() {
            checked.report.block(
                "target permissions",
                format!("{command} is refused, so its keys cannot be compared: {error}"),
                format!("ACL SETUSER <user> +{} on the target", command.to_lowercase()),
            );
        }
    }
    Ok(())
}

/// Whether the target lets us write: whether by `RESTORE`, and whether by `SET` and its kind.
///
/// # Errors
/// As [`check`].
pub async fn writable(
    job: &Job,
    target: &mut Server,
    report: &mut PreflightReport,
) -> Result<(bool, bool), MigrateError> {
    let key = probe_key(job);
    let restore = ask(target, &[b"RESTORE", &key, b"0", b"not a payload"]).await?;
    let set = ask(target, &[b"SET", &key, b"", b"NOSUCHOPTION"]).await?;
    let mset = match job.config.on_conflict {
        OnConflict::Replace => ask(target, &[b"MSET", &key, b"", b"odd"]).await?,
        _ => ask(target, &[b"MSETNX", &key, b"", b"odd"]).await?,
    };
    for answer in [&restore, &set, &mset] {
        if let Answer::Unable(error) = answer {
            let fix = crate::targets::redis::hint(&error.code);
            report.block("target writable", error.to_string(), fix);
            return Ok((true, true));
        }
    }
    let set = matches!((&set, &mset), (Answer::Allowed, Answer::Allowed));
    let is_allowed = matches!(restore, Answer::Allowed);
    if let (Answer::Denied(error), Mode::Live | Mode::Incremental) = (&restore, job.config.mode) {
        report.block(
            "target permissions",
            format!("RESTORE is refused, by which a live migration writes single keys: {error}"),
            "ACL SETUSER <user> +restore on the target",
        );
        return Ok((is_allowed, set));
    }
    if let Answer::Denied(error) = restore {
        by_commands(target, report, &key, &error).await?;
    } else {
        report.ok("target permissions", "RESTORE is allowed");
    }
    Ok((is_allowed, set))
}

/// Without `RESTORE`, keys are built by the commands of their types. They are only queued, and
/// discarded.
async fn by_commands(
    target: &mut Server,
    report: &mut PreflightReport,
    key: &[u8],
    refused: &ReplyError,
) -> Result<(), MigrateError> {
    let commands: [&[&[u8]]; 12] = [
        &[b"MULTI"],
        &[b"SET", key, b"v"],
        &[b"RPUSH", key, b"v"],
        &[b"SADD", key, b"v"],
        &[b"ZADD", key, b"0", b"v"],
        &[b"HSET", key, b"f", b"v"],
        &[b"XADD", key, b"*", b"f", b"v"],
        &[b"PEXPIREAT", key, b"1"],
        &[b"PERSIST", key],
        &[b"RENAMENX", key, key],
        &[b"DEL", key],
        &[b"DISCARD"],
    ];
    let mut denied = None;
    for command in commands {
        let answer = ask(target, command).await?;
        if let (Answer::Denied(error), None) = (answer, &denied) {
            denied = Some((name(command), error));
        }
    }
    if let Some((command, error)) = denied {
        report.block(
            "target permissions",
            format!("neither RESTORE ({refused}) nor {command} ({error}) is allowed"),
            format!("ACL SETUSER <user> +restore +{} on the target", command.to_lowercase()),
        );
        return Ok(());
    }
    report.warn(
        "target permissions",
        format!("RESTORE is refused ({refused}): keys are written by commands, which is slower"),
        "ACL SETUSER <user> +restore on the target",
    );
    Ok(())
}

async fn ask(target: &mut Server, command: &[&[u8]]) -> Result<Answer, MigrateError> {
    let answer = probe(target, command).await;
    answer.map_err(|error| target_error("checking permissions", &target.connector, &error))
}

/// Whether a user may follow a source as a replica does: why not, where it says so. Asks by `ACL
/// DRYRUN` from Redis 7.0 on, before that whether there is the command at all.
pub async fn why_not_replicated(source: &mut Server) -> Option<String> {
    let user = source.connector.address().username().unwrap_or("default").to_owned();
    for command in [&["PSYNC", "?", "-1"][..], &["REPLCONF", "capa", "eof"]] {
        let [name, ..] = command else { continue };
        let asked = [&["ACL", "DRYRUN", &user], command].concat();
        if let Ok(told) = source.control.call(&asked).await {
            let told = told.as_str().unwrap_or("OK");
            if told != "OK" {
                return Some(format!("{name} is refused: {told}"));
            }
        }
        let known = source.control.call(&["COMMAND", "INFO", name]).await;
        let is_unknown = |told: &[Value]| told.first().is_none_or(Value::is_null);
        if known.is_ok_and(|known| known.as_array().is_some_and(is_unknown)) {
            return Some(format!("the source does not know {name}"));
        }
    }
    None
}

async fn probe(server: &mut Server, command: &[&[u8]]) -> Result<Answer, ClientError> {
    let error = match server.control.call(command).await {
        Ok(_) => return Ok(Answer::Allowed),
        Err(ClientError::Reply { error, .. }) => error,
        // How the client tells a refusal by the access control list.
        Err(error) if error.is_refusal() => {
            return Ok(Answer::Denied(ReplyError::parse(error.to_string().as_bytes())));
        }
        Err(error) => return Err(error),
    };
    let unknown = error.message.contains("unknown command");
    let keys = error.message.contains("one of the keys");
    Ok(match error.code.as_str() {
        // A name the rules do not cover says nothing about the keys they do cover.
        "NOPERM" if keys => Answer::Allowed,
        "NOPERM" => Answer::Denied(error),
        "READONLY" | "OOM" | "MISCONF" | "NOREPLICAS" | "MASTERDOWN" | "CLUSTERDOWN" => {
            Answer::Unable(error)
        }
        _ if unknown => Answer::Denied(error),
        _ => Answer::Allowed,
    })
}

fn name(command: &[&[u8]]) -> String {
    String::from_utf8_lossy(command.first().copied().unwrap_or_default()).into_owned()
}
