//! TLS: which authorities are believed, which certificate we show, and errors in words.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{self, CryptoProvider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, InvalidMessage, SignatureScheme};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore};

/// How to speak TLS. The default believes the system's authorities and shows no certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// A PEM file with the authorities to believe instead of the system's.
    pub ca: Option<PathBuf>,
    /// A PEM file with the certificate (chain) we show; needs `key`.
    pub cert: Option<PathBuf>,
    /// A PEM file with the certificate's private key; needs `cert`.
    pub key: Option<PathBuf>,
    /// The name the server's certificate must bear, when it is not the host of the address.
    pub server_name: Option<String>,
    /// Accept any certificate: whoever answers could be anybody.
    pub insecure: bool,
}

impl TlsOptions {
    /// Reads the files and builds what rustls needs. The error is a sentence.
    pub(crate) fn load(&self) -> Result<Arc<ClientConfig>, String> {
        let provider = Arc::new(crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?;
        let builder = if self.insecure {
            let verifier = Arc::new(AcceptAny(provider));
            builder.dangerous().with_custom_certificate_verifier(verifier)
        } else {
            builder.with_root_certificates(self.roots()?)
        };
        let config = match (&self.cert, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => builder
                .with_client_auth_cert(certificates(cert)?, private_key(key)?)
                .map_err(|error| {
                    let (cert, key) = (cert.display(), key.display());
                    format!("the certificate {cert} and the key {key} do not fit: {error}")
                })?,
            (Some(_), None) => return Err("a client certificate is given without its key".into()),
            (None, Some(_)) => return Err("a client key is given without its certificate".into()),
        };
        Ok(Arc::new(config))
    }

    /// The name the server's certificate must bear.
    pub(crate) fn name_for(&self, host: &str) -> Result<ServerName<'static>, String> {
        let name = self.server_name.as_deref().unwrap_or(host);
        ServerName::try_from(name.to_owned())
            .map_err(|_| format!("'{name}' cannot be the name in a certificate"))
    }

    fn roots(&self) -> Result<RootCertStore, String> {
        let mut roots = RootCertStore::empty();
        let Some(path) = &self.ca else {
            let found = rustls_native_certs::load_native_certs();
            roots.add_parsable_certificates(found.certs);
            return if roots.is_empty() {
                Err("this system has no certificate authorities; give the CA's certificate".into())
            } else {
                Ok(roots)
            };
        };
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| {
                format!("{} holds a certificate that cannot be used: {error}", path.display())
            })?;
        }
        Ok(roots)
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found: Vec<_> =
        read.map_err(|error| format!("cannot read certificates from {}: {error}", path.display()))?;
    if found.is_empty() {
        return Err(format!("{} holds no certificate in PEM form", path.display()));
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| format!("cannot read a private key from {}: {error}", path.display()))
}

/// The rustls error inside an I/O error.
pub(crate) fn tls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

/// What is wrong with a TLS connection and what to do about it.
pub(crate) fn explain(error: &io::Error) -> String {
    let Some(cause) = tls_cause(error) else {
        return match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                "it closed the connection during the handshake; perhaps this port does not speak \
                 TLS: use redis:// instead of rediss://"
                    .to_owned()
            }
            _ => error.to_string(),
        };
    };
    match cause {
        rustls::Error::InvalidMessage(
            InvalidMessage::InvalidContentType
            | InvalidMessage::UnknownProtocolVersion
            | InvalidMessage::MessageTooLarge
            | InvalidMessage::InvalidEmptyPayload,
        ) => "this port does not speak TLS: use redis:// instead of rediss://".to_owned(),
        rustls::Error::InvalidCertificate(problem) => explain_certificate(problem),
        rustls::Error::AlertReceived(alert) => explain_alert(*alert),
        other => other.to_string(),
    }
}

fn explain_certificate(problem: &CertificateError) -> String {
    match problem {
        // Another authority of the same name shows as a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "its certificate is signed by an authority we do not know; give the certificate of \
             its CA"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("its certificate is for another name; give that as server name ({problem})")
        }
        other => format!("its certificate cannot be accepted: {other}"),
    }
}

fn explain_alert(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "it demands a client certificate and we have none; give a certificate and its key"
                .to_owned()
        }
        AlertDescription::UnknownCA
        | AlertDescription::BadCertificate
        | AlertDescription::CertificateUnknown
        | AlertDescription::DecryptError => {
            format!("it does not accept our client certificate ({alert:?})")
        }
        other => format!("it refused the handshake ({other:?})"),
    }
}

/// Accepts every certificate; signatures are still checked, so that the peer has its key.
struct AcceptAny(Arc<CryptoProvider>);

impl fmt::Debug for AcceptAny {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AcceptAny")
    }
}

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
