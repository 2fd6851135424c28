//! What memory the process takes: now, at the start, at most so far, and by the system's count.

use std::sync::atomic::{AtomicU64, Ordering};

use ferrite_store::memory;

/// What is remembered of it.
#[derive(Debug, Default)]
pub struct MemoryUse {
    start: AtomicU64,
    peak: AtomicU64,
}

impl MemoryUse {
    /// The server is about to serve clients: what is used now is its own.
    pub fn started(&self) {
        self.start.store(self.look(), Ordering::Relaxed);
    }

    /// What the server took before it served anybody.
    pub fn at_start(&self) -> u64 {
        self.start.load(Ordering::Relaxed)
    }

    /// Bytes that are allocated now; the most so far is remembered.
    pub fn look(&self) -> u64 {
        let used = memory::allocated() as u64;
        self.peak.fetch_max(used, Ordering::Relaxed);
        used
    }

    /// The most that was seen.
    pub fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// The peak is what is used now (`CONFIG RESETSTAT`).
    pub fn forget_peak(&self) {
        self.peak.store(memory::allocated() as u64, Ordering::Relaxed);
    }
}

/// A number of kilobytes that the system tells of this process, in bytes; 0 where it tells none.
fn told(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Bytes of memory that the system has given this process.
pub fn resident() -> u64 {
    told("/proc/self/status", "VmRSS:")
}

/// Bytes of memory of this machine.
pub fn of_machine() -> u64 {
    told("/proc/meminfo", "MemTotal:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_what_it_gave() {
        assert!(resident() > 1 << 20);
        assert!(of_machine() > resident());
        let used = MemoryUse::default();
        used.started();
        assert!(used.peak() >= used.at_start());
    }
}
