//! What client libraries make of the server: a program for each library does what applications do,
//! at a real server and at ours, and says what came back. It must be the same.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::Command;

use ferrite_server::Server;
use ferrite_testkit::{ClientLibrary, Peer, Server as Real};

/// Runs a program at both servers; both outputs.
fn at_both(program: impl Fn(u16) -> Command) -> [String; 2] {
    let real = Peer::start(Real::Redis80).unwrap_or_else(|error| panic!("{error}"));
    let folder = std::env::temp_dir().join("ferrite-without-a-snapshot");
    let ours = Server::builder().bind("127.0.0.1:0".parse().unwrap()).threads(2);
    let ours = ours.snapshot(folder, "none.rdb").start().unwrap();
    [real.addr().port(), ours.addresses()[0].port()].map(|port| {
        let output = program(port).output().expect("the program can be run");
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "at port {port}, behind:\n{said}\n{errors}");
        said
    })
}

#[test]
fn redis_py_works_as_with_a_real_server() {
    let library = ClientLibrary::RedisPy.folder().unwrap_or_else(|error| panic!("{error}"));
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/redis_py.py");
    let [real, ours] = at_both(|port| {
        let mut command = Command::new("python3");
        command.arg(&program).arg(port.to_string()).env("PYTHONPATH", &library);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    });
    assert!(real.lines().count() > 80, "{real}");
    for (real, ours) in real.lines().zip(ours.lines()) {
        assert_eq!(real, ours);
    }
    assert_eq!(real.lines().count(), ours.lines().count());
}
