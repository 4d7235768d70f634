//! The inspector, with visits at a real sandbox.

use copresence_booth::app::{Kiosk, KioskSetup};
use copresence_booth::inspector::RequirementJudge;
use copresence_booth::view::Screen;
use copresence_booth::view::inspector::{ExchangeView, InspectorView, RequirementVerdictView, TimelineEntry};
use copresence_client::{BackendWithRoutes, Exchange};
use copresence_engine::profile::Profiles;
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend, VisitOverrides};
use copresence_sandbox::{AvatarChoice, ForcedState, SandboxSettings, Server, TesterTokenView};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

struct Fixture {
    root: tempfile::TempDir,
    server: Server,
    kiosk: Kiosk,
}

async fn fixture() -> Fixture {
    copresence_engine::install_crypto_provider();
    let root = tempfile::tempdir().expect("a folder");
    let settings = SandboxSettings { seed: 7, ..SandboxSettings::default() };
    let server = Server::start(settings, ([127, 0, 0, 1], 0).into()).await.expect("a port");
    let known = server.sandbox().accepted_credentials();
    let login = (known.username.clone(), known.password.clone());
    let target = ProfileOrSandboxBackend::target_of_embedded_sandbox(
        server.local_url(),
        &server.qr_link_template(),
        known.api_key.clone(),
        login,
    )
    .expect("a link");
    let profile = Profiles::default().build_profile_by_name("sandbox").expect("built in");
    let data_store = DataStore::open_or_create_data_store(&root.path().join("data")).expect("a data folder");
    let kiosk = Kiosk::new(KioskSetup {
        profile,
        target,
        data_store,
        overrides: VisitOverrides { poll_interval: Some(Duration::from_millis(50)), ..VisitOverrides::default() },
        phone_address: None,
        asset_base: "avatar://localhost".into(),
    });
    Fixture { root, server, kiosk }
}

fn no_rules(_: &Exchange, _: &BackendWithRoutes) -> Vec<RequirementVerdictView> {
    Vec::new()
}

impl Fixture {
    /// A visit that has its code: its id, and its token.
    async fn invited(&self) -> (String, String) {
        self.kiosk.start_visit_or_show_consent();
        let mut snapshots = self.kiosk.watch_latest_snapshot();
        let found = snapshots.wait_for(|snapshot| matches!(snapshot.screen, Screen::Invite { .. }));
        let found = tokio::time::timeout(Duration::from_secs(20), found).await.expect("in time");
        let Screen::Invite { visit, link, .. } = found.expect("it lives").screen.clone() else {
            unreachable!("waited for")
        };
        let token = link.split_once("exportToken=").expect("a link with a token").1.to_owned();
        (visit, token)
    }

    fn token(&self, token: &str) -> TesterTokenView {
        let tokens = self.server.sandbox().sandbox_state().tokens;
        tokens.into_iter().find(|known| known.token == token).expect("it made it")
    }

    fn exchanges(&self, visit: &str) -> Vec<ExchangeView> {
        let shown = self
            .kiosk
            .inspector()
            .build_inspector_view_of_visit_or_newest(Some(visit), &no_rules)
            .shown
            .expect("remembered");
        let exchanges = shown.entries.into_iter().filter_map(|entry| match entry {
            TimelineEntry::Exchange { exchange } => Some(*exchange),
            TimelineEntry::Step { .. } => None,
        });
        exchanges.collect()
    }

    fn har(&self, visit: &str) -> String {
        let path = self.kiosk.inspector().save_har(self.kiosk.data_store(), visit).expect("saved");
        assert!(path.starts_with(self.root.path().join("data/inspector")), "{}", path.display());
        std::fs::read_to_string(path).expect("reads")
    }
}

fn count(exchanges: &[ExchangeView], call: &str) -> u64 {
    exchanges.iter().filter(|exchange| exchange.call == call).count() as u64
}

