//! The client against real servers.

mod calling;
mod connecting;
mod etcd;
mod memcached;
mod probing;
mod replication;
mod tls;
mod topology;

use std::time::Duration;

use ferrite_client::{Address, Connection, Connector};
use ferrite_testkit::{Peer, Server};

/// Short, so that a test of silence does not take long; long enough for a busy machine.
const SHORT: Duration = Duration::from_millis(500);

/// For what must come about soon but by itself.
async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(30);
    let Ok(done) = tokio::time::timeout(limit, future).await else {
        panic!("{what}: not within {limit:?}")
    };
    done
}

fn start(server: Server) -> Peer {
    Peer::start(server).unwrap_or_else(|error| panic!("{error}"))
}

fn address(url: &str) -> Address {
    url.parse().unwrap_or_else(|error| panic!("{error}"))
}

fn connector(url: &str) -> Connector {
    Connector::new(address(url))
}

async fn connect(peer: &Peer) -> Connection {
    connector(&peer.url()).connect().await.unwrap_or_else(|error| panic!("{error}"))
}
