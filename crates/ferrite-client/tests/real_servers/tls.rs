//! TLS: authorities, names, client certificates, and ports that do not speak it.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use ferrite_client::{ClientError, Connector, TlsOptions};
use ferrite_testkit::{Peer, Server, TlsFiles};

use super::{SHORT, address, connector, start};

fn secure_peer(files: &TlsFiles, demand_client: bool) -> Peer {
    let auth = if demand_client { "yes" } else { "no" };
    let builder = Peer::builder(Server::Redis70).tls(files);
    builder.arg("tls-auth-clients", auth).start().unwrap_or_else(|error| panic!("{error}"))
}

fn files(dir: &Path) -> TlsFiles {
    let made = fs::create_dir_all(dir).and_then(|()| TlsFiles::generate(dir));
    made.unwrap_or_else(|error| panic!("cannot make certificates: {error}"))
}

fn trusting(files: &TlsFiles) -> TlsOptions {
    TlsOptions { ca: Some(files.ca.clone()), ..TlsOptions::default() }
}

async fn refusal(connector: Connector) -> String {
    match connector.connect().await {
        Err(error @ ClientError::Tls { .. }) => error.to_string(),
        Err(other) => panic!("not a TLS error: {other} {other:?}"),
        Ok(_) => panic!("let in"),
    }
}

#[tokio::test]
async fn authority_is_given_wrong_unknown_or_ignored() {
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (files(&dir.path().join("a")), files(&dir.path().join("b")));
    let peer = secure_peer(&own, false);
    let plain_options = connector(&peer.url());

    let mut connection = plain_options.clone().tls(trusting(&own)).connect().await.unwrap();
    let big = vec![b'x'; 5 << 20];
    connection.call(&[b"SET", b"k".as_slice(), &big]).await.unwrap();
    let back = connection.call(&["GET", "k"]).await.unwrap();
    assert!(back.as_bytes() == Some(&big));

    let wrong = refusal(plain_options.clone().tls(trusting(&other))).await;
    assert!(wrong.contains("an authority we do not know"), "{wrong}");
    let insecure = TlsOptions { insecure: true, ..trusting(&other) };
    plain_options.clone().tls(insecure).connect().await.unwrap();
}

#[tokio::test]
async fn name_in_the_certificate_counts() {
    let dir = tempfile::tempdir().unwrap();
    let own = files(dir.path());
    let peer = secure_peer(&own, false);
    let options = TlsOptions { server_name: Some("db.example.org".into()), ..trusting(&own) };
    let wrong = refusal(connector(&peer.url()).tls(options)).await;
    assert!(wrong.contains("for another name"), "{wrong}");
    let by_address = format!("rediss://127.0.0.1:{}", peer.port());
    let options = TlsOptions { server_name: Some("localhost".into()), ..trusting(&own) };
    connector(&by_address).tls(options).connect().await.unwrap();
    connector(&by_address).tls(trusting(&own)).connect().await.unwrap();
}

#[tokio::test]
async fn client_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (files(&dir.path().join("a")), files(&dir.path().join("b")));
    let peer = secure_peer(&own, true);
    let with = |files: &TlsFiles| TlsOptions {
        cert: Some(files.client_cert.clone()),
        key: Some(files.client_key.clone()),
        ..trusting(&own)
    };
    connector(&peer.url()).tls(with(&own)).connect().await.unwrap();
    let none = refusal(connector(&peer.url()).tls(trusting(&own))).await;
    assert!(none.contains("demands a client certificate"), "{none}");
    let foreign = refusal(connector(&peer.url()).tls(with(&other))).await;
    assert!(foreign.contains("does not accept our client certificate"), "{foreign}");
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let own = files(dir.path());
    let peer = secure_peer(&own, false);
    let missing = dir.path().join("missing.pem");
    let garbage = dir.path().join("garbage.pem");
    fs::write(&garbage, "hello").unwrap();
    let with = |options: TlsOptions| refusal(connector(&peer.url()).tls(options));
    let ca = |path: &Path| TlsOptions { ca: Some(path.into()), ..TlsOptions::default() };
    assert!(with(ca(&missing)).await.contains("missing.pem"));
    assert!(with(ca(&garbage)).await.contains("garbage.pem holds no certificate"));
    let half = TlsOptions { cert: Some(own.client_cert.clone()), ..trusting(&own) };
    assert!(with(half).await.contains("without its key"));
    let key = TlsOptions {
        cert: Some(own.client_cert.clone()),
        key: Some(garbage.clone()),
        ..trusting(&own)
    };
    assert!(with(key).await.contains("cannot read a private key from"));
    let unfit = TlsOptions {
        cert: Some(own.client_cert.clone()),
        key: Some(own.key.clone()),
        ..trusting(&own)
    };
    assert!(with(unfit).await.contains("do not fit"));
}

#[tokio::test]
async fn tls_to_a_plain_port_is_understood() {
    let peer = start(Server::Redis70);
    let url = format!("rediss://localhost:{}", peer.port());
    let options = TlsOptions { insecure: true, ..TlsOptions::default() };
    let began = Instant::now();
    let error = refusal(connector(&url).tls(options).connect_timeout(SHORT)).await;
    assert!(error.contains("use redis:// instead of rediss://"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn plain_to_a_tls_port_is_understood() {
    let dir = tempfile::tempdir().unwrap();
    let peer = secure_peer(&files(dir.path()), false);
    let plain = address(&peer.url()).with_tls(false);
    let error = Connector::new(plain).connect().await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("use rediss:// instead of redis://"), "{text}");
}
