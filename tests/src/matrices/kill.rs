//! The kill matrix: SIGKILL at each crash point of the program, at stages that only the backend can see, and at random
//! instants.

use crate::backend::{RequestStage, StageTrigger};
use crate::guarantees::{CrashCause, CrashState, check_forgetting, check_recovery};
use crate::outcomes::{self, OutcomeCounts, Verdict};
use crate::report::{Report, Table, Violation};
use crate::test_home::{self, RunningProgram, find_program};
use crate::workloads::{WORKLOADS, Workload, second_disk};
use crate::{HarnessError, Options, cells};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Number of random instants in the short and in the long form.
const RANDOM_INSTANTS: (u32, u32) = (60, 400);
/// Maximum occurrences of one step that are killed in the long form, besides the last one.
const MAX_OCCURRENCES: u32 = 6;

/// What kills the program.
#[derive(Debug, Clone, PartialEq)]
enum KillTrigger {
    /// The program kills itself when it reaches this crash point for the n-th time.
    CrashPoint(String, u32),
    /// The backend kills it when it reaches this stage for the n-th time.
    BackendStage(RequestStage, u32),
    /// It is killed after this time.
    Timer(Duration),
}

struct Cell<'a> {
    workload: &'a Workload,
    trigger: KillTrigger,
    name: String,
}

/// What an undisturbed run reaches, and how often.
struct ReachedPoints {
    crash_points: BTreeMap<String, u32>,
    stages: BTreeMap<&'static str, (RequestStage, u32)>,
    duration: Duration,
}

/// The crash points of the repair of a damaged journal. No workload has one: `tests/interrupted_repair.rs` of
/// `copresence-store` kills a program at each of them.
const CRASH_POINTS_OF_REPAIR: [&str; 6] = [
    "repair-begun",
    "repair-draft-flushed",
    "repair-draft-complete",
    "damaged-wal-renamed",
    "damaged-database-renamed",
    "repaired-journal-renamed",
];

pub(crate) fn run(options: &Options) -> Result<Report, HarnessError> {
    let began = Instant::now();
    let program = find_program()?;
    let crash_points = list_crash_points(&program)?;
    let workloads: Vec<&Workload> =
        WORKLOADS.iter().filter(|workload| !workload.uses_two_disks || second_disk().is_some()).collect();
    let reached =
        cells::run_cells(options.job_count(), &workloads, |workload| record_reached_points(&program, workload));
    let reached = reached.into_iter().collect::<Result<Vec<_>, _>>()?;

    let mut violations = Vec::new();
    let all_workloads = workloads.len() == WORKLOADS.len();
    for (point, _) in crash_points.iter().filter(|_| all_workloads && options.only.is_none()) {
        let is_reached = reached.iter().any(|reached| reached.crash_points.contains_key(point));
        if !is_reached && !CRASH_POINTS_OF_REPAIR.contains(&point.as_str()) {
            violations.push(Violation {
                cell: point.clone(),
                description: "no workload reaches this crash point".to_owned(),
                reproduce: "matrices kill".to_owned(),
            });
        }
    }
    let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
    let mut all = Vec::new();
    for (workload, reached) in workloads.iter().zip(&reached) {
        all.extend(crash_point_cells(workload, reached, options.long));
        if workload.name == "visit" {
            all.extend(random_instant_cells(workload, reached.duration, options.long, &mut rng));
        }
    }
    all.retain(|cell| options.selects_cell(&cell.name));
    let verdicts = cells::run_cells(options.job_count(), &all, |cell| run_cell(&program, cell, options.keep));
    for (cell, verdict) in all.iter().zip(&verdicts) {
        let descriptions = match verdict {
            Ok(verdict) => verdict.violations.clone(),
            Err(error) => vec![format!("the cell could not run: {error}")],
        };
        let reproduce = options.reproduce_command("kill", &cell.name);
        let violation = |description| Violation { cell: cell.name.clone(), description, reproduce: reproduce.clone() };
        violations.extend(descriptions.into_iter().map(violation));
    }
    let tables =
        workloads.iter().filter_map(|workload| workload_table(workload, &crash_points, &all, &verdicts)).collect();
    Ok(Report {
        title: "Kill matrix".to_owned(),
        about: "`copresence` is killed by SIGKILL after each step; then `copresence recover` runs until nothing is left to \
                do. A cell is one such crash. *Delivered*: the backend had sent the response with the URLs when the \
                program was killed; *on disk*: that response was in the journal."
            .to_owned(),
        tables,
        violations,
        cells: all.len(),
        duration: began.elapsed(),
    })
}

