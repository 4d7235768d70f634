//! One virtual console: whole visits by the real client, the real visit machine and the real polling policy.
//!
//! A console that waits is a task with a timer. Each call is a future of its own that is dropped when it has ended, so
//! that ten thousand waiting consoles need little memory.

use crate::download::download_files_and_make_event;
use crate::load_context::SharedConsoleState;
use crate::load_plan::DownloadMode;
use crate::statistics::VisitSummary;
use crate::token_ledger::TokenOutcome;
use copresence_client::{CallError, CallKind};
use copresence_engine::qr::QrCode;
use copresence_engine::runner::{interpret_redeem_call, to_visit_step_failure};
use copresence_protocol::{CompletionStatus, DeliveredExports, ExportToken};
use copresence_visit::{
    MachineEffect, MachineEvent, MillisSinceOrigin, Outcome, RedeemOnceOrUntilReady, RedeemResult,
    TokenIssueParameters, Visit, VisitPollingPlan, VisitStepFailure, VisitStepFailureKind, advance_visit_machine,
};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// A visit of a virtual console.
pub(crate) struct ConsoleVisit {
    context: Arc<SharedConsoleState>,
    /// Whether the next request for a token was counted against the limit already.
    may_request_token: bool,
    /// Draws the jitter of the polls and the time of the scan.
    seed: u64,
    started: Instant,
    /// The call in flight.
    call: Option<ConsoleCallInFlight>,
    /// The phone that will scan the QR code.
    phone: Option<BoxedFuture<()>>,
    /// When the next [`MachineEvent::TimerFired`] is due.
    wake_at: Option<MillisSinceOrigin>,
    /// When the request that comes next was due.
    intended: Instant,
    /// The token, once it was issued.
    token: Option<ExportToken>,
    /// When the last redeem was sent that was answered "not ready".
    last_not_ready_sent: Option<Instant>,
    polls: u32,
    /// Whether a response has shown an avatar.
    is_associated: bool,
    /// When a response first said that the avatar is being processed.
    processing_since: Option<Instant>,
    /// Whether its download URLs were received, all or some.
    is_spent: bool,
}

type BoxedFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The generate or redeem call of a virtual console that is in flight, with its kind.
struct ConsoleCallInFlight {
    kind: CallKind,
    output: BoxedFuture<CallOutput>,
}

/// What a call of a console ended with.
enum CallOutput {
    /// A token and the link of its QR code.
    Issued(ExportToken, String),
    /// The event for the machine.
    Event(MachineEvent),
    /// A redeem, and when it was sent.
    Redeemed(Box<RedeemResult>, Instant),
}

impl ConsoleVisit {
    /// A visit whose visitor arrived at `arrived`; `None` if no more tokens may be requested.
    pub(crate) fn start_visit_within_token_limit(
        context: Arc<SharedConsoleState>,
        seed: u64,
        arrived: Instant,
    ) -> Option<Self> {
        if !context.try_reserve_token_request() {
            context.statistics.record_visit_not_started();
            return None;
        }
        context.statistics.record_visit_start(arrived.elapsed());
        Some(Self {
            context,
            may_request_token: true,
            seed,
            started: arrived,
            call: None,
            phone: None,
            wake_at: None,
            intended: arrived,
            token: None,
            last_not_ready_sent: None,
            polls: 0,
            is_associated: false,
            processing_since: None,
            is_spent: false,
        })
    }

