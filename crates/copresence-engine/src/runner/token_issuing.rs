//! Requests an Export Token, checks that its link fits a QR code, and journals it.

use super::{RequiredDiskSpace, VisitContext, failure};
use crate::qr::QrCode;
use copresence_client::CallError;
use copresence_protocol::ExportToken;
use copresence_store::crash_point::{self, CrashPoint};
use copresence_store::{StoreError, VisitId};
use copresence_visit::{TokenIssueParameters, VisitStepFailure, VisitStepFailureKind};
use jiff::Timestamp;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Pause between two attempts to journal a token that was issued.
const JOURNAL_RETRY_PAUSE: Duration = Duration::from_millis(500);

/// A token that was issued and journalled, with its link and its expiry.
pub(crate) struct IssuedToken {
    pub(crate) token: ExportToken,
    /// The link in the QR code.
    pub(crate) link: String,
    /// When the token expires, if the profile states its lifetime.
    pub(crate) expires_at: Option<Timestamp>,
    /// When it was issued.
    pub(crate) at: Timestamp,
}

/// Why no token was issued and journalled.
#[derive(Debug)]
pub(crate) struct TokenIssueError {
    pub(crate) failure: VisitStepFailure,
    /// Whether the failure is one of the login, so that no token was requested.
    pub(crate) is_of_login: bool,
}

impl TokenIssueError {
    /// Converts the error of an API call, which was a login or the request for a token.
    fn from_call_error(error: &CallError) -> Self {
        let is_of_login = matches!(error, CallError::LoginFailed(_));
        let mut failure = failure::to_visit_step_failure(error);
        if matches!(error, CallError::InvalidResponse(_)) {
            // No further request follows, which would count the tokens.
            failure.detail.push_str("; an Export Token may have been issued and billed");
        }
        Self { failure, is_of_login }
    }
}

impl From<VisitStepFailure> for TokenIssueError {
    fn from(failure: VisitStepFailure) -> Self {
        Self { failure, is_of_login: false }
    }
}

/// Issues a token. Once `leaving` is cancelled no token is requested any more; a request that was sent is awaited. A journal
/// that fails after the token was issued is tried again for as long as `patience`.
///
/// # Errors
/// Too little free space, a failed login or request, a link that fits no QR code, a journal that cannot be written, or a
/// visitor who left before the request.
pub(crate) async fn issue_and_journal_token(
    context: &VisitContext,
    id: VisitId,
    request: &TokenIssueParameters,
    space: RequiredDiskSpace<'_>,
    patience: Duration,
    leaving: &CancellationToken,
) -> Result<IssuedToken, TokenIssueError> {
    space.check_free_writable_space(context)?;
    let Some(login) = leaving.run_until_cancelled(context.api.log_in_if_needed()).await else {
        let failure = VisitStepFailure::new(VisitStepFailureKind::NeverSent, "the visitor left before the request");
        return Err(TokenIssueError { failure, is_of_login: true });
    };
    login.map_err(|error| TokenIssueError::from_call_error(&error))?;
    let token = context.api.generate_token().await.map_err(|error| TokenIssueError::from_call_error(&error))?;
    crash_point::reach_crash_point(CrashPoint::TokenReceived);
    let link = request.link.link_for_token(&token);
    if let Err(error) = QrCode::check_link_fits(&link) {
        let detail = format!("{error}; an Export Token was issued and billed, and cannot be shown");
        return Err(VisitStepFailure::new(VisitStepFailureKind::ProtocolViolation, detail).into());
    }
    let at = context.clock.wall_clock_time();
    let expires_at = request.token_lifetime.and_then(|lifetime| at.checked_add(lifetime).ok());
    let issued = IssuedToken { token, link, expires_at, at };
    match journal_issued_token_with_retries(context, id, &issued, patience).await {
        Ok(()) => Ok(issued),
        Err(error) => {
            let VisitStepFailure { kind, detail, .. } = failure::failure_of_store_error(&error);
            let detail = format!("{detail}; an Export Token was issued and billed, and could not be kept");
            Err(VisitStepFailure::new(kind, detail).into())
        }
    }
}

/// Journals an issued token. It is billed, and nothing else names it, so a failure is repeated for as long as `patience`:
/// another program, such as a backup, may have locked the journal.
async fn journal_issued_token_with_retries(
    context: &VisitContext,
    id: VisitId,
    issued: &IssuedToken,
    patience: Duration,
) -> Result<(), StoreError> {
    let began = Instant::now();
    loop {
        let IssuedToken { token, link, expires_at, at } = issued;
        match context.journal.record_issued_token(&id, token, link, *expires_at, *at).await {
            Err(error) if !is_permanently_refused_by_journal(&error) && began.elapsed() < patience => {
                tracing::warn!(%error, visit = %id, "the Export Token is not in the journal yet; it is tried again");
                tokio::time::sleep(JOURNAL_RETRY_PAUSE).await;
            }
            written => return written,
        }
    }
}

/// Whether the journal refuses a step whenever it is repeated.
fn is_permanently_refused_by_journal(error: &StoreError) -> bool {
    matches!(error, StoreError::StepRefused { .. } | StoreError::UnknownVisit { .. })
}
