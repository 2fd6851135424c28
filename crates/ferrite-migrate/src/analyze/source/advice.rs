//! What an operator should know and do, from what was found.

use std::collections::BTreeSet;

use ferrite_client::Value;

use super::{LARGE, SourceAnalysis};
use crate::config::Config;
use crate::preflight::Server;
use crate::report::{CheckStatus, PreflightReport};

/// A backlog that holds less than so many seconds of writes is worth a word: a link that breaks
/// for longer has to begin anew.
const BACKLOG_SECONDS: u64 = 60;
/// Patterns that are named as what may be left out.
const NAMED_MAX: usize = 3;
/// Commands that are looked at.
const COMMANDS_MAX: usize = 1000;
/// Names of what is seldom worth being moved.
const EPHEMERAL: [&str; 4] = ["cache", "temp", "tmp", "lock"];

/// What is on the source besides keys.
pub async fn besides(source: &mut Server, report: &mut PreflightReport) {
    let number = |name: &str| source.info.info.number(name).unwrap_or(0);
    let (scripts, functions) = (number("number_of_cached_scripts"), number("number_of_libraries"));
    match scripts {
        0 => report.ok("scripts", "no Lua scripts are cached"),
        _ => report.warn(
            "scripts",
            format!("{scripts} Lua scripts are cached; a cache of scripts is not moved"),
            "see that the application loads its scripts again when EVALSHA says NOSCRIPT",
        ),
    }
    if functions > 0 {
        report.ok("functions", format!("{functions} function libraries, which move with the keys"));
    }
    let modules: Vec<&str> = source.info.modules.iter().map(|it| it.name.as_str()).collect();
    let is_told = report.checks.iter().any(|check| check.name == "modules");
    if !modules.is_empty() && !is_told {
        report.warn(
            "modules",
            format!("the source has {}", modules.join(", ")),
            "load the same modules on the target: their values mean something to them alone",
        );
    }
    let users = source.control.call(&["ACL", "USERS"]).await.ok();
    let users = users.as_ref().and_then(Value::as_array).map_or(0, <[Value]>::len);
    if users > 1 {
        report.warn(
            "users",
            format!("the source has {users} ACL users, which are not moved"),
            "ACL LIST on the source, ACL SETUSER on the target",
        );
    }
    let policy = source.info.maxmemory_policy.clone().unwrap_or_default();
    if source.info.maxmemory.unwrap_or(0) > 0 && policy != "noeviction" {
        report.warn(
            "source eviction",
            format!("the source evicts keys ({policy}): they go from the target too, by its DELs"),
            "see that the target has the memory and policy it is to have",
        );
    }
}

/// Whether the target knows all commands that the source was called by since it started.
pub async fn commands(source: &mut Server, target: &mut Server, report: &mut PreflightReport) {
    let told = source.control.call(&["INFO", "commandstats"]).await.ok();
    let Some(text) = told.as_ref().and_then(Value::as_bytes) else { return };
    let text = String::from_utf8_lossy(text);
    // cmdstat_config|get:calls=1,…
    let names = text.lines().filter_map(|line| line.strip_prefix("cmdstat_"));
    let names = names.filter_map(|line| line.split([':', '|']).next());
    let names: BTreeSet<&str> = names.take(COMMANDS_MAX).collect();
    if names.is_empty() {
        return;
    }
    let asked: Vec<&str> = ["COMMAND", "INFO"].into_iter().chain(names.iter().copied()).collect();
    let Ok(known) = target.control.call(&asked).await else { return };
    let known = known.as_array().unwrap_or_default();
    let missing: Vec<&str> = names
        .iter()
        .zip(known)
        .filter(|(_, known)| known.is_null())
        .map(|(name, _)| *name)
        .collect();
    match missing.as_slice() {
        [] => report.ok("commands", format!("the target knows all {} that are used", names.len())),
        missing => report.warn(
            "commands",
            format!("the source was called by {}, which the target lacks", missing.join(", ")),
            "see that the application does without them, or choose another target",
        ),
    }
}

/// Whether the source's backlog holds what it writes while a link is down.
pub async fn backlog(source: &mut Server, rate: Option<u64>, report: &mut PreflightReport) {
    let (Some(size), Some(rate)) = (source.info.info.number("repl_backlog_size"), rate) else {
        return;
    };
    let seconds = size / rate.max(1);
    let detail = format!("{} KiB hold {seconds} s of writes at {} KiB/s", size >> 10, rate >> 10);
    match seconds {
        0..BACKLOG_SECONDS => report.warn(
            "backlog",
            format!("{detail}: a link that is down for longer begins anew"),
            format!("CONFIG SET repl-backlog-size {}", rate.saturating_mul(BACKLOG_SECONDS)),
        ),
        _ if rate > 0 => report.ok("backlog", detail),
        _ => report.ok("backlog", format!("{} KiB, and nothing is written now", size >> 10)),
    }
}

/// What to do, in sentences.
pub fn recommend(found: &SourceAnalysis, config: &Config) -> Vec<String> {
    let mut advice = Vec::new();
    let is_blocked = found.preflight.checks.iter().any(|it| it.status == CheckStatus::Block);
    if is_blocked {
        advice.push(String::from("Mend what stands under COMPATIBILITY first"));
    }
    if let Some(speed) = &found.speed {
        advice.push(format!("Recommended parallel workers: {}", speed.parallel));
    }
    let ephemeral: Vec<&str> = found
        .analysis
        .patterns
        .iter()
        .map(|it| it.pattern.as_str())
        .filter(|pattern| EPHEMERAL.iter().any(|word| pattern.starts_with(word)))
        .take(NAMED_MAX)
        .collect();
    if !ephemeral.is_empty() {
        advice.push(format!("Consider excluding: {} (ephemeral data)", ephemeral.join(", ")));
    }
    if let Some(speed) = &found.speed {
        let soon = found.analysis.expiries.iter();
        let soon = soon.filter(|it| it.within_ms.is_some_and(|within| within <= speed.all_ms));
        let keys: u64 = soon.map(|bucket| bucket.keys).sum();
        if keys > 0 {
            advice.push(format!("About {keys} keys expire before a copy could have read them all"));
        }
    }
    if let Some(big) = found.analysis.biggest.first().filter(|big| big.bytes > LARGE) {
        let (key, size) = (big.key.to_string(), big.bytes >> 20);
        advice.push(format!(
            "The largest key that was looked at, {key}, has {size} MiB: it is streamed, and the \
             source is busy while it writes it out"
        ));
    }
    if !is_blocked && found.ladder.iter().any(|rung| rung.chosen) {
        let is_live = found.ladder.iter().any(|rung| rung.chosen && rung.mode == "live");
        let mode = if is_live { "--mode live" } else { "--mode snapshot" };
        let target = match &found.target {
            Some(_) => config.target.address.to_string(),
            None => String::from("redis://new:6379"),
        };
        let command = format!("ferrite-migrate -s {} -t {target} {mode} --verify", found.source);
        advice.push(format!("Next: {command}"));
    }
    advice
}