    /// Runs the visit to its end and counts it. An interruption ends it as soon as the call in flight was answered.
    pub(crate) async fn run_visit_to_end_and_count(mut self, interrupted: &CancellationToken) {
        let plan = &self.context.plan;
        let mut polling = plan.polling.clone();
        if plan.learns_durations {
            self.context.learned.set_usual_durations_for_polling(&mut polling);
        }
        let limits = VisitPollingPlan {
            polling,
            give_up_at: self.context.millis_since_load_test_origin() + plan.visit_timeout,
            patience: plan.patience,
            seed: self.seed,
            mode: RedeemOnceOrUntilReady::UntilReady,
        };
        let request = TokenIssueParameters { link: plan.link.clone(), token_lifetime: plan.token_lifetime };
        let mut visit = Visit::new(limits, request);
        let mut event = MachineEvent::Started;
        loop {
            let (next, effects) = advance_visit_machine(visit, event, self.context.millis_since_load_test_origin());
            visit = next;
            if let Some(outcome) = self.start_effects_returning_outcome(effects) {
                return self.count_visit_end(&outcome);
            }
            event = self.next_machine_event(interrupted).await;
        }
    }

    /// Starts what the machine asks for. Returns the outcome if the visit ended.
    fn start_effects_returning_outcome(&mut self, effects: Vec<MachineEffect>) -> Option<Outcome> {
        for effect in effects {
            match effect {
                MachineEffect::Issue(request) => {
                    if !std::mem::take(&mut self.may_request_token) && !self.context.try_reserve_token_request() {
                        return Some(Outcome::Interrupted);
                    }
                    self.set_call_in_flight(
                        CallKind::Generate,
                        request_token_and_check_link(self.context.clone(), request, self.intended),
                    );
                }
                MachineEffect::Redeem { token } => {
                    self.polls += 1;
                    let redeem = redeem_token(self.context.clone(), token, self.polls, self.intended);
                    self.set_call_in_flight(CallKind::Redeem, redeem);
                }
                MachineEffect::Save { delivery } | MachineEffect::SavePartial { delivery } => {
                    self.is_spent = true;
                    let token = self.token.clone();
                    let receive = receive_files_and_maybe_redeem_again(self.context.clone(), delivery, token);
                    self.set_call_in_flight(CallKind::Download, async { CallOutput::Event(receive.await) });
                }
                MachineEffect::Wait { until } => self.wake_at = Some(until),
                MachineEffect::End(outcome) => return Some(outcome),
                // Nothing is shown or journalled, and no URL expires.
                MachineEffect::Notify(_) | MachineEffect::UsePartial { .. } | MachineEffect::FetchPartial { .. } => {}
            }
        }
        None
    }

    /// Sets the call in flight. It runs when it is polled.
    fn set_call_in_flight(&mut self, kind: CallKind, output: impl Future<Output = CallOutput> + Send + 'static) {
        self.call = Some(ConsoleCallInFlight { kind, output: Box::pin(output) });
    }

    /// Waits for the call in flight, the timer, or an interruption.
    async fn next_machine_event(&mut self, interrupted: &CancellationToken) -> MachineEvent {
        loop {
            let wake_at = self.wake_at.and_then(|time| self.context.instant_of_visit_machine_time(time));
            // A request in flight may issue or spend a token, so its response is awaited.
            let can_interrupt = self.call.as_ref().is_none_or(|call| call.kind == CallKind::Download);
            tokio::select! {
                biased;
                output = wait_for_call_or_forever(&mut self.call) => {
                    self.call = None;
                    // What the machine does next is due now; a poll is due when its timer fires.
                    self.intended = Instant::now();
                    return self.record_call_output_and_make_event(output);
                }
                () = interrupted.cancelled(), if can_interrupt => return MachineEvent::Interrupted,
                () = sleep_until_or_forever(wake_at) => {
                    self.wake_at = None;
                    self.intended = wake_at.unwrap_or_else(Instant::now);
                    return MachineEvent::TimerFired;
                }
                () = wait_for_phone_or_forever(&mut self.phone) => self.phone = None,
            }
        }
    }

