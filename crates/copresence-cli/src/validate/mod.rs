//! `copresence validate`: checks a backend and writes reports.

mod compare;
mod files;
mod known_failures;
mod options;
mod passport;
pub(crate) mod phone_command;
mod render;
mod target;
mod terminal_phone;

pub(crate) use options::ValidateOptions;

use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::{output, signals};
use copresence_engine::clock::Clock;
use copresence_engine::problem::problem_for_code;
use copresence_validate::passport::{NoPassportReason, PassportSigningKey, SignedPassportToWrite, sign_passport};
use copresence_validate::report::change::list_changed_verdicts;
use copresence_validate::{CheckRun, Credentials, Report, RunError, RunPlanWithCosts};
use files::CheckedReportFiles;
use known_failures::KnownFailures;
use passport::PassportFileAndSigningKey;
use render::ValidateRenderer;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use target::BackendAndPhoneDriver;
use tokio_util::sync::CancellationToken;

/// Runs `copresence validate`: checks a backend and writes its reports, or compares two backends. Returns the exit
/// code.
pub(crate) async fn run_validate_command(
    common: &CommonOptions,
    options: ValidateOptions,
) -> Result<u8, CommandFailure> {
    if let Some(path) = &options.verify {
        return passport::run_verify_passport(common, path, &options);
    }
    let known_failures = KnownFailures::load_known_failures(&options)?;
    let renderer = ValidateRenderer::new(common, known_failures.failure_policy_during_run().clone());
    if let [first, second] = options.compare.as_slice() {
        return compare::read_or_run_reports_and_print_differences(common, &options, &renderer, first, second).await;
    }
    // Report an unreadable or unwritable file before a token is spent.
    let baseline = options.baseline.as_deref().map(read_report_file).transpose()?;
    let files = CheckedReportFiles::check_report_files(&options)?;
    let passport = PassportFileAndSigningKey::check_passport_path_and_load_key(&options)?;
    let key = passport.as_ref().map(|passport| &passport.key);
    let BackendRunResult { mut report, har, remedy, signed_passport } =
        open_backend_and_run_checks(common, &options, &renderer, key).await?;
    known_failures.save_known_failures_and_judge_report(&mut report);
    let changed = baseline.as_ref().map(|before| list_changed_verdicts(before, &report));
    renderer.print_summary(&report, remedy.as_deref(), changed.as_deref());
    files.write_report_files_or_warn(&report, &har, changed.as_deref());
    if let (Some(passport), Some(signed)) = (passport, signed_passport) {
        passport.write_passport_or_warn(signed);
    }
    Ok(report.exit)
}

/// The result of a run of the checks at one backend.
struct BackendRunResult {
    report: Report,
    /// Every exchange as an HTTP Archive.
    har: serde_json::Value,
    /// What to do about the error that ended the run, if one did.
    remedy: Option<String>,
    /// The passport, if a key was given.
    signed_passport: Option<Result<SignedPassportToWrite, NoPassportReason>>,
}

/// Opens the backend of the selected profile, runs the checks on it, and returns report and HTTP Archive.
async fn open_backend_and_run_checks(
    common: &CommonOptions,
    options: &ValidateOptions,
    renderer: &ValidateRenderer,
    passport_key: Option<&PassportSigningKey>,
) -> Result<BackendRunResult, CommandFailure> {
    let stopping = signals::token_cancelled_by_first_signal(
        "stopping … (the checks done so far are reported; press again to stop at once)",
    );
    let selected = tokio::select! {
        selected = BackendAndPhoneDriver::open_backend_under_test(common, options) => selected?,
        () = stopping.cancelled() => return Err(CommandFailure::interrupted_before_start_error()),
    };
    let done = plan_confirm_and_run_checks(&selected, options, renderer, &stopping, passport_key).await;
    selected.stop_embedded_sandbox().await;
    done
}

/// Prints the plan, asks for confirmation, runs the checks, and returns the report and the HTTP Archive.
async fn plan_confirm_and_run_checks(
    selected: &BackendAndPhoneDriver,
    options: &ValidateOptions,
    renderer: &ValidateRenderer,
    stopping: &CancellationToken,
    passport_key: Option<&PassportSigningKey>,
) -> Result<BackendRunResult, CommandFailure> {
    let limits = options.to_run_options(selected.has_sandbox_phone_driver());
    let plan = RunPlanWithCosts::new(&selected.target, &limits, &selected.phone_driver);
    renderer.print_plan(&selected.target, &plan, selected.has_sandbox_phone_driver());
    refuse_or_confirm_costs(&plan, options)?;
    let clock = Clock::default();
    let began = clock.wall_clock_time();
    let emit = |event: copresence_validate::RunEvent<'_>| renderer.print_run_event(&event);
    let run = CheckRun::new(&selected.target, &limits, &selected.phone_driver, &plan, &emit)
        .map_err(|error| CommandFailure::usage_error(error.to_string()))?;
    let ended = run.run_acts_until_stopped(stopping.cancelled()).await;
    let report = Report::new(&selected.target, &limits, &plan, &ended, (began, clock.wall_clock_time()));
    let remedy = ended.error.as_ref().and_then(|error| remedy_for_run_error(error, &selected.target.credentials));
    let signed_passport = passport_key.map(|key| sign_passport(&report, &ended, key));
    Ok(BackendRunResult { report, har: ended.to_har(), remedy, signed_passport })
}

/// What to do about an error that ended a run. None for a run that was stopped.
fn remedy_for_run_error(error: &RunError, credentials: &Credentials) -> Option<String> {
    match (error, &credentials.remedy_if_credentials_refused) {
        (RunError::Stopped, _) => None,
        (RunError::CredentialsRefused(_), Some(remedy)) => Some(remedy.clone()),
        _ => Some(problem_for_code(error.error_code(), None).hint),
    }
}

/// Asks for confirmation on a terminal, because Export Tokens cost money.
fn refuse_or_confirm_costs(plan: &RunPlanWithCosts, options: &ValidateOptions) -> Result<(), CommandFailure> {
    let asks = !plan.is_free && !options.yes && plan.tokens > 0 && std::io::stdin().is_terminal();
    if !asks {
        return Ok(());
    }
    output::eprint_sanitized_line(format_args!("Continue? [y/N] (--yes skips this question)"));
    output::await_written_output();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" if read.is_ok() => Ok(()),
        _ => Err(CommandFailure::usage_error("nothing was done: the run was not confirmed")),
    }
}

/// Reads a report that an earlier run wrote.
fn read_report_file(path: &Path) -> Result<Report, CommandFailure> {
    let failed = |why: &dyn std::fmt::Display| CommandFailure::usage_error(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    Report::from_json(&text).map_err(|error| failed(&error))
}
