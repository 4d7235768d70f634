//! The worker's connection to its master, and what it does on the master's demand.

use super::message::{Heartbeat, MessageToMaster, MessageToWorker, SpawnJob};
use super::process_usage::{ProcessorUsageMeter, read_own_resident_memory_bytes};
use super::request_statistics::{LocustStatistics, StatisticsReport, UserCounts};
use crate::console_pool::SimulatedConsolePool;
use crate::exchange_meter::RequestCounter;
use crate::load_context::SharedConsoleState;
use crate::load_plan::ConsoleVisitPlan;
use crate::phone::LoadTestPhone;
use crate::statistics::LoadFigures;
use copresence_client::ApiClient;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;
use zeromq::util::PeerIdentity;
use zeromq::{DealerSocket, Socket, SocketOptions, SocketRecv, SocketSend, ZmqMessage};

/// Interval of the heartbeats, as in Locust.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);
/// Interval of the reports, as in Locust.
const REPORT_INTERVAL: Duration = Duration::from_secs(3);
/// Time without a message of the master after which the worker connects again.
const MASTER_TIMEOUT: Duration = Duration::from_secs(10);
/// Time allowed for the acknowledgement of a new connection.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Pause between attempts to connect.
const PAUSE_BETWEEN_CONNECTION_ATTEMPTS: Duration = Duration::from_secs(1);
/// Maximum number of consoles of a worker. They need about 1 GB of memory.
const MAX_CONSOLES: usize = 100_000;
/// Time after `quit` within which the master still counts a report.
const SEND_TIME_AFTER_QUIT: Duration = Duration::from_millis(300);

/// Time after `quit` in which calls in flight may be answered: longer than a call may take.
const FINISH_TIME_AFTER_QUIT: Duration = Duration::from_mins(1);

/// The master, and how the consoles behave.
#[derive(Debug, Clone)]
pub struct WorkerConfig {
    /// Name or address of the master's machine.
    pub master_host: String,
    /// The master's port for workers; 5557 unless it was changed.
    pub master_port: u16,
    /// How long the master may be unreachable before the worker ends. Its consoles stop meanwhile.
    pub master_patience: Duration,
    /// Time between two visits of a console.
    pub pause: Duration,
    /// How the consoles visit.
    pub console: ConsoleVisitPlan,
}

/// Why a worker ended early.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// The master cannot be reached, or does not answer.
    #[error(
        "no Locust master answers at {address}: {reason}; start one with `locust --master`, or check --master-host and --master-port"
    )]
    MasterUnreachable {
        /// Host and port.
        address: String,
        /// What happened last.
        reason: String,
    },
    /// The backend refused the credentials, so no further visit was started.
    #[error("the backend refused the credentials; the consoles of this worker were stopped")]
    CredentialsRefused,
}

/// What a worker did.
#[derive(Debug, Clone)]
pub struct WorkerSummary {
    /// The figures of all its visits since it started.
    pub figures: LoadFigures,
    /// Requests in the reports of the last test.
    pub reported_requests: u64,
    /// Failures in the reports of the last test.
    pub reported_failures: u64,
}

/// What ended a connection to the master.
enum ConnectionEndReason {
    /// The master sent `quit`.
    Quit,
    /// This worker was stopped.
    Stopped,
    /// The backend refused the credentials.
    CredentialsRefused,
    /// The connection failed, or the master is silent or asked for a new connection.
    Reconnect(String),
}

/// A worker, across connections.
struct Worker {
    id: String,
    endpoint: String,
    context: Arc<SharedConsoleState>,
    statistics: Arc<LocustStatistics>,
    pool: SimulatedConsolePool,
    /// The users that the master demanded last, by class.
    users: BTreeMap<String, u64>,
    state: &'static str,
    last_spawn: f64,
    usage: ProcessorUsageMeter,
    /// Whether people were told that no more tokens may be requested.
    is_token_limit_noticed: bool,
    /// When the master was heard last.
    heard_at: Instant,
}

