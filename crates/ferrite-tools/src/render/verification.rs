//! The verification report, for people.

use ferrite_migrate::{Difference, VerificationReport};

use super::table::Sheet;
use crate::term::clean::clean;
use crate::term::color::Palette;
use crate::term::units::{count, duration, percent};

/// How many differences are shown; JSON has all that the report names.
const DIFFERENCES_SHOWN_MAX: usize = 20;

/// The report as a block of lines.
pub fn text(report: &VerificationReport, palette: Palette) -> String {
    let mut sheet = Sheet::new("VERIFICATION REPORT", palette);
    summary(report, &mut sheet);
    if !report.differences.is_empty() {
        differences(report, &mut sheet);
    }
    sheet.line("");
    sheet.line(result(report, palette));
    sheet.finish()
}

/// The verdict in a few words.
pub fn verdict(report: &VerificationReport, palette: Palette) -> String {
    match (report.is_verified(), report.interrupted) {
        (false, _) => palette.bad("❌ DIFFERENCES FOUND"),
        (true, true) => palette.warn("⚠ INTERRUPTED"),
        (true, false) => palette.good("✅ VERIFIED"),
    }
}

fn summary(report: &VerificationReport, sheet: &mut Sheet) {
    sheet.section("SUMMARY");
    sheet.pair("Keys compared", count(report.compared));
    let share = match report.compared {
        0 => String::new(),
        compared => format!(" ({})", percent(report.matching, compared)),
    };
    sheet.pair("Matching", format!("{}{share}", count(report.matching)));
    sheet.pair("Mismatched", count(report.mismatched));
    let missing_source = match report.sampled_from {
        Some(_) => "not looked for (a sample is of source keys)".to_owned(),
        None => count(report.missing_source),
    };
    sheet.pair("Missing source", missing_source);
    sheet.pair("Missing target", count(report.missing_target));
    if report.not_comparable > 0 {
        let keys = count(report.not_comparable);
        sheet.pair("Not compared", format!("{keys} (the target cannot hold them)"));
    }
    if let Some(total) = report.sampled_from {
        sheet.pair("Sample", sample(report, total));
    }
    sheet.pair("Duration", duration(report.elapsed_ms));
}

/// What a sample proves. By the rule of three, when none of n keys differs, then with 95 %
/// confidence fewer than 3/n of all do; it holds from about thirty keys on.
fn sample(report: &VerificationReport, total: u64) -> String {
    let sampled = format!("{} of {} keys", count(report.compared), count(total));
    let is_proof = report.is_verified() && report.compared >= 30 && report.compared < total;
    if !is_proof {
        return sampled;
    }
    let keys = (u128::from(total) * 3).div_ceil(u128::from(report.compared));
    let keys = u64::try_from(keys).unwrap_or(u64::MAX).min(total - report.compared);
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let share = 300.0 / report.compared as f64;
    format!("{sampled}; with 95% confidence at most {share:.2}% ({} keys) differ", count(keys))
}

fn differences(report: &VerificationReport, sheet: &mut Sheet) {
    sheet.section("FIRST DIFFERENCES");
    for difference in report.differences.iter().take(DIFFERENCES_SHOWN_MAX) {
        sheet.line(line(difference));
    }
    let found = report
        .mismatched
        .saturating_add(report.missing_source)
        .saturating_add(report.missing_target);
    let shown = report.differences.len().min(DIFFERENCES_SHOWN_MAX);
    let more = found.saturating_sub(u64::try_from(shown).unwrap_or(u64::MAX));
    if more > 0 {
        sheet.line(format!("… and {} more", count(more)));
    }
}

fn line(difference: &Difference) -> String {
    let Difference { db, key, kind, detail } = difference;
    let mut line = format!("db {db}  {}  {}", clean(&key.to_string()), kind.name());
    if !detail.is_empty() {
        line += &format!(": {}", clean(detail));
    }
    line
}

