//! A job that several machines share, for people.

use ferrite_migrate::{SharedReport, SharedStatus, WorkerShare};

use super::table::Sheet;
use crate::term::clean::clean;
use crate::term::color::Palette;
use crate::term::units::{bytes, count};

/// Who did what, within a report.
pub fn report(shared: &SharedReport, sheet: &mut Sheet) {
    sheet.section("WORKERS");
    sheet.pair("Met in", clean(&shared.workers_from));
    sheet.pair("Partitions", format!("{} of {}", count(shared.done), count(shared.partitions)));
    shares(&shared.workers, Some(&shared.worker), sheet);
}

/// How far it is, as a block of lines.
pub fn status(shared: &SharedStatus, palette: Palette) -> String {
    let mut sheet = Sheet::new("SHARED MIGRATION", palette);
    sheet.line("");
    sheet.pair("Run", clean(&shared.id));
    sheet.pair("Source", clean(&shared.source));
    sheet.pair("Target", clean(&shared.target));
    sheet.pair("Partitions", format!("{} of {}", count(shared.done), count(shared.partitions)));
    sheet.pair("Copied", format!("{} keys, {}", count(shared.keys), bytes(shared.bytes)));
    sheet.pair("Workers", format!("{} alive", shared.alive.len()));
    if !shared.copying.is_empty() {
        sheet.section("COPYING");
        for one in &shared.copying {
            sheet.line(format!(
                "partition {:<5}{:>16} keys   {}",
                one.partition,
                count(one.keys),
                clean(&one.worker)
            ));
        }
    }
    if !shared.workers.is_empty() {
        sheet.section("DONE");
        shares(&shared.workers, None, &mut sheet);
    }
    sheet.line("");
    sheet.line(match (shared.is_over(), shared.alive.is_empty()) {
        (true, _) => palette.good("✅ all partitions are done"),
        (false, false) => String::from("under way"),
        (false, true) => palette.warn("⚠ nobody works on it: start a worker with the same command"),
    });
    sheet.finish()
}

fn shares(workers: &[WorkerShare], ours: Option<&str>, sheet: &mut Sheet) {
    for one in workers {
        let this = if ours == Some(one.name.as_str()) { " (this one)" } else { "" };
        sheet.line(format!(
            "{:>5} partitions{:>16} keys{:>12}   {}{this}",
            count(one.partitions),
            count(one.keys),
            bytes(one.bytes),
            clean(&one.name)
        ));
    }
}

#[cfg(test)]
mod tests {
    use ferrite_migrate::PartitionStatus;

    use super::*;

    #[test]
    fn who_does_what_is_shown() {
        let share =
            WorkerShare { name: "a:1:ff".to_owned(), partitions: 3, keys: 4_000, bytes: 2 << 20 };
        let copying = PartitionStatus { partition: 4, worker: "b:2:fe".into(), keys: 7, bytes: 9 };
        let shared = SharedStatus {
            id: "mig_x".to_owned(),
            source: "redis://old:6379".to_owned(),
            target: "redis://new:6379".to_owned(),
            partitions: 8,
            done: 3,
            keys: 4_007,
            bytes: 2 << 20,
            alive: vec!["b:2:fe".to_owned()],
            copying: vec![copying],
            workers: vec![share],
        };
        let text = status(&shared, Palette::PLAIN);
        for line in ["3 of 8", "4,007 keys, 2.00 MiB", "1 alive", "b:2:fe", "under way"] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert!(
            text.contains("    3 partitions           4,000 keys    2.00 MiB   a:1:ff"),
            "{text}"
        );
        let text = status(&SharedStatus { alive: Vec::new(), ..shared.clone() }, Palette::PLAIN);
        assert!(text.contains("nobody works on it"), "{text}");
        let text = status(&SharedStatus { done: 8, ..shared }, Palette::PLAIN);
        assert!(text.contains("all partitions are done"), "{text}");
    }
}
