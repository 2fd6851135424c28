//! Getting in, and being told why not.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use ferrite_client::{Address, AuthFailure, Backoff, ClientError, Connector, Secret};
use ferrite_testkit::{Peer, Proxy, Server};

use super::{SHORT, address, connect, connector, soon, start};

fn failure(error: &ClientError) -> AuthFailure {
    match error {
        ClientError::Auth { failure, .. } => *failure,
        other => panic!("not an authentication failure: {other}"),
    }
}

#[tokio::test]
async fn without_password() {
    let peer = start(Server::Redis70);
    let mut connection = connect(&peer).await;
    assert!(connection.call(&["SET", "k", "v"]).await.unwrap().is_ok());
    assert_eq!(connection.call(&["GET", "k"]).await.unwrap().as_bytes(), Some(&b"v"[..]));
}

#[tokio::test]
async fn password_right_wrong_missing_superfluous() {
    let peer = Peer::builder(Server::Redis70).password("p@ss/w%rd").start().unwrap();
    connector(&peer.url()).connect().await.unwrap();

    let wrong = connector(&peer.url_with("", "hunter2")).connect().await.unwrap_err();
    assert_eq!(failure(&wrong), AuthFailure::WrongPassword);
    assert!(!format!("{wrong} {wrong:?}").contains("hunter2"), "{wrong}");
    assert!(!wrong.is_transient());

    let bare = Address::tcp("127.0.0.1", peer.port());
    let missing = Connector::new(bare).connect().await.unwrap_err();
    assert_eq!(failure(&missing), AuthFailure::PasswordNeeded);
    assert!(missing.to_string().contains(&format!("127.0.0.1:{}", peer.port())), "{missing}");

    let open = start(Server::Redis70);
    let superfluous = connector(&open.url_with("", "x")).connect().await.unwrap_err();
    assert_eq!(failure(&superfluous), AuthFailure::NoPasswordSet);
}

#[tokio::test]
async fn acl_users() {
    let peer = start(Server::Redis70);
    let mut admin = peer.client();
    admin.ok(&["ACL", "SETUSER", "alice", "on", ">pw", "~*", "+@all"]);
    admin.ok(&["ACL", "SETUSER", "bob", "on", ">pw", "~*", "+get"]);
    admin.ok(&["ACL", "SETUSER", "carol", "on", "nopass", "~*", "+@all"]);

    let mut alice = connector(&peer.url_with("alice", "pw")).connect().await.unwrap();
    assert_eq!(alice.call(&["ACL", "WHOAMI"]).await.unwrap().as_str(), Some("alice"));
    let nopass = address(&peer.url_with("carol", "")).with_password(None);
    Connector::new(nopass).connect().await.unwrap();

    // Bob may not even PING, SELECT or name himself: he is in, since he may GET.
    let bob = connector(&peer.url_with("bob", "pw")).client_name("test");
    let mut connection = bob.connect().await.unwrap();
    assert!(connection.call(&["GET", "k"]).await.unwrap().is_null());
    let refused = connection.call(&["SET", "k", "secret"]).await.unwrap_err();
    assert!(refused.is_refusal() && !refused.is_transient());
    assert_eq!(refused.reply().unwrap().code, "NOPERM");
    assert!(refused.to_string().contains("refused SET"), "{refused}");
    assert!(!refused.to_string().contains("secret"), "{refused}");

    let other = bob.clone().with_address(bob.address().clone().with_database(3));
    assert_eq!(failure(&other.connect().await.unwrap_err()), AuthFailure::NotPermitted);
    let unknown = connector(&peer.url_with("mallory", "pw")).connect().await.unwrap_err();
    assert_eq!(failure(&unknown), AuthFailure::WrongPassword);
}

#[tokio::test]
async fn database_name_and_resp3() {
    let peer = start(Server::Redis70);
    let url = format!("{}/3", peer.url());
    let mut connection =
        connector(&url).client_name("ferrite-test").resp3(true).connect().await.unwrap();
    let info = connection.call(&["CLIENT", "INFO"]).await.unwrap();
    let info = info.as_str().unwrap();
    assert!(info.contains("db=3") && info.contains("name=ferrite-test"), "{info}");
    assert!(info.contains("resp=3"), "{info}");
    connection.call(&["HSET", "h", "f", "v"]).await.unwrap();
    let map = connection.call(&["HGETALL", "h"]).await.unwrap();
    assert_eq!(map.kind(), "a map");

    let error = connector(&format!("{}/99", peer.url())).connect().await.unwrap_err();
    assert!(error.to_string().contains("refused SELECT 99: ERR DB index"), "{error}");
}

