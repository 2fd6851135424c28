//! What the servers say of themselves: versions, roles, memory.

use ferrite_client::server::{Role, ServerInfo};
use ferrite_client::{AuthFailure, ClientError};

use super::{Checked, Server, topology};
use crate::config::Endpoint;
use crate::engine::{Job, now_ms};
use crate::error::MigrateError;
use crate::report::{PreflightReport, key_text};
use crate::targets::redis::target_error;

/// Clocks further apart than this, in milliseconds, are worth a word.
const CLOCK_SKEW_MS: u64 = 1000;

/// Connects to one end; a line of the report either way.
pub async fn reach(
    job: &Job,
    endpoint: &Endpoint,
    end: &str,
    report: &mut PreflightReport,
) -> Option<Server> {
    let name = if end == "source" { "source reachable" } else { "target reachable" };
    match Server::connect(job, endpoint).await {
        Ok(server) => {
            let keys = server.info.keys();
            let address = &endpoint.address;
            report.ok(name, format!("{address} is {}, {keys} keys", server.describe()));
            Some(server)
        }
        Err(error) => {
            report.block(name, error.to_string(), reach_fix(&error));
            None
        }
    }
}

/// What to do when a server cannot be reached or does not let us in.
pub fn reach_fix(error: &ClientError) -> String {
    let fix = match error {
        ClientError::Auth { failure: AuthFailure::WrongPassword, .. } => {
            "give the right user and password in the address: redis://user:password@host:port"
        }
        ClientError::Auth { failure: AuthFailure::NoPasswordSet, .. } => {
            "leave the password out of the address, or set one on the server"
        }
        ClientError::Auth { failure: AuthFailure::NoUsers, .. } => {
            "leave the user out of the address: redis://:password@host:port"
        }
        ClientError::Auth { failure: AuthFailure::NotPermitted, .. } => {
            "give the user the command: ACL SETUSER <user> +<command>"
        }
        ClientError::Auth { .. } => {
            "give user and password in the address: redis://user:password@host:port"
        }
        ClientError::Tls { .. } => {
            "see that the scheme (redis:// or rediss://) and the certificates fit the server"
        }
        ClientError::Reply { .. } => "see the server's log",
        _ => "see that the server is up and the address is right: redis-cli -u <address> ping",
    };
    fix.to_owned()
}

/// Everything that follows from what both ends say of themselves; a target that becomes a replica
/// need not be writable, and its formats are another matter.
pub fn check(checked: &mut Checked, is_replica: bool) {
    let Checked { report, source, target, .. } = checked;
    told(&source.info, &target.info, report);
    same_server(&source.info, &target.info, report);
    loading(&source.info, &target.info, report);
    if !is_replica {
        role(target, report);
    }
    if source.info.master_link_up == Some(false) {
        report.warn(
            "source replication",
            "the source is a replica whose link to its primary is down: its data may be old",
            "read from the primary, or wait until the link is up",
        );
    }
    if !is_replica {
        formats(source, target, report);
    }
    memory(&source.info, &target.info, report);
    eviction(&target.info, report);
    persistence(&target.info, report);
}

/// Everything that follows from what a target says of itself, where the source is no server.
pub fn check_target(target: &Server, report: &mut PreflightReport) {
    let info = &target.info;
    one_told("target information", info, report);
    one_loading("target loaded", info, report);
    role(target, report);
    eviction(info, report);
    persistence(info, report);
}

/// Everything that follows from what a source says of itself, where there is no target yet.
pub fn check_source(source: &Server, report: &mut PreflightReport) {
    one_told("source information", &source.info, report);
    one_loading("source loaded", &source.info, report);
}

/// Databases and versions are known from `INFO` only: without it keys would be overlooked.
fn told(source: &ServerInfo, target: &ServerInfo, report: &mut PreflightReport) {
    one_told("source information", source, report);
    one_told("target information", target, report);
}

fn one_told(name: &'static str, info: &ServerInfo, report: &mut PreflightReport) {
    if info.info.get("redis_version").is_none() {
        report.block(
            name,
            "the server does not answer INFO, so its version and databases are unknown",
            "ACL SETUSER <user> +info",
        );
    }
}

fn same_server(source: &ServerInfo, target: &ServerInfo, report: &mut PreflightReport) {
    let run_id = |info: &ServerInfo| info.info.get("run_id").map(str::to_owned);
    if run_id(source).is_some() && run_id(source) == run_id(target) {
        report.block(
            "different servers",
            "source and target are the same server",
            "give another address as the target",
        );
    }
}

fn loading(source: &ServerInfo, target: &ServerInfo, report: &mut PreflightReport) {
    one_loading("source loaded", source, report);
    one_loading("target loaded", target, report);
}

fn one_loading(name: &'static str, info: &ServerInfo, report: &mut PreflightReport) {
    if info.loading {
        report.block(
            name,
            "the server is still loading its data",
            "wait until INFO persistence shows loading:0",
        );
    }
}

fn role(target: &Server, report: &mut PreflightReport) {
    if target.info.role == Role::Replica {
        report.block(
            "target writable",
            "the target is a replica: it takes writes only from its primary",
            "give the address of the primary, or run REPLICAOF NO ONE on the target",
        );
    }
}