/// Joins a Locust master as a worker, until the master says `quit` or `stopping` is cancelled. Reports what happens to
/// people with `notice`.
///
/// # Errors
/// The master cannot be reached for [`WorkerConfig::master_patience`], or the backend refuses the credentials.
pub async fn run_worker(
    api: &ApiClient,
    config: WorkerConfig,
    phone: Option<Arc<dyn LoadTestPhone>>,
    stopping: &CancellationToken,
    notice: &(dyn Fn(String) + Send + Sync),
) -> Result<WorkerSummary, WorkerError> {
    let address = format!("{}:{}", config.master_host, config.master_port);
    let statistics = Arc::new(LocustStatistics::default());
    let sinks: Vec<Arc<dyn RequestCounter>> = vec![statistics.clone()];
    let context = Arc::new(SharedConsoleState::new(api, config.console, phone, sinks));
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let mut worker = Worker {
        id: format!("{host}_{}", uuid::Uuid::now_v7().simple()),
        endpoint: format!("tcp://{address}"),
        pool: SimulatedConsolePool::new(context.clone(), config.pause),
        context,
        statistics,
        users: BTreeMap::new(),
        state: STATE_READY,
        last_spawn: 0.0,
        usage: ProcessorUsageMeter::new(),
        is_token_limit_noticed: false,
        heard_at: Instant::now(),
    };
    let ended = worker.serve_master_with_reconnects(&address, config.master_patience, stopping, notice).await;
    // After `quit`, calls in flight may remain. A redeem is not repeated, so its answer is awaited.
    if timeout(FINISH_TIME_AFTER_QUIT, worker.pool.stop_all_consoles()).await.is_err() {
        notice(format!(
            "the backend did not answer all requests in flight within {} s; they are not in the figures",
            FINISH_TIME_AFTER_QUIT.as_secs()
        ));
    }
    worker.context.api.log_out_own_session().await;
    let (reported_requests, reported_failures) = worker.statistics.reported_request_and_failure_totals();
    ended.map(|()| WorkerSummary {
        figures: worker.context.statistics.compute_load_figures(),
        reported_requests,
        reported_failures,
    })
}

/// State in a heartbeat: connected, without users. The next two: users are being started; all demanded users run.
const STATE_READY: &str = "ready";
const STATE_SPAWNING: &str = "spawning";
const STATE_RUNNING: &str = "running";

