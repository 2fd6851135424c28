//! What scripts return and raise, compared with real servers.

use ferrite_server::scripting::Protocol;
use ferrite_testkit::{Peer, Server};

use crate::support::{Engine, Raw, Remote};

/// Scripts, one a line.
const SCRIPTS: &str = include_str!("scripts.txt");

fn compare(server: Server, protocol: Protocol) {
    let peer = Peer::start(server).unwrap();
    let mut direct = Raw::connect(peer.addr());
    direct.speak(protocol);
    let mut engine = Engine::new(Remote(Raw::connect(peer.addr())));
    engine.protocol = protocol;
    let mut different = Vec::new();
    for script in SCRIPTS.lines() {
        direct.call(&[b"FLUSHALL"]);
        let theirs = direct.call(&[b"EVAL", script.as_bytes(), b"0"]);
        direct.call(&[b"FLUSHALL"]);
        let ours = engine.eval(script.as_bytes(), &[], &[]);
        if ours != theirs {
            different.push(format!(
                "{script}\n  theirs {:?}\n  ours   {:?}",
                String::from_utf8_lossy(&theirs),
                String::from_utf8_lossy(&ours)
            ));
        }
    }
    assert!(different.is_empty(), "{} differ:\n{}", different.len(), different.join("\n"));
}

#[test]
fn replies_are_those_of_redis_8_in_resp2() {
    compare(Server::Redis80, Protocol::Two);
}

#[test]
fn replies_are_those_of_redis_8_in_resp3() {
    compare(Server::Redis80, Protocol::Three);
}
