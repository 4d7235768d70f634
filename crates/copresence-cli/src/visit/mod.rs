//! `copresence visit`: runs one whole visit in the terminal.

mod files;
mod phone;
mod render;

use crate::args::VisitOptions;
use crate::common_options::CommonOptions;
use crate::embedded_sandbox::{build_embedded_sandbox_backend, start_embedded_sandbox};
use crate::failure::CommandFailure;
use crate::remote_target::load_target_prompting_if_keychain_fails;
use crate::{context, recover, signals};
use copresence_engine::clock::Clock;
use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::profile::Profile;
use copresence_engine::runner::{EventSink, run_visit};
use copresence_engine::setup::{DataStore, VisitOverrides, build_config_using_visit_history};
use copresence_engine::{ExchangeRecorder, ExportType, NoRecorder, problem};
use copresence_sandbox::Server;
use files::{HarFile, QrFile};
use phone::SimulatedPhone;
use render::VisitRenderer;
use std::path::PathBuf;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Runs `copresence visit`, and returns the exit code. A failure before the visit starts is also emitted as events.
pub(crate) async fn run_visit_command(common: &CommonOptions, options: VisitOptions) -> Result<u8, CommandFailure> {
    let renderer = Arc::new(VisitRenderer::new(common));
    let ended = prepare_and_run_visit(common, options, renderer.clone()).await;
    if let Err(failure) = &ended {
        emit_events_of_unstarted_visit(&renderer, common, failure);
    }
    ended
}

/// Prepares and runs the visit. Returns an error only before the visit starts; later failures are its outcome.
async fn prepare_and_run_visit(
    common: &CommonOptions,
    options: VisitOptions,
    renderer: Arc<VisitRenderer>,
) -> Result<u8, CommandFailure> {
    let mut profile = context::load_selected_profile(common)?;
    if let Some(poll) = options.poll {
        // An explicit --poll overrides the profile's lower bound.
        profile.polling.fastest = profile.polling.fastest.min(poll);
    }
    let data_store = context::open_data_store(common)?;
    let out = context::prepare_output_folder(common, &profile, &data_store)?;
    let qr = options.qr.as_deref().map(QrFile::new).transpose()?;
    let har = options.har.as_deref().map(HarFile::check_path_and_create_recorder).transpose()?;
    let stopping = signals::token_cancelled_by_first_signal(
        "stopping; a file, a request for a token or a redeem in flight is awaited first (again to stop at once, which can cost \
         its avatar) …",
    );
    recover::recover_earlier_visits_before_new_one(common, &data_store, &stopping).await;
    if stopping.is_cancelled() {
        // The interrupted recovery stays recoverable. No token was requested yet.
        return Err(CommandFailure::interrupted_before_start_error());
    }

    let embedded =
        if profile.uses_embedded_sandbox() { Some(start_embedded_sandbox(&options.world).await?) } else { None };
    let backend = embedded.as_ref().map(Server::local_url).or_else(|| profile.api_url.clone());
    // Some scenarios simulate that the code is never scanned.
    let scanned = |server: &Server| server.sandbox().scenario_of_new_tokens().is_associated_by_autoplay();
    let scans = options.auto && embedded.as_ref().is_none_or(scanned);
    let phone = backend.filter(|_| scans).map(SimulatedPhone::new).transpose()?;
    let surroundings = VisitOutputsAndControls { renderer, out, qr, har, phone, stopping };
    let exit = run_prepared_visit(options, &profile, &data_store, embedded.as_ref(), surroundings).await;
    if let Some(server) = embedded {
        server.shut_down_server().await;
    }
    exit.map_err(|failure| failure.with_remedy_if_credentials_missing(&profile))
}

/// What a visit in the terminal uses: renderer, output folder, QR and HAR files, simulated phone, stop signal.
struct VisitOutputsAndControls {
    renderer: Arc<VisitRenderer>,
    out: PathBuf,
    qr: Option<QrFile>,
    har: Option<HarFile>,
    phone: Option<SimulatedPhone>,
    stopping: CancellationToken,
}

/// Runs the visit to its end with a client for its backend, logs out, writes the HAR archive, and returns the visit's
/// exit code.
async fn run_prepared_visit(
    options: VisitOptions,
    profile: &Profile,
    data_store: &DataStore,
    embedded: Option<&Server>,
    surroundings: VisitOutputsAndControls,
) -> Result<u8, CommandFailure> {
    let target = match embedded {
        Some(server) => build_embedded_sandbox_backend(server)?,
        None => load_target_prompting_if_keychain_fails(profile).await?,
    };
    let recorder: Arc<dyn ExchangeRecorder> = match &surroundings.har {
        Some(har) => har.shared_har_recorder(),
        None => Arc::new(NoRecorder),
    };
    let api = target.build_api_client(profile, recorder)?;
    let session = api.clone();
    let overrides = VisitOverrides {
        out_dir: Some(surroundings.out.clone()),
        timeout: options.timeout,
        poll_interval: options.poll,
        required_exports: options.exports.iter().map(ExportType::new).collect(),
        max_file_size: options.max_file_size.map(|size| size.as_u64()),
    };
    let config = build_config_using_visit_history(profile, &target, data_store, &overrides).await;
    let event_sink = create_event_printing_and_scanning_sink(&surroundings);
    let ended = run_visit(
        config,
        data_store.context_with_default_recovery_limits(api, Clock::default(), event_sink),
        surroundings.stopping.clone(),
    )
    .await;
    session.log_out_own_session().await;
    if let Some(har) = surroundings.har {
        har.write_har_archive_or_warn();
    }
    Ok(ended.outcome.exit_code())
}

/// Prints each event; on the invitation also writes the QR file and lets the simulated phone scan.
fn create_event_printing_and_scanning_sink(surroundings: &VisitOutputsAndControls) -> EventSink {
    let (renderer, qr, phone) = (surroundings.renderer.clone(), surroundings.qr.clone(), surroundings.phone.clone());
    Arc::new(move |event: VisitEvent| {
        renderer.print_event_json_and_text(&event);
        if let EventKind::Invited { link, .. } = &event.kind {
            if let Some(qr) = &qr {
                qr.write_qr_code_or_warn(link);
            }
            if let Some(phone) = &phone {
                phone.associate_avatar_with_link_in_background(link);
            }
        }
    })
}

/// Emits `started` and `ended` for a visit that could not start, with `--json`.
fn emit_events_of_unstarted_visit(renderer: &VisitRenderer, common: &CommonOptions, failure: &CommandFailure) {
    let visit = copresence_engine::history::VisitId::new();
    let clock = Clock::default();
    let api_url = context::load_selected_profile(common).ok().and_then(|profile| profile.api_url);
    let problem = problem::problem_for_code(failure.error_code(), Some(failure.message()));
    let events = [
        EventKind::Started {
            profile: common.selected_profile_name().to_owned(),
            api_url: api_url.as_ref().map(ToString::to_string).unwrap_or_default(),
        },
        EventKind::Ended {
            code: failure.error_code().to_owned(),
            exit: failure.exit_code(),
            message: problem::operator_message_with_hint(&problem),
            visit_state: "issuing".to_owned(),
        },
    ];
    for event in events {
        renderer.print_event_if_json_output(&VisitEvent { visit, at: clock.wall_clock_time(), kind: event });
    }
}