    /// Counts what a call brought, and returns the event for the machine.
    fn record_call_output_and_make_event(&mut self, output: CallOutput) -> MachineEvent {
        match output {
            CallOutput::Issued(token, link) => {
                self.schedule_phone_scan(&token, link);
                self.token = Some(token.clone());
                MachineEvent::TokenIssued(token)
            }
            CallOutput::Event(event) => event,
            CallOutput::Redeemed(result, sent) => {
                match &*result {
                    RedeemResult::NotReady(progress) => {
                        self.last_not_ready_sent = Some(sent);
                        self.record_first_time_of_status(&progress.status);
                    }
                    RedeemResult::Delivered(delivery) => {
                        if let Some(since) = self.processing_since {
                            self.context.learned.record_processing_duration(since.elapsed());
                        }
                        if let Some(not_ready) = self.last_not_ready_sent {
                            self.context.statistics.record_ready_to_noticed_time(not_ready.elapsed());
                        }
                        if let Some(token) = &self.token {
                            self.context.statistics.record_delivered_urls(token, delivery);
                        }
                    }
                    RedeemResult::Refused | RedeemResult::Failed(_) | RedeemResult::Truncated(..) => {}
                }
                MachineEvent::Redeemed(*result)
            }
        }
    }

    /// Notes the first time of a status, from which the consoles learn the usual durations.
    fn record_first_time_of_status(&mut self, status: &CompletionStatus) {
        if *status != CompletionStatus::NoAssociatedAvatar && !std::mem::replace(&mut self.is_associated, true) {
            self.context.learned.record_association_wait(self.started.elapsed());
        }
        if *status == CompletionStatus::Processing {
            self.processing_since.get_or_insert_with(Instant::now);
        }
    }

    /// Lets the phone scan the QR code some time from now.
    fn schedule_phone_scan(&mut self, token: &ExportToken, link: String) {
        let Some(phone) = self.context.phone.clone() else { return };
        let (context, token) = (self.context.clone(), token.clone());
        let factor = ChaCha8Rng::seed_from_u64(self.seed).random_range(0.5..1.5);
        let scan_at = Instant::now() + context.plan.scan_after.mul_f64(factor);
        self.phone = Some(Box::pin(async move {
            tokio::time::sleep_until(scan_at).await;
            let _permit = context.wait_for_scan_permit().await;
            let scanned = phone.scan_code_and_associate_avatar(&link, &token).await;
            context.statistics.record_phone_association(scanned.as_ref().copied().map_err(String::as_str));
        }));
    }

    /// Counts the end of the visit.
    fn count_visit_end(self, outcome: &Outcome) {
        if self.call.as_ref().is_some_and(|call| call.kind == CallKind::Generate) {
            self.context.statistics.record_possibly_issued_token();
        }
        if matches!(outcome, Outcome::CredentialsRefused(_)) {
            self.context.credentials_refused.cancel();
        }
        let fate = self.token.is_some().then_some(match outcome {
            _ if self.is_spent => TokenOutcome::Spent,
            Outcome::PossiblyConsumed(_) => TokenOutcome::PossiblyConsumed,
            Outcome::TokenRefused { .. } => TokenOutcome::Refused,
            Outcome::Saved
            | Outcome::SavedWithViolation(_)
            | Outcome::SavedInPart(_)
            | Outcome::SavedUntilDiskFull(_)
            | Outcome::SavedUntilStorageFailed(_)
            | Outcome::DownloadInterrupted(_)
            | Outcome::CredentialsRefused(_)
            | Outcome::AvatarFailed
            | Outcome::Unreachable(_)
            | Outcome::BackendFailing(_)
            | Outcome::Gate(_)
            | Outcome::NoApi(_)
            | Outcome::StorageFailed(_)
            | Outcome::DiskFull(_)
            | Outcome::TokenAbandoned(_)
            | Outcome::TimedOut
            | Outcome::ProtocolViolation(_)
            | Outcome::Interrupted => TokenOutcome::Unspent,
        });
        self.context.statistics.record_visit_end(&VisitSummary {
            outcome,
            fate,
            duration: self.started.elapsed(),
            polls: u64::from(self.polls),
        });
    }
}

