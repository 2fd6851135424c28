//! How many bytes may be on their way at once: the bound on the engine's memory.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes counted in pages, so that any budget fits a semaphore's 32-bit permits.
const PAGE: usize = 4096;

/// A shared budget of bytes.
#[derive(Clone, Debug)]
pub struct Budget {
    pages: Arc<Semaphore>,
    total: usize,
}

impl Budget {
    /// A budget of that many bytes.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        let total = (bytes / PAGE).clamp(1, Semaphore::MAX_PERMITS);
        Self { pages: Arc::new(Semaphore::new(total)), total }
    }

    /// Waits until so many bytes are free and takes them, until the permit is dropped. More than
    /// the whole budget takes the whole budget.
    pub async fn take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let pages = bytes.div_ceil(PAGE).clamp(1, self.total);
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        Arc::clone(&self.pages).acquire_many_owned(pages).await.ok()
    }
}
