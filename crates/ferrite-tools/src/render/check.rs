//! The checks before a run, a line each, with what to do about them under it.

use ferrite_migrate::{Check, CheckStatus, PreflightReport};

use crate::term::clean::{clean, clean_lines};
use crate::term::color::Palette;

/// Warnings and blockers (with `verbose`, all), then how many there were of each.
pub fn text(report: &PreflightReport, verbose: bool, palette: Palette) -> String {
    let is_shown = |check: &&Check| verbose || check.status != CheckStatus::Ok;
    let mut lines: Vec<_> =
        report.checks.iter().filter(is_shown).map(|check| line(check, palette)).collect();
    lines.push(summary(report));
    lines.join("\n")
}

fn line(check: &Check, palette: Palette) -> String {
    let mark = match check.status {
        CheckStatus::Ok => palette.good("✔"),
        CheckStatus::Warn => palette.warn("!"),
        CheckStatus::Block => palette.bad("✖"),
    };
    let mut line = format!("{mark} {}: {}", clean(check.name), clean(&check.detail));
    for fix in check.fix.iter().flat_map(|fix| fix.lines()) {
        line += &format!("\n    {}", clean_lines(fix));
    }
    line
}

fn summary(report: &PreflightReport) -> String {
    let count = |status| report.checks.iter().filter(|check| check.status == status).count();
    let mut text = format!("preflight: {} passed", many(count(CheckStatus::Ok), "check"));
    for (status, name) in [(CheckStatus::Warn, "warning"), (CheckStatus::Block, "blocker")] {
        if count(status) > 0 {
            text += &format!(", {}", many(count(status), name));
        }
    }
    text
}

fn many(count: usize, name: &str) -> String {
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &'static str, status: CheckStatus, fix: Option<&str>) -> Check {
        Check { name, status, detail: "42\x07 found".to_owned(), fix: fix.map(str::to_owned) }
    }

    fn report() -> PreflightReport {
        let checks = vec![
            check("versions", CheckStatus::Ok, None),
            check("memory", CheckStatus::Warn, Some("CONFIG SET maxmemory 0\nor add memory")),
            check("target is empty", CheckStatus::Block, Some("--on-conflict replace")),
        ];
        PreflightReport { checks }
    }

    #[test]
    fn only_what_needs_attention_is_shown() {
        assert_eq!(
            text(&report(), false, Palette::PLAIN),
            "! memory: 42\\u{7} found\n    CONFIG SET maxmemory 0\n    or add memory\n\
             ✖ target is empty: 42\\u{7} found\n    --on-conflict replace\n\
             preflight: 1 check passed, 1 warning, 1 blocker"
        );
    }

    #[test]
    fn everything_is_shown_on_request() {
        let text = text(&report(), true, Palette::PLAIN);
        assert!(text.starts_with("✔ versions: 42\\u{7} found\n! memory"), "{text}");
    }

    #[test]
    fn all_is_well_in_one_line() {
        let checks = vec![check("versions", CheckStatus::Ok, None); 12];
        let text = text(&PreflightReport { checks }, false, Palette::PLAIN);
        assert_eq!(text, "preflight: 12 checks passed");
    }
}
