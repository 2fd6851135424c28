//! `verify`: 0 when both ends are equal, 4 when they are not, each difference named.

use ferrite_testkit::{Peer, Server};

use crate::command::{migrate, verify};
use crate::{empty, listing, with_everything, with_keys};

/// Two servers with everything, equal.
fn equal() -> (Peer, Peer) {
    let (source, target) = (with_everything(Server::Redis70), empty());
    migrate(&source.url(), &target.url(), &[]).exits(0);
    (source, target)
}

#[test]
fn equal_servers_are_verified_and_not_written_to() {
    let (source, target) = equal();
    let (before, keys) = (listing(&target), listing(&source).len());
    verify(&source.url(), &target.url(), &[])
        .exits(0)
        .reports(&["VERIFICATION REPORT", &format!("Keys compared:    {keys}\n"), "(100%)"])
        .reports(&["Missing source:   0", "Missing target:   0", "RESULT: ✅ VERIFIED"])
        .hides("error");
    assert_eq!(listing(&target), before);
}

#[test]
fn every_difference_is_named() {
    let (source, target) = equal();
    let (mut ours, mut theirs) = (source.client(), target.client());
    let keys = ["value", "expiry", "type", "gone", "extra"];
    for key in keys {
        ours.ok(&["RPUSH", key, "a", "b"]);
        theirs.ok(&["RPUSH", key, "a", "b"]);
    }
    theirs.ok(&["LSET", "value", "1", "c"]);
    theirs.ok(&["PEXPIREAT", "expiry", "4102444800123"]);
    theirs.ok(&["SET", "type", "a"]);
    theirs.ok(&["DEL", "gone"]);
    ours.ok(&["DEL", "extra"]);
    let lines = [
        "db 0  value  value differs: 2 elements on both, with other content\n",
        "db 0  expiry  expiry differs: source none, target 4102444800123 ms\n",
        "db 0  type  type differs: source list, target string\n",
        "db 0  gone  missing on the target",
        "db 0  extra  missing on the source",
    ];
    verify(&source.url(), &target.url(), &[])
        .exits(4)
        .reports(&lines)
        .reports(&["Mismatched:       3\n", "Missing source:   1\n", "Missing target:   1\n"])
        .reports(&["RESULT: ❌ DIFFERENCES FOUND"]);
    verify(&source.url(), &target.url(), &["-e", "[vetg]*"])
        .exits(0)
        .reports(&["RESULT: ✅ VERIFIED"]);
}

#[test]
fn a_sample_compares_as_many_as_asked() {
    let (source, target) = (with_keys(2000), empty());
    let (from, to) = (source.url(), target.url());
    migrate(&from, &to, &[]).exits(0);
    verify(&from, &to, &["--sample", "300"])
        .exits(0)
        .reports(&["Keys compared:    300\n", "300 of 2,000 keys; with 95% confidence"])
        .reports(&["RESULT: ✅ VERIFIED (a sample)"]);
    verify(&from, &to, &["--sample", "5000"]).exits(0).reports(&["Keys compared:    2,000\n"]);
    let ended = verify(&from, &to, &["--sample-rate", "0.5", "--json"]).exits(0);
    let report: serde_json::Value =
        serde_json::from_str(ended.stdout.lines().last().unwrap()).unwrap();
    let compared = report["compared"].as_u64().unwrap();
    // Fifteen standard deviations to either side of the half.
    assert!((665..=1335).contains(&compared), "{compared} of 2000");
    target.client().ok(&["FLUSHALL"]);
    for sample in [["--sample", "1"], ["--sample-rate", "1"]] {
        verify(&from, &to, &sample).exits(4).reports(&["missing on the target"]);
    }
}
