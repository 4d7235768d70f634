//! Whether a response is an answer of the API, and what ends a run that gets none.
//!
//! A verdict needs an answer. A missing response, a server error (5xx) or a rate limit (429) is none. A page, a missing
//! endpoint or a redirect may come from the API or from something in between, such as a proxy, a firewall or a captive
//! portal. It counts as the answer to a deliberately wrong request only if the API answered the right requests around
//! it.

use crate::observations::{Observations, RecordedStep};
use crate::run_error::RunError;
use copresence_client::{CallKind, ErrorClass, ErrorResponse, ExchangeOutcome};
use url::Url;

/// How certain it is that a response is an answer of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ApiAnswerCertainty {
    /// The API.
    Api,
    /// The API, or something in between: a page, a missing endpoint, a redirect.
    Ambiguous,
    /// There is no response, or it is a server error (5xx) or a rate limit (429).
    NoAnswer,
}

impl RecordedStep {
    /// The response as the client classifies it. `None` for a success of the API, and without a response.
    pub(crate) fn classify_error_response(&self) -> Option<ErrorResponse> {
        let url = Url::parse(&self.exchange.url).ok()?;
        self.reply.as_ref()?.find_error_in_response(self.exchange.call, &url)
    }

    /// Where the response comes from, as far as the response alone shows it.
    pub(crate) fn api_answer_certainty(&self) -> ApiAnswerCertainty {
        let Some(reply) = &self.reply else { return ApiAnswerCertainty::NoAnswer };
        // File servers also refuse with pages of HTML and XML.
        if self.exchange.call == CallKind::Download {
            let is_answer = reply.status < 500 && !matches!(reply.status, 407 | 429);
            return if is_answer { ApiAnswerCertainty::Api } else { ApiAnswerCertainty::NoAnswer };
        }
        match self.classify_error_response().map(|error| (error.status, error.class)) {
            None => ApiAnswerCertainty::Api,
            Some((500.., _) | (_, ErrorClass::ServerError | ErrorClass::RateLimited)) => ApiAnswerCertainty::NoAnswer,
            Some((_, ErrorClass::Gate(gate))) if gate.proves_not_forwarded() => ApiAnswerCertainty::NoAnswer,
            Some((_, ErrorClass::Gate(_) | ErrorClass::NoApi | ErrorClass::Redirect { .. })) => {
                ApiAnswerCertainty::Ambiguous
            }
            Some((_, ErrorClass::CredentialsRejected | ErrorClass::TokenInactive | ErrorClass::UnexpectedStatus)) => {
                ApiAnswerCertainty::Api
            }
        }
    }

    /// Whether the response may be a delivery that did not arrive: the request was sent, and the API's answer is missing.
    pub(crate) fn may_be_lost_delivery(&self) -> bool {
        self.exchange.call == CallKind::Redeem
            && self.exchange.outcome != ExchangeOutcome::NeverSent
            && self.api_answer_certainty() != ApiAnswerCertainty::Api
    }

    /// Whether the response says that the credentials were refused.
    pub(crate) fn is_credential_refusal(&self) -> bool {
        self.classify_error_response().is_some_and(|error| error.class == ErrorClass::CredentialsRejected)
    }

    /// Why a run cannot continue after this response to a request with valid credentials; `None` if the API answered.
    pub(crate) fn error_preventing_run_continuation(&self) -> Option<RunError> {
        let request = format!("{} {}", self.exchange.method, self.exchange.url);
        let Some(error) = self.classify_error_response() else {
            let why = self.exchange.error.clone().unwrap_or_else(|| "no response was received".to_owned());
            return self.reply.is_none().then(|| RunError::Unreachable(format!("{request}: {why}")));
        };
        let reason = format!("{request}: {error}");
        match &error.class {
            ErrorClass::CredentialsRejected => Some(RunError::CredentialsRefused(reason)),
            ErrorClass::RateLimited => Some(RunError::Busy(reason)),
            ErrorClass::ServerError => Some(RunError::Failing(reason)),
            // The page of a gateway or web server whose backend failed means what a 5xx means.
            ErrorClass::Gate(gate) if error.status >= 500 && !gate.proves_not_forwarded() => {
                Some(RunError::Failing(reason))
            }
            ErrorClass::Gate(_) => Some(RunError::Gate(reason)),
            ErrorClass::NoApi | ErrorClass::Redirect { .. } => Some(RunError::NoApi(reason)),
            ErrorClass::TokenInactive | ErrorClass::UnexpectedStatus => None,
        }
    }
}

impl Observations {
    /// Whether the response of a step is an answer of the API, from which a check may conclude something.
    pub(crate) fn is_certain_api_answer(&self, step: &RecordedStep) -> bool {
        match step.api_answer_certainty() {
            ApiAnswerCertainty::Api => true,
            ApiAnswerCertainty::Ambiguous => step.role.is_deliberately_wrong() && self.did_api_answer_around_step(step),
            ApiAnswerCertainty::NoAnswer => false,
        }
    }

    /// Whether the API answered the last valid request before a step, and the first one after it if there is one.
    pub(crate) fn did_api_answer_around_step(&self, step: &RecordedStep) -> bool {
        let is_valid_call =
            |other: &&RecordedStep| !other.role.is_deliberately_wrong() && other.exchange.call != CallKind::Download;
        let index = step.number.saturating_sub(1).min(self.steps.len());
        let (before, after) = self.steps.split_at(index);
        let is_api = |other: &RecordedStep| other.api_answer_certainty() == ApiAnswerCertainty::Api;
        before.iter().rev().find(is_valid_call).is_some_and(is_api)
            && after.iter().find(is_valid_call).is_none_or(is_api)
    }

    /// Whether the API answered any valid request.
    pub(crate) fn has_api_answered_any_valid_request(&self) -> bool {
        let mut valid = self.steps.iter().filter(|step| !step.role.is_deliberately_wrong());
        valid.any(|step| {
            step.exchange.call != CallKind::Download && step.api_answer_certainty() == ApiAnswerCertainty::Api
        })
    }

    /// Whether the response to a wrong request differs from those to valid requests of the same kind. If the valid ones
    /// fail alike, a failure shows nothing. Also true if the run sent no valid one.
    pub(crate) fn has_status_unlike_valid_responses(&self, step: &RecordedStep) -> bool {
        let mut valid = self
            .steps
            .iter()
            .filter(|other| other.exchange.call == step.exchange.call && !other.role.is_deliberately_wrong())
            .peekable();
        valid.peek().is_none()
            || valid.any(|other| other.has_success_status() || other.response_status() != step.response_status())
    }

    /// Whether a step is a server error (5xx) that its request causes: the API answered valid requests between two of
    /// them.
    pub(crate) fn is_reproducible_server_error(&self, step: &RecordedStep) -> bool {
        self.repeated_failures.contains(&step.number) && step.response_status().is_some_and(|status| status >= 500)
    }

    /// Whether an earlier redeem of the same token may have delivered URLs in a response that did not arrive.
    pub(crate) fn may_token_be_spent_before_step(&self, step: &RecordedStep) -> bool {
        let mut earlier = self.steps.iter().take_while(|other| other.number < step.number);
        earlier.any(|other| other.token_number == step.token_number && other.may_be_lost_delivery())
    }
}
