//! What kind of server is this, and in what state.

mod info;

use std::collections::BTreeMap;
use std::fmt;

pub use info::Info;

use crate::{ClientError, Connection};

/// Who made the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Family {
    /// Redis.
    Redis,
    /// Valkey.
    Valkey,
    /// KeyDB.
    KeyDb,
    /// Dragonfly.
    Dragonfly,
    /// Ferrite.
    Ferrite,
    /// It does not say.
    Unknown,
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Redis => "Redis",
            Self::Valkey => "Valkey",
            Self::KeyDb => "KeyDB",
            Self::Dragonfly => "Dragonfly",
            Self::Ferrite => "Ferrite",
            Self::Unknown => "unknown server",
        })
    }
}

/// A version; 0.0.0 when the server does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number.
    pub patch: u32,
}

impl Version {
    /// A version of three numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Reads `7.0.15`, `df-v1.27.1`, `8.1.0-rc1`: the first numbers there are.
    pub fn parse(text: &str) -> Self {
        let start = text.find(|c: char| c.is_ascii_digit()).unwrap_or(text.len());
        let digits = text.get(start..).unwrap_or_default();
        let end = digits.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(digits.len());
        let mut numbers = digits.get(..end).unwrap_or_default().split('.');
        let mut next = || numbers.next().and_then(|number| number.parse().ok()).unwrap_or(0);
        Self::new(next(), next(), next())
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// What a server is to its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Takes writes.
    Master,
    /// Copies a master.
    Replica,
    /// Watches masters; holds no data.
    Sentinel,
    /// It does not say.
    Unknown,
}

/// Keys of one database.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keyspace {
    /// Number of keys.
    pub keys: u64,
    /// Keys that expire.
    pub expires: u64,
    /// Average time to live of those, in milliseconds.
    pub average_ttl: u64,
}

/// A module the server has loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Module {
    /// Its name, such as `ReJSON`.
    pub name: String,
    /// Its version as the server writes it.
    pub version: String,
}

/// What a server says of itself. Fields it does not tell are `None`, empty or `Unknown`.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerInfo {
    /// Who made it.
    pub family: Family,
    /// Its own version.
    pub version: Version,
    /// The Redis version it claims compatibility with.
    pub redis_version: Version,
    /// What it is to its data.
    pub role: Role,
    /// Whether it is still loading its data.
    pub loading: bool,
    /// Whether it is a node of a cluster.
    pub cluster_enabled: bool,
    /// Whether a replica is connected to its master; `None` on a master.
    pub master_link_up: Option<bool>,
    /// Memory in use, in bytes.
    pub used_memory: Option<u64>,
    /// Limit of memory in bytes; 0 for none.
    pub maxmemory: Option<u64>,
    /// What happens at the limit, such as `noeviction`.
    pub maxmemory_policy: Option<String>,
    /// Databases that have keys.
    pub keyspace: BTreeMap<u32, Keyspace>,
    /// Names its history, for replication.
    pub replication_id: Option<String>,
    /// Where it is in that history, in bytes.
    pub replication_offset: Option<u64>,
    /// Replicas attached.
    pub connected_replicas: Option<u64>,
    /// Whether it is saving an RDB at this moment.
    pub saving: bool,
    /// Loaded modules.
    pub modules: Vec<Module>,
    /// Everything it said.
    pub info: Info,
}

impl ServerInfo {
    /// Asks the server (`INFO`). Where that is forbidden, `HELLO` still tells what it is; where
    /// that is forbidden too, everything is unknown, which is no error.
    ///
    /// # Errors
    /// What happens to the connection, and transient error replies.
    pub async fn probe(connection: &mut Connection) -> Result<Self, ClientError> {
        let told = match connection.call(&["INFO"]).await {
            Ok(text) => Info::parse(text.as_bytes().unwrap_or_default()),
            Err(error) if error.is_refusal() => match connection.call(&["HELLO"]).await {
                Ok(hello) => Info::from_hello(hello),
                Err(error) if error.is_refusal() => Info::default(),
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        };
        Ok(Self::from_info(told))
    }

    /// Reads what a server said of itself.
    pub fn from_info(info: Info) -> Self {
        let (family, version) = identify(&info);
        let owned = |name| info.get(name).map(str::to_owned);
        Self {
            family,
            version,
            redis_version: info.get("redis_version").map(Version::parse).unwrap_or_default(),
            role: role(&info),
            loading: info.flag("loading"),
            cluster_enabled: info.flag("cluster_enabled"),
            master_link_up: info.get("master_link_status").map(|status| status == "up"),
            used_memory: info.number("used_memory"),
            maxmemory: info.number("maxmemory"),
            maxmemory_policy: owned("maxmemory_policy"),
            keyspace: info.keyspace(),
            replication_id: owned("master_replid"),
            replication_offset: info.number("master_repl_offset"),
            connected_replicas: info.number("connected_slaves"),
            saving: info.flag("rdb_bgsave_in_progress"),
            modules: info.modules().to_vec(),
            info,
        }
    }

    /// Takes in what another node of the same cluster says: keys and memory are added up, and a
    /// limit that one node does not have is none.
    pub fn add(&mut self, node: &Self) {
        for (database, more) in &node.keyspace {
            let all = self.keyspace.entry(*database).or_default();
            all.keys = all.keys.saturating_add(more.keys);
            all.expires = all.expires.saturating_add(more.expires);
        }
        let sum = |ours: Option<u64>, theirs: Option<u64>| Some(ours?.saturating_add(theirs?));
        self.used_memory = sum(self.used_memory, node.used_memory);
        self.maxmemory = match (self.maxmemory, node.maxmemory) {
            (Some(0), _) | (_, Some(0)) => Some(0),
            (ours, theirs) => sum(ours, theirs),
        };
        self.loading |= node.loading;
        self.info.add("used_memory_dataset", node.info.number("used_memory_dataset"));
    }

    /// Keys in all databases.
    pub fn keys(&self) -> u64 {
        self.keyspace.values().map(|keyspace| keyspace.keys).sum()
    }
}

fn identify(info: &Info) -> (Family, Version) {
    let version = |name| info.get(name).map(Version::parse);
    let redis = version("redis_version");
    let name = info.get("server_name").unwrap_or_default();
    let keydb = info.get("mvcc_depth").is_some()
        || info.get("executable").is_some_and(|path| path.contains("keydb"));
    if let Some(version) = version("ferrite_version") {
        (Family::Ferrite, version)
    } else if let Some(version) = version("dragonfly_version") {
        (Family::Dragonfly, version)
    } else if let Some(version) = version("valkey_version") {
        (Family::Valkey, version)
    } else if let Some(family) = named(name) {
        (family, version("server_version").or(redis).unwrap_or_default())
    } else if keydb {
        (Family::KeyDb, redis.unwrap_or_default())
    } else if let Some(version) = redis {
        (Family::Redis, version)
    } else {
        (Family::Unknown, Version::default())
    }
}

fn named(name: &str) -> Option<Family> {
    match name {
        "redis" => Some(Family::Redis),
        "valkey" => Some(Family::Valkey),
        "keydb" => Some(Family::KeyDb),
        "dragonfly" => Some(Family::Dragonfly),
        "ferrite" => Some(Family::Ferrite),
        _ => None,
    }
}

fn role(info: &Info) -> Role {
    let sentinel =
        ["redis_mode", "server_mode"].iter().any(|name| info.get(name) == Some("sentinel"));
    match info.get("role") {
        _ if sentinel => Role::Sentinel,
        Some("master") => Role::Master,
        Some("slave" | "replica") => Role::Replica,
        _ => Role::Unknown,
    }
}
