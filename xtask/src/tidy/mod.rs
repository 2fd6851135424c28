//! The house rules, one file each.
//!
//! A rule looks at the repository and reports lines of the form `path:line: rule: what to do
//! instead`. Add one as a file here, a `mod` line and a line in [`RULES`]; the rule `registry`
//! checks that the three agree.

mod arrows;
mod assertions;
mod banned;
mod blobs;
mod file_head;
mod file_length;
mod function_length;
mod leftovers;
mod library_voice;
mod machine_paths;
mod registry;
mod whitespace;

use std::fmt;

use crate::repository::Repository;

/// What a rule wants changed.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    pub path: String,
    /// From 1; 0 where it is about the whole file.
    pub line: usize,
    pub rule: &'static str,
    /// What to do instead.
    pub advice: String,
    /// Whether it fails the check or only warns.
    pub fails: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let note = if self.fails { "" } else { "warning: " };
        let Self { path, line, rule, advice, .. } = self;
        write!(f, "{path}:{line}: {rule}: {note}{advice}")
    }
}

/// Where a rule puts its findings.
pub struct Report {
    rule: &'static str,
    findings: Vec<Finding>,
}

impl Report {
    fn fail(&mut self, path: &str, line: usize, advice: impl Into<String>) {
        self.push(path, line, advice.into(), true);
    }

    fn warn(&mut self, path: &str, line: usize, advice: impl Into<String>) {
        self.push(path, line, advice.into(), false);
    }

    fn push(&mut self, path: &str, line: usize, advice: String, fails: bool) {
        self.findings.push(Finding { path: path.to_owned(), line, rule: self.rule, advice, fails });
    }
}

/// A rule's name and its check.
type Rule = (&'static str, fn(&Repository, &mut Report));

const RULES: &[Rule] = &[
    ("arrows", arrows::check),
    ("file_head", file_head::check),
    ("file_length", file_length::check),
    ("function_length", function_length::check),
    ("registry", registry::check),
    ("banned", banned::check),
    ("assertions", assertions::check),
    ("library_voice", library_voice::check),
    ("machine_paths", machine_paths::check),
    ("blobs", blobs::check),
    ("leftovers", leftovers::check),
    ("whitespace", whitespace::check),
];

/// Everything the rules find.
pub fn check(repository: &Repository) -> Vec<Finding> {
    RULES.iter().flat_map(|rule| apply(rule, repository)).collect()
}

fn apply(rule: &Rule, repository: &Repository) -> Vec<Finding> {
    let mut report = Report { rule: rule.0, findings: Vec::new() };
    (rule.1)(repository, &mut report);
    report.findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines at which `check` fails a file of this path and text.
    pub fn failing(
        check: fn(&Repository, &mut Report),
        files: &[(&str, &str)],
    ) -> Vec<(String, usize)> {
        let findings = apply(&("rule", check), &Repository::of(files));
        findings.into_iter().filter(|it| it.fails).map(|it| (it.path, it.line)).collect()
    }

    #[test]
    fn repository_is_tidy() {
        let repository = Repository::open().unwrap();
        let failures: Vec<String> =
            check(&repository).iter().filter(|it| it.fails).map(Finding::to_string).collect();
        assert!(failures.is_empty(), "\n{}\n", failures.join("\n"));
    }

    #[test]
    fn findings_read_like_a_compiler() {
        let path = "a.rs".to_owned();
        let mut finding =
            Finding { path, line: 3, rule: "rule", advice: "do this".into(), fails: true };
        assert_eq!(finding.to_string(), "a.rs:3: rule: do this");
        finding.fails = false;
        assert_eq!(finding.to_string(), "a.rs:3: rule: warning: do this");
    }
}
