//! `copresence load`: many virtual consoles at once, in this process or as a worker of a Locust master.

mod options;
mod phone;
mod render;
mod target;

pub(crate) use options::LoadOptions;

use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use crate::output_file::{DeferredOutputFile, OutputFileReadPermission};
use crate::{output, signals};
use copresence_engine::clock::Clock;
use copresence_load::locust::{WorkerConfig, WorkerError, run_worker};
use copresence_load::prometheus::MetricsServer;
use copresence_load::report::{ReportPlan, ReportRunDetails, ReportTarget, render_html_report};
use copresence_load::{LoadReport, PreparedLoadRun};
use render::LoadRenderer;
use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::time::Duration;
use target::LoadTarget;
use tokio_util::sync::CancellationToken;

/// Time limit for a worker's wait until its master can be reached.
const MASTER_WAIT_TIMEOUT: Duration = Duration::from_mins(5);

/// Runs `copresence load`, and returns the exit code.
pub(crate) async fn run_load_command(common: &CommonOptions, options: LoadOptions) -> Result<u8, CommandFailure> {
    // Report an unwritable file before a token is spent.
    let files = CheckedReportFiles::check_report_files(&options)?;
    let stopping = signals::token_cancelled_by_first_signal(
        "stopping; requests in flight are awaited first (again to stop at once) …",
    );
    let target = tokio::select! {
        target = LoadTarget::open_load_target(common, &options) => target?,
        () = stopping.cancelled() => return Err(CommandFailure::interrupted_before_start_error()),
    };
    let exit = if options.worker {
        run_as_locust_worker(common, &options, &target, &stopping).await
    } else {
        run_load_in_this_process(common, &options, &target, files, &stopping).await
    };
    target.stop_embedded_sandbox().await;
    exit
}

/// Runs the consoles in this process, and writes the reports.
async fn run_load_in_this_process(
    common: &CommonOptions,
    options: &LoadOptions,
    target: &LoadTarget,
    files: CheckedReportFiles,
    stopping: &CancellationToken,
) -> Result<u8, CommandFailure> {
    let plan = options.to_load_plan(target.phone.is_some())?;
    let console = target.to_simulated_console_visit_plan(options);
    refuse_or_confirm_costs(target, options)?;
    let client = target.build_unrecorded_client()?;
    let report_plan = ReportPlan::new(&plan, &console, target.phone_word);
    let run = PreparedLoadRun::new(&client, plan, console, target.phone.clone());
    let metrics = match options.prometheus {
        Some(address) => Some(start_metrics_server(address, &run).await?),
        None => None,
    };
    let report_target = to_report_target(target);
    let renderer = LoadRenderer::new(common, run.shared_statistics());
    renderer.print_load_test_start(&report_target, &report_plan, metrics.as_ref().map(MetricsServer::listen_address));
    let clock = Clock::default();
    let started_at = clock.wall_clock_time();
    let end = {
        let running = run.run_plan_until_stop_and_log_out(stopping);
        tokio::select! {
            end = running => end,
            never = renderer.show_progress_forever() => match never {},
        }
    };
    let context = ReportRunDetails {
        target: report_target,
        plan: report_plan,
        started_at,
        ended_at: clock.monotonic_timestamp(),
        end,
    };
    let report = LoadReport::new(context, &run.shared_statistics(), &options.thresholds);
    renderer.print_summary(&report);
    files.write_load_report_files_or_warn(&report);
    Ok(report.exit)
}

