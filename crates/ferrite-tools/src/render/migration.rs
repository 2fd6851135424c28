//! The report of a migration, for people.

use ferrite_migrate::{ExitCode, JobRounds, OnConflict, Replayed, Report, Skip, State, rfc3339};

use super::table::Sheet;
use super::{Route, live, shared, verification};
use crate::term::clean::clean;
use crate::term::color::Palette;
use crate::term::units::{bytes, count, duration, per_second};

/// The report as a block of lines; `retry` says how an unfinished run is made again.
pub fn text(report: &Report, route: &Route, retry: &str, palette: Palette) -> String {
    let mut sheet = Sheet::new("MIGRATION REPORT", palette);
    header(report, route, &mut sheet);
    if !report.types.is_empty() {
        types(report, &mut sheet);
    }
    counts(report, &mut sheet);
    if let Some(replayed) = &report.replayed {
        commands(replayed, report.dry_run, &mut sheet);
    }
    if let Some(followed) = &report.live {
        live::followed(followed, &mut sheet);
    }
    if let Some(rounds) = &report.rounds {
        rounds_of(rounds, &mut sheet);
    }
    if let Some(shared) = &report.shared {
        shared::report(shared, &mut sheet);
    }
    if !report.skipped.is_empty() {
        skipped(&report.skipped, &mut sheet);
    }
    if !report.warnings.is_empty() {
        sheet.section("WARNINGS");
        report.warnings.iter().for_each(|warning| sheet.line(clean(warning)));
    }
    if let Some(verified) = &report.verification {
        sheet.line("");
        sheet.line(verification::text(verified, palette));
    }
    sheet.line("");
    sheet.line(result(report, retry, palette));
    sheet.finish()
}

/// How an unfinished run is made again.
pub fn retry(policy: OnConflict, dry_run: bool) -> &'static str {
    match policy {
        OnConflict::Fail if !dry_run => "run it again with --on-conflict replace",
        _ => "run it again",
    }
}

fn header(report: &Report, route: &Route, sheet: &mut Sheet) {
    sheet.line("");
    sheet.pair("Run", clean(&report.id));
    sheet.pair("Source", &route.source);
    sheet.pair("Target", &route.target);
    sheet.pair("Mode", if report.dry_run { "dry run: nothing was written" } else { report.mode });
    let reason = clean(&report.strategy_reason);
    let why = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
    sheet.pair("Strategy", format!("{}{why}", report.strategy));
}

fn types(report: &Report, sheet: &mut Sheet) {
    sheet.section(if report.dry_run { "KEYS THAT WOULD BE COPIED" } else { "KEYS COPIED" });
    sheet.line(format!("{:<14}{:>16}{:>16}", "Type", "Keys", "Bytes"));
    sheet.rule();
    for one in &report.types {
        sheet.line(row(one.type_name, one.keys, one.bytes));
    }
    sheet.line(row("total", report.keys.copied, report.bytes));
}

fn row(name: &str, keys: u64, size: u64) -> String {
    format!("{:<14}{:>16}{:>16}", clean(name), count(keys), bytes(size))
}

fn counts(report: &Report, sheet: &mut Sheet) {
    sheet.line("");
    let keys = &report.keys;
    let copied = if report.dry_run { "Would be copied" } else { "Copied" };
    sheet.pair(copied, count(keys.copied));
    let deleted = if report.dry_run { "Would be deleted" } else { "Deleted" };
    let others = [
        ("Identical", keys.identical, "already on the target, left alone"),
        ("Skipped", keys.skipped, "left out, see below"),
        ("Expired", keys.expired, "before they were written"),
        ("Vanished", keys.vanished, "deleted on the source while it was read"),
        ("Filtered", keys.filtered, "not selected"),
        (deleted, keys.deleted, "on the target, because the source does not have them"),
    ];
    for (name, number, meaning) in others {
        if number > 0 {
            sheet.pair(name, format!("{} ({meaning})", count(number)));
        }
    }
    if report.functions > 0 {
        sheet.pair("Functions", format!("{} libraries", count(report.functions)));
    }
    if report.live.is_some() && report.copy_ms == 0 {
        // It went on with what was copied before.
        return;
    }
    sheet.pair("Duration", duration(report.copy_ms));
    if !report.dry_run {
        let keys_rate = count(per_second(keys.copied, report.copy_ms));
        let bytes_rate = bytes(per_second(report.bytes, report.copy_ms));
        sheet.pair("Rate", format!("{keys_rate} keys/s, {bytes_rate}/s"));
    }
    for held in &report.throttled {
        sheet.pair("Throttled", format!("{} by --{}", duration(held.ms), held.by));
    }
}

