//! What an RDB file holds: for people, as JSON, and key by key as CSV.
//!
//! ```text
//! database,type,key,size_in_bytes,encoding,num_elements,len_largest_element,expiry
//! ```
//!
//! These columns are those of redis-rdb-tools' `memory.csv`, so that what reads those reads ours.

use std::io::{self, Write};

use ferrite_migrate::{Analysis, KeyFacts, KeyName, PatternCount, RdbAnalysis, TypeShare, rfc3339};

use super::table::Sheet;
use super::{Output, json};
use crate::term::clean::clean;
use crate::term::color::Palette;
use crate::term::units::{bytes, count};

/// Columns of a name in a table.
const NAME_WIDTH: usize = 34;
/// Types that are named in one line.
const TYPES_NAMED: usize = 3;

impl Output {
    /// An RDB file was read, to its end or as far as it goes.
    pub fn analysis(&self, found: &RdbAnalysis, exit_code: u8) {
        if self.json {
            self.object(&json::Tagged::ending("report", found, exit_code));
        } else {
            self.screen.result(&text(found, self.result_palette));
        }
    }
}

fn text(found: &RdbAnalysis, palette: Palette) -> String {
    let mut lines = head(found);
    let mut sheet = Sheet::bare(palette);
    let analysis = &found.analysis;
    if analysis.keys > 0 {
        types(analysis, &mut sheet);
        patterns(&analysis.patterns, &mut sheet);
        biggest(analysis, &mut sheet);
        expiries(analysis, &mut sheet);
        databases(analysis, &mut sheet);
    }
    besides(found, &mut sheet);
    lines.push(sheet.finish());
    lines.join("\n").trim_end().to_owned()
}

/// The first lines.
fn head(found: &RdbAnalysis) -> Vec<String> {
    let analysis = &found.analysis;
    let mut lines = vec![format!("RDB Version: {}", found.rdb_version)];
    let writer = found.writer.clone().unwrap_or_else(|| found.dialect.clone());
    let when = found.written_at_ms.map(|at| format!(", {}", rfc3339(at))).unwrap_or_default();
    lines.push(format!("Written by: {}{when}", clean(&writer)));
    lines.push(format!("Keys: {}", count(analysis.keys)));
    let (packed, unpacked) = (bytes(found.file_bytes), bytes(analysis.bytes));
    lines.push(format!("Size: {packed} (compressed) / {unpacked} (uncompressed)"));
    if analysis.keys > 0 {
        lines.push(format!("Types: {}", type_line(analysis)));
    }
    if let Some(damage) = &found.damage {
        lines.push(format!(
            "Damaged: sound up to byte {}; all below is of what is in front of it",
            damage.offset
        ));
    }
    lines
}

/// The most frequent types with their share of the keys.
fn type_line(analysis: &Analysis) -> String {
    let mut types: Vec<&TypeShare> = analysis.types.iter().collect();
    types.sort_by_key(|share| std::cmp::Reverse(share.keys));
    let named = if types.len() <= TYPES_NAMED + 1 { types.len() } else { TYPES_NAMED };
    let (named, others) = types.split_at(named);
    let mut parts: Vec<String> = named
        .iter()
        .map(|share| format!("{} ({})", share.type_name, percent(share.keys, analysis.keys)))
        .collect();
    let rest: u64 = others.iter().map(|share| share.keys).sum();
    if rest > 0 {
        parts.push(format!("other ({})", percent(rest, analysis.keys)));
    }
    parts.join(", ")
}

fn types(analysis: &Analysis, sheet: &mut Sheet) {
    sheet.section("KEY DISTRIBUTION");
    sheet.line("Type        Count          Memory        %");
    sheet.rule();
    for share in &analysis.types {
        let line = format!(
            "{:<12}{:<15}{:<14}{}",
            share.type_name,
            count(share.keys),
            bytes(share.bytes),
            percent(share.bytes, analysis.bytes)
        );
        sheet.line(line);
    }
}

fn patterns(patterns: &[PatternCount], sheet: &mut Sheet) {
    sheet.section(&format!("KEY PATTERNS (Top {})", patterns.len()));
    sheet.line(format!("{:<NAME_WIDTH$}  {:<12}  {:<10}  Example", "Pattern", "Count", "Memory"));
    sheet.rule();
    for pattern in patterns {
        let about = if pattern.keys_at_most > pattern.keys { "≥" } else { "" };
        let keys = format!("{about}{}", count(pattern.keys));
        let (name, size) = (cut(&pattern.pattern, NAME_WIDTH), bytes(pattern.bytes));
        let example = cut(&pattern.example.to_string(), 80 - NAME_WIDTH - 28);
        sheet.line(format!("{name:<NAME_WIDTH$}  {keys:<12}  {size:<10}  {example}"));
    }
}

