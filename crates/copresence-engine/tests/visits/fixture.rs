//! A data folder, a profile and a backend: what a visit needs.

use super::backend::{Backend, Request, Response};
use copresence_engine::clock::Clock;
use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::profile::{Profile, Profiles};
use copresence_engine::runner::{EventSink, VisitConfig, VisitContext, VisitResult, run_visit};
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend, VisitOverrides, build_config_using_visit_history};
use copresence_engine::{Credentials, NoRecorder, Outcome, install_crypto_provider};
use copresence_protocol::{ApiKey, SessionToken};
use copresence_store::{DetailedVisitRecord, Manifest};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use url::Url;

pub(crate) const API_KEY: &str = "planted-api-key";
pub(crate) const SESSION_TOKEN: &str = "planted-session-token";
pub(crate) const REDEEM_PATH: &str = "/redeemExportToken";
pub(crate) const GENERATE_PATH: &str = "/generateExportToken";
pub(crate) const ETAG: &str = "etag";
pub(crate) const SHORT_PATIENCE: Duration = Duration::from_millis(300);

pub(crate) struct Fixture {
    pub(crate) root: tempfile::TempDir,
    pub(crate) data_store: DataStore,
    pub(crate) backend: Backend,
    pub(crate) profile: Profile,
    pub(crate) target: ProfileOrSandboxBackend,
    events: Arc<Mutex<Vec<VisitEvent>>>,
    event_names: watch::Sender<Vec<&'static str>>,
}

impl Fixture {
    pub(crate) async fn new(script: impl Fn(usize, &Request) -> Response + Send + Sync + 'static) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        Self::with_root(root, Backend::start(script).await)
    }

    /// A backend that delivers one file of this type. `answer` answers the n-th request for it.
    pub(crate) async fn with_one_file(
        export_type: &'static str,
        answer: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self::new(move |nth, ask| match ask.path.as_str() {
            REDEEM_PATH => ask.ready_response(&[(export_type, "one")]),
            "/files/one" => answer(nth, ask),
            _ => Response::default(),
        })
        .await
    }

    pub(crate) fn with_root(root: tempfile::TempDir, backend: Backend) -> Self {
        let (data_store, profile, target) = open_data_store_and_target(root.path(), &backend.url);
        Self {
            root,
            data_store,
            backend,
            profile,
            target,
            events: Arc::default(),
            event_names: watch::Sender::default(),
        }
    }

    pub(crate) fn out_dir(&self) -> PathBuf {
        self.root.path().join("out")
    }

    pub(crate) fn overrides(&self) -> VisitOverrides {
        overrides_of_root(self.root.path())
    }

    pub(crate) async fn visit_config(&self) -> VisitConfig {
        let config =
            build_config_using_visit_history(&self.profile, &self.target, &self.data_store, &self.overrides()).await;
        VisitConfig { download_pause: Duration::from_millis(1), ..config }
    }

    pub(crate) fn visit_context(&self) -> VisitContext {
        let (events, words) = (self.events.clone(), self.event_names.clone());
        let event_sink: EventSink = Arc::new(move |event: VisitEvent| {
            words.send_modify(|words| words.push(event.kind.event_name()));
            events.lock().expect("no panic").push(event);
        });
        let api = self.target.build_api_client(&self.profile, Arc::new(NoRecorder)).expect("credentials");
        let context = self.data_store.context_with_default_recovery_limits(api, Clock::default(), event_sink);
        context.with_profile_recovery_limits(&self.profile)
    }

    /// One visit, to its end.
    pub(crate) async fn run_visit(&self) -> VisitResult {
        self.run_visit_with_limits(|_| {}).await
    }

    /// One visit with other limits, to its end.
    pub(crate) async fn run_visit_with_limits(
        &self,
        change: impl FnOnce(&mut copresence_store::VisitDownloadLimits),
    ) -> VisitResult {
        let mut config = self.visit_config().await;
        change(&mut config.limits);
        run_visit(config, self.visit_context(), CancellationToken::new()).await
    }

    /// A visit in a task of its own, and what interrupts it.
    pub(crate) async fn spawn_visit(&self) -> (tokio::task::JoinHandle<VisitResult>, CancellationToken) {
        let interrupt = CancellationToken::new();
        (tokio::spawn(run_visit(self.visit_config().await, self.visit_context(), interrupt.clone())), interrupt)
    }

    /// One visit that is interrupted at its first event of this name.
    pub(crate) async fn run_visit_until_event(&self, name: &'static str) -> VisitResult {
        let mut events = self.watch_event_names();
        let (visit, interrupt) = self.spawn_visit().await;
        events.wait_for(|names| names.contains(&name)).await.expect("it runs");
        interrupt.cancel();
        visit.await.expect("no panic")
    }

    pub(crate) fn events(&self) -> Vec<EventKind> {
        self.events.lock().expect("no panic").iter().map(|event| event.kind.clone()).collect()
    }

    /// The names of the events as they are emitted.
    pub(crate) fn watch_event_names(&self) -> watch::Receiver<Vec<&'static str>> {
        self.event_names.subscribe()
    }

    pub(crate) fn event_names(&self) -> Vec<&'static str> {
        self.events().iter().map(EventKind::event_name).collect()
    }

    /// The only visit, as another program would read it.
    pub(crate) async fn only_visit(&self) -> DetailedVisitRecord {
        read_only_visit(&self.root.path().join("data")).await
    }
}

