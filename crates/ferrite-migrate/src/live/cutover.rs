//! Makes the target the one to write to.
//!
//! ```text
//! follow        release the expiries that are far off, a slice at a time
//! writes held   CLIENT PAUSE … WRITE on the source; its offset; apply up to there;
//!               release the remaining expiries; the hook moves the traffic
//! after it      the source refuses writes; its pause is lifted
//! ```
//!
//! The pause ends by itself on the source when its time is up, so that a process that dies here
//! leaves nothing locked. When anything takes longer than its budget, or fails, the pause is
//! lifted and the job is LIVE again, as if nothing had been.

use std::collections::HashSet;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ferrite_client::{ClientError, Connection};
use serde_json::json;
use tokio::process::Command;
use tokio::sync::oneshot;

use super::apply::Request;
use super::marks::Key;
use super::run::{Following, Live};
use super::settle::{Pass, Settler};
use crate::engine::now_ms;
use crate::error::MigrateError;
use crate::jobs::State;
use crate::jobs::control::Replier;
use crate::report::{Cutover, ExitCode};
use crate::sources::redis_scan::source_error;

/// How long writes may be held back until the target has everything, unless told otherwise.
const MAX_PAUSE: Duration = Duration::from_secs(1);
/// How long the hook may take; writes are held back meanwhile.
const HOOK_MAX: Duration = Duration::from_secs(10);
/// What the source's pause lasts beyond what we need of it.
const PAUSE_SLACK: Duration = Duration::from_secs(1);
/// Expiries closer than this stay held until writes are, in ms: longer than the passes take.
const NEAR_MS: u64 = 60_000;
/// Keys a second that a pass gets through at least; sets how much longer than [`NEAR_MS`].
const PASS_KEYS_PER_S: u64 = 20_000;
/// How often it is looked whether a cutover that waits can begin.
pub const READY_EVERY: Duration = Duration::from_millis(100);
/// Output of the hook that is shown.
const HOOK_OUTPUT_MAX: usize = 500;
/// The number of good replicas no source has: with it, every write is refused.
const REPLICAS_FENCE: &str = "1000000";

/// What was asked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// How long writes may be held back until the target has everything, in ms.
    pub max_pause_ms: Option<u64>,
    /// Only tell whether it could be done.
    pub dry_run: bool,
    /// Wait until it can be done.
    pub when_ready: bool,
    /// A shell command that moves the traffic.
    pub hook: Option<String>,
}

/// Why a cutover was given up; the job goes on.
struct GivenUp {
    why: String,
    code: ExitCode,
}

impl GivenUp {
    fn failed(why: impl ToString) -> Self {
        Self { why: why.to_string(), code: ExitCode::Failed }
    }
}

impl From<MigrateError> for GivenUp {
    fn from(error: MigrateError) -> Self {
        Self::failed(error)
    }
}

impl Live {
    /// Cuts over, or tells why not.
    ///
    /// # Errors
    /// A job whose state cannot be recorded.
    pub async fn cut_over(
        &mut self,
        wanted: &Wanted,
        mut replier: Replier,
        following: &mut Following,
    ) -> Result<(), MigrateError> {
        let reasons = self.cutover_reasons();
        if wanted.when_ready && !wanted.dry_run && !reasons.is_empty() && self.waiting.is_none() {
            replier.step("waiting until the target has caught up").await;
            self.waiting = Some((wanted.clone(), replier));
            return Ok(());
        }
        if !reasons.is_empty() {
            replier.refuse(ExitCode::NotReady.into(), "not ready to cut over", reasons).await;
            return Ok(());
        }
        if wanted.dry_run {
            replier.done(json!({ "can_cutover": true, "lag_bytes": self.progress.lag_bytes() })).await;
            return Ok(());
        }
        self.enter(State::CuttingOver, None)?;
        match self.attempt(wanted, &mut replier, following).await {
            Ok(cutover) => {
                self.cutover = Some(cutover.clone());
                self.enter(State::Completed, None)?;
                // Not before that is recorded: without it, a job that is taken up again copies
                // everything over what the target has been given since.
                if let Ok(mut settler) = Settler::connect(&self.job, &self.checked).await {
                    settler.forget(&self.job).await;
                }
                self.write_status();
                self.job.stop.stop();
                replier.done(serde_json::to_value(cutover).unwrap_or_default()).await;
            }
            Err(GivenUp { why, code }) => {
                self.hold_again(following).await;
                self.enter(State::Live, Some(&format!("the cutover was given up: {why}")))?;
                let message = format!("the cutover was given up, the job is LIVE again: {why}");
                replier.refuse(code.into(), message, Vec::new()).await;
            }
        }
        Ok(())
    }

