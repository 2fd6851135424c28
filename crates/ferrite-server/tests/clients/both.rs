//! A program at a real server and at ours: what it says must be the same.

use std::process::Command;

use ferrite_server::Server;
use ferrite_testkit::{Peer, Server as Real};

/// Runs a program at both servers, and compares what it says: more than `least` lines.
pub fn same_at_both(least: usize, program: impl Fn(u16) -> Command) {
    let real = Peer::start(Real::Redis80).unwrap_or_else(|error| panic!("{error}"));
    let folder = std::env::temp_dir().join("ferrite-without-a-snapshot");
    let ours = Server::builder().bind("127.0.0.1:0".parse().unwrap()).threads(2);
    let ours = ours.snapshot(folder, "none.rdb").start().unwrap();
    let [real, ours] = [real.addr().port(), ours.addresses()[0].port()].map(|port| {
        let output = program(port).output().expect("the program can be run");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "at port {port}, behind:\n{said}\n{errors}");
        said
    });
    assert!(real.lines().count() > least, "{real}");
    for (real, ours) in real.lines().zip(ours.lines()) {
        assert_eq!(real, ours);
    }
    assert_eq!(real.lines().count(), ours.lines().count());
}