fn formats(source: &Server, target: &Server, report: &mut PreflightReport) {
    let (from, to) = (source.dump_format(), target.values());
    let way = if to.accepts_version(from.version) && from.dialect == to.format.dialect {
        "values pass through as they are"
    } else {
        "values the target reads as they are pass through, the others are re-encoded"
    };
    report.ok("formats", format!("{from} to {}: {way}", to.format));
    if !to.has_field_expiry() && source.values().has_field_expiry() {
        report.warn(
            "hash field expiry",
            "the target cannot let single fields of a hash expire: such hashes will be left out \
             and named",
            "choose a target that can (Redis 7.4, Valkey 9.0), or remove those expiries",
        );
    }
    if source.has_functions() && !target.has_functions() {
        report.warn(
            "functions",
            "the target has no function libraries: those of the source will be left out and named",
            "choose Redis 7.0 or later as the target if the application calls functions",
        );
    }
    for module in &source.info.modules {
        let known = source.values().modules;
        if known.iter().any(|name| !to.modules.contains(name)) {
            report.warn(
                "modules",
                format!(
                    "the source has the module {}, the target has not: its values will be left \
                     out and named",
                    key_text(module.name.as_bytes())
                ),
                "load the module on the target, or accept the loss",
            );
        }
    }
}

/// Bytes in words.
fn bytes(count: u64) -> String {
    format!("{:.1} MiB", count as f64 / 1_048_576.0)
}

fn memory(source: &ServerInfo, target: &ServerInfo, report: &mut PreflightReport) {
    let needed = source.info.number("used_memory_dataset").or(source.used_memory);
    let (Some(needed), Some(limit)) = (needed, target.maxmemory) else { return };
    if limit == 0 {
        report.ok("target memory", format!("about {} needed, no maxmemory", bytes(needed)));
        return;
    }
    let free = limit.saturating_sub(target.used_memory.unwrap_or(0));
    let detail = format!(
        "the source holds about {}, the target has {} left below its maxmemory of {}",
        bytes(needed),
        bytes(free),
        bytes(limit)
    );
    if free >= needed {
        report.ok("target memory", detail);
    } else {
        let missing = limit + needed - free;
        report.warn(
            "target memory",
            detail,
            format!("CONFIG SET maxmemory {missing} on the target, or filter what is copied"),
        );
    }
}

fn eviction(target: &ServerInfo, report: &mut PreflightReport) {
    let limited = target.maxmemory.is_some_and(|limit| limit > 0);
    match target.maxmemory_policy.as_deref() {
        Some(policy) if limited && policy != "noeviction" => report.warn(
            "target eviction",
            format!("at its maxmemory the target evicts keys ({policy}), copied ones too"),
            "CONFIG SET maxmemory-policy noeviction on the target until the copy is verified",
        ),
        Some(policy) => report.ok("target eviction", format!("maxmemory-policy is {policy}")),
        None => {}
    }
}

fn persistence(target: &ServerInfo, report: &mut PreflightReport) {
    if target.info.get("rdb_last_bgsave_status") == Some("err") {
        report.warn(
            "target persistence",
            "the target's last save to disk failed; it may refuse writes",
            "see the target's log: usually its disk is full or not writable",
        );
    }
}

/// Databases the target lacks, and clocks that disagree.
pub async fn databases(job: &Job, checked: &mut Checked) -> Result<(), MigrateError> {
    let lost = |checked: &Checked, error: &ClientError| {
        target_error("selecting databases", &checked.target.connector, error)
    };
    let wanted = match job.config.target_db() {
        Some(only) => vec![only],
        None => checked.source_dbs(&job.config),
    };
    for db in wanted {
        let number = db.to_string();
        let select = [&b"SELECT"[..], number.as_bytes()];
        match checked.target.control.call(&select).await {
            Ok(_) => {}
            Err(error) if error.reply().is_some() => checked.report.block(
                "target databases",
                format!("the target has no database {db}"),
                topology::databases_fix(&checked.target, db),
            ),
            Err(error) => return Err(lost(checked, &error)),
        }
    }
    clocks(checked).await;
    Ok(())
}

/// Expiries travel as absolute times, so the clocks of both ends should agree.
async fn clocks(checked: &mut Checked) {
    let (source, target) = (clock(&mut checked.source).await, clock(&mut checked.target).await);
    let (Some(source), Some(target)) = (source, target) else { return };
    let skew = source.abs_diff(target);
    if skew <= CLOCK_SKEW_MS {
        checked.report.ok("clocks", format!("{skew} ms apart"));
        return;
    }
    checked.report.warn(
        "clocks",
        format!(
            "the clocks of source and target are {skew} ms apart: keys will expire at the \
                 right moment by the target's clock"
        ),
        "synchronize the clocks (NTP) of both hosts",
    );
}

/// How far a server's clock is ahead of ours plus an arbitrary constant, in milliseconds.
async fn clock(server: &mut Server) -> Option<u64> {
    const BASE_MS: u64 = 1 << 50;
    let before = now_ms();
    let time = server.control.call(&["TIME"]).await.ok()?;
    let ours = before + (now_ms().saturating_sub(before)) / 2;
    let parts = time.as_array()?;
    let part = |index: usize| parts.get(index)?.as_str()?.parse::<u64>().ok();
    let theirs = part(0)?.checked_mul(1000)? + part(1)? / 1000;
    (BASE_MS + theirs).checked_sub(ours)
}