    /// Looks from time to time whether a cutover that waits can begin; begins it.
    ///
    /// # Errors
    /// A job whose state cannot be recorded.
    pub async fn cut_over_when_ready(
        &mut self,
        following: &mut Following,
    ) -> Result<(), MigrateError> {
        self.tick()?;
        if !self.cutover_reasons().is_empty() {
            return Ok(());
        }
        match self.waiting.take() {
            Some((wanted, replier)) => self.cut_over(&wanted, replier, following).await,
            None => Ok(()),
        }
    }

    /// Everything from the first expiry to the last.
    async fn attempt(
        &mut self,
        wanted: &Wanted,
        replier: &mut Replier,
        following: &mut Following,
    ) -> Result<Cutover, GivenUp> {
        replier.step("releasing expiries; the source is written to as before").await;
        let mut settler = Settler::connect(&self.job, &self.checked).await?;
        let mut held = self.release_far(&mut settler, following).await?;

        let connector = self.checked.source.connector.clone();
        let lost = |error: &ClientError| source_error(&connector, "holding writes back", error);
        let mut source = connector.connect().await.map_err(|error| lost(&error))?;
        let mut fence = Fence::new(&mut source, self.progress.replid());
        let max_pause = wanted.max_pause_ms.map_or(MAX_PAUSE, Duration::from_millis);
        let began = Instant::now();
        let fenced = async {
            let offset = fence.raise(max_pause + PAUSE_SLACK).await.map_err(|e| lost(&e))?;
            let drained = self.drain(offset, &mut held, &mut settler, following);
            match tokio::time::timeout(max_pause.saturating_sub(began.elapsed()), drained).await {
                Ok(released) => released.map(|released| (offset, released)),
                Err(_) => Err(GivenUp::failed(format!(
                    "the target did not have everything after {} ms, which is the most writes may \
                     be held back (--max-pause)",
                    max_pause.as_millis()
                ))),
            }
        };
        let (offset, expiries_released) = match fenced.await {
            Ok(drained) => drained,
            Err(given_up) => {
                fence.lower().await;
                return Err(given_up);
            }
        };
        let pause = began.elapsed();
        // What the source still sends (keys that expire there) is not the target's any more.
        // Dropped when this is given up, which lets the applier go on.
        let applier_waits = super::settle::pause(&following.requests).await;
        replier.step(format!("the target has everything; writes held back for {}", ms(pause))).await;
        let hook = match &wanted.hook {
            Some(hook) => match self.switch(hook, &mut fence, max_pause, replier).await {
                Ok(took) => Some(took),
                Err(given_up) => {
                    fence.lower().await;
                    return Err(given_up);
                }
            },
            None => None,
        };
        if let Err(given_up) = fence.check() {
            fence.lower().await;
            return Err(given_up);
        }
        let source_fence = fence.close().await;
        if source_fence.is_none() {
            self.job.warn(
                "the source cannot be kept from taking writes (CONFIG SET is refused there): stop \
                 whatever still writes to it",
            );
        }
        self.applier_waits = Some(applier_waits);
        Ok(Cutover {
            pause_us: micros(pause),
            hook_us: hook.map(micros),
            offset,
            expiries_released,
            source_fence,
        })
    }

    /// Releases the expiries that are far off; the keys that stay held.
    async fn release_far(
        &self,
        settler: &mut Settler,
        following: &Following,
    ) -> Result<HashSet<Key>, GivenUp> {
        let keys = self.checked.source.keys_total(&self.job.config);
        let source_now = now_ms().saturating_add_signed(self.clock_skew_ms);
        let near = source_now + NEAR_MS + keys / PASS_KEYS_PER_S * 1000;
        hold_before(near, following).await?;
        Ok(settler.pass(Pass::ReleaseFrom(near), &following.requests).await?)
    }

    /// Brings the target to the offset at which writes were held back, and releases what is held.
    async fn drain(
        &self,
        offset: u64,
        held: &mut HashSet<Key>,
        settler: &mut Settler,
        following: &Following,
    ) -> Result<u64, GivenUp> {
        self.progress.reaches(offset).await;
        let (answer, answered) = oneshot::channel();
        let gone = || GivenUp::failed("nothing is being applied any more");
        following.requests.send(Request::Held(answer)).await.map_err(|_| gone())?;
        held.extend(answered.await.map_err(|_| gone())?);
        Ok(settler.release(held).await?)
    }

