//! The command `ferrite-migrate`: begins and ends the process; all else is in the library.

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::{env, io, thread};

use ferrite_tools::{Failure, Invocation, Screen};
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::EnvFilter;

/// Threads of the runtime: enough for the target, which is the bottleneck of every copy.
const THREADS_MAX: usize = 2;

fn main() -> ExitCode {
    ExitCode::from(run().unwrap_or_else(|code| code))
}

fn run() -> Result<u8, u8> {
    let invocation = ferrite_tools::prepare(env::args_os())?;
    let started = install_log(&invocation).and_then(|()| runtime(invocation.parallel()));
    let runtime = started.map_err(|failure| invocation.fail(&failure))?;
    let code = runtime.block_on(invocation.run());
    // An operator who interrupts twice does not wait for what is still under way.
    runtime.shutdown_background();
    Ok(code)
}

/// `RUST_LOG` says what is logged; without it, warnings are, and with `-v` what we do as well.
fn install_log(invocation: &Invocation) -> Result<(), Failure> {
    let default = if invocation.is_verbose() { "warn,ferrite_migrate=debug" } else { "warn" };
    let filter = match env::var_os("RUST_LOG") {
        Some(_) => EnvFilter::try_from_default_env()
            .map_err(|error| Failure::usage("reading RUST_LOG", error.to_string()))?,
        None => EnvFilter::new(default),
    };
    let screen: Screen = invocation.screen().clone();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(move || screen.clone())
        .with_ansi(false)
        .init();
    Ok(())
}

fn runtime(parallel: usize) -> Result<Runtime, Failure> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    Builder::new_multi_thread()
        .worker_threads(cores.min(parallel.saturating_add(1)).clamp(1, THREADS_MAX))
        .enable_all()
        .build()
        .map_err(|error: io::Error| Failure::system("starting threads", &error))
}
