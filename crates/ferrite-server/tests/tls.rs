//! Encrypted connections: certificates of both sides, what is no handshake, replicas.
#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ferrite_server::Server;
use ferrite_server::config::Config;
use ferrite_testkit::client::{Client, Connector};
use ferrite_testkit::{Peer, Server as Real, TlsFiles, wait_until};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

const PATIENCE: Duration = Duration::from_secs(10);

fn files(dir: &Path, name: &str) -> TlsFiles {
    let folder = dir.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    TlsFiles::generate(&folder).unwrap()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn configured(dir: &Path, values: &[(&str, &str)]) -> io::Result<Server> {
    let config = Arc::new(Config::new(dir));
    let fixed = [("port", "0"), ("save", ""), ("bind", "127.0.0.1"), ("io-threads", "1")];
    for (name, value) in fixed.iter().chain(values) {
        config.put(name, &[value]).unwrap_or_else(|why| panic!("{name}: {why}"));
    }
    Server::builder().configured(&config, Vec::new()).start()
}

/// A server of one thread with nothing but an encrypted port.
fn start(dir: &Path, files: &TlsFiles, more: &[(&str, &str)]) -> (Server, SocketAddr) {
    let port = free_port();
    let paths = [&files.cert, &files.key, &files.ca].map(|path| path.display().to_string());
    let mut values = vec![
        ("tls-cert-file", paths[0].as_str()),
        ("tls-key-file", &paths[1]),
        ("tls-ca-cert-file", &paths[2]),
    ];
    let text = port.to_string();
    values.push(("tls-port", &text));
    values.extend(more);
    (configured(dir, &values).unwrap(), SocketAddr::from(([127, 0, 0, 1], port)))
}

/// Connects with the testkit's client, which shows its certificate.
fn connect(address: SocketAddr, files: &TlsFiles) -> Client {
    let connector = Connector { tls: Some(files.clone()), ..Connector::new(address) };
    connector.connect().unwrap()
}

/// Believes the authority of `server`, shows the certificate of `own`; what PING brings.
fn ping(address: SocketAddr, server: &TlsFiles, own: Option<&TlsFiles>) -> io::Result<String> {
    let certificates = |path: &Path| -> Vec<CertificateDer<'static>> {
        CertificateDer::pem_file_iter(path).unwrap().map(Result::unwrap).collect()
    };
    let mut roots = RootCertStore::empty();
    certificates(&server.ca).into_iter().for_each(|one| roots.add(one).unwrap());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let key = PrivateKeyDer::from_pem_file(&own.client_key).unwrap();
            builder.with_client_auth_cert(certificates(&own.client_cert), key).unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut stream =
        StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), socket);
    stream.write_all(b"PING\r\n")?;
    let mut reply = [0; 7];
    stream.read_exact(&mut reply)?;
    Ok(String::from_utf8_lossy(&reply).into_owned())
}

#[test]
fn clients_are_served_as_without_encryption() {
    let dir = tempfile::tempdir().unwrap();
    let own = files(dir.path(), "own");
    let (server, address) = start(dir.path(), &own, &[]);
    assert_eq!(server.addresses(), [address]);
    let mut client = connect(address, &own);
    let big = vec![b'x'; 5 << 20];
    client.ok(&[b"SET", b"big".as_slice(), &big]);
    assert_eq!(client.ok(&["GET", "big"]).bytes(), Some(big.as_slice()));
    // More than the system takes at once, in both directions.
    for _ in 0..20 {
        client.queue(&["GET", "big"]);
    }
    client.flush().unwrap();
    for _ in 0..20 {
        assert_eq!(client.read().unwrap().bytes().map(<[u8]>::len), Some(big.len()));
    }
    for number in 0..10_000 {
        client.queue(&["RPUSH", "list", &number.to_string()]);
    }
    client.flush().unwrap();
    for number in 1..=10_000 {
        assert_eq!(client.read().unwrap().int(), Some(number));
    }
    let mut listener = connect(address, &own);
    listener.ok(&["SUBSCRIBE", "news"]);
    client.ok(&["PUBLISH", "news", "hello"]);
    assert_eq!(listener.read().unwrap().items()[2].text(), "hello");
    assert!(
        client.ok(&["INFO", "server"]).text().contains(&format!("tcp_port:{}", address.port()))
    );
    assert!(client.ok(&["CLIENT", "LIST"]).text().contains("addr=127.0.0.1:"));
    // The end that the client says, and the one that the server says.
    drop(listener);
    wait_until("the listener is gone", || {
        client.ok(&["CLIENT", "LIST"]).text().lines().count() == 1
    });
    client.ok(&["QUIT"]);
    assert!(client.try_call(&["PING"]).is_err());
}

