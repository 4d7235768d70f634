//! Deterministic simulation: whole visits of the real engine against a simulated network and backend, in simulated
//! time.
//!
//! Everything that happens in a world is drawn from one seed: what goes wrong, when, and how long requests take. The
//! simulated backend knows the truth about each token and file; how each visit ends is held against it. A seed whose
//! world violates a guarantee is printed with the end of its trace, and `--seed N` runs it again with the whole trace.

mod backend;
mod disturbance;
mod file_server;
mod files;
mod judge;
mod life;
mod network;
mod process;
mod response;
mod truth;
mod way;

use clap::Parser;
use copresence_store::simulation::InMemoryJournalDatabase;
use disturbance::Disturbance;
use life::{WorldResult, disturbances_of_seed, run_world};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Run visits in simulated worlds, and check what became of each avatar
#[derive(Debug, Parser)]
#[command(name = "simulation")]
struct Options {
    /// Run this seed alone and print its trace
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// First seed; the others follow
    #[arg(long, value_name = "N", default_value_t = 1)]
    first_seed: u64,
    /// End after this many visits
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    visits: usize,
    /// End after this many seconds
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,
    /// Threads, each with a world of its own [default: one per core]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Run only worlds that are disturbed, and by nothing else than this; may be repeated
    #[arg(long, value_name = "DISTURBANCE")]
    only: Vec<Disturbance>,
    /// Skip worlds with this disturbance; may be repeated
    #[arg(long, value_name = "DISTURBANCE")]
    without: Vec<Disturbance>,
    /// Do not end at violations; print a table of them with the first seed of each
    #[arg(long)]
    survey: bool,
}

impl Options {
    fn selects_seed(&self, seed: u64) -> bool {
        if self.only.is_empty() && self.without.is_empty() {
            return true;
        }
        let kinds = disturbances_of_seed(seed);
        let is_only = kinds.iter().all(|kind| self.only.contains(kind)) && !kinds.is_empty();
        (self.only.is_empty() || is_only) && !kinds.iter().any(|kind| self.without.contains(kind))
    }
}

/// What all threads found.
#[derive(Default)]
struct Findings {
    /// By guarantee and by the only disturbance of the world (if it was one): how many, the first seed, its detail.
    table: BTreeMap<(String, String), (usize, u64, String)>,
    failed_seeds: Vec<u64>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    copresence_engine::install_crypto_provider();
    // In memory where the system has such a folder: a simulated power cut needs no real disk.
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let parent = tempfile::Builder::new().prefix("copresence-simulation-").tempdir_in(parent).expect("a folder");
    if let Some(seed) = options.seed {
        return run_one_seed(seed, parent.path());
    }
    run_many_seeds(&options, parent.path())
}

/// Runs the world of a seed with a journal of its own, and traces it.
fn trace_world(seed: u64, parent: &Path) -> Result<WorldResult, copresence_store::StoreError> {
    run_world(seed, parent, &InMemoryJournalDatabase::new()?, true)
}

fn run_one_seed(seed: u64, parent: &Path) -> ExitCode {
    match trace_world(seed, parent) {
        Ok(result) => {
            println!("{}", result.trace);
            for violation in &result.violations {
                println!("VIOLATED {}: {}", violation.guarantee, violation.detail);
            }
            if result.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("the world of seed {seed} could not run: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run_many_seeds(options: &Options, parent: &Path) -> ExitCode {
    let started = Instant::now();
    let limit = options.seconds.map(Duration::from_secs);
    let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
    let (next, visits) = (AtomicU64::new(options.first_seed), AtomicUsize::new(0));
    let findings = Mutex::new(Findings::default());
    let is_over = || {
        visits.load(Ordering::Relaxed) >= options.visits
            || limit.is_some_and(|limit| started.elapsed() >= limit)
            || (!options.survey && findings.lock().is_ok_and(|found| !found.failed_seeds.is_empty()))
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let journal = InMemoryJournalDatabase::new().expect("a database in memory");
                let mut reported = 0;
                while !is_over() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if !options.selects_seed(seed) {
                        continue;
                    }
                    let result = run_world(seed, parent, &journal, false);
                    let count = record_result(seed, result, &findings);
                    let all = visits.fetch_add(count, Ordering::Relaxed) + count;
                    if all / 100_000 > reported {
                        reported = all / 100_000;
                        eprintln!("{all} visits in {} s", started.elapsed().as_secs());
                    }
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap_or_default();
    let seconds = started.elapsed().as_secs_f64();
    let (visits, worlds) = (visits.into_inner(), next.into_inner() - options.first_seed);
    println!(
        "{visits} visits in {worlds} worlds, {seconds:.0} s, {:.0} visits a second",
        visits_as_f64(visits) / seconds
    );
    print_findings(&findings, parent);
    if findings.failed_seeds.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[expect(clippy::cast_precision_loss, reason = "for display")]
fn visits_as_f64(visits: usize) -> f64 {
    visits as f64
}

/// Adds the result of a world. Returns its number of visits.
fn record_result(
    seed: u64,
    result: Result<WorldResult, copresence_store::StoreError>,
    findings: &Mutex<Findings>,
) -> usize {
    let (visits, disturbances, violations) = match result {
        Ok(WorldResult { visits, disturbances, violations, .. }) => (visits, disturbances, violations),
        Err(error) => {
            let violation = truth::Violation { guarantee: "the world runs", detail: error.to_string() };
            (1, [].into(), vec![violation])
        }
    };
    if violations.is_empty() {
        return visits;
    }
    let cause = match disturbances.iter().collect::<Vec<&Disturbance>>()[..] {
        [] => "nothing".to_owned(),
        [only] => format!("{only:?}"),
        _ => "several".to_owned(),
    };
    if let Ok(mut findings) = findings.lock() {
        findings.failed_seeds.push(seed);
        for violation in violations {
            let key = (violation.guarantee.to_owned(), cause.clone());
            let row = findings.table.entry(key).or_insert((0, seed, violation.detail.clone()));
            row.0 += 1;
            if seed < row.1 {
                (row.1, row.2) = (seed, violation.detail);
            }
        }
    }
    visits
}

/// Prints a table of violations, and the end of the trace of the first failed seed.
fn print_findings(findings: &Findings, parent: &Path) {
    for ((guarantee, cause), (count, seed, detail)) in &findings.table {
        let detail: String = detail.chars().take(400).collect();
        println!("{count:>6} × VIOLATED {guarantee}\n         disturbed by: {cause}; seed {seed}: {detail}");
    }
    let Some(seed) = findings.failed_seeds.iter().min() else { return };
    if let Ok(again) = trace_world(*seed, parent) {
        let lines: Vec<&str> = again.trace.lines().collect();
        println!("\nThe end of the trace of seed {seed} (all of it: `simulation --seed {seed}`):");
        for line in &lines[lines.len().saturating_sub(25)..] {
            println!("{}", line.chars().take(300).collect::<String>());
        }
    }
}
