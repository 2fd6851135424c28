//! What the checks before a run found.

use serde::Serialize;

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Nothing to do.
    Ok,
    /// The run can go on, but the operator should know.
    Warn,
    /// The run must not begin.
    Block,
}

/// One line of the preflight.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was checked, in a few words.
    pub name: &'static str,
    /// How it came out.
    pub status: CheckStatus,
    /// What was found, with numbers.
    pub detail: String,
    /// What to do about it; only where there is something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// All checks, in the order they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PreflightReport {
    /// The lines.
    pub checks: Vec<Check>,
}

impl PreflightReport {
    /// Whether the run must not begin.
    #[must_use]
    pub fn is_blocked(&self) -> bool {
        self.checks.iter().any(|check| check.status == CheckStatus::Block)
    }

    pub(crate) fn ok(&mut self, name: &'static str, detail: impl Into<String>) {
        self.add(name, CheckStatus::Ok, detail.into(), None);
    }

    pub(crate) fn warn(
        &mut self,
        name: &'static str,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(name, CheckStatus::Warn, detail.into(), Some(fix.into()));
    }

    pub(crate) fn block(
        &mut self,
        name: &'static str,
        detail: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.add(name, CheckStatus::Block, detail.into(), Some(fix.into()));
    }

    fn add(
        &mut self,
        name: &'static str,
        status: CheckStatus,
        detail: String,
        fix: Option<String>,
    ) {
        self.checks.push(Check { name, status, detail, fix });
    }
}
