//! How a source hands over what it reads.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::engine::{Budget, Job};
use crate::model::{BatchBuilder, Elements, LargeRecord, RecordHead};
use crate::targets::redis::Item;

/// The workers have ended, and say why themselves: nothing more can be handed over.
#[derive(Clone, Copy, Debug)]
pub struct Closed;

/// Runs of elements of one large key that wait to be written.
const ELEMENTS_MAX: usize = 1;

/// The elements of one large key, on their way to whoever writes it.
#[derive(Debug)]
pub struct Parts {
    job: Arc<Job>,
    parts: mpsc::Sender<Elements>,
}

impl Parts {
    /// Hands over the next elements, waiting while those before them are not written.
    ///
    /// # Errors
    /// Nobody takes them.
    pub async fn send(&self, elements: Elements) -> Result<(), Closed> {
        self.job.gate.pass(elements.bytes(), &self.job.stop).await;
        self.parts.send(elements).await.map_err(|_| Closed)
    }
}

/// The source's end of the pipe to the target.
#[derive(Clone, Debug)]
pub struct Feed {
    /// The migration.
    pub job: Arc<Job>,
    items: mpsc::Sender<Item>,
    budget: Budget,
    again: bool,
    /// Whether whoever takes the keys can hold expiries of a hash's fields.
    pub field_expiry: bool,
}

impl Feed {
    /// A feed into a channel, within a budget of bytes.
    #[must_use]
    pub fn new(job: Arc<Job>, items: mpsc::Sender<Item>, budget: Budget) -> Self {
        Self { job, items, budget, again: false, field_expiry: false }
    }

    /// The same feed, to a target of this ability.
    #[must_use]
    pub fn with_field_expiry(mut self, can: bool) -> Self {
        self.field_expiry = can;
        self
    }

    /// The same feed, for keys that may have been handed over before: what is on the target of
    /// them is as good.
    #[must_use]
    pub fn again(mut self) -> Self {
        self.again = true;
        self
    }

    /// Hands over a batch, waiting while too much is on its way.
    ///
    /// # Errors
    /// Nobody takes it.
    pub async fn batch(&self, batch: BatchBuilder) -> Result<(), Closed> {
        if batch.is_empty() {
            return Ok(());
        }
        self.job.gate.pass(batch.bytes(), &self.job.stop).await;
        let permit = self.budget.take(batch.bytes()).await;
        let mut batch = batch.finish(permit);
        batch.again = self.again;
        self.item(Item::Batch(batch)).await
    }

    /// Announces a large key, whose elements then go into what is returned.
    ///
    /// # Errors
    /// Nobody takes it.
    pub async fn large(
        &self,
        db: u32,
        format: ferrite_rdb::Format,
        head: RecordHead,
        key: Vec<u8>,
    ) -> Result<Parts, Closed> {
        let (parts, elements) = mpsc::channel(ELEMENTS_MAX);
        self.item(Item::Large(LargeRecord { db, format, again: self.again, head, key, elements }))
            .await?;
        Ok(Parts { job: Arc::clone(&self.job), parts })
    }

    /// Hands over the code of a function library.
    ///
    /// # Errors
    /// Nobody takes it.
    pub async fn function(&self, code: Vec<u8>) -> Result<(), Closed> {
        self.item(Item::Function(code)).await
    }

    async fn item(&self, item: Item) -> Result<(), Closed> {
        self.items.send(item).await.map_err(|_| Closed)
    }

    /// Whether a key of this name takes part; counts it if not.
    pub fn accepts(&self, key: &[u8]) -> bool {
        let accepted = self.job.config.filter.is_all() || self.job.config.filter.accepts(key);
        if !accepted {
            self.filtered(1);
        }
        accepted
    }

    /// Whether a value of this type takes part.
    #[must_use]
    pub fn accepts_type(&self, format: ferrite_rdb::Format, type_byte: u8) -> bool {
        let types = &self.job.config.types;
        let kind = ferrite_rdb::ValueKind::of(format, type_byte);
        types.is_empty()
            || kind.is_some_and(|kind| types.iter().any(|wanted| wanted.name() == kind.name()))
    }

    /// Counts keys that do not take part.
    pub fn filtered(&self, keys: u64) {
        self.job.tally(|tally| tally.keys.filtered += keys);
    }
}
