//! The worker at a master that the tests play.

use crate::support::{CountingSandbox, console_plan};
use copresence_load::locust::{WorkerConfig, WorkerSummary, run_worker};
use copresence_load::{ApiClient, ConsoleVisitPlan};
use copresence_sandbox::{BuiltInScenarioName, faults};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use zeromq::{RouterSocket, Socket, SocketRecv, SocketSend, ZmqMessage};

/// Time limit for everything that a test waits for.
const PATIENCE: Duration = Duration::from_secs(90);

/// A Locust master with one worker.
struct PlayedMaster {
    socket: RouterSocket,
    port: u16,
    /// The address of the worker's connection.
    worker: Option<bytes::Bytes>,
}

/// How many users the master demands.
#[derive(Serialize)]
struct SpawnJob {
    timestamp: f64,
    user_classes_count: BTreeMap<&'static str, u64>,
}

/// The users in a report.
#[derive(Debug, PartialEq, Deserialize)]
struct ReportedUsers {
    user_count: u64,
    user_classes_count: BTreeMap<String, u64>,
}

impl PlayedMaster {
    async fn start() -> Self {
        let mut socket = RouterSocket::new();
        let endpoint = socket.bind("tcp://127.0.0.1:0").await.expect("a port").to_string();
        let port = endpoint.rsplit_once(':').expect("a port").1.parse().expect("a number");
        Self { socket, port, worker: None }
    }

    /// Receives the next message of the worker: its kind and its bytes.
    async fn receive_message(&mut self) -> (String, Vec<u8>) {
        let message = tokio::time::timeout(PATIENCE, self.socket.recv()).await.expect("in time").expect("a message");
        self.worker = message.get(0).cloned();
        let bytes = message.iter().last().expect("a frame").to_vec();
        let (kind, _, _): (String, serde::de::IgnoredAny, String) = rmp_serde::from_slice(&bytes).expect("a message");
        (kind, bytes)
    }

    async fn send_message(&mut self, kind: &str, data: impl Serialize) {
        let bytes = rmp_serde::to_vec_named(&(kind, data, "worker")).expect("plain data");
        let mut message = ZmqMessage::from(bytes);
        message.push_front(self.worker.clone().expect("a worker"));
        self.socket.send(message).await.expect("sent");
    }

    async fn accept_worker(&mut self) {
        while self.receive_message().await.0 != "client_ready" {}
        self.send_message("ack", ()).await;
    }

    /// Accepts the worker, and demands so many users.
    async fn accept_worker_and_spawn(&mut self, users: u64) {
        self.accept_worker().await;
        let job = SpawnJob { timestamp: 1.0, user_classes_count: BTreeMap::from([("Console", users)]) };
        self.send_message("spawn", job).await;
    }

    /// Demands users, and waits until the worker says how many run.
    async fn spawn_and_receive_running_users(&mut self, job: SpawnJob) -> u64 {
        self.send_message("spawn", job).await;
        loop {
            let (kind, bytes) = self.receive_message().await;
            if kind == "spawning_complete" {
                let (_, users, _): (String, ReportedUsers, String) = rmp_serde::from_slice(&bytes).expect("users");
                return users.user_count;
            }
        }
    }

    /// Waits for the next report.
    async fn receive_reported_users(&mut self) -> ReportedUsers {
        loop {
            let (kind, bytes) = self.receive_message().await;
            if kind == "stats" {
                let (_, users, _): (String, ReportedUsers, String) = rmp_serde::from_slice(&bytes).expect("a report");
                return users;
            }
        }
    }

    /// Starts a worker of this master.
    fn start_worker(&self, sandbox: &CountingSandbox, console: ConsoleVisitPlan) -> JoinHandle<WorkerSummary> {
        let config = WorkerConfig {
            master_host: "127.0.0.1".to_owned(),
            master_port: self.port,
            master_patience: PATIENCE,
            pause: Duration::from_millis(10),
            console,
        };
        let (api, phone): (ApiClient, _) = (sandbox.client(), sandbox.phone());
        tokio::spawn(async move {
            run_worker(&api, config, Some(phone), &CancellationToken::new(), &|_| {}).await.expect("a summary")
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redeem_in_flight_is_answered_and_counted_after_quit() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::ExistingAvatar, 1.0).await;
    // The redeem has its effect at once, and its answer comes much later than the master waits after `quit`.
    let list = r#"[{"on": "redeem", "do": {"delay": {"ms": 2500, "spends": true}}}]"#;
    let list = faults::parse_and_check_faults(list.as_bytes()).expect("faults");
    sandbox.server.sandbox().set_faults(list).expect("set");
    let mut master = PlayedMaster::start().await;
    let worker = master.start_worker(&sandbox, console_plan());
    master.accept_worker_and_spawn(1).await;
    let redeems = || sandbox.server.sandbox().sandbox_state().tokens.iter().map(|token| token.redeems).sum::<u64>();
    let in_flight = async {
        while redeems() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, in_flight).await.expect("a redeem");
    master.send_message("quit", ()).await;
    let summary = worker.await.expect("no panic");
    let redeem = summary.figures.find_endpoint_figures("redeem").expect("the redeem");
    assert_eq!((redeem.requests, redeem.statuses.get(&200).copied()), (redeems(), Some(redeems())));
    let tokens = &summary.figures.tokens;
    assert_eq!((tokens.issued, tokens.spent + tokens.unspent), (1, 1), "{tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn users_that_may_request_no_more_tokens_are_not_reported_as_running() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::ExistingAvatar, 1.0).await;
    let mut master = PlayedMaster::start().await;
    let worker = master.start_worker(&sandbox, ConsoleVisitPlan { max_tokens: Some(3), ..console_plan() });
    master.accept_worker_and_spawn(2).await;
    let ended = ReportedUsers { user_count: 0, user_classes_count: BTreeMap::from([("Console".to_owned(), 0)]) };
    while master.receive_reported_users().await != ended {}
    assert_eq!(sandbox.server.sandbox().sandbox_state().tokens.len(), 3);
    master.send_message("quit", ()).await;
    let tokens = worker.await.expect("no panic").figures.tokens;
    assert_eq!((tokens.issued, tokens.spent), (3, 3), "{tokens:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn job_for_too_many_users_is_refused() {
    let sandbox = CountingSandbox::start(BuiltInScenarioName::ExistingAvatar, 1.0).await;
    let mut master = PlayedMaster::start().await;
    let worker = master.start_worker(&sandbox, console_plan());
    master.accept_worker().await;
    let jobs = [(&[("A", u64::MAX), ("B", u64::MAX)][..], 0), (&[("A", 2)], 2), (&[("A", 50_001), ("B", 50_000)], 2)];
    for (timestamp, (users, running)) in (1_u32..).zip(jobs) {
        let job = SpawnJob { timestamp: timestamp.into(), user_classes_count: users.iter().copied().collect() };
        assert_eq!(master.spawn_and_receive_running_users(job).await, running, "{users:?}");
    }
    master.send_message("quit", ()).await;
    worker.await.expect("no panic");
}