/// The crash points of the program with their descriptions.
fn list_crash_points(program: &Path) -> Result<Vec<(String, String)>, HarnessError> {
    let output = std::process::Command::new(program).env("COPRESENCE_CRASH_POINTS", "list").output()?;
    let text = String::from_utf8(output.stdout)?;
    let points: Vec<_> = text
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, description)| (name.to_owned(), description.to_owned()))
        .collect();
    if points.is_empty() {
        let path = program.display();
        return Err(format!(
            "{path} was built without crash points: `cargo build -p copresence-cli --features copresence-cli/crash-points`"
        )
        .into());
    }
    Ok(points)
}

/// Runs a workload undisturbed and records what it reaches.
fn record_reached_points(program: &Path, workload: &Workload) -> Result<ReachedPoints, HarnessError> {
    let (home, backend) = (workload.create_home(program)?, workload.start_backend()?);
    workload.prepare_home(&home, &backend)?;
    backend.set_trigger(None);
    let log = home.root().join("points.log");
    let mut command = workload.command(&home, &backend)?;
    command.env("COPRESENCE_CRASH_LOG", &log);
    let ran = test_home::run_to_end(command)?;
    if !workload.is_forget() && !workload.ended_as_expected(&ran) {
        return Err(format!("the undisturbed workload `{}` fails: {}", workload.name, ran.describe()).into());
    }
    let mut crash_points = BTreeMap::new();
    for name in std::fs::read_to_string(&log)?.lines() {
        *crash_points.entry(name.to_owned()).or_insert(0) += 1;
    }
    let stages = RequestStage::ALL.iter().map(|stage| (stage.name(), (*stage, backend.stage_count(*stage))));
    Ok(ReachedPoints {
        crash_points,
        stages: stages.filter(|(_, (_, count))| *count > 0).collect(),
        duration: ran.duration,
    })
}

/// The cells of the crash points and stages that a workload reaches.
fn crash_point_cells<'a>(workload: &'a Workload, reached: &ReachedPoints, long: bool) -> Vec<Cell<'a>> {
    let mut cells = Vec::new();
    let is_selected =
        |name: &str| workload.crash_points.is_empty() || workload.crash_points.iter().any(|part| name.contains(part));
    for (point, count) in reached.crash_points.iter().filter(|(point, _)| is_selected(point)) {
        for nth in occurrences(*count, long) {
            let name = format!("{}/{point}:{nth}", workload.name);
            cells.push(Cell { workload, trigger: KillTrigger::CrashPoint(point.clone(), nth), name });
        }
    }
    for (name, (stage, count)) in reached.stages.iter().filter(|(name, _)| is_selected(name)) {
        for nth in occurrences(*count, long) {
            let name = format!("{}/{name}:{nth}", workload.name);
            cells.push(Cell { workload, trigger: KillTrigger::BackendStage(*stage, nth), name });
        }
    }
    cells
}

/// The first and the last occurrence; in the long form also those between them, up to [`MAX_OCCURRENCES`].
fn occurrences(count: u32, long: bool) -> BTreeSet<u32> {
    let mut times = BTreeSet::from([1, count]);
    if long {
        times.extend(1..=count.min(MAX_OCCURRENCES));
    }
    times
}

fn random_instant_cells<'a>(
    workload: &'a Workload,
    duration: Duration,
    long: bool,
    rng: &mut ChaCha8Rng,
) -> Vec<Cell<'a>> {
    let count = if long { RANDOM_INSTANTS.1 } else { RANDOM_INSTANTS.0 };
    let cell = |number| {
        let after = duration.mul_f64(rng.random_range(0.0..1.1));
        Cell { workload, trigger: KillTrigger::Timer(after), name: format!("{}/instant:{number}", workload.name) }
    };
    (1..=count).map(cell).collect()
}

