//! Why a command failed, in the words and the number that a person or a script needs.

use ferrite_migrate::{
    Check, CheckStatus, ConfigError, ErrorKind, ExitCode, JobError, MigrateError, PreflightReport,
};
use serde::Serialize;

use super::clean::{clean, clean_lines};
use super::color::Palette;
use super::units::count;

/// The kind of a [`Failure`] of what can be done later.
pub const NOT_READY: &str = "not_ready";

/// A failure of a command, whatever it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The kind in one word; part of the JSON interface.
    pub kind: &'static str,
    /// What was being done, to which address or key.
    pub doing: Box<str>,
    /// Why it failed.
    pub cause: String,
    /// The same in a few words, where cause and hint have been shown to people already.
    #[serde(skip)]
    pub shown_above: Option<Box<str>>,
    /// What to do next.
    pub hint: Option<Box<str>>,
    /// The cause in detail, where it has several parts.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub reasons: Box<[String]>,
    /// Keys that are complete on the target.
    pub keys_copied: u64,
    /// Whether any of those may be wrong.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_doubtful: bool,
    /// The exit code.
    pub exit_code: u8,
}

impl Failure {
    /// A command line or an environment that cannot be used.
    pub fn usage(doing: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            kind: "config",
            doing: doing.into().into(),
            cause: cause.into(),
            shown_above: None,
            hint: None,
            reasons: Box::default(),
            keys_copied: 0,
            is_doubtful: false,
            exit_code: ExitCode::Usage.into(),
        }
    }

    /// The operator did not wait for the end.
    pub fn interrupted(doing: &str, what_is_left: &str, keys_copied: u64) -> Self {
        Self {
            kind: "interrupted",
            doing: doing.into(),
            cause: what_is_left.to_owned(),
            shown_above: None,
            hint: None,
            reasons: Box::default(),
            keys_copied,
            is_doubtful: false,
            exit_code: ExitCode::Interrupted.into(),
        }
    }

    /// The machine does not give what we need to begin.
    pub fn system(doing: &str, cause: &std::io::Error) -> Self {
        let exit_code = ExitCode::Failed.into();
        Self { kind: "internal", exit_code, ..Self::usage(doing, cause.to_string()) }
    }

    /// A job did not do what it was told.
    pub fn refused(cause: impl Into<String>, reasons: Vec<String>, exit_code: u8) -> Self {
        let is_early = exit_code == u8::from(ExitCode::NotReady);
        let kind = if is_early { NOT_READY } else { "refused" };
        let reasons = reasons.into();
        Self { kind, reasons, exit_code, ..Self::usage("", cause) }
    }

    /// The same failure with what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into().into());
        self
    }

    /// The same failure with what to do next, unless it says so already.
    #[must_use]
    pub fn or_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into().into());
        self
    }

    /// For people: `error:`, what is safe, `hint:`.
    pub fn text(&self, palette: Palette) -> String {
        let mut text = format!("{} ", palette.bad("error:"));
        if !self.doing.is_empty() {
            text += &format!("{}: ", clean(&self.doing));
        }
        if let Some(short) = &self.shown_above {
            return text + &clean(short);
        }
        text += &clean_lines(&self.cause);
        for reason in &self.reasons {
            text += &format!("\n       {}", clean(reason));
        }
        if self.keys_copied > 0 {
            let keys = count(self.keys_copied);
            let how = match self.is_doubtful {
                true => ", and any of them may be wrong",
                false => "; they are complete",
            };
            text += &format!("\n       {keys} keys were copied by then{how}");
        }
        if let Some(hint) = &self.hint {
            text += &format!("\n{} {}", palette.bold("hint:"), clean_lines(hint));
        }
        text
    }
}

