//! Encryption: from the parameters to what a handshake needs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, ServerSessionMemoryCache, WebPkiClientVerifier};
use rustls::version::{TLS12, TLS13};
use rustls::{
    CipherSuite, RootCertStore, ServerConfig, SupportedCipherSuite, SupportedProtocolVersion,
};

use crate::config::choices::AuthClients;
use crate::config::{Bytes, Config};

/// The most files of `tls-ca-cert-dir` that are looked at.
const MOST_AUTHORITIES: usize = 10_000;

/// The cipher suites of TLS 1.3 by the names that `tls-ciphersuites` knows them by.
const SUITES: [(&str, CipherSuite); 3] = [
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
];

/// What connections at `tls-port` are encrypted with.
///
/// # Errors
/// What is missing, or cannot be used, with the name of its file.
pub fn load(config: &Config) -> Result<Arc<ServerConfig>, String> {
    let tls = &config.tls;
    let file = |value: &Bytes| -> Option<PathBuf> {
        (!value.is_empty()).then(|| config.folder().join(&*value.as_text()))
    };
    let certificate = file(&tls.cert_file.get()).ok_or("No tls-cert-file configured!")?;
    let key = file(&tls.key_file.get()).ok_or("No tls-key-file configured!")?;
    let mut provider = crypto::ring::default_provider();
    choose_suites(&mut provider, &tls.ciphersuites.get().as_text())?;
    let provider = Arc::new(provider);
    let authorities = (file(&tls.ca_cert_file.get()), file(&tls.ca_cert_dir.get()));
    let verifier = verifier(tls.auth_clients.get(), authorities, &provider)?;
    let versions = versions(&tls.protocols.get().as_text())?;
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&versions)
        .map_err(|error| format!("tls-protocols and tls-ciphersuites: {error}"))?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let read = PrivateKeyDer::from_pem_file(&key).map_err(|error| {
        format!("Failed to load private key: {}: {error}{}", key.display(), locked(&key))
    })?;
    let mut made =
        builder.with_single_cert(certificates(&certificate)?, read).map_err(|error| {
            let (certificate, key) = (certificate.display(), key.display());
            format!("the certificate {certificate} and the key {key} do not fit: {error}")
        })?;
    made.ignore_client_order = tls.prefer_server_ciphers.get();
    made.session_storage = match tls.session_caching.get() {
        true => {
            let sessions = tls.session_cache_size.get();
            ServerSessionMemoryCache::new(usize::try_from(sessions).unwrap_or(usize::MAX))
        }
        false => Arc::new(NoServerSessionStorage {}),
    };
    if !tls.session_caching.get() {
        made.send_tls13_tickets = 0;
    }
    Ok(Arc::new(made))
}

/// Says what to do where a key has a password.
fn locked(key: &Path) -> &'static str {
    let text = std::fs::read(key).unwrap_or_default();
    match String::from_utf8_lossy(&text).contains("ENCRYPTED") {
        true => {
            "; it has a password, which this version cannot open it with: write one without, by \
             openssl pkey -in KEY -out NEW"
        }
        false => "",
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> =
        read.map_err(|error| format!("Failed to load certificate: {}: {error}", path.display()))?;
    if found.is_empty() {
        return Err(format!("{} holds no certificate in PEM form", path.display()));
    }
    Ok(found)
}

/// Who looks at the certificates of clients, if anybody does.
fn verifier(
    asked: AuthClients,
    (file, folder): (Option<PathBuf>, Option<PathBuf>),
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, String> {
    if asked == AuthClients::No {
        return Ok(None);
    }
    let mut roots = RootCertStore::empty();
    let mut believe = |path: &Path| -> Result<(), String> {
        certificates(path)?.into_iter().try_for_each(|one| {
            roots.add(one).map_err(|error| {
                format!("{} holds a certificate that cannot be used: {error}", path.display())
            })
        })
    };
    if let Some(file) = &file {
        believe(file)?;
    }
    if let Some(folder) = &folder {
        let at = |error| format!("Failed to configure CA certificate(s): {folder:?}: {error}");
        for entry in std::fs::read_dir(folder).map_err(at)?.take(MOST_AUTHORITIES) {
            // As OpenSSL does: what is no certificate there is not looked at.
            if let Err(why) = believe(&entry.map_err(at)?.path()) {
                tracing::debug!("tls-ca-cert-dir: {why}");
            }
        }
    }
    if file.is_none() && folder.is_none() {
        return Err("Either tls-ca-cert-file or tls-ca-cert-dir must be specified when \
                    tls-cluster, tls-replication or tls-auth-clients are enabled!"
            .to_owned());
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let builder = match asked {
        AuthClients::Optional => builder.allow_unauthenticated(),
        _ => builder,
    };
    let made = builder.build().map_err(|error| format!("the authorities of clients: {error}"));
    made.map(|verifier| Some(verifier as Arc<dyn ClientCertVerifier>))
}

/// The versions that `tls-protocols` names; both, where it names none.
fn versions(words: &str) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let known = [("tlsv1.2", &TLS12), ("tlsv1.3", &TLS13)];
    let mut versions = Vec::new();
    for word in words.split_ascii_whitespace() {
        let found = known.iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
        let (_, version) = found.ok_or_else(|| {
            format!("tls-protocols: '{word}' is not spoken here; TLSv1.2 and TLSv1.3 are")
        })?;
        versions.push(*version);
    }
    Ok(if versions.is_empty() { known.map(|(_, version)| version).to_vec() } else { versions })
}

/// Leaves of the suites of TLS 1.3 those that `tls-ciphersuites` names, in its order.
fn choose_suites(provider: &mut CryptoProvider, words: &str) -> Result<(), String> {
    if words.is_empty() {
        return Ok(());
    }
    let (of_13, mut chosen): (Vec<_>, Vec<_>) = std::mem::take(&mut provider.cipher_suites)
        .into_iter()
        .partition(|suite| matches!(suite, SupportedCipherSuite::Tls13(_)));
    let mut named = Vec::new();
    for word in words.split(':') {
        let suite = SUITES
            .iter()
            .find(|(name, _)| *name == word)
            .and_then(|(_, suite)| of_13.iter().find(|supported| supported.suite() == *suite));
        let suite = suite.ok_or_else(|| {
            let names = SUITES.map(|(name, _)| name).join(":");
            format!("tls-ciphersuites: '{word}' is not there; there are {names}")
        })?;
        named.push(*suite);
    }
    named.append(&mut chosen);
    provider.cipher_suites = named;
    Ok(())
}
