//! Ctrl-C for the binaries of this crate: they have servers to stop and folders to remove.

use std::io;
use std::thread;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

/// Why the program is to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// SIGINT: on a terminal, the programs we started have received it too.
    CtrlC,
    /// SIGTERM or SIGHUP: only this process was told.
    Terminate,
}

/// From now on the first of these signals does not end the program but calls the action, on a
/// thread of its own.
///
/// # Errors
/// When the system refuses the handlers or the thread.
pub fn on_interrupt(action: impl FnOnce(Interrupt) + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let (mut interrupt, mut terminate, mut hangup) = {
        let _context = runtime.enter();
        let listen = |kind| signal(kind);
        (
            listen(SignalKind::interrupt())?,
            listen(SignalKind::terminate())?,
            listen(SignalKind::hangup())?,
        )
    };
    thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
        let which = runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => Interrupt::CtrlC,
                _ = terminate.recv() => Interrupt::Terminate,
                _ = hangup.recv() => Interrupt::Terminate,
            }
        });
        action(which);
    })?;
    Ok(())
}