/// What rounds over a source brought that tells no changes.
fn rounds_of(rounds: &JobRounds, sheet: &mut Sheet) {
    let JobRounds { complete, keys, differing, deleted, took_ms, .. } = *rounds;
    sheet.pair(
        "Consistency",
        "eventual: what was written since the last round began may be missing",
    );
    let (keys, differing) = (count(keys), count(differing));
    let last = format!("{keys} keys, {differing} copied, {} deleted", count(deleted));
    let took = duration(took_ms);
    sheet.pair(
        "Rounds",
        match complete {
            0 => String::from("none was completed"),
            _ => format!("{}; the last: {last}, {took}", count(complete)),
        },
    );
    if complete > 0 {
        sheet.pair("Last began", rfc3339(rounds.began_at_ms));
    }
}

/// What became of the commands of an append-only file.
fn commands(replayed: &Replayed, dry_run: bool, sheet: &mut Sheet) {
    let applied = if dry_run { "Would be applied" } else { "Applied" };
    let transactions = count(replayed.transactions);
    sheet.pair(
        applied,
        format!("{} commands, {transactions} transactions", count(replayed.commands)),
    );
    let others = [
        ("Filtered", replayed.filtered, "commands: keys not selected"),
        ("Earlier", replayed.outside, "commands: before --after"),
        ("Discarded", replayed.discarded, "transactions without an end"),
        ("Gaps", replayed.gaps, "places of damage, see below"),
    ];
    for (name, number, meaning) in others {
        if number > 0 {
            sheet.pair(name, format!("{} ({meaning})", count(number)));
        }
    }
    if let (Some(first), Some(last)) = (&replayed.first_time, &replayed.last_time) {
        sheet.pair("Times", format!("{} to {}", clean(first), clean(last)));
    }
}

/// What was left out, by reason.
pub fn skipped(skips: &[Skip], sheet: &mut Sheet) {
    sheet.section("SKIPPED");
    for skip in skips {
        let keys = if skip.count == 1 { "key" } else { "keys" };
        sheet.line(format!("{} {keys}: {}", count(skip.count), clean(&skip.reason)));
        for (db, key) in &skip.examples {
            sheet.line(format!("  db {db}  {}", clean(&key.to_string())));
        }
        let shown = u64::try_from(skip.examples.len()).unwrap_or(u64::MAX);
        let more = skip.count.saturating_sub(shown);
        if more > 0 && shown > 0 {
            sheet.line(format!("  … and {} more", count(more)));
        }
    }
}

fn result(report: &Report, retry: &str, palette: Palette) -> String {
    let code = report.exit_code();
    let words = match code {
        ExitCode::Done if report.dry_run => palette.good("✅ READY"),
        ExitCode::Done if is_verified(report) => palette.good("✅ DONE AND VERIFIED"),
        ExitCode::Done => palette.good("✅ DONE"),
        ExitCode::Skipped => palette.warn("⚠ DONE WITH SKIPS"),
        ExitCode::Mismatch => palette.bad("❌ DIFFERENCES FOUND"),
        ExitCode::Interrupted => palette.warn("⚠ INTERRUPTED"),
        ExitCode::RolledBack if is_aborted(report) => palette.warn("⚠ ABORTED"),
        ExitCode::RolledBack => palette.warn("⚠ ROLLED BACK"),
        ExitCode::Blocked => palette.bad("❌ BLOCKED"),
        ExitCode::Usage | ExitCode::Failed | ExitCode::NotReady => palette.bad("❌ FAILED"),
    };
    let meaning = match code {
        ExitCode::Done if report.mode == "incremental" => "--resume moves what is written since",
        ExitCode::Done if report.live.is_some() => "the target is the one to write to",
        ExitCode::Done if is_empty(report) => "there was no key to copy",
        ExitCode::Done if report.dry_run => "nothing was written; run it again without --dry-run",
        ExitCode::Done if report.verification.is_some() => "every selected key is equal",
        ExitCode::Done => "every selected key is on the target",
        ExitCode::Skipped => "some keys were left out",
        ExitCode::Mismatch => "source and target differ",
        ExitCode::Interrupted => retry,
        ExitCode::RolledBack => "the source is the one to write to",
        ExitCode::Blocked => "a check found a blocker; nothing was written",
        ExitCode::Usage | ExitCode::Failed | ExitCode::NotReady => "it can be run again",
    };
    format!("RESULT: {words} (exit {}: {meaning})", u8::from(code))
}

