//! What is kept in a real etcd, and for how long.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use ferrite_client::etcd::{Etcd, EtcdPlace};
use ferrite_client::{ClientError, TlsOptions};
use ferrite_testkit::TlsFiles;

const PATIENCE: Duration = Duration::from_secs(10);

fn client(url: &str, tls: &TlsOptions) -> Etcd {
    let place: EtcdPlace = url.parse().unwrap();
    Etcd::new(&place, tls, PATIENCE)
}

async fn use_it(etcd: &mut Etcd) {
    assert_eq!(etcd.get("a/1").await.unwrap(), None);
    let lease = etcd.grant(5).await.unwrap();
    assert!(etcd.keep_alive(lease).await.unwrap());
    assert!(etcd.create("a/1", "mine", Some(lease)).await.unwrap());
    assert!(etcd.create("a/1", "mine", Some(lease)).await.unwrap(), "it is ours already");
    assert!(!etcd.create("a/1", "theirs", None).await.unwrap());
    let held = etcd.get("a/1").await.unwrap().unwrap();
    assert_eq!((held.key.as_str(), held.value.as_str()), ("a/1", "mine"));
    assert!(etcd.exchange(&held, "done/1", "result").await.unwrap());
    assert_eq!(etcd.get("a/1").await.unwrap(), None);
    assert!(etcd.exchange(&held, "done/1", "result").await.unwrap(), "it is there already");
    assert!(!etcd.exchange(&held, "done/1", "another").await.unwrap());
    etcd.put("a/2", "goes with the lease", Some(lease)).await.unwrap();
    for number in 0..250 {
        etcd.put(&format!("many/{number:03}"), &number.to_string(), None).await.unwrap();
    }
    let many = etcd.list("many/").await.unwrap();
    assert_eq!(many.len(), 250);
    assert_eq!((many[249].key.as_str(), many[249].value.as_str()), ("many/249", "249"));
    etcd.revoke(lease).await.unwrap();
    assert_eq!(etcd.get("a/2").await.unwrap(), None);
    assert!(!etcd.keep_alive(lease).await.unwrap());
}

#[tokio::test]
async fn what_is_claimed_is_claimed_once() {
    let server = ferrite_testkit::Etcd::start().unwrap();
    // The first of the two answers nobody.
    let url = server.url("p").replace("etcd://", "etcd://127.0.0.1:1,");
    use_it(&mut client(&url, &TlsOptions::default())).await;
}

#[tokio::test]
async fn it_is_the_same_with_tls() {
    let dir = tempfile::tempdir().unwrap();
    let files = TlsFiles::generate(dir.path()).unwrap();
    let server = ferrite_testkit::Etcd::start_with_tls(&files).unwrap();
    let tls = TlsOptions { ca: Some(files.ca), ..TlsOptions::default() };
    use_it(&mut client(&server.url("p"), &tls)).await;
    let plain = server.url("p").replace("etcds://", "etcd://");
    let place: EtcdPlace = plain.parse().unwrap();
    let mut wrong = Etcd::new(&place, &TlsOptions::default(), Duration::ZERO);
    wrong.get("a").await.unwrap_err();
}

#[tokio::test]
async fn users_have_passwords() {
    let server = ferrite_testkit::Etcd::start().unwrap();
    let none = TlsOptions::default();
    let post = |path: &str, body: &str| {
        let url = format!("http://{}/v3/auth/{path}", server.addr());
        http_post(&url, body);
    };
    post("user/add", r#"{"name":"root","password":"s3cret"}"#);
    post("user/grant", r#"{"user":"root","role":"root"}"#);
    post("enable", "{}");
    let url = server.url("p");
    let with = |identity: &str| url.replace("etcd://", &format!("etcd://{identity}@"));
    use_it(&mut client(&with("root:s3cret"), &none)).await;
    for url in [url.clone(), with("root:guess")] {
        let error = client(&url, &none).get("a").await.unwrap_err();
        assert!(matches!(error, ClientError::Auth { .. }), "{url}: {error}");
        assert!(!error.to_string().contains("guess"), "{error}");
    }
}

/// Nothing but what is needed to make a user.
fn http_post(url: &str, body: &str) {
    use std::io::{Read, Write};
    let (addr, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(addr).unwrap();
    let length = body.len();
    let request = format!("POST /{path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(" 200 OK"), "{url}: {answer}");
}

#[tokio::test]
async fn one_that_stands_still_is_an_error_in_time() {
    let server = ferrite_testkit::Etcd::start().unwrap();
    let place: EtcdPlace = server.url("p").parse().unwrap();
    let mut etcd = Etcd::new(&place, &TlsOptions::default(), Duration::ZERO);
    etcd.get("a").await.unwrap();
    server.suspend(true).unwrap();
    let error = etcd.get("a").await.unwrap_err();
    assert!(error.is_transient(), "{error}");
    server.suspend(false).unwrap();
    let mut patient = client(&server.url("p"), &TlsOptions::default());
    assert_eq!(patient.get("a").await.unwrap(), None);
}
