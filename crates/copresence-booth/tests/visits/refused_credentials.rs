//! A refusal of the credentials closes the booth, so that no visitor's start locks the account.

use super::backend::{Request, Response};
use super::fixture::{API_KEY, Fixture, GENERATE_PATH, REDEEM_PATH};
use super::window::{is_invite, until};
use copresence_booth::app::{Kiosk, KioskSetup};
use copresence_booth::panel::{
    EmbeddedSandboxBackend, EmbeddedSandboxControl, OpenedBackendAndClosedReason, Panel, PinLock,
    ProfileAndCredentialSources, SettingsFileHandle,
};
use copresence_booth::view::Screen;
use copresence_booth::view::panel::{PanelAction, SandboxControlsView};
use copresence_engine::clock::Clock;
use copresence_engine::credentials::{CredentialKind, CredentialStore};
use std::sync::Arc;

const LOGIN_PATH: &str = "/login";
const WRONG: &str = "planted-wrong-password";

/// There is no sandbox in this booth.
struct NoSandbox;

impl EmbeddedSandboxControl for NoSandbox {
    fn start_sandbox_if_needed(&self) -> Result<EmbeddedSandboxBackend, String> {
        Err("none".to_owned())
    }
    fn set_sandbox_phone_access(&self, _: bool) -> Result<EmbeddedSandboxBackend, String> {
        Err("none".to_owned())
    }
    fn record_avatar_for_link_token(&self, _: &str) -> Result<(), String> {
        Err("none".to_owned())
    }
    fn sandbox_controls_view(&self) -> Option<SandboxControlsView> {
        None
    }
    fn set_scenario(&self, _: &str) -> Result<(), String> {
        Err("none".to_owned())
    }
    fn set_clock_speed(&self, _: f64) -> Result<(), String> {
        Err("none".to_owned())
    }
    fn add_fault(&self, _: &str, _: &str, _: bool) -> Result<(), String> {
        Err("none".to_owned())
    }
    fn clear_faults(&self) {}
}

/// A booth whose credentials are in a keychain of its own.
struct Booth {
    fixture: Fixture,
    credential_store: CredentialStore,
    kiosk: Kiosk,
    panel: Panel,
}

/// Accepts every login but the first `refusals`.
async fn booth(refusals: usize) -> Booth {
    let fixture = Fixture::new(move |nth, ask: &Request| match ask.path.as_str() {
        LOGIN_PATH if nth <= refusals => {
            Response::json(&serde_json::json!({"code": 101, "error": "Invalid username/password."})).with_status(404)
        }
        LOGIN_PATH => Response::json(&serde_json::json!({"sessionToken": "r:from-the-login"})),
        REDEEM_PATH => Response::not_ready("no_associated_avatar"),
        _ => Response::default(),
    })
    .await;
    let credential_store = CredentialStore::memory_only_store();
    for (kind, value) in [
        (CredentialKind::ApiKey, API_KEY),
        (CredentialKind::Username, "jane@partner.test"),
        (CredentialKind::Password, WRONG),
    ] {
        credential_store.set_credential("test", kind, &value.into()).expect("memory");
    }
    let sources = ProfileAndCredentialSources {
        config: Some(fixture.root.path().join("profiles.toml")),
        credential_store: credential_store.clone(),
        env: Arc::new(|_| None),
        simulator: Arc::new(NoSandbox),
    };
    let OpenedBackendAndClosedReason { backend, closed_reason } =
        sources.open_backend_despite_missing_credentials("test", false).expect("usable");
    let kiosk = Kiosk::new(KioskSetup {
        profile: backend.profile,
        target: backend.target,
        data_store: fixture.data_store.clone(),
        overrides: fixture.overrides(),
        phone_address: None,
        asset_base: "avatar://localhost".into(),
    });
    let settings = SettingsFileHandle::read_settings_file(fixture.data_store.data.clone());
    let pin_lock = PinLock::new(settings.clone(), Clock::default().millis_since_clock_creation());
    let (base, name) = ("avatar://localhost".to_owned(), "test".to_owned());
    let panel = Panel::new(kiosk.clone(), pin_lock, settings, sources, base, name, closed_reason);
    Booth { fixture, credential_store, kiosk, panel }
}

impl Booth {
    fn is_closed(&self) -> bool {
        self.kiosk.current_snapshot().booth.closed.is_some()
    }

    fn logins(&self) -> usize {
        self.fixture.backend.count_requests(LOGIN_PATH)
    }

    /// A visitor starts, and the backend refuses the credentials.
    async fn start_refused_visit(&self) {
        assert!(!self.is_closed());
        self.kiosk.start_visit_or_show_consent();
        until(&self.kiosk, |screen| matches!(screen, Screen::Ended { .. })).await;
        self.kiosk.return_to_start();
    }
}

#[tokio::test]
async fn a_wrong_password_at_a_booth_closes_it_after_one_login() {
    let booth = booth(usize::MAX).await;
    booth.start_refused_visit().await;
    let closed = booth.kiosk.current_snapshot().booth.closed.expect("closed");
    assert_eq!(closed.code, "credentials_refused");
    assert!(closed.operator.contains("Invalid username/password."), "the backend's own words: {}", closed.operator);
    assert!(closed.operator.contains("Enter api-key, username, password again"), "the source: {}", closed.operator);
    assert!(closed.operator.contains("profile `test`"), "{}", closed.operator);
    assert!(!format!("{closed:?}").contains(WRONG));
    for _ in 0..3 {
        booth.kiosk.start_visit_or_show_consent();
        booth.panel.reopen_closed_booth_if_backend_opens().await;
    }
    assert_eq!(booth.kiosk.current_snapshot().screen, Screen::Attract, "no visit begins");
    assert_eq!((booth.logins(), booth.is_closed()), (1, true));
    booth.kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn other_credentials_open_the_booth_wherever_they_were_set() {
    let booth = booth(2).await;
    booth.start_refused_visit().await;
    booth
        .credential_store
        .set_credential("test", CredentialKind::Password, &"planted-other-password".into())
        .expect("memory");
    booth.panel.reopen_closed_booth_if_backend_opens().await;
    booth.start_refused_visit().await;
    assert_eq!(booth.logins(), 2);
    let act = PanelAction::SetCredential { slot: "password".to_owned(), value: "planted-third-password".into() };
    booth.panel.run_action(act, Clock::default().millis_since_clock_creation()).await.expect("done");
    assert!(!booth.is_closed());
    booth.kiosk.start_visit_or_show_consent();
    until(&booth.kiosk, is_invite).await;
    assert_eq!((booth.logins(), booth.fixture.backend.count_requests(GENERATE_PATH)), (3, 1));
    booth.kiosk.stop_visits_for_shutdown().await;
}

#[tokio::test]
async fn the_operator_may_try_the_same_credentials_again() {
    let booth = booth(1).await;
    booth.start_refused_visit().await;
    let view = booth.panel.load_panel_view(Vec::new()).await.expect("a view");
    assert_eq!(view.refused_credentials, booth.kiosk.current_snapshot().booth.closed);
    let act = PanelAction::RetryCredentials;
    booth.panel.run_action(act, Clock::default().millis_since_clock_creation()).await.expect("done");
    assert_eq!(booth.panel.load_panel_view(Vec::new()).await.expect("a view").refused_credentials, None);
    assert!(!booth.is_closed());
    booth.kiosk.start_visit_or_show_consent();
    until(&booth.kiosk, is_invite).await;
    assert_eq!(booth.logins(), 2);
    booth.kiosk.stop_visits_for_shutdown().await;
}
