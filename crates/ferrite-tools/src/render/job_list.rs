//! All migrations that outlive their process, in a table or as JSON.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use ferrite_migrate::{JobEntry, JobRecord, JobStatus};
use serde::Serialize;

use super::job::{paint, seconds};
use super::{Output, json};
use crate::term::clean::clean;
use crate::term::color::Palette;
use crate::term::units::{duration, short_count};

/// Columns of the table, where ids are as long as ours.
const TABLE_WIDTH: usize = 80;
/// Columns of the longest state.
const STATE_WIDTH: usize = 12;
/// Columns of the longest mode.
const MODE_WIDTH: usize = 11;

/// A migration as JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Listed {
    Readable {
        #[serde(flatten)]
        status: Box<JobStatus>,
        mode: String,
        created_at_ms: u64,
    },
    Damaged {
        id: String,
        damaged: String,
    },
}

impl Output {
    /// All migrations, which are in `root`.
    pub fn jobs(&self, entries: &[JobEntry], root: &Path) {
        if self.json {
            entries.iter().for_each(|entry| self.object(&json::Tagged::new("job", &listed(entry))));
        } else if entries.is_empty() {
            let root = clean(&root.display().to_string());
            self.line(&format!("there are no migrations in {root}\n{BEGIN}"));
        } else {
            self.screen.result(&table(entries, now_ms(), self.result_palette));
        }
    }
}

const BEGIN: &str = "begin one: ferrite-migrate migrate --mode live \
                     --source redis://old:6379 --target redis://new:6379";

fn listed(entry: &JobEntry) -> Listed {
    match &entry.record {
        Ok(record) => Listed::Readable {
            status: Box::new(record.status()),
            mode: record.plan.mode.clone(),
            created_at_ms: record.plan.created_at_ms,
        },
        Err(error) => Listed::Damaged { id: entry.id.clone(), damaged: error.to_string() },
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Two lines for each: figures, then where it comes from and goes to, or what is wrong.
fn table(entries: &[JobEntry], now_ms: u64, palette: Palette) -> String {
    let width = entries.iter().map(|entry| entry.id.len()).max().unwrap_or_default();
    let title = format!(
        "{:<width$}  {:<STATE_WIDTH$}  {:<MODE_WIDTH$}  {:<11}  {:<7}  AGE",
        "ID", "STATE", "MODE", "KEYS", "LAG"
    );
    let mut lines = vec![palette.bold(&title)];
    for entry in entries {
        let id = format!("{:<width$}", entry.id);
        let (rest, below) = match &entry.record {
            Ok(record) => row(record, now_ms, palette),
            Err(error) => (palette.bad("DAMAGED"), error.to_string()),
        };
        lines.push(format!("{id}  {rest}"));
        lines.push(format!("  {}", cut(&clean(&below), TABLE_WIDTH - 2)));
    }
    lines.join("\n")
}

/// What stands behind the id, and below.
fn row(record: &JobRecord, now_ms: u64, palette: Palette) -> (String, String) {
    let status = record.status();
    let progress = &status.progress;
    let total = progress.keys_total.map(|total| format!("/{}", short_count(total)));
    let keys = format!("{}{}", short_count(progress.keys_done), total.unwrap_or_default());
    let lag = status.lag.seconds.map_or("-".to_owned(), seconds);
    let age = duration(now_ms.saturating_sub(record.plan.created_at_ms));
    let state = paint(status.state, STATE_WIDTH, palette);
    let mode = cut(&clean(&record.plan.mode), MODE_WIDTH);
    let figures = format!("{state}  {mode:<MODE_WIDTH$}  {keys:<11}  {lag:<7}  {age}");
    (figures, format!("{} → {}", status.source, status.target))
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars().take(width - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use ferrite_migrate::{Config, JobError, JobStore, Plan, State};

    use super::*;

    #[test]
    fn the_table_fits_eighty_columns() {
        let dir = tempfile::tempdir().unwrap();
        let store = JobStore::at(dir.path());
        let config = Config::builder()
            .source("redis://a-source-with-a-long-name.example.org:6379")
            .target("redis://a-target-with-a-long-name.example.org:6379")
            .build()
            .unwrap();
        let plan = Plan { created_at_ms: 1_000_000, ..Plan::new(&config, "incremental") };
        let mut job = store.create("mig_2k7abcdefghi", plan).unwrap();
        job.transition(State::CuttingOver, None).unwrap();
        let mut status = JobStatus { state: State::CuttingOver, ..JobStatus::default() };
        (status.progress.keys_done, status.progress.keys_total) = (888_000_000, Some(999_000_000));
        status.lag.seconds = Some(59.0 * 60.0 + 59.0);
        job.write_status(&status).unwrap();
        let mut entries = store.list().unwrap();
        let record = Err(JobError::BadId { id: "x\u{1b}".repeat(50) });
        entries.push(JobEntry { id: "mig_b".to_owned(), record });
        let expected = "\
ID                STATE         MODE         KEYS         LAG      AGE
mig_2k7abcdefghi  CUTTING_OVER  incremental  888M/999M    59m59s   2h46m
  redis://a-source-with-a-long-name.example.org:6379 → redis://a-target-with-a-…
mig_b             DAMAGED
  `x\\u{1b}x\\u{1b}x\\u{1b}x\\u{1b}x\\u{1b}x\\u{1b}x\\u{1b}x\\u{1b}x\\u{1b}x\\u{1b}x\\u{1b…";
        let shown = table(&entries, 11_000_000, Palette::PLAIN);
        assert_eq!(shown, expected);
        assert!(shown.lines().all(|line| line.chars().count() <= TABLE_WIDTH));
    }
}
