//! An orderly end, asked for from outside.

use tokio::sync::watch;

/// Says once that the run should end; anybody can wait for it.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stop {
    /// Asks for the end.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the end is asked for.
    pub async fn stopped(&self) {
        // The sender lives in `self`, so the wait can only end with the value.
        let _ = self.0.subscribe().wait_for(|stopped| *stopped).await;
    }
}
