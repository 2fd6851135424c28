//! Progress: a bar on a terminal, a line every few seconds elsewhere, never both.

use std::time::{Duration, Instant};

use ferrite_migrate::{Phase, Status};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::meter::Meter;
use super::screen::Screen;
use super::units::{bytes, count, per_second};

/// How often [`Progress::show`] wants to be called.
pub const PERIOD: Duration = Duration::from_millis(100);
/// How often a line is written where there is no bar, and a status where JSON is asked for.
const STATUS_EVERY: Duration = Duration::from_secs(5);

/// A line at the bottom of stderr, not shown before its first figures.
pub fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
        bar.set_style(style);
    }
    bar
}

/// Shows the progress of one run.
#[derive(Debug)]
pub struct Progress {
    screen: Screen,
    meter: Meter,
    written: Instant,
}

impl Progress {
    /// Begins; `is_total_known` says whether all keys of the source will be done.
    pub fn new(screen: Screen, is_total_known: bool) -> Self {
        Self { screen, meter: Meter::new(is_total_known), written: Instant::now() }
    }

    /// Shows the progress of this moment; says whether a status in JSON is due, too.
    pub fn show(&mut self, status: &Status) -> bool {
        let is_due = self.written.elapsed() >= STATUS_EVERY;
        if is_due {
            self.written = Instant::now();
        }
        if status.phase == Phase::Finished {
            return false;
        }
        let figures = self.meter.measure(status);
        match self.screen.bar() {
            Some(bar) => bar.set_message(figures.bar()),
            None if is_due => self.screen.line(&figures.line()),
            None => {}
        }
        is_due
    }
}

/// Shows how far a file is that is being written.
#[derive(Debug)]
pub struct FileProgress {
    screen: Screen,
    began: Instant,
    written: Instant,
}

impl FileProgress {
    /// Begins.
    pub fn new(screen: Screen) -> Self {
        Self { screen, began: Instant::now(), written: Instant::now() }
    }

    /// Shows how many keys and bytes are written.
    pub fn show(&mut self, keys: u64, size: u64) {
        let is_due = self.written.elapsed() >= STATUS_EVERY;
        if is_due {
            self.written = Instant::now();
        }
        if self.screen.bar().is_none() && !is_due || keys == 0 {
            return;
        }
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let rate = bytes(per_second(size, ms));
        let text = format!("WRITING  {} keys  {}  {rate}/s", count(keys), bytes(size));
        match self.screen.bar() {
            Some(bar) => bar.set_message(text),
            None => self.screen.line(&text),
        }
    }
}