fn biggest(analysis: &Analysis, sheet: &mut Sheet) {
    sheet.section(&format!("BIGGEST KEYS (Top {})", analysis.biggest.len()));
    sheet.line(format!(
        "{:<NAME_WIDTH$}  {:<6}  {:<10}  {:<12}  DB",
        "Key", "Type", "Memory", "Elements"
    ));
    sheet.rule();
    for key in &analysis.biggest {
        let name = cut(&key.key.to_string(), NAME_WIDTH);
        let (size, elements) = (bytes(key.bytes), count(key.elements));
        let (kind, db) = (key.type_name, key.db);
        sheet.line(format!("{name:<NAME_WIDTH$}  {kind:<6}  {size:<10}  {elements:<12}  {db}"));
    }
}

fn expiries(analysis: &Analysis, sheet: &mut Sheet) {
    sheet.section("EXPIRIES");
    for bucket in analysis.expiries.iter().filter(|bucket| bucket.keys > 0) {
        let share = percent(bucket.keys, analysis.keys);
        sheet.line(format!("{:<18}{:<14}{share}", bucket.when, count(bucket.keys)));
    }
}

fn databases(analysis: &Analysis, sheet: &mut Sheet) {
    if analysis.databases.len() < 2 {
        return;
    }
    sheet.section("DATABASES");
    for database in &analysis.databases {
        let name = format!("db{}", database.db);
        let (keys, size) = (count(database.keys), bytes(database.bytes));
        sheet.line(format!("{name:<12}{keys:<15}{size}"));
    }
}

/// What there is besides keys.
fn besides(found: &RdbAnalysis, sheet: &mut Sheet) {
    if found.functions_total > 0 {
        sheet.section(&format!("FUNCTIONS ({})", count(found.functions_total)));
        found.functions.iter().for_each(|name| sheet.line(clean(name)));
    }
    if !found.modules.is_empty() {
        sheet.section("MODULES");
        for (name, uses) in &found.modules {
            sheet.line(format!("{:<12}{}", clean(name), count(*uses)));
        }
    }
    if !found.stepped_over.is_empty() {
        sheet.section("LEFT ASIDE");
        for step in &found.stepped_over {
            sheet.line(format!("{:<15}{}", count(step.count), step.what));
        }
    }
}

/// A share in whole percent.
pub fn percent(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    match tenths {
        0 if part > 0 => String::from("<0.1%"),
        _ => format!("{}.{}%", tenths / 10, tenths % 10),
    }
}

fn cut(text: &str, width: usize) -> String {
    let text = clean(text);
    if text.chars().count() <= width {
        return text;
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

/// Every key as a line of CSV.
pub struct KeyTable<W: Write> {
    csv: csv::Writer<W>,
    begun: bool,
}

impl<W: Write> KeyTable<W> {
    /// A table without lines.
    pub fn new(out: W) -> Self {
        Self { csv: csv::Writer::from_writer(out), begun: false }
    }

    /// Adds a key.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add(&mut self, facts: &KeyFacts<'_>) -> io::Result<()> {
        self.begin()?;
        let (kind, size) = (facts.kind.name(), facts.size);
        // As in redis-rdb-tools, a string counts its bytes.
        let elements = if kind == "string" { size.largest } else { size.elements };
        let name = KeyName(facts.key.to_vec()).to_string();
        let record = [
            facts.db.to_string(),
            kind.to_owned(),
            name,
            facts.bytes().to_string(),
            facts.encoding.to_owned(),
            elements.to_string(),
            size.largest.to_string(),
            facts.expires_at_ms.map(rfc3339).unwrap_or_default(),
        ];
        Ok(self.csv.write_record(&record)?)
    }

    /// Writes the rest.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> io::Result<()> {
        self.begin()?;
        self.csv.flush()
    }

    fn begin(&mut self) -> io::Result<()> {
        if std::mem::replace(&mut self.begun, true) {
            return Ok(());
        }
        Ok(self.csv.write_record([
            "database",
            "type",
            "key",
            "size_in_bytes",
            "encoding",
            "num_elements",
            "len_largest_element",
            "expiry",
        ])?)
    }
}