fn is_aborted(report: &Report) -> bool {
    report.live.as_ref().is_some_and(|followed| followed.state == State::Aborted.name())
}

/// Whether no key was even considered: the source is empty, or the selection is.
fn is_empty(report: &Report) -> bool {
    let keys = &report.keys;
    let [copied, identical, skipped] = [keys.copied, keys.identical, keys.skipped];
    let commands = report.replayed.as_ref().map_or(0, |replayed| replayed.commands);
    copied + identical + skipped + keys.expired + keys.vanished + commands == 0
}

/// Whether every key was compared, at the end or all the while.
fn is_verified(report: &Report) -> bool {
    let followed = report.live.as_ref().and_then(|followed| followed.verified.as_ref());
    report.verification.is_some()
        || followed.is_some_and(|verified| verified.verified_offset.is_some())
}

#[cfg(test)]
mod tests {
    use ferrite_migrate::{
        Check, CheckStatus, KeyCounts, KeyName, PreflightReport, Throttled, TypeCount,
        VerificationReport,
    };

    use super::*;

    fn route() -> Route {
        Route { source: "redis://old:6379".to_owned(), target: "ferrite://new:6379".to_owned() }
    }

    fn report() -> Report {
        Report {
            id: "mig_abc123def456".to_owned(),
            mode: "snapshot",
            strategy: "psync",
            strategy_reason: "the source lets us replicate".to_owned(),
            dry_run: false,
            interrupted: false,
            preflight: PreflightReport::default(),
            keys: KeyCounts { copied: 1_050_000, ..KeyCounts::default() },
            bytes: 1_205_000_000,
            functions: 0,
            types: vec![
                TypeCount { type_name: "string", keys: 800_000, bytes: 205_000_000 },
                TypeCount { type_name: "hash", keys: 250_000, bytes: 1_000_000_000 },
            ],
            skipped: Vec::new(),
            warnings: Vec::new(),
            copy_ms: 42_000,
            throttled: Vec::new(),
            verification: None,
            live: None,
            replayed: None,
            shared: None,
            rounds: None,
        }
    }

    fn shown(report: &Report) -> String {
        text(report, &route(), retry(OnConflict::Fail, false), Palette::PLAIN)
    }

    #[test]
    fn a_clean_run_is_short() {
        let expected = "\
═══════════════════════════════════════════════════════
MIGRATION REPORT
═══════════════════════════════════════════════════════

Run:              mig_abc123def456
Source:           redis://old:6379
Target:           ferrite://new:6379
Mode:             snapshot
Strategy:         psync (the source lets us replicate)

KEYS COPIED
─────────────────────────────────────────────────────
Type                      Keys           Bytes
─────────────────────────────────────────────────────
string                 800,000         196 MiB
hash                   250,000         954 MiB
total                1,050,000        1.12 GiB

Copied:           1,050,000
Duration:         42 s
Rate:             25,000 keys/s, 27.4 MiB/s

RESULT: ✅ DONE (exit 0: every selected key is on the target)";
        assert_eq!(shown(&report()), expected);
    }

    #[test]
    fn what_is_not_copied_is_explained() {
        let examples = (0..6).map(|n| (1, KeyName(format!("doc:{n}\n").into_bytes()))).collect();
        let reason = "module type ReJSON-RL".to_owned();
        let report = Report {
            keys: KeyCounts {
                copied: 5,
                identical: 1,
                skipped: 4000,
                expired: 2,
                vanished: 3,
                filtered: 9,
                deleted: 0,
            },
            functions: 2,
            skipped: vec![Skip { reason, count: 4000, examples }],
            warnings: vec!["the clock of the target is 3 s ahead\x1b".to_owned()],
            ..report()
        };
        let expected = "
Copied:           5
Identical:        1 (already on the target, left alone)
Skipped:          4,000 (left out, see below)
Expired:          2 (before they were written)
Vanished:         3 (deleted on the source while it was read)
Filtered:         9 (not selected)
Functions:        2 libraries
Duration:         42 s
Rate:             0 keys/s, 27.4 MiB/s

SKIPPED
─────────────────────────────────────────────────────
4,000 keys: module type ReJSON-RL
  db 1  doc:0\\n
  db 1  doc:1\\n
  db 1  doc:2\\n
  db 1  doc:3\\n
  db 1  doc:4\\n
  db 1  doc:5\\n
  … and 3,994 more

WARNINGS
─────────────────────────────────────────────────────
the clock of the target is 3 s ahead\\u{1b}

RESULT: ⚠ DONE WITH SKIPS (exit 5: some keys were left out)";
        let text = shown(&report);
        assert!(text.ends_with(expected), "{text}");
    }

