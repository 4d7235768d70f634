//! `validate` in the window: requirements for the inspector, and runs of the checks at the backend in use.

use copresence_booth::app::{BackendConfig, Kiosk};
use copresence_booth::view::Problem;
use copresence_booth::view::checks::{
    CheckRunOptions, CheckView, ChecksPlan, ChecksState, ChecksView, PhoneScanRequestForChecks, PlannedCheckStep,
};
use copresence_booth::view::inspector::RequirementVerdictView;
use copresence_engine::problem::{problem_for_code, problem_for_setup_error};
use copresence_engine::qr::QrCode;
use copresence_engine::setup::DataStore;
use copresence_engine::{NoRecorder, SetupError};
use copresence_validate::act::{ACTS, ActNeedsAndCosts, ActOutcome};
use copresence_validate::run_controller::{PhoneMode, RunController, RunSnapshot, RunState};
use copresence_validate::{
    BackendWithRoutes, CheckTarget, Exchange, RunError, RunLimits, RunPlanWithCosts, SandboxControl,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Minimum interval between two views.
const MIN_VIEW_INTERVAL: Duration = Duration::from_millis(100);

/// Judges which requirements an exchange meets or violates, for the inspector.
pub(crate) fn judge_inspected_exchange(
    exchange: &Exchange,
    backend: &BackendWithRoutes,
) -> Vec<RequirementVerdictView> {
    let rules = copresence_validate::exchange_requirements::judge_exchange(exchange, backend).into_iter();
    let view = |rule: copresence_validate::exchange_requirements::JudgedRequirement| RequirementVerdictView {
        level: rule.requirement_level_word().to_owned(),
        at: rule.location,
        requirement: rule.requirement.id.clone(),
        sentence: rule.requirement.quote.clone(),
        kept: rule.is_kept,
        came: rule.received,
    };
    rules.map(view).collect()
}

/// The runs of this window, one at a time. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct CheckRunner {
    live: RunController,
    run_info: Arc<watch::Sender<LastRunHostAndFolder>>,
}

/// Host and report folder of the last run, which the run's snapshots do not contain.
#[derive(Debug, Clone, Default)]
struct LastRunHostAndFolder {
    /// Host of the last run.
    target_host: Option<String>,
    /// Folder in which the last report was saved.
    report_folder: Option<PathBuf>,
}

impl CheckRunner {
    /// What a run at this backend would do within the limits of `ask`, with `visits` visits in progress.
    ///
    /// # Errors
    /// The backend cannot be used, for example because credentials are missing.
    pub(crate) async fn plan_run(
        &self,
        backend_config: &BackendConfig,
        ask: &CheckRunOptions,
        visits: usize,
    ) -> Result<ChecksPlan, Problem> {
        let (target, options, player) = resolve_run_target_and_options(backend_config, ask).await?;
        Ok(to_plan_view(&self.live.plan_run(&target, &options, player), visits))
    }

    /// Starts a run at this backend within the limits of `ask`, with `visits` visits in progress. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// The backend cannot be used, a visit would be disturbed, or a run is in progress.
    pub(crate) async fn start_run(
        &self,
        backend_config: &BackendConfig,
        ask: &CheckRunOptions,
        visits: usize,
    ) -> Result<(), Problem> {
        let (target, options, player) = resolve_run_target_and_options(backend_config, ask).await?;
        let plan = to_plan_view(&self.live.plan_run(&target, &options, player.clone()), visits);
        if plan.disturbs > 0 && !ask.despite_visits {
            return Err(problem_for_code("checks_disturb", None));
        }
        let run = self.live.reserve_run_and_return_future(target, options, player);
        let run = run.map_err(|busy| problem_for_code("checks_running", Some(&busy.to_string())))?;
        self.run_info.send_replace(LastRunHostAndFolder {
            target_host: Some(backend_config.target.host_and_port()),
            report_folder: None,
        });
        tokio::spawn(run);
        Ok(())
    }

    /// Stops the run in progress.
    pub(crate) fn stop_run(&self) {
        self.live.stop_run();
    }

    /// Skips the check that is waiting for a phone.
    pub(crate) fn skip_check_awaiting_phone(&self) {
        self.live.skip_invitation();
    }

    /// Saves the report of the last run, and returns its folder. Blocks on the disk.
    ///
    /// # Errors
    /// `checks_none` if no run has ended; `storage_failed` if the report cannot be written.
    pub(crate) fn save_report(&self, data_store: &DataStore) -> Result<PathBuf, Problem> {
        let documents = self.live.last_report_with_har().ok_or_else(|| problem_for_code("checks_none", None))?;
        let failed = |why: &str| problem_for_code("storage_failed", Some(why));
        let files = documents.render_report_files().map_err(|why| failed(&why))?;
        let files = files.each_ref().map(|(name, text)| (*name, text.as_bytes()));
        let saved = data_store
            .write_report_files_to_new_folder(&documents.report_folder_name(), &files)
            .map_err(|error| failed(&error.to_string()))?;
        self.run_info.send_modify(|about| about.report_folder = Some(saved.clone()));
        Ok(saved)
    }

