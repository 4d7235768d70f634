//! The life of the window, from start to exit.

use crate::args::Args;
use crate::awake::ScreenAwakeController;
use crate::backend;
use crate::checks::CheckRunner;
use crate::simulator::EmbeddedSandbox;
use crate::window::{KIOSK_WINDOW, PageWatchdog};
use crate::{StartError, avatar_protocol, commands, graphics, window};
use copresence_booth::app::{Kiosk, KioskSetup};
use copresence_booth::panel::{
    OpenedBackendAndClosedReason, Panel, PinLock, ProfileAndCredentialSources, SettingsFileHandle,
};
use copresence_engine::clock::Clock;
use copresence_engine::credentials::{CredentialStore, EnvironmentCredentials};
use copresence_engine::health::qr_distance::check_qr_reading_distance;
use copresence_engine::setup::{DataStore, VisitOverrides};
use copresence_engine::{ExistingContentHandling, open_private_file_for_writing};
use secrecy::{ExposeSecret as _, SecretString};
use std::fs::{File, TryLockError};
use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::sync::Arc;
use std::time::Duration;
use tauri::{AppHandle, Builder, Manager as _, RunEvent, Runtime};

/// How long visits may take to write their end when the program is closed. A redeem in flight is awaited, with the
/// default timeouts of a profile for up to 70 s until its headers.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(75);

/// Most bytes that are read of a PIN from a pipe. Longer than any PIN that is allowed.
const MAX_PIN_LINE_BYTES: u64 = 256;

/// Opens the window and returns when it is closed. Credentials and all other variables are read from `environment`.
///
/// # Errors
/// When the data folder, the backend or the window cannot be opened, and when another window uses the data folder.
pub(crate) fn run_window_until_closed(args: &Args, environment: EnvironmentCredentials) -> Result<u8, StartError> {
    let data_store = open_chosen_or_default_data_store(args)?;
    let _only_one = lock_data_folder(&data_store)?;
    let settings = SettingsFileHandle::read_settings_file(data_store.data.clone());
    let simulator = Arc::new(EmbeddedSandbox::new(args));
    let sources = ProfileAndCredentialSources {
        config: args.config.clone(),
        credential_store: CredentialStore::keychain_backed_store(),
        env: Arc::new({
            let environment = environment.clone();
            move |name| environment.read_credential_or_env_variable(name)
        }),
        simulator: simulator.clone(),
    };
    let (profile, opened) =
        tauri::async_runtime::block_on(backend::open_startup_backend_or_start_closed(args, &settings, &sources))?;
    let OpenedBackendAndClosedReason { backend: backend_config, closed_reason: closed } = opened;
    let kiosk = Kiosk::new(KioskSetup {
        phone_address: backend_config.phone_address,
        target: backend_config.target,
        profile: backend_config.profile,
        data_store,
        overrides: VisitOverrides { out_dir: args.out.clone(), ..VisitOverrides::default() },
        asset_base: avatar_protocol::AVATAR_BASE_URL.to_owned(),
    });
    let clock = Clock::default();
    let pin_lock = PinLock::new(settings.clone(), clock.millis_since_clock_creation());
    let asset_base = avatar_protocol::AVATAR_BASE_URL.to_owned();
    let panel = Panel::new(kiosk.clone(), pin_lock, settings, sources, asset_base, profile, closed);
    if args.kiosk {
        panel.force_kiosk_mode_on();
    }
    if panel.active_kiosk_mode_view().on
        && !panel.pin_lock().pin_lock_view(true, clock.millis_since_clock_creation()).pin_set
    {
        tracing::warn!(
            "kiosk mode without a PIN: for ten minutes, whoever opens the panel first (F10) chooses it; \
             `copresence-kiosk --set-pin` sets it from a shell"
        );
    }
    let app = build_app_for_any_runtime(Builder::default(), kiosk.clone(), panel.clone(), clock)
        .build(tauri::generate_context!())
        .map_err(|error| StartError::usage(format!("the window cannot be opened: {error}")))?;
    // Its tasks need the runtime.
    tauri::async_runtime::block_on(async {
        kiosk.restore_live_tickets().await;
        panel.start_metrics_endpoint(args.metrics, args.metrics_token_file.clone()).await;
        kiosk.spawn_recovery_of_earlier_visits();
    });
    window::open_kiosk_window(app.handle(), args.full_screen)
        .map_err(|error| StartError::usage(format!("the window cannot be opened: {error}")))?;
    if let Err(error) = window::place_window_as_configured(app.handle(), &panel) {
        tracing::error!(%error, "the window is not as the operator set it");
    }
    let awake = ScreenAwakeController::default();
    set_host_health_checks(&panel, awake.clone());
    {
        let panel = panel.clone();
        tauri::async_runtime::spawn(async move { awake.keep_screen_awake_by_settings(panel).await });
    }
    tauri::async_runtime::spawn(async move { panel.run_periodic_booth_tasks_forever().await });
    tauri::async_runtime::spawn({
        let (simulator, tickets) = (simulator.clone(), kiosk.subscribe_sandbox_tickets());
        async move { simulator.show_tickets_on_phones(tickets).await }
    });
    exit_on_signal(app.handle().clone());
    app.run(move |app, event| match event {
        // The program ends with the visitor's window, also while the phone's window is open.
        RunEvent::WindowEvent { label, event: tauri::WindowEvent::Destroyed, .. } if label == KIOSK_WINDOW => {
            app.exit(0);
        }
        RunEvent::Exit => {
            let (kiosk, simulator) = (kiosk.clone(), simulator.clone());
            tauri::async_runtime::block_on(async move {
                if tokio::time::timeout(SHUTDOWN_TIMEOUT, kiosk.stop_visits_for_shutdown()).await.is_err() {
                    tracing::warn!("a visit did not end in time; `copresence recover` finishes it");
                }
                simulator.stop_sandbox().await;
            });
            if app.state::<PageWatchdog>().should_restart_with_graphics_workaround() {
                let variables = graphics::workaround_variables_with_reason("no frame was drawn without it");
                let error = environment.restart_with_piped_credentials(&variables);
                tracing::error!(%error, "the program cannot be started again with the graphics workaround");
            }
        }
        _ => {}
    });
    Ok(0)
}