#[test]
fn certificates_of_clients_are_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let (own, other) = (files(dir.path(), "own"), files(dir.path(), "other"));
    for (asked, without) in [("yes", false), ("optional", true), ("no", true)] {
        let (_server, address) = start(dir.path(), &own, &[("tls-auth-clients", asked)]);
        assert_eq!(ping(address, &own, Some(&own)).unwrap(), "+PONG\r\n");
        assert_eq!(ping(address, &own, None).is_ok(), without, "{asked}");
        let stranger = ping(address, &own, Some(&other));
        assert_eq!(stranger.is_ok(), asked == "no", "{asked}: {stranger:?}");
        assert!(ping(address, &other, Some(&own)).is_err(), "an authority that did not sign");
    }
}

#[test]
fn what_is_no_handshake_disturbs_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let own = files(dir.path(), "own");
    let (_server, address) = start(dir.path(), &own, &[("timeout", "1")]);
    let mut client = connect(address, &own);
    // The one thread there is waits for none of these.
    let stalled: Vec<TcpStream> = (0..50)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(&[22, 3, 1, 2, 0, 1, 0, 1]).unwrap();
            stream
        })
        .collect();
    let garbage: [&[u8]; 4] =
        [b"PING\r\n", b"*1\r\n$4\r\nPING\r\n", &[22, 3, 1, 255, 255, 0], &[0; 70_000]];
    for bytes in garbage {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        // It may be closed before all of it is written.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(answer.len() < 16 && !answer.starts_with(b"+"), "{answer:?}");
        client.ok(&["PING"]);
    }
    for mut stream in stalled {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut answer = Vec::new();
        let ended = stream.read_to_end(&mut answer);
        assert!(ended.is_ok() && answer.len() < 16, "closed when its time was over: {ended:?}");
    }
    assert_eq!(ping(address, &own, Some(&own)).unwrap(), "+PONG\r\n");
}

#[test]
fn certificates_are_changed_while_it_runs() {
    let dir = tempfile::tempdir().unwrap();
    let (own, new) = (files(dir.path(), "own"), files(dir.path(), "new"));
    let (_server, address) = start(dir.path(), &own, &[]);
    let mut client = connect(address, &own);
    let set = |client: &mut Client, words: &[&str]| {
        client.call(&[&["CONFIG", "SET"], words].concat()).text()
    };
    let [cert, key, ca] = [&new.cert, &new.key, &new.ca].map(|path| path.display().to_string());
    for wrong in [
        &["tls-cert-file", "/nowhere"][..],
        &["tls-key-file", &key],
        &["tls-ca-cert-file", ""],
        &["tls-protocols", "TLSv1.1"],
        &["tls-ciphersuites", "TLS_AES_128_CCM_SHA256"],
    ] {
        let error = set(&mut client, wrong);
        assert!(error.contains("Unable to update TLS configuration"), "{wrong:?}: {error}");
        assert_eq!(ping(address, &own, Some(&own)).unwrap(), "+PONG\r\n");
    }
    let all = ["tls-cert-file", &cert, "tls-key-file", &key, "tls-ca-cert-file", &ca];
    assert_eq!(set(&mut client, &all), "OK");
    assert!(ping(address, &own, Some(&own)).is_err());
    assert_eq!(ping(address, &new, Some(&new)).unwrap(), "+PONG\r\n");
    // Who is there stays.
    client.ok(&["PING"]);
    assert_eq!(set(&mut client, &["tls-protocols", "TLSv1.2"]), "OK");
    assert_eq!(ping(address, &new, Some(&new)).unwrap(), "+PONG\r\n");
    let suite = ["tls-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", "tls-protocols", "TLSv1.3"];
    assert_eq!(set(&mut client, &suite), "OK");
    assert_eq!(ping(address, &new, Some(&new)).unwrap(), "+PONG\r\n");
    let [plain, secure] = [free_port(), free_port()];
    let ports = ["port", &plain.to_string(), "tls-port", &secure.to_string()];
    assert_eq!(set(&mut client, &ports), "OK");
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    wait_until("the new ports are open", || TcpStream::connect(at(secure)).is_ok());
    Client::connect(at(plain)).unwrap().ok(&["PING"]);
    assert_eq!(ping(at(secure), &new, Some(&new)).unwrap(), "+PONG\r\n");
}

