//! Expiries that are held on the target: a cutover releases them, and holds them again when it is
//! given up.
//!
//! ```text
//! now                  near                                      later
//!  ├─ stay held ─────────┼─ released while the source is written to ─►
//!  └─ until writes are held back
//! ```
//!
//! A key that is released expires on the target by itself. Should the source renew it shortly
//! before, the renewal may come too late there: until `near`, that cannot be.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::apply::Request;
use super::cutover::GivenUp;
use super::marks::Key;
use super::run::{Following, Live};
use super::settle::{Pass, Settler};
use crate::engine::now_ms;
use crate::jobs::control::Replier;

/// How often expiries are released from the beginning when databases change places meanwhile.
const PASSES_MAX: u32 = 5;
/// Expiries closer than this stay held until writes are, in ms: longer than the passes take.
const NEAR_MS: u64 = 60_000;
/// Keys a second that a pass gets through at least; sets how much longer than [`NEAR_MS`].
const PASS_KEYS_PER_S: u64 = 20_000;

impl Live {
    /// Releases expiries that are far off while everything goes on; the keys that stay held, and
    /// how often databases had changed places.
    pub(super) async fn release_far(
        &mut self,
        settler: &mut Settler,
        replier: &mut Replier,
        following: &Following,
    ) -> Result<(HashSet<Key>, u64), GivenUp> {
        if self.is_reversed {
            return Ok((HashSet::new(), 0));
        }
        replier.step("releasing expiries; the source is written to as before").await;
        let keys = self.checked.source.keys_total(&self.job.config);
        let far = Duration::from_millis(NEAR_MS) + Duration::from_secs(keys / PASS_KEYS_PER_S);
        self.released_until = Some(Instant::now() + far);
        for _ in 0..PASSES_MAX {
            let source_now = now_ms().saturating_add_signed(self.clock_skew_ms);
            let near = source_now.saturating_add(millis(far));
            hold_before(near, following).await?;
            let before = swaps(following).await?;
            let held = settler.pass(Pass::ReleaseFrom(near), &following.requests).await?;
            if swaps(following).await? == before {
                return Ok((held, before));
            }
        }
        Err(swapped())
    }

    /// Fails when keys may have expired on the target that a cutover has released, before what
    /// renews them was applied.
    ///
    /// # Errors
    /// They may have.
    pub(super) fn released_in_time(&self) -> Result<(), GivenUp> {
        match self.released_until.is_some_and(|until| Instant::now() >= until) {
            false => Ok(()),
            true => Err(GivenUp::failed(
                "too much time has passed since expiries were released: keys may have expired on \
                 the target that the source has renewed",
            )),
        }
    }

    /// After a cutover that was given up: everything is held again.
    pub async fn hold_again(&mut self, following: &mut Following) {
        let again = async {
            hold_before(u64::MAX, following).await?;
            let mut settler = Settler::connect(&self.job, &self.checked).await?;
            let before = swaps(following).await?;
            settler.pass(Pass::Hold, &following.requests).await?;
            if swaps(following).await? == before { Ok(()) } else { Err(swapped()) }
        };
        let again = again.await;
        self.not_held = again.is_err();
        if again.is_ok() && self.released_in_time().is_err() {
            let why = "keys may have expired on the target since a cutover was given up";
            self.copies_again = Some(String::from(why));
        }
        if again.is_ok() {
            self.released_until = None;
        }
        if let Err(GivenUp { why, .. }) = again {
            self.job.warn(format!("expiries on the target are not held any more: {why}"));
        }
    }
}

async fn hold_before(until_ms: u64, following: &Following) -> Result<(), GivenUp> {
    let (done, is_done) = oneshot::channel();
    let request = Request::HoldBefore(until_ms, done);
    let gone = || GivenUp::failed("nothing is being applied any more");
    following.requests.send(request).await.map_err(|_| gone())?;
    is_done.await.map_err(|_| gone())
}

/// How often databases have changed places.
pub(super) async fn swaps(following: &Following) -> Result<u64, GivenUp> {
    let (answer, answered) = oneshot::channel();
    let gone = || GivenUp::failed("nothing is being applied any more");
    following.requests.send(Request::Swaps(answer)).await.map_err(|_| gone())?;
    answered.await.map_err(|_| gone())
}

/// Keys of a database were missed, because it was another one before.
pub(super) fn swapped() -> GivenUp {
    GivenUp::failed("the source exchanged two databases (SWAPDB) while their expiries were changed")
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
