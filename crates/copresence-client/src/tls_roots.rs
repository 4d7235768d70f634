//! TLS configuration with the root certificates of the system or the environment.

use rustls::ClientConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use std::sync::{Arc, OnceLock};

/// Installs `aws-lc-rs` as the cryptography provider of this process. Repeated calls have no effect.
///
/// [`crate::ApiClient::new`] calls it, too.
pub fn install_crypto_provider() {
    // An error means that a provider is already installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// The TLS configuration of every call, or why there are no root certificates. Loaded once per process, because it is
/// slow. A failure is not remembered: too many open files, for example, may be over at the next call.
pub(crate) fn shared_tls_config() -> Result<ClientConfig, String> {
    static CONFIG: OnceLock<ClientConfig> = OnceLock::new();
    get_or_try_load(&CONFIG, load_tls_config)
}

/// The remembered value, or the result of `load`, which is remembered if it succeeded.
fn get_or_try_load<T: Clone>(loaded: &OnceLock<T>, load: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    if let Some(value) = loaded.get() {
        return Ok(value.clone());
    }
    // Two threads may both load it at first; the first result is kept.
    let value = load()?;
    Ok(loaded.get_or_init(|| value).clone())
}

/// A TLS configuration without root certificates. Every handshake fails.
pub(crate) fn tls_config_without_roots() -> Result<ClientConfig, String> {
    let builder =
        ClientConfig::builder_with_provider(install_and_get_crypto_provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    Ok(with_http1_alpn(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()))
}

/// Builds the TLS configuration with the root certificates of the system or of `SSL_CERT_FILE`. The error is a text
/// for the operator.
fn load_tls_config() -> Result<ClientConfig, String> {
    let verifier =
        create_os_certificate_verifier(extra_roots_from_environment()?).map_err(|error| error.to_string())?;
    let builder =
        ClientConfig::builder_with_provider(install_and_get_crypto_provider()).with_safe_default_protocol_versions();
    let builder = builder.map_err(|error| error.to_string())?;
    // rustls calls every custom verifier dangerous. This one uses the verifier of the operating system.
    let builder = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(with_http1_alpn(builder.with_no_client_auth()))
}

/// Creates the verifier of the operating system. If it cannot have additional roots, it has its own ones only: a server whose
/// root is missing is then named by its own error.
fn create_os_certificate_verifier(extra_roots: Vec<CertificateDer<'static>>) -> Result<Verifier, rustls::Error> {
    let has_extra_roots = !extra_roots.is_empty();
    match Verifier::new_with_extra_roots(extra_roots, install_and_get_crypto_provider()) {
        Err(error) if has_extra_roots => {
            tracing::warn!(%error, "this system cannot use the root certificates of SSL_CERT_FILE");
            Verifier::new(install_and_get_crypto_provider())
        }
        verifier => verifier,
    }
}

/// Restricts ALPN to HTTP/1.1.
fn with_http1_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// Installs the cryptography provider, if there is none, and returns the installed one.
fn install_and_get_crypto_provider() -> Arc<CryptoProvider> {
    install_crypto_provider();
    let installed = CryptoProvider::get_default().cloned();
    installed.unwrap_or_else(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
}

/// Additional root certificates from `SSL_CERT_FILE`, on Windows and macOS.
///
/// On Linux and the BSDs the verifier itself uses `SSL_CERT_FILE` and `SSL_CERT_DIR` instead of the system's roots.
fn extra_roots_from_environment() -> Result<Vec<CertificateDer<'static>>, String> {
    let path = std::env::var_os("SSL_CERT_FILE").filter(|_| cfg!(any(windows, target_os = "macos")));
    let Some(path) = path else { return Ok(Vec::new()) };
    CertificateDer::pem_file_iter(&path)
        .and_then(Iterator::collect)
        .map_err(|error| format!("SSL_CERT_FILE, {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_to_load_is_tried_again_and_a_success_is_remembered() {
        let loaded = OnceLock::new();
        let failed = get_or_try_load(&loaded, || Err::<u8, _>("too many open files".to_owned()));
        assert_eq!(failed, Err("too many open files".to_owned()));
        assert_eq!(get_or_try_load(&loaded, || Ok(1)), Ok(1));
        assert_eq!(get_or_try_load(&loaded, || Err("not asked".to_owned())), Ok(1));
    }
}
