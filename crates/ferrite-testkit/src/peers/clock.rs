//! Servers with another clock than ours: Debian's libfaketime, loaded before the C library, adds
//! some seconds to what the system tells.
//!
//! ```text
//! env LD_PRELOAD=…/faketime/libfaketime.so.1 FAKETIME=+5 redis-server …
//! ```
//!
//! Time that only measures how long something takes stays as it is. Debian's own builds of the
//! servers do not start under it: their allocator asks for the time before it can answer.

use super::debian::Release;
use super::error::PeerError;
use super::{Binary, Server};

const FAKETIME: Release = Release {
    suite: "bookworm",
    folder: "debian-faketime-1",
    what: "libfaketime (Debian bookworm)",
    packages: &["libfaketime"],
};
/// Where the package has it, beside the other libraries.
const LIBRARY: &str = "faketime/libfaketime.so.1";

/// The same program with a clock so many seconds ahead of ours, or behind.
///
/// # Errors
/// The library cannot be had, with the command that failed.
pub(super) fn ahead(server: Server, binary: &Binary, seconds: i32) -> Result<Binary, PeerError> {
    let fetch_error = |reason| PeerError::Fetch { peer: server.name(), reason };
    let tree = FAKETIME.tree().map_err(fetch_error)?;
    let library = tree
        .library(LIBRARY)
        .ok_or_else(|| fetch_error(format!("the download holds no {LIBRARY}")))?;
    let mut words = vec![
        format!("LD_PRELOAD={}", library.display()).into(),
        format!("FAKETIME={seconds:+}").into(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".into(),
        binary.program.clone().into_os_string(),
    ];
    words.extend(binary.arguments.iter().cloned());
    Ok(Binary { program: "env".into(), arguments: words })
}
