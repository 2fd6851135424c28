//! Why a command failed, in the words and the number that a person or a script needs.

use ferrite_migrate::{ConfigError, ErrorKind, ExitCode, MigrateError};
use serde::Serialize;

use super::clean::{clean, clean_lines};
use super::color::Palette;
use super::units::count;

/// A failure of a command, whatever it came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The kind in one word; part of the JSON interface.
    pub kind: &'static str,
    /// What was being done, to which address or key.
    pub doing: String,
    /// Why it failed.
    pub cause: String,
    /// What to do next.
    pub hint: Option<String>,
    /// Keys that are complete on the target.
    pub keys_copied: u64,
    /// The exit code.
    pub exit_code: u8,
}

impl Failure {
    /// A command line or an environment that cannot be used.
    pub fn usage(doing: impl Into<String>, cause: impl Into<String>) -> Self {
        Self {
            kind: "config",
            doing: doing.into(),
            cause: cause.into(),
            hint: None,
            keys_copied: 0,
            exit_code: ExitCode::Usage.into(),
        }
    }

    /// The operator did not wait for the end.
    pub fn interrupted(doing: &str, what_is_left: &str, keys_copied: u64) -> Self {
        Self {
            kind: "interrupted",
            doing: doing.to_owned(),
            cause: what_is_left.to_owned(),
            hint: None,
            keys_copied,
            exit_code: ExitCode::Interrupted.into(),
        }
    }

    /// The machine does not give what we need to begin.
    pub fn system(doing: &str, cause: &std::io::Error) -> Self {
        let exit_code = ExitCode::Failed.into();
        Self { kind: "internal", exit_code, ..Self::usage(doing, cause.to_string()) }
    }

    /// The same failure with what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure with what to do next, unless it says so already.
    #[must_use]
    pub fn or_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// For people: `error:`, what is safe, `hint:`.
    pub fn text(&self, palette: Palette) -> String {
        let mut text = format!("{} ", palette.bad("error:"));
        if !self.doing.is_empty() {
            text += &format!("{}: ", clean(&self.doing));
        }
        text += &clean_lines(&self.cause);
        if self.keys_copied > 0 {
            let keys = count(self.keys_copied);
            text += &format!("\n       {keys} keys were copied by then; they are complete");
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
            doing: error.doing,
            cause: error.cause,
            hint: error.hint,
            keys_copied: error.keys_copied,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        MigrateError::from(error).into()
    }
}

fn kind_name(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => "config",
        ErrorKind::Blocked => "blocked",
        ErrorKind::Source => "source",
        ErrorKind::Target => "target",
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
    fn kinds_have_their_exit_codes() {
        let code = |kind| Failure::from(MigrateError::new(kind, "a", "b")).exit_code;
        assert_eq!(code(ErrorKind::Config), 1);
        assert_eq!(code(ErrorKind::Blocked), 3);
        assert_eq!(code(ErrorKind::Target), 2);
        assert_eq!(Failure::interrupted("a", "b", 0).exit_code, 130);
        assert_eq!(Failure::usage("a", "b").exit_code, 1);
    }
}
