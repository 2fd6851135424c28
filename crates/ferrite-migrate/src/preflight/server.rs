//! One end as the engine sees it, a server or a cluster: how to connect, what it is, what it can do.

use std::sync::Arc;

use ferrite_client::server::{Family, ServerInfo, Version};
use ferrite_client::topology::Cluster;
use ferrite_client::{ClientError, Connection, Connector};
use ferrite_rdb::transcode::Target;
use ferrite_rdb::{Dialect, Format};

use crate::config::{Config, Endpoint};
use crate::engine::Job;
use crate::targets::redis::{self, Capabilities};

/// A server that answered.
#[derive(Debug)]
pub struct Server {
    /// Makes more connections.
    pub connector: Connector,
    /// What it says of itself.
    pub info: ServerInfo,
    /// A connection for questions; to the first primary of a cluster.
    pub control: Connection,
    /// The nodes, if it is a cluster; then what it says of itself is what they say together.
    pub cluster: Option<Arc<Cluster>>,
    /// Nodes of the cluster whose version is another than the first one's.
    pub other_versions: Vec<String>,
}

impl Server {
    /// Connects and asks what it is.
    ///
    /// # Errors
    /// Why it cannot be reached or does not let us in.
    pub async fn connect(job: &Job, endpoint: &Endpoint) -> Result<Self, ClientError> {
        let connector = Connector::new(endpoint.address.clone())
            .tls(endpoint.tls.clone())
            .client_name(job.client_name());
        let mut control = connector.connect().await?;
        let info = ServerInfo::probe(&mut control).await?;
        let (cluster, other_versions) = (None, Vec::new());
        let mut server = Self { connector, info, control, cluster, other_versions };
        if server.info.cluster_enabled {
            server.look_around().await?;
        }
        tracing::debug!(address = %endpoint.address, server = server.describe(), "connected");
        Ok(server)
    }

    /// Finds the primaries of the cluster, and asks each what it is.
    async fn look_around(&mut self) -> Result<(), ClientError> {
        let cluster = Cluster::discover(&self.connector, &mut self.control).await?;
        let mut is_first = true;
        for shard in cluster.map().shards() {
            let connector = cluster.connector(&shard.primary);
            let mut control = connector.connect().await?;
            let info = ServerInfo::probe(&mut control).await?;
            if std::mem::take(&mut is_first) {
                (self.control, self.info) = (control, info);
                continue;
            }
            if (info.family, info.version) != (self.info.family, self.info.version) {
                let (family, version) = (info.family, info.version);
                self.other_versions.push(format!("{} is {family} {version}", shard.primary));
            }
            self.info.add(&info);
        }
        self.cluster = Some(Arc::new(cluster));
        Ok(())
    }

    /// How to connect to each server that has keys: to all primaries of a cluster.
    #[must_use]
    pub fn shards(&self) -> Vec<Connector> {
        let Some(cluster) = &self.cluster else { return vec![self.connector.clone()] };
        let map = cluster.map();
        map.shards().iter().map(|shard| cluster.connector(&shard.primary)).collect()
    }

    /// Its primaries, each as a server of its own, the one with the most keys first; none if it is
    /// no cluster.
    ///
    /// # Errors
    /// One that cannot be asked.
    pub async fn primaries(&self) -> Result<Vec<Self>, ClientError> {
        if self.cluster.is_none() {
            return Ok(Vec::new());
        }
        let mut primaries = Vec::new();
        for connector in self.shards() {
            let mut control = connector.connect().await?;
            let info = ServerInfo::probe(&mut control).await?;
            let (cluster, other_versions) = (None, Vec::new());
            primaries.push(Self { connector, info, control, cluster, other_versions });
        }
        primaries.sort_by_key(|primary| std::cmp::Reverse(primary.info.keys()));
        Ok(primaries)
    }

