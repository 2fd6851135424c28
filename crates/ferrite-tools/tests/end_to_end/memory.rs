//! Values several times the memory limit pass through a process that stays below it.

use std::sync::{Mutex, PoisonError};

use ferrite_testkit::Peer;
use ferrite_testkit::dataset::big::{self, Collection};

use crate::command::Running;
use crate::empty;

/// The default of `--memory-limit`.
const MEMORY_LIMIT: u64 = 128 << 20;
/// The largest string a server allows by default, which is four times that.
const STRING: u64 = 512 << 20;
/// A list whose items add up to as much.
const LIST: u64 = 512 << 20;

/// One of these tests at a time: the servers take gigabytes.
static ALONE: Mutex<()> = Mutex::new(());

fn with_large_values() -> Peer {
    let source = empty();
    let mut client = source.client();
    big::string(&mut client, b"string", STRING).expect("a string");
    big::collection(&mut client, Collection::List, b"list", LIST).expect("a list");
    source
}

fn stays_below_the_limit(strategy: &str) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (source, target) = (with_large_values(), empty());
    let (from, to) = (source.url(), target.url());
    let args = ["-s", &from, "-t", &to, "--strategy", strategy, "--verify"];
    let (ended, peak) = Running::start(&args).end_and_measure();
    let length = target.client().ok(&["STRLEN", "string"]).int();
    ended.exits(0).reports(&["Copied:           2\n", "Matching:         2 (100%)", "VERIFIED"]);
    assert_eq!(length, i64::try_from(STRING).ok());
    assert!(peak > 4 << 20, "the memory was not measured: {peak}");
    assert!(peak <= MEMORY_LIMIT, "{strategy}: {} MiB at the peak", peak >> 20);
}

#[test]
fn large_values_by_psync_stay_below_the_limit() {
    stays_below_the_limit("psync");
}

#[test]
fn large_values_by_scan_stay_below_the_limit() {
    stays_below_the_limit("scan");
}
