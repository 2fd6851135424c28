//! DEBUG's switches: what a test turns off to look at the rest alone.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::ctx::{Ctx, Outcome};

/// What is turned off. Nothing, unless a test did it.
#[derive(Debug, Default)]
pub struct Switches {
    keeps_expired: AtomicBool,
    keeps_still: AtomicBool,
    trusts_payloads: AtomicBool,
    lets_scripts: AtomicBool,
}

impl Switches {
    /// Whether keys and fields are removed when their time comes; otherwise when they are met.
    pub fn expires_actively(&self) -> bool {
        !self.keeps_expired.load(Ordering::Relaxed)
    }

    /// Whether nothing is done by the clock.
    pub fn is_still(&self) -> bool {
        self.keeps_still.load(Ordering::Relaxed)
    }

    /// Whether the checksums of payloads are not looked at.
    pub fn trusts_payloads(&self) -> bool {
        self.trusts_payloads.load(Ordering::Relaxed)
    }

    /// Whether scripts may call what they may not call.
    pub fn lets_scripts(&self) -> bool {
        self.lets_scripts.load(Ordering::Relaxed)
    }
}

/// `DEBUG SET-ACTIVE-EXPIRE 0|1`
pub(super) fn active_expire(ctx: &mut Ctx<'_>, word: &[u8]) -> Outcome {
    set(ctx, &ctx.shared.switches.keeps_expired, !is_on(word))
}

/// `DEBUG PAUSE-CRON 0|1`
pub(super) fn pause_cron(ctx: &mut Ctx<'_>, word: &[u8]) -> Outcome {
    set(ctx, &ctx.shared.switches.keeps_still, is_on(word))
}

/// `DEBUG SET-SKIP-CHECKSUM-VALIDATION 0|1`
pub(super) fn skip_checksums(ctx: &mut Ctx<'_>, word: &[u8]) -> Outcome {
    set(ctx, &ctx.shared.switches.trusts_payloads, is_on(word))
}

/// `DEBUG SET-DISABLE-DENY-SCRIPTS 0|1`
pub(super) fn let_scripts(ctx: &mut Ctx<'_>, word: &[u8]) -> Outcome {
    set(ctx, &ctx.shared.switches.lets_scripts, is_on(word))
}

/// As Redis reads it: any number but 0 is on, and what is none is off.
fn is_on(word: &[u8]) -> bool {
    crate::number::parse_int(word).is_some_and(|number| number != 0)
}

fn set(ctx: &mut Ctx<'_>, switch: &AtomicBool, on: bool) -> Outcome {
    switch.store(on, Ordering::Relaxed);
    ctx.reply.ok();
    Ok(())
}
