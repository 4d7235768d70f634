//! Requests without a complete response: never sent, or sent and the response was lost.

use crate::redact::Redactor;
use bytes::Bytes;
use rustls::CertificateError;
use std::error::Error;
use std::fmt;
use std::io;

/// The error of a request that was never sent, mostly because no connection could be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestNotSentError {
    /// The kind of failure, from which hosts make their own message.
    pub kind: ConnectErrorKind,
    /// The network error, for an operator. Contains no secret.
    pub detail: String,
}

/// The kinds of [`RequestNotSentError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectErrorKind {
    /// The host name has no address, or the resolver did not respond.
    NameNotFound,
    /// No server listens at the address.
    ConnectionRefused,
    /// There is no route to the address, often because there is no network.
    Unreachable,
    /// No connection within [`crate::Timeouts::connect`].
    TimedOut,
    /// The server's certificate was issued by a certificate authority that this machine does not trust.
    UntrustedIssuer,
    /// The server presents a certificate authority's certificate as its own, as some self-signed certificates do.
    AuthorityAsServer,
    /// The server's certificate is expired or not valid yet, by this machine's clock.
    CertificateNotValidNow,
    /// The server's certificate is for another host name.
    CertificateOfOtherHost,
    /// The TLS handshake failed for another reason, for example because the server does not use TLS.
    Tls,
    /// The proxy could not be reached, refused the connection, or is of a kind that is not supported.
    Proxy,
    /// The proxy asks for a name and password (407).
    ProxyLogin,
    /// Any other failure before the first byte was sent.
    Other,
}

impl fmt::Display for RequestNotSentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self.kind {
            ConnectErrorKind::NameNotFound => "the host name could not be resolved",
            ConnectErrorKind::ConnectionRefused => "the connection was refused",
            ConnectErrorKind::Unreachable => "the host is unreachable",
            ConnectErrorKind::TimedOut => "the connection timed out",
            ConnectErrorKind::UntrustedIssuer => "the server's certificate is not trusted on this machine",
            ConnectErrorKind::AuthorityAsServer => {
                "the server presents a certificate authority's own certificate; it needs one that the authority issued"
            }
            ConnectErrorKind::CertificateNotValidNow => {
                "the server's certificate is not valid at this time; check the clock, and the certificate's dates"
            }
            ConnectErrorKind::CertificateOfOtherHost => "the server's certificate is for another host name",
            ConnectErrorKind::Tls => "the TLS handshake failed",
            ConnectErrorKind::Proxy => "the proxy refused the connection or could not be reached",
            ConnectErrorKind::ProxyLogin => "the proxy asks for a name and password (407)",
            ConnectErrorKind::Other => "no connection",
        };
        write!(f, "{sentence} ({})", self.detail)
    }
}

impl RequestNotSentError {
    /// Converts an error that occurred before the request was sent.
    pub(crate) fn connect_error_from_reqwest(error: &reqwest::Error, redactor: &Redactor) -> Self {
        let detail = redactor.redact_secrets_and_urls(&describe_error_chain(error));
        let kind = if error.is_timeout() {
            ConnectErrorKind::TimedOut
        } else if error.is_dns() {
            ConnectErrorKind::NameNotFound
        } else {
            classify_connect_error(error, &detail)
        };
        Self { kind, detail }
    }
}

/// How a response was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResponseLossKind {
    /// Nothing was received for [`crate::Timeouts::read`], or not everything within [`crate::Timeouts::total`].
    TimedOut,
    /// The connection was closed or reset, or the response was not HTTP.
    ConnectionLost,
    /// The body is longer than [`crate::MAX_BODY`], or that of a redeem than [`crate::MAX_REDEEM_BODY`], and was not read further.
    BodyTooLarge,
}

/// What was received of a response that was lost.
#[derive(Clone, PartialEq, Eq)]
pub struct LostResponse {
    /// How the response was lost.
    pub loss: ResponseLossKind,
    /// The status, if the status line and headers were received.
    pub status: Option<u16>,
    /// The received part of the body, at most [`crate::MAX_BODY`] bytes. After a redeem it may contain download URLs.
    pub body: Bytes,
    /// The network error, for an operator. Contains no secret.
    pub detail: String,
}

