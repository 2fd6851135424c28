//! What is on a source and how it could be moved: for people, and as JSON.

use ferrite_migrate::{Check, CheckStatus, Rung, SourceAnalysis};

use super::analysis::{biggest, cut, databases, expiries, percent};
use super::table::Sheet;
use super::{Output, json};
use crate::term::clean::{clean, clean_lines};
use crate::term::color::Palette;
use crate::term::units::{bytes, count, duration};

/// Columns of a line.
const WIDTH: usize = 78;

impl Output {
    /// A source was looked at.
    pub fn source_analysis(&self, found: &SourceAnalysis, exit_code: u8) {
        if self.json {
            self.object(&json::Tagged::ending("report", found, exit_code));
        } else {
            self.screen.result(&text(found, self.result_palette));
        }
    }
}

fn text(found: &SourceAnalysis, palette: Palette) -> String {
    let mut sheet = Sheet::new("SOURCE ANALYSIS REPORT", palette);
    sheet.line("");
    sheet.pair("Connection", clean(&found.source));
    sheet.pair("Server", clean(&found.server));
    if let Some(target) = &found.target {
        sheet.pair("Target", clean(target));
        sheet.pair("Server", found.target_server.as_deref().map_or("?".into(), clean));
    }
    summary(found, &mut sheet);
    if found.sampled > 0 {
        distribution(found, &mut sheet);
        patterns(found, &mut sheet);
        biggest(&found.analysis, &mut sheet);
        expiries(&found.analysis, &mut sheet);
        databases(&found.analysis, &mut sheet);
    }
    sheet.section("COMPATIBILITY");
    let is_shown = |check: &&Check| check.status != CheckStatus::Ok || check.name != "target empty";
    for check in found.preflight.checks.iter().filter(is_shown) {
        compatibility(check, &mut sheet);
    }
    sheet.section("STRATEGIES");
    found.ladder.iter().for_each(|rung| strategy(rung, &mut sheet));
    sheet.section("RECOMMENDATIONS");
    recommendations(found, &mut sheet);
    sheet.finish()
}

fn summary(found: &SourceAnalysis, sheet: &mut Sheet) {
    sheet.section("DATA SUMMARY");
    sheet.pair("Total Keys", count(found.keys_total));
    if let Some(used) = found.used_memory {
        sheet.pair("Memory Used", bytes(used));
    }
    if let Some(rate) = found.write_bytes_s {
        sheet.pair("Written", format!("{}/s into its replication stream now", bytes(rate)));
    }
    if found.sampled < found.keys_total {
        let share = percent(found.sampled, found.keys_total);
        sheet.pair("Sampled", format!("{} keys ({share})", count(found.sampled)));
        sheet.line("What follows is made up from the sample to all keys.");
    }
    if !found.memory_told {
        sheet.line("MEMORY USAGE is refused: sizes are those of names alone.");
    }
}

fn distribution(found: &SourceAnalysis, sheet: &mut Sheet) {
    sheet.section("KEY DISTRIBUTION");
    sheet.line("Type          Count         Memory       %");
    sheet.rule();
    for share in &found.analysis.types {
        sheet.line(format!(
            "{:<14}{:<14}{:<13}{}",
            share.type_name,
            count(share.keys),
            bytes(share.bytes),
            percent(share.bytes, found.analysis.bytes)
        ));
    }
}

fn patterns(found: &SourceAnalysis, sheet: &mut Sheet) {
    sheet.section(&format!("KEY PATTERNS (Top {})", found.analysis.patterns.len()));
    sheet.line("Pattern                           Count         Example");
    sheet.rule();
    for pattern in &found.analysis.patterns {
        let (name, keys) = (cut(&pattern.pattern, 32), count(pattern.keys));
        sheet.line(format!("{name:<34}{keys:<14}{}", cut(&pattern.example.to_string(), 30)));
    }
}

fn compatibility(check: &Check, sheet: &mut Sheet) {
    let mark = match check.status {
        CheckStatus::Ok => "✅",
        CheckStatus::Warn => "⚠️ ",
        CheckStatus::Block => "❌",
    };
    sheet.line(format!("{mark} {}: {}", clean(check.name), clean(&check.detail)));
    for fix in check.fix.iter().flat_map(|fix| fix.lines()) {
        sheet.line(format!("   {}", clean_lines(fix)));
    }
}

fn strategy(rung: &Rung, sheet: &mut Sheet) {
    let mark = match (rung.possible, rung.chosen) {
        (true, true) => "▶",
        (true, false) => " ",
        (false, _) => "✗",
    };
    let name = format!("--mode {} --strategy {}", rung.mode, rung.strategy);
    sheet.line(format!("{mark} {name}"));
    wrapped(&clean(&rung.reason), sheet);
}

/// A text in lines of their own, set in from the left.
fn wrapped(text: &str, sheet: &mut Sheet) {
    let mut line = String::from("   ");
    for word in text.split_whitespace() {
        if line.chars().count() + word.chars().count() >= WIDTH {
            sheet.line(std::mem::replace(&mut line, String::from("   ")));
        }
        line.push(' ');
        line.push_str(word);
    }
    sheet.line(line);
}

fn recommendations(found: &SourceAnalysis, sheet: &mut Sheet) {
    if let Some(speed) = &found.speed {
        sheet.line(format!("• Estimated migration time: {} or more", duration(speed.all_ms)));
        let measured = format!(
            "measured: {} keys ({}) read in {} over {} connections{}; a slower target takes longer{}",
            count(speed.keys),
            bytes(speed.bytes),
            duration(speed.elapsed_ms),
            speed.parallel,
            match speed.servers {
                0 | 1 => String::new(),
                servers => format!(" to each of {} primaries", count(servers as u64)),
            },
            match speed.left_out {
                0 => String::new(),
                keys => format!("; {} keys above 16 MiB were left out", count(keys)),
            }
        );
        wrapped(&measured, sheet);
    } else {
        sheet.line("• No keys could be read, so there is no estimate of the time");
    }
    for sentence in &found.recommendations {
        sheet.line(format!("• {}", clean(sentence)));
    }
}
