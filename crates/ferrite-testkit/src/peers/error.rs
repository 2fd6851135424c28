//! What can go wrong while getting or running a peer, said so that the reader knows what to type.

use std::fmt;
use std::io;
use std::process::{Command, Output};

/// The command that fills the cache of peers, named in every error about a missing one.
pub const FETCH_COMMAND: &str = "cargo run -p ferrite-testkit --bin peers -- fetch";

/// Lines of a failed command's output that are kept in the error.
const OUTPUT_LINES: usize = 30;

/// Why a peer could not be had or started.
///
/// `Debug` prints the same text as `Display`, because tests call `unwrap` on it.
#[derive(thiserror::Error)]
pub enum PeerError {
    /// The server's binary is not in the cache and could not be fetched.
    #[error(
        "cannot get {peer}: {reason}\nto get it, run: {FETCH_COMMAND} {peer}",
        reason = .reason.trim_end()
    )]
    Fetch {
        /// Name of the peer, as in [`crate::Server::name`].
        peer: &'static str,
        /// The failing command with its output, or what else was in the way.
        reason: String,
    },
    /// The server did not start, or does not answer.
    #[error("{peer} {reason}\nend of its log:\n{log}", log = .log.trim_end())]
    Start {
        /// Name of the peer.
        peer: &'static str,
        /// What was seen.
        reason: String,
        /// The last lines the server wrote.
        log: String,
    },
    /// The operating system refused something around the peer.
    #[error("{peer}: cannot {doing}: {source}")]
    Io {
        /// Name of the peer.
        peer: &'static str,
        /// What we were doing, to what.
        doing: String,
        /// The system's answer.
        source: io::Error,
    },
}

impl fmt::Debug for PeerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Runs a command to its end and gives its standard output; a failure is told with the command
/// line and the end of what it wrote.
pub(super) fn run(command: &mut Command) -> Result<String, String> {
    let line = describe(command);
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|error| format!("cannot run `{line}`: {error}"))?;
    if !output.status.success() {
        return Err(format!("`{line}` failed ({}):\n{}", output.status, tail_of(&output)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn describe(command: &Command) -> String {
    let mut line = command.get_program().to_string_lossy().into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

fn tail_of(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    text.push_str(&String::from_utf8_lossy(&output.stderr));
    tail(&text, OUTPUT_LINES)
}

/// The last `count` lines of a text.
pub(super) fn tail(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(count)..).unwrap_or_default().join("\n")
}
