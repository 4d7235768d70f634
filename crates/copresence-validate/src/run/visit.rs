//! The acts with an avatar, from the scan to the last file.

use super::patient_requests::ApiOutage;
use super::request_builder::{CredentialMode, RequestBuilder, token_curl_variable};
use super::{ActAbort, ActResult, CheckRun, StepTokenAndFileIndexes, build_incomplete_act_abort};
use crate::act::{Act, ActOutcome};
use crate::answer::ApiAnswerCertainty;
use crate::file_content::{INSPECTION_TIME_LIMIT, inspect_file};
use crate::observations::{DeliveredFileInspection, FileDigest, RecordedStep, StepRole};
use crate::phone_driver::{InvitationDisplay, InvitationEndWithoutAvatar, PhoneDriver, ScanInvitation};
use bytes::Bytes;
use copresence_client::probe::ProbeResponse;
use copresence_client::{CallError, ExchangeOutcome};
use copresence_protocol::{DownloadUrl, ExportToken};
use futures_util::future::join_all;
use http::{Method, header};
use std::time::Duration;
use url::Url;

/// Interval between two polls of a person's avatar.
const POLL_INTERVAL: Duration = Duration::from_secs(2);
/// Interval between two polls of a sandbox's avatar, in the sandbox's time. Shorter than a position lasts in its queue.
const SANDBOX_POLL_INTERVAL: Duration = Duration::from_millis(900);
/// Lifetime of the URLs of a sandbox with a fast clock, in real time.
const SANDBOX_URL_LIFETIME: Duration = Duration::from_mins(2);
/// Maximum number of files of a delivery that are downloaded and inspected; the others are not requested.
const MAX_INSPECTED_FILES: usize = 200;
/// Number of concurrent redeems in the race act.
const CONCURRENT_REDEEMS: usize = 4;
/// Maximum number of redirects of a download.
const MAX_REDIRECTS: usize = 5;
/// Maximum size of a file server's error that is kept, in bytes.
const MAX_ERROR_BODY: usize = 16 * 1024;
/// Number of consecutive refusals of a token (status 400) that prove that it is not active any more.
const REFUSALS_AS_PROOF: usize = 2;

/// Why polling an avatar ended.
#[derive(Debug, PartialEq, Eq)]
enum PollingOutcome {
    Delivered,
    AvatarFailed,
    /// The token is no longer active, although the API answered every redeem before.
    TokenRefused,
    /// The token is no longer active after a redeem without an answer, which may have delivered the URLs.
    PossiblyDelivered,
    /// The API refuses the credentials.
    CredentialsRefused,
    TimedOut,
    NoPhone,
}

