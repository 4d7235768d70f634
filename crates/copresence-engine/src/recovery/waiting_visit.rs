//! Continues a visit whose visitor still waits for the avatar, after the program ended in between.

use super::past::JournaledRedeems;
use crate::clock::Clock;
use crate::runner::{
    FirstEventOrEffects, RunnerResult, VisitContext, VisitResult, VisitRunner, VisitStopSignals, derive_jitter_seed,
};
use crate::setup::DataStore;
use copresence_store::{StoreError, UnfinishedVisit, VisitId};
use copresence_visit::{PollingConfig, RedeemOnceOrUntilReady, Visit, VisitPollingPlan};
use std::time::Duration;

/// How a visit is continued.
#[derive(Debug, Clone)]
pub struct ContinuedVisitConfig {
    /// How polls are spaced.
    pub polling: PollingConfig,
    /// End the visit after this time if no avatar was delivered. Counts from the call.
    pub timeout: Duration,
}

/// Why a visit is not continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContinueVisitError {
    /// It is finished, unknown, or its backend ended with the program.
    NothingLeft,
    /// Another program continues it.
    InUse,
    /// What it needs is missing, or the journal failed.
    Unavailable(String),
}

/// Continues an unfinished visit to its end as a live one: unlike recovery, which redeems its token once, it polls until
/// the avatar is ready. `find_context_for` is as in [`super::FindContext`]. Events go to the context's event sink.
///
/// # Errors
/// The visit is not continued. Everything of it is kept.
pub async fn continue_unfinished_visit(
    data_store: &DataStore,
    clock: Clock,
    id: &VisitId,
    config: ContinuedVisitConfig,
    find_context_for: impl FnOnce(&UnfinishedVisit) -> Result<VisitContext, String>,
    signals: VisitStopSignals,
) -> Result<VisitResult, ContinueVisitError> {
    let unavailable = |error: StoreError| ContinueVisitError::Unavailable(error.to_string());
    let visit_lock = data_store.data.lock_visit(id).map_err(|error| match error {
        StoreError::VisitLocked { .. } => ContinueVisitError::InUse,
        error => unavailable(error),
    })?;
    // Read after locking: another program may have changed it before.
    let unfinished = data_store.journal.load_unfinished_visit(id).await.map_err(unavailable)?;
    let mut unfinished =
        unfinished.filter(|unfinished| !unfinished.visit.start.ephemeral).ok_or(ContinueVisitError::NothingLeft)?;
    let journalled = JournaledRedeems::collect_redeems_of_unfinished_visit(&unfinished, clock.wall_clock_time());
    if journalled.is_token_spent_or_refused() {
        unfinished.token = None;
    }
    let context = find_context_for(&unfinished).map_err(ContinueVisitError::Unavailable)?;
    let token = unfinished.token.clone();
    let past = journalled
        .reopen_visit_and_complete_journaled_redeems(&context, &unfinished, token)
        .await
        .map_err(unavailable)?;
    let now = clock.millis_since_clock_creation();
    let patience = unfinished.visit.start.limits.unwrap_or(context.limits).patience;
    let plan = VisitPollingPlan {
        polling: config.polling,
        give_up_at: now + config.timeout,
        patience,
        seed: derive_jitter_seed(*id),
        mode: RedeemOnceOrUntilReady::UntilReady,
    };
    let (visit, effects) = Visit::restore_visit(plan, past, now);
    let journal = context.journal.clone();
    let runner = VisitRunner::runner_for_reopened_visit(unfinished, visit, context, visit_lock, patience);
    let RunnerResult { outcome, directory, .. } =
        runner.run_to_end(FirstEventOrEffects::Effects(effects), signals).await;
    if outcome.can_later_run_continue_saving()
        && let Err(error) = journal.record_next_recovery_attempt(id, 0, clock.wall_clock_time()).await
    {
        tracing::warn!(%error, visit = %id, "cannot journal the next recovery");
    }
    Ok(VisitResult { outcome, directory })
}
