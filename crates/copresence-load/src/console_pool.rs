//! A number of consoles that can change while they run, as a Locust master demands.

use crate::load_context::SharedConsoleState;
use crate::simulated_console::{ConsoleStopSignals, run_console_until_stopped};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// The running consoles of a load test. Each runs one visit after another.
pub(crate) struct SimulatedConsolePool {
    context: Arc<SharedConsoleState>,
    pause: Duration,
    consoles: Vec<UnstoppedConsole>,
    tasks: TaskTracker,
    /// Number of consoles that ever started, which numbers the next one.
    started: u64,
}

/// A console that was not stopped. It ends by itself when no more tokens may be requested.
struct UnstoppedConsole {
    signals: ConsoleStopSignals,
    task: JoinHandle<()>,
}

impl SimulatedConsolePool {
    /// An empty pool.
    pub(crate) fn new(context: Arc<SharedConsoleState>, pause: Duration) -> Self {
        Self { context, pause, consoles: Vec::new(), tasks: TaskTracker::new(), started: 0 }
    }

    /// Number of consoles that run, without those that were stopped or ended by themselves.
    pub(crate) fn running_console_count(&self) -> usize {
        self.consoles.iter().filter(|console| !console.task.is_finished()).count()
    }

    /// Starts or stops consoles until `count` run. A stopped console ends its visit once the call in flight was answered.
    pub(crate) fn start_or_stop_consoles_to_count(&mut self, count: usize) {
        self.consoles.retain(|console| !console.task.is_finished());
        while self.consoles.len() > count {
            if let Some(UnstoppedConsole { signals, .. }) = self.consoles.pop() {
                signals.no_more_visits.cancel();
                signals.interrupted.cancel();
            }
        }
        self.tasks.reopen();
        while self.consoles.len() < count {
            let signals = ConsoleStopSignals::default();
            let context = self.context.clone();
            let console = run_console_until_stopped(context, self.started, Instant::now(), self.pause, signals.clone());
            self.consoles.push(UnstoppedConsole { signals, task: self.tasks.spawn(console) });
            self.started += 1;
        }
    }

    /// Stops all consoles. The returned future resolves when the last calls of all that ever started were answered.
    pub(crate) fn stop_all_consoles(&mut self) -> impl Future<Output = ()> + use<> {
        self.start_or_stop_consoles_to_count(0);
        self.tasks.close();
        let tasks = self.tasks.clone();
        async move { tasks.wait().await }
    }
}