/// Requests an Export Token, checks that its link fits a QR code, and counts the token or the failure.
async fn request_token_and_check_link(
    context: Arc<SharedConsoleState>,
    request: TokenIssueParameters,
    intended: Instant,
) -> CallOutput {
    let event = match context.run_measured_call_with_connection_permit(intended, || context.api.generate_token()).await
    {
        Ok(token) => {
            context.statistics.record_issued_token(&token);
            let link = request.link.link_for_token(&token);
            match QrCode::check_link_fits(&link) {
                Ok(()) => return CallOutput::Issued(token, link),
                Err(error) => {
                    let failure = VisitStepFailure::new(VisitStepFailureKind::ProtocolViolation, error.to_string());
                    count_step_failure(&context, CallKind::Generate, &failure);
                    MachineEvent::IssueFailed(failure)
                }
            }
        }
        Err(error) => {
            let failure = to_visit_step_failure(&error);
            if matches!(error, CallError::LoginFailed(_)) {
                count_step_failure(&context, CallKind::Login, &failure);
                MachineEvent::LoginFailed(failure)
            } else {
                count_step_failure(&context, CallKind::Generate, &failure);
                if failure.kind.may_have_issued_unreceived_token() {
                    context.statistics.record_possibly_issued_token();
                }
                MachineEvent::IssueFailed(failure)
            }
        }
    };
    CallOutput::Event(event)
}

/// Redeems a token once.
async fn redeem_token(
    context: Arc<SharedConsoleState>,
    token: ExportToken,
    number: u32,
    intended: Instant,
) -> CallOutput {
    let set_call_in_flight = || async { (Instant::now(), context.api.send_redeem_request(&token).await) };
    let (sent, call) = context.run_measured_call_with_connection_permit(intended, set_call_in_flight).await;
    let result = interpret_redeem_call(&call, number, &context.api);
    match &result {
        RedeemResult::Failed(failure) | RedeemResult::Truncated(failure, _) => {
            count_step_failure(&context, CallKind::Redeem, failure);
        }
        RedeemResult::Refused => {
            let detail = "the backend answered 400: the token does not match an active Export Token";
            context.count_failure(CallKind::Redeem, "token_refused", detail);
        }
        RedeemResult::NotReady(_) | RedeemResult::Delivered(_) => {}
    }
    CallOutput::Redeemed(Box::new(result), sent)
}

/// Receives the files of a delivery as the plan says, then redeems its token once more if the plan says so.
async fn receive_files_and_maybe_redeem_again(
    context: Arc<SharedConsoleState>,
    delivery: DeliveredExports,
    token: Option<ExportToken>,
) -> MachineEvent {
    let event = match context.plan.download {
        DownloadMode::None => MachineEvent::Saved,
        mode => Box::pin(download_files_and_make_event(&context, &delivery, mode)).await,
    };
    if let Some(token) = token.filter(|_| context.plan.redeem_spent_tokens) {
        let call = context
            .run_measured_call_with_connection_permit(Instant::now(), || context.api.send_redeem_request(&token))
            .await;
        match interpret_redeem_call(&call, 1, &context.api) {
            // What it must be.
            RedeemResult::Refused => {}
            RedeemResult::Delivered(again) => context.statistics.record_delivered_urls(&token, &again),
            RedeemResult::NotReady(_) => {
                let detail = "a spent token was answered \"not ready\" instead of 400";
                context.count_failure(CallKind::Redeem, "spent_token_active", detail);
            }
            RedeemResult::Failed(failure) | RedeemResult::Truncated(failure, _) => {
                count_step_failure(&context, CallKind::Redeem, &failure);
            }
        }
    }
    event
}

/// Counts a failed step of a visit under its call.
fn count_step_failure(context: &SharedConsoleState, call: CallKind, failure: &VisitStepFailure) {
    context.count_failure(call, failure.kind.failure_code(), &failure.detail);
}