    /// Sends the state of the checks to `send`, now and after each change. Returns when `until` completes, or when
    /// `send` returns false.
    pub(crate) async fn stream_check_views(
        &self,
        kiosk: &Kiosk,
        until: impl Future<Output = ()> + Send,
        send: impl Fn(ChecksView) -> bool + Send,
    ) {
        let (mut views, mut about) = (self.live.subscribe_to_snapshots(), self.run_info.subscribe());
        let updates = async {
            loop {
                let view = views.borrow_and_update().clone();
                let known = about.borrow_and_update().clone();
                if !send(to_checks_view(view, known, kiosk)) {
                    return;
                }
                tokio::time::sleep(MIN_VIEW_INTERVAL).await;
                let changed = tokio::select! {
                    changed = views.changed() => changed,
                    changed = about.changed() => changed,
                };
                if changed.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            biased;
            () = until => {}
            () = updates => {}
        }
    }
}

/// Resolves the target, the options and the phone of a run. Reports missing credentials before anything is sent. Only a
/// backend on this machine is asked whether it is a sandbox.
async fn resolve_run_target_and_options(
    backend_config: &BackendConfig,
    ask: &CheckRunOptions,
) -> Result<(CheckTarget, RunLimits, PhoneMode), Problem> {
    let (target, profile) = (&backend_config.target, &backend_config.profile);
    let unusable = |error: SetupError| problem_for_setup_error(&error);
    target.build_api_client(profile, Arc::new(NoRecorder)).map_err(unusable)?;
    let tester = SandboxControl::detect_controllable_sandbox(&target.api_url, None).await.map_err(unusable)?;
    let options = RunLimits {
        max_tokens: Some(ask.most_tokens),
        // A sandbox has nothing that anyone could lose.
        allow_destructive: tester.is_some(),
        allow_lockout: tester.is_some(),
        allow_wrong_requests: ask.wrong_requests,
        allow_avatars: ask.with_phone,
        ..RunLimits::default()
    };
    let checked = CheckTarget {
        name: profile.name.clone(),
        backend: target.backend_with_profile_routes(profile),
        credentials: target.credentials.clone(),
        link_template: target.link.clone(),
        time_outs: profile.timeouts,
        patience: profile.limits.patience,
    };
    Ok((checked, options, tester.map_or(PhoneMode::SnapshotViewer, PhoneMode::Sandbox)))
}

/// The plan as the desk shows it; `visits` is the number of visits in progress.
fn to_plan_view(plan: &RunPlanWithCosts, visits: usize) -> ChecksPlan {
    let act = |cost: &ActNeedsAndCosts| PlannedCheckStep {
        does: cost.description.to_owned(),
        requests: cost.min_requests,
        left_out: plan.omitted.get(&cost.act).map(|state| match state {
            ActOutcome::NotApplicable(why) | ActOutcome::Skipped(why) | ActOutcome::Incomplete(why) => why.clone(),
            ActOutcome::Done => String::new(),
        }),
    };
    let visits = u32::try_from(visits).unwrap_or(u32::MAX);
    ChecksPlan {
        acts: ACTS.iter().map(act).collect(),
        requests: plan.min_requests(),
        tokens: plan.tokens,
        tokens_at_risk: plan.tokens_at_risk,
        avatars: plan.avatars,
        free: plan.is_free,
        asks_people: plan.needs_person_to_scan(),
        moves_clock: plan.run_advances_sandbox_clock(),
        disturbs: if plan.run_advances_sandbox_clock() { visits } else { 0 },
    }
}

/// The state of the runs as the page shows it, with host and report folder.
fn to_checks_view(view: RunSnapshot, about: LastRunHostAndFolder, kiosk: &Kiosk) -> ChecksView {
    ChecksView {
        target: about.target_host.unwrap_or_else(|| kiosk.backend_config().target.host_and_port()),
        stand: match view.state {
            RunState::Idle => ChecksState::Idle,
            RunState::Running => ChecksState::Running,
            RunState::Ended { passed } => ChecksState::Ended { passed },
            RunState::Aborted(error) => ChecksState::Broken { problem: problem_for_run_error(&error) },
            RunState::NotStarted(why) => ChecksState::Broken { problem: problem_for_code("configuration", Some(&why)) },
        },
        checks: view.checks.into_iter().map(to_check_view).collect(),
        doing: view.current_act.map(|act| act.act_needs_and_costs().description.to_owned()),
        invitation: view.invitation.map(|(asked, status)| PhoneScanRequestForChecks {
            qr_svg: QrCode::new(&asked.link).map(|code| code.to_svg()).unwrap_or_default(),
            link: asked.link,
            purpose: asked.purpose.to_owned(),
            status,
        }),
        requests: view.requests_sent,
        tokens: view.tokens_made,
        summary: view.summary,
        notes: view.notes,
        saved: about.report_folder.map(|path| copresence_engine::display_path_abbreviating_home(&path)),
    }
}

/// The problem that the operator sees when a run has failed.
fn problem_for_run_error(error: &RunError) -> Problem {
    match error {
        RunError::Stopped => problem_for_code("checks_stopped", None),
        RunError::CredentialsRefused(why)
        | RunError::Unreachable(why)
        | RunError::Failing(why)
        | RunError::Busy(why)
        | RunError::Gate(why)
        | RunError::NoApi(why) => problem_for_code(error.error_code(), Some(why)),
    }
}

/// Converts a check of the run to its view in the window.
fn to_check_view(view: copresence_validate::run_controller::CheckSnapshot) -> CheckView {
    CheckView {
        id: view.check_id.to_owned(),
        title: view.title.to_owned(),
        level: view.level.lowercase_level().to_owned(),
        verdict: view.verdict.map(|verdict| verdict.as_str().to_owned()),
        findings: view.findings,
        remedy: view.remedy.to_owned(),
        requirements: view.requirements.into_iter().map(str::to_owned).collect(),
    }
}
