//! Machines that share a job.

use ferrite_client::TlsOptions;
use ferrite_client::etcd::EtcdPlace;

use super::{ConfigBuilder, ConfigError, Mode, OnConflict, Strategy};
use crate::workers::Workers;

/// What a worker is called unless told otherwise.
const NAME_DEFAULT: &str = "worker";

impl ConfigBuilder {
    /// Shares the job with all that are given the same, by leases in an etcd:
    /// `etcd://host:port[,…]/prefix`, where the prefix is the job's own; `etcds://` for TLS.
    #[must_use]
    pub fn workers_from(mut self, url: impl Into<String>) -> Self {
        self.workers_from = Some(url.into());
        self
    }

    /// TLS settings of that etcd.
    #[must_use]
    pub fn workers_tls(mut self, tls: TlsOptions) -> Self {
        self.workers_tls = tls;
        self
    }

    /// What this worker is called where workers are listed, such as machine and process; need not
    /// be unique.
    #[must_use]
    pub fn worker_name(mut self, name: impl Into<String>) -> Self {
        self.worker_name = Some(name.into());
        self
    }

    /// Where the machines meet, and why they cannot share a job like this.
    pub(super) fn take_workers(&mut self) -> Result<Option<Workers>, ConfigError> {
        let Some(url) = self.workers_from.take() else { return Ok(None) };
        let refused = |why: &str| Err(ConfigError(format!("a job that machines share {why}")));
        if self.mode != Mode::Snapshot {
            return refused("is a snapshot: choose --mode snapshot, or leave --workers-from out");
        }
        if self.input.is_some() {
            return refused("has a server as its source: what is no server is read by one process");
        }
        if !matches!(self.strategy, Strategy::Auto | Strategy::Scan) {
            return refused("is read slot by slot: choose --strategy scan, or leave it out");
        }
        if self.only_differing {
            return refused("copies every key: sync with one process");
        }
        if self.on_conflict == OnConflict::Skip {
            return refused(
                "cannot tell keys that were there from those of a worker that died: choose \
                 --on-conflict fail or replace",
            );
        }
        if self.dry_run {
            return refused("cannot be rehearsed: use --dry-run without --workers-from");
        }
        if self.verify {
            return refused("is compared when it is over: ferrite-migrate verify");
        }
        workers(&url, std::mem::take(&mut self.workers_tls), self.worker_name.take()).map(Some)
    }
}

impl Workers {
    /// Where workers meet whose address is this.
    ///
    /// # Errors
    /// Text that is no such address; TLS options for one without TLS.
    pub fn at(url: &str, tls: TlsOptions) -> Result<Self, ConfigError> {
        workers(url, tls, None)
    }
}

fn workers(url: &str, tls: TlsOptions, name: Option<String>) -> Result<Workers, ConfigError> {
    let place: EtcdPlace =
        url.parse().map_err(|error| ConfigError(format!("workers-from: {error}")))?;
    if tls != TlsOptions::default() && !place.is_tls() {
        return Err(ConfigError(format!(
            "TLS options are given, but {place} is an address without TLS: etcds:// has it"
        )));
    }
    let name = name.unwrap_or_else(|| NAME_DEFAULT.to_owned());
    Ok(Workers { place, tls, name })
}
