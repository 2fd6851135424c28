//! Scripts that never end, and scripts that want all memory.

use ferrite_store::memory::allocated;
use ferrite_testkit::wait_until;

use crate::{connect, lives, server};

/// What a script may leave allocated when it has failed: the interpreter collects it when the next
/// needs it, above half of its limit of a gigabyte.
const LEFT: usize = 576 << 20;

#[test]
fn a_script_without_an_end_is_killed_and_others_are_told() {
    let server = server();
    let mut client = connect(&server);
    client.ok(&["CONFIG", "SET", "busy-reply-threshold", "10"]);
    let mut endless = connect(&server);
    endless.queue(&["EVAL", "while true do pcall(function() while true do end end) end", "0"]);
    endless.flush().unwrap();
    wait_until("others are told", || client.call(&["GET", "key"]).to_string().contains("BUSY"));
    client.ok(&["SCRIPT", "KILL"]);
    assert!(endless.read().unwrap().to_string().contains("Script killed by user"));
    lives(&server);
}

#[test]
fn a_script_that_allocates_for_ever_fails() {
    let server = server();
    let mut client = connect(&server);
    let before = allocated();
    for script in [
        "local t = {} while true do t[#t + 1] = string.rep('x', 4096) .. #t end",
        "local s = 'x' while true do s = s .. s end",
        "redis.call('SET', 'key', string.rep('x', 1e9)) redis.call('GET', 'key')",
    ] {
        let reply = client.call(&["EVAL", script, "0"]);
        assert!(reply.is_error() && reply.to_string().contains("memory"), "{script}: {reply}");
        assert_eq!(client.ok(&["EVAL", "return 'fine'", "0"]), "fine");
    }
    assert!(allocated().saturating_sub(before) < LEFT);
    lives(&server);
}
