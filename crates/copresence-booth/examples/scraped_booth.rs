//! A booth without a window for the test with Prometheus: a real panel with its metrics endpoint, which serves visitor
//! after visitor until its standard input ends.
//!
//! ```text
//! scraped_booth PROFILES.toml PROFILE DATA_DIR OUT_DIR TOKEN_FILE
//! ```
//!
//! Credentials come from the environment. Prints the address of the endpoint as its only line.

use copresence_booth::app::{Kiosk, KioskSetup};
use copresence_booth::panel::{
    EmbeddedSandboxBackend, EmbeddedSandboxControl, OpenedBackendAndClosedReason, Panel, PinLock,
    ProfileAndCredentialSources, SettingsFileHandle,
};
use copresence_booth::view::Screen;
use copresence_booth::view::panel::SandboxControlsView;
use copresence_engine::clock::Clock;
use copresence_engine::credentials::CredentialStore;
use copresence_engine::setup::{DataStore, VisitOverrides};
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

type BoxError = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    copresence_engine::install_crypto_provider();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [profiles, name, data, out, token_file] = arguments.as_slice() else {
        return Err("scraped_booth PROFILES.toml PROFILE DATA_DIR OUT_DIR TOKEN_FILE".into());
    };
    let data_store = DataStore::open_or_create_data_store(Path::new(data))?;
    let sources = ProfileAndCredentialSources {
        config: Some(PathBuf::from(profiles)),
        credential_store: CredentialStore::memory_only_store(),
        env: Arc::new(|name| std::env::var(name).ok()),
        simulator: Arc::new(NoSandbox),
    };
    let OpenedBackendAndClosedReason { backend, closed_reason } = sources
        .open_backend_despite_missing_credentials(name, false)
        .map_err(|problem| format!("{}: {}", problem.operator, problem.hint))?;
    let kiosk = Kiosk::new(KioskSetup {
        profile: backend.profile,
        target: backend.target,
        data_store: data_store.clone(),
        overrides: VisitOverrides { out_dir: Some(PathBuf::from(out)), ..VisitOverrides::default() },
        phone_address: None,
        asset_base: String::new(),
    });
    let settings = SettingsFileHandle::read_settings_file(data_store.data.clone());
    let pin_lock = PinLock::new(settings.clone(), Clock::default().millis_since_clock_creation());
    let panel = Panel::new(kiosk.clone(), pin_lock, settings, sources, String::new(), name.clone(), closed_reason);
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    panel.start_metrics_endpoint(Some(any_port), Some(PathBuf::from(token_file))).await;
    println!(
        "{}",
        panel.running_metrics_endpoint_address().ok_or("the metrics endpoint did not start; stderr says why")?
    );
    let end_of_input =
        tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
    tokio::select! {
        served = serve_visitors(&kiosk) => served?,
        read = end_of_input => drop(read?),
    }
    kiosk.stop_visits_for_shutdown().await;
    Ok(())
}

/// Serves one visitor after the other.
async fn serve_visitors(kiosk: &Kiosk) -> Result<(), BoxError> {
    let mut snapshots = kiosk.watch_latest_snapshot();
    loop {
        kiosk.start_visit_or_show_consent();
        snapshots.wait_for(|snapshot| matches!(snapshot.screen, Screen::Reveal { .. } | Screen::Ended { .. })).await?;
        kiosk.return_to_start();
    }
}

/// In place of the embedded sandbox, which this booth does not have.
struct NoSandbox;

const NO_SANDBOX: &str = "this booth has no sandbox";

impl EmbeddedSandboxControl for NoSandbox {
    fn start_sandbox_if_needed(&self) -> Result<EmbeddedSandboxBackend, String> {
        Err(NO_SANDBOX.to_owned())
    }

    fn set_sandbox_phone_access(&self, _: bool) -> Result<EmbeddedSandboxBackend, String> {
        Err(NO_SANDBOX.to_owned())
    }

    fn sandbox_controls_view(&self) -> Option<SandboxControlsView> {
        None
    }

    fn set_scenario(&self, _: &str) -> Result<(), String> {
        Err(NO_SANDBOX.to_owned())
    }

    fn set_clock_speed(&self, _: f64) -> Result<(), String> {
        Err(NO_SANDBOX.to_owned())
    }

    fn add_fault(&self, _: &str, _: &str, _: bool) -> Result<(), String> {
        Err(NO_SANDBOX.to_owned())
    }

    fn clear_faults(&self) {}

    fn record_avatar_for_link_token(&self, _: &str) -> Result<(), String> {
        Err(NO_SANDBOX.to_owned())
    }
}
