//! Runs a load test: starts visits by the plan, ends them, and keeps the timeline.

use crate::arrivals::ArrivalTimes;
use crate::load_context::SharedConsoleState;
use crate::load_plan::{ConsoleVisitPlan, LoadPlan, VisitStartModel};
use crate::phone::LoadTestPhone;
use crate::simulated_console::{ConsoleStopSignals, ConsoleVisit, run_console_until_stopped};
use crate::statistics::Statistics;
use copresence_client::ApiClient;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// The plan was carried out.
    Completed,
    /// A person stopped it.
    Interrupted,
    /// The limit of Export Tokens was reached.
    TokenLimit,
    /// The backend refused the credentials; further requests could lock the account.
    CredentialsRefused,
}

/// A load test that can be run once.
pub struct PreparedLoadRun {
    context: Arc<SharedConsoleState>,
    plan: LoadPlan,
}

impl PreparedLoadRun {
    /// Prepares a run. Sends no request. `api` is copied and gets a recorder of its own.
    pub fn new(
        api: &ApiClient,
        plan: LoadPlan,
        console: ConsoleVisitPlan,
        phone: Option<Arc<dyn LoadTestPhone>>,
    ) -> Self {
        Self { context: Arc::new(SharedConsoleState::new(api, console, phone, Vec::new())), plan }
    }

    /// The collector of the figures, which can be read while the run continues.
    pub fn shared_statistics(&self) -> Arc<Statistics> {
        self.context.statistics.clone()
    }

    /// Runs the plan to its end, or until `stopping` is cancelled. Then no visit starts, those under way may continue for
    /// a while (not after `stopping`), and the rest is interrupted. Logs out at the end.
    pub async fn run_plan_until_stop_and_log_out(&self, stopping: &CancellationToken) -> RunEnd {
        let started = Instant::now();
        let signals = ConsoleStopSignals::default();
        let visits = TaskTracker::new();
        let timeline_end = CancellationToken::new();
        let timeline =
            tokio::spawn(record_timeline_until_cancelled(self.context.clone(), started, timeline_end.clone()));
        let end = tokio::select! {
            biased;
            () = stopping.cancelled() => RunEnd::Interrupted,
            () = self.context.credentials_refused.cancelled() => RunEnd::CredentialsRefused,
            () = self.context.tokens_exhausted.cancelled() => RunEnd::TokenLimit,
            () = self.start_visits_for_plan_duration(started, &visits, &signals) => RunEnd::Completed,
        };
        signals.no_more_visits.cancel();
        visits.close();
        let finish_until = Instant::now() + self.plan.finish_within;
        let end = match end {
            RunEnd::Completed | RunEnd::TokenLimit => tokio::select! {
                biased;
                () = visits.wait() => end,
                () = stopping.cancelled() => RunEnd::Interrupted,
                () = self.context.credentials_refused.cancelled() => RunEnd::CredentialsRefused,
                () = tokio::time::sleep_until(finish_until) => end,
            },
            RunEnd::Interrupted | RunEnd::CredentialsRefused => end,
        };
        signals.interrupted.cancel();
        visits.wait().await;
        self.context.api.log_out_own_session().await;
        timeline_end.cancel();
        if let Err(error) = timeline.await {
            tracing::error!(%error, "the timeline of the load test failed");
        }
        end
    }

    /// Starts visits until the plan's duration is over.
    async fn start_visits_for_plan_duration(
        &self,
        started: Instant,
        visits: &TaskTracker,
        signals: &ConsoleStopSignals,
    ) {
        match &self.plan.model {
            VisitStartModel::Open { stages, spacing, max_consoles } => {
                let times = ArrivalTimes::new(stages.clone(), *spacing, self.context.plan.seed);
                for (number, time) in (0_u64..).zip(times) {
                    let arrival = started + time;
                    tokio::time::sleep_until(arrival).await;
                    if visits.len() >= *max_consoles {
                        self.context.statistics.record_visit_not_started();
                        continue;
                    }
                    let (context, interrupted) = (self.context.clone(), signals.interrupted.clone());
                    let seed = context.plan.seed ^ number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
                    if let Some(visit) = ConsoleVisit::start_visit_within_token_limit(context, seed, arrival) {
                        visits.spawn(async move { visit.run_visit_to_end_and_count(&interrupted).await });
                    }
                }
            }
            VisitStartModel::Closed { consoles, ramp_up, pause } => {
                for console in 0..*consoles {
                    #[expect(clippy::cast_precision_loss, reason = "numbers of consoles are small")]
                    let share = console as f64 / *consoles as f64;
                    let first_arrival = started + ramp_up.mul_f64(share);
                    let (context, signals) = (self.context.clone(), signals.clone());
                    visits.spawn(run_console_until_stopped(context, console as u64, first_arrival, *pause, signals));
                }
            }
        }
        tokio::time::sleep_until(started + self.plan.duration).await;
    }
}

/// Ends an interval of the timeline every second, until `end` is cancelled; then once more.
pub(crate) async fn record_timeline_until_cancelled(
    context: Arc<SharedConsoleState>,
    started: Instant,
    end: CancellationToken,
) {
    let mut tick = tokio::time::interval_at(started + Duration::from_secs(1), Duration::from_secs(1));
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let is_last = tokio::select! {
            _ = tick.tick() => false,
            () = end.cancelled() => true,
        };
        context.statistics.end_timeline_interval(started.elapsed());
        if is_last {
            return;
        }
    }
}