/// Waits until the inspector, as it tells by itself, shows something.
async fn wait_for_view(fixture: &Fixture, wanted: impl Fn(&InspectorView) -> bool) -> InspectorView {
    let (send, mut views) = mpsc::unbounded_channel();
    let rules: Arc<RequirementJudge> = Arc::new(no_rules);
    let inspector = fixture.kiosk.inspector().clone();
    let telling = async move {
        inspector.stream_inspector_views(None, rules, std::future::pending(), |view| send.send(view).is_ok()).await;
    };
    let heard = async {
        loop {
            let view = views.recv().await.expect("it tells");
            if wanted(&view) {
                return view;
            }
        }
    };
    tokio::select! {
        () = telling => panic!("it ended"),
        view = tokio::time::timeout(Duration::from_secs(30), heard) => view.expect("in time"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_visits_have_their_own_exchanges_without_secrets() {
    let fixture = fixture().await;
    let (first, one) = fixture.invited().await;
    let sandbox = fixture.server.sandbox();
    sandbox.associate_avatar(&one, &AvatarChoice::New, None).expect("scanned");
    // Whoever was seen as scanned goes on behind the next visitor.
    let mut snapshots = fixture.kiosk.watch_latest_snapshot();
    let making = snapshots.wait_for(|snapshot| matches!(snapshot.screen, Screen::Making { .. }));
    drop(tokio::time::timeout(Duration::from_secs(20), making).await.expect("in time"));
    fixture.kiosk.return_to_start();
    let (second, two) = fixture.invited().await;
    sandbox.force_token_state(&one, ForcedState::Complete).expect("made");
    let is_over = |visit: &str, view: &InspectorView| {
        view.visits.iter().any(|known| known.visit == visit && known.ended.as_deref() == Some("saved"))
    };
    let view = wait_for_view(&fixture, |view| is_over(&first, view)).await;
    assert_eq!(view.visits.iter().map(|v| v.visit.as_str()).collect::<Vec<_>>(), [&second, &first]);
    fixture.kiosk.stop_visits_for_shutdown().await;

    let (of_first, of_second) = (fixture.exchanges(&first), fixture.exchanges(&second));
    for (exchanges, token) in [(&of_first, &one), (&of_second, &two)] {
        assert_eq!(count(exchanges, "redeem"), fixture.token(token).redeems);
        assert_eq!(count(exchanges, "generate"), 1);
    }
    assert_eq!(count(&of_first, "login") + count(&of_second, "login"), 1, "the session token is shared");
    assert_eq!(count(&of_first, "download"), fixture.token(&one).downloads.len() as u64);
    assert_eq!(count(&of_second, "download"), 0);
    let delivers = |exchange: &ExchangeView| {
        let body: Value = serde_json::from_str(exchange.response_body.as_deref()?).ok()?;
        Some(body.get("payload_complete")?.as_array()?.len())
    };
    let delivered: Vec<_> = of_first.iter().filter_map(delivers).collect();
    assert_eq!(delivered, [fixture.token(&one).downloads.len()]);
    assert_eq!(of_second.iter().filter_map(delivers).count(), 0);

    let views = [&first, &second].map(|visit| {
        serde_json::to_string(
            &fixture.kiosk.inspector().build_inspector_view_of_visit_or_newest(Some(visit), &no_rules),
        )
        .expect("plain data")
    });
    let hars = [&first, &second].map(|visit| fixture.har(visit));
    let known = sandbox.accepted_credentials();
    let secrets = [
        known.api_key.expose(),
        known.session_token.expose(),
        known.username.expose(),
        known.password.expose(),
        &one,
        &two,
        "\"r:",
    ];
    let host = fixture.server.local_url().to_string();
    for text in views.iter().chain(&hars) {
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
        // Of an address only what anybody may know.
        for (at, _) in text.match_indices(&host) {
            let path = &text[at + host.len()..];
            let shown = ["…", "login", "generateExportToken", "redeemExportToken", "phone?exportToken=…", "\"", "\\\""];
            assert!(shown.iter().any(|known| path.starts_with(known)), "{}", &path[..80.min(path.len())]);
        }
    }
    let curls: Vec<_> = of_first.iter().map(|exchange| exchange.curl.as_str()).collect();
    for variable in
        ["$COPRESENCE_API_KEY", "$COPRESENCE_PASSWORD", "$COPRESENCE_SESSION_TOKEN", "$EXPORT_TOKEN", "$DOWNLOAD_URL"]
    {
        assert!(curls.iter().any(|curl| curl.contains(variable)), "{variable}");
    }
    assert!(curls.iter().all(|curl| !curl.contains('…')), "{curls:?}");
    let entries = |har: &str| {
        let har: Value = serde_json::from_str(har).expect("JSON");
        har["log"]["entries"].as_array().expect("a list").len()
    };
    assert_eq!(hars.map(|har| entries(&har)), [of_first.len(), of_second.len()]);

    let id = first.parse().expect("an id");
    copresence_engine::history::forget_visit(fixture.kiosk.data_store(), &id).await.expect("forgotten");
    let left = std::fs::read_dir(fixture.root.path().join("data/inspector")).expect("a folder");
    let left: Vec<_> = left.map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(left.len() == 1 && left[0].to_string_lossy().contains(&second), "{left:?}");
}

#[tokio::test]
async fn an_unknown_visit_has_no_har() {
    let fixture = fixture().await;
    let refused = fixture.kiosk.inspector().save_har(fixture.kiosk.data_store(), "nobody").expect_err("refused");
    assert_eq!(refused.code, "not_recorded");
}
