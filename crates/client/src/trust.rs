//! Whom TLS trusts: the system's root certificates, or those of the environment.

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use std::sync::{Arc, OnceLock};

/// Makes `ring` the cryptography of TLS in this process. Again is harmless; [`crate::Api::new`] does it too.
pub fn install_crypto() {
    // An error says that a provider is there already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// TLS as every call uses it, or why nobody can be trusted. Read once a process: it takes a while.
pub(crate) fn config() -> Result<ClientConfig, String> {
    static CONFIG: OnceLock<Result<ClientConfig, String>> = OnceLock::new();
    CONFIG.get_or_init(read).clone()
}

/// TLS that trusts nobody: every handshake fails.
pub(crate) fn nobody() -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(over_http_1(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()))
}

fn read() -> Result<ClientConfig, String> {
    let verifier = Verifier::new_with_extra_roots(environment_roots()?, provider())
        .map_err(|error| error.to_string())?;
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    // "Dangerous" is any verifier of another crate; this one asks the operating system.
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(over_http_1(builder.with_no_client_auth()))
}

fn over_http_1(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

fn provider() -> Arc<CryptoProvider> {
    install_crypto();
    let installed = CryptoProvider::get_default().cloned();
    installed.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()))
}

/// On Linux and the BSDs the verifier itself looks at `SSL_CERT_FILE` and `SSL_CERT_DIR`, in place of the system's
/// roots. Elsewhere it asks the system only, so the file's certificates are trusted beside the system's.
fn environment_roots() -> Result<Vec<CertificateDer<'static>>, String> {
    let path = std::env::var_os("SSL_CERT_FILE").filter(|_| cfg!(any(windows, target_os = "macos")));
    let Some(path) = path else { return Ok(Vec::new()) };
    CertificateDer::pem_file_iter(&path)
        .and_then(Iterator::collect)
        .map_err(|error| format!("SSL_CERT_FILE, {}: {error}", path.display()))
}
