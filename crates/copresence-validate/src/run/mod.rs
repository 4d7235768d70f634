//! A run: executes the acts of the plan in order, and judges each check as soon as its acts have ended.

mod access;
mod patient_requests;
mod redeem;
mod relay;
mod request_builder;
mod visit;

use crate::act::{Act, ActOutcome};
use crate::check::{Check, CheckResult};
use crate::check_judge::CheckResultsSoFar;
use crate::file_content::TimeLimitedInspections;
use crate::observations::{Observations, RecordedStep, SecretForbiddenInResponses, StepRole};
use crate::phone_driver::{PhoneDriver, StopSignal};
use crate::run_error::{NOT_JUDGED_MESSAGE, RunError, STOPPED_MESSAGE};
use crate::run_plan::RunPlanWithCosts;
use crate::target::{CheckTarget, RunLimits};
use copresence_client::SetupError;
use copresence_client::probe::Prober;
use copresence_protocol::{ApiKey, PartnerKey, Password, SessionToken};
use futures_util::future::BoxFuture;
use request_builder::{RequestBuilder, RequestWithCurl};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Event of a run in progress.
#[derive(Debug)]
pub enum RunEvent<'a> {
    /// An act starts.
    ActStarted(Act),
    /// A request has ended, with or without a response.
    StepFinished(&'a RecordedStep),
    /// A check was judged.
    CheckJudged(&'a Check, &'a CheckResult),
    /// The run cannot continue. Checks that it did not judge are inconclusive.
    RunFailed(&'a RunError),
    /// Number of Export Tokens generated so far.
    TokensMade(u32),
    /// A message for people.
    Message(String),
}

/// How long the act in progress may continue after the run was stopped: the response that it waits for may be the one
/// that spends a token.
const STOP_GRACE_PERIOD: Duration = Duration::from_secs(10);

/// Result of a run.
pub struct RunResult {
    /// Everything that the run observed.
    pub observations: Observations,
    /// The result of each check, in the order of [`crate::checks::CHECKS`].
    pub check_results: Vec<(&'static Check, CheckResult)>,
    /// Why the run ended early, if it did.
    pub error: Option<RunError>,
    /// Number of Export Tokens that were generated.
    pub tokens_made: u32,
    /// Number of avatars that were consumed, which is the number of deliveries.
    pub avatars_consumed: u32,
    /// Masks every secret of the run.
    pub redactor: copresence_client::Redactor,
}

impl RunResult {
    /// Every exchange as a redacted HTTP Archive.
    pub fn to_har(&self) -> serde_json::Value {
        copresence_client::har::har_from_exchanges(self.observations.steps.iter().map(|step| &step.exchange))
    }
}

/// A run of the checks.
pub struct CheckRun<'a> {
    target: &'a CheckTarget,
    options: &'a RunLimits,
    phone: &'a PhoneDriver,
    plan: &'a RunPlanWithCosts,
    on_event: &'a (dyn Fn(RunEvent<'_>) + Send + Sync),
    prober: Prober,
    observations: Observations,
    /// The Export Tokens that the backend generated for the run, in order.
    export_tokens: Vec<String>,
    tokens_made: u32,
    session_token: Option<SessionToken>,
    error: Option<RunError>,
    /// Download URLs of the race act, which does not use them.
    unused_urls: Vec<Url>,
    inspections: TimeLimitedInspections,
    check_judge: CheckResultsSoFar,
    /// Set when the run has to stop. No request starts afterwards.
    stop_signal: Arc<StopSignal>,
}

/// Why an act ends early.
enum ActAbort {
    /// The act ends with this outcome; the run continues.
    Outcome(ActOutcome),
    /// The run cannot continue.
    Fatal(RunError),
}

/// Result of an act.
type ActResult = Result<(), ActAbort>;

/// Builds the abort that ends an act as incomplete, with the reason.
fn build_incomplete_act_abort(why: impl Into<String>) -> ActAbort {
    ActAbort::Outcome(ActOutcome::Incomplete(why.into()))
}

impl From<SetupError> for ActAbort {
    fn from(error: SetupError) -> Self {
        build_incomplete_act_abort(error.to_string())
    }
}

