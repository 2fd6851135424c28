//! Events that took long, for people: a graph, and advice.

use std::fmt::Write;

use super::Event;

/// Rows of a graph.
const ROWS: u64 = 4;

/// The most columns of a graph.
const COLUMNS: usize = 80;

/// What a column of the graph has at its top, by thirds of a row.
const MARKS: [char; 3] = ['_', 'o', '#'];

/// How long ago a moment was, in few letters.
fn ago(seconds: i64) -> String {
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// The last moments of an event as columns, with how long ago they were below them.
pub fn graph(name: &str, event: &Event, now: i64) -> String {
    let skipped = event.samples.len().saturating_sub(COLUMNS);
    let samples: Vec<_> = event.samples.iter().skip(skipped).collect();
    let values = samples.iter().map(|sample| sample.milliseconds);
    let (low, high) = (values.clone().min().unwrap_or(0), values.max().unwrap_or(0));
    let mut text =
        format!("{name} - high {high} ms, low {low} ms (all time high {} ms)\n", event.longest);
    text.push_str(&"-".repeat(COLUMNS));
    text.push('\n');
    // Each column in thirds of a row: the lowest is one third, the highest all rows.
    let steps = ROWS * MARKS.len() as u64;
    let height = |value: u64| match high - low {
        0 => steps,
        range => 1 + (value - low) * (steps - 1) / range,
    };
    for row in (0..ROWS).rev() {
        let line: String = samples
            .iter()
            .map(|sample| {
                let above = height(sample.milliseconds).saturating_sub(row * 3);
                match above {
                    0 => ' ',
                    1..=3 => MARKS.get(above as usize - 1).copied().unwrap_or('#'),
                    _ => '|',
                }
            })
            .collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let labels: Vec<Vec<char>> = samples
        .iter()
        .map(|sample| ago((now / 1000 - sample.at).max(0)).chars().collect())
        .collect();
    for row in 0..labels.iter().map(Vec::len).max().unwrap_or(0) {
        let letter = |label: &Vec<char>| label.get(row).copied().unwrap_or(' ');
        let line: String = labels.iter().map(letter).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// What an operator can do about an event.
fn advice(name: &str) -> &'static str {
    match name {
        "command" => {
            "Look with SLOWLOG GET which commands they are: those that go through a whole large \
             value or over all keys hold their shards as long as they run."
        }
        "fast-command" => {
            "These commands take constant time: the process did not get its processor. Look for \
             other load on this machine, for swapping, and for a host that is shared."
        }
        "expire-cycle" => "Very many keys expire at the same time: spread their expiries.",
        "eviction-cycle" => {
            "Much must be evicted at once: raise maxmemory, or write less than is read."
        }
        _ => "Look into the log of that time.",
    }
}

/// Every event with what can be done about it.
pub fn doctor(events: &std::collections::BTreeMap<&'static str, Event>, threshold: i64) -> String {
    if threshold <= 0 {
        return "Nothing is watched: latency-monitor-threshold is 0. Set it to the milliseconds \
                that are too long for you, for example CONFIG SET latency-monitor-threshold 100, \
                and ask again later.\n"
            .to_owned();
    }
    if events.is_empty() {
        return format!("Nothing took {threshold} ms or longer so far.\n");
    }
    let mut text = format!("Events of {threshold} ms or longer:\n");
    for (number, (name, event)) in events.iter().enumerate() {
        let count = event.samples.len() as u64;
        let sum: u64 = event.samples.iter().map(|sample| sample.milliseconds).sum();
        let mean = sum.checked_div(count).unwrap_or(0);
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "\n{}. {name}: in {count} different seconds, {mean} ms on average, {} ms at most.\n   {}\n",
            number + 1,
            event.longest,
            advice(name),
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Sample;

    #[test]
    fn a_graph_has_a_column_for_each_moment() {
        let mut event = Event::default();
        for (at, milliseconds) in [(940, 10), (999, 40), (1000, 20)] {
            event.add(Sample { at, milliseconds });
        }
        let text = graph("command", &event, 1_000_000);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "command - high 40 ms, low 10 ms (all time high 40 ms)");
        assert_eq!(lines[2], " #");
        assert_eq!(lines[5], "_||");
        assert_eq!(lines[6], "110");
        assert_eq!(lines[7], "mss");
        let events = [("command", event)].into();
        assert!(doctor(&events, 10).contains("1. command: in 3 different seconds, 23 ms"));
        assert!(doctor(&events, 0).contains("latency-monitor-threshold"));
    }
}
