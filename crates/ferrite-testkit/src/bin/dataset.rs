//! `dataset`: fills a running server, or compares two.
//!
//! ```text
//! dataset mixed --keys 1000000 --url redis://127.0.0.1:6379
//! dataset everything --url redis://127.0.0.1:6379
//! dataset diff --url redis://127.0.0.1:6379 --other redis://127.0.0.1:6380
//! ```
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people at a terminal"
)]

use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use clap::{Parser, Subcommand};
use ferrite_testkit::client::Connector;
use ferrite_testkit::dataset::DEFAULT_SEED;
use ferrite_testkit::{Client, Dataset, snapshot};

/// Test data for Redis and Valkey servers
#[derive(Parser)]
#[command(name = "dataset")]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Many ordinary keys of all types
    Mixed {
        /// Number of keys
        #[arg(long, default_value_t = 1_000_000)]
        keys: u64,
        #[command(flatten)]
        place: Place,
    },
    /// Every type, encoding, size class and kind of expiry
    Everything {
        #[command(flatten)]
        place: Place,
    },
    /// Read two servers whole and print how they differ
    Diff {
        /// The first server
        #[arg(long)]
        url: String,
        /// The second server
        #[arg(long)]
        other: String,
    },
}

#[derive(clap::Args)]
struct Place {
    /// The server to fill: redis://[user][:password@]host[:port]
    #[arg(long)]
    url: String,
    /// Another seed gives other contents
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u64,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().action {
        Action::Mixed { keys, place } => load(&Dataset::mixed(keys), &place),
        Action::Everything { place } => load(&Dataset::everything(), &place),
        Action::Diff { url, other } => diff(&url, &other),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn connect(url: &str) -> Result<Client, Box<dyn Error>> {
    Ok(Connector::from_url(url)?.connect()?)
}

fn load(dataset: &Dataset, place: &Place) -> Result<ExitCode, Box<dyn Error>> {
    let mut client = connect(&place.url)?;
    let start = Instant::now();
    let dataset = dataset.clone().seed(place.seed);
    let loaded = dataset.load_telling(&mut client, |keys| eprintln!("{keys} keys sent"))?;
    println!("loaded {} keys in {:.1} s", loaded.keys, start.elapsed().as_secs_f64());
    Ok(ExitCode::SUCCESS)
}

fn diff(url: &str, other: &str) -> Result<ExitCode, Box<dyn Error>> {
    let first = snapshot(&mut connect(url)?)?;
    let second = snapshot(&mut connect(other)?)?;
    let differences = first.diff(&second);
    for line in &differences {
        println!("{line}");
    }
    if !differences.is_empty() {
        return Ok(ExitCode::FAILURE);
    }
    println!("equal: {} keys", first.len());
    Ok(ExitCode::SUCCESS)
}
