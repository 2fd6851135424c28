//! What kind of end each is: a server, or a cluster that is whole.

use super::{Checked, Server};
use crate::cluster::describe;
use crate::config::{Config, Mode, Strategy};
use crate::engine::Job;
use crate::report::PreflightReport;

/// Ranges of slots that are named.
const RANGES_MAX: usize = 10;

/// Checks both ends.
pub fn check(job: &Job, checked: &mut Checked) {
    let Checked { report, source, target, .. } = checked;
    for (name, server) in [("source topology", &*source), ("target topology", &*target)] {
        end(&job.config, name, server, report);
    }
}

/// Checks one end.
pub fn end(config: &Config, name: &'static str, server: &Server, report: &mut PreflightReport) {
    let Some(cluster) = &server.cluster else {
        if config.clusters {
            report.block(
                name,
                "the server is no node of a cluster",
                "use `ferrite-migrate migrate`, which copies between clusters and servers",
            );
        }
        return;
    };
    if config.mode != Mode::Snapshot
        && let Some((detail, fix)) = not_followed(config)
    {
        report.block(name, detail, fix);
        return;
    }
    let map = cluster.map();
    let unowned = map.unowned();
    if !unowned.is_empty() {
        report.block(
            name,
            format!("nobody owns the slots {}", describe(&unowned, RANGES_MAX)),
            "give them to a node: redis-cli --cluster fix <address>",
        );
        return;
    }
    if !server.other_versions.is_empty() {
        report.block(
            name,
            format!(
                "its nodes run different versions: the first {}, but {}",
                server.describe(),
                server.other_versions.join(", ")
            ),
            "bring all nodes to one version first",
        );
        return;
    }
    let shards = map.shards();
    let alone = shards.iter().filter(|shard| shard.replicas.is_empty()).count();
    let detail =
        format!("a cluster of {} primaries, {alone} of them without a replica", shards.len());
    report.ok(name, detail);
}

/// Why a cluster cannot be followed, or followed into, as it is asked for; and what to do.
fn not_followed(config: &Config) -> Option<(String, &'static str)> {
    let strategy = config.strategy;
    if !matches!(strategy, Strategy::Auto | Strategy::Fenced) {
        let detail = format!(
            "the server is a node of a cluster, which the strategy `{}` cannot follow",
            strategy.name()
        );
        return Some((detail, "use --strategy fenced or auto, or --mode snapshot"));
    }
    config.checkpoint_in_target.then(|| {
        let detail = "the server is a node of a cluster, between which no checkpoint is kept on \
                      the target: it is in the job's directory";
        (String::from(detail), "leave --checkpoint target out")
    })
}

/// What to do about a database the target does not have.
pub fn databases_fix(target: &Server, db: u32) -> String {
    match target.cluster {
        None => {
            format!("set `databases` to at least {} in the target's configuration", db + 1)
        }
        Some(_) => format!(
            "a cluster has database 0 alone, unless it has `cluster-databases` (Valkey 9): name the \
             database to copy in the source's address, /{db}, and /0 in the target's"
        ),
    }
}
