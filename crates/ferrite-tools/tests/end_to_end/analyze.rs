//! What a source is said to be, against what is on it.

use std::collections::BTreeMap;
use std::time::Duration;

use ferrite_testkit::{Cluster, Dataset, Memcached, Peer, Proxy, Server, snapshot};
use serde_json::Value;

use crate::command::{Ended, migrate, run};
use crate::{empty, start, with_everything, with_keys};

fn analyze(source: &str, options: &[&str]) -> Ended {
    run(&[&["analyze", "-s", source], options].concat())
}

/// The report of a run with `--json`.
fn report(ended: &Ended) -> Value {
    let line = ended.stdout.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))
}

/// Keys by type, as a report tells them.
fn types(report: &Value) -> BTreeMap<String, u64> {
    let types = report["analysis"]["types"].as_array().unwrap().iter();
    types
        .map(|it| (it["type"].as_str().unwrap().to_owned(), it["keys"].as_u64().unwrap()))
        .collect()
}

/// Keys by type, asked of the server one by one.
fn real_types(peer: &Peer) -> BTreeMap<String, u64> {
    let mut client = peer.client();
    let mut types = BTreeMap::new();
    let databases = client.ok(&["INFO", "keyspace"]).text();
    for db in databases.lines().filter_map(|line| line.strip_prefix("db")) {
        client.ok(&["SELECT", db.split(':').next().unwrap()]);
        for key in client.ok(&["KEYS", "*"]).items() {
            let name = client.ok(&[&b"TYPE"[..], key.bytes().unwrap()]).text();
            *types.entry(name).or_default() += 1;
        }
    }
    types
}

/// The strategies of a mode that can be gone, those that `auto` takes marked.
fn ladder(report: &Value, mode: &str) -> Vec<String> {
    let rungs = report["ladder"].as_array().unwrap().iter();
    let rungs = rungs.filter(|it| it["mode"] == mode && it["possible"] == true);
    rungs
        .map(|it| {
            let name = it["strategy"].as_str().unwrap();
            if it["chosen"] == true { format!("{name}!") } else { name.to_owned() }
        })
        .collect()
}

#[test]
fn all_that_is_on_a_small_source_is_counted() {
    let (source, target) = (with_everything(Server::Redis80), empty());
    let before = snapshot(&mut source.client()).unwrap();
    let ended = analyze(&source.url(), &["-t", &target.url(), "--json"]).exits(0);
    let report = report(&ended);
    assert_eq!(report["event"], "report");
    assert_eq!(report["sampled"], report["keys_total"]);
    assert_eq!(types(&report), real_types(&source));
    let biggest = &report["analysis"]["biggest"][0];
    let key = biggest["key"].as_str().unwrap();
    let mut client = source.client();
    client.ok(&["SELECT", &biggest["db"].to_string()]);
    let memory = client.ok(&["MEMORY", "USAGE", key]).int().unwrap() as u64;
    assert_eq!(biggest["bytes"].as_u64(), Some(memory));
    assert_eq!(ladder(&report, "live"), ["fenced!", "psync", "scan"]);
    assert_eq!(ladder(&report, "snapshot"), ["psync!", "scan", "migrate"]);
    let speed = &report["speed"];
    assert_eq!(speed["keys"], report["keys_total"], "all of them were read");

    // Redis 7.0 lacks what Redis 8.0 was called by.
    let text = analyze(&source.url(), &["-t", &target.url(), "--top", "3"]).exits(0).reports(&[
        "SOURCE ANALYSIS REPORT",
        "DATA SUMMARY",
        "KEY PATTERNS (Top 3)",
        "BIGGEST KEYS (Top 3)",
        "was called by hpexpireat, hpexpiretime, which the target lacks",
        "hash field expiry: the target cannot",
        "Estimated migration time",
        "--mode live --verify",
    ]);
    assert!(!text.stdout.contains("Sampled"), "{}", text.stdout);
    assert!(snapshot(&mut source.client()).unwrap().diff(&before).is_empty(), "nothing is written");
    crate::assert_empty(&target);
}

#[test]
fn a_large_source_is_sampled_and_counts_are_made_up() {
    let source = with_keys(60_000);
    let report = report(&analyze(&source.url(), &["--json"]).exits(0));
    assert_eq!(report["keys_total"], 60_000);
    let sampled = report["sampled"].as_u64().unwrap();
    assert!((100..=20_500).contains(&sampled), "{sampled}");
    for (name, real) in real_types(&source) {
        let told = types(&report)[&name];
        assert!(told.abs_diff(real) < 100 + real / 4, "{name}: {told} for {real}");
    }
    let pattern = &report["analysis"]["patterns"][0];
    assert_eq!(pattern["pattern"], "session:*");
    assert!(report["speed"]["all_ms"].as_u64().unwrap() > 0);

    // A source that answers late is read with a pause before each hundred keys.
    let proxy = Proxy::start(source.addr()).unwrap();
    proxy.delay(Duration::from_millis(5));
    let slow = analyze(&proxy.url(), &["--json", "--max-source-latency", "1ms"]).exits(0);
    let keys = crate::analyze::report(&slow)["speed"]["keys"].as_u64().unwrap();
    assert!((1..10_000).contains(&keys), "{keys}");
}

