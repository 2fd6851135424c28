//! SHUTDOWN, and the end by a signal.

use std::sync::atomic::Ordering;

use crate::ctx::{Ctx, Outcome};
use crate::error::CommandError;
use crate::net::mail::Mail;
use crate::persist::save;
use crate::shared::Shared;

/// How often the last snapshot is written while commands that had begun still write.
const MOST_SAVES: usize = 3;

/// How the server ends; the bits of `shutdown-on-sigterm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End(pub u32);

impl End {
    const SAVE: u32 = 1;
    const NO_SAVE: u32 = 2;
    const NOW: u32 = 4;
    const FORCE: u32 = 8;

    fn has(self, bit: u32) -> bool {
        self.0 & bit != 0
    }
}

impl Shared {
    /// Ends the server: the snapshot is written where save points ask for it, or `end` does.
    ///
    /// # Errors
    /// When it cannot be written and the end is not forced: the server goes on.
    pub fn shut_down(&self, end: End) -> std::io::Result<()> {
        tracing::info!("User requested shutdown...");
        // What is there of a file that is being loaded must not take its place.
        let end = match self.persistence.progress.is_loading() {
            true => End(end.0 & !End::SAVE | End::NO_SAVE),
            false => end,
        };
        let points = !self.config.snapshots.save.get().0.is_empty();
        if end.has(End::SAVE) || (points && !end.has(End::NO_SAVE)) {
            tracing::info!("Saving the final RDB snapshot before exiting.");
            match self.save_the_last() {
                Ok(()) => tracing::info!("DB saved on disk"),
                Err(error) if end.has(End::FORCE) => tracing::error!("{error}"),
                Err(error) => {
                    tracing::error!("Error trying to save the DB, can't exit: {error}");
                    return Err(error);
                }
            }
        }
        self.stopping.store(true, Ordering::Relaxed);
        self.scripting.end_whatever_runs();
        self.mail_all(|| Mail::Wake);
        Ok(())
    }

    /// Saves with what was acknowledged up to the end: from now on writes wait, and what slipped in
    /// beside the snapshot is saved once more.
    fn save_the_last(&self) -> std::io::Result<()> {
        let before = self.paused_until.swap(i64::MAX, Ordering::SeqCst);
        for _ in 0..MOST_SAVES {
            if let Err(error) = save::save(self) {
                self.paused_until.store(before, Ordering::SeqCst);
                self.mail_all(|| Mail::Wake);
                return Err(error);
            }
            if self.dirty() == self.persistence.saved_dirty.load(Ordering::Relaxed) {
                break;
            }
        }
        Ok(())
    }
}

/// `SHUTDOWN [NOSAVE|SAVE] [NOW] [FORCE] [ABORT]`. It answers nothing when the server ends.
pub(super) fn shutdown(ctx: &mut Ctx<'_>, words: &[&[u8]]) -> Outcome {
    let (mut bits, mut abort) = (0, false);
    for word in words.iter().skip(1) {
        match word.to_ascii_lowercase().as_slice() {
            b"save" => bits |= End::SAVE,
            b"nosave" => bits |= End::NO_SAVE,
            b"now" => bits |= End::NOW,
            b"force" => bits |= End::FORCE,
            b"abort" => abort = true,
            _ => return Err(CommandError::SYNTAX.into()),
        }
    }
    let both = bits & (End::SAVE | End::NO_SAVE) == End::SAVE | End::NO_SAVE;
    if both || (abort && bits != 0) {
        return Err(CommandError::SYNTAX.into());
    }
    if abort {
        return Err(CommandError::text("ERR No shutdown in progress.").into());
    }
    // While a script runs too long there is no moment at which a snapshot could be written.
    if bits & End::NO_SAVE == 0 && ctx.shared.scripting.is_busy() {
        return Err(ctx.shared.scripting.busy_error().into());
    }
    // The snapshot takes the locks itself.
    ctx.held.release();
    ctx.shared
        .shut_down(End(bits))
        .map_err(|_| CommandError::text("ERR Errors trying to SHUTDOWN. Check logs."))?;
    ctx.session.closing = true;
    Ok(())
}
