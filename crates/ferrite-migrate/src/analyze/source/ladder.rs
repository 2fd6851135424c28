//! Which ways of moving a source there are, best first, and why not the others.

use ferrite_client::ClientError;
use serde::Serialize;

use crate::config::{Mode, Strategy};
use crate::fetch::is_elsewhere;
use crate::live::why_not_fenced_at;
use crate::preflight::{Server, why_no_replica, why_not_replicated};

/// One way of moving a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rung {
    /// The mode.
    pub mode: &'static str,
    /// The strategy.
    pub strategy: &'static str,
    /// Whether it can be gone, as far as can be told without going it.
    pub possible: bool,
    /// Whether `--strategy auto` takes it.
    pub chosen: bool,
    /// What it is, or why it cannot be gone.
    pub reason: String,
}

/// The ladder for a source, and the target where it is known.
pub async fn climb(source: &mut Server, target: Option<&Server>) -> Vec<Rung> {
    let refused = why_not_replicated(source).await;
    let unreadable = why_unreadable(source).await;
    let migrate = why_no_migrate(source).await;
    let fenced = why_not_fenced_at(source, unreadable.is_none());
    let replica = why_no_target(source, target);
    let is_cluster =
        source.cluster.is_some() || target.is_some_and(|target| target.cluster.is_some());
    let rung = |mode: Mode, strategy: Strategy, why_not: Option<String>, what: &str| {
        let is_out = is_cluster && mode == Mode::Live && strategy != Strategy::Fenced;
        let why_not = match is_out {
            true => Some(String::from("a cluster is followed by `fenced` alone")),
            false => why_not,
        };
        Rung {
            mode: mode.name(),
            strategy: strategy.name(),
            possible: why_not.is_none(),
            chosen: false,
            reason: why_not.unwrap_or_else(|| what.to_owned()),
        }
    };
    let mut ladder = vec![
        rung(
            Mode::Live,
            Strategy::Fenced,
            refused.clone().or_else(|| fenced.map(str::to_owned)),
            "keys one by one while the commands are followed: exact, no fork with data",
        ),
        rung(
            Mode::Live,
            Strategy::Psync,
            refused.clone(),
            "an RDB, then the commands: exact; the source forks",
        ),
        rung(
            Mode::Live,
            Strategy::Scan,
            unreadable.clone(),
            "rounds over all keys: exact at the cutover, whose pause is as long as a round",
        ),
        rung(
            Mode::Live,
            Strategy::Replica,
            refused.clone().or(replica),
            "the target becomes a replica and loses what it has: only where asked for",
        ),
        rung(
            Mode::Snapshot,
            Strategy::Psync,
            refused,
            "an RDB: the state of one moment; the source forks",
        ),
        rung(
            Mode::Snapshot,
            Strategy::Scan,
            unreadable,
            "keys one by one, each exact, at different moments",
        ),
        rung(
            Mode::Snapshot,
            Strategy::Migrate,
            migrate,
            "the source sends its keys itself (MIGRATE), where it reaches the target",
        ),
    ];
    mark_best(&mut ladder);
    ladder
}

/// Why the target cannot become a replica of the source.
fn why_no_target(source: &Server, target: Option<&Server>) -> Option<String> {
    match target {
        None => Some(String::from("whether the target can be one is known with --target")),
        Some(target) => why_no_replica(source, target).map(str::to_owned),
    }
}

/// Marks what `auto` takes, in each mode.
fn mark_best(ladder: &mut [Rung]) {
    for mode in [Mode::Live, Mode::Snapshot] {
        let is_best = |rung: &&mut Rung| {
            rung.mode == mode.name() && rung.possible && rung.strategy != Strategy::Replica.name()
        };
        if let Some(best) = ladder.iter_mut().find(is_best) {
            best.chosen = true;
        }
    }
}

/// Why keys cannot be read one by one.
async fn why_unreadable(source: &mut Server) -> Option<String> {
    let user = source.connector.address().username().unwrap_or("default").to_owned();
    for (command, arguments) in [("SCAN", &["0"][..]), ("DUMP", &["ferrite-migrate:probe"])] {
        let asked = [&["ACL", "DRYRUN", &user, command], arguments].concat();
        let told = source.control.call(&asked).await.ok();
        let told = told.as_ref().and_then(|told| told.as_str());
        if let Some(told) = told.filter(|told| *told != "OK" && !told.contains("key")) {
            return Some(format!("{command} is refused: {told}"));
        }
        let call = [&[command], arguments].concat();
        // A key that is on another node was looked for.
        let is_elsewhere = |error: &ClientError| error.reply().is_some_and(is_elsewhere);
        if let Some(error) = source.control.call(&call).await.err().filter(|it| !is_elsewhere(it)) {
            return Some(format!("{command} is refused: {error}"));
        }
    }
    None
}

/// Why the source does not send keys itself.
async fn why_no_migrate(source: &mut Server) -> Option<String> {
    let user = source.connector.address().username().unwrap_or("default").to_owned();
    let asked = ["ACL", "DRYRUN", &user, "MIGRATE", "localhost", "1", "ferrite-migrate:probe"];
    let asked = [&asked[..], &["0", "1"]].concat();
    let told = source.control.call(&asked).await.ok();
    let told = told.as_ref().and_then(|told| told.as_str());
    if let Some(told) = told.filter(|told| *told != "OK" && !told.contains("key")) {
        return Some(format!("MIGRATE is refused: {told}"));
    }
    let known = source.control.call(&["COMMAND", "INFO", "MIGRATE"]).await.ok()?;
    let is_unknown = known.as_array()?.first().is_none_or(|known| known.is_null());
    is_unknown.then(|| String::from("the source does not know MIGRATE"))
}
