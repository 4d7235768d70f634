//! A simulated process: the real engine over a simulated network, until it is done or ends by a crash.

use crate::backend::{self, API_URL};
use crate::disturbance::OutageStart;
use crate::judge::{AvatarFolders, Ending, judge_ending, judge_retry};
use crate::network::ProcessNetwork;
use crate::truth::World;
use copresence_client::{ApiClient, BackendWithRoutes, Credentials, NoRecorder, Timeouts};
use copresence_engine::clock::Clock;
use copresence_engine::events::{EventKind, VisitEvent};
use copresence_engine::recovery::{UnfinishedVisit, recover_all_visits, recover_visits_capping_total_redeems};
use copresence_engine::runner::{
    DEFAULT_DOWNLOAD_PAUSE, EventSink, VisitConfig, VisitContext, VisitStopSignals, run_visit,
};
use copresence_engine::setup::DataStore;
use copresence_protocol::{ApiKey, Password, Username};
use copresence_store::simulation::{InMemoryJournalDatabase, SimulatedProcessEndSignal};
use copresence_store::{DataDir, Journal, StoreError, VisitDownloadLimits, VisitId};
use copresence_visit::PollingConfig;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::sleep;

/// What a process does, in this order.
#[derive(Debug, Clone)]
pub(crate) struct Errand {
    /// Recovers the visits whose attempt is due.
    pub(crate) recovers_due: bool,
    /// Recovers every unfinished visit.
    pub(crate) recovers_all: bool,
    /// Runs these visits one after another.
    pub(crate) visits: Vec<PlannedVisit>,
}

/// A visit that a process runs.
#[derive(Debug, Clone)]
pub(crate) struct PlannedVisit {
    pub(crate) id: VisitId,
    pub(crate) timeout: Duration,
    /// When the program is stopped, and when the visitor leaves, after the start of the visit.
    pub(crate) interrupted: Option<Duration>,
    pub(crate) visitor_leaves: Option<Duration>,
}

/// When a process ends by a crash.
#[derive(Debug, Clone)]
pub(crate) enum Crash {
    /// At this time after its start.
    AfterTime(Duration),
    /// Instead of its poll with this number.
    AtPoll(u64),
    /// Instead of its request with this number to the journal.
    AtJournalRequest(u64),
    /// At this time after its first download began.
    DuringDownload(Duration),
}

/// The folder of a world.
#[derive(Clone)]
pub(crate) struct Folder {
    pub(crate) root: PathBuf,
    pub(crate) journal: InMemoryJournalDatabase,
}

impl Folder {
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    pub(crate) fn avatars(&self) -> AvatarFolders {
        AvatarFolders { out_dir: self.root.join("out"), incomplete: self.data().join("incomplete") }
    }

    /// Opens the data folder as a process does.
    pub(crate) fn open(&self, end: SimulatedProcessEndSignal) -> Result<DataStore, StoreError> {
        let data = DataDir::open_data_dir_removing_leftovers(&self.data())?;
        let journal = data.open_journal_for_simulation(&self.journal, end);
        Ok(DataStore { data: Arc::new(data), journal })
    }
}

/// Runs a process to its end. Returns whether it ended by a crash. `observer` reads the journal afterwards.
pub(crate) async fn run_process(
    world: World,
    folder: Folder,
    observer: Journal,
    process: u32,
    errand: Errand,
    crash: Option<Crash>,
) -> Result<bool, StoreError> {
    world.lock().note(|| format!("p{process} starts: {errand:?}, crash {crash:?}"));
    let end = match crash {
        Some(Crash::AtJournalRequest(number)) => SimulatedProcessEndSignal::process_ending_at_request_number(number),
        _ => SimulatedProcessEndSignal::process_without_request_limit(),
    };
    let data_store = folder.open(end.clone())?;
    if process > 1 {
        let mut truth = world.lock();
        let now = truth.now();
        truth.weather.begin_outages(OutageStart::AtRestart, now);
    }
    let polls_left = match crash {
        Some(Crash::AtPoll(number)) => number,
        _ => u64::MAX,
    };
    let first_download = Arc::new(Notify::new());
    let has_begun = Arc::clone(&first_download);
    let death: Pin<Box<dyn Future<Output = ()>>> = match crash {
        Some(Crash::AfterTime(time)) => Box::pin(sleep(time)),
        Some(Crash::DuringDownload(time)) => Box::pin(async move {
            has_begun.notified().await;
            sleep(time).await;
        }),
        _ => Box::pin(std::future::pending()),
    };
    let work = Box::pin(run_errand(world.clone(), folder, data_store, process, errand, first_download));
    let crashed = Mortal { work: Some(work), end, polls_left, death }.await;
    world.lock().note(|| format!("p{process} {}", if crashed { "crashes" } else { "is done" }));
    if crashed {
        // At once: another console may recover a visit before the next group of processes.
        for visit in observer.load_all_visits().await?.iter().filter(|visit| visit.is_unfinished) {
            if let Some(record) = world.lock().visits.get_mut(&visit.start.id) {
                record.crashes += 1;
            }
        }
    }
    Ok(crashed)
}

