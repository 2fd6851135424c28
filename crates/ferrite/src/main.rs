//! The server `ferrite`: command line, log, signals. Everything else is in `ferrite-server`.

mod background;
mod banner;
mod command_line;
mod log;
mod pid_file;
mod signals;

use std::process::ExitCode;
use std::sync::Arc;

use ferrite_server::config::{Config, Load, Start};
use ferrite_server::{Counting, Server};
use mimalloc::MiMalloc;

use command_line::Task;

#[global_allocator]
static ALLOCATOR: Counting<MiMalloc> = Counting::new(MiMalloc);

/// The exit code of a server that cannot be started, as Redis's.
const CANNOT_START: u8 = 1;

fn main() -> ExitCode {
    ferrite_server::huge_pages::spare();
    let done = match command_line::read(std::env::args_os().skip(1)) {
        Ok(Task::Print(text)) => banner::print(&text),
        Ok(Task::Init(path)) => banner::init(&path),
        Ok(Task::Test(load)) => test(&load),
        Ok(Task::Serve(load)) => serve(&load),
        Err(why) => Err(why),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            banner::complain(&why);
            ExitCode::from(CANNOT_START)
        }
    }
}

/// Reads the configuration and says whether a server could start with it.
fn test(load: &Load) -> Result<(), String> {
    load.load().map_err(|error| error.to_string())?;
    banner::print("Configuration OK\n")
}

fn serve(load: &Load) -> Result<(), String> {
    let Start { config, users, names } = load.load().map_err(|error| error.to_string())?;
    let config = Arc::new(config);
    if config.process.daemonize.get() && background::leave()? {
        return Ok(());
    }
    log::begin(&config)?;
    banner::greet(&config);
    let _pid = pid_file::PidFile::write(&config);
    let signals = signals::catch()?;
    let listening = Server::builder().configured(&config, users).names(names).listen();
    let mut server = listening
        .inspect_err(|error| {
            tracing::error!("{error}");
            if error.kind() == std::io::ErrorKind::AddrInUse {
                // The line that those who start servers look for.
                let port = config.network.port.get();
                tracing::error!("Failed listening on port {port} (tcp), aborting.");
            }
        })
        .map_err(|error| format!("Ferrite cannot start: {error}"))?;
    signals::heed(signals, server.shared())?;
    server
        .load()
        .inspect_err(|error| tracing::error!("{error}"))
        .map_err(|error| format!("Ferrite cannot start: {error}"))?;
    if !server.shared().is_stopping() {
        say_ready(&config);
    }
    server.wait().map_err(|error| format!("Ferrite ended: {error}"))?;
    tracing::warn!("Ferrite is now ready to exit, bye bye...");
    Ok(())
}

/// The lines that those who start servers wait for.
fn say_ready(config: &Config) {
    let network = &config.network;
    for (listens, kind) in [
        (network.port.get() != 0, "tcp"),
        (config.tls.port.get() != 0, "tls"),
        (!network.unixsocket.get().is_empty(), "unix"),
    ] {
        if listens {
            tracing::info!("Ready to accept connections {kind}");
        }
    }
}
