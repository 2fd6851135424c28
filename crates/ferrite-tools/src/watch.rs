//! Follows a run to its end: shows its events and its progress, and passes on signals.

use std::pin::pin;

use ferrite_migrate::{
    Coverage, Event, MigrateError, Migration, Phase, RdbProgress, Report, Status, Stopper,
    VerificationReport,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Interval, MissedTickBehavior, interval};

use crate::render::Output;
use crate::term::error::Failure;
use crate::term::progress::{FileProgress, PERIOD, Progress};
use crate::term::screen::Screen;
use crate::term::signals::Signals;

/// Watches one run.
pub struct Watch<'a> {
    output: &'a Output,
    progress: Progress,
    events: Option<UnboundedReceiver<Event>>,
    signals: Signals,
    ticks: Interval,
    stopper: Stopper,
    is_stopping: bool,
    are_checks_shown: bool,
    /// The id of a migration that outlives its process.
    live: Option<String>,
    is_live_told: bool,
}

/// What happened next.
enum Wake<T> {
    Ended(Result<T, MigrateError>),
    Event(Event),
    Tick,
    Signal,
}

impl<'a> Watch<'a> {
    /// Begins to watch; from here on, signals no longer kill the process.
    pub fn new(
        migration: &mut Migration,
        output: &'a Output,
        is_total_known: bool,
    ) -> Result<Self, Failure> {
        let signals = Signals::new()
            .map_err(|error| Failure::system("taking over the handling of signals", &error))?;
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        Ok(Self {
            output,
            progress: Progress::new(output.screen().clone(), is_total_known),
            events: migration.events(),
            signals,
            ticks,
            stopper: migration.stopper(),
            is_stopping: false,
            are_checks_shown: false,
            live: None,
            is_live_told: false,
        })
    }

    /// The migration of this id outlives its process.
    #[must_use]
    pub fn resumable(self, id: &str) -> Self {
        Self { live: Some(id.to_owned()), ..self }
    }

    /// Makes the checks and begins to copy. Nothing is written before this ends, so that a signal
    /// can end it at once.
    pub async fn start(&mut self, migration: &mut Migration) -> Result<(), Failure> {
        let mut work = pin!(migration.start());
        loop {
            match self.next(work.as_mut()).await {
                Wake::Ended(result) => return self.ended(result),
                Wake::Event(event) => self.event(&event),
                Wake::Tick => {}
                Wake::Signal => {
                    let doing = "the checks before the run";
                    let left = "interrupted; nothing was written";
                    return Err(self.with_resume(Failure::interrupted(doing, left, 0)));
                }
            }
        }
    }

    /// Waits for the end of the copy.
    pub async fn wait(&mut self, migration: &mut Migration) -> Result<Report, Failure> {
        loop {
            match self.next(migration.wait()).await {
                Wake::Ended(result) => return self.ended(result),
                Wake::Event(event) => self.event(&event),
                Wake::Tick => self.tick(&migration.status()),
                Wake::Signal => self.signal(&migration.status())?,
            }
        }
    }

    /// Compares both ends.
    pub async fn verify(
        &mut self,
        migration: &Migration,
        coverage: Coverage,
    ) -> Result<VerificationReport, Failure> {
        let mut work = pin!(migration.verify_coverage(coverage));
        loop {
            match self.next(work.as_mut()).await {
                Wake::Ended(result) => return self.ended(result),
                Wake::Event(event) => self.event(&event),
                Wake::Tick => self.tick(&migration.status()),
                Wake::Signal => self.signal(&migration.status())?,
            }
        }
    }

    async fn next<T>(&mut self, work: impl Future<Output = Result<T, MigrateError>>) -> Wake<T> {
        tokio::select! {
            biased;
            () = self.signals.next() => Wake::Signal,
            Some(event) = next_event(self.events.as_mut()) => Wake::Event(event),
            result = work => Wake::Ended(result),
            _ = self.ticks.tick() => Wake::Tick,
        }
    }

    /// Shows what happened right before the end.
    fn ended<T>(&mut self, result: Result<T, MigrateError>) -> Result<T, Failure> {
        while let Some(event) = self.events.as_mut().and_then(|events| events.try_recv().ok()) {
            self.event(&event);
        }
        if let Err(MigrateError { preflight: Some(checks), .. }) = &result
            && !self.are_checks_shown
        {
            self.event(&Event::Preflight(checks.clone()));
        }
        result.map_err(Failure::from)
    }

