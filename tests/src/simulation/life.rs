//! The life of a world: consoles run visits, crash and start again, until nothing is left to recover.

use crate::disturbance::{Disturbance, Weather};
use crate::judge::{Ending, judge_ending, judge_final_state};
use crate::process::{Crash, Errand, Folder, PlannedVisit, run_process};
use crate::truth::{Truth, Violation, World};
use copresence_engine::clock::simulation::{set_simulated_thread_clock, simulated_thread_time};
use copresence_engine::setup::DataStore;
use copresence_store::simulation::{InMemoryJournalDatabase, SimulatedProcessEndSignal};
use copresence_store::{FileDownloadState, StoreError, VisitId};
use jiff::{SignedDuration, Timestamp};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tokio::time::sleep;

/// 2026-11-28 12:00 UTC, in seconds.
const START_OF_WORLD: i64 = 1_795_867_200;
/// Rounds of recovery after which a world must be finished. Their pauses add up to more than a month. After the clock was set
/// back, each of several tokens may need 24 attempts, one after the other.
const MAX_RECOVERIES: usize = 120;

/// What a world showed.
pub(crate) struct WorldResult {
    pub(crate) visits: usize,
    pub(crate) disturbances: BTreeSet<Disturbance>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) trace: String,
}

/// The disturbances of the world of a seed.
pub(crate) fn disturbances_of_seed(seed: u64) -> BTreeSet<Disturbance> {
    Weather::draw(&mut ChaCha8Rng::seed_from_u64(seed)).kinds
}

/// Runs the world of a seed in a folder of its own below `parent`, with an emptied `journal`.
pub(crate) fn run_world(
    seed: u64,
    parent: &Path,
    journal: &InMemoryJournalDatabase,
    with_trace: bool,
) -> Result<WorldResult, StoreError> {
    journal.remove_all_visits()?;
    let (prefix, name) = ("world-", seed.to_string());
    let folder = tempfile::Builder::new().prefix(prefix).suffix(&name).rand_bytes(0).tempdir_in(parent);
    let folder = folder.expect("a folder for a world");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    runtime.block_on(live(seed, Folder { root: folder.path().to_owned(), journal: journal.clone() }, with_trace))
}

async fn live(seed: u64, folder: Folder, with_trace: bool) -> Result<WorldResult, StoreError> {
    set_simulated_thread_clock(Timestamp::from_second(START_OF_WORLD).unwrap_or_default());
    let mut plan = ChaCha8Rng::seed_from_u64(seed);
    let weather = Weather::draw(&mut plan);
    let disturbances = weather.kinds.clone();
    let world = World::new(Truth::new(ChaCha8Rng::seed_from_u64(!seed), weather, with_trace));
    world.lock().note(|| format!("seed {seed}: {disturbances:?}"));
    let observer = folder.open(SimulatedProcessEndSignal::process_without_request_limit())?;
    let mut life =
        Life { world: world.clone(), folder, observer, plan, disturbances, processes: 0, visits: Vec::new() };
    life.run_consoles().await?;
    life.recover_until_finished().await?;
    let mut truth = world.lock();
    for visit in &life.visits {
        judge_final_state(&mut truth, *visit);
    }
    Ok(WorldResult {
        visits: life.visits.len(),
        disturbances: life.disturbances,
        violations: std::mem::take(&mut truth.violations),
        trace: truth.take_trace(),
    })
}

struct Life {
    world: World,
    folder: Folder,
    /// What the world reads of the data folder between two processes.
    observer: DataStore,
    plan: ChaCha8Rng,
    disturbances: BTreeSet<Disturbance>,
    processes: u32,
    visits: Vec<VisitId>,
}

