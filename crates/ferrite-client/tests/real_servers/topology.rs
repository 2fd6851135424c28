//! Clusters and sentinels.

use ferrite_client::topology::{Cluster, NodeView, Redirect};
use ferrite_client::{ClientError, Endpoint};
use ferrite_testkit::{Sentinels, Server};

use super::{connector, soon};

#[tokio::test]
async fn a_cluster_is_found_from_any_node_and_looked_at_again() {
    for server in [Server::Redis62, Server::Valkey91] {
        let started = ferrite_testkit::Cluster::builder(server).replicas(1).start();
        let real = started.unwrap_or_else(|error| panic!("{error}"));
        let seed = connector(&real.node(4).url());
        let mut connection = seed.connect().await.unwrap();
        let cluster = Cluster::discover(&seed, &mut connection).await.unwrap();
        let map = cluster.map();
        assert_eq!((map.shards().len(), map.unowned()), (3, vec![]));
        let shard = &map.shards()[map.owner(12182).unwrap()];
        assert_eq!(shard.primary.to_string(), format!("127.0.0.1:{}", real.node(2).port()));
        assert_eq!(shard.id, real.id(2));
        real.open_slot(12182, 0);
        let owner = cluster.connector(&shard.primary);
        let mut owner = owner.connect().await.unwrap();
        let view = NodeView::ask(&mut owner).await.unwrap();
        assert!(view.is_primary && view.open[0].slot == 12182 && !view.open[0].arrives, "{view:?}");
        let error = owner.call(&["GET", "foo"]).await.unwrap_err();
        let redirect = Redirect::parse(error.reply().unwrap(), "127.0.0.1");
        let port = real.node(0).port();
        let there = Endpoint::Tcp { host: String::from("127.0.0.1"), port };
        assert_eq!(redirect, Some(Redirect::Ask(12182, there)));
        real.close_slot(12182, 0);
        let moved = async {
            let mut known = map;
            loop {
                known = cluster.refresh(&known).await.unwrap();
                let owner = &known.shards()[known.owner(12182).unwrap()];
                if owner.id == real.id(0) {
                    break;
                }
            }
        };
        soon("the new owner is seen", moved).await;
    }
}

#[tokio::test]
async fn sentinels_are_asked_at_every_connect() {
    let started = Sentinels::start(Server::Redis70, Some("data"), Some("watch"));
    let real = started.unwrap_or_else(|error| panic!("{error}"));
    let url = format!("{}?sentinel-password=watch", real.url());
    let primary = |index: usize| format!("127.0.0.1:{}", real.servers[index].port());
    assert_eq!(connector(&url).connect().await.unwrap().address(), primary(0));
    real.fail_over();
    let found = async {
        // The sentinels name the new primary a moment before it is one.
        loop {
            match connector(&url).connect().await {
                Ok(connection) => break assert_eq!(connection.address(), primary(1)),
                Err(error) => assert!(matches!(error, ClientError::NotPrimary { .. }), "{error}"),
            }
        }
    };
    soon("the new primary is found", found).await;
    // Sentinels that are gone are passed over.
    let dead = url.replacen("127.0.0.1", "127.0.0.1:1,127.0.0.1", 1);
    assert!(connector(&dead).connect().await.is_ok());
    let other = connector(&url.replace("/mymaster", "/other")).connect().await.unwrap_err();
    assert!(other.to_string().contains("knows no primary 'other'; it knows 'mymaster'"), "{other}");
    assert!(!other.is_transient());
    let refused = connector(&real.url()).connect().await.unwrap_err().to_string();
    assert!(refused.contains("needs a password"), "{refused}");
}
