//! `daemonize`: the program starts itself once more, without the terminal, and ends.
//!
//! A process with threads cannot be forked in two; before there are any, starting the program
//! again does the same.

use std::process::{Command, Stdio};

/// Set for the process in the background, so that it does not do the same again.
const MARK: &str = "FERRITE_IN_BACKGROUND";

/// Goes to the background; whether this is the process that is to end.
pub fn leave() -> Result<bool, String> {
    if std::env::var_os(MARK).is_some() {
        // Fails only for the leader of a session, which is what it should become.
        let _ = rustix::process::setsid();
        return Ok(false);
    }
    let failed = |error: std::io::Error| format!("going to the background: {error}");
    let program = std::env::current_exe().map_err(failed)?;
    Command::new(program)
        .args(std::env::args_os().skip(1))
        .env(MARK, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    Ok(true)
}
