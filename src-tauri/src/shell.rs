//! The life of the window, from start to exit.

use crate::args::Args;
use crate::backend;
use crate::checks::Checks;
use crate::commands::WINDOW;
use crate::simulator::Embedded;
use crate::{Failure, avatar_protocol, commands, window};
use kiosk::app::{Kiosk, Setup};
use kiosk::clock::Clock;
use kiosk::credentials::Vault;
use kiosk::panel::{Gate, Opened, Panel, SettingsFile, Sources};
use kiosk::setup::{Disk, Overrides};
use std::fs::{File, TryLockError};
use std::sync::Arc;
use std::time::Duration;
use tauri::{AppHandle, Builder, RunEvent, Runtime};

/// How long visits may take to write their end when the program is closed; a redeem in flight may need it.
const FAREWELL: Duration = Duration::from_secs(15);

/// Opens the window and returns when it is closed.
///
/// # Errors
/// When the data folder, the backend or the window cannot be opened, and when another window uses the data folder.
pub(crate) fn run(args: &Args) -> Result<u8, Failure> {
    let disk = open_disk(args)?;
    let _only_one = only_one(&disk)?;
    let settings = SettingsFile::open(disk.data.clone());
    let simulator = Arc::new(Embedded::new(args));
    let sources = Sources {
        config: args.config.clone(),
        vault: Vault::os(),
        env: Arc::new(|name| std::env::var(name).ok()),
        simulator: simulator.clone(),
    };
    let (profile, opened) = tauri::async_runtime::block_on(backend::open(args, &settings, &sources))?;
    let Opened { backing, closed } = opened;
    let kiosk = Kiosk::new(Setup {
        phones_at: backing.phones_at,
        target: backing.target,
        profile: backing.profile,
        disk,
        overrides: Overrides { out: args.out.clone(), ..Overrides::default() },
        asset_base: avatar_protocol::BASE.to_owned(),
    });
    let clock = Clock::default();
    let gate = Gate::new(settings.clone(), clock.moment());
    let asset_base = avatar_protocol::BASE.to_owned();
    let panel = Panel::new(kiosk.clone(), gate, settings, sources, asset_base, profile, closed);
    if args.kiosk {
        panel.start_in_kiosk_mode();
    }
    if panel.kiosk_mode().on && !panel.gate().state(clock.moment()).pin_set {
        tracing::warn!("kiosk mode without a PIN: whoever opens the panel first chooses it (F10)");
    }
    let app = build(Builder::default(), kiosk.clone(), panel.clone(), clock)
        .build(tauri::generate_context!())
        .map_err(|error| Failure::usage(format!("the window cannot be opened: {error}")))?;
    // Its tasks need the runtime.
    tauri::async_runtime::block_on(async { kiosk.finish_left_over() });
    window::open(app.handle(), args.full_screen)
        .map_err(|error| Failure::usage(format!("the window cannot be opened: {error}")))?;
    if let Err(error) = window::apply(app.handle(), &panel) {
        tracing::error!(%error, "the window is not as the operator set it");
    }
    tauri::async_runtime::spawn(async move { panel.keep_watch().await });
    close_on_signal(app.handle().clone());
    app.run(move |app, event| match event {
        // The program ends with the visitor's window, also while the phone's window is open.
        RunEvent::WindowEvent { label, event: tauri::WindowEvent::Destroyed, .. } if label == WINDOW => {
            app.exit(0);
        }
        RunEvent::Exit => {
            let (kiosk, simulator) = (kiosk.clone(), simulator.clone());
            tauri::async_runtime::block_on(async move {
                if tokio::time::timeout(FAREWELL, kiosk.stop()).await.is_err() {
                    tracing::warn!("a visit did not end in time; `copresence recover` finishes it");
                }
                simulator.stop().await;
            });
        }
        _ => {}
    });
    Ok(0)
}

/// Removes the PIN, for an operator who forgot it and has a shell on this machine.
///
/// # Errors
/// When a window uses the data folder, or the settings cannot be written.
pub(crate) fn forget_pin(args: &Args) -> Result<u8, Failure> {
    let disk = open_disk(args)?;
    let _only_one = only_one(&disk)?;
    Gate::forget_pin(&SettingsFile::open(disk.data.clone())).map_err(Failure::usage)?;
    eprintln!("The PIN is forgotten; the next opening of the panel asks for a new one.");
    Ok(0)
}

fn open_disk(args: &Args) -> Result<Disk, Failure> {
    let data_dir = args.data_dir.clone().unwrap_or_else(Disk::default_path);
    Disk::open(&data_dir).map_err(Failure::usage)
}

/// Builds the application for any runtime: the real one, or that of tests.
pub(crate) fn build<R: Runtime>(builder: Builder<R>, kiosk: Kiosk, panel: Panel, clock: Clock) -> Builder<R> {
    builder
        .manage(kiosk)
        .manage(panel.gate().clone())
        .manage(panel)
        .manage(clock)
        .manage(commands::Listener::default())
        .manage(commands::Inspecting::default())
        .manage(commands::Following::default())
        .manage(Checks::default())
        .manage(window::Guard::default())
        .manage(window::Heart::default())
        .on_window_event(window::on_window_event)
        .register_asynchronous_uri_scheme_protocol(avatar_protocol::SCHEME, avatar_protocol::answer)
        .invoke_handler(commands::handler())
}

/// Locks the data folder for this window. The lock ends with the process, so a crash leaves none.
fn only_one(disk: &Disk) -> Result<File, Failure> {
    let path = disk.data.path().join("window.lock");
    let refused = |error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(refused)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::usage(format!(
            "another window of the kiosk already works on {}; close it, or give this one its own --data-dir",
            disk.data.path().display()
        ))),
        Err(TryLockError::Error(error)) => Err(refused(error)),
    }
}

/// Closes the window in order on Ctrl-C and SIGTERM, which the service manager of a booth sends.
fn close_on_signal(app: AppHandle) {
    tauri::async_runtime::spawn(async move {
        signalled().await;
        app.exit(0);
    });
}

#[cfg(unix)]
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        },
        Err(_) => _ = tokio::signal::ctrl_c().await,
    }
}

#[cfg(not(unix))]
async fn signalled() {
    _ = tokio::signal::ctrl_c().await;
}
