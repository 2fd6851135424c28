//! Certificates for servers with TLS: a CA, a certificate for `localhost`, one for a client.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// PEM files of one small public key infrastructure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The CA's certificate.
    pub ca: PathBuf,
    /// The server's certificate, for `localhost`, 127.0.0.1 and ::1.
    pub cert: PathBuf,
    /// The server's key.
    pub key: PathBuf,
    /// A client's certificate, by the same CA.
    pub client_cert: PathBuf,
    /// The client's key.
    pub client_key: PathBuf,
}

impl TlsFiles {
    /// Makes new keys and certificates and writes them into the folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn generate(dir: &Path) -> io::Result<TlsFiles> {
        let file = |name: &str| dir.join(name);
        let files = TlsFiles {
            ca: file("ca.crt"),
            cert: file("server.crt"),
            key: file("server.key"),
            client_cert: file("client.crt"),
            client_key: file("client.key"),
        };
        let (issuer, ca) = authority().map_err(io::Error::other)?;
        fs::write(&files.ca, ca)?;
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
        for (names, purpose, cert, key) in [
            (names, ExtendedKeyUsagePurpose::ServerAuth, &files.cert, &files.key),
            (
                Vec::new(),
                ExtendedKeyUsagePurpose::ClientAuth,
                &files.client_cert,
                &files.client_key,
            ),
        ] {
            let (cert_pem, key_pem) = signed(names, purpose, &issuer).map_err(io::Error::other)?;
            fs::write(cert, cert_pem)?;
            fs::write(key, key_pem)?;
        }
        Ok(files)
    }

    /// A client session that trusts the CA, presents the client certificate and expects
    /// `localhost`.
    pub(crate) fn client_session(&self) -> io::Result<ClientConnection> {
        let mut roots = RootCertStore::empty();
        for cert in certificates(&self.ca)? {
            roots.add(cert).map_err(io::Error::other)?;
        }
        let key = PrivateKeyDer::from_pem_file(&self.client_key).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_client_auth_cert(certificates(&self.client_cert)?, key)
            .map_err(io::Error::other)?;
        let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
        ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)
    }
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let reader = BufReader::new(File::open(path)?);
    CertificateDer::pem_reader_iter(reader).collect::<Result<_, _>>().map_err(io::Error::other)
}

fn authority() -> Result<(Issuer<'static, KeyPair>, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "Ferrite test CA");
    let pem = params.self_signed(&key)?.pem();
    Ok((Issuer::new(params, key), pem))
}

fn signed(
    names: Vec<String>,
    purpose: ExtendedKeyUsagePurpose,
    issuer: &Issuer<'static, KeyPair>,
) -> Result<(String, String), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names)?;
    params.extended_key_usages = vec![purpose];
    params.distinguished_name.push(DnType::CommonName, "Ferrite test");
    Ok((params.signed_by(&key, issuer)?.pem(), key.serialize_pem()))
}
