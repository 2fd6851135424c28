//! SIGTERM and SIGINT end the server as `shutdown-on-sigterm` and `shutdown-on-sigint` say; a
//! second one ends it at once.

use std::sync::Arc;

use ferrite_server::End;
use ferrite_server::shared::Shared;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// The exit code of a server that a second signal ended.
const IMPATIENT: i32 = 1;

fn failed(error: std::io::Error) -> String {
    format!("heeding signals: {error}")
}

/// Keeps signals from ending the process at once: from now on they are for [`heed`].
pub fn catch() -> Result<Signals, String> {
    Signals::new([SIGTERM, SIGINT]).map_err(failed)
}

/// Heeds signals from now on, and those that have come since they were caught.
pub fn heed(mut signals: Signals, shared: &Arc<Shared>) -> Result<(), String> {
    let shared = Arc::clone(shared);
    let heed = move || {
        let mut asked = false;
        for signal in signals.forever() {
            let shutdown = &shared.config.shutdown;
            let (name, how) = match signal {
                SIGINT => ("SIGINT", shutdown.on_sigint.get()),
                _ => ("SIGTERM", shutdown.on_sigterm.get()),
            };
            if asked {
                tracing::warn!("You insist... exiting now.");
                end_at_once();
            }
            let loading = shared.persistence.progress.is_loading();
            let when = if loading { " during loading," } else { "" };
            tracing::info!("Received {name}{when} scheduling shutdown...");
            // When the snapshot cannot be written the server goes on, and has logged why.
            asked = shared.shut_down(End(how)).is_ok();
        }
    };
    std::thread::Builder::new().name("ferrite-signals".into()).spawn(heed).map_err(failed)?;
    Ok(())
}

#[expect(clippy::exit, reason = "a second signal means: without waiting for anything")]
fn end_at_once() {
    std::process::exit(IMPATIENT);
}
