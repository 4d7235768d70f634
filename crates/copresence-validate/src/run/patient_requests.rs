//! Requests that are repeated while the API does not answer.

use super::request_builder::RequestWithCurl;
use super::{ActAbort, ActResult, CheckRun, StepTokenAndFileIndexes, build_incomplete_act_abort};
use crate::act::Act;
use crate::answer::ApiAnswerCertainty;
use crate::observations::{RecordedStep, StepRole};
use std::time::Duration;
use tokio::time::Instant;

/// The maximum pause between two requests, except for a longer `Retry-After`.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(10);
/// The longest `Retry-After` that is honoured.
const MAX_RETRY_AFTER: Duration = Duration::from_mins(5);

/// A period in which the API does not answer.
pub(super) struct ApiOutage {
    patience_ends: Instant,
    /// The pause before the next request.
    pause: Duration,
}

impl CheckRun<'_> {
    /// Starts the time for which requests are repeated while the API does not answer.
    pub(super) fn start_outage_deadline(&self) -> ApiOutage {
        // `None`: the patience never ends.
        let far = Duration::from_hours(24 * 365);
        ApiOutage { patience_ends: Instant::now() + self.target.patience.min(far), pause: self.options.retry_pause }
    }

    /// Waits before a request is repeated that got no answer in this step. Returns the time waited.
    ///
    /// # Errors
    /// If the patience is over, or the run has to stop.
    pub(super) async fn wait_for_retry(&self, outage: &mut ApiOutage, step: usize) -> Result<Duration, ActAbort> {
        let step = &self.observations.steps[step];
        let left = outage.patience_ends.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let abort = || build_incomplete_act_abort("the API did not answer");
            return Err(step.error_preventing_run_continuation().map_or_else(abort, ActAbort::Fatal));
        }
        let pause = outage.pause.max(pause_from_retry_after(step)).min(left);
        outage.pause = (outage.pause * 3 / 2).min(MAX_RETRY_PAUSE.max(self.options.retry_pause));
        tokio::select! {
            () = self.stop_signal.wait_for_stop() => {}
            () = tokio::time::sleep(pause) => {}
        }
        self.ensure_not_stopped()?;
        Ok(pause)
    }

    /// Redeems a token that was not scanned until the API answers. Returns the index of the step with the answer.
    ///
    /// # Errors
    /// If the patience is over before the API answers, or the run has to stop.
    pub(super) async fn redeem_until_answered(
        &mut self,
        act: Act,
        role: StepRole,
        token: usize,
    ) -> Result<usize, ActAbort> {
        let mut outage = None;
        loop {
            let index = self.redeem_token(act, role, token).await?;
            if self.observations.steps[index].api_answer_certainty() == ApiAnswerCertainty::Api {
                return Ok(index);
            }
            // Nothing was ever answered on this route: no waiting helps.
            self.ensure_redeem_route_exists(index)?;
            let outage = outage.get_or_insert_with(|| self.start_outage_deadline());
            self.wait_for_retry(outage, index).await?;
        }
    }

    /// Fails if a redeem is answered with a missing page, and no redeem was answered otherwise.
    fn ensure_redeem_route_exists(&self, index: usize) -> ActResult {
        let step = &self.observations.steps[index];
        let answered = self.observations.steps.iter().any(|other| {
            other.exchange.call == step.exchange.call && other.api_answer_certainty() == ApiAnswerCertainty::Api
        });
        match step.error_preventing_run_continuation() {
            Some(error @ crate::run_error::RunError::NoApi(_)) if !answered => Err(ActAbort::Fatal(error)),
            _ => Ok(()),
        }
    }

    /// Sends a deliberately wrong request. If it gets no answer, waits until the API answers a valid one and repeats it
    /// once: only a failure that the wrong request itself causes happens again. Returns the index of the last step.
    ///
    /// # Errors
    /// If the API answers no more within the patience, or the run has to stop.
    pub(super) async fn send_wrong_request_retrying_once(
        &mut self,
        act: Act,
        role: StepRole,
        about: StepTokenAndFileIndexes,
        request: RequestWithCurl,
    ) -> Result<usize, ActAbort> {
        let first = self.send_and_record_request(act, role, about, request.clone()).await?;
        if self.observations.steps[first].api_answer_certainty() != ApiAnswerCertainty::NoAnswer
            || !self.wait_until_api_answers(act).await?
        {
            return Ok(first);
        }
        let second = self.send_and_record_request(act, role, about, request).await?;
        if self.observations.steps[second].api_answer_certainty() == ApiAnswerCertainty::NoAnswer
            && self.wait_until_api_answers(act).await?
        {
            self.observations.repeated_failures.insert(self.observations.steps[second].number);
        }
        Ok(second)
    }

    /// Sends valid requests until the API answers one: redeems of a token that was not scanned, or else logins. Returns
    /// false if the run has neither.
    async fn wait_until_api_answers(&mut self, act: Act) -> Result<bool, ActAbort> {
        if let Ok(token) = self.find_unscanned_token_index() {
            self.redeem_until_answered(act, StepRole::RedeemControl, token).await?;
            return Ok(true);
        }
        if self.target.credentials.login.is_none() || act != Act::Login {
            return Ok(false);
        }
        let mut outage = self.start_outage_deadline();
        loop {
            let index = self.log_in().await?;
            if self.observations.steps[index].api_answer_certainty() == ApiAnswerCertainty::Api {
                return Ok(true);
            }
            self.wait_for_retry(&mut outage, index).await?;
        }
    }
}

/// The pause that a response asks for with `Retry-After` in seconds; zero if it does not.
fn pause_from_retry_after(step: &RecordedStep) -> Duration {
    let seconds = step.response_header("retry-after").and_then(|value| value.trim().parse().ok());
    seconds.map_or(Duration::ZERO, Duration::from_secs).min(MAX_RETRY_AFTER)
}