    fn event(&mut self, event: &Event) {
        self.are_checks_shown |= matches!(event, Event::Preflight(_));
        self.output.event(event);
        let is_live = matches!(event, Event::Phase { phase: Phase::Live });
        if let Some(id) = self.live.as_ref().filter(|_| is_live && !self.is_live_told) {
            self.output.line(&format!(
                "the target follows the source; to make it the one to write to: ferrite-migrate \
                 cutover --id {id}"
            ));
            self.is_live_told = true;
        }
    }

    /// The command that goes on, where there is one.
    fn with_resume(&self, failure: Failure) -> Failure {
        match &self.live {
            Some(id) => failure.or_hint(format!("ferrite-migrate migrate --resume {id}")),
            None => failure,
        }
    }

    fn tick(&mut self, status: &Status) {
        if self.progress.show(status) {
            self.output.status(status);
        }
    }

    fn signal(&mut self, status: &Status) -> Result<(), Failure> {
        let (left, keys_copied) = match (&self.live, status.phase) {
            (Some(_), _) => (LIVE_LEFT, 0),
            (None, Phase::Verifying) => (VERIFY_LEFT, 0),
            (None, Phase::Loading) => (LOADING_LEFT, 0),
            (None, _) => (COPY_LEFT, status.keys_done),
        };
        if self.is_stopping {
            let failure = Failure::interrupted(left.doing, left.state, keys_copied);
            let failure = match left.hint {
                Some(hint) => failure.or_hint(hint),
                None => failure,
            };
            return Err(self.with_resume(failure));
        }
        self.is_stopping = true;
        self.stopper.stop();
        self.output.line(left.stopping);
        Ok(())
    }
}

/// What is said when the operator interrupts.
#[derive(Clone, Copy)]
struct Left {
    /// At the first signal.
    stopping: &'static str,
    /// What was being done, at the second.
    doing: &'static str,
    /// What it leaves behind, at the second.
    state: &'static str,
    /// What to do about that.
    hint: Option<&'static str>,
}

const COPY_LEFT: Left = Left {
    stopping: "stopping: what is on its way still arrives; Ctrl-C again leaves at once",
    doing: "copying",
    state: "interrupted without waiting; the last batches may or may not have arrived, \
            no key is half-written",
    hint: None,
};

const LOADING_LEFT: Left = Left {
    stopping: "stopping: the target lets go of the file; Ctrl-C again leaves at once",
    doing: "having the target load the file",
    state: "interrupted without waiting; the target may be a replica of this process, which is gone, \
            and has all of the file or nothing",
    hint: Some(
        "REPLICAOF NO ONE on the target, and masterauth, masteruser, tls-replication and \
         repl-diskless-load as they were (a restart does all of that)",
    ),
};

const LIVE_LEFT: Left = Left {
    stopping: "stopping: what is on its way still arrives; Ctrl-C again leaves at once",
    doing: "following the source",
    state: "interrupted without waiting; the target knows how far it is, no key is half-written",
    hint: None,
};

const VERIFY_LEFT: Left = Left {
    stopping: "stopping: the report will say what was compared; Ctrl-C again leaves at once",
    doing: "comparing",
    state: "interrupted without waiting; a comparison writes nothing",
    hint: None,
};

async fn next_event(events: Option<&mut UnboundedReceiver<Event>>) -> Option<Event> {
    match events {
        Some(events) => events.recv().await,
        None => None,
    }
}

/// Writes a file, and shows how far it is, unless a signal comes first: there is no file then.
///
/// # Errors
/// That of the work, or that it was interrupted.
pub async fn write_file<T, E: Into<Failure>>(
    work: impl Future<Output = Result<T, E>>,
    doing: &str,
    progress: &RdbProgress,
    screen: &Screen,
) -> Result<T, Failure> {
    let mut signals = Signals::new()
        .map_err(|error| Failure::system("taking over the handling of signals", &error))?;
    let mut shown = FileProgress::new(screen.clone());
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut work = pin!(work);
    loop {
        tokio::select! {
            biased;
            () = signals.next() => {
                return Err(Failure::interrupted(doing, "interrupted; there is no new file", 0));
            }
            _ = ticks.tick() => shown.show(progress.keys(), progress.bytes()),
            done = &mut work => return done.map_err(Into::into),
        }
    }
}
