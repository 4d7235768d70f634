//! `copresence recover`: finishes visits that a crash or power cut interrupted.

use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::{context, output, signals};
use copresence_engine::clock::Clock;
use copresence_engine::credentials::{CredentialStore, find_credentials, to_client_credentials};
use copresence_engine::events::VisitEvent;
use copresence_engine::profile::Profiles;
use copresence_engine::recovery::{
    RecoveryOutcome, UnfinishedVisit, VisitRecoveryResult, find_unknown_partial_folders,
    recover_all_visits_until_stopped, recover_visits_capping_total_redeems,
};
use copresence_engine::runner::{EventSink, VisitContext};
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend};
use copresence_engine::{NoRecorder, Outcome};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Runs `copresence recover`, and returns the exit code.
pub(crate) async fn run_recover_command(common: &CommonOptions) -> Result<u8, CommandFailure> {
    let data_store = context::open_data_store(common)?;
    let stopping = signals::token_cancelled_by_first_signal(
        "stopping; a file or a redeem in flight is awaited first (again to stop at once, which can cost its avatar) … what is \
         not finished stays for the next `copresence recover`",
    );
    let all = recover_and_print_all_visits(common, &data_store, &stopping).await?;
    if stopping.is_cancelled() {
        return Ok(Outcome::Interrupted.exit_code());
    }
    let unknown = print_visit_folders_unknown_to_journal(common, &data_store).await?;
    if all.is_empty() && unknown == 0 && !common.json {
        output::eprint_sanitized_line(format_args!("Nothing to recover."));
    }
    let lost = (unknown > 0).then(|| Outcome::PossiblyConsumed(String::new()).exit_code());
    // The highest exit code, so that 0 means that nothing is left to do.
    Ok(all.iter().map(|recovered| recovered.outcome.exit_code()).chain(lost).max().unwrap_or(0))
}

/// Prints where files of visits are that the journal does not know. Returns the number of these visits.
async fn print_visit_folders_unknown_to_journal(
    common: &CommonOptions,
    data_store: &DataStore,
) -> Result<usize, CommandFailure> {
    let profiles = context::load_profiles(common)?;
    let of_profiles = profiles.profile_names().into_iter().filter_map(|name| {
        // A profile that cannot be used has no visits.
        profiles.build_profile_by_name(&name).ok()?.out_dir
    });
    let out_dirs = of_profiles.chain(common.out.clone()).map(|out| context::absolute_path(&out).unwrap_or(out));
    let unknown = find_unknown_partial_folders(data_store, out_dirs).await?;
    for found in &unknown {
        output::eprint_sanitized_line(format_args!(
            "Visit {}: the journal does not know it or its files, and files of its avatar are in {}: {}. The journal lost its last \
             changes, so the Export Token may be consumed and the other files cannot be requested; or a program with \
             another data folder (--data-dir) has this visit. Keep the files that you need, then remove the folder.",
            found.visit,
            found.path.display(),
            found.files.join(", ")
        ));
    }
    Ok(unknown.len())
}

/// Recovers earlier visits before a new one starts; a failure does not stop the new visit. Prints to stderr only,
/// because the JSON Lines of `visit --json` belong to the new visit. Ends early when `stopping` is cancelled.
pub(crate) async fn recover_earlier_visits_before_new_one(
    common: &CommonOptions,
    data_store: &DataStore,
    stopping: &CancellationToken,
) {
    if let Err(failure) = recover_and_print_due_visits(common, data_store, stopping).await {
        output::eprint_sanitized_line(format_args!(
            "warning: earlier visits could not be looked at: {}",
            failure.message()
        ));
    }
}

/// Recovers the visits whose next attempt is due, and prints each result to stderr. Emits no events.
async fn recover_and_print_due_visits(
    common: &CommonOptions,
    data_store: &DataStore,
    stopping: &CancellationToken,
) -> Result<(), CommandFailure> {
    let profiles = context::load_profiles(common)?;
    let event_sink: EventSink = Arc::new(|_| {});
    let find_context_for =
        |unfinished: &UnfinishedVisit| context_for_recovery(data_store, &profiles, unfinished, event_sink.clone());
    recover_visits_capping_total_redeems(data_store, Clock::default(), &find_context_for, &|_| false, stopping)
        .await?
        .iter()
        .for_each(print_visit_recovery_result);
    Ok(())
}

