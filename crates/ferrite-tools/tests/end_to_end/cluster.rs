//! `cluster`, and an address of sentinels: what is reported, what is refused.

use ferrite_testkit::{Cluster, Dataset, Sentinels, Server};

use crate::command::{migrate, run};
use crate::{empty, listing};

#[test]
fn a_cluster_is_copied_to_another() {
    let start = |primaries| Cluster::builder(Server::Redis70).primaries(primaries).start().unwrap();
    let (a, b) = (start(3), start(2));
    let server = empty();
    Dataset::mixed(500).load(&mut server.client()).unwrap();
    migrate(&server.url(), &a.url(), &[]).exits(0);
    let (from, to) = (a.node(1).url(), b.url());
    let ended = run(&["cluster", "-s", &from, "-t", &to, "--dry-run", "--verbose"]).exits(0);
    ended.explains(&["source topology", "a cluster of 3 primaries, 3 of them without a replica"]);
    let ended =
        run(&["cluster", "--source", &from, "--target", &to, "--parallel", "8", "--verify"]);
    ended.exits(0).reports(&["500"]);
    let differences = listing(&server).diff(&b.snapshot().unwrap());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    let refused = run(&["cluster", "-s", &server.url(), "-t", &to]).exits(3).without_result();
    refused.explains(&["source topology", "no node of a cluster", "ferrite-migrate migrate"]);
    let psync = ["--mode", "live", "--strategy", "psync", "--on-conflict", "replace"];
    let live = migrate(&server.url(), &to, &psync);
    live.exits(3).explains(&["target topology", "`psync` cannot follow", "--mode snapshot"]);
}

#[test]
fn a_primary_is_found_by_its_sentinels() {
    let setup = Sentinels::start(Server::Redis70, Some("data"), Some("s3cret-watch")).unwrap();
    let target = empty();
    setup.servers[0].client().ok(&["SET", "key", "value"]);
    let url = format!("{}?sentinel-password=s3cret-watch", setup.url());
    migrate(&url, &target.url(), &["--verify"]).hides("s3cret-watch").exits(0);
    assert_eq!(target.client().ok(&["GET", "key"]), "value");
    let other = url.replace("/mymaster", "/other");
    let ended = migrate(&other, &target.url(), &[]).hides("s3cret-watch").exits(3);
    ended.explains(&["source reachable", "knows no primary 'other'; it knows 'mymaster'"]);
}
