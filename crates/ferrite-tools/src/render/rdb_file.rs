//! What became of the keys of an RDB file that was written, for people and as JSON.

use ferrite_migrate::{ExitCode, RdbReport};

use super::table::Sheet;
use super::{Output, json, migration};
use crate::term::clean::clean;
use crate::term::color::Palette;
use crate::term::units::{bytes, count, duration};

impl Output {
    /// A file was written; gives the exit code. Where the file went to stdout, stderr is told.
    pub fn rdb_file(&self, report: &RdbReport, title: &str) -> u8 {
        let exit_code = report.exit_code().into();
        let is_taken = report.file == "standard output";
        let palette = if is_taken { self.line_palette } else { self.result_palette };
        let said = match self.json {
            true => json::line(&json::Tagged::ending("report", report, exit_code)),
            false => text(report, title, palette),
        };
        match is_taken {
            true => self.screen.line(&said),
            false => self.screen.result(&said),
        }
        exit_code
    }
}

fn text(report: &RdbReport, title: &str, palette: Palette) -> String {
    let mut sheet = Sheet::new(title, palette);
    sheet.line("");
    sheet.pair("Source", format!("{} ({})", clean(&report.source), report.how));
    sheet.pair("File", clean(&report.file));
    sheet.pair("Format", format!("{} RDB {}", report.dialect, report.rdb_version));
    sheet.pair("Size", bytes(report.file_bytes));
    sheet.pair("Keys", count(report.keys));
    if report.reencoded > 0 {
        sheet.pair(
            "Written anew",
            format!("{}, the others are as they were", count(report.reencoded)),
        );
    }
    if report.functions > 0 {
        sheet.pair("Functions", format!("{} libraries", count(report.functions)));
    }
    sheet.pair("Duration", duration(report.elapsed_ms));
    if !report.skipped.is_empty() {
        migration::skipped(&report.skipped, &mut sheet);
    }
    sheet.line("");
    let code = report.exit_code();
    let (words, meaning) = match code {
        ExitCode::Done => (palette.good("✅ WRITTEN"), "everything is in the file"),
        _ => (palette.warn("⚠ WRITTEN WITH SKIPS"), "some of it was left out"),
    };
    sheet.line(format!("RESULT: {words} (exit {}: {meaning})", u8::from(code)));
    sheet.finish()
}
