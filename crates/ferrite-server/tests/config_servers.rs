//! The parameters against running servers: every name that CONFIG GET lists is known here, with
//! the same default, and CONFIG SET refuses nonsense in the same words.

use std::path::Path;

use ferrite_server::config::Config;
use ferrite_testkit::{Peer, Server};

/// Parameters whose default differs, and why.
const DIFFERENT: &[(&str, &str)] = &[
    ("port", "the test's own"),
    ("dir", "the test's own"),
    ("save", "the test's own"),
    ("bind", "closed to other machines until it is opened, as redis.conf has it"),
    ("io-threads", "one for each processor"),
    ("logfile", "the test's own"),
    ("enable-debug-command", "the test's own"),
    ("repl-diskless-sync-delay", "the test's own"),
    ("pidfile", "the test's own"),
];

/// Parameters of Redis 8 that 7.2 does not have, or has under another name (`server_cpulist`).
const NEWER: &[&str] = &[
    "aof-rewrite-cpulist",
    "bgsave-cpulist",
    "bio-cpulist",
    "server-cpulist",
    "cluster-compatibility-sample-ratio",
    "max-new-tls-connections-per-cycle",
    "replica-full-sync-buffer-limit",
];

#[test]
fn names_and_defaults_are_those_of_redis() {
    let ours = Config::new(Path::new("/"));
    for server in [Server::Redis70, Server::Redis80] {
        let peer = Peer::start(server).expect("a server");
        let listed = peer.client().ok(&["CONFIG", "GET", "*"]);
        let pairs = listed.items();
        assert!(pairs.len() > 300, "{}", pairs.len());
        for pair in pairs.chunks_exact(2) {
            let (name, theirs) = (pair[0].text(), pair[1].text());
            if NEWER.contains(&name.as_str()) {
                continue;
            }
            let found = ours.matching(&[&name]);
            assert_eq!(found.len(), 1, "{name} is not known");
            let same = found[0].1 == theirs.as_bytes();
            let listed = DIFFERENT.iter().any(|(other, _)| *other == name);
            let ours = String::from_utf8_lossy(&found[0].1);
            assert!(same || listed, "{name}: {ours:?}, and {server:?} has {theirs:?}");
        }
    }
}

#[test]
fn nonsense_is_refused_in_the_same_words() {
    let peer = Peer::start(Server::Redis80).expect("a server");
    let mut client = peer.client();
    let ours = Config::new(Path::new("/"));
    let cases: &[&[&str]] = &[
        &["foo", "bar"],
        &["maxclients", "10", "timeout"],
        &["port", "abc"],
        &["port", "70000"],
        &["databases", "3"],
        &["maxmemory", "10xb"],
        &["maxmemory-policy", "foo"],
        &["appendonly", "foo"],
        &["save", "foo"],
        &["save", "0 1"],
        &["client-output-buffer-limit", "foo"],
        &["client-output-buffer-limit", "wrong 10 10 10"],
        &["client-output-buffer-limit", "normal 10x 10 10"],
        &["maxclients", "10", "maxclients", "20"],
        &["maxclients", "10", "foo", "1"],
        &["notify-keyspace-events", "KEQ"],
        &["oom-score-adj-values", "1 2"],
        &["oom-score-adj-values", "1 2 5000"],
        &["dir", "/"],
        &["maxmemory-clients", "101%"],
        &["maxmemory-clients", "-1%"],
        &["latency-tracking-info-percentiles", "1 101"],
        &["list-max-listpack-size", "abc"],
        &["repl-backlog-size", "0"],
        &["loglevel", "xx"],
        &["set-max-intset-entries", "-1"],
        &["shutdown-on-sigterm", "force foo"],
        &["enable-debug-command", "yes"],
        &["maxmemory-samples", "0"],
        &["hash-max-listpack-value", "x"],
        &["requirepass", "\"", "timeout", "x"],
    ];
    for case in cases {
        let words: Vec<&str> = ["CONFIG", "SET"].iter().chain(*case).copied().collect();
        let theirs = client.call(&words).text();
        let ours = ours.set(case, true, &()).expect_err("nonsense").to_string();
        assert_eq!(format!("(error) ERR {ours}"), theirs, "{case:?}");
    }
}
