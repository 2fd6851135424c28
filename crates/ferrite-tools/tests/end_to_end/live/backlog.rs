//! A target that falls far behind: what it lacks waits on the disk, not in memory.

use super::Jobs;
use crate::empty;

/// The most memory that a live migration may take, in bytes.
const MEMORY_MAX: u64 = 256 << 20;
/// Bytes of a large value, and how many are written: twice that memory.
const LARGE: usize = 1 << 20;
const LARGE_WRITES: usize = 512;
/// Large writes until the spool is waited for: the source gives a replica up that lacks 256 MiB.
const TOGETHER: usize = 128;
/// Writes of a few bytes.
const SMALL_WRITES: usize = 500_000;
/// Keys that they go to.
const KEYS: usize = 50;

#[test]
fn a_backlog_of_twice_the_memory_takes_no_more_of_it() {
    let (source, target) = (empty(), empty());
    let jobs = Jobs::new();
    let (job, id) = jobs.live(&source.url(), &target.url(), &[]);
    jobs.until_live(&id);
    jobs.run(&["pause", "--id", &id]).exits(0);

    let mut client = source.client();
    for number in 0..LARGE_WRITES {
        let value = format!("{number:08}").repeat(LARGE / 8);
        client.ok(&["SET", &format!("large:{}", number % KEYS), &value]);
        if number % TOGETHER == 0 {
            client.ok(&["WAIT", "1", "10000"]);
        }
    }
    for batch in 0..SMALL_WRITES / 1000 {
        let number = |at: usize| (batch * 1000 + at) % KEYS;
        let writes = (0..1000).map(|at| vec![String::from("INCR"), format!("n:{}", number(at))]);
        client.pipeline(&writes.collect::<Vec<_>>()).unwrap();
    }
    let least = (LARGE * LARGE_WRITES) as u64;
    jobs.until(&id, "the backlog", |status| status["lag"]["bytes"].as_u64() > Some(least));
    jobs.run(&["resume", "--id", &id]).exits(0);
    jobs.cut_over(&id);
    let (ended, peak) = job.end_and_measure();

    ended.exits(0);
    assert!(peak > 4 << 20, "the memory was not measured: {peak}");
    assert!(peak <= MEMORY_MAX, "{} MiB at the peak", peak >> 20);
    let mut ends = [client, target.client()];
    for key in (0..KEYS).flat_map(|number| [format!("large:{number}"), format!("n:{number}")]) {
        let [ours, theirs] = ends.each_mut().map(|client| client.ok(&["GET", &key]));
        assert_eq!(ours, theirs, "{key}");
    }
}