/// Work that may end by a crash at any of its polls.
struct Mortal<F> {
    work: Option<Pin<Box<F>>>,
    end: SimulatedProcessEndSignal,
    polls_left: u64,
    /// Resolves when the process ends.
    death: Pin<Box<dyn Future<Output = ()>>>,
}

impl<F: Future<Output = ()>> Future for Mortal<F> {
    type Output = bool;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<bool> {
        let this = &mut *self;
        this.polls_left = this.polls_left.saturating_sub(1);
        let is_over = this.polls_left == 0 || this.death.as_mut().poll(context).is_ready();
        let done = match &mut this.work {
            Some(work) if !is_over => work.as_mut().poll(context).is_ready(),
            _ => false,
        };
        if is_over || this.end.has_simulated_process_ended() {
            this.end.end_simulated_process();
            this.work = None;
            return Poll::Ready(true);
        }
        if done { Poll::Ready(false) } else { Poll::Pending }
    }
}

/// The work of a process.
async fn run_errand(
    world: World,
    folder: Folder,
    data_store: DataStore,
    process: u32,
    errand: Errand,
    first_download: Arc<Notify>,
) {
    let current_visit = Arc::new(Mutex::new(None));
    let network = ProcessNetwork { world: world.clone(), process, visit: Arc::clone(&current_visit), first_download };
    let api = simulated_client().with_simulated_network(Arc::new(network));
    let event_sink = event_sink(world.clone(), folder.avatars());
    let clock = Clock::default();
    let context = data_store.context_with_default_recovery_limits(api, clock, event_sink);
    let find_context = |_: &UnfinishedVisit| -> Result<VisitContext, String> { Ok(context.clone()) };
    if errand.recovers_due {
        let stop = VisitStopSignals::default().interrupted;
        let recovered =
            recover_visits_capping_total_redeems(&data_store, clock, &find_context, &|_| false, &stop).await;
        note_recovered(&world, process, &recovered);
    }
    if errand.recovers_all {
        let recovered = recover_all_visits(&data_store, &find_context).await;
        note_recovered(&world, process, &recovered);
    }
    for visit in errand.visits {
        if let Ok(mut current) = current_visit.lock() {
            *current = Some(visit.id);
        }
        let signals = VisitStopSignals::default();
        for (delay, signal) in
            [(visit.interrupted, &signals.interrupted), (visit.visitor_leaves, &signals.visitor_left)]
        {
            if let Some(delay) = delay {
                let signal = signal.clone();
                tokio::spawn(async move {
                    sleep(delay).await;
                    signal.cancel();
                });
            }
        }
        {
            let mut truth = world.lock();
            let began = truth.now();
            truth.visits.entry(visit.id).or_default().began = began;
        }
        run_visit(visit_config(&visit, &folder.avatars().out_dir), context.clone(), signals).await;
    }
}

fn note_recovered<T: std::fmt::Debug>(world: &World, process: u32, recovered: &T) {
    world.lock().note(|| format!("p{process} recovered {recovered:?}"));
}

/// A client as the product makes it. Its sockets are replaced before it sends anything.
fn simulated_client() -> ApiClient {
    let url = API_URL.parse().expect("a URL");
    let credentials = Credentials {
        api_key: Some(ApiKey::new("api-key")),
        login: Some((Username::new("user"), Password::new("password"))),
        ..Credentials::default()
    };
    let backend = BackendWithRoutes::copresence_backend_from_url(url);
    ApiClient::new(backend, credentials, Timeouts::default(), Arc::new(NoRecorder)).expect("complete credentials")
}

/// Tells the world what a visit shows and how it ends.
fn event_sink(world: World, folders: AvatarFolders) -> EventSink {
    Arc::new(move |event: VisitEvent| {
        let mut truth = world.lock();
        truth.note(|| format!("{} {:?}", event.visit, event.kind));
        match event.kind {
            EventKind::Invited { link, .. } => {
                let token = link.rsplit('=').next().unwrap_or_default();
                backend::show_token(&mut truth, event.visit, token);
            }
            EventKind::Ended { code, exit, message, visit_state } => {
                let ending = Ending { code: &code, exit, message: &message, visit_state: &visit_state };
                judge_ending(&mut truth, &folders, event.visit, &ending);
            }
            EventKind::Retrying { code, message, .. } => judge_retry(&mut truth, event.visit, &code, &message),
            _ => {}
        }
    })
}

fn visit_config(visit: &PlannedVisit, out_dir: &Path) -> VisitConfig {
    VisitConfig {
        id: visit.id,
        profile: "simulated".to_owned(),
        api_url: API_URL.to_owned(),
        backend_host: "api.simulated.test".to_owned(),
        link: "https://app.test/?exportToken={token}".parse().expect("a template"),
        out_dir: out_dir.to_owned(),
        polling: PollingConfig { usual_processing: Duration::from_secs(20), ..PollingConfig::default() },
        timeout: visit.timeout,
        token_lifetime: None,
        required_exports: Vec::new(),
        limits: VisitDownloadLimits { min_free_space: 0, ..VisitDownloadLimits::default() },
        download_pause: DEFAULT_DOWNLOAD_PAUSE,
        ephemeral: false,
    }
}
