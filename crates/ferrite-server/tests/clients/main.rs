//! What client libraries make of the server: a program for each library does what applications do,
//! at a real server and at ours, and says what came back. It must be the same.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod both;

use std::path::Path;
use std::process::Command;

use both::same_at_both;
use ferrite_testkit::ClientLibrary;

#[test]
fn redis_py_works_as_with_a_real_server() {
    let library = ClientLibrary::RedisPy.folder().unwrap_or_else(|error| panic!("{error}"));
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/redis_py.py");
    same_at_both(80, |port| {
        let mut command = Command::new("python3");
        command.arg(&program).arg(port.to_string()).env("PYTHONPATH", &library);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    });
}
