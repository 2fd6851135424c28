//! Values several times the memory limit pass through a process that stays below it.

use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use ferrite_testkit::Peer;
use ferrite_testkit::dataset::big::{self, Collection};

use crate::command::{Running, program};
use crate::empty;

/// The default of `--memory-limit`.
const MEMORY_LIMIT: u64 = 128 << 20;
/// The largest string a server allows by default, which is four times that.
const STRING: u64 = 512 << 20;
/// A list whose items add up to twice the limit.
const LIST: u64 = 256 << 20;

/// One of these tests at a time: the servers take gigabytes.
static ALONE: Mutex<()> = Mutex::new(());

fn with_large_values() -> Peer {
    let source = empty();
    let mut client = source.client();
    big::string(&mut client, b"string", STRING).expect("a string");
    big::collection(&mut client, Collection::List, b"list", LIST).expect("a list");
    source
}

/// A hash of four million fields of a few bytes: what each costs besides its bytes counts. And
/// names that are long, of which servers are asked for many at a time.
fn with_small_elements_and_long_names() -> Peer {
    let source = empty();
    let mut client = source.client();
    client.set_timeout(None).expect("a socket");
    client.ok(&["EVAL", "for i=1,4000000 do redis.call('HSET','hash',i,i) end", "0"]);
    let names = "local p=string.rep('k',50000) for i=1,2000 do redis.call('SET',p..i,'v') end";
    client.ok(&["EVAL", names, "0"]);
    source
}

fn stays_below_the_limit(strategy: &str, source: Peer, keys: &str) {
    let target = empty();
    let (from, to) = (source.url(), target.url());
    let args = ["-s", &from, "-t", &to, "--strategy", strategy, "--verify"];
    let (ended, peak) = Running::start(&args).end_and_measure();
    let (copied, matching) = (format!("Copied:           {keys}\n"), format!("{keys} (100%)"));
    ended.exits(0).reports(&[&copied, &matching, "VERIFIED"]);
    assert!(peak > 4 << 20, "the memory was not measured: {peak}");
    assert!(peak <= MEMORY_LIMIT, "{strategy}: {} MiB at the peak", peak >> 20);
}

/// A line of CSV that is as long as the disk of somebody who forgot a quote.
#[test]
fn a_line_of_a_gigabyte_is_refused_by_its_place_and_column() {
    const LINE: usize = 1 << 30;
    let target = empty();
    let mut command = program();
    let to = target.url();
    command.args(["import-csv", "-", "-t", &to, "--key", "k:{id}"]).stdin(Stdio::piped());
    let mut running = Running::start_command(command);
    running.types("id,name,age\n1,Ada,36\n2,");
    let part = "x".repeat(1 << 20);
    let (mut taken, mut peak) = (0, 0);
    // It lets go of the pipe as soon as it has seen enough.
    while taken < LINE && running.can_type(&part) {
        taken += part.len();
        peak = peak.max(running.peak());
    }
    let ended = running.end();
    let column = ["line 3 (byte 21)", "in column 2", "16777216 bytes", "--memory-limit"];
    ended.exits(2).explains(&column);
    assert!(taken < LINE, "all of it was read");
    assert!(peak > 4 << 20 && peak <= MEMORY_LIMIT, "{} MiB at the peak", peak >> 20);
    assert_eq!(target.client().ok(&["DBSIZE"]), 1, "what came before");
}

#[test]
fn large_values_stay_below_the_limit() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for strategy in ["psync", "scan"] {
        stays_below_the_limit(strategy, with_large_values(), "2");
    }
}

#[test]
fn small_elements_and_long_names_stay_below_the_limit() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    for strategy in ["psync", "scan"] {
        stays_below_the_limit(strategy, with_small_elements_and_long_names(), "2,001");
    }
}
