//! A live migration in which the target is a replica of the source: the servers do the work, we
//! attach, watch, and cut over.
//!
//! ```text
//!              REPLICAOF                                      REPLICAOF NO ONE
//! take_up ──────────────► COPYING ──► CATCHING_UP ──► LIVE ──────────────────► COMPLETED
//!    ▲                                                 │
//!    └── the target was restarted ◄── watch (INFO, ROLE of both ends)
//! ```
//!
//! Nothing of the source's stream passes through us: when our process ends, the target goes on
//! following. What we did to the target stands in the journal before it is done (see [`facts`]).

mod attach;
mod compare;
mod cutover;
mod facts;
mod lag;
mod look;
mod orders;
mod settings;
mod status;
mod watch;
mod way_back;

use std::sync::Arc;
use std::time::{Duration, Instant};

use ferrite_client::replication::ReplicationLink;
use tokio::time::sleep;

use self::compare::{Comparing, Comparison};
use self::facts::{Fact, Next, next};
use self::lag::Moments;
use self::watch::{Sample, Seen, Watcher};
use super::cutover::{READY_EVERY, Wanted};
use super::progress::{Progress, Side};
use super::run::{LIVE_LAG_MS, is_switching, journal_error, ticks, traffic_unknown};
use crate::config::Strategy;
use crate::engine::{Job, report};
use crate::error::MigrateError;
use crate::jobs::{JobDir, State, control};
use crate::preflight::Checked;
use crate::report::{Cutover, Event, Followed, Phase, Report};

pub use settings::{Before, Settings};

/// How long the target may take to begin to copy before that is told as trouble: a source waits
/// five seconds for other replicas (`repl-diskless-sync-delay`).
const BEGINS_WITHIN: Duration = Duration::from_secs(10);
/// Why this strategy is at work.
const REASON: &str = "asked for with --strategy replica: the target is a replica of the source";

/// A live migration by a replica that runs.
pub struct Replica {
    job: Arc<Job>,
    checked: Arc<Checked>,
    dir: JobDir,
    progress: Arc<Progress>,
    control: control::Server,
    /// What was done to the target last.
    fact: Fact,
    /// What was seen of the target before this moment is of no meaning any more.
    since: Instant,
    /// The target's settings as they were, with the password if this process has seen it.
    before: Option<Before>,
    source: Watcher,
    target: Watcher,
    moments: Moments,
    /// Compares both ends meanwhile, where that was asked for.
    comparison: Option<Arc<Comparison>>,
    /// Comparing that goes on.
    comparing: Option<Comparing>,
    /// A cutover that begins when it can, and who asked for it.
    waiting: Option<(Wanted, control::Replier)>,
    cutover: Option<Cutover>,
    /// What the way back begins with, after a cutover that has one.
    way_back: Option<ReplicationLink>,
    began: Instant,
    /// Whether the target was made a replica, and has not been seen with its link since: it copies
    /// everything then, be it too fast to be seen.
    must_copy: bool,
    copying_since: Option<Instant>,
    copy_ms: u64,
    /// Bytes of the RDB the target has, and how many there are.
    copied: (u64, Option<u64>),
    /// Since when the target neither copies nor has its link.
    unlinked_since: Option<Instant>,
    /// The sides whose trouble was told.
    told: [bool; 2],
    /// The state that was shown last.
    shown: Option<State>,
}

/// Runs a checked live migration to its end.
///
/// # Errors
/// Why it could not go on; it can be resumed then.
pub async fn run(job: Arc<Job>, checked: Checked, dir: JobDir) -> Result<Report, MigrateError> {
    let mut replica = Replica::new(job, checked, dir)?;
    let ended = replica.run().await;
    match replica.way_back.take() {
        Some(way_back) if ended.is_ok() => replica.go_back(way_back).await,
        _ => replica.end(ended),
    }
}

impl Replica {
    fn new(job: Arc<Job>, checked: Checked, mut dir: JobDir) -> Result<Self, MigrateError> {
        if is_switching(&dir) && !job.config.traffic_stayed {
            return Err(traffic_unknown(&job));
        }
        let fact = Fact::last(dir.journal());
        dir.transition(State::Attaching, None).map_err(journal_error)?;
        let control = control::Server::bind(&dir).map_err(journal_error)?;
        let progress = Arc::new(Progress::default());
        job.follow(Arc::clone(&progress));
        let checked = Arc::new(checked);
        let comparison = Comparison::new(&job, &checked, &progress).map(Arc::new);
        job.emit(Event::Strategy { strategy: Strategy::Replica.name(), reason: REASON.to_owned() });
        let mut replica = Self {
            source: Watcher::start(checked.source.connector.clone()),
            target: Watcher::start(checked.target.connector.clone()),
            job,
            checked,
            dir,
            progress,
            control,
            fact,
            since: Instant::now(),
            before: None,
            moments: Moments::default(),
            comparison,
            comparing: None,
            waiting: None,
            cutover: None,
            way_back: None,
            began: Instant::now(),
            must_copy: false,
            copying_since: None,
            copy_ms: 0,
            copied: (0, None),
            unlinked_since: None,
            told: [false; 2],
            shown: None,
        };
        replica.show(State::Attaching);
        Ok(replica)
    }

