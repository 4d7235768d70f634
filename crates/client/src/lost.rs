//! Requests without a whole answer: never sent, or sent and unanswered.

use crate::redact::Redactor;
use bytes::Bytes;
use std::error::Error;
use std::fmt;
use std::io;

/// Why a request was never sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// For a sentence of the host's own.
    pub kind: CauseKind,
    /// What the network said, for an operator; holds no secret.
    pub words: String,
}

/// The kinds of [`Cause`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CauseKind {
    /// The host's name has no address, or the resolver did not answer.
    NameNotFound,
    /// Nothing listens at the address.
    ConnectionRefused,
    /// No way to the address: often no network at all.
    Unreachable,
    /// No connection within [`crate::TimeOuts::connect`].
    TimedOut,
    /// The TLS handshake failed: often a certificate that is not trusted here, or a wrong clock.
    Tls,
    /// The proxy could not be reached or refused.
    Proxy,
    /// Any other reason before the first byte.
    Other,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sentence = match self.kind {
            CauseKind::NameNotFound => "the host's name was not found",
            CauseKind::ConnectionRefused => "the connection was refused",
            CauseKind::Unreachable => "the host cannot be reached",
            CauseKind::TimedOut => "no connection in time",
            CauseKind::Tls => {
                "no secure connection (is the certificate trusted here, see SSL_CERT_FILE, and is the clock right?)"
            }
            CauseKind::Proxy => "the proxy did not let it through",
            CauseKind::Other => "no connection",
        };
        write!(f, "{sentence} ({})", self.words)
    }
}

impl Cause {
    /// Reads an error that came before the request was written.
    pub(crate) fn read(error: &reqwest::Error, redactor: &Redactor) -> Self {
        let words = redactor.words(&words(error));
        let kind = if error.is_timeout() {
            CauseKind::TimedOut
        } else if error.is_dns() {
            CauseKind::NameNotFound
        } else {
            kind_of(error, &words)
        };
        Self { kind, words }
    }
}

/// How an answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Loss {
    /// Nothing came for [`crate::TimeOuts::read`], or not all of it within [`crate::TimeOuts::total`].
    TimedOut,
    /// The connection ended or broke, or what came was no HTTP.
    BrokenOff,
    /// The body went over [`crate::MAX_BODY`] and was not read further.
    TooLarge,
}

/// What is known of a lost answer.
#[derive(Clone, PartialEq, Eq)]
pub struct Evidence {
    /// How it was lost.
    pub loss: Loss,
    /// The status, when a status line and headers came.
    pub status: Option<u16>,
    /// The bytes of the body that came, at most [`crate::MAX_BODY`]: of a redeem they may hold download URLs.
    pub body: Bytes,
    /// What the socket said, for an operator; holds no secret.
    pub words: String,
}

impl Evidence {
    /// How many bytes of the body came.
    pub fn received(&self) -> u64 {
        self.body.len() as u64
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => {
                write!(f, "status {status} and {} bytes of the body came, then: ", self.body.len())?;
            }
            None => f.write_str("not even a status line came: ")?,
        }
        f.write_str(&self.words)
    }
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evidence")
            .field("loss", &self.loss)
            .field("status", &self.status)
            .field("received", &self.body.len())
            .field("words", &self.words)
            .finish()
    }
}

/// An error and its sources in one line, without wrappers that say nothing and without the URL.
pub(crate) fn words(error: &reqwest::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    // The first is reqwest's own ("error sending request for url (…)"), which adds only the URL.
    for cause in chain(error).into_iter().skip(1) {
        let text = cause.to_string();
        let empty = text.starts_with("client error (") || text == "error sending request";
        if !empty && !said.iter().any(|earlier| earlier.contains(&text)) {
            said.push(text);
        }
    }
    if said.is_empty() { "no further word".to_owned() } else { said.join(": ") }
}

fn kind_of(error: &reqwest::Error, words: &str) -> CauseKind {
    for cause in chain(error) {
        if cause.is::<rustls::Error>() {
            return CauseKind::Tls;
        }
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return CauseKind::ConnectionRefused,
            Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
                return CauseKind::Unreachable;
            }
            _ => {}
        }
    }
    // These two have no public type.
    if words.contains("tunnel") || words.contains("proxy") {
        CauseKind::Proxy
    } else if words.contains("tls handshake") {
        CauseKind::Tls
    } else {
        CauseKind::Other
    }
}

/// The error and what is under it. `io::Error` passes its own inner error over, which is often the one that counts.
fn chain(error: &reqwest::Error) -> Vec<&(dyn Error + 'static)> {
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