/// Adds the checks of screen and graphics to the panel's *Health*.
fn set_host_health_checks(panel: &Panel, awake: ScreenAwakeController) {
    panel.set_host_health_checks(Arc::new(move |panel| {
        let link = panel.read_link_template_of_new_visits();
        vec![
            awake.report_awake_health(panel),
            graphics::report_graphics_workaround_health(),
            check_qr_reading_distance(&link),
        ]
    }));
}

/// Removes the PIN, for an operator who forgot it and has a shell on this machine.
///
/// # Errors
/// When a window uses the data folder, or the settings cannot be written.
pub(crate) fn forget_pin(args: &Args) -> Result<u8, StartError> {
    let data_store = open_chosen_or_default_data_store(args)?;
    let _only_one = lock_data_folder(&data_store)?;
    PinLock::remove_pin_from_settings(&SettingsFileHandle::read_settings_file(data_store.data.clone()))
        .map_err(StartError::usage)?;
    eprintln!("The PIN is forgotten; the next opening of the panel asks for a new one.");
    Ok(0)
}

/// Asks for a PIN twice on the terminal, or reads one line of a pipe, and sets it in place of any other.
///
/// # Errors
/// When the entries differ, the PIN has a length that is not allowed, a window uses the data folder, or the settings
/// cannot be read or written.
pub(crate) fn set_pin(args: &Args) -> Result<u8, StartError> {
    let data_store = open_chosen_or_default_data_store(args)?;
    let _only_one = lock_data_folder(&data_store)?;
    let pin = read_new_pin()?;
    PinLock::replace_pin_without_current_one(&SettingsFileHandle::read_settings_file(data_store.data.clone()), &pin)
        .map_err(StartError::usage)?;
    eprintln!("The PIN is set.");
    Ok(0)
}

/// Reads a PIN: twice from a terminal without showing it, or the first line of a pipe.
fn read_new_pin() -> Result<SecretString, StartError> {
    let unread = |error: io::Error| StartError::usage(format!("the PIN cannot be read: {error}"));
    if !io::stdin().is_terminal() {
        let mut line = String::new();
        io::stdin().lock().take(MAX_PIN_LINE_BYTES).read_line(&mut line).map_err(unread)?;
        line.truncate(line.trim_end_matches(['\r', '\n']).len());
        return Ok(line.into());
    }
    let first = SecretString::from(rpassword::prompt_password("New PIN: ").map_err(unread)?);
    let second = SecretString::from(rpassword::prompt_password("The PIN again: ").map_err(unread)?);
    if first.expose_secret() != second.expose_secret() {
        return Err(StartError::usage("the two entries differ; nothing was changed"));
    }
    Ok(first)
}

/// Opens the data folder of the command line, or the default one.
fn open_chosen_or_default_data_store(args: &Args) -> Result<DataStore, StartError> {
    DataStore::open_or_create_data_store(&args.data_dir_or_default()).map_err(StartError::usage)
}

/// Builds the application for any runtime: the real one, or that of tests.
pub(crate) fn build_app_for_any_runtime<R: Runtime>(
    builder: Builder<R>,
    kiosk: Kiosk,
    panel: Panel,
    clock: Clock,
) -> Builder<R> {
    builder
        .manage(kiosk)
        .manage(panel.pin_lock().clone())
        .manage(panel)
        .manage(clock)
        .manage(commands::SnapshotSubscription::default())
        .manage(commands::InspectorSubscription::default())
        .manage(commands::ChecksSubscription::default())
        .manage(CheckRunner::default())
        .manage(window::KioskWindowState::default())
        .manage(window::PageWatchdog::default())
        .on_window_event(window::refuse_close_in_kiosk_mode)
        .register_asynchronous_uri_scheme_protocol(
            avatar_protocol::AVATAR_SCHEME,
            avatar_protocol::serve_avatar_request_off_main_thread,
        )
        .invoke_handler(commands::command_handler())
}

/// Locks the data folder for this window. The lock ends with the process, so a crash leaves none.
fn lock_data_folder(data_store: &DataStore) -> Result<File, StartError> {
    let path = data_store.data.path().join("window.lock");
    let refused = |error: std::io::Error| StartError::usage(format!("{}: {error}", path.display()));
    let file = open_private_file_for_writing(&path, ExistingContentHandling::Keep).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StartError::usage(format!(
            "another window of the kiosk already works on {}; close it, or give this one its own --data-dir",
            data_store.data.path().display()
        ))),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}

/// Closes the window in order on Ctrl-C and SIGTERM, which the service manager of a booth sends.
fn exit_on_signal(app: AppHandle) {
    tauri::async_runtime::spawn(async move {
        wait_for_signal().await;
        app.exit(0);
    });
}

/// Waits for Ctrl-C or SIGTERM.
#[cfg(unix)]
async fn wait_for_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => _ = tokio::signal::ctrl_c().await,
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
async fn wait_for_signal() {
    _ = tokio::signal::ctrl_c().await;
}