impl LostResponse {
    /// Number of bytes of the body that were received.
    pub fn received_byte_count(&self) -> u64 {
        self.body.len() as u64
    }
}

impl fmt::Display for LostResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => {
                write!(f, "received status {status} and {} bytes of the body, then: ", self.body.len())?;
            }
            None => f.write_str("received no status line: ")?,
        }
        f.write_str(&self.detail)
    }
}

impl fmt::Debug for LostResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LostResponse")
            .field("loss", &self.loss)
            .field("status", &self.status)
            .field("received", &self.body.len())
            .field("words", &self.detail)
            .finish()
    }
}

/// An error and its sources in one line, without empty wrappers and without the URL.
pub(crate) fn describe_error_chain(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    // The first error is the one of reqwest ("error sending request for url (…)"), which adds only the URL.
    for cause in collect_error_chain(error).into_iter().skip(1) {
        let text = cause.to_string();
        let empty = text.starts_with("client error (") || text == "error sending request";
        if !empty && !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
    }
    if said.is_empty() { "no details".to_owned() } else { said.join(": ") }
}

/// Classifies an error by the types of its sources, and by its text where a type is private.
fn classify_connect_error(error: &reqwest::Error, words: &str) -> ConnectErrorKind {
    for cause in collect_error_chain(error) {
        if let Some(error) = cause.downcast_ref::<rustls::Error>() {
            return classify_tls_error(error);
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return ConnectErrorKind::ConnectionRefused,
            Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
                return ConnectErrorKind::Unreachable;
            }
            _ => {}
        }
    }
    // The errors of the proxy tunnel and of the TLS connector have no public type.
    if words.contains("proxy authorization required") {
        ConnectErrorKind::ProxyLogin
    } else if words.contains("tunnel") || words.contains("proxy") || words.contains("SOCKS") {
        ConnectErrorKind::Proxy
    } else if words.contains("tls handshake") {
        ConnectErrorKind::Tls
    } else {
        ConnectErrorKind::Other
    }
}

/// Classifies the error of a TLS handshake.
fn classify_tls_error(error: &rustls::Error) -> ConnectErrorKind {
    let rustls::Error::InvalidCertificate(certificate) = error else { return ConnectErrorKind::Tls };
    match certificate {
        // A bad signature: another authority uses the name of a trusted one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => ConnectErrorKind::UntrustedIssuer,
        CertificateError::Expired
        | CertificateError::ExpiredContext { .. }
        | CertificateError::NotValidYet
        | CertificateError::NotValidYetContext { .. } => ConnectErrorKind::CertificateNotValidNow,
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            ConnectErrorKind::CertificateOfOtherHost
        }
        // The error of the verifier inside has no type that can be matched here.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            ConnectErrorKind::AuthorityAsServer
        }
        _ => ConnectErrorKind::Tls,
    }
}

/// The first source of this type.
pub(crate) fn find_error_in_chain<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    collect_error_chain(error).into_iter().find_map(|cause| cause.downcast_ref())
}

/// Whether the peer closed the connection, without resetting it. Over TLS that is an error if the closing alert is missing.
pub(crate) fn is_connection_closed_by_peer(error: &reqwest::Error) -> bool {
    let kinds = collect_error_chain(error).into_iter().filter_map(|cause| cause.downcast_ref().map(io::Error::kind));
    kinds.into_iter().any(|kind| kind == io::ErrorKind::UnexpectedEof)
}

/// The error and all its sources.
///
/// `io::Error::source` skips the inner error, which is often the relevant one, so it is added here.
fn collect_error_chain(error: &reqwest::Error) -> Vec<&(dyn Error + 'static)> {
    let mut all: Vec<&(dyn Error + 'static)> = Vec::new();
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        all.push(error);
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    all
}
