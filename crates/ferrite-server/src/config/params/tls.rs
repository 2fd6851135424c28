//! Encrypted connections.

use super::super::scalar::choices;
use super::super::setting::{Number, Structured, section};
use super::super::spec::{choice, integer, text, yes_no};
use super::super::values::Bytes;

const NOT_OURS: &str = "no connection of ours to others is encrypted";

choices! {
    /// Whether clients must show a certificate.
    AuthClients {
        /// No certificate is asked for.
        No "no",
        /// It must be there.
        Yes "yes",
        /// It may be there.
        Optional "optional",
    }
}

section! {
    /// Encrypted connections.
    Tls "tls" {
        /// The port for encrypted connections; 0 for none.
        port: Number<u16> = integer("tls-port", "0", 0, 65535);
        /// The certificate.
        cert_file: Structured<Bytes> = text("tls-cert-file", "");
        /// Its key.
        key_file: Structured<Bytes> = text("tls-key-file", "");
        /// The password of the key.
        key_file_pass: Structured<Bytes> = text("tls-key-file-pass", "").only(
            &[""],
            "a key that has a password cannot be opened; \
             openssl pkey -in KEY -out NEW writes it without",
        );
        /// The certificate for connections to others.
        client_cert_file: Structured<Bytes> = text("tls-client-cert-file", "").stored(NOT_OURS);
        /// Its key.
        client_key_file: Structured<Bytes> = text("tls-client-key-file", "").stored(NOT_OURS);
        /// The password of that key.
        client_key_file_pass: Structured<Bytes> =
            text("tls-client-key-file-pass", "").stored(NOT_OURS);
        /// Parameters for old clients.
        dh_params_file: Structured<Bytes> = text("tls-dh-params-file", "")
            .stored("keys are exchanged over elliptic curves");
        /// Who signs certificates.
        ca_cert_file: Structured<Bytes> = text("tls-ca-cert-file", "");
        /// A folder of such certificates.
        ca_cert_dir: Structured<Bytes> = text("tls-ca-cert-dir", "");
        /// Whether clients must show a certificate.
        auth_clients: Number<AuthClients> =
            choice("tls-auth-clients", "yes", AuthClients::WORDS);
        /// Whether the connection to a primary is encrypted.
        replication: Number<bool> = yes_no("tls-replication", "no").only(&["no"], "a replica of others is not there yet");
        /// Whether the bus of a cluster is encrypted.
        cluster: Number<bool> = yes_no("tls-cluster", "no").only(&["no"], "there is no cluster mode");
        /// Versions of the protocol.
        protocols: Structured<Bytes> = text("tls-protocols", "");
        /// Ciphers up to TLS 1.2.
        ciphers: Structured<Bytes> = text("tls-ciphers", "")
            .only(&["", "DEFAULT"], "the six suites of TLS 1.2 that are there have no list");
        /// Ciphers of TLS 1.3.
        ciphersuites: Structured<Bytes> = text("tls-ciphersuites", "");
        /// Whether the server's order of ciphers counts.
        prefer_server_ciphers: Number<bool> =
            yes_no("tls-prefer-server-ciphers", "no");
        /// Whether sessions are resumed.
        session_caching: Number<bool> = yes_no("tls-session-caching", "yes");
        /// How many sessions are remembered.
        session_cache_size: Number<u64> =
            integer("tls-session-cache-size", "20480", 0, i32::MAX as i64);
        /// For how many seconds.
        session_cache_timeout: Number<u64> =
            integer("tls-session-cache-timeout", "300", 0, i32::MAX as i64)
            .stored("a session is forgotten when another needs its place");
    }
}
