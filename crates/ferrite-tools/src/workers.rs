//! Options about machines that share a job.

use std::path::PathBuf;

use ferrite_migrate::{ConfigBuilder, TlsOptions, Workers};

use crate::term::error::Failure;

/// Where workers meet.
#[derive(clap::Args)]
#[command(next_help_heading = "Workers")]
pub struct WorkersArgs {
    /// Share the job with all machines that run the same command: they meet in this etcd, under a
    /// prefix that is the job's own. etcds:// for TLS
    #[arg(long, value_name = "etcd://HOST:PORT[,…]/PREFIX")]
    #[arg(env = "FERRITE_WORKERS_FROM", hide_env_values = true)]
    workers_from: Option<String>,
    /// Trust the certificate authorities in this PEM file instead of the system's
    #[arg(long, value_name = "FILE", requires = "workers_from")]
    workers_tls_ca: Option<PathBuf>,
    /// Show this certificate (PEM) to etcd
    #[arg(long, value_name = "FILE", requires_all = ["workers_from", "workers_tls_key"])]
    workers_tls_cert: Option<PathBuf>,
    /// The private key (PEM) of that certificate
    #[arg(long, value_name = "FILE", requires_all = ["workers_from", "workers_tls_cert"])]
    workers_tls_key: Option<PathBuf>,
}

impl WorkersArgs {
    /// Puts what was given into a configuration.
    pub fn apply(self, config: ConfigBuilder) -> ConfigBuilder {
        let tls = self.tls();
        let Some(url) = self.workers_from else { return config };
        config.workers_from(url).workers_tls(tls).worker_name(worker_name())
    }

    /// Where they meet, if that is given.
    ///
    /// # Errors
    /// An address that cannot be used, or TLS options for one without TLS.
    pub fn workers(self) -> Result<Option<Workers>, Failure> {
        let tls = self.tls();
        let Some(url) = self.workers_from else { return Ok(None) };
        Ok(Some(Workers::at(&url, tls)?))
    }

    fn tls(&self) -> TlsOptions {
        TlsOptions {
            ca: self.workers_tls_ca.clone(),
            cert: self.workers_tls_cert.clone(),
            key: self.workers_tls_key.clone(),
            ..TlsOptions::default()
        }
    }
}

/// Machine and process.
fn worker_name() -> String {
    let machine = rustix::system::uname();
    format!("{}:{}", machine.nodename().to_string_lossy(), std::process::id())
}
