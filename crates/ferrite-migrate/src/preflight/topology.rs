//! What kind of end each is: a server, or a cluster that is whole.

use super::{Checked, Server};
use crate::cluster::describe;
use crate::config::{Config, Mode};
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
    if config.mode != Mode::Snapshot {
        report.block(
            name,
            format!(
                "the server is a node of a cluster, which the mode `{}` cannot follow yet",
                config.mode.name()
            ),
            "use --mode snapshot, or a server without cluster mode",
        );
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