#[test]
fn a_start_without_certificates_says_what_is_missing() {
    let dir = tempfile::tempdir().unwrap();
    let own = files(dir.path(), "own");
    let port = free_port().to_string();
    let (cert, key) = (own.cert.display().to_string(), own.key.display().to_string());
    let mut values = vec![("tls-port", port.as_str())];
    for (missing, then) in [
        ("No tls-cert-file configured!", ("tls-cert-file", cert.as_str())),
        ("No tls-key-file configured!", ("tls-key-file", &key)),
        ("Either tls-ca-cert-file or tls-ca-cert-dir", ("tls-ca-cert-dir", "own")),
    ] {
        let error = configured(dir.path(), &values).unwrap_err().to_string();
        assert!(error.contains(missing), "{error}");
        values.push(then);
    }
    let server = configured(dir.path(), &values).unwrap();
    let address = server.addresses()[0];
    assert_eq!(ping(address, &own, Some(&own)).unwrap(), "+PONG\r\n", "by a folder of authorities");
}

#[test]
fn a_real_server_follows_over_an_encrypted_connection() {
    let dir = tempfile::tempdir().unwrap();
    let own = files(dir.path(), "own");
    let (_server, address) = start(dir.path(), &own, &[]);
    let mut client = connect(address, &own);
    let big = "x".repeat(1 << 20);
    for number in 0..20 {
        client.ok(&["SET", &format!("before:{number}"), &big]);
    }
    let shown = [&own.client_cert, &own.client_key].map(|path| path.display().to_string());
    let peer = Peer::builder(Real::Redis80).tls(&own);
    let peer = peer.arg("tls-client-cert-file", &shown[0]).arg("tls-client-key-file", &shown[1]);
    let peer = peer.start();
    let peer = peer.unwrap_or_else(|error| panic!("{error}"));
    peer.client().ok(&["REPLICAOF", "127.0.0.1", &address.port().to_string()]);
    wait_until("a replica", || client.ok(&["WAIT", "1", "100"]).int() == Some(1));
    for number in 0..2_000 {
        client.queue(&["SET", &format!("after:{number}"), &big[..1000]]);
    }
    client.flush().unwrap();
    (0..2_000).for_each(|_| assert_eq!(client.read().unwrap().text(), "OK"));
    wait_until("all of it", || client.ok(&["WAIT", "1", "100"]).int() == Some(1));
    let mut replica = peer.client();
    assert_eq!(replica.ok(&["DBSIZE"]).int(), Some(2_020));
    assert_eq!(replica.ok(&["GET", "after:1999"]).bytes().map(<[u8]>::len), Some(1000));
    assert!(client.ok(&["INFO", "replication"]).text().contains("state=online"));
}
