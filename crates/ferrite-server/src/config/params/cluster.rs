//! Clusters, which this version does not form.

use super::super::setting::{Number, Structured, section};
use super::super::spec::{choice, integer, memory, text, yes_no};
use super::super::values::{Bytes, FileName};

const UNUSED: &str = "cluster-enabled is refused";

/// How nodes are named to clients.
const ENDPOINTS: &[(&str, i64)] = &[("ip", 0), ("hostname", 1), ("unknown-endpoint", 2)];

section! {
    /// Clusters.
    Cluster "cluster" {
        /// Whether this server is a node of a cluster.
        enabled: Number<bool> = yes_no("cluster-enabled", "no").at_start()
            .only(&["no"], "this version forms no clusters");
        /// The file of nodes.
        config_file: Structured<FileName> =
            text("cluster-config-file", "nodes.conf").at_start().stored(UNUSED);
        /// Milliseconds after which a silent node is gone.
        node_timeout: Number<u64> =
            integer("cluster-node-timeout", "15000", 0, i64::MAX).stored(UNUSED);
        /// The port of the bus.
        port: Number<u16> = integer("cluster-port", "0", 0, 65535).at_start().stored(UNUSED);
        /// How far behind a replica may be that takes over.
        replica_validity_factor: Number<i64> =
            integer("cluster-replica-validity-factor", "10", 0, i32::MAX as i64)
            .alias("cluster-slave-validity-factor").stored(UNUSED);
        /// Whether replicas go to primaries that have none.
        allow_replica_migration: Number<bool> =
            yes_no("cluster-allow-replica-migration", "yes").stored(UNUSED);
        /// How many replicas a primary keeps.
        migration_barrier: Number<i64> =
            integer("cluster-migration-barrier", "1", 0, i32::MAX as i64).stored(UNUSED);
        /// Whether all slots must be served.
        require_full_coverage: Number<bool> =
            yes_no("cluster-require-full-coverage", "yes").stored(UNUSED);
        /// Whether a replica never takes over.
        replica_no_failover: Number<bool> = yes_no("cluster-replica-no-failover", "no")
            .alias("cluster-slave-no-failover").stored(UNUSED);
        /// Whether reads are served while the cluster is down.
        allow_reads_when_down: Number<bool> =
            yes_no("cluster-allow-reads-when-down", "no").stored(UNUSED);
        /// Whether shard channels are served while the cluster is down.
        allow_pubsubshard_when_down: Number<bool> =
            yes_no("cluster-allow-pubsubshard-when-down", "yes").stored(UNUSED);
        /// How much may wait for another node.
        link_sendbuf_limit: Number<u64> =
            memory("cluster-link-sendbuf-limit", "0", 0, i64::MAX).stored(UNUSED);
        /// The address named to others.
        announce_ip: Structured<Bytes> = text("cluster-announce-ip", "").stored(UNUSED);
        /// The port named to others.
        announce_port: Number<u16> =
            integer("cluster-announce-port", "0", 0, 65535).stored(UNUSED);
        /// The port for encrypted connections named to others.
        announce_tls_port: Number<u16> =
            integer("cluster-announce-tls-port", "0", 0, 65535).stored(UNUSED);
        /// The port of the bus named to others.
        announce_bus_port: Number<u16> =
            integer("cluster-announce-bus-port", "0", 0, 65535).stored(UNUSED);
        /// The name named to others.
        announce_hostname: Structured<Bytes> =
            text("cluster-announce-hostname", "").stored(UNUSED);
        /// The name for people.
        announce_human_nodename: Structured<Bytes> =
            text("cluster-announce-human-nodename", "").stored(UNUSED);
        /// How nodes are named to clients.
        preferred_endpoint_type: Number<i64> =
            choice("cluster-preferred-endpoint-type", "ip", ENDPOINTS).stored(UNUSED);
    }
}