impl CheckRun<'_> {
    /// Polls one avatar until its URLs are delivered. Then redeems the spent token twice if wrong requests are allowed.
    pub(super) async fn run_avatar_delivery_act(&mut self) -> ActResult {
        let token = self.find_unscanned_token_index()?;
        self.request_or_simulate_scan(token, "the avatar whose status and files are checked", None).await?;
        let watched = self.poll_until_delivered(Act::Visit, StepRole::Poll, token, 1).await;
        self.remove_scan_invitation();
        match watched? {
            PollingOutcome::Delivered => {
                for _ in 0..if self.options.allow_wrong_requests { 2 } else { 0 } {
                    let request = self.build_valid_redeem_request(token)?;
                    let about = StepTokenAndFileIndexes::build_step_indexes_for_token(token);
                    self.send_wrong_request_retrying_once(Act::Visit, StepRole::RedeemSpent, about, request).await?;
                }
                Ok(())
            }
            PollingOutcome::NoPhone => Err(build_incomplete_act_abort("no phone is available")),
            PollingOutcome::AvatarFailed => Err(build_incomplete_act_abort("the avatar failed")),
            PollingOutcome::TokenRefused => {
                Err(build_incomplete_act_abort("the token was refused before its URLs were delivered"))
            }
            PollingOutcome::PossiblyDelivered => Err(build_incomplete_act_abort(
                "the token was refused after a redeem without an answer, which may have delivered the URLs",
            )),
            PollingOutcome::CredentialsRefused => {
                Err(build_incomplete_act_abort("the credentials were refused while the avatar was made"))
            }
            PollingOutcome::TimedOut => {
                if let Some(tester) = self.phone.sandbox_control() {
                    let row = tester
                        .fetch_token_record(&self.export_tokens[token])
                        .await
                        .map_err(build_incomplete_act_abort)?;
                    self.observations.is_avatar_ready =
                        row.get("state").and_then(|state| state.as_str()) == Some("ready");
                }
                Err(build_incomplete_act_abort("the avatar was not ready within the time limit"))
            }
        }
    }

    /// Downloads and inspects each file of the visit act. Downloads it again if wrong requests are allowed.
    pub(super) async fn run_download_act(&mut self) -> ActResult {
        let urls = self.observations.delivery_step().map(RecordedStep::delivered_urls_and_types).unwrap_or_default();
        for (index, (url, export_type)) in urls.iter().enumerate() {
            let mut file = DeliveredFileInspection { export_type: export_type.clone(), digest: None, content: None };
            if let Some(url) = parse_download_url(url).filter(|_| index < MAX_INSPECTED_FILES) {
                let step = self.download_until_answered(Act::Files, StepRole::Download, &url, index).await?;
                let reply = self.observations.steps[step].reply.as_mut();
                if let Some(reply) = reply.filter(|reply| (200..300).contains(&reply.status)) {
                    // Files show a person's face: they are dropped once they were inspected.
                    let first_byte = truncate_body_to_first_byte(&reply.body);
                    let body = std::mem::replace(&mut reply.body, first_byte);
                    let digested = body.clone();
                    let digest = tokio::task::spawn_blocking(move || FileDigest::compute_digest(&digested));
                    file.digest = digest.await.ok();
                    let inspected_type = export_type.clone();
                    let stopping = self.stop_signal.wait_for_stop();
                    let inspect = move || inspect_file(&inspected_type, &body);
                    file.content =
                        self.inspections.inspect_until_limit_or_stop(INSPECTION_TIME_LIMIT, stopping, inspect).await;
                    self.ensure_not_stopped()?;
                    if self.options.allow_wrong_requests {
                        self.download_until_answered(Act::Files, StepRole::DownloadAgain, &url, index).await?;
                    }
                }
            }
            self.observations.files.push(file);
        }
        if urls.is_empty() {
            return Err(build_incomplete_act_abort("the delivery contained no valid URL"));
        }
        Ok(())
    }

    /// Redeems one avatar with concurrent requests, and keeps the delivered URLs unused.
    pub(super) async fn run_concurrent_redeems_act(&mut self) -> ActResult {
        let token = self.find_unscanned_token_index()?;
        self.request_or_simulate_scan(
            token,
            "an avatar that may be lost: it is redeemed with several concurrent requests",
            None,
        )
        .await?;
        if let Some(tester) = self.phone.sandbox_control() {
            tester
                .force_token_state(&self.export_tokens[token], "complete")
                .await
                .map_err(build_incomplete_act_abort)?;
        }
        let watched = self.poll_until_delivered(Act::Race, StepRole::ConcurrentRedeem, token, CONCURRENT_REDEEMS).await;
        self.remove_scan_invitation();
        let delivered = self
            .observations
            .steps_with_role(StepRole::ConcurrentRedeem)
            .find(|step| step.is_token_spending_response());
        let urls = delivered.map(RecordedStep::delivered_urls_and_types).unwrap_or_default();
        self.unused_urls =
            urls.iter().take(MAX_INSPECTED_FILES).filter_map(|(url, _)| parse_download_url(url)).collect();
        match watched? {
            PollingOutcome::Delivered => Ok(()),
            _ => Err(build_incomplete_act_abort("no URLs were delivered")),
        }
    }

    /// Waits until the unused URLs must have expired, then downloads them.
    pub(super) async fn run_url_expiry_act(&mut self) -> ActResult {
        let life = self.options.url_lifetime;
        match self.phone {
            PhoneDriver::Sandbox(tester) => {
                // The sandbox gives its URLs a minimum lifetime in real time, also with a fast clock.
                let speed = tester.fetch_clock_speed().await.map_err(build_incomplete_act_abort)?;
                let real = Duration::try_from_secs_f64(SANDBOX_URL_LIFETIME.as_secs_f64() * speed).unwrap_or(life);
                tester.advance_clock(life.max(real)).await.map_err(build_incomplete_act_abort)?;
            }
            PhoneDriver::Person(person) => {
                self.emit_message(format!(
                    "Waiting {} min for the download URLs to expire.",
                    life.as_secs().div_ceil(60)
                ));
                if let Some(end) = self.wait_unless_invitation_ended_or_stopped(person.as_ref(), life).await {
                    return Err(ended_invitation_abort(end));
                }
            }
            PhoneDriver::Unavailable => {}
        }
        for (index, url) in self.unused_urls.clone().into_iter().enumerate() {
            self.download_until_answered(Act::UrlsEnd, StepRole::LateDownload, &url, index).await?;
        }
        Ok(())
    }

    /// Polls an avatar that fails, then redeems its token again.
    pub(super) async fn run_failed_avatar_act(&mut self) -> ActResult {
        let token = self.generate_token_for_act(Act::Failure).await?;
        self.request_or_simulate_scan(token, "an avatar that fails", Some("fails")).await?;
        match self.poll_until_delivered(Act::Failure, StepRole::PollFailing, token, 1).await? {
            PollingOutcome::AvatarFailed => {
                self.redeem_token(Act::Failure, StepRole::RedeemAfterFailure, token).await?;
                Ok(())
            }
            _ => Err(build_incomplete_act_abort("the avatar was not reported as failed")),
        }
    }

    /// Index of a token that was not scanned yet, as far as its last response says.
    ///
    /// # Errors
    /// [`ActAbort::Outcome`] if there is none.
    pub(super) fn find_unscanned_token_index(&self) -> Result<usize, ActAbort> {
        let found = (0..self.export_tokens.len()).find(|index| {
            let about = Some(index + 1);
            let last = self.observations.steps.iter().rev().find(|step| {
                step.token_number == about
                    && matches!(
                        step.role,
                        StepRole::RedeemFresh
                            | StepRole::RedeemAfterRefusals
                            | StepRole::RedeemCrossOrigin
                            | StepRole::Poll
                            | StepRole::RedeemSpent
                    )
            });
            // Never redeemed, or not scanned at the last redeem. A polled token belongs to another act.
            let was_polled =
                self.observations.steps.iter().any(|step| step.token_number == about && step.role == StepRole::Poll);
            !was_polled && last.is_none_or(|step| step.response_status() == Some(200))
        });
        found.ok_or_else(|| build_incomplete_act_abort("every token of this run was scanned already"))
    }

    /// Asks for the scan of a token: shows the link to a person, or lets the sandbox associate an avatar.
    pub(super) async fn request_or_simulate_scan(
        &self,
        token: usize,
        purpose: &'static str,
        scenario: Option<&str>,
    ) -> ActResult {
        let value = &self.export_tokens[token];
        match self.phone {
            PhoneDriver::Sandbox(tester) => {
                tester.associate_avatar(value, scenario).await.map_err(build_incomplete_act_abort)
            }
            PhoneDriver::Person(person) => {
                let token = ExportToken::new(value)
                    .map_err(|_| build_incomplete_act_abort("the token is not valid in a link"))?;
                let link = self.target.link_template.link_for_token(&token);
                person.show_invitation(&ScanInvitation { link, purpose, timeout: self.options.avatar_timeout });
                Ok(())
            }
            PhoneDriver::Unavailable => Err(build_incomplete_act_abort("no phone is available")),
        }
    }

    /// Ends the invitation that asks a person to scan the QR code.
    fn remove_scan_invitation(&self) {
        if let PhoneDriver::Person(person) = self.phone {
            person.end_invitation();
        }
    }

    /// Waits. Returns why the invitation ended meanwhile, if it did or the run was stopped.
    async fn wait_unless_invitation_ended_or_stopped(
        &self,
        person: &dyn InvitationDisplay,
        time: Duration,
    ) -> Option<InvitationEndWithoutAvatar> {
        tokio::select! {
            end = person.wait_for_end_without_avatar() => Some(end),
            () = self.stop_signal.wait_for_stop() => Some(InvitationEndWithoutAvatar::Skipped),
            () = person.sleep_real_time(time) => None,
        }
    }

    /// Redeems the token repeatedly until its URLs are delivered or polling ends for another reason. Each poll
    /// sends `at_once` concurrent redeems.
    async fn poll_until_delivered(
        &mut self,
        act: Act,
        role: StepRole,
        token: usize,
        at_once: usize,
    ) -> Result<PollingOutcome, ActAbort> {
        let interval = if self.phone.sandbox_control().is_some() { SANDBOX_POLL_INTERVAL } else { POLL_INTERVAL };
        let (mut waited, mut refusals) = (Duration::ZERO, 0);
        let mut outage: Option<ApiOutage> = None;
        loop {
            let indices = self.redeem_concurrently(act, role, token, at_once).await?;
            let steps = || indices.iter().map(|index| &self.observations.steps[*index]);
            if steps().any(RecordedStep::is_token_spending_response) {
                return Ok(PollingOutcome::Delivered);
            }
            if steps().any(|step| step.read_completion_status_field().as_deref() == Some("failed"))
                && role == StepRole::PollFailing
            {
                return Ok(PollingOutcome::AvatarFailed);
            }
            if steps().any(RecordedStep::is_credential_refusal) {
                return Ok(PollingOutcome::CredentialsRefused);
            }
            let is_refusal = |step: &RecordedStep| {
                step.api_answer_certainty() == ApiAnswerCertainty::Api && step.response_status() == Some(400)
            };
            refusals = if steps().any(is_refusal) { refusals + 1 } else { 0 };
            if refusals >= REFUSALS_AS_PROOF {
                let is_doubtful = steps().any(|step| self.observations.may_token_be_spent_before_step(step));
                return Ok(if is_doubtful { PollingOutcome::PossiblyDelivered } else { PollingOutcome::TokenRefused });
            }
            // An unexpected status is an answer: the avatar may be ready later.
            if steps().all(|step| step.api_answer_certainty() != ApiAnswerCertainty::Api) {
                let outage = outage.get_or_insert_with(|| self.start_outage_deadline());
                waited += self.wait_for_retry(outage, indices[0]).await?;
                continue;
            }
            outage = None;
            if waited >= self.options.avatar_timeout {
                return Ok(PollingOutcome::TimedOut);
            }
            if let (PhoneDriver::Person(person), Some(status)) =
                (self.phone, steps().find_map(RecordedStep::read_completion_status_field))
            {
                person.show_avatar_status(&status);
            }
            waited += interval;
            match self.phone {
                PhoneDriver::Sandbox(tester) => {
                    tester.advance_clock(interval).await.map_err(build_incomplete_act_abort)?;
                }
                PhoneDriver::Person(person) => {
                    if let Some(end) = self.wait_unless_invitation_ended_or_stopped(person.as_ref(), interval).await {
                        return Err(ended_invitation_abort(end));
                    }
                }
                PhoneDriver::Unavailable => return Ok(PollingOutcome::NoPhone),
            }
        }
    }

    /// Sends `count` redeems at the same time. Returns the indices of the steps.
    async fn redeem_concurrently(
        &mut self,
        act: Act,
        role: StepRole,
        token: usize,
        count: usize,
    ) -> Result<Vec<usize>, ActAbort> {
        self.ensure_not_stopped()?;
        let value = self.export_tokens[token].clone();
        let wire = self.request_builder();
        let mut requests = Vec::new();
        for _ in 0..count {
            let token = Some((value.as_str(), Some(token_curl_variable(token))));
            requests.push(wire.build_redeem_request(token, CredentialMode::Valid, Method::GET, None)?);
        }
        let (probes, curls): (Vec<_>, Vec<_>) =
            requests.into_iter().map(|request| (request.probe, request.curl)).unzip();
        let results = join_all(probes.into_iter().map(|probe| self.prober.send_probe(probe))).await;
        let mut indices = Vec::new();
        for (result, curl) in results.into_iter().zip(curls) {
            let index = self.record_exchange_as_step(
                act,
                role,
                StepTokenAndFileIndexes::build_step_indexes_for_token(token),
                curl,
                result?,
            );
            let urls = self.observations.steps[index].delivered_urls_and_types();
            self.prober.add_secrets_to_mask(urls.iter().take(MAX_INSPECTED_FILES).map(|(url, _)| url.as_str()));
            indices.push(index);
        }
        Ok(indices)
    }

    /// Downloads a file, and repeats the request while it cannot be sent or is answered by something other than the
    /// API. A response that is lost or truncated after the request was sent is not repeated.
    async fn download_until_answered(
        &mut self,
        act: Act,
        role: StepRole,
        url: &Url,
        number: usize,
    ) -> Result<usize, ActAbort> {
        let mut outage = None;
        loop {
            let index = self.download_file(act, role, url, number).await?;
            let step = &self.observations.steps[index];
            let is_unsent = step.exchange.outcome == ExchangeOutcome::NeverSent;
            if !is_unsent && (step.reply.is_none() || step.api_answer_certainty() == ApiAnswerCertainty::Api) {
                return Ok(index);
            }
            let outage = outage.get_or_insert_with(|| self.start_outage_deadline());
            let waited = self.wait_for_retry(outage, index).await;
            if waited.is_ok() || role != StepRole::Download {
                self.observations.steps[index].role = StepRole::DownloadWithoutAnswer;
            }
            match waited {
                Ok(_) => {}
                // It is not the API's server, so the run continues.
                Err(ActAbort::Fatal(_)) => return Ok(index),
                Err(other) => return Err(other),
            }
        }
    }

    /// Downloads a file and follows redirects. Records the last exchange as a step, and returns its index.
    async fn download_file(&mut self, act: Act, role: StepRole, url: &Url, number: usize) -> Result<usize, ActAbort> {
        let mut at = url.clone();
        let about = StepTokenAndFileIndexes { token_index: None, file_index: Some(number) };
        for _ in 0..=MAX_REDIRECTS {
            self.ensure_not_stopped()?;
            let mut probed =
                self.prober.send_probe(RequestBuilder::build_download_request(&at, number + 1).probe).await?;
            drop_body_that_is_not_inspected(role, &mut probed.response);
            let next = probed
                .response
                .as_ref()
                .ok()
                .filter(|reply| (300..400).contains(&reply.status))
                .and_then(|reply| at.join(reply.headers.get(header::LOCATION)?.to_str().ok()?).ok());
            // Redirects from https to http are not followed.
            let next = next.filter(|next| next.scheme() == "https" || at.scheme() == "http");
            let Some(next) = next else {
                let curl = RequestBuilder::build_download_request(url, number + 1).curl;
                return Ok(self.record_exchange_as_step(act, role, about, curl, probed));
            };
            at = next;
        }
        Err(build_incomplete_act_abort("a download was redirected more than five times"))
    }
}

