//! What is said: everything a run tells goes through [`Output`], which says it to people, in JSON,
//! or both.

mod analysis;
mod analysis_html;
mod check;
mod job;
mod job_list;
mod json;
mod live;
mod migration;
mod rdb_file;
mod shared;
mod source_analysis;
mod table;
mod verification;

use std::io::{self, IsTerminal};

pub use analysis::KeyTable;
pub use analysis_html::analysis_page;
use ferrite_migrate::{Config, Event, Report, SharedStatus, Status, VerificationReport};

use crate::args::OutputArgs;
use crate::term::clean::clean;
use crate::term::color::Palette;
use crate::term::error::Failure;
use crate::term::screen::Screen;

/// How a worker that was interrupted is taken up again.
const SHARED_RETRY: &str = "the others go on; the same command takes part again";

/// Both ends of a run, as they may be shown.
pub struct Route {
    source: String,
    target: String,
}

impl Route {
    fn new(config: &Config) -> Self {
        Self {
            source: clean(&config.source.to_string()),
            target: clean(&config.target.address.to_string()),
        }
    }
}

/// Where everything is said. `--json` changes stdout alone: stderr is for people in any case.
pub struct Output {
    screen: Screen,
    json: bool,
    verbose: bool,
    result_palette: Palette,
    line_palette: Palette,
}

impl Output {
    /// As the command line wants it.
    pub fn new(options: OutputArgs) -> Self {
        Self {
            screen: Screen::new(),
            json: options.json,
            verbose: options.verbose,
            result_palette: options.color.palette(io::stdout().is_terminal()),
            line_palette: options.color.palette(io::stderr().is_terminal()),
        }
    }

    /// Whether more is to be said than usual.
    pub fn is_verbose(&self) -> bool {
        self.verbose
    }

    /// Where the lines go.
    pub fn screen(&self) -> &Screen {
        &self.screen
    }

    /// A line that is not the result.
    pub fn line(&self, text: &str) {
        self.screen.line(text);
    }

    /// A run begins.
    pub fn begin(&self, id: &str, config: &Config) {
        let Route { source, target } = Route::new(config);
        self.line(&format!("{}: {source} → {target}", self.line_palette.bold(&clean(id))));
    }

    /// Something happened.
    pub fn event(&self, event: &Event) {
        self.object(event);
        let palette = self.line_palette;
        match event {
            Event::Preflight(report) => self.line(&check::text(report, self.verbose, palette)),
            Event::Strategy { strategy, reason } => {
                self.line(&format!("strategy: {}: {}", clean(strategy), clean(reason)));
            }
            Event::Warning { message } => {
                self.line(&format!("{} {}", palette.warn("warning:"), clean(message)));
            }
            Event::Trouble { side, reason: Some(reason) } => {
                let warning = palette.warn("warning:");
                self.line(&format!(
                    "{warning} the {} keeps it waiting: {}",
                    clean(side),
                    clean(reason)
                ));
            }
            Event::Trouble { side, reason: None } => {
                self.line(&format!("the {} no longer keeps it waiting", clean(side)));
            }
            // The run is announced by `begin`, and its stages show in the progress.
            _ => {}
        }
    }

    /// A status is due in JSON; people have the progress.
    pub fn status(&self, status: &Status) {
        self.object(&json::Tagged::new("status", status));
    }

    /// A migration reached its end; gives the exit code.
    pub fn migration(&self, report: &Report, config: &Config) -> u8 {
        let exit_code = report.exit_code().into();
        self.screen.finish();
        if self.json {
            self.object(&json::Tagged::ending("report", report, exit_code));
        } else {
            let route = Route::new(config);
            let retry = match report.live {
                _ if report.shared.is_some() => String::from(SHARED_RETRY),
                Some(_) => format!("ferrite-migrate migrate --resume {}", clean(&report.id)),
                None => migration::retry(config.on_conflict, config.dry_run).to_owned(),
            };
            self.screen.result(&migration::text(report, &route, &retry, self.result_palette));
        }
        exit_code
    }

    /// How far a job is that several machines share.
    pub fn shared(&self, status: &SharedStatus) {
        match self.json {
            true => self.object(&json::Tagged::new("shared", status)),
            false => self.screen.result(&shared::status(status, self.result_palette)),
        }
    }

    /// A comparison reached its end; gives the exit code.
    pub fn verification(&self, report: &VerificationReport) -> u8 {
        let exit_code = report.exit_code().into();
        self.screen.finish();
        if self.json {
            self.object(&json::Tagged::ending("report", report, exit_code));
        } else {
            self.screen.result(&verification::text(report, self.result_palette));
        }
        exit_code
    }

    /// A command failed; gives the exit code.
    pub fn failure(&self, failure: &Failure) -> u8 {
        self.screen.finish();
        self.object(&json::Tagged::new("error", failure));
        self.line(&failure.text(self.line_palette));
        failure.exit_code
    }

    /// Whether the result is wanted as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// What a command ends with, as JSON.
    pub fn ending(&self, report: &impl serde::Serialize, exit_code: u8) {
        self.object(&json::Tagged::ending("report", report, exit_code));
    }

    fn object(&self, object: &impl serde::Serialize) {
        if self.json {
            self.screen.result(&json::line(object));
        }
    }
}