impl From<MigrateError> for Failure {
    fn from(error: MigrateError) -> Self {
        Self {
            kind: kind_name(error.kind),
            exit_code: error.exit_code().into(),
            doing: error.doing.into(),
            cause: error.cause,
            shown_above: error.preflight.as_ref().map(blocked_by),
            hint: error.hint.or_else(|| error.preflight.as_ref().and_then(fixes)).map(Into::into),
            reasons: Box::default(),
            keys_copied: error.keys_copied,
            is_doubtful: error.is_doubtful,
        }
    }
}

fn blockers(report: &PreflightReport) -> impl Iterator<Item = &Check> {
    report.checks.iter().filter(|check| check.status == CheckStatus::Block)
}

/// The list of checks has told people the rest.
fn blocked_by(report: &PreflightReport) -> Box<str> {
    let names = blockers(report).map(|check| check.name).collect::<Vec<_>>().join(", ");
    format!("blocked by {names} (see above); nothing was written").into()
}

fn fixes(report: &PreflightReport) -> Option<String> {
    let fixes: Vec<_> = blockers(report).filter_map(|check| check.fix.as_deref()).collect();
    (!fixes.is_empty()).then(|| fixes.join("; "))
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        MigrateError::from(error).into()
    }
}

impl From<JobError> for Failure {
    fn from(error: JobError) -> Self {
        let (kind, exit_code) = match error {
            JobError::Damaged { .. } => ("data", ExitCode::Failed),
            JobError::Io { .. } => ("internal", ExitCode::Failed),
            _ => ("config", ExitCode::Usage),
        };
        let hint = error.hint().map(Into::into);
        Self { kind, hint, exit_code: exit_code.into(), ..Self::usage("", error.to_string()) }
    }
}

fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => "config",
        ErrorKind::Blocked => "blocked",
        ErrorKind::NotReady => NOT_READY,
        ErrorKind::Source => "source",
        ErrorKind::Target => "target",
        ErrorKind::Coordinator => "coordinator",
        ErrorKind::Data => "data",
        _ => "internal",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_why_what_is_safe_and_what_next() {
        let mut error =
            MigrateError::new(ErrorKind::Source, "reading redis://h:1", "it\x1b[2J went away")
                .with_hint("ferrite-migrate migrate …");
        error.keys_copied = 1234;
        let failure = Failure::from(error);
        assert_eq!(
            failure.text(Palette::PLAIN),
            "error: reading redis://h:1: it\\u{1b}[2J went away\n       \
             1,234 keys were copied by then; they are complete\nhint: ferrite-migrate migrate …"
        );
        assert_eq!((failure.kind, failure.exit_code), ("source", 2));
    }

    #[test]
    fn what_the_list_of_checks_says_is_not_said_twice() {
        let check = |name, status, fix: &str| {
            let (detail, fix) = ("x".repeat(200), Some(fix.to_owned()));
            Check { name, status, detail, fix }
        };
        let checks = vec![
            check("target empty", CheckStatus::Block, "--on-conflict replace"),
            check("memory", CheckStatus::Warn, "add memory"),
            check("versions", CheckStatus::Block, "upgrade"),
        ];
        let mut error = MigrateError::new(ErrorKind::Blocked, "the checks", "target empty: xxx");
        error.preflight = Some(PreflightReport { checks });
        let failure = Failure::from(error);
        assert_eq!(
            failure.text(Palette::PLAIN),
            "error: the checks: blocked by target empty, versions (see above); nothing was written"
        );
        assert_eq!(failure.cause, "target empty: xxx");
        assert_eq!(failure.hint.as_deref(), Some("--on-conflict replace; upgrade"));
    }

    #[test]
    fn kinds_have_their_exit_codes() {
        let code = |kind| Failure::from(MigrateError::new(kind, "a", "b")).exit_code;
        assert_eq!(code(ErrorKind::Config), 1);
        assert_eq!(code(ErrorKind::Blocked), 3);
        assert_eq!(code(ErrorKind::Target), 2);
        assert_eq!(Failure::interrupted("a", "b", 0).exit_code, 130);
        assert_eq!(Failure::usage("a", "b").exit_code, 1);
    }
}