/// Waits for the call in flight; never resolves if there is none.
async fn wait_for_call_or_forever(call: &mut Option<ConsoleCallInFlight>) -> CallOutput {
    match call {
        Some(call) => call.output.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Waits for the phone; never resolves if there is none.
async fn wait_for_phone_or_forever(phone: &mut Option<BoxedFuture<()>>) {
    match phone {
        Some(phone) => phone.as_mut().await,
        None => std::future::pending().await,
    }
}

/// Waits until `time`; for ever if there is none.
async fn sleep_until_or_forever(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Runs visits of one console, one after the other with a pause in between, until it is told to stop.
pub(crate) async fn run_console_until_stopped(
    context: Arc<SharedConsoleState>,
    console: u64,
    first_arrival: Instant,
    pause: Duration,
    signals: ConsoleStopSignals,
) {
    let mut arrival = first_arrival;
    for visit in 0_u64.. {
        tokio::select! {
            biased;
            () = signals.no_more_visits.cancelled() => return,
            () = tokio::time::sleep_until(arrival) => {}
        }
        // The number of the console and of its visit; both are far below 2^32.
        let seed = context.plan.seed ^ (console << 32 | visit).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let Some(visit) = ConsoleVisit::start_visit_within_token_limit(context.clone(), seed, arrival) else { return };
        Box::pin(visit.run_visit_to_end_and_count(&signals.interrupted)).await;
        arrival = Instant::now() + pause;
    }
}

/// What ends the visits of a console.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConsoleStopSignals {
    /// The visit under way is the last one.
    pub(crate) no_more_visits: CancellationToken,
    /// The visit under way ends as soon as the call in flight was answered.
    pub(crate) interrupted: CancellationToken,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load_plan::ConsoleVisitPlan;
    use copresence_client::{ApiClient, BackendWithRoutes, Credentials, NoRecorder, Timeouts};
    use copresence_protocol::{ApiKey, SessionToken};
    use copresence_visit::PollingConfig;

    /// Maximum size of the task of a console, in bytes. Ten thousand of them are to fit into 160 MB.
    const MAX_TASK_BYTES: usize = 16_000;

    #[tokio::test]
    async fn the_task_of_a_console_is_small() {
        copresence_client::install_crypto_provider();
        let credentials = Credentials {
            api_key: Some(ApiKey::new("key-0123456789")),
            session_token: Some(SessionToken::new("session-0123456789")),
            ..Credentials::default()
        };
        let url = "http://127.0.0.1:9/".parse().expect("a URL");
        let backend = BackendWithRoutes::copresence_backend_from_url(url);
        let api = ApiClient::new(backend, credentials, Timeouts::default(), Arc::new(NoRecorder)).expect("a client");
        let plan = ConsoleVisitPlan {
            link: "https://app.test/?exportToken={token}".parse().expect("a template"),
            token_lifetime: None,
            polling: PollingConfig::default(),
            learns_durations: true,
            visit_timeout: Duration::from_mins(1),
            patience: Duration::from_mins(1),
            scan_after: Duration::ZERO,
            download: DownloadMode::Full,
            redeem_spent_tokens: true,
            max_connections: 1,
            max_tokens: None,
            seed: 1,
        };
        let context = Arc::new(SharedConsoleState::new(&api, plan, None, Vec::new()));
        let signals = ConsoleStopSignals::default();
        let visit = ConsoleVisit::start_visit_within_token_limit(context.clone(), 1, Instant::now()).expect("no limit");
        let of_visit = std::mem::size_of_val(&visit.run_visit_to_end_and_count(&signals.interrupted));
        let console = run_console_until_stopped(context, 1, Instant::now(), Duration::ZERO, signals);
        let of_console = std::mem::size_of_val(&console);
        assert!(of_visit + of_console < MAX_TASK_BYTES, "{of_visit} + {of_console} bytes");
    }
}
