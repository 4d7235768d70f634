//! Why a download could not be opened or was interrupted.

use crate::error::InvalidResponse;
use crate::file_server_error::FileServerError;
use crate::transport_error::{LostResponse, RequestNotSentError, ResponseLossKind};
use copresence_protocol::DownloadUrl;
use std::fmt;
use std::time::Duration;

/// A download that could not be opened or was interrupted. Its text names the host of the file server.
#[derive(Debug, Clone)]
pub struct DownloadError {
    /// Host of the file server that was called last, with the port if it is not the default one of the scheme.
    pub host: Box<str>,
    /// What happened.
    pub kind: DownloadErrorKind,
    /// Why the URL itself is probably wrong, and who can repair it.
    pub hint: Option<Box<str>>,
    /// The URLs that the request was redirected to, in order. The redirects may have spent the one-time URL, and the file may
    /// still be available at one of them: the last one may be the page of a network login. Empty for the stream of an opened
    /// download ([`crate::OpenedDownload::redirect_targets`]).
    pub redirect_targets: Box<[DownloadUrl]>,
    /// Whether the URL has a user name or a password. Downloads send neither, so a 401 or 403 is no refusal of the URL
    /// that the backend sent.
    pub has_unsent_credentials: bool,
}

impl DownloadError {
    /// The error of one response, without what only the whole call knows.
    pub(crate) fn from_single_response(host: String, kind: DownloadErrorKind) -> Self {
        Self { host: host.into(), kind, hint: None, redirect_targets: Box::default(), has_unsent_credentials: false }
    }

    /// Whether the file server refuses the URL: a status that says so, from the host of the URL itself, without
    /// `Retry-After` and without a reason that is temporary. One such response does not prove it: see
    /// [`Self::is_refusal_final`].
    pub fn is_refusal_of_url(&self) -> bool {
        match &self.kind {
            DownloadErrorKind::ErrorStatus { status, after_redirect, reason, retry_after } => {
                matches!(status, 400 | 401 | 403 | 404 | 410 | 451)
                    && !(self.has_unsent_credentials && matches!(status, 401 | 403))
                    && !after_redirect
                    && retry_after.is_none()
                    && !reason.as_ref().is_some_and(|reason| reason.cause.is_temporary())
            }
            _ => false,
        }
    }

    /// Whether the response states that the URL never works again ([`FileServerError::is_final`]). Any other refusal may be over in
    /// some seconds: something in between may have sent it, or the file is not there yet.
    pub fn is_refusal_final(&self) -> bool {
        match &self.kind {
            DownloadErrorKind::ErrorStatus { reason: Some(reason), .. } => reason.is_final(),
            _ => false,
        }
    }

    /// Whether all bytes of the response may have been received, although it had no certain end.
    pub fn may_be_whole_response(&self) -> bool {
        matches!(self.kind, DownloadErrorKind::Interrupted { may_be_whole: true, .. })
    }

    /// Whether the one-time URL may be spent: after any error, unless the URL was never requested.
    pub fn may_have_spent_url(&self) -> bool {
        !matches!(
            self.kind,
            DownloadErrorKind::NeverSent(_) | DownloadErrorKind::TargetNotAllowed { after_redirect: false, .. }
        )
    }
}

impl fmt::Display for DownloadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = &self.host;
        match &self.kind {
            DownloadErrorKind::NeverSent(cause) => write!(f, "no connection to the file server {host}: {cause}")?,
            DownloadErrorKind::ResponseLost(lost) => {
                write!(f, "the file server {host} was asked, but its response was lost: {lost}")?;
            }
            DownloadErrorKind::ErrorStatus { status, reason, .. } => {
                write!(f, "the file server {host} answered with status {status}")?;
                if let Some(reason) = reason {
                    write!(f, " ({reason})")?;
                    if let Some(remedy) = reason.cause.explanation_and_remedy() {
                        write!(f, ": {remedy}")?;
                    }
                }
            }
            DownloadErrorKind::RangeNotSatisfiable { .. } => {
                write!(f, "the file server {host} has no bytes from the requested offset on (status 416)")?;
            }
            DownloadErrorKind::RedirectNotFollowed { why, .. } => {
                write!(f, "the file server {host} redirected the download, and the redirect was not followed: {why}")?;
            }
            DownloadErrorKind::TargetNotAllowed { after_redirect: false, why, .. } => {
                write!(f, "the backend sent a file URL at {host}, which was not requested: {why}")?;
            }
            DownloadErrorKind::TargetNotAllowed { after_redirect: true, why, .. } => {
                write!(f, "the backend's file URL redirected to {host}, which was not requested: {why}")?;
            }
            DownloadErrorKind::InvalidResponse(invalid) => {
                write!(f, "invalid response of the file server {host}: {invalid}")?;
            }
            DownloadErrorKind::Interrupted { received, expected, detail, .. } => {
                write!(f, "the download from {host} was interrupted after {received} bytes")?;
                if let Some(expected) = expected {
                    write!(f, " of {expected}")?;
                }
                write!(f, ": {detail}")?;
            }
        }
        match &self.hint {
            Some(hint) => write!(f, ". {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for DownloadError {}

/// The kinds of [`DownloadError`].
#[derive(Debug, Clone)]
pub enum DownloadErrorKind {
    /// No byte of the request was sent, so the URL is unused.
    NeverSent(RequestNotSentError),
    /// The request was sent, and no response headers were received. The URL may be spent.
    ResponseLost(LostResponse),
    /// The server responded with a status other than 200, 203 and 206.
    ErrorStatus {
        /// The status.
        status: u16,
        /// `Retry-After`, from the time of the response.
        retry_after: Option<Duration>,
        /// Whether the response came from the target of a redirect, so that it says nothing about the URL itself.
        after_redirect: bool,
        /// The reason that the body of the response states.
        reason: Option<Box<FileServerError>>,
    },
    /// The file has no bytes from the requested offset on (416), so the saved part may be the whole file.
    RangeNotSatisfiable {
        /// Size of the whole file in bytes, if the server states it.
        total: Option<u64>,
    },
    /// A redirect that is not followed.
    RedirectNotFollowed {
        /// The status of the redirect.
        status: u16,
        /// Why it was not followed. Contains at most the origin of a URL.
        why: String,
    },
    /// The URL, or the target of a redirect, is one that this backend must not send, so it was not requested. See
    /// [`crate::DownloadUrlRuleExceptions`].
    TargetNotAllowed {
        /// Whether a redirect led to it, so that the URL itself may be spent.
        after_redirect: bool,
        /// Whether the same URL may be allowed some seconds later: a network that asks for a login redirects every request,
        /// and answers for every host name.
        may_be_allowed_later: bool,
        /// Why it is not allowed, and what to do. Contains at most an address.
        why: String,
    },
    /// The response is not valid HTTP or not the requested range. [`InvalidResponse::body`] is empty.
    InvalidResponse(Box<InvalidResponse>),
    /// The stream ended before the end of the file.
    Interrupted {
        /// Number of bytes received, counted from the start of the file (including
        /// [`crate::OpenedDownload::offset`]).
        received: u64,
        /// Size of the whole file in bytes, if known.
        expected: Option<u64>,
        /// Whether the connection was lost or timed out.
        loss: ResponseLossKind,
        /// Whether these bytes may be the whole file: its response stated no length, and TLS ended without its closing alert
        /// (`close_notify`), which many servers do not send.
        may_be_whole: bool,
        /// The network error, for an operator. Contains no secret.
        detail: String,
    },
}