fn result(report: &VerificationReport, palette: Palette) -> String {
    let verdict = format!("RESULT: {}", verdict(report, palette));
    match () {
        () if report.interrupted => format!("{verdict} before the end; not all was compared"),
        () if !report.is_verified() => verdict,
        () if report.compared == 0 => format!("{verdict} (there was nothing to compare)"),
        () if report.sampled_from.is_some() => format!("{verdict} (a sample)"),
        () => verdict,
    }
}

#[cfg(test)]
mod tests {
    use ferrite_migrate::{DifferenceKind, KeyName};

    use super::*;

    fn equal() -> VerificationReport {
        VerificationReport {
            success: true,
            compared: 1_234_567,
            matching: 1_234_567,
            elapsed_ms: 80_000,
            ..VerificationReport::default()
        }
    }

    #[test]
    fn equal_ends_have_the_published_layout() {
        let expected = "\
═══════════════════════════════════════════════════════
VERIFICATION REPORT
═══════════════════════════════════════════════════════

SUMMARY
─────────────────────────────────────────────────────
Keys compared:    1,234,567
Matching:         1,234,567 (100%)
Mismatched:       0
Missing source:   0
Missing target:   0
Duration:         1m20s

RESULT: ✅ VERIFIED";
        assert_eq!(text(&equal(), Palette::PLAIN), expected);
    }

    #[test]
    fn differences_are_named() {
        let difference = |key: &[u8], kind, detail: &str| Difference {
            db: 3,
            key: KeyName(key.to_vec()),
            kind,
            detail: detail.to_owned(),
        };
        let report = VerificationReport {
            success: false,
            matching: 1_234_544,
            mismatched: 22,
            missing_target: 1,
            differences: vec![
                difference(b"user:\x1b[2J", DifferenceKind::Value, "5 fields, 4 fields"),
                difference(b"k\xff", DifferenceKind::MissingTarget, ""),
            ],
            ..equal()
        };
        let text = text(&report, Palette::PLAIN);
        let expected = "
FIRST DIFFERENCES
─────────────────────────────────────────────────────
db 3  user:\\x1b[2J  value differs: 5 fields, 4 fields
db 3  k\\xff  missing on the target
… and 21 more

RESULT: ❌ DIFFERENCES FOUND";
        assert!(text.ends_with(expected), "{text}");
        assert!(text.contains("Matching:         1,234,544 (99.99%)"), "{text}");
    }

    #[test]
    fn a_sample_says_what_it_proves() {
        let report = VerificationReport {
            compared: 1000,
            matching: 1000,
            sampled_from: Some(345_678),
            ..equal()
        };
        let lines = text(&report, Palette::PLAIN);
        let expected = "Sample:           1,000 of 345,678 keys; with 95% confidence at most \
                        0.30% (1,038 keys) differ";
        assert!(lines.contains(expected), "{lines}");
        assert!(lines.contains("Missing source:   not looked for"), "{lines}");
        assert!(lines.ends_with("RESULT: ✅ VERIFIED (a sample)"), "{lines}");
    }

    #[test]
    fn a_sample_with_differences_or_too_few_keys_proves_nothing() {
        let sampled_from = Some(1_000_000);
        let few = VerificationReport { compared: 29, matching: 29, sampled_from, ..equal() };
        let unequal = VerificationReport { mismatched: 1, sampled_from, ..equal() };
        for report in [few, unequal] {
            assert!(!text(&report, Palette::PLAIN).contains("confidence"));
        }
    }

    #[test]
    fn an_end_before_the_end_is_no_verification() {
        let report = VerificationReport { interrupted: true, ..equal() };
        let text = text(&report, Palette::PLAIN);
        assert!(
            text.ends_with("RESULT: ⚠ INTERRUPTED before the end; not all was compared"),
            "{text}"
        );
    }

    #[test]
    fn nothing_to_compare_is_said() {
        let report = VerificationReport { success: true, ..VerificationReport::default() };
        let text = text(&report, Palette::PLAIN);
        assert!(text.ends_with("RESULT: ✅ VERIFIED (there was nothing to compare)"), "{text}");
    }
}
