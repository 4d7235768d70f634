//! Tests of the panel with real parts: a data folder, the sandbox with its servers, a keychain in memory, and the
//! commands through Tauri's mock runtime.

mod acts;
mod commands;
mod history;
mod integrator;
mod lanes;

use crate::avatar_protocol::AVATAR_BASE_URL;
use crate::simulator::EmbeddedSandbox;
use copresence_booth::app::{Kiosk, KioskSetup};
use copresence_booth::panel::{
    HostStepAfterAction, OpenedBackendAndClosedReason, Panel, PinLock, ProfileAndCredentialSources, SettingsFileHandle,
};
use copresence_booth::view::panel::{KioskModeView, PanelAction, PanelView};
use copresence_booth::view::{Problem, Screen, Snapshot};
use copresence_engine::SecretString;
use copresence_engine::clock::Clock;
use copresence_engine::credentials::CredentialStore;
use copresence_engine::setup::{DataStore, VisitOverrides};
use copresence_sandbox::{Sandbox, SandboxSettings};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Longer than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// A profile that needs credentials (nothing listens at its URL), and an invalid one.
const LIVE: &str = "[profiles.live]\napi_url = \"http://127.0.0.1:9/api\"\nlink = \"https://b.test/{token}\"\n\
                    [profiles.half]\ntimeout = \"5m\"\n";

pub(crate) struct Booth {
    pub(crate) root: Arc<tempfile::TempDir>,
    pub(crate) credential_store: CredentialStore,
    pub(crate) simulator: Arc<EmbeddedSandbox>,
    pub(crate) clock: Clock,
    pub(crate) kiosk: Kiosk,
    pub(crate) panel: Panel,
}

impl Booth {
    pub(crate) fn new() -> Self {
        let root = Arc::new(tempfile::tempdir().expect("a folder"));
        std::fs::write(root.path().join("profiles.toml"), LIVE).expect("written");
        Self::at(root, CredentialStore::memory_only_store())
    }

    /// Starts the booth in an existing folder. Needs a tokio runtime.
    pub(crate) fn at(root: Arc<tempfile::TempDir>, credential_store: CredentialStore) -> Self {
        copresence_engine::install_crypto_provider();
        let data_store = DataStore::open_or_create_data_store(&root.path().join("data")).expect("a data folder");
        let settings = SandboxSettings { speed: 1000.0, seed: 7, ..SandboxSettings::default() };
        let simulator = Arc::new(EmbeddedSandbox::lazy_sandbox_with_settings(settings));
        let sources = ProfileAndCredentialSources {
            config: Some(root.path().join("profiles.toml")),
            credential_store: credential_store.clone(),
            env: Arc::new(|_| None),
            simulator: simulator.clone(),
        };
        let clock = Clock::default();
        let file = SettingsFileHandle::read_settings_file(data_store.data.clone());
        let set = file.current_settings();
        let name = set.profile.unwrap_or_else(|| "sandbox".to_owned());
        let OpenedBackendAndClosedReason { backend: backend_config, closed_reason: closed } =
            sources.open_backend_or_closed_sandbox(&name, set.phone_access).expect("a sandbox at least");
        let kiosk = Kiosk::new(KioskSetup {
            profile: backend_config.profile,
            target: backend_config.target,
            phone_address: backend_config.phone_address,
            data_store,
            overrides: VisitOverrides::default(),
            asset_base: AVATAR_BASE_URL.to_owned(),
        });
        let pin_lock = PinLock::new(file.clone(), clock.millis_since_clock_creation());
        let panel = Panel::new(kiosk.clone(), pin_lock, file, sources, AVATAR_BASE_URL.to_owned(), name, closed);
        Self { root, credential_store, simulator, clock, kiosk, panel }
    }

    /// Restarts the booth in the same folder with the same keychain.
    pub(crate) async fn restart(self) -> Self {
        self.kiosk.stop_visits_for_shutdown().await;
        self.simulator.stop_sandbox().await;
        Self::at(self.root, self.credential_store)
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub(crate) fn sandbox(&self) -> Sandbox {
        self.simulator.sandbox().expect("started")
    }

    pub(crate) async fn act(&self, act: PanelAction) -> Result<HostStepAfterAction, Problem> {
        self.panel.run_action(act, self.clock.millis_since_clock_creation()).await
    }

    /// Runs an action, and returns the updated panel.
    pub(crate) async fn act_and_view(&self, act: PanelAction) -> PanelView {
        self.act(act).await.expect("done");
        self.panel_view().await
    }

    pub(crate) async fn act_error_code(&self, act: PanelAction) -> String {
        self.act(act).await.expect_err("refused").code
    }

    pub(crate) async fn panel_view(&self) -> PanelView {
        self.panel.load_panel_view(Vec::new()).await.expect("a view")
    }

    /// Kiosk mode, after comparing it with the snapshot's.
    pub(crate) async fn check_kiosk_mode(&self) -> KioskModeView {
        let mode = self.panel_view().await.kiosk_mode;
        assert_eq!(self.kiosk.current_snapshot().booth.kiosk_mode, mode.on);
        mode
    }

    pub(crate) fn closed_code(&self) -> Option<String> {
        self.kiosk.current_snapshot().booth.closed.map(|problem| problem.code)
    }

    pub(crate) async fn wait_for_snapshot(&self, wanted: impl Fn(&Snapshot) -> bool) -> Snapshot {
        let mut snapshots = self.kiosk.watch_latest_snapshot();
        let found = tokio::time::timeout(PATIENCE, snapshots.wait_for(|snapshot| wanted(snapshot))).await;
        found.expect("in time").expect("it lives").clone()
    }

    /// Starts a visit. Returns its id and the token in its link.
    pub(crate) async fn show_code(&self) -> (String, String) {
        self.kiosk.start_visit_or_show_consent();
        let snapshot = self.wait_for_snapshot(|snapshot| matches!(snapshot.screen, Screen::Invite { .. })).await;
        let Screen::Invite { visit, link, .. } = snapshot.screen else { unreachable!("waited for") };
        let (_, token) = link.split_once("exportToken=").expect("a token in the link");
        (visit, token.to_owned())
    }

    /// Completes a visit and leaves its screen. Returns its id.
    pub(crate) async fn complete_visit(&self) -> String {
        let (visit, token) = self.show_code().await;
        self.sandbox().associate_avatar(&token, &copresence_sandbox::AvatarChoice::New, None).expect("scanned");
        self.wait_for_snapshot(|snapshot| matches!(snapshot.screen, Screen::Reveal { .. })).await;
        self.kiosk.return_to_start();
        while !self.kiosk.running_visits().is_empty() {
            tokio::task::yield_now().await;
        }
        visit
    }
}

pub(crate) fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}
