//! One Memcached or several, of which every key is read once.
//!
//! ```text
//! crawler ──names──► readers (a connection each) ──batches──► feed          for each server
//! ```
//!
//! A Memcached keeps no state of one moment and tells no changes. Its crawler names the keys, with
//! the moment each expires at; the value is read later, with the time that is left then. What was
//! written in between is read as it is by then; what expired, was evicted or deleted is counted as
//! such. A key becomes a string, or what the [policy for flags](MemcachedFlags) makes of it.

mod compare;
mod describe;
mod flags;
mod follow;
mod read;
mod record;
mod server;

use std::sync::Arc;

use ferrite_client::memcached;
use ferrite_client::{AddressError, Connector, TlsOptions};

use super::{Comparing, Describing, Kind, Opened, Rounds};
use crate::engine::Job;
use crate::error::MigrateError;
use crate::report::{PreflightReport, VerificationReport};
use crate::sources::BoxFuture;
use crate::verify::{Coverage, WrittenTo};

pub use flags::MemcachedFlags;

/// Servers among which the keys of one cache are shared out.
#[derive(Debug)]
pub struct Memcacheds {
    connectors: Vec<Connector>,
    flags: MemcachedFlags,
}

impl Memcacheds {
    /// The servers an address names.
    ///
    /// # Errors
    /// Text that is no such address.
    pub fn new(url: &str, tls: &TlsOptions, flags: MemcachedFlags) -> Result<Self, AddressError> {
        let connector = |address| Connector::new(address).tls(tls.clone());
        let connectors = memcached::addresses(url)?.into_iter().map(connector).collect();
        Ok(Self { connectors, flags })
    }

    /// Whether TLS is spoken.
    pub fn is_tls(&self) -> bool {
        self.connectors.first().is_some_and(|connector| connector.address().is_tls())
    }
}

impl Kind for Memcacheds {
    fn name(&self) -> &'static str {
        "memcached"
    }

    fn place(&self) -> String {
        let mut place = String::new();
        for connector in &self.connectors {
            match place.is_empty() {
                true => place = connector.address().to_string(),
                false => place.push_str(&format!(",{}", connector.address().endpoint())),
            }
        }
        place
    }

    fn reason(&self) -> &'static str {
        "the crawler lists the keys and each is read once: a Memcached has no snapshot to read, and \
         tells no changes to follow"
    }

    fn may_repeat(&self) -> bool {
        true
    }

    fn is_comparable(&self) -> bool {
        true
    }

    fn describe<'a>(&'a self, report: &'a mut PreflightReport, top: usize) -> Describing<'a> {
        Box::pin(async move { describe::describe(&self.connectors, report, top).await.map(Some) })
    }

    fn is_followable(&self) -> bool {
        true
    }

    fn rounds(&self, job: Arc<Job>) -> Option<Box<dyn Rounds>> {
        Some(Box::new(follow::MemcachedRounds::new(job, &self.connectors, self.flags)))
    }

    fn compare(&self, job: Arc<Job>, target: WrittenTo) -> Comparing<'_> {
        // Each comparer has a connection of its own.
        drop(target);
        let compared = self.compare_by_key(job, Coverage::Full);
        Box::pin(async { compared.await.map(Some) })
    }

    fn open<'a>(
        &'a self,
        _job: Arc<Job>,
        report: &'a mut PreflightReport,
    ) -> BoxFuture<'a, Result<Opened, MigrateError>> {
        Box::pin(async move {
            let (servers, keys_total) = server::check(&self.connectors, report).await?;
            let source = Box::new(read::MemcachedSource { servers, flags: self.flags, only: None });
            Ok(Opened { source, keys_total, then: None })
        })
    }

    fn compare_by_key(
        &self,
        job: Arc<Job>,
        coverage: Coverage,
    ) -> BoxFuture<'static, Result<VerificationReport, MigrateError>> {
        let (connectors, flags) = (self.connectors.clone(), self.flags);
        Box::pin(async move { compare::compare(&job, connectors, flags, coverage).await })
    }
}
