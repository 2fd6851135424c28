//! A primary with replicas, watched by sentinels.

use super::{Peer, PeerError, Server};
use crate::client::Reply;
use crate::wait::wait_until;

/// The name the sentinels know the primary by.
const NAME: &str = "mymaster";
/// A primary silent for so many milliseconds is taken for lost.
const DOWN_AFTER: &str = "500";

/// Sentinels and the servers they watch; dropping it kills all.
#[derive(Debug)]
pub struct Sentinels {
    /// The first is the primary to begin with, the others are its replicas.
    pub servers: Vec<Peer>,
    /// The sentinels.
    pub sentinels: Vec<Peer>,
    password: Option<String>,
}

impl Sentinels {
    /// Starts a primary with one replica and three sentinels, and waits until they know each other.
    /// The servers may have a password, the sentinels another.
    ///
    /// # Errors
    /// A server that does not start.
    ///
    /// # Panics
    /// When they do not find each other within a minute.
    pub fn start(
        server: Server,
        password: Option<&str>,
        sentinel_password: Option<&str>,
    ) -> Result<Sentinels, PeerError> {
        let mut servers = Vec::new();
        for index in 0..2 {
            let mut builder = Peer::builder(server);
            if let Some(password) = password {
                builder = builder.password(password).arg("masterauth", password);
            }
            if index > 0 {
                let first: &Peer = &servers[0];
                builder = builder.arg("replicaof", &format!("127.0.0.1 {}", first.port()));
            }
            servers.push(builder.start()?);
        }
        let port = servers[0].port();
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            let mut builder = Peer::builder(server).sentinel();
            if let Some(password) = sentinel_password {
                builder = builder.password(password).arg("sentinel sentinel-pass", password);
            }
            builder = builder
                .arg("sentinel monitor", &format!("{NAME} 127.0.0.1 {port} 2"))
                .arg("sentinel down-after-milliseconds", &format!("{NAME} {DOWN_AFTER}"))
                .arg("sentinel failover-timeout", &format!("{NAME} 5000"));
            if let Some(password) = password {
                builder = builder.arg("sentinel auth-pass", &format!("{NAME} {password}"));
            }
            sentinels.push(builder.start()?);
        }
        let password = password.map(str::to_owned);
        let setup = Sentinels { servers, sentinels, password };
        setup.wait_until_known();
        Ok(setup)
    }

    fn wait_until_known(&self) {
        wait_until("the sentinels know each other and the replica", || {
            self.sentinels.iter().all(|sentinel| {
                let told = sentinel.client().ok(&["SENTINEL", "MASTER", NAME]);
                let field = |name: &str| {
                    let mut items = told.items().iter();
                    items.find(|item| **item == *name)?;
                    items.next().and_then(Reply::int)
                };
                field("num-other-sentinels") == Some(2) && field("num-slaves") == Some(1)
            })
        });
        wait_until("the replica has its copy", || {
            let info = self.servers[1].client().ok(&["INFO", "replication"]).text();
            info.contains("master_link_status:up")
        });
    }

    /// `sentinel://…/mymaster`, with the password of the servers; that of the sentinels is to be
    /// added.
    pub fn url(&self) -> String {
        let hosts: Vec<String> =
            self.sentinels.iter().map(|peer| format!("127.0.0.1:{}", peer.port())).collect();
        let login = self.password.as_ref().map(|password| format!(":{password}@"));
        format!("sentinel://{}{}/{NAME}", login.unwrap_or_default(), hosts.join(","))
    }

    /// The server the sentinels take for the primary, by its place in [`servers`](Self::servers).
    ///
    /// # Panics
    /// When the sentinel names none of them.
    pub fn primary(&self) -> usize {
        let mut client = self.sentinels[0].client();
        let told = client.ok(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]);
        let port = told.items().get(1).and_then(Reply::int);
        let is_it = |server: &Peer| Some(i64::from(server.port())) == port;
        self.servers.iter().position(is_it).unwrap_or_else(|| panic!("the primary is {told}"))
    }

    /// Has the sentinels promote the replica (`SENTINEL FAILOVER`), and waits until they did.
    ///
    /// # Panics
    /// When they refuse, or take longer than a minute.
    pub fn fail_over(&self) {
        let before = self.primary();
        let mut client = self.sentinels[0].client();
        wait_until("the sentinels begin a failover", || {
            !client.call(&["SENTINEL", "FAILOVER", NAME]).is_error()
        });
        wait_until("all sentinels name another primary", || {
            self.sentinels.iter().all(|sentinel| {
                let ask = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME];
                let told = sentinel.client().ok(&ask);
                let port = told.items().get(1).and_then(Reply::int);
                port != Some(i64::from(self.servers[before].port()))
            })
        });
    }
}