impl Worker {
    /// Follows the master's messages until it says `quit` or `stopping` is cancelled. Connects again after a lost
    /// connection.
    async fn serve_master_with_reconnects(
        &mut self,
        address: &str,
        patience: Duration,
        stopping: &CancellationToken,
        notice: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), WorkerError> {
        loop {
            let connected = tokio::select! {
                connected = self.connect_and_await_acknowledgement() => connected,
                () = stopping.cancelled() => return Ok(()),
            };
            let reason = match connected {
                Ok(mut socket) => {
                    notice(format!("joined the Locust master at {address} as {}", self.id));
                    match self.serve_master_over_one_connection(&mut socket, stopping, notice).await {
                        ConnectionEndReason::Quit => return Ok(()),
                        ConnectionEndReason::Stopped => {
                            // The master may be gone.
                            _ = self.send_message(&mut socket, &MessageToMaster::Quit).await;
                            close_socket_after_send_time(socket).await;
                            return Ok(());
                        }
                        ConnectionEndReason::CredentialsRefused => {
                            _ = self.send_message(&mut socket, &MessageToMaster::Quit).await;
                            close_socket_after_send_time(socket).await;
                            return Err(WorkerError::CredentialsRefused);
                        }
                        ConnectionEndReason::Reconnect(reason) => {
                            notice(format!("the connection to the Locust master is made anew: {reason}"));
                            // A master that does not know this worker does not count its requests.
                            self.users.clear();
                            self.state = STATE_READY;
                            self.last_spawn = 0.0;
                            self.pool.stop_all_consoles().await;
                            reason
                        }
                    }
                }
                Err(reason) => reason,
            };
            if self.heard_at.elapsed() > patience {
                return Err(WorkerError::MasterUnreachable { address: address.to_owned(), reason });
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE_BETWEEN_CONNECTION_ATTEMPTS) => {}
                () = stopping.cancelled() => return Ok(()),
            }
        }
    }

    /// Connects, announces the worker, and waits for the master's acknowledgement.
    async fn connect_and_await_acknowledgement(&mut self) -> Result<DealerSocket, String> {
        let mut options = SocketOptions::default();
        let identity = PeerIdentity::try_from(self.id.clone().into_bytes()).map_err(|error| error.to_string())?;
        options.peer_identity(identity);
        let mut socket = DealerSocket::with_options(options);
        let connected = timeout(ACK_TIMEOUT, socket.connect(&self.endpoint)).await;
        connected.map_err(|_| "it does not accept the connection".to_owned())?.map_err(|error| error.to_string())?;
        self.send_message(&mut socket, &MessageToMaster::ClientReady).await?;
        let acknowledged = async {
            loop {
                match receive_message(&mut socket).await? {
                    MessageToWorker::Ack => return Ok::<_, String>(()),
                    other => tracing::debug!(?other, "a message before the acknowledgement"),
                }
            }
        };
        timeout(ACK_TIMEOUT, acknowledged).await.map_err(|_| "it does not acknowledge this worker".to_owned())??;
        self.heard_at = Instant::now();
        Ok(socket)
    }

    /// Executes the master's messages over one connection, and sends heartbeats and reports.
    async fn serve_master_over_one_connection(
        &mut self,
        socket: &mut DealerSocket,
        stopping: &CancellationToken,
        notice: &(dyn Fn(String) + Send + Sync),
    ) -> ConnectionEndReason {
        let mut heartbeat = interval(HEARTBEAT_INTERVAL);
        let mut report = interval(REPORT_INTERVAL);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        report.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let refused = self.context.credentials_refused.clone();
        let tokens_exhausted = self.context.tokens_exhausted.clone();
        loop {
            let step = tokio::select! {
                biased;
                () = stopping.cancelled() => {
                    self.stop_consoles_and_report(socket).await;
                    return ConnectionEndReason::Stopped;
                }
                () = refused.cancelled() => {
                    self.stop_consoles_and_report(socket).await;
                    return ConnectionEndReason::CredentialsRefused;
                }
                message = receive_message(socket) => match message {
                    Ok(MessageToWorker::Quit) => {
                        // The master waits half a second for a last report.
                        _ = timeout(SEND_TIME_AFTER_QUIT, self.pool.stop_all_consoles()).await;
                        self.users.clear();
                        self.send_report(socket).await;
                        return ConnectionEndReason::Quit;
                    }
                    Ok(MessageToWorker::Reconnect) => return ConnectionEndReason::Reconnect("the master asked for it".to_owned()),
                    Ok(message) => {
                        self.heard_at = Instant::now();
                        self.execute_master_message(socket, message, notice).await
                    }
                    Err(reason) => return ConnectionEndReason::Reconnect(reason),
                },
                () = tokens_exhausted.cancelled(), if !self.is_token_limit_noticed => {
                    self.is_token_limit_noticed = true;
                    notice("the limit of --max-tokens is reached: the consoles of this worker end after their visits".to_owned());
                    Ok(())
                }
                _ = heartbeat.tick() => {
                    if self.heard_at.elapsed() > MASTER_TIMEOUT {
                        return ConnectionEndReason::Reconnect(format!("it was silent for {} s", MASTER_TIMEOUT.as_secs()));
                    }
                    self.send_heartbeat(socket).await
                }
                _ = report.tick() => {
                    self.send_report(socket).await;
                    Ok(())
                }
            };
            if let Err(reason) = step {
                return ConnectionEndReason::Reconnect(reason);
            }
        }
    }

    /// Acts on a message of the master.
    async fn execute_master_message(
        &mut self,
        socket: &mut DealerSocket,
        message: MessageToWorker,
        notice: &(dyn Fn(String) + Send + Sync),
    ) -> Result<(), String> {
        match message {
            MessageToWorker::Spawn(job) => {
                self.send_message(socket, &MessageToMaster::Spawning).await?;
                self.start_or_stop_consoles_for_job(job, notice);
                self.send_message(socket, &MessageToMaster::SpawningComplete(self.count_running_users())).await
            }
            MessageToWorker::Stop => {
                self.stop_consoles_and_report(socket).await;
                self.send_message(socket, &MessageToMaster::ClientStopped).await?;
                self.send_message(socket, &MessageToMaster::ClientReady).await?;
                self.state = STATE_READY;
                Ok(())
            }
            MessageToWorker::Other(kind) => {
                tracing::debug!(kind, "a message of the Locust master that needs no action");
                Ok(())
            }
            MessageToWorker::Ack | MessageToWorker::Heartbeat | MessageToWorker::Quit | MessageToWorker::Reconnect => {
                Ok(())
            }
        }
    }

    /// Starts and stops consoles until as many run as the job demands. Refuses a job for more than [`MAX_CONSOLES`].
    fn start_or_stop_consoles_for_job(&mut self, job: SpawnJob, notice: &(dyn Fn(String) + Send + Sync)) {
        if job.timestamp <= self.last_spawn {
            return;
        }
        let demanded = job.user_classes_count.values().copied().fold(0, u64::saturating_add);
        let Some(count) = usize::try_from(demanded).ok().filter(|count| *count <= MAX_CONSOLES) else {
            notice(format!(
                "the Locust master demands {demanded} users of this worker, which runs at most {MAX_CONSOLES}; the number \
                 of its consoles stays the same. Demand fewer users, or start more workers"
            ));
            return;
        };
        if let Some(host) = job.host.filter(|host| !host.is_empty()) {
            tracing::debug!(host, "the host of the Locust master is not used: consoles visit the profile's backend");
        }
        if self.state == STATE_READY {
            self.statistics.reset_all_counts();
        }
        self.state = STATE_SPAWNING;
        self.last_spawn = job.timestamp;
        self.users = job.user_classes_count;
        self.pool.start_or_stop_consoles_to_count(count);
        self.state = STATE_RUNNING;
    }

    /// Stops the consoles, waits until their last calls were answered, and reports those. Heartbeats continue meanwhile.
    async fn stop_consoles_and_report(&mut self, socket: &mut DealerSocket) {
        let mut stopped = std::pin::pin!(self.pool.stop_all_consoles());
        let mut heartbeat = interval(HEARTBEAT_INTERVAL);
        loop {
            tokio::select! {
                () = &mut stopped => break,
                _ = heartbeat.tick() => {
                    if let Err(reason) = self.send_heartbeat(socket).await {
                        tracing::warn!(reason, "no heartbeat to the Locust master");
                    }
                }
            }
        }
        self.users.clear();
        self.send_report(socket).await;
    }

    /// The users that run. There are fewer than the master demanded once no more tokens may be requested: a worker of
    /// Locust itself does not count users either that stopped by themselves.
    fn count_running_users(&self) -> UserCounts {
        let user_count = self.pool.running_console_count() as u64;
        let mut left = user_count;
        let take_users = |(class, demanded): (&String, &u64)| {
            let count = left.min(*demanded);
            left -= count;
            (class.clone(), count)
        };
        UserCounts { user_classes_count: self.users.iter().map(take_users).collect(), user_count }
    }

    /// Sends the state of this worker, and the processor time and memory of the process.
    async fn send_heartbeat(&mut self, socket: &mut DealerSocket) -> Result<(), String> {
        let heartbeat = Heartbeat {
            state: self.state,
            current_cpu_usage: self.usage.measure_own_processor_percent(),
            current_memory_usage: read_own_resident_memory_bytes(),
        };
        self.send_message(socket, &MessageToMaster::Heartbeat(heartbeat)).await
    }

    /// Sends what was counted since the last report. Counts that cannot be sent are part of the next report.
    async fn send_report(&mut self, socket: &mut DealerSocket) {
        let report: StatisticsReport = self.statistics.take_report(self.count_running_users());
        let message = MessageToMaster::Stats(Box::new(report));
        if let Err(reason) = self.send_message(socket, &message).await {
            tracing::warn!(reason, "a report to the Locust master was not sent, and is part of the next one");
            if let MessageToMaster::Stats(report) = message {
                self.statistics.put_back_unsent_report(*report);
            }
        }
    }

    /// Sends a message to the master. Fails with a reason if the library does not take it in time.
    async fn send_message(&self, socket: &mut DealerSocket, message: &MessageToMaster) -> Result<(), String> {
        let bytes = message.encode_message(&self.id).map_err(|error| error.to_string())?;
        let sent = timeout(ACK_TIMEOUT, socket.send(ZmqMessage::from(bytes))).await;
        sent.map_err(|_| "it does not take the message".to_owned())?.map_err(|error| error.to_string())
    }
}

/// Receives the next message that can be read. Others are skipped.
async fn receive_message(socket: &mut DealerSocket) -> Result<MessageToWorker, String> {
    loop {
        let message = socket.recv().await.map_err(|error| error.to_string())?;
        let Some(frame) = message.iter().last() else { continue };
        match MessageToWorker::decode_message(frame) {
            Ok(message) => return Ok(message),
            Err(error) => tracing::warn!(%error, "an unreadable message of the Locust master"),
        }
    }
}

/// Waits [`SEND_TIME_AFTER_QUIT`], then closes the socket. The library does not report when queued messages are sent.
async fn close_socket_after_send_time(socket: DealerSocket) {
    tokio::time::sleep(SEND_TIME_AFTER_QUIT).await;
    drop(socket);
}
