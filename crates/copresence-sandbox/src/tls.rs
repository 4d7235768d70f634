//! HTTPS, for clients that require it: with a given certificate, or a self-signed one.

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the certificate of a sandbox comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// From PEM files.
    Files {
        /// The certificate chain.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
    /// Generated at the start. Clients must be told to trust it, by its fingerprint.
    SelfSigned,
}

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error(
        "{path} cannot be read as PEM: {problem}; TLS needs a certificate (--tls-cert) and its private key (--tls-key)"
    )]
    UnreadablePem {
        /// The file.
        path: PathBuf,
        /// The reason.
        problem: String,
    },
    /// The private key does not belong to the certificate.
    #[error("the private key does not match the certificate: {0}")]
    KeyMismatch(#[from] rustls::Error),
    /// The self-signed certificate cannot be generated.
    #[error("a self-signed certificate cannot be generated: {0}")]
    SelfSigned(#[from] rcgen::Error),
}

/// The configuration of the TLS server, and the fingerprint of its certificate.
pub(crate) struct TlsServerConfig {
    pub(crate) config: Arc<ServerConfig>,
    pub(crate) fingerprint: String,
}

impl CertificateSource {
    /// Builds the configuration from the files of a certificate, or generates a self-signed one for the names and
    /// addresses `hosts`.
    pub(crate) fn load_or_generate_server_config(&self, hosts: Vec<String>) -> Result<TlsServerConfig, TlsError> {
        let (chain, key) = match self {
            Self::Files { cert, key } => {
                let unreadable = |path: &PathBuf, error: rustls::pki_types::pem::Error| TlsError::UnreadablePem {
                    path: path.clone(),
                    problem: error.to_string(),
                };
                let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect::<Result<Vec<_>, _>>);
                let chain = chain.map_err(|error| unreadable(cert, error))?;
                (chain, PrivateKeyDer::from_pem_file(key).map_err(|error| unreadable(key, error))?)
            }
            Self::SelfSigned => {
                let generated = rcgen::generate_simple_self_signed(hosts)?;
                let key = PrivatePkcs8KeyDer::from(generated.signing_key.serialize_der());
                (vec![generated.cert.der().clone()], key.into())
            }
        };
        let fingerprint = chain.first().map(|first| sha256_fingerprint(first)).unwrap_or_default();
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions()?.with_no_client_auth();
        let mut config = builder.with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(TlsServerConfig { config: Arc::new(config), fingerprint })
    }
}

/// SHA-256 in the form that browsers show.
fn sha256_fingerprint(certificate: &[u8]) -> String {
    let mut text = String::new();
    for byte in Sha256::digest(certificate) {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing into a string does not fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unusable_certificate_or_key_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let (cert, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let tls = CertificateSource::Files { cert: cert.clone(), key: key.clone() };
        let error = || tls.load_or_generate_server_config(Vec::new()).err().expect("refused").to_string();
        assert!(error().contains("cert.pem"), "{}", error());
        let made = |names: &str| rcgen::generate_simple_self_signed(vec![names.to_owned()]).expect("made");
        let (one, another) = (made("a.test"), made("b.test"));
        std::fs::write(&cert, one.cert.pem()).expect("written");
        assert!(error().contains("key.pem"), "{}", error());
        std::fs::write(&key, another.signing_key.serialize_pem()).expect("written");
        assert!(error().contains("does not match"), "{}", error());
        std::fs::write(&key, one.signing_key.serialize_pem()).expect("written");
        let ready = tls.load_or_generate_server_config(Vec::new()).expect("they go together");
        assert_eq!(ready.fingerprint.len(), 32 * 3 - 1);
    }
}
