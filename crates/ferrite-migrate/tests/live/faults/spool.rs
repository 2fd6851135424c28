//! The target is so far behind that the spool is full.

use ferrite_migrate::State;
use ferrite_migrate::control::Request;
use ferrite_testkit::{Server, wait_until};

use super::{between, load, pair, write_to};
use crate::common::live::Live;
use crate::common::ok;

/// The smallest spool there is, in bytes.
const SPOOL: u64 = 16 << 20;

#[test]
fn a_full_spool_holds_the_source_up_and_loses_nothing() {
    let (source, target) = pair(Server::Redis70);
    let load = write_to(&source, load().seed(27));
    load.wait_for(1000);
    let live = Live::start(between(source.url(), target.url()).spool_limit(SPOOL));
    live.until(State::Live);
    for round in 0..2 {
        live.ordered(&Request::Pause);
        let mut client = source.client();
        for number in 0..1000_u64 {
            // Such bytes are not made smaller by compression.
            let value: Vec<u8> =
                (0..60_000).map(|at| ((at * at * (number + 7)) >> 5) as u8).collect();
            let key = format!("filler:{}", number % 20 + round);
            client.ok(&[&b"SET"[..], key.as_bytes(), &value]);
        }
        wait_until("the spool is full", || live.status().lag.bytes > Some(SPOOL / 2));
        let kept = live.status().lag.spool_bytes;
        assert!(kept <= SPOOL + SPOOL / 4, "{kept} bytes on disk");
        live.ordered(&Request::Resume);
        load.wait_for(1000);
    }
    wait_until("the job is LIVE", || live.state() == State::Live);
    ok(&mut source.client(), &["DEL", "filler:1"]);
    live.finish(load, &source, &target);
}