    /// Attaches, then watches until the run is over.
    async fn run(&mut self) -> Result<(), MigrateError> {
        self.take_up().await?;
        let mut ticks = ticks();
        let stop = Arc::clone(&self.job.stop);
        while self.way_back.is_none() {
            tokio::select! {
                () = stop.stopped() => return Ok(()),
                Ok(()) = self.source.seen.changed() => self.look_at_source(),
                Ok(()) = self.target.seen.changed() => self.look_at_target().await?,
                _ = ticks.tick() => self.tick()?,
                () = sleep(READY_EVERY), if self.waiting.is_some() => {
                    self.cut_over_when_ready().await?;
                }
                Some(order) = self.control.next() => self.order(order).await?,
            }
        }
        Ok(())
    }

    /// Takes in what the source said last.
    fn look_at_source(&mut self) {
        let seen = self.source.seen.borrow_and_update().clone();
        let trouble = match seen {
            Seen::Nothing => return,
            Seen::Told(sample) => {
                self.progress.set_replid(sample.replid());
                self.progress.set_received(sample.offset());
                self.moments.add(sample.offset(), sample.asked_ms);
                None
            }
            Seen::Loading => Some(String::from("the source loads its data")),
            Seen::Lost(why) => Some(format!("the source cannot be asked: {why}")),
        };
        self.progress.set_trouble(Side::Source, trouble);
    }

    /// Takes in what the target said last.
    async fn look_at_target(&mut self) -> Result<(), MigrateError> {
        let seen = self.target.seen.borrow_and_update().clone();
        match seen {
            Seen::Nothing => Ok(()),
            Seen::Loading => self.copies(self.copied, 0),
            Seen::Lost(why) => {
                let why = format!("the target cannot be asked: {why}");
                self.progress.set_trouble(Side::Target, Some(why));
                Ok(())
            }
            Seen::Told(sample) if sample.asked < self.since => Ok(()),
            Seen::Told(sample) => self.judge(&sample).await,
        }
    }

    /// What the target's role means for what goes on.
    async fn judge(&mut self, sample: &Sample) -> Result<(), MigrateError> {
        let found = sample.found(self.source_place()?);
        match next(&self.fact, &found, false) {
            Next::GoOn => {
                let attached = Fact::Attached(sample.run_id());
                if self.fact != attached {
                    self.record(State::Attaching, None, attached)?;
                }
                self.follow(sample)
            }
            Next::Attach(why) => self.attach_again(why).await,
            Next::Refuse(why) => Err(self.refused(&why)),
        }
    }

    /// Makes the target a replica once more; where that fails, it is tried again.
    async fn attach_again(&mut self, why: &'static str) -> Result<(), MigrateError> {
        self.progress.set_trouble(Side::Target, Some(why.to_owned()));
        self.tell_trouble();
        let attached = match self.checked.target.connector.connect().await {
            Ok(mut target) => self.attach(&mut target, why).await,
            Err(error) => Err(self.lost(&error)),
        };
        if let Err(error) = attached {
            let why = format!("{why}; {}: {}", error.doing, error.cause);
            self.progress.set_trouble(Side::Target, Some(why));
        }
        Ok(())
    }

    /// How a target that is a replica of the source gets on.
    fn follow(&mut self, sample: &Sample) -> Result<(), MigrateError> {
        if sample.is_copying() {
            let keys = if sample.is_loading() { sample.keys() } else { 0 };
            return self.copies(sample.copied(), keys);
        }
        if sample.is_linked() {
            return self.is_linked(sample);
        }
        let since = *self.unlinked_since.get_or_insert_with(Instant::now);
        let follows = matches!(self.dir.state(), State::CatchingUp | State::Live);
        if follows || since.elapsed() > BEGINS_WITHIN {
            self.progress.set_trouble(Side::Target, Some(self.why_unlinked(sample)?));
            self.source.connect_anew(true);
        }
        Ok(())
    }

    /// The target receives or loads the source's RDB.
    fn copies(&mut self, copied: (u64, Option<u64>), keys: u64) -> Result<(), MigrateError> {
        self.unlinked_since = None;
        self.progress.set_trouble(Side::Target, None);
        let state = self.dir.state();
        if state != State::Copying {
            let again = matches!(state, State::CatchingUp | State::Live);
            let why = again.then_some("the source has not kept what the target missed");
            self.enter(State::Copying, why)?;
            self.comparing = None;
            self.copying_since = Some(Instant::now());
        }
        self.copied = copied;
        self.job.done_so_far(keys, copied.0);
        Ok(())
    }

