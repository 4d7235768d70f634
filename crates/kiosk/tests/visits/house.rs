//! A data folder, a profile and a backend: what a visit needs.

use super::backend::{Ask, Backend, Reply};
use kiosk::clock::Clock;
use kiosk::drive::{Ended, Order, Parts, Teller, drive};
use kiosk::line::{Line, LineEvent};
use kiosk::profile::{Profile, Profiles};
use kiosk::setup::{Disk, Overrides, Target, order};
use kiosk::{Credentials, NoRecorder, install_crypto_provider};
use protocol::{ApiKey, SessionToken};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::{Manifest, VisitDetail};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub(crate) const API_KEY: &str = "planted-api-key";
pub(crate) const SESSION: &str = "planted-session-token";
pub(crate) const REDEEM: &str = "/redeemExportToken";
pub(crate) const GENERATE: &str = "/generateExportToken";

pub(crate) struct House {
    pub(crate) root: tempfile::TempDir,
    pub(crate) disk: Disk,
    pub(crate) backend: Backend,
    pub(crate) profile: Profile,
    pub(crate) target: Target,
    lines: Arc<Mutex<Vec<Line>>>,
    words: watch::Sender<Vec<&'static str>>,
}

impl House {
    pub(crate) async fn new(script: impl Fn(usize, &Ask) -> Reply + Send + Sync + 'static) -> Self {
        let root = tempfile::tempdir().expect("a folder");
        Self::at(root, Backend::start(script).await)
    }

    pub(crate) fn at(root: tempfile::TempDir, backend: Backend) -> Self {
        install_crypto_provider();
        let disk = Disk::open(&root.path().join("data")).expect("a data folder");
        let config = root.path().join("profiles.toml");
        let text = format!(
            "[profiles.test]\napi_url = \"{}\"\nlink = \"https://app.test/?exportToken={{token}}\"\n\
             polling.fastest = \"50ms\"\npolling.fixed = \"50ms\"\n",
            backend.url
        );
        std::fs::write(&config, text).expect("written");
        let profiles = Profiles::load(Some(&config)).expect("reads");
        let profile = profiles.get("test").expect("usable");
        let credentials = Credentials {
            api_key: Some(ApiKey::new(API_KEY)),
            session_token: Some(SessionToken::new(SESSION)),
            ..Credentials::default()
        };
        let target = Target {
            api_url: backend.url.clone(),
            link: profile.link.clone().expect("a link"),
            credentials,
            embedded_sandbox: false,
        };
        Self { root, disk, backend, profile, target, lines: Arc::default(), words: watch::Sender::default() }
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.root.path().join("out")
    }

    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            out: Some(self.out()),
            timeout: Some(Duration::from_secs(30)),
            max_file_size: Some(100_000),
            ..Overrides::default()
        }
    }

    pub(crate) async fn order(&self) -> Order {
        let order = order(&self.profile, &self.target, &self.disk, &self.overrides()).await;
        Order { download_pause: Duration::from_millis(1), ..order }
    }

    pub(crate) fn parts(&self) -> Parts {
        let (lines, words) = (self.lines.clone(), self.words.clone());
        let teller: Teller = Arc::new(move |line: Line| {
            words.send_modify(|words| words.push(line.event.word()));
            lines.lock().expect("no panic").push(line);
        });
        let api = self.target.api(&self.profile, Arc::new(NoRecorder)).expect("credentials");
        self.disk.parts(api, Clock::default(), teller)
    }

    /// One visit, to its end.
    pub(crate) async fn visit(&self) -> Ended {
        self.visit_within(|_| {}).await
    }

    /// One visit with other limits, to its end.
    pub(crate) async fn visit_within(&self, change: impl FnOnce(&mut store::VisitLimits)) -> Ended {
        let mut order = self.order().await;
        change(&mut order.limits);
        drive(order, self.parts(), CancellationToken::new()).await
    }

    /// A visit in a task of its own, and what interrupts it.
    pub(crate) async fn begin(&self) -> (tokio::task::JoinHandle<Ended>, CancellationToken) {
        let interrupt = CancellationToken::new();
        (tokio::spawn(drive(self.order().await, self.parts(), interrupt.clone())), interrupt)
    }

    pub(crate) fn lines(&self) -> Vec<LineEvent> {
        self.lines.lock().expect("no panic").iter().map(|line| line.event.clone()).collect()
    }

    /// The words of the lines as they are told.
    pub(crate) fn watch(&self) -> watch::Receiver<Vec<&'static str>> {
        self.words.subscribe()
    }

    pub(crate) fn words(&self) -> Vec<&'static str> {
        self.lines().iter().map(LineEvent::word).collect()
    }

    /// The only visit, as another program would read it.
    pub(crate) async fn only(&self) -> VisitDetail {
        look(&self.root.path().join("data")).await
    }
}

/// Waits for a future in a synchronous callback, on a thread and a runtime of its own.
pub(crate) fn block_on<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let run = || tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(future);
    std::thread::scope(|scope| scope.spawn(run).join().expect("no panic"))
}

/// The only visit of a journal, through a connection of its own.
pub(crate) async fn look(data: &Path) -> VisitDetail {
    let disk = Disk::open(data).expect("opens");
    let history = disk.journal.history().await.expect("reads");
    let [record] = history.as_slice() else { panic!("one visit, not {}", history.len()) };
    disk.journal.visit(&record.start.id).await.expect("reads").expect("is there")
}

pub(crate) fn manifest(directory: &Path) -> Manifest {
    let json = std::fs::read(directory.join("manifest.json")).expect("a manifest");
    serde_json::from_slice(&json).expect("reads")
}

/// Names in a folder, sorted; none when it is not there.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.expect("an entry").file_name().into_string().expect("a name")
    };
    let mut names: Vec<_> = entries.map(name).collect();
    names.sort();
    names
}
