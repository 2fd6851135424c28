//! What a process and its children have used, read from `/proc` (Linux).
//!
//! ```text
//! /proc/PID/stat     … 14 utime, 15 stime, 16 cutime, 17 cstime: clock ticks; "c" is waited-for children
//! /proc/PID/status   VmHWM: peak resident memory in kB
//! /proc/PID/task/TID/children   pids of children still running
//! ```

use std::fs;

/// Deepest nesting of children that is followed.
const MAX_DEPTH: usize = 4;

/// CPU time and memory of a process with its children.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Usage {
    /// Seconds of CPU in user mode, since the process started.
    pub user_s: f64,
    /// Seconds of CPU in the kernel, since the process started.
    pub sys_s: f64,
    /// Peak resident memory in bytes: the process's own, plus the peaks of children still running.
    pub peak_rss: u64,
}

/// What the process has used so far; zeros once it is gone.
pub fn of(pid: u32) -> Usage {
    with_children(pid, MAX_DEPTH)
}

fn with_children(pid: u32, depth: usize) -> Usage {
    let mut usage = alone(pid).unwrap_or_default();
    if depth > 0 {
        for child in children(pid) {
            let used = with_children(child, depth - 1);
            usage.user_s += used.user_s;
            usage.sys_s += used.sys_s;
            usage.peak_rss += used.peak_rss;
        }
    }
    usage
}

fn alone(pid: u32) -> Option<Usage> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name sits in parentheses and may hold anything: count after the last one.
    let (_, after) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |number: usize| -> Option<f64> { fields.get(number - 3)?.parse().ok() };
    let per_second = rustix::param::clock_ticks_per_second() as f64;
    Some(Usage {
        user_s: (ticks(14)? + ticks(16)?) / per_second,
        sys_s: (ticks(15)? + ticks(17)?) / per_second,
        peak_rss: peak_rss(pid).unwrap_or(0),
    })
}

fn peak_rss(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

/// Children of the process that still run.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return Vec::new() };
    let lists =
        tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}
