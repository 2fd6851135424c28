//! Client libraries that take other tools, or longer, to build: `make clients` runs these.
//!
//! Each is a program in a folder beside this file, built in the target folder.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod both;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;

use both::same_at_both;

/// The folder of a program's source.
fn source(program: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(program)
}

/// A folder to build in, which stays for the next time.
fn built(program: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(program);
    std::fs::create_dir_all(&folder).expect("the target folder can be written to");
    folder
}

/// Runs a tool, which `get` brings where it is missing.
fn run(command: &mut Command, get: &str) {
    let tool = command.get_program().to_string_lossy().into_owned();
    let output = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            panic!("{tool} is missing, which this client is built or run with: {get}")
        }
        output => output.unwrap_or_else(|error| panic!("running {tool}: {error}")),
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} ends with {}:\n{errors}", output.status);
}

#[test]
fn ioredis_works_as_with_a_real_server() {
    let (source, folder) = (source("ioredis"), built("ioredis"));
    for file in ["package.json", "application.js"] {
        std::fs::copy(source.join(file), folder.join(file)).unwrap();
    }
    let get = "apt-get install nodejs npm";
    let quiet = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"];
    run(Command::new("npm").args(quiet).current_dir(&folder), get);
    run(Command::new("node").arg("--version"), get);
    same_at_both(20, |port| {
        let mut command = Command::new("node");
        command.arg(folder.join("application.js")).arg(port.to_string());
        command
    });
}

#[test]
fn go_redis_works_as_with_a_real_server() {
    let program = built("go_redis").join("application");
    let mut build = Command::new("go");
    build.arg("build").arg("-o").arg(&program).arg(".").current_dir(source("go_redis"));
    run(&mut build, "apt-get install golang");
    same_at_both(50, |port| {
        let mut command = Command::new(&program);
        command.arg(port.to_string());
        command
    });
}

#[test]
fn redis_rs_works_as_with_a_real_server() {
    let folder = built("redis_rs");
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--quiet", "--locked", "--target-dir"]).arg(&folder);
    run(build.current_dir(source("redis_rs")), "the toolchain that this was built with");
    same_at_both(60, |port| {
        let mut command = Command::new(folder.join("debug/ferrite-client-redis-rs"));
        command.arg(port.to_string());
        command
    });
}
