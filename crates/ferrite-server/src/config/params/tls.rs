//! Encrypted connections, which this version does not have.

use super::super::scalar::choices;
use super::super::setting::{Number, Structured, section};
use super::super::spec::{choice, integer, text, yes_no};
use super::super::values::Bytes;

const NONE: &str = "this version has no TLS";
const UNUSED: &str = "this version has no TLS, and tls-port is refused";

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
        port: Number<u16> = integer("tls-port", "0", 0, 65535).only(&["0"], NONE);
        /// The certificate.
        cert_file: Structured<Bytes> = text("tls-cert-file", "").stored(UNUSED);
        /// Its key.
        key_file: Structured<Bytes> = text("tls-key-file", "").stored(UNUSED);
        /// The password of the key.
        key_file_pass: Structured<Bytes> = text("tls-key-file-pass", "").stored(UNUSED);
        /// The certificate for connections to others.
        client_cert_file: Structured<Bytes> = text("tls-client-cert-file", "").stored(UNUSED);
        /// Its key.
        client_key_file: Structured<Bytes> = text("tls-client-key-file", "").stored(UNUSED);
        /// The password of that key.
        client_key_file_pass: Structured<Bytes> =
            text("tls-client-key-file-pass", "").stored(UNUSED);
        /// Parameters for old clients.
        dh_params_file: Structured<Bytes> = text("tls-dh-params-file", "").stored(UNUSED);
        /// Who signs certificates.
        ca_cert_file: Structured<Bytes> = text("tls-ca-cert-file", "").stored(UNUSED);
        /// A folder of such certificates.
        ca_cert_dir: Structured<Bytes> = text("tls-ca-cert-dir", "").stored(UNUSED);
        /// Whether clients must show a certificate.
        auth_clients: Number<AuthClients> =
            choice("tls-auth-clients", "yes", AuthClients::WORDS).stored(UNUSED);
        /// Whether the connection to a primary is encrypted.
        replication: Number<bool> = yes_no("tls-replication", "no").only(&["no"], NONE);
        /// Whether the bus of a cluster is encrypted.
        cluster: Number<bool> = yes_no("tls-cluster", "no").only(&["no"], NONE);
        /// Versions of the protocol.
        protocols: Structured<Bytes> = text("tls-protocols", "").stored(UNUSED);
        /// Ciphers up to TLS 1.2.
        ciphers: Structured<Bytes> = text("tls-ciphers", "").stored(UNUSED);
        /// Ciphers of TLS 1.3.
        ciphersuites: Structured<Bytes> = text("tls-ciphersuites", "").stored(UNUSED);
        /// Whether the server's order of ciphers counts.
        prefer_server_ciphers: Number<bool> =
            yes_no("tls-prefer-server-ciphers", "no").stored(UNUSED);
        /// Whether sessions are resumed.
        session_caching: Number<bool> = yes_no("tls-session-caching", "yes").stored(UNUSED);
        /// How many sessions are remembered.
        session_cache_size: Number<u64> =
            integer("tls-session-cache-size", "20480", 0, i32::MAX as i64).stored(UNUSED);
        /// For how many seconds.
        session_cache_timeout: Number<u64> =
            integer("tls-session-cache-timeout", "300", 0, i32::MAX as i64).stored(UNUSED);
    }
}
