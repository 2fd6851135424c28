//! Makes the target the one to write to, where an end is a cluster.
//!
//! ```text
//! hold   CLIENT PAUSE … WRITE on every primary of the source, at the same time
//! drain  every stream to where its primary was then
//! look   the same primaries as before, and the same servers on the target
//! switch the hook moves the traffic
//! close  every primary refuses writes, and the replicas that may take over from one
//! ```
//!
//! What any of them does not do, or not in time, gives the whole cutover up: all let writes through
//! again. No expiry was held, so none has to be released.

use std::time::{Duration, Instant};

use serde_json::json;

use super::fences::Fences;
use super::nodes::{self, Primary};
use super::watch::why_replaced;
use crate::jobs::State;
use crate::jobs::control::Replier;
use crate::live::cutover::{
    GivenUp, HOOK_MAX, MAX_PAUSE, PAUSE_SLACK, Wanted, in_time, micros, ms, no_way_back, run_hook,
};
use crate::live::run::{Following, Live};
use crate::live::settle::pause;
use crate::live::verify::Work;
use crate::report::Cutover;
use crate::sources::redis_scan::source_error;

impl Live {
    /// Everything from holding writes back to letting the old source refuse them.
    pub(in crate::live) async fn attempt_by_shards(
        &mut self,
        wanted: &Wanted,
        mut work: Option<&mut Work>,
        replier: &mut Replier,
        following: &mut Following,
    ) -> Result<Cutover, GivenUp> {
        self.compare_ahead(work.as_deref_mut(), replier, following).await?;
        self.known_shards().back = None;
        if wanted.reverse && !self.is_reversed {
            let back = self.prepare_back().await.map_err(no_way_back)?;
            self.known_shards().back = Some(back);
        }
        let primaries = self.followed_primaries().await?;
        let mut fences = Fences::connect(&primaries).await?;
        let switched = self.switch_shards(wanted, work, &mut fences, replier, following).await;
        if switched.is_err() {
            fences.lower().await;
            self.applier_waits = None;
            self.known_shards().back = None;
        }
        switched
    }

    /// The part during which writes are held back, to the end of which the old source refuses
    /// them, or has only ours.
    async fn switch_shards(
        &mut self,
        wanted: &Wanted,
        work: Option<&mut Work>,
        fences: &mut Fences,
        replier: &mut Replier,
        following: &mut Following,
    ) -> Result<Cutover, GivenUp> {
        let max_pause = wanted.max_pause_ms.map_or(MAX_PAUSE, Duration::from_millis);
        replier.step("holding writes back on all primaries").await;
        let began = Instant::now();
        let offsets = fences.raise(max_pause + PAUSE_SLACK, max_pause).await?;
        let drained = async {
            self.progress.reaches_all(&offsets).await;
            self.last_look(work, following).await?;
            self.look_once_more().await
        };
        in_time(drained, max_pause, began, following).await?;
        let paused = began.elapsed();
        // What the source still sends (keys that expire there) is not the target's any more.
        // Dropped when this is given up, which lets the applier go on.
        self.applier_waits = Some(pause(&following.requests).await);
        replier.step(format!("everything has arrived; writes held back for {}", ms(paused))).await;
        if let Some(back) = &mut self.known_shards().back {
            back.mark().await?;
        }
        let mut hook_us = None;
        if let Some(hook) = &wanted.hook {
            replier.step(format!("running the hook: {hook}")).await;
            fences.check()?;
            // From here on it is not known where the traffic goes until the hook has ended well.
            let detail = json!({ "switching": true });
            let recorded = self.dir.transition_with(self.dir.state(), None, detail);
            recorded.map_err(GivenUp::failed)?;
            fences.raise(HOOK_MAX + max_pause + PAUSE_SLACK, max_pause).await?;
            hook_us = Some(micros(run_hook(hook, &self.job.id).await?));
        }
        let reverse = self.known_shards().back.is_some();
        let closed = match reverse {
            true => fences.leave_open(&self.job).await.map(|()| None),
            false => fences.close(&self.job, &self.checked.source).await,
        };
        let (source_fence, source_fence_before) = closed?.unzip();
        Ok(Cutover {
            pause_us: micros(paused),
            hook_us,
            offset: offsets.iter().sum(),
            expiries_released: 0,
            source_fence,
            source_fence_before,
            reverse,
        })
    }

    /// The primaries of the source, in the order of the streams: exactly those that are followed.
    async fn followed_primaries(&self) -> Result<Vec<Primary>, GivenUp> {
        let source = &self.checked.source;
        let now = nodes::primaries(source).await;
        let now =
            now.map_err(|error| source_error(&source.connector, "looking who owns what", &error))?;
        let followed = self.shards.iter().flat_map(|shards| &shards.sources);
        let followed: Vec<Primary> = followed
            .filter_map(|known| now.iter().find(|one| one.replid == known.replid).cloned())
            .collect();
        let all = self.shards.as_ref().map_or(0, |shards| shards.sources.len());
        match followed.len() == now.len() && followed.len() == all {
            true => Ok(followed),
            false => Err(GivenUp::failed(
                "the primaries of the source are not those that are followed: one took over from \
                 another, joined or left",
            )),
        }
    }

    /// Both ends are what they were.
    async fn look_once_more(&self) -> Result<(), GivenUp> {
        self.followed_primaries().await?;
        let target = &self.checked.target;
        let now = nodes::primaries(target).await;
        let now = now.map_err(|error| {
            crate::targets::redis::target_error("looking who it is", &target.connector, &error)
        })?;
        let known = self.shards.as_ref().map(|shards| {
            shards.target.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
        });
        match why_replaced(&known.unwrap_or_default(), &now) {
            Some(why) => Err(GivenUp::failed(why)),
            None => Ok(()),
        }
    }

    /// The traffic has moved: where there is a way back, follows it.
    pub(in crate::live) fn take_back(&mut self) -> Option<super::back::Back> {
        self.shards.as_mut()?.back.take()
    }

    /// The state in which a cutover can begin, and the one in which it is under way.
    pub(in crate::live) fn cutover_states(&self) -> (State, State) {
        match self.is_reversed {
            false => (State::Live, State::CuttingOver),
            true => (State::CutOver, State::RollingBack),
        }
    }
}
