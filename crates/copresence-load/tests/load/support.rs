//! A sandbox that counts its requests, and consoles that visit it.

use copresence_client::{ApiClient, BackendWithRoutes, Credentials, NoRecorder, Timeouts, install_crypto_provider};
use copresence_load::{
    ArrivalSchedule, BoxFuture, ConsoleVisitPlan, DownloadMode, ExportToken, LoadPlan, LoadTestPhone, PreparedLoadRun,
    RunEnd, Statistics, VisitStartModel,
};
use copresence_sandbox::{AvatarChoice, BuiltInScenarioName, Sandbox, SandboxSettings, Server};
use copresence_visit::PollingConfig;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use url::Url;

/// A sandbox with its own count of requests.
pub(crate) struct CountingSandbox {
    pub(crate) server: Server,
    /// Requests by path and status. A path below `/files/` counts as `/files`.
    counts: Arc<Mutex<BTreeMap<(String, u16), u64>>>,
}

impl CountingSandbox {
    pub(crate) async fn start(scenario: BuiltInScenarioName, speed: f64) -> Self {
        let settings = SandboxSettings { scenario: scenario.into(), speed, ..SandboxSettings::default() };
        let server = Server::start(settings, "127.0.0.1:0".parse().expect("an address")).await.expect("a server");
        let counts = Arc::new(Mutex::new(BTreeMap::new()));
        let counted = counts.clone();
        server.sandbox().add_request_watcher(move |_, line| {
            let path = if line.path.starts_with("/files/") { "/files" } else { &line.path };
            *counted.lock().expect("no panic").entry((path.to_owned(), line.status)).or_default() += 1;
        });
        Self { server, counts }
    }

    /// Requests at a path, with any status.
    pub(crate) fn requests(&self, path: &str) -> u64 {
        let counts = self.counts.lock().expect("no panic");
        counts.iter().filter(|((counted, _), _)| counted == path).map(|(_, count)| count).sum()
    }

    /// Requests at a path, by status.
    pub(crate) fn statuses(&self, path: &str) -> BTreeMap<u16, u64> {
        let counts = self.counts.lock().expect("no panic");
        counts
            .iter()
            .filter(|((counted, _), _)| counted == path)
            .map(|((_, status), count)| (*status, *count))
            .collect()
    }

    pub(crate) fn client(&self) -> ApiClient {
        let accepted = self.server.sandbox().accepted_credentials();
        let credentials = Credentials {
            api_key: Some(accepted.api_key.clone()),
            login: Some((accepted.username.clone(), accepted.password.clone())),
            ..Credentials::default()
        };
        client_of(self.server.local_url(), credentials)
    }

    /// A phone that scans without a request.
    pub(crate) fn phone(&self) -> Arc<dyn LoadTestPhone> {
        Arc::new(SandboxPhone(self.server.sandbox().clone()))
    }
}

pub(crate) fn client_of(url: Url, credentials: Credentials) -> ApiClient {
    install_crypto_provider();
    let backend = BackendWithRoutes::copresence_backend_from_url(url);
    ApiClient::new(backend, credentials, Timeouts::default(), Arc::new(NoRecorder)).expect("a client")
}

struct SandboxPhone(Sandbox);

impl LoadTestPhone for SandboxPhone {
    fn scan_code_and_associate_avatar<'a>(
        &'a self,
        _: &'a str,
        token: &'a ExportToken,
    ) -> BoxFuture<'a, Result<(), String>> {
        // All visits share one avatar, because each new one has to be generated.
        let avatar = self.0.existing_avatars().first().map(|avatar| AvatarChoice::Existing(avatar.id.clone()));
        let result = self.0.associate_avatar(token.expose(), &avatar.expect("an avatar"), None);
        Box::pin(async move { result.map_err(|error| error.to_string()) })
    }
}

/// Consoles that poll often, because the sandbox of a test is fast.
pub(crate) fn console_plan() -> ConsoleVisitPlan {
    ConsoleVisitPlan {
        link: "https://app.test/?exportToken={token}".parse().expect("a template"),
        token_lifetime: None,
        polling: PollingConfig {
            fastest: Duration::from_millis(50),
            fixed: Some(Duration::from_millis(60)),
            ..PollingConfig::default()
        },
        learns_durations: true,
        visit_timeout: Duration::from_secs(150),
        patience: Duration::from_secs(30),
        scan_after: Duration::from_millis(50),
        download: DownloadMode::None,
        redeem_spent_tokens: false,
        max_connections: 100,
        max_tokens: None,
        seed: 1,
    }
}

/// Arrivals of an open model, which may finish within two minutes.
pub(crate) fn open_plan(arrivals: &str, max_consoles: usize) -> LoadPlan {
    let stages =
        arrivals.parse::<ArrivalSchedule>().expect("a schedule").resolve_stage_durations(None).expect("stages");
    let duration = stages.iter().map(|stage| stage.duration).sum();
    LoadPlan {
        model: VisitStartModel::Open { stages, spacing: copresence_load::ArrivalSpacing::Even, max_consoles },
        duration,
        finish_within: Duration::from_mins(2),
    }
}

/// Runs a plan to its end.
pub(crate) async fn run(
    client: &ApiClient,
    plan: LoadPlan,
    console: ConsoleVisitPlan,
    phone: Option<Arc<dyn LoadTestPhone>>,
) -> (RunEnd, Arc<Statistics>) {
    let run = PreparedLoadRun::new(client, plan, console, phone);
    let end = run.run_plan_until_stop_and_log_out(&CancellationToken::new()).await;
    (end, run.shared_statistics())
}