    #[test]
    fn a_verification_is_part_of_the_report() {
        let equal = VerificationReport {
            success: true,
            compared: 7,
            matching: 7,
            ..VerificationReport::default()
        };
        let verified = shown(&Report { verification: Some(equal.clone()), ..report() });
        assert!(verified.contains("\nVERIFICATION REPORT\n"), "{verified}");
        assert!(
            verified.ends_with(
                "RESULT: ✅ VERIFIED\n\n\
                 RESULT: ✅ DONE AND VERIFIED (exit 0: every selected key is equal)"
            ),
            "{verified}"
        );
        let unequal = VerificationReport { mismatched: 1, ..equal };
        let differs = shown(&Report { verification: Some(unequal), ..report() });
        let last = "RESULT: ❌ DIFFERENCES FOUND (exit 4: source and target differ)";
        assert!(differs.ends_with(last), "{differs}");
    }

    #[test]
    fn a_run_without_keys_has_no_table() {
        let keys = KeyCounts { identical: 3, ..KeyCounts::default() };
        let text = shown(&Report { keys, types: Vec::new(), ..report() });
        assert!(!text.contains("KEYS COPIED"), "{text}");
        assert!(text.contains("\n\nCopied:           0\nIdentical:        3 ("), "{text}");
    }

    #[test]
    fn a_selection_of_nothing_is_not_called_complete() {
        let keys = KeyCounts { filtered: 3, ..KeyCounts::default() };
        let text = shown(&Report { keys, types: Vec::new(), ..report() });
        assert!(text.ends_with("RESULT: ✅ DONE (exit 0: there was no key to copy)"), "{text}");
    }

    #[test]
    fn what_held_it_back_is_told() {
        let throttled = vec![
            Throttled { by: "rate", ms: 12_345 },
            Throttled { by: "max-source-latency", ms: 850 },
        ];
        let text = shown(&Report { throttled, ..report() });
        let lines = "/s\nThrottled:        12 s by --rate\n\
                     Throttled:        850 ms by --max-source-latency\n\nRESULT";
        assert!(text.contains(lines), "{text}");
    }

    #[test]
    fn a_dry_run_never_says_copied() {
        let text = shown(&Report { dry_run: true, ..report() });
        assert!(text.contains("KEYS THAT WOULD BE COPIED"), "{text}");
        assert!(text.contains("Would be copied:  1,050,000"), "{text}");
        assert!(text.contains("Mode:             dry run: nothing was written"), "{text}");
        let last = "(exit 0: nothing was written; run it again without --dry-run)";
        assert!(text.ends_with(last), "{text}");
        assert!(!text.contains("Rate:"), "{text}");
    }

    #[test]
    fn an_interrupted_run_says_how_to_go_on() {
        let report = Report { interrupted: true, ..report() };
        let last = "RESULT: ⚠ INTERRUPTED (exit 130: run it again with --on-conflict replace)";
        assert!(shown(&report).ends_with(last));
        let text = text(&report, &route(), retry(OnConflict::Replace, false), Palette::PLAIN);
        assert!(text.ends_with("(exit 130: run it again)"), "{text}");
    }

    #[test]
    fn a_blocked_rehearsal_is_blocked() {
        let (status, detail) = (CheckStatus::Block, "too old".to_owned());
        let checks = vec![Check { name: "version", status, detail, fix: None }];
        let report = Report { dry_run: true, preflight: PreflightReport { checks }, ..report() };
        let last = "RESULT: ❌ BLOCKED (exit 3: a check found a blocker; nothing was written)";
        assert!(shown(&report).ends_with(last));
    }
}