impl<'a> CheckRun<'a> {
    /// Prepares a run. Sends no request.
    ///
    /// # Errors
    /// If the HTTP client cannot be set up.
    pub fn new(
        target: &'a CheckTarget,
        options: &'a RunLimits,
        hand: &'a PhoneDriver,
        plan: &'a RunPlanWithCosts,
        on_event: &'a (dyn Fn(RunEvent<'_>) + Send + Sync),
    ) -> Result<Self, SetupError> {
        let info = target.backend_facts_before_first_request();
        let prober = Prober::new(target.time_outs, info.uses_https)?;
        let mut run = Self {
            target,
            options,
            phone: hand,
            plan,
            on_event,
            prober,
            observations: Observations {
                target_info: info,
                act_outcomes: plan.omitted.clone(),
                ..Observations::default()
            },
            export_tokens: Vec::new(),
            tokens_made: 0,
            session_token: target.credentials.session_token.clone().filter(|session| !session.is_empty()),
            error: None,
            unused_urls: Vec::new(),
            inspections: TimeLimitedInspections::default(),
            check_judge: CheckResultsSoFar::default(),
            stop_signal: Arc::default(),
        };
        run.observations.target_info.only_valid_requests = !options.allow_wrong_requests;
        run.observations.target_info.allows_lockout = options.allow_lockout;
        let held = &target.credentials;
        let known = [
            ("REST API key", true, held.api_key.as_ref().map(ApiKey::expose)),
            ("session token", true, held.session_token.as_ref().map(SessionToken::expose)),
            ("password", true, held.login.as_ref().map(|(_, password)| Password::expose(password))),
            ("partner key", false, held.partner_key.as_ref().map(PartnerKey::expose)),
        ];
        for (what, credential, value) in known {
            if let Some(value) = value {
                run.mask_and_remember_secret(what, credential, value);
            }
        }
        if let Some((user, _)) = &held.login {
            run.prober.add_secret_to_mask(user.expose());
        }
        Ok(run)
    }

    /// Runs all acts of the plan.
    pub async fn run_all_acts(self) -> RunResult {
        self.run_acts_until_stopped(std::future::pending()).await
    }

    /// Runs the acts of the plan until `stop` resolves. Results that exist by then are kept; the rest is skipped.
    pub async fn run_acts_until_stopped(mut self, stop: impl Future<Output = ()> + Send) -> RunResult {
        let mut stop = std::pin::pin!(stop);
        self.judge_and_emit_finished_checks();
        for act in self.plan.acts.clone() {
            let state = match (&self.error, self.unmet_act_prerequisite_reason(act)) {
                (Some(RunError::Stopped), _) => ActOutcome::Skipped(STOPPED_MESSAGE.to_owned()),
                (Some(_), _) => ActOutcome::Incomplete(NOT_JUDGED_MESSAGE.to_owned()),
                (None, Some(why)) => ActOutcome::Incomplete(why),
                (None, None) => self.run_act_until_stopped(act, stop.as_mut()).await,
            };
            self.observations.record_act_outcome(act, state);
            self.judge_and_emit_finished_checks();
        }
        self.judge_and_emit_remaining_checks();
        let verdicts = self.check_judge.into_check_results();
        let avatars = self.observations.steps.iter().filter(|step| step.is_token_spending_response()).count();
        let avatars = u32::try_from(avatars).unwrap_or(u32::MAX);
        let redactor = self.prober.known_secrets_redactor();
        // A step may contain a secret that became known only later.
        for step in &mut self.observations.steps {
            redact_exchange(&redactor, &mut step.exchange);
        }
        RunResult {
            check_results: verdicts,
            error: self.error,
            tokens_made: self.tokens_made,
            avatars_consumed: avatars,
            redactor,
            observations: self.observations,
        }
    }

    /// The reason why a prerequisite of the act was not completed; `None` if all were.
    fn unmet_act_prerequisite_reason(&self, act: Act) -> Option<String> {
        act.act_needs_and_costs().prerequisites.iter().find_map(|earlier| {
            match self.observations.act_outcomes.get(earlier) {
                Some(ActOutcome::Done) => None,
                Some(ActOutcome::Incomplete(why) | ActOutcome::Skipped(why) | ActOutcome::NotApplicable(why)) => {
                    Some(why.clone())
                }
                None => Some("an act that it needs was not run".to_owned()),
            }
        })
    }

    /// Runs one act until `stop` resolves; then the act gets [`STOP_GRACE_PERIOD`] to end.
    async fn run_act_until_stopped(
        &mut self,
        act: Act,
        stop: std::pin::Pin<&mut (impl Future<Output = ()> + Send)>,
    ) -> ActOutcome {
        let stopping = self.stop_signal.clone();
        let outcome = {
            let mut running_act = Box::pin(self.run_act(act));
            tokio::select! {
                biased;
                () = stop => {
                    stopping.request_run_stop();
                    tokio::time::timeout(STOP_GRACE_PERIOD, running_act).await.ok()
                }
                outcome = &mut running_act => return outcome,
            }
        };
        self.error = Some(RunError::Stopped);
        match outcome {
            Some(ActOutcome::Done) => ActOutcome::Done,
            // Incomplete observations of the act decide nothing.
            _ => ActOutcome::Skipped(STOPPED_MESSAGE.to_owned()),
        }
    }

    /// Fails if the run has to stop. Called before each request.
    fn ensure_not_stopped(&self) -> ActResult {
        if self.stop_signal.is_stop_requested() {
            Err(ActAbort::Outcome(ActOutcome::Skipped(STOPPED_MESSAGE.to_owned())))
        } else {
            Ok(())
        }
    }

    /// Runs one act.
    async fn run_act(&mut self, act: Act) -> ActOutcome {
        (self.on_event)(RunEvent::ActStarted(act));
        let done: BoxFuture<'_, ActResult> = match act {
            Act::Login => Box::pin(self.run_login_attempts_act()),
            Act::Generate | Act::GenerateAgain => Box::pin(self.run_generate_act(act)),
            Act::Strangers => Box::pin(self.run_refused_generates_act()),
            Act::Fresh => Box::pin(self.run_fresh_token_redeemed_twice_act()),
            Act::Refused => Box::pin(self.run_refused_redeems_act()),
            Act::Page => Box::pin(self.run_cross_origin_act()),
            Act::Plain => Box::pin(self.run_plain_http_act()),
            Act::Visit => Box::pin(self.run_avatar_delivery_act()),
            Act::Files => Box::pin(self.run_download_act()),
            Act::Race => Box::pin(self.run_concurrent_redeems_act()),
            Act::UrlsEnd => Box::pin(self.run_url_expiry_act()),
            Act::Failure => Box::pin(self.run_failed_avatar_act()),
            Act::Expiry => Box::pin(self.run_forced_token_expiry_act()),
            Act::LostAnswer => Box::pin(self.run_lost_response_act()),
            Act::Witness => Box::pin(self.run_upstream_count_act()),
        };
        match done.await {
            Ok(()) => ActOutcome::Done,
            Err(ActAbort::Outcome(state)) => state,
            Err(ActAbort::Fatal(error)) => {
                let redactor = self.prober.known_secrets_redactor();
                let error = error.map_reason(|why| redactor.redact_text(&why));
                (self.on_event)(RunEvent::RunFailed(&error));
                self.error = Some(error);
                ActOutcome::Incomplete(NOT_JUDGED_MESSAGE.to_owned())
            }
        }
    }

    /// A builder of requests to this run's target.
    fn request_builder(&self) -> RequestBuilder<'a> {
        RequestBuilder { target: self.target }
    }

    /// Emits a message for people.
    fn emit_message(&self, words: impl Into<String>) {
        (self.on_event)(RunEvent::Message(words.into()));
    }

    /// Masks a secret from now on, and remembers it for the checks that search responses for secrets.
    fn mask_and_remember_secret(&mut self, what: &'static str, credential: bool, value: &str) {
        self.prober.add_secret_to_mask(value);
        let value = SecretString::from(value.to_owned());
        self.observations.known_secrets.push(SecretForbiddenInResponses {
            label: what.into(),
            is_credential: credential,
            value,
        });
    }

    /// Sends one request, and records the exchange. Returns the index of the step.
    async fn send_and_record_request(
        &mut self,
        act: Act,
        role: StepRole,
        about: StepTokenAndFileIndexes,
        request: RequestWithCurl,
    ) -> Result<usize, ActAbort> {
        self.ensure_not_stopped()?;
        let probed = self.prober.send_probe(request.probe).await?;
        Ok(self.record_exchange_as_step(act, role, about, request.curl, probed))
    }

    /// Records an exchange as a step. Returns the index of the step.
    fn record_exchange_as_step(
        &mut self,
        act: Act,
        role: StepRole,
        about: StepTokenAndFileIndexes,
        curl: String,
        probed: copresence_client::probe::ProbeResult,
    ) -> usize {
        let index = self.observations.steps.len();
        self.observations.steps.push(RecordedStep {
            number: index + 1,
            act,
            role,
            token_number: about.token_index.map(|token| token + 1),
            file_index: about.file_index,
            curl,
            exchange: probed.exchange,
            reply: probed.response.ok(),
        });
        (self.on_event)(RunEvent::StepFinished(&self.observations.steps[index]));
        index
    }

    /// Judges every check that can be judged by now, and emits the results.
    fn judge_and_emit_finished_checks(&mut self) {
        let on_event = self.on_event;
        self.check_judge.judge_finished_checks(&self.observations, self.error.as_ref(), &mut |check, judged| {
            on_event(RunEvent::CheckJudged(check, judged));
        });
    }

    /// Judges every check that was not judged yet, and emits the results.
    fn judge_and_emit_remaining_checks(&mut self) {
        let on_event = self.on_event;
        self.check_judge.judge_remaining_checks(&self.observations, self.error.as_ref(), &mut |check, judged| {
            on_event(RunEvent::CheckJudged(check, judged));
        });
    }
}

/// Masks every secret in a recorded exchange.
fn redact_exchange(redactor: &copresence_client::Redactor, exchange: &mut copresence_client::Exchange) {
    let copresence_client::Exchange { url, request_headers, request_body, response_headers, body, error, .. } =
        exchange;
    let mask = |text: &mut String| *text = redactor.redact_text(text);
    mask(url);
    [request_body, body, error].into_iter().flatten().for_each(mask);
    request_headers.iter_mut().chain(response_headers).for_each(|(_, value)| mask(value));
}

/// The token and the file that a step is about, by index.
#[derive(Debug, Clone, Copy, Default)]
struct StepTokenAndFileIndexes {
    token_index: Option<usize>,
    file_index: Option<usize>,
}

impl StepTokenAndFileIndexes {
    /// The indexes of a step that is about a token and no file.
    fn build_step_indexes_for_token(index: usize) -> Self {
        Self { token_index: Some(index), file_index: None }
    }
}
