//! What servers say of themselves.

use ferrite_client::server::{Family, Role, ServerInfo, Version};
use ferrite_testkit::{Peer, Server};

use super::{connect, connector, start};

#[tokio::test]
async fn every_server_is_known() {
    for server in Server::ALL {
        let peer = start(server);
        let info = ServerInfo::probe(&mut connect(&peer).await).await.unwrap();
        let family = if server.is_valkey() { Family::Valkey } else { Family::Redis };
        assert_eq!(info.family, family, "{server:?}");
        assert_eq!((info.version.major, info.version.minor), server.version(), "{server:?}");
        assert_eq!(info.role, Role::Master);
        assert_eq!(info.replication_id.as_ref().map(String::len), Some(40));
        assert!(info.used_memory.is_some_and(|bytes| bytes > 100_000));
        assert!(!info.cluster_enabled && !info.loading && !info.saving);
    }
}

#[tokio::test]
async fn settings_and_keys_are_read() {
    let peer = Peer::builder(Server::Redis70)
        .arg("maxmemory", "100mb")
        .arg("maxmemory-policy", "allkeys-lru")
        .start()
        .unwrap();
    let mut client = peer.client();
    client.ok(&["SET", "a", "1"]);
    client.ok(&["SET", "b", "1", "EX", "1000"]);
    client.ok(&["SELECT", "5"]);
    client.ok(&["SET", "c", "1"]);
    let info = ServerInfo::probe(&mut connect(&peer).await).await.unwrap();
    assert_eq!(info.maxmemory, Some(100 << 20));
    assert_eq!(info.maxmemory_policy.as_deref(), Some("allkeys-lru"));
    assert_eq!((info.keyspace[&0].keys, info.keyspace[&0].expires), (2, 1));
    assert_eq!((info.keyspace[&5].keys, info.keys()), (1, 3));
    assert_eq!(info.connected_replicas, Some(0));
}

#[tokio::test]
async fn cluster_and_replica_are_seen() {
    let master = start(Server::Redis70);
    let replica = Peer::builder(Server::Redis70)
        .arg("replicaof", &format!("127.0.0.1 {}", master.port()))
        .start()
        .unwrap();
    let info = ServerInfo::probe(&mut connect(&replica).await).await.unwrap();
    assert_eq!(info.role, Role::Replica);
    assert!(info.master_link_up.is_some());
    let node = Peer::builder(Server::Redis70).arg("cluster-enabled", "yes").start().unwrap();
    let info = ServerInfo::probe(&mut connect(&node).await).await.unwrap();
    assert!(info.cluster_enabled);
}

#[tokio::test]
async fn denied_info_is_no_error() {
    let peer = start(Server::Redis70);
    peer.client().ok(&["ACL", "SETUSER", "blind", "on", ">pw", "~*", "+get"]);
    peer.client().ok(&["ACL", "SETUSER", "deaf", "on", ">pw", "~*", "+get", "+hello"]);
    let as_user = |name: &str| connector(&peer.url_with(name, "pw"));
    let info = ServerInfo::probe(&mut as_user("blind").connect().await.unwrap()).await.unwrap();
    // HELLO needs no permission to speak of, so the family is known all the same.
    let info_deaf = ServerInfo::probe(&mut as_user("deaf").connect().await.unwrap()).await.unwrap();
    assert_eq!(info_deaf.family, Family::Redis);
    assert_eq!(info_deaf.version, Version::parse("7.0.15"));
    assert_eq!(info.keys(), 0);
    assert_eq!(info.used_memory, None);
}