/// Lets a Locust master control the consoles.
async fn run_as_locust_worker(
    common: &CommonOptions,
    options: &LoadOptions,
    target: &LoadTarget,
    stopping: &CancellationToken,
) -> Result<u8, CommandFailure> {
    refuse_or_confirm_costs(target, options)?;
    let config = WorkerConfig {
        // clap requires it.
        master_host: options.master_host.clone().unwrap_or_default(),
        master_port: options.master_port,
        master_patience: MASTER_WAIT_TIMEOUT,
        pause: options.pause,
        console: target.to_simulated_console_visit_plan(options),
    };
    let client = target.build_unrecorded_client()?;
    let notice = |text: String| output::eprint_sanitized_line(format_args!("{text}"));
    let ended = run_worker(&client, config, target.phone.clone(), stopping, &notice).await;
    match ended {
        Ok(summary) => {
            render::print_worker_summary(common, &summary);
            Ok(if stopping.is_cancelled() { 130 } else { 0 })
        }
        Err(error @ WorkerError::MasterUnreachable { .. }) => {
            output::eprint_sanitized_line(format_args!("error: {error}"));
            Ok(6)
        }
        Err(error @ WorkerError::CredentialsRefused) => {
            output::eprint_sanitized_line(format_args!("error: {error}"));
            Ok(3)
        }
    }
}

/// Starts the endpoint for Prometheus.
async fn start_metrics_server(
    address: std::net::SocketAddr,
    run: &PreparedLoadRun,
) -> Result<MetricsServer, CommandFailure> {
    MetricsServer::bind_and_serve_metrics(address, run.shared_statistics())
        .await
        .map_err(|error| CommandFailure::usage_error(format!("--prometheus {address}: cannot listen: {error}")))
}

/// Converts the target to the backend as the report names it.
fn to_report_target(target: &LoadTarget) -> ReportTarget {
    ReportTarget {
        profile: target.profile.name.clone(),
        api_url: target.backend.api_url.to_string(),
        is_sandbox: target.is_sandbox,
    }
}

/// Refuses to spend tokens of a real backend without a limit, and asks for confirmation.
fn refuse_or_confirm_costs(target: &LoadTarget, options: &LoadOptions) -> Result<(), CommandFailure> {
    if target.is_sandbox {
        return Ok(());
    }
    let host = target.backend.host_and_port();
    let Some(limit) = options.max_tokens else {
        return Err(CommandFailure::usage_error(format!(
            "{host} is not a sandbox, so every visit costs an Export Token: state the largest number with --max-tokens"
        )));
    };
    output::eprint_sanitized_line(format_args!(
        "This run requests up to {limit} Export Tokens at {host}, which are billed and mostly lost."
    ));
    if options.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(CommandFailure::usage_error(
            "nothing was done: confirm the costs with --yes, or run this on a terminal",
        ));
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

/// The report files named on the command line.
struct CheckedReportFiles {
    report: Option<DeferredOutputFile>,
    html: Option<DeferredOutputFile>,
}

impl CheckedReportFiles {
    /// Checks the report files before the run.
    fn check_report_files(options: &LoadOptions) -> Result<Self, CommandFailure> {
        let check = |path: Option<&Path>, flag: &str| {
            let checked = path.map(|path| {
                DeferredOutputFile::check_output_file_can_be_written(path, OutputFileReadPermission::Default)
                    .map_err(|error| CommandFailure::usage_error(format!("{flag} {}: {error}", path.display())))
            });
            checked.transpose()
        };
        Ok(Self {
            report: check(options.report.as_deref(), "--report")?,
            html: check(options.html.as_deref(), "--html")?,
        })
    }

    /// Writes the files; only warns about those that fail.
    fn write_load_report_files_or_warn(self, report: &LoadReport) {
        if let Some(file) = self.report {
            write_load_report_or_warn(&file, Ok(report.to_json()));
        }
        if let Some(file) = self.html {
            write_load_report_or_warn(&file, render_html_report(report).map_err(|error| error.to_string()));
        }
    }
}

/// Writes a report, and prints its path, or a warning if that failed.
fn write_load_report_or_warn(file: &DeferredOutputFile, text: Result<String, String>) {
    let written = text.and_then(|text| file.replace_output_bytes(text.as_bytes()).map_err(|error| error.to_string()));
    let path = file.path().display();
    match written {
        Ok(()) => output::eprint_sanitized_line(format_args!("Wrote {path}")),
        Err(error) => output::eprint_sanitized_line(format_args!("warning: {path} could not be written: {error}")),
    }
}
