//! What is said before there is a log, and the log's first lines.

use std::io::{IsTerminal, Write};
use std::path::Path;

use ferrite_server::config::Config;

/// Prints a result.
pub fn print(text: &str) -> Result<(), String> {
    std::io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| format!("writing to standard output: {error}"))
}

/// Says why the program ends. Where that cannot be said, the exit code says it.
pub fn complain(why: &str) {
    let _ = writeln!(std::io::stderr(), "{why}");
}

/// Writes a file with every parameter; one that is there stays as it is.
pub fn init(path: &Path) -> Result<(), String> {
    let shown = path.display();
    let created = std::fs::File::create_new(path);
    let mut file = created.map_err(|error| format!("writing {shown}: {error}"))?;
    file.write_all(Config::template().as_bytes())
        .map_err(|error| format!("writing {shown}: {error}"))?;
    print(&format!("Wrote {shown}. Start the server with it: ferrite --config {shown}\n"))
}

/// The first lines of the log. Redis's test suite looks for ` PID: ` where it asked for the logo.
pub fn greet(config: &Config) {
    let (version, pid) = (env!("CARGO_PKG_VERSION"), std::process::id());
    let port = config.network.port.get();
    tracing::info!("Ferrite version={version}, bits=64, pid={pid}, just started");
    match config.path() {
        Some(path) => tracing::info!("Configuration loaded from {}", path.display()),
        None => tracing::info!("No configuration file: all parameters have their defaults"),
    }
    tracing::info!("Running mode=standalone, port={port}.");
    let on_terminal = std::io::stdout().is_terminal() && config.general.logfile.get().is_empty();
    if on_terminal || config.general.always_show_logo.get() {
        tracing::info!(
            "Ferrite {version}\n  o---o   Port: {port}\n  |   |   PID: {pid}\n  o---o\n"
        );
    }
}