    /// The target has its link, and has what the RDB had.
    fn is_linked(&mut self, sample: &Sample) -> Result<(), MigrateError> {
        let source = self.progress.replid();
        if !source.is_empty() && source != sample.replid() {
            // A source that was restarted is followed by a new copy, which begins in a moment.
            let since = *self.unlinked_since.get_or_insert_with(Instant::now);
            if since.elapsed() > BEGINS_WITHIN {
                let (host, port) = self.source_place()?;
                let why = format!("the target follows {host}:{port}, which is not the source");
                self.progress.set_trouble(Side::Target, Some(why));
            }
            return Ok(());
        }
        self.unlinked_since = None;
        self.source.connect_anew(false);
        self.progress.set_trouble(Side::Target, None);
        if self.dir.state() == State::Attaching && self.must_copy {
            self.copies(self.copied, 0)?;
        }
        self.must_copy = false;
        if matches!(self.dir.state(), State::Attaching | State::Copying) {
            let took = self.copying_since.take().map(|since| since.elapsed());
            if let Some(took) = took {
                self.copy_ms += u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
                // What came after the last look belongs to it.
                self.copied.0 = self.copied.1.unwrap_or(self.copied.0);
                let (keys, bytes) = (sample.keys(), self.copied.0);
                self.job.tally(|tally| (tally.keys.copied, tally.bytes) = (keys, bytes));
            }
            self.enter(State::CatchingUp, None)?;
            self.comparing = self.comparison.as_ref().map(Comparison::start);
        }
        let applied = sample.applied();
        let level_at = self.moments.level_at(applied).unwrap_or(sample.asked_ms);
        self.progress.set_applied(applied, level_at);
        Ok(())
    }

    /// Why the target has no link to the source, as far as it says.
    fn why_unlinked(&self, sample: &Sample) -> Result<String, MigrateError> {
        let (host, port) = self.source_place()?;
        let doing = match sample.link.as_str() {
            "handshake" => "is not let in, or has to wait",
            "sync" => "waits for the source's RDB",
            _ => "cannot connect",
        };
        Ok(format!(
            "the target's link to {host}:{port} is down: it {doing}; its log says why (the address \
             as seen from there, user and password, TLS, PSYNC refused)"
        ))
    }

    /// Records a state, then enters it.
    fn enter(&mut self, state: State, reason: Option<&str>) -> Result<(), MigrateError> {
        self.dir.transition(state, reason).map_err(journal_error)?;
        self.show(state);
        Ok(())
    }

    /// Tells of a state that was entered.
    fn show(&mut self, state: State) {
        if self.shown.replace(state) == Some(state) {
            return;
        }
        let phase = match state {
            State::Attaching => Phase::Attaching,
            State::Copying => Phase::Copying,
            State::CatchingUp => Phase::CatchingUp,
            State::Live => Phase::Live,
            State::CuttingOver => Phase::CuttingOver,
            _ => Phase::Finished,
        };
        self.job.begin(phase, self.keys_total());
    }

    /// Once a second, and before a cutover: looks where it is, and writes it down.
    fn tick(&mut self) -> Result<(), MigrateError> {
        self.tell_trouble();
        let is_level = self.progress.lag_ms() < LIVE_LAG_MS && self.progress.trouble().is_empty();
        let is_known = !self.progress.replid().is_empty();
        if is_known && is_level && self.dir.state() == State::CatchingUp {
            self.enter(State::Live, None)?;
        }
        self.write_status();
        Ok(())
    }

    /// Tells of a side that has trouble, once, and once when that is over.
    fn tell_trouble(&mut self) {
        for side in Side::ALL {
            let reason = self.progress.trouble_of(side);
            if let Some(told) = self.told.get_mut(side as usize)
                && *told != reason.is_some()
            {
                *told = reason.is_some();
                self.job.emit(Event::Trouble { side: side.name(), reason });
            }
        }
    }

    /// Records how it ended.
    fn end(mut self, ended: Result<(), MigrateError>) -> Result<Report, MigrateError> {
        let is_over = self.dir.state().is_final();
        if !is_over {
            let (state, reason) = match &ended {
                Ok(()) => (State::Paused, String::from("stopped; the target follows by itself")),
                Err(error) => (State::Failed, error.to_string()),
            };
            self.dir.transition(state, Some(&reason)).map_err(journal_error)?;
        }
        self.write_status();
        self.job.begin(Phase::Finished, 0);
        let resume = format!("ferrite-migrate migrate --resume {}", self.job.id);
        ended.map_err(|mut error| {
            let hint = error.hint.take().filter(|hint| !hint.contains("--on-conflict"));
            error.hint = Some(match hint {
                Some(hint) if hint.contains("--resume") => hint,
                Some(hint) => format!("{hint}; then {resume}"),
                None => resume,
            });
            error
        })?;
        let (strategy, reason) = (Strategy::Replica, REASON.to_owned());
        let mut report =
            report(&self.job, &self.checked.report, strategy.name(), reason, self.copy_ms, None);
        report.interrupted = !is_over;
        report.live = Some(Followed {
            state: self.dir.state().name(),
            commands: 0,
            refetched: 0,
            applied_offset: self.progress.applied(),
            cutover: self.cutover.take(),
            verified: self.comparison.as_ref().map(|it| it.tally.report()),
            rounds: None,
        });
        Ok(report)
    }
}