/// Recovers all unfinished visits, and prints each result to stderr; with `--json` also their events to stdout.
async fn recover_and_print_all_visits(
    common: &CommonOptions,
    data_store: &DataStore,
    stopping: &CancellationToken,
) -> Result<Vec<VisitRecoveryResult>, CommandFailure> {
    let profiles = context::load_profiles(common)?;
    let json = common.json;
    let event_sink: EventSink = Arc::new(move |event: VisitEvent| {
        if json {
            output::print_visit_event_as_json(&event);
        }
    });
    let find_context_for =
        |unfinished: &UnfinishedVisit| context_for_recovery(data_store, &profiles, unfinished, event_sink.clone());
    let all = recover_all_visits_until_stopped(data_store, &find_context_for, stopping).await?;
    all.iter().for_each(print_visit_recovery_result);
    Ok(all)
}

/// The backend, credentials and folders with which an unfinished visit is recovered; an error if its backend's URL
/// is not valid, or if its profile or credentials are still needed and cannot be used.
fn context_for_recovery(
    data_store: &DataStore,
    profiles: &Profiles,
    unfinished: &UnfinishedVisit,
    event_sink: EventSink,
) -> Result<VisitContext, String> {
    let start = &unfinished.visit.start;
    let api_url: url::Url = start.api_url.parse().map_err(|error| format!("its backend's URL: {error}"))?;
    let profile = profiles.build_profile_by_name(&start.profile);
    let link = "x:{token}".parse().map_err(|error: copresence_engine::LinkTemplateError| error.to_string())?;
    let mut target = ProfileOrSandboxBackend {
        api_url: api_url.clone(),
        link,
        credentials: copresence_engine::Credentials::default(),
        is_embedded_sandbox: false,
    };
    if unfinished.token.is_none() {
        // A delivered avatar needs no credentials, and its profile may have been removed.
        let api = target.build_download_only_client(profile.as_ref().ok()).map_err(|error| error.to_string())?;
        let context = data_store.context_with_default_recovery_limits(api, Clock::default(), event_sink);
        return Ok(match profile {
            Ok(profile) => context.with_profile_recovery_limits(&profile),
            Err(_) => context,
        });
    }
    let mut profile = profile.map_err(|error| error.to_string())?;
    profile.api_url = Some(api_url);
    let found = find_credentials(
        &profile,
        &CredentialStore::keychain_backed_store(),
        &context::read_unicode_environment_variable,
    )
    .map_err(|error| error.to_string())?;
    target.credentials = to_client_credentials(&profile, &found);
    let api = target.build_api_client(&profile, Arc::new(NoRecorder)).map_err(|error| error.to_string())?;
    Ok(data_store
        .context_with_default_recovery_limits(api, Clock::default(), event_sink)
        .with_profile_recovery_limits(&profile))
}

/// Prints how the recovery of a visit ended.
fn print_visit_recovery_result(recovered: &VisitRecoveryResult) {
    let visit = recovered.visit;
    let began = recovered.started_at.strftime("%F %H:%M UTC");
    match &recovered.outcome {
        RecoveryOutcome::Finished { outcome, directory } => {
            let problem = copresence_engine::problem::problem_for_outcome(outcome);
            let place = directory.as_ref().map_or_else(String::new, |d| format!(" {}", d.display()));
            output::eprint_sanitized_line(format_args!(
                "Visit {visit} of {began}: {}{place}",
                copresence_engine::problem::operator_message_with_hint(&problem)
            ));
        }
        RecoveryOutcome::StillActive { status } => output::eprint_sanitized_line(format_args!(
            "Visit {visit} of {began}: its Export Token is still active ({status}); recover again later"
        )),
        RecoveryOutcome::Postponed { why, .. } => output::eprint_sanitized_line(format_args!(
            "Visit {visit} of {began}: cannot be finished now ({why}); everything is kept, recover again later"
        )),
        RecoveryOutcome::InUse => output::eprint_sanitized_line(format_args!(
            "Visit {visit} of {began}: in use by another copresence program, which finishes it"
        )),
        RecoveryOutcome::Closed { why } => {
            output::eprint_sanitized_line(format_args!("Visit {visit} of {began}: closed, {why}"));
        }
    }
}