    /// What it says of itself now: of a cluster, what its primaries say together.
    ///
    /// # Errors
    /// A server that cannot be asked.
    pub async fn info_now(&self) -> Result<ServerInfo, ClientError> {
        if let Some(cluster) = &self.cluster {
            cluster.refresh(&cluster.map()).await?;
        }
        let mut all: Option<ServerInfo> = None;
        for connector in self.shards() {
            let info = ServerInfo::probe(&mut connector.connect().await?).await?;
            match &mut all {
                None => all = Some(info),
                Some(all) => all.add(&info),
            }
        }
        Ok(all.unwrap_or_else(|| self.info.clone()))
    }

    /// In words: `Redis 7.0.15`.
    #[must_use]
    pub fn describe(&self) -> String {
        format!("{} {}", self.info.family, self.info.version)
    }

    /// The Redis version whose commands it has.
    #[must_use]
    pub fn redis_version(&self) -> Version {
        match self.info.family {
            Family::Redis | Family::KeyDb | Family::Unknown => {
                self.info.version.max(self.info.redis_version)
            }
            _ => self.info.redis_version,
        }
    }

    /// Whether it has the commands of this Redis version.
    #[must_use]
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let version = self.redis_version();
        (version.major, version.minor) >= (major, minor)
    }

    /// Whether it has `PEXPIRETIME`.
    #[must_use]
    pub fn has_expiretime(&self) -> bool {
        self.is_at_least(7, 0)
    }

    /// Whether it can hold writes back and answer everything else (`CLIENT PAUSE … WRITE`).
    #[must_use]
    pub fn can_pause_writes(&self) -> bool {
        let has_it = matches!(self.info.family, Family::Redis | Family::Valkey | Family::Ferrite);
        self.is_at_least(6, 2) && has_it
    }

    /// Whether it has function libraries.
    #[must_use]
    pub fn has_functions(&self) -> bool {
        self.is_at_least(7, 0) && self.info.family != Family::Dragonfly
    }

    /// Which values it can hold, in which format.
    #[must_use]
    pub fn values(&self) -> Target {
        let Version { major, minor, .. } = match self.info.family {
            Family::Redis | Family::Valkey => self.info.version,
            // Its hash fields expire as those of Redis 7.4.
            Family::Ferrite => self.redis_version().max(Version::new(7, 4, 0)),
            _ => self.redis_version(),
        };
        let modules = self.info.modules.iter().map(|module| module.name.as_str());
        Target::for_server(self.dialect(), major, minor).with_modules(modules)
    }

    /// The format of its `DUMP` payloads.
    #[must_use]
    pub fn dump_format(&self) -> Format {
        self.values().format
    }

    /// What it can do as a target and how it is to be used; `allowed` says whether it lets us use
    /// `RESTORE`, and `SET` with its kind.
    #[must_use]
    pub fn capabilities(
        &self,
        config: &Config,
        allowed: (bool, bool),
        may_repeat: bool,
    ) -> Capabilities {
        let (restore, set) = allowed;
        Capabilities {
            values: self.values(),
            restore,
            restore_absttl: self.is_at_least(5, 0),
            set,
            set_pxat: self.is_at_least(6, 2),
            functions: self.has_functions(),
            dialect: redis::Dialect {
                stream_counters: self.is_at_least(7, 0),
                create_consumer: self.is_at_least(6, 2),
                hold_fields_ms: 0,
            },
            on_conflict: config.on_conflict,
            may_repeat,
            by_slot: self.cluster.is_some(),
            db: config.target_db(),
        }
    }

    fn dialect(&self) -> Dialect {
        match self.info.family {
            Family::Valkey => Dialect::Valkey,
            Family::KeyDb => Dialect::KeyDb,
            Family::Dragonfly => Dialect::Dragonfly,
            _ => Dialect::Redis,
        }
    }

    /// Databases that have keys.
    #[must_use]
    pub fn dbs(&self) -> Vec<u32> {
        self.info.keyspace.keys().copied().collect()
    }

    /// Keys in the databases a configuration reads.
    #[must_use]
    pub fn keys_total(&self, config: &Config) -> u64 {
        match config.source_db() {
            Some(only) => self.info.keyspace.get(&only).map_or(0, |keyspace| keyspace.keys),
            None => self.info.keys(),
        }
    }
}
