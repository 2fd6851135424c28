//! `pidfile`: the number of the process, for as long as it runs.

use std::path::PathBuf;

use ferrite_server::config::Config;

/// Where a process in the background has it when nothing is said, as Redis.
const BACKGROUND: &str = "/var/run/redis.pid";

/// The file; it is removed when this is dropped.
#[derive(Debug)]
pub struct PidFile(PathBuf);

impl PidFile {
    /// Writes it, where one is wanted. A server without one serves all the same.
    pub fn write(config: &Config) -> Option<Self> {
        let named = config.general.pidfile.get();
        let path = match (named.is_empty(), config.process.daemonize.get()) {
            (true, false) => return None,
            (true, true) => PathBuf::from(BACKGROUND),
            (false, _) => config.folder().join(&*named.as_text()),
        };
        match std::fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(Self(path)),
            Err(error) => {
                tracing::warn!("Failed to write PID file {}: {error}", path.display());
                None
            }
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0) {
            tracing::warn!("removing {}: {error}", self.0.display());
        }
    }
}