/// Runs a cell. The occurrences of a step vary with the order of parallel downloads, so if the program survives, an
/// earlier occurrence is tried.
fn run_cell(program: &Path, cell: &Cell<'_>, keep: bool) -> Result<Verdict, HarnessError> {
    let mut trigger = cell.trigger.clone();
    loop {
        let (verdict, survived) = kill_once(program, cell.workload, &trigger, keep)?;
        match &mut trigger {
            KillTrigger::CrashPoint(_, nth) | KillTrigger::BackendStage(_, nth) if survived && *nth > 1 => {
                *nth -= 1;
            }
            _ => return Ok(verdict),
        }
    }
}

fn kill_once(
    program: &Path,
    workload: &Workload,
    trigger: &KillTrigger,
    keep: bool,
) -> Result<(Verdict, bool), HarnessError> {
    let (home, backend) = (workload.create_home(program)?, workload.start_backend()?);
    workload.prepare_home(&home, &backend)?;
    backend.set_trigger(None);
    let mut command = workload.command(&home, &backend)?;
    let ran = match trigger {
        KillTrigger::CrashPoint(point, nth) => {
            command.env("COPRESENCE_CRASH_AT", format!("{point}:{nth}"));
            RunningProgram::start(command)?.wait()
        }
        KillTrigger::BackendStage(stage, nth) => {
            let victim: Arc<OnceLock<Pid>> = Arc::default();
            let victim_id = victim.clone();
            let action = Box::new(move || {
                // Fails if the program has already ended.
                _ = kill_process(*victim_id.wait(), Signal::KILL);
            });
            backend.set_trigger(Some(StageTrigger { stage: *stage, nth: *nth, action }));
            let live = RunningProgram::start(command)?;
            let id = i32::try_from(live.process_id()).ok().and_then(Pid::from_raw).ok_or("no process id")?;
            _ = victim.set(id);
            live.wait()
        }
        KillTrigger::Timer(time) => {
            let mut live = RunningProgram::start(command)?;
            // A time that is independent of events is the purpose of this cell.
            std::thread::sleep(*time);
            live.kill();
            live.wait()
        }
    };
    backend.set_trigger(None);
    let survived = ran.exit.is_some() && !matches!(trigger, KillTrigger::Timer(_));
    let description = ran.describe();
    let state = CrashState::capture(&home, &backend, ran, CrashCause::Kill)?;
    let mut verdict = if workload.is_forget() {
        check_forgetting(&home, &backend, &state)?
    } else {
        check_recovery(&home, &backend, &state)?
    };
    if survived {
        verdict.violations.push(format!("the program was not killed: {description}"));
    }
    if keep && !verdict.violations.is_empty() {
        let kept: Vec<String> = home.keep_folders().iter().map(|path| path.display().to_string()).collect();
        verdict.violations.push(format!("the folders are kept: {}", kept.join(", ")));
    }
    Ok((verdict, survived))
}

/// The table of a workload: one row per step, in the order of the crash points.
fn workload_table(
    workload: &Workload,
    crash_points: &[(String, String)],
    cells: &[Cell<'_>],
    verdicts: &[Result<Verdict, HarnessError>],
) -> Option<Table> {
    let mut rows: BTreeMap<usize, (String, OutcomeCounts)> = BTreeMap::new();
    for (cell, verdict) in cells.iter().zip(verdicts).filter(|(cell, _)| cell.workload.name == workload.name) {
        let (order, label) = match &cell.trigger {
            KillTrigger::CrashPoint(point, _) => {
                let order = crash_points.iter().position(|(name, _)| name == point).unwrap_or(usize::MAX - 9);
                (order, crash_points.get(order).map_or_else(|| point.clone(), |(_, label)| label.clone()))
            }
            KillTrigger::BackendStage(stage, _) => {
                let order = RequestStage::ALL.iter().position(|it| it == stage).unwrap_or_default();
                (crash_points.len() + order, stage.description().to_owned())
            }
            KillTrigger::Timer(_) => (usize::MAX, "at a random instant".to_owned()),
        };
        let (_, row) = rows.entry(order).or_insert_with(|| (label, OutcomeCounts::default()));
        row.count_cell(verdict.as_ref().ok());
    }
    if rows.is_empty() {
        return None;
    }
    Some(outcomes::outcome_table(workload.title, "killed when …", "cells", rows.into_values()))
}
