//! `peers`: gets the servers that tests run against, tells where they are, runs one by hand.
//!
//! ```text
//! peers fetch [NAME…]          all of them when none is named
//! peers path NAME              the words that run its server
//! peers run NAME [--port N]    until Ctrl-C
//! ```
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program for people at a terminal"
)]

use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Instant;

use clap::{Parser, Subcommand};
use ferrite_testkit::interrupt::on_interrupt;
use ferrite_testkit::{ClientLibrary, OtherServer, Peer, Server};

/// Real Redis and Valkey servers for tests, without root
#[derive(Parser)]
#[command(name = "peers")]
struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Get servers into the cache folder
    Fetch {
        /// Names such as redis-7.0; all servers when none is given
        #[arg(value_parser = server)]
        servers: Vec<Server>,
    },
    /// Print the words that run a server's program
    Path {
        /// Name such as redis-7.0
        #[arg(value_parser = server)]
        server: Server,
    },
    /// Run a server until Ctrl-C; its data is gone afterwards
    Run {
        /// Name such as redis-7.0
        #[arg(value_parser = server)]
        server: Server,
        /// Port on 127.0.0.1; any free one when not given
        #[arg(long)]
        port: Option<u16>,
    },
}

fn server(name: &str) -> Result<Server, String> {
    let names = || Server::ALL.map(Server::name).join(", ");
    Server::from_name(name).ok_or_else(|| format!("there are: {}", names()))
}

fn main() -> ExitCode {
    match run(Arguments::parse().action) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(action: Action) -> Result<(), Box<dyn std::error::Error>> {
    match action {
        Action::Fetch { servers } if servers.is_empty() => {
            fetch(&Server::ALL)?;
            fetch_others()?;
            fetch_libraries()
        }
        Action::Fetch { servers } => fetch(&servers),
        Action::Path { server } => {
            println!("{}", server.binary()?);
            Ok(())
        }
        Action::Run { server, port } => run_until_interrupted(server, port),
    }
}

/// Starts each server once, which shows that what was fetched is complete.
fn fetch(servers: &[Server]) -> Result<(), Box<dyn std::error::Error>> {
    for server in servers {
        let start = Instant::now();
        let peer = Peer::start(*server)?;
        drop(peer);
        println!("{} works ({:.1} s)", server.name(), start.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Gets the servers that speak another protocol, and asks each what it is.
fn fetch_others() -> Result<(), Box<dyn std::error::Error>> {
    for server in OtherServer::ALL {
        let asked = server.binary()?.command().arg("--version").output()?;
        let version = String::from_utf8_lossy(&asked.stdout).lines().next().map(str::to_owned);
        match version.filter(|_| asked.status.success()) {
            Some(version) => println!("{} works ({version})", server.name()),
            None => return Err(format!("{} does not tell its version", server.name()).into()),
        }
    }
    Ok(())
}

/// Gets the client libraries that tests use servers with.
fn fetch_libraries() -> Result<(), Box<dyn std::error::Error>> {
    for library in ClientLibrary::ALL {
        println!("{} is in {}", library.name(), library.folder()?.display());
    }
    Ok(())
}

fn run_until_interrupted(
    server: Server,
    port: Option<u16>,
) -> Result<(), Box<dyn std::error::Error>> {
    let (interrupted, wait) = mpsc::channel();
    on_interrupt(move || {
        // Sent to a program that is ending anyway when nobody listens.
        let _ = interrupted.send(());
    })?;
    let builder = Peer::builder(server).own_process_group();
    let builder = match port {
        Some(port) => builder.port(port),
        None => builder,
    };
    let peer = builder.start()?;
    println!("{} listens on {}", server.name(), peer.url());
    println!("log: {}", peer.dir().join("server.log").display());
    wait.recv()?;
    Ok(())
}
