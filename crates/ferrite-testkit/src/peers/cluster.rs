//! Real clusters: primaries with all slots between them, and replicas of each.
//!
//! ```text
//! node:     0   1   2     3           4           5
//!           primaries     replica of 0  … of 1    … of 2
//! ```

use std::io;
use std::net::{Ipv4Addr, TcpListener};

use super::builder::free_port;
use super::{Peer, PeerBuilder, PeerError, Server};
use crate::client::{Client, Reply};
use crate::dataset::{Listing, SnapshotError, snapshot};
use crate::wait::wait_until;

/// How many slots every cluster has.
const SLOTS: u16 = 16_384;
/// The bus listens so many ports above the clients.
const BUS_OFFSET: u16 = 10_000;
/// Ports tried before giving up.
const PORT_ATTEMPTS: usize = 200;
/// How long a node may be silent before it counts as lost, in milliseconds.
const NODE_TIMEOUT: &str = "1500";
/// Keys moved at a time.
const KEYS_AT_ONCE: &str = "100";

/// Options of a cluster about to start; see [`Cluster::builder`].
#[derive(Debug, Clone)]
pub struct ClusterBuilder {
    server: Server,
    primaries: usize,
    replicas: usize,
    password: Option<String>,
    options: Vec<(String, String)>,
    ranges: Option<Vec<Vec<(u16, u16)>>>,
}

/// A cluster that is running; dropping it kills its nodes.
#[derive(Debug)]
pub struct Cluster {
    nodes: Vec<Peer>,
    primaries: usize,
}

impl ClusterBuilder {
    /// So many primaries; three unless told otherwise.
    #[must_use]
    pub fn primaries(mut self, primaries: usize) -> ClusterBuilder {
        self.primaries = primaries;
        self
    }