/// The data folder below `root`, and the profile and target of the backend at `url`.
pub(crate) fn open_data_store_and_target(root: &Path, url: &Url) -> (DataStore, Profile, ProfileOrSandboxBackend) {
    install_crypto_provider();
    let data_store = DataStore::open_or_create_data_store(&root.join("data")).expect("a data folder");
    let config = root.join("profiles.toml");
    let text = format!(
        "[profiles.test]\napi_url = \"{url}\"\nlink = \"https://app.test/?exportToken={{token}}\"\n\
         patience = \"6s\"\npolling.fastest = \"50ms\"\npolling.fixed = \"50ms\"\n"
    );
    std::fs::write(&config, text).expect("written");
    let profiles = Profiles::load_profiles(Some(&config)).expect("reads");
    let profile = profiles.build_profile_by_name("test").expect("usable");
    let credentials = Credentials {
        api_key: Some(ApiKey::new(API_KEY)),
        session_token: Some(SessionToken::new(SESSION_TOKEN)),
        ..Credentials::default()
    };
    let target = ProfileOrSandboxBackend {
        api_url: url.clone(),
        link: profile.link.clone().expect("a link"),
        credentials,
        is_embedded_sandbox: false,
    };
    (data_store, profile, target)
}

/// The overrides of visits whose avatars are saved below `root`.
pub(crate) fn overrides_of_root(root: &Path) -> VisitOverrides {
    VisitOverrides {
        out_dir: Some(root.join("out")),
        timeout: Some(Duration::from_secs(30)),
        max_file_size: Some(100_000),
        ..VisitOverrides::default()
    }
}

/// Waits for a future in a synchronous callback, on a thread and a runtime of its own.
pub(crate) fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future);
    std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"))
}

/// The only visit of a journal, through a connection of its own.
pub(crate) async fn read_only_visit(data: &Path) -> DetailedVisitRecord {
    let data_store = DataStore::open_or_create_data_store(data).expect("opens");
    let history = data_store.journal.load_all_visits().await.expect("reads");
    let [record] = history.as_slice() else { panic!("one visit, not {}", history.len()) };
    data_store.journal.load_detailed_visit_record(&record.start.id).await.expect("reads").expect("is there")
}

pub(crate) fn manifest(directory: &Path) -> Manifest {
    let json = std::fs::read(directory.join("manifest.json")).expect("a manifest");
    serde_json::from_slice(&json).expect("reads")
}

/// Names in a folder, sorted; none when it is not there.
pub(crate) fn file_names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let name =
        |entry: std::io::Result<std::fs::DirEntry>| entry.expect("an entry").file_name().into_string().expect("a name");
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}

/// A visit whose only file is answered by a script, and what of it was asked.
pub(crate) async fn visit(
    export_type: &'static str,
    file: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
) -> (Fixture, VisitResult) {
    let fixture = Fixture::with_one_file(export_type, file).await;
    let ended = fixture.run_visit().await;
    (fixture, ended)
}

/// As [`visit`], with little patience.
pub(crate) async fn impatient_visit(
    file: impl Fn(usize, &Request) -> Response + Send + Sync + 'static,
) -> (Fixture, VisitResult) {
    let fixture = Fixture::with_one_file("glb", file).await;
    let ended = fixture.run_visit_with_limits(|limits| limits.patience = SHORT_PATIENCE).await;
    (fixture, ended)
}

pub(crate) fn asked(fixture: &Fixture) -> Vec<Request> {
    fixture.backend.requests().into_iter().filter(|ask| ask.path == "/files/one").collect()
}

/// The offsets at which the file was requested.
pub(crate) fn range_starts(fixture: &Fixture) -> Vec<usize> {
    asked(fixture).iter().map(Request::range_start).collect()
}

pub(crate) fn saved(ended: &VisitResult, name: &str) -> Vec<u8> {
    assert_eq!(ended.outcome, Outcome::Saved);
    std::fs::read(ended.directory.as_ref().expect("a folder").join(name)).expect("saved")
}

/// The incomplete folder and why its file is missing.
pub(crate) fn incomplete(fixture: &Fixture, ended: &VisitResult) -> (PathBuf, String) {
    assert_eq!(ended.outcome.exit_code(), 7, "{ended:?}");
    let directory = ended.directory.clone().expect("what came is kept");
    assert!(directory.starts_with(fixture.data_store.data.incomplete_avatars_path()));
    assert!(file_names(&fixture.out_dir()).is_empty(), "nothing incomplete stands among the avatars");
    let manifest = manifest(&directory);
    assert!(!manifest.complete && manifest.files.is_empty());
    (directory, manifest.missing[0].reason.clone())
}

/// Checks that a visit ended for now, with everything kept, and returns its message.
pub(crate) async fn interrupted(fixture: &Fixture, ended: &VisitResult) -> String {
    let Outcome::DownloadInterrupted(why) = &ended.outcome else { panic!("{ended:?}") };
    assert_eq!((ended.outcome.exit_code(), ended.outcome.error_code()), (6, "download_interrupted"));
    assert_eq!(ended.directory, None, "nothing is set aside as incomplete");
    let visit = fixture.only_visit().await.visit;
    assert!(visit.is_unfinished);
    assert_eq!(visit.ending.expect("ended").visit_state, "saving");
    assert!(why.contains("avatar.glb: ") && why.contains("127.0.0.1:"), "file and server are named: {why}");
    why.clone()
}