#[test]
fn what_is_refused_is_told_and_leaves_other_ways() {
    let source = with_keys(500);
    let mut client = source.client();
    client.ok(&["ACL", "SETUSER", "shy", "on", ">pw", "~*", "&*", "+@all", "-psync"]);
    client.ok(&["ACL", "SETUSER", "blind", "on", ">pw", "~*", "&*", "+@all", "-dump", "-memory"]);
    let shy = analyze(&source.url_with("shy", "pw"), &["--json"]).exits(0).hides(":pw");
    assert_eq!(ladder(&report(&shy), "live"), ["scan!"]);
    let psync = report(&shy)["ladder"][1]["reason"].as_str().unwrap().to_owned();
    assert!(psync.contains("PSYNC is refused"), "{psync}");

    let blind = analyze(&source.url_with("blind", "pw"), &["--json"]).exits(0);
    let found = report(&blind);
    assert_eq!(ladder(&found, "snapshot"), ["psync!", "migrate"]);
    assert_eq!((&found["speed"], &found["memory_told"]), (&Value::Null, &Value::Bool(false)));
    assert_eq!(found["keys_total"], 500);

    // A blocker has an exit code of its own; so has a source that is not there.
    let target = start(Server::Redis70);
    let (host, port) = ("127.0.0.1", source.port().to_string());
    target.client().ok(&["REPLICAOF", host, &port]);
    analyze(&source.url(), &["-t", &target.url()]).exits(3).reports(&["the target is a replica"]);
    let address = target.url();
    drop(target);
    analyze(&address, &[]).exits(2).explains(&["cannot reach"]);
}

#[test]
fn a_file_is_looked_at_as_such() {
    let source = with_everything(Server::Redis70);
    source.client().ok(&["SAVE"]);
    let file = source.dir().join("dump.rdb");
    let file = file.to_str().unwrap();
    let found = analyze(file, &[]).exits(0);
    assert_eq!(found.stdout, run(&["analyze-rdb", file]).exits(0).stdout);
    analyze(file, &["-t", &source.url()]).exits(1).explains(&["without a target"]);
}

#[test]
fn all_primaries_of_a_cluster_are_looked_at() {
    let (server, cluster) = (empty(), Cluster::builder(Server::Redis70).start().unwrap());
    Dataset::mixed(2000).load(&mut server.client()).unwrap();
    migrate(&server.url(), &cluster.url(), &[]).exits(0);
    let ended = analyze(&cluster.node(1).url(), &["--json"]).exits(0);
    let found = report(&ended);
    assert_eq!((&found["keys_total"], &found["sampled"]), (&2000.into(), &2000.into()));
    assert_eq!(types(&found), real_types(&server));
    assert!(found["server"].as_str().unwrap().ends_with("a cluster of 3 primaries"), "{found}");
    let speed = &found["speed"];
    assert_eq!((&speed["servers"], &speed["keys"]), (&3.into(), &2000.into()), "{speed}");
    assert!(speed["all_ms"].as_u64() >= speed["elapsed_ms"].as_u64() && speed["bytes"] != 0);
    let told = analyze(&cluster.node(1).url(), &[]).exits(0);
    told.reports(&["Estimated migration time", "connections to each", "of 3 primaries"]);
}

#[test]
fn a_memcached_is_looked_at_by_what_its_crawler_tells() {
    let (one, two, target) =
        (Memcached::start(&[]).unwrap(), Memcached::start(&[]).unwrap(), empty());
    let mut client = one.client();
    for number in 0..300 {
        client.set(&format!("session:{number}"), 0, 3000, &[b'x'; 100]);
    }
    two.client().set("big", 0, 0, &vec![b'y'; 100_000]);
    let source = format!("{},{}", one.url(), two.addr());
    let found = report(&analyze(&source, &["--json", "-t", &target.url()]).exits(0));
    assert_eq!((&found["keys_total"], &found["sampled"]), (&301.into(), &301.into()));
    assert_eq!(types(&found), BTreeMap::from([("string".to_owned(), 301)]));
    assert_eq!(found["analysis"]["biggest"][0]["key"], "big");
    assert!(found["server"].as_str().unwrap().ends_with("2 servers"), "{found}");
    assert_eq!(ladder(&found, "snapshot"), ["memcached!"]);
    assert_eq!(ladder(&found, "live"), ["memcached"]);
    let ended = analyze(&source, &[]).exits(0);
    ended.reports(&["Memcached 1.", "session:", "Next: ferrite-migrate -s memcached://"]);
    drop(two);
    analyze(&source, &[]).exits(3).reports(&["cannot reach"]);
}