    /// So many replicas of each primary; none unless told otherwise.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> ClusterBuilder {
        self.replicas = replicas;
        self
    }

    /// Demands this password on every node.
    #[must_use]
    pub fn password(mut self, password: &str) -> ClusterBuilder {
        self.password = Some(password.to_owned());
        self
    }

    /// Adds a line to the configuration of every node.
    #[must_use]
    pub fn arg(mut self, name: &str, value: &str) -> ClusterBuilder {
        self.options.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The ranges of slots (first and last) of each primary, instead of equal parts.
    #[must_use]
    pub fn slots(mut self, ranges: Vec<Vec<(u16, u16)>>) -> ClusterBuilder {
        self.primaries = ranges.len();
        self.ranges = Some(ranges);
        self
    }

    /// Starts the nodes, joins them, and waits until every node finds the cluster whole.
    ///
    /// # Errors
    /// A node that does not start.
    ///
    /// # Panics
    /// When the nodes do not come to one cluster within a minute, or refuse to.
    pub fn start(self) -> Result<Cluster, PeerError> {
        let count = self.primaries * (1 + self.replicas);
        let nodes: Result<Vec<Peer>, PeerError> = (0..count).map(|_| self.node()).collect();
        let cluster = Cluster { nodes: nodes?, primaries: self.primaries };
        self.join(&cluster);
        Ok(cluster)
    }

    fn node(&self) -> Result<Peer, PeerError> {
        let port = cluster_port().map_err(|source| PeerError::Io {
            peer: self.server.name(),
            doing: String::from("find two free ports"),
            source,
        })?;
        let mut builder: PeerBuilder = Peer::builder(self.server)
            .port(port)
            .arg("cluster-enabled", "yes")
            .arg("cluster-config-file", "nodes.conf")
            .arg("cluster-node-timeout", NODE_TIMEOUT)
            .arg("cluster-replica-validity-factor", "0");
        if let Some(password) = &self.password {
            builder = builder.password(password).arg("masterauth", password);
        }
        for (name, value) in &self.options {
            builder = builder.arg(name, value);
        }
        builder.start()
    }

    fn join(&self, cluster: &Cluster) {
        let each = usize::from(SLOTS).div_ceil(self.primaries.max(1));
        for index in 0..self.primaries {
            let equal = || {
                let first = index * each;
                let last = (first + each).min(usize::from(SLOTS)) - 1;
                vec![(narrow(first), narrow(last))]
            };
            let ranges = self.ranges.as_ref().map_or_else(equal, |ranges| ranges[index].clone());
            let mut client = cluster.node(index).client();
            let slots = ranges.iter().flat_map(|(first, last)| *first..=*last);
            let words = ["CLUSTER", "ADDSLOTS"].map(str::to_owned).into_iter();
            let command: Vec<String> = words.chain(slots.map(|slot| slot.to_string())).collect();
            if command.len() > 2 {
                client.ok(&command);
            }
            client.ok(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
        }
        let mut first = cluster.node(0).client();
        for node in cluster.nodes.iter().skip(1) {
            first.ok(&["CLUSTER", "MEET", "127.0.0.1", &node.port().to_string()]);
        }
        cluster.wait_until_known();
        for index in self.primaries..cluster.nodes.len() {
            let primary = cluster.id(index % self.primaries);
            cluster.node(index).client().ok(&["CLUSTER", "REPLICATE", &primary]);
        }
        let covered = self.ranges.as_ref().is_none_or(|ranges| {
            let slots = ranges.iter().flatten().map(|(first, last)| u32::from(last - first) + 1);
            slots.sum::<u32>() == u32::from(SLOTS)
        });
        cluster.wait_until_settled(covered);
    }
}

impl Cluster {
    /// Options first, then [`ClusterBuilder::start`].
    pub fn builder(server: Server) -> ClusterBuilder {
        ClusterBuilder {
            server,
            primaries: 3,
            replicas: 0,
            password: None,
            options: Vec::new(),
            ranges: None,
        }
    }

    /// A node; the primaries come first, then the replicas in the same order.
    pub fn node(&self, index: usize) -> &Peer {
        &self.nodes[index]
    }

    /// As [`node`](Cluster::node), to kill or restart it.
    pub fn node_mut(&mut self, index: usize) -> &mut Peer {
        &mut self.nodes[index]
    }

    /// The URL of the first node.
    pub fn url(&self) -> String {
        self.nodes[0].url()
    }

    /// The name the nodes know a node by.
    pub fn id(&self, index: usize) -> String {
        self.nodes[index].client().ok(&["CLUSTER", "MYID"]).text()
    }

    /// What the nodes hold that are primaries now, as if it were one server.
    ///
    /// # Errors
    /// [`SnapshotError`] about the first node that cannot be read.
    pub fn snapshot(&self) -> Result<Listing, SnapshotError> {
        let mut all = Listing { databases: Default::default(), functions: None };
        for mut client in self.primaries() {
            let part = snapshot(&mut client)?;
            all.functions = all.functions.or(part.functions);
            for (number, keys) in part.databases {
                all.databases.entry(number).or_default().extend(keys);
            }
        }
        Ok(all)
    }

    /// A connection to each node that is a primary now; nodes that do not answer are passed over.
    pub fn primaries(&self) -> Vec<Client> {
        let clients = self.nodes.iter().filter_map(|node| node.try_client().ok());
        let primary = |mut client: Client| {
            let role = client.try_call(&["ROLE"]).ok()?;
            (*role.items().first()? == "master").then_some(client)
        };
        clients.filter_map(primary).collect()
    }

    /// The node that owns a slot, as the first node that answers sees it.
    pub fn owner(&self, slot: u16) -> usize {
        let line = |text: &str| {
            let owned = |line: &&str| {
                line.split(' ').skip(8).any(|range| {
                    let (first, last) = range.split_once('-').unwrap_or((range, range));
                    let ends = (first.parse::<u16>(), last.parse::<u16>());
                    matches!(ends, (Ok(first), Ok(last)) if (first..=last).contains(&slot))
                })
            };
            text.lines().find(owned).map(|line| line.split(' ').next().unwrap_or("").to_owned())
        };
        let ask = |node: &Peer| Some(node.try_client().ok()?.call(&["CLUSTER", "NODES"]).text());
        let text = self.nodes.iter().find_map(ask).unwrap_or_default();
        let id = line(&text).unwrap_or_else(|| panic!("slot {slot} has no owner:\n{text}"));
        let alive = |index: &usize| self.nodes[*index].try_client().is_ok();
        let mut indexes = (0..self.nodes.len()).filter(alive);
        indexes.find(|index| self.id(*index) == id).unwrap_or_else(|| panic!("{id} is no node"))
    }

    /// Opens a slot: it begins to move to another primary, no key does yet.
    ///
    /// # Panics
    /// When a node refuses.
    pub fn open_slot(&self, slot: u16, to: usize) {
        let (from, name) = (self.owner(slot), slot.to_string());
        let set = |node: usize, state: &str, other: usize| {
            let id = self.id(other);
            self.nodes[node].client().ok(&["CLUSTER", "SETSLOT", &name, state, &id]);
        };
        set(to, "IMPORTING", from);
        set(from, "MIGRATING", to);
    }

    /// Moves the keys of a slot that is open, and closes it.
    ///
    /// # Panics
    /// When a node refuses.
    pub fn close_slot(&self, slot: u16, to: usize) {
        let (from, name) = (self.owner(slot), slot.to_string());
        self.move_keys(slot, from, to);
        let id = self.id(to);
        // The new owner first: else nobody would own it for a moment.
        self.nodes[to].client().ok(&["CLUSTER", "SETSLOT", &name, "NODE", &id]);
        for mut client in self.primaries() {
            client.ok(&["CLUSTER", "SETSLOT", &name, "NODE", &id]);
        }
    }

    /// Moves a slot with its keys to another primary.
    ///
    /// # Panics
    /// When a node refuses.
    pub fn move_slot(&self, slot: u16, to: usize) {
        self.open_slot(slot, to);
        self.close_slot(slot, to);
    }

    fn move_keys(&self, slot: u16, from: usize, to: usize) {
        let port = self.nodes[to].port().to_string();
        let mut client = self.nodes[from].client();
        loop {
            let ask = ["CLUSTER", "GETKEYSINSLOT", &slot.to_string(), KEYS_AT_ONCE];
            let keys = client.ok(&ask);
            if keys.items().is_empty() {
                return;
            }
            let words = ["MIGRATE", "127.0.0.1", &port, "", "0", "10000", "KEYS"];
            let words = words.iter().map(|word| word.as_bytes().to_vec());
            let keys = keys.items().iter().filter_map(|key| key.bytes().map(<[u8]>::to_vec));
            let command: Vec<Vec<u8>> = words.chain(keys).collect();
            client.ok(&command);
        }
    }

    /// Makes the replica of a primary take its place, whether the primary is there or not; gives
    /// the replica's number once all nodes that answer see it.
    ///
    /// # Panics
    /// When there is no replica, or it does not become a primary within a minute.
    pub fn fail_over(&self, primary: usize) -> usize {
        let replica = primary + self.primaries;
        self.nodes[replica].client().ok(&["CLUSTER", "FAILOVER", "TAKEOVER"]);
        let id = self.id(replica);
        wait_until("all nodes see the new primary", || {
            let clients = self.nodes.iter().filter_map(|node| node.try_client().ok());
            clients.into_iter().all(|mut client| {
                let text = client.call(&["CLUSTER", "NODES"]).text();
                let line = text.lines().find(|line| line.starts_with(&id));
                line.is_some_and(|line| line.contains("master"))
            })
        });
        replica
    }

    /// Writes or reads by one command, on the node that owns the slot of its second word.
    ///
    /// # Panics
    /// When no node takes it.
    pub fn call<A: AsRef<[u8]>>(&self, command: &[A]) -> Reply {
        for mut client in self.primaries() {
            let reply = client.call(command);
            if !matches!(&reply, Reply::Error(text) if text.starts_with("MOVED")) {
                return reply;
            }
        }
        panic!("no node takes the command")
    }

    /// Waits until every node knows every other.
    fn wait_until_known(&self) {
        let known = format!("cluster_known_nodes:{}", self.nodes.len());
        wait_until("the nodes know each other", || self.all_say(&known));
        wait_until("no node is being introduced", || {
            self.nodes
                .iter()
                .all(|node| !node.client().ok(&["CLUSTER", "NODES"]).text().contains("handshake"))
        });
    }

    fn wait_until_settled(&self, covered: bool) {
        if covered {
            wait_until("the cluster is whole", || self.all_say("cluster_state:ok"));
        }
        for replica in self.nodes.iter().skip(self.primaries) {
            wait_until("a replica has its copy", || {
                let info = replica.client().ok(&["INFO", "replication"]).text();
                info.contains("master_link_status:up")
            });
        }
    }

    fn all_say(&self, what: &str) -> bool {
        let told = |node: &Peer| node.client().ok(&["CLUSTER", "INFO"]).text();
        self.nodes.iter().all(|node| told(node).contains(what))
    }
}

fn narrow(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// A port that is free together with the one of the bus.
fn cluster_port() -> io::Result<u16> {
    for _ in 0..PORT_ATTEMPTS {
        let port = free_port()?;
        let Some(bus) = port.checked_add(BUS_OFFSET) else { continue };
        if TcpListener::bind((Ipv4Addr::LOCALHOST, bus)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::new(io::ErrorKind::AddrInUse, "no port whose bus port is free too"))
}