    /// Runs the hook that moves the traffic; how long it took.
    async fn switch(
        &self,
        hook: &str,
        fence: &mut Fence<'_>,
        max_pause: Duration,
        replier: &mut Replier,
    ) -> Result<Duration, GivenUp> {
        replier.step(format!("running the hook: {hook}")).await;
        fence.check()?;
        let lost = |error: ClientError| GivenUp::failed(format!("holding writes back: {error}"));
        fence.raise(HOOK_MAX + max_pause + PAUSE_SLACK).await.map_err(lost)?;
        let began = Instant::now();
        let running = Command::new("sh")
            .args(["-c", hook])
            .env("FERRITE_JOB", &self.job.id)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = match tokio::time::timeout(HOOK_MAX, running).await {
            Ok(Ok(output)) => output,
            Ok(Err(error)) => return Err(GivenUp::failed(format!("the hook cannot run: {error}"))),
            Err(_) => {
                let most = HOOK_MAX.as_secs();
                return Err(GivenUp::failed(format!("the hook took more than {most} s")));
            }
        };
        if output.status.success() {
            return Ok(began.elapsed());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(HOOK_OUTPUT_MAX).collect();
        Err(GivenUp::failed(format!("the hook failed ({}): {said}", output.status)))
    }

    /// After a cutover that was given up: everything is held again.
    pub async fn hold_again(&mut self, following: &mut Following) {
        let again = async {
            hold_before(u64::MAX, following).await?;
            let mut settler = Settler::connect(&self.job, &self.checked).await?;
            settler.pass(Pass::Hold, &following.requests).await?;
            Ok::<_, GivenUp>(())
        };
        let again = again.await;
        self.not_held = again.is_err();
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

/// Keeps the source from being written to.
struct Fence<'a> {
    connection: &'a mut Connection,
    /// The history that was followed.
    replid: String,
    /// When writes go through again by themselves.
    up_until: Instant,
}

impl<'a> Fence<'a> {
    /// Not raised yet.
    fn new(connection: &'a mut Connection, replid: String) -> Self {
        Self { connection, replid, up_until: Instant::now() }
    }

    /// Holds writes back for this long at most, counted anew with every call; the source's offset
    /// from here on.
    async fn raise(&mut self, at_most: Duration) -> Result<u64, ClientError> {
        let ms = at_most.as_millis().to_string();
        let began = Instant::now();
        self.connection.call(&["CLIENT", "PAUSE", &ms, "WRITE"]).await?;
        self.up_until = began + at_most;
        self.same_history().await?;
        let role = self.connection.call(&["ROLE"]).await?;
        let words = role.as_array().unwrap_or_default();
        let is_master = words.first().and_then(ferrite_client::Value::as_str) == Some("master");
        let offset = words.get(1).filter(|_| is_master).and_then(ferrite_client::Value::as_int);
        offset.and_then(|offset| u64::try_from(offset).ok()).ok_or_else(|| {
            ClientError::Unexpected {
                address: self.connection.address().to_owned(),
                doing: String::from("asking for its offset (ROLE)"),
                what: String::from("it is not the master, which alone takes writes"),
            }
        })
    }

    /// A source that was restarted counts its offsets anew: they say nothing about the target.
    async fn same_history(&mut self) -> Result<(), ClientError> {
        let info = self.connection.call(&["INFO", "replication"]).await?;
        let info = String::from_utf8_lossy(info.as_bytes().unwrap_or_default()).into_owned();
        let replid = info.lines().find_map(|line| line.strip_prefix("master_replid:"));
        if replid.is_none_or(|replid| replid.trim_end() == self.replid) {
            return Ok(());
        }
        Err(ClientError::Unexpected {
            address: self.connection.address().to_owned(),
            doing: String::from("asking for its history (INFO replication)"),
            what: String::from("another history than was followed: it was restarted or promoted"),
        })
    }

    /// Fails when writes may have gone through since the offset was asked for.
    fn check(&self) -> Result<(), GivenUp> {
        if Instant::now() < self.up_until {
            return Ok(());
        }
        Err(GivenUp::failed("writes went through again before everything was done"))
    }

    /// Lets writes through again. Should that fail, the source does it when the time is up.
    async fn lower(&mut self) {
        let _ = self.connection.call(&["CLIENT", "UNPAUSE"]).await;
    }

    /// Has the source refuse writes from now on, those that wait included; how.
    async fn close(&mut self) -> Option<String> {
        let setting = ["CONFIG", "SET", "min-replicas-to-write", REPLICAS_FENCE];
        let refused = self.connection.call(&setting).await.is_err();
        self.lower().await;
        (!refused).then(|| format!("min-replicas-to-write {REPLICAS_FENCE}"))
    }
}

fn ms(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1000.0)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