/// The abort of an act whose invitation ended without an avatar.
fn ended_invitation_abort(end: InvitationEndWithoutAvatar) -> ActAbort {
    match end {
        InvitationEndWithoutAvatar::Skipped => ActAbort::Outcome(ActOutcome::Skipped("left out by hand".to_owned())),
        InvitationEndWithoutAvatar::PhoneFailed(why) => build_incomplete_act_abort(why),
    }
}

/// Drops the body of a file server's response, unless it is the file that is inspected next: a file may be large, and
/// all steps of a run are in memory. The start of an error is kept.
fn drop_body_that_is_not_inspected(role: StepRole, response: &mut Result<ProbeResponse, CallError>) {
    match response {
        Ok(reply) if !(200..300).contains(&reply.status) => {
            reply.body = Bytes::copy_from_slice(&reply.body[..reply.body.len().min(MAX_ERROR_BODY)]);
        }
        Ok(_) if role == StepRole::Download => {}
        Ok(reply) => reply.body = truncate_body_to_first_byte(&reply.body),
        Err(CallError::ResponseLost(lost)) => lost.body = truncate_body_to_first_byte(&lost.body),
        Err(_) => {}
    }
}

/// Keeps the first byte of the body only. It shows that the body was not empty.
fn truncate_body_to_first_byte(body: &Bytes) -> Bytes {
    Bytes::copy_from_slice(&body[..body.len().min(1)])
}

/// Parses a download URL; `None` unless it is an absolute http(s) URL.
fn parse_download_url(url: &str) -> Option<Url> {
    DownloadUrl::new(url)?;
    Url::parse(url).ok()
}