impl Life {
    fn has(&self, kind: Disturbance) -> bool {
        self.disturbances.contains(&kind)
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.plan.random_range(from..to))
    }

    /// The first part: visits, with everything that may disturb them.
    async fn run_consoles(&mut self) -> Result<(), StoreError> {
        for _ in 0..self.plan.random_range(1..=2) {
            let first = self.draw_errand();
            let crash = self.draw_crash();
            let process = self.next_process();
            let (world, folder, observer) = (self.world.clone(), self.folder.clone(), self.observer.journal.clone());
            let console = run_process(world.clone(), folder.clone(), observer.clone(), process, first, crash);
            let crashed = if self.has(Disturbance::TwoConsoles) {
                let (second, second_crash, second_process) =
                    (self.draw_errand(), self.draw_crash(), self.next_process());
                let delay = self.millis(0, 60_000);
                let other = async {
                    sleep(delay).await;
                    run_process(world.clone(), folder.clone(), observer, second_process, second, second_crash).await
                };
                let (one, other) = tokio::join!(console, other);
                // Evaluated both: each may have crashed.
                let (one, other) = (one?, other?);
                one || other
            } else {
                console.await?
            };
            self.after_processes(crashed).await?;
            let pause = [100, 1000, 20_000, 400_000][self.plan.random_range(0..4)];
            let pause = self.millis(0, pause);
            self.pass_time(pause).await;
        }
        Ok(())
    }

    /// The second part: the program starts again and again, until nothing is left.
    async fn recover_until_finished(&mut self) -> Result<(), StoreError> {
        for round in 0..MAX_RECOVERIES {
            if self.unfinished_visits().await? == 0 {
                return Ok(());
            }
            let pause = match round {
                0 => self.millis(0, 3000),
                1 | 2 => self.millis(1000, 60_000),
                3..=5 => self.millis(60_000, 900_000),
                6..=10 => self.millis(900_000, 7_200_000),
                _ => self.millis(40_000_000, 90_000_000),
            };
            self.pass_time(pause).await;
            let recovers_all = self.plan.random_bool(0.5);
            let errand = Errand { recovers_due: !recovers_all, recovers_all, visits: Vec::new() };
            let crash = if round < 4 { self.draw_crash() } else { None };
            let process = self.next_process();
            let observer = self.observer.journal.clone();
            let crashed =
                run_process(self.world.clone(), self.folder.clone(), observer, process, errand, crash).await?;
            self.after_processes(crashed).await?;
        }
        let left = self.unfinished_visits().await?;
        if left > 0 {
            self.world.lock().violate("recovery comes to an end", format!("{left} visits are unfinished"));
        }
        Ok(())
    }

    fn next_process(&mut self) -> u32 {
        self.processes += 1;
        self.processes
    }

    fn draw_errand(&mut self) -> Errand {
        let count = self.plan.random_range(1..=3);
        let visits = (0..count).map(|_| self.draw_visit()).collect();
        Errand { recovers_due: self.plan.random_bool(0.5), recovers_all: false, visits }
    }

    fn draw_visit(&mut self) -> PlannedVisit {
        let millis = u64::try_from(simulated_thread_time().unwrap_or_default().as_millisecond()).unwrap_or_default();
        let (high, low) = (self.plan.random::<u16>() & 0xfff, self.plan.random::<u64>() >> 4);
        let text = format!(
            "{:08x}-{:04x}-7{high:03x}-9{:03x}-{:012x}",
            millis >> 16,
            millis & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        );
        let id: VisitId = text.parse().expect("the format of an id");
        self.visits.push(id);
        let interrupts = self.has(Disturbance::Interrupt);
        let stop = |life: &mut Self| (interrupts && life.plan.random_bool(0.5)).then(|| life.millis(0, 90_000));
        let (interrupted, visitor_leaves) = (stop(self), stop(self));
        PlannedVisit { id, timeout: self.millis(60_000, 900_000), interrupted, visitor_leaves }
    }

    fn draw_crash(&mut self) -> Option<Crash> {
        if !(self.has(Disturbance::Crash) || self.has(Disturbance::PowerCut)) || self.plan.random_bool(0.25) {
            return None;
        }
        Some(match self.plan.random_range(0..5) {
            3 | 4 => Crash::DuringDownload(self.millis(0, 2500)),
            0 => Crash::AfterTime(self.millis(0, 90_000)),
            1 => Crash::AtPoll(self.plan.random_range(1..250)),
            _ => Crash::AtJournalRequest(self.plan.random_range(1..90)),
        })
    }

    /// After each group of processes: judges what they journalled without a word, and cuts the power.
    async fn after_processes(&mut self, crashed: bool) -> Result<(), StoreError> {
        for visit in self.observer.journal.load_all_visits().await? {
            let id = visit.start.id;
            let mut truth = self.world.lock();
            let Some(record) = truth.visits.get(&id) else { continue };
            if let Some(ending) = &visit.ending
                && record.judged_endings.last() != Some(&(ending.code.clone(), ending.exit))
            {
                let ending = Ending {
                    code: &ending.code,
                    exit: ending.exit,
                    message: &ending.message,
                    visit_state: &ending.visit_state,
                };
                judge_ending(&mut truth, &self.folder.avatars(), id, &ending);
            }
        }
        if crashed && self.has(Disturbance::PowerCut) {
            self.forget_boot();
            for unfinished in self.observer.journal.load_recoverable_visits().await? {
                let id = unfinished.visit.start.id;
                for file in &unfinished.files {
                    let durable = match &file.record.state {
                        FileDownloadState::Requested(progress) | FileDownloadState::Failed { progress, .. } => {
                            progress.bytes
                        }
                        _ => continue,
                    };
                    let part = self.folder.avatars().out_dir.join(format!(".{id}.partial/{}.part", file.record.name));
                    self.lose_unflushed_bytes(&part, durable);
                    if let Some(url) = &file.url
                        && let Some((_, path)) = url.expose_url().split_once(".test")
                        && let Some(hosted) = self.world.lock().files.get_mut(path)
                    {
                        hosted.received = hosted.received.min(usize::try_from(durable).unwrap_or(usize::MAX));
                    }
                }
            }
        }
        Ok(())
    }

    /// The journal's files belong to an earlier start of the machine.
    fn forget_boot(&self) {
        let forgotten = self.folder.journal.attribute_files_to_earlier_boot();
        self.world.lock().note(|| format!("the machine starts again: {forgotten:?}"));
    }

    /// Of the bytes after the flushed ones, some are lost and the others wrong.
    fn lose_unflushed_bytes(&mut self, part: &Path, durable: u64) {
        let Ok(mut content) = std::fs::read(part) else { return };
        let durable = usize::try_from(durable).unwrap_or(usize::MAX).min(content.len());
        let kept = self.plan.random_range(durable..=content.len());
        self.world.lock().note(|| format!("power cut: {} keeps {durable} and {kept} bytes", part.display()));
        content.truncate(kept);
        content[durable..].fill(0);
        _ = std::fs::write(part, content);
    }

    async fn unfinished_visits(&self) -> Result<usize, StoreError> {
        Ok(self.observer.journal.load_unfinished_visit_summaries().await?.len())
    }

    /// Lets time pass between two processes. The clock may be set meanwhile.
    async fn pass_time(&mut self, pause: Duration) {
        sleep(pause).await;
        if self.has(Disturbance::ClockJump) && self.plan.random_bool(0.4) {
            let hours = [1, 25, 24 * 10, 24 * 400][self.plan.random_range(0..4)];
            let jump = SignedDuration::from_hours(if self.plan.random_bool(0.5) { hours } else { -hours });
            let now = simulated_thread_time().unwrap_or_default();
            set_simulated_thread_clock(now.saturating_add(jump).unwrap_or(now));
            let mut truth = self.world.lock();
            truth.clock_was_set = true;
            truth.note(|| format!("the clock is set by {jump}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::run_world;
    use copresence_store::simulation::InMemoryJournalDatabase;

    #[test]
    fn a_seed_gives_the_same_world_each_time() {
        copresence_engine::install_crypto_provider();
        let parent = tempfile::tempdir().expect("a folder");
        let journal = InMemoryJournalDatabase::new().expect("a journal");
        let mut disturbed = 0;
        for seed in 1..=40 {
            let first = run_world(seed, parent.path(), &journal, true).expect("runs");
            let second = run_world(seed, parent.path(), &journal, true).expect("runs");
            assert!(first.trace.contains("ended"), "seed {seed}: {}", first.trace);
            assert_eq!(first.trace, second.trace, "seed {seed}");
            disturbed += usize::from(!first.disturbances.is_empty());
        }
        assert!(disturbed > 20, "most worlds are disturbed");
    }
}
