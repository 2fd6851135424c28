//! Ends a server whose owner has died without ending it: killed, or with the peer in a `static`.
//!
//! A shell waits on a pipe that only the owner holds open. However the owner ends, the pipe ends
//! with it, and the shell kills the server and removes its folder.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Waits, makes sure by its working folder that the process is still the server, and ends it with
/// its children, such as one saving an RDB file.
const SCRIPT: &str = r#"
read -r line
[ "$(readlink "/proc/$1/cwd")" = "$2" ] && kill -9 $(cat "/proc/$1/task/"*/children) "$1"
rm -rf "$2"
"#;

/// The shell that waits; dropping it calls it off.
#[derive(Debug)]
pub(super) struct Watch(Child);

impl Watch {
    /// Watches over a server with the given process and folder.
    pub(super) fn over(pid: u32, dir: &Path) -> io::Result<Watch> {
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "sh", &pid.to_string()]).arg(dir.canonicalize()?);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // Out of reach of a terminal's Ctrl-C, which the owner may not survive.
        command.process_group(0).current_dir("/").spawn().map(Watch)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // An error means the shell has ended, and there is nothing to call off.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
