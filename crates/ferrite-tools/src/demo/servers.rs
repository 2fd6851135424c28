//! The servers of the demo: Ferrites inside of this process, or real ones that are installed.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use ferrite_client::{Address, Connector};
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::term::error::Failure;

/// What real servers may be called.
const PROGRAMS: [&str; 2] = ["redis-server", "valkey-server"];
/// How long a real server may take to start.
const PATIENCE: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A server that ends when this is dropped.
pub struct Server {
    address: Address,
    name: String,
    _running: Running,
}

/// What keeps a server alive.
#[expect(dead_code, reason = "it is only kept")]
enum Running {
    Ferrite(ferrite_server::Server),
    Process(Child),
}

impl Server {
    /// A Ferrite, in threads of this process.
    ///
    /// # Errors
    /// A system that gives no port or no threads.
    pub fn ferrite(dir: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::system("starting a server", &error);
        let builder = ferrite_server::Server::builder().bind(([127, 0, 0, 1], 0).into());
        let server = builder.snapshot(dir.to_owned(), "dump.rdb").start().map_err(failed)?;
        let bound = server.addresses().first().copied();
        let bound = bound.ok_or_else(|| failed(std::io::Error::other("it listens nowhere")))?;
        let name = format!("Ferrite {} inside of this process", env!("CARGO_PKG_VERSION"));
        Ok(Self { address: address(bound.port())?, name, _running: Running::Ferrite(server) })
    }

    /// A real server, as a process of its own.
    ///
    /// # Errors
    /// None that is installed, or one that does not answer in time.
    pub async fn real(dir: &Path) -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::system("starting a server", &error);
        let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
        let port = free.map_err(failed)?.port();
        for program in PROGRAMS {
            let mut command = Command::new(program);
            command.args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""]);
            command.args(["--appendonly", "no", "--daemonize", "no"]).current_dir(dir);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            // Keys from a terminal are for us: it is stopped when we end.
            command.process_group(0).kill_on_drop(true);
            match command.spawn() {
                Ok(process) => return answering(program, process, &address(port)?).await,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        let missing = format!("neither {} is installed", PROGRAMS.join(" nor "));
        Err(Failure::usage("starting a real server", missing)
            .with_hint("install one (Debian: apt install redis-server), or leave --with-redis out"))
    }

    /// Where it is.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What it is.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn address(port: u16) -> Result<Address, Failure> {
    format!("redis://127.0.0.1:{port}").parse().map_err(|error: ferrite_client::AddressError| {
        Failure::usage("an address", error.to_string())
    })
}

/// Waits until a real server answers.
async fn answering(
    program: &str,
    mut process: Child,
    address: &Address,
) -> Result<Server, Failure> {
    let failed = |why: &str| Failure::system("starting a server", &std::io::Error::other(why));
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(mut connection) = Connector::new(address.clone()).connect().await
            && let Ok(info) = connection.call(&["INFO", "server"]).await
        {
            let name = format!("{program} {}", version(info.as_str().unwrap_or_default()));
            let _running = Running::Process(process);
            return Ok(Server { address: address.clone(), name, _running });
        }
        if let Ok(Some(status)) = process.try_wait() {
            return Err(failed(&format!("{program} ended with {status}")));
        }
        if Instant::now() > deadline {
            return Err(failed(&format!("{program} does not answer at {address}")));
        }
        sleep(LOOK_EVERY).await;
    }
}

fn version(info: &str) -> &str {
    let field = |name: &str| info.lines().find_map(|line| line.strip_prefix(name));
    field("valkey_version:").or_else(|| field("redis_version:")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valkey_is_told_from_the_redis_it_is_compatible_with() {
        assert_eq!(version("redis_version:7.2.4\r\nvalkey_version:9.1.2\r\n"), "9.1.2");
        assert_eq!(version("# Server\r\nredis_version:7.0.15\r\n"), "7.0.15");
    }
}
