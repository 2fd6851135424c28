//! Append-only files, JSON and CSV, as a shell imports and exports them.
//!
//! ```text
//! aof.rs      files that servers wrote, whole and damaged
//! csv.rs      rows become keys, and keys rows
//! json.rs     there and back
//! ```
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

mod aof;
mod csv;
mod json;

use std::process::{Command, Stdio};

use ferrite_testkit::{Dataset, Listing, Peer, Server, snapshot};

/// How a run ended and what it said.
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Ended {
    /// Fails, with all that was said, unless this is the exit code.
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    /// Fails unless all of these were said, on either stream.
    #[track_caller]
    fn says(self, texts: &[&str]) -> Self {
        for text in texts {
            let said = self.stdout.contains(text) || self.stderr.contains(text);
            assert!(said, "{text:?} was not said:\n{}\n{}", self.stdout, self.stderr);
        }
        self
    }
}

/// Runs the program to its end, with this on its standard input.
fn run(args: &[&str], stdin: Stdio) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ferrite-migrate"));
    for name in ["FERRITE_SOURCE", "FERRITE_TARGET", "RUST_LOG", "NO_COLOR", "TERM"] {
        command.env_remove(name);
    }
    let output = command.args(args).stdin(stdin).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ended { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
}

fn start(server: Server) -> Peer {
    Peer::start(server).unwrap_or_else(|error| panic!("{error}"))
}

fn load_everything(peer: &Peer) {
    Dataset::everything().load(&mut peer.client()).unwrap_or_else(|error| panic!("{error}"));
}

fn listing(peer: &Peer) -> Listing {
    snapshot(&mut peer.client()).unwrap_or_else(|error| panic!("{error}"))
}