#[tokio::test]
async fn unix_socket() {
    let peer = Peer::builder(Server::Redis70).password("pw").unix_socket().start().unwrap();
    let path = peer.unix_path().unwrap();
    let url = format!("unix://{}?db=2&password=pw", path.display());
    let mut connection = connector(&url).connect().await.unwrap();
    let info = connection.call(&["CLIENT", "INFO"]).await.unwrap();
    assert!(info.as_str().unwrap().contains("db=2"));

    let nowhere = Address::unix(path.with_extension("missing"));
    let error = Connector::new(nowhere).connect().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }));
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[tokio::test]
async fn nobody_there() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let error = Connector::new(Address::tcp("127.0.0.1", port)).connect().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }) && error.is_transient());
    assert!(error.to_string().starts_with(&format!("cannot reach 127.0.0.1:{port}: ")), "{error}");
    let error = connector("redis://no-such-host.invalid").connect().await.unwrap_err();
    assert!(error.to_string().starts_with("cannot reach no-such-host.invalid:6379: "), "{error}");
}

#[tokio::test]
async fn silence_ends() {
    let peer = start(Server::Redis70);
    let mut connection = connect(&peer).await;
    connection.set_timeout(Some(SHORT));
    peer.freeze();
    let began = Instant::now();
    let error = connection.call(&["PING"]).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }) && error.is_transient(), "{error}");
    assert!(error.to_string().ends_with("was silent for 500 ms while calling PING"), "{error}");
    let error = connector(&peer.url()).connect_timeout(SHORT).connect().await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20));
    peer.thaw();
    // The reply to the first PING would be taken for that of the second.
    let error = connection.call(&["PING"]).await.unwrap_err();
    assert!(matches!(error, ClientError::Unusable { .. }), "{error}");
}

#[tokio::test]
async fn backoff_waits_for_a_server_to_come() {
    let peer = start(Server::Redis70);
    let proxy = Proxy::start(peer.addr()).unwrap();
    proxy.refuse(true);
    let backoff = Backoff { first: Duration::from_millis(5), ..Backoff::default() };
    let mut heard = 0;
    let connecting = connector(&proxy.url());
    let connected = connecting.connect_with_backoff(&backoff, |error, wait| {
        assert!(error.is_transient(), "{error}");
        assert!(wait <= backoff.longest);
        heard += 1;
        proxy.refuse(heard < 3);
    });
    connected.await.unwrap();
    assert_eq!(heard, 3);

    proxy.refuse(true);
    let few = Backoff { attempts: 3, ..backoff.clone() };
    let mut heard = 0;
    let refused = connector(&proxy.url()).connect_with_backoff(&few, |_, _| heard += 1).await;
    assert_eq!((refused.is_err(), heard), (true, 2));
}

#[tokio::test]
async fn backoff_does_not_repeat_a_wrong_password() {
    let peer = Peer::builder(Server::Redis70).password("right").start().unwrap();
    let wrong = address(&peer.url()).with_password(Some(Secret::new("wrong")));
    let (connecting, backoff) = (Connector::new(wrong), Backoff::default());
    let attempt = connecting.connect_with_backoff(&backoff, |error, _| {
        panic!("tried again after {error}");
    });
    assert_eq!(failure(&attempt.await.unwrap_err()), AuthFailure::WrongPassword);
}

#[tokio::test]
async fn busy_server_is_transient() {
    let peer = Peer::builder(Server::Redis70).arg("busy-reply-threshold", "10").start().unwrap();
    let mut scripting = connect(&peer).await;
    let endless = tokio::spawn(async move {
        scripting.call(&["EVAL", "while true do end", "0"]).await.unwrap_err()
    });
    let patient = Backoff { first: Duration::from_millis(10), ..Backoff::default() };
    // Until the script runs, connecting works; then it says BUSY.
    let busy = async {
        loop {
            match connector(&peer.url()).connect().await {
                Ok(_) => tokio::task::yield_now().await,
                Err(error) => return error,
            }
        }
    };
    let busy = soon("the server is busy", busy).await;
    assert!(busy.is_transient());
    assert_eq!(busy.reply().unwrap().code, "BUSY");
    let mut killer = std::net::TcpStream::connect(peer.addr()).unwrap();
    let connecting = connector(&peer.url());
    let connected = connecting.connect_with_backoff(&patient, |_, _| {
        std::io::Write::write_all(&mut killer, b"SCRIPT KILL\r\n").unwrap();
    });
    connected.await.unwrap();
    assert!(endless.await.unwrap().to_string().contains("refused EVAL"));
}

#[tokio::test]
async fn full_server_says_so() {
    let peer = Peer::builder(Server::Redis70).arg("maxclients", "1").start().unwrap();
    // The kit's own first connection may still be counted.
    let patient = Backoff { first: Duration::from_millis(5), ..Backoff::default() };
    let first = connector(&peer.url()).connect_with_backoff(&patient, |_, _| {}).await.unwrap();
    let error = connector(&peer.url()).connect().await.unwrap_err();
    assert!(error.to_string().contains("max number of clients"), "{error}");
    assert!(error.is_transient());
    drop(first);
}

#[tokio::test]
async fn every_server_lets_us_in() {
    for server in Server::ALL {
        let peer = Peer::builder(server).password("pw").start().unwrap();
        let url = format!("{}/1", peer.url());
        let mut connection = connector(&url).client_name("x").connect().await.unwrap();
        assert_eq!(connection.call(&["DBSIZE"]).await.unwrap().as_int(), Some(0), "{server:?}");
    }
}
