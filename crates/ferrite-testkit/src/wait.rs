//! Waiting for something that another process or thread does.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take that a test waits for.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Pause between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Blocks until `done` says so.
///
/// # Panics
/// After a minute, with `what` was waited for.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + TIMEOUT;
    while !done() {
        assert!(Instant::now() < deadline, "waited for a minute until {what}");
        thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_looks_until_it_is_done() {
        let mut looks = 0;
        wait_until("it has looked three times", || {
            looks += 1;
            looks == 3
        });
        assert_eq!(looks, 3);
    }
}
