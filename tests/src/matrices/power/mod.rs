//! The power matrix: a power cut loses data that was not flushed.
//!
//! The real program runs once under `strace`, which reports each call that changes a file, in order. From that a model
//! of the disk ([`disk`]) computes what is durable after every step and what a power cut leaves. The real folders are
//! changed to that state, the backend is reset to the requests until then, and `recover` runs on the result. The
//! guarantees are the same as after a kill. "On the disk" means what `SQLite` finds in the journal that the power cut
//! left.

mod disk;
mod state;
mod trace;

use crate::backend::Backend;
use crate::guarantees::{CrashCause, CrashState, check_forgetting, check_recovery};
use crate::outcomes::{self, OutcomeCounts, Verdict};
use crate::report::{Report, Table, Violation};
use crate::test_home::{FinishedRun, RunningProgram, TestHome, find_program};
use crate::workloads::{WORKLOADS, Workload};
use crate::{HarnessError, Options, cells};
use disk::{DiskModel, Loss};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

/// Minimum number of random and of torn cuts per workload. The long form has one after each step.
const MIN_RANDOM_CUTS: usize = 12;

/// A run that was recorded under `strace`.
struct RecordedRun {
    workload: &'static Workload,
    home: TestHome,
    backend: Backend,
    events: Vec<crate::backend::Event>,
    disk: DiskModel,
}

/// One power cut.
struct Cut {
    /// The number of steps before the cut.
    step: usize,
    loss: Loss,
    /// The number of events at the backend before the cut.
    events: usize,
}

/// The result of one power cut.
struct CutResult {
    name: String,
    last_step: String,
    loss: Loss,
    verdict: Result<Verdict, HarnessError>,
}

pub(crate) fn run(options: &Options) -> Result<Report, HarnessError> {
    let began = Instant::now();
    let mut report = Report {
        title: "Power cut".to_owned(),
        about:
            "The power fails after each step that changes a file, and unflushed data is lost in one of four ways; then \
                `copresence recover` runs until nothing is left to do. *All unflushed*: nothing unflushed survives, \
                not even names. *Bytes only*: names survive, unflushed bytes do not. *Random*: each unflushed write \
                and each change of a folder survives at random. *Torn*: some unflushed writes of each file survive, \
                the last one partially. Equal states are tested once."
                .to_owned(),
        tables: Vec::new(),
        violations: Vec::new(),
        cells: 0,
        duration: Duration::ZERO,
    };
    if let Some(reason) = trace::unavailable_reason() {
        if std::env::var_os("CI").is_some() {
            return Err(reason.into());
        }
        eprintln!("SKIPPED: {reason}");
        report.about = format!("Skipped: {reason}.");
        return Ok(report);
    }
    let program = find_program()?;
    let workloads: Vec<&'static Workload> = WORKLOADS
        .iter()
        .filter(|workload| workload.in_power_matrix && options.selects_workload(workload.name))
        .collect();
    let results =
        cells::run_cells(options.job_count(), &workloads, |workload| run_workload(&program, workload, options));
    let mut all = Vec::new();
    for (workload, result) in workloads.iter().zip(results) {
        let outcomes = result.map_err(|error| format!("the workload `{}`: {error}", workload.name))?;
        report.cells += outcomes.len();
        for result in &outcomes {
            let descriptions = match &result.verdict {
                Ok(verdict) => verdict.violations.clone(),
                Err(error) => vec![format!("the cell could not run: {error}")],
            };
            let violation = |description| Violation {
                cell: result.name.clone(),
                description: format!("{description}\n({:?}, after: {})", result.loss, result.last_step),
                // The order of the steps of parallel threads differs between recordings, so all cuts of this loss are
                // selected.
                reproduce: options
                    .reproduce_command("power", result.name.split_inclusive(':').next().unwrap_or_default()),
            };
            report.violations.extend(descriptions.into_iter().map(violation));
        }
        if !outcomes.is_empty() {
            report.tables.push(table_by_step(workload, &outcomes));
        }
        all.extend(outcomes);
    }
    if !all.is_empty() {
        report.tables.insert(0, table_by_loss(&all));
    }
    report.duration = began.elapsed();
    Ok(report)
}

fn run_workload(
    program: &Path,
    workload: &'static Workload,
    options: &Options,
) -> Result<Vec<CutResult>, HarnessError> {
    let recorded = record_run(program, workload)?;
    let cuts = recorded.distinct_cuts(options);
    Ok(cuts.iter().map(|cut| recorded.run_cut(cut, options)).collect())
}

/// Runs a workload under `strace`, and verifies the model: if nothing is lost, it has exactly the real files.
fn record_run(program: &Path, workload: &'static Workload) -> Result<RecordedRun, HarnessError> {
    let (home, backend) = (workload.create_home(program)?, workload.start_backend()?);
    workload.prepare_home(&home, &backend)?;
    let folders = [home.data(), home.out()];
    let mut disk = DiskModel::from_folders(&folders)?;
    let file = home.root().join("trace");
    let command = workload.command(&home, &backend)?;
    let mut traced = trace::strace_command(&command, &file);
    home.apply_environment(&mut traced);
    let ran = RunningProgram::start(traced)?.wait();
    if !workload.is_forget() && !workload.ended_as_expected(&ran) {
        return Err(format!("the undisturbed run fails: {}", ran.describe()).into());
    }
    disk.apply_calls(trace::parse_trace(&std::fs::read_to_string(&file)?, &folders)?)?;
    let differences = disk.state_after_cut(disk.step_count(), Loss::Nothing).differences()?;
    if !differences.is_empty() {
        return Err(format!("the model of the disk is wrong about {}", differences.join(", ")).into());
    }
    backend.await_requests()?;
    let events = backend.events();
    Ok(RecordedRun { workload, home, backend, events, disk })
}

impl RecordedRun {
    /// The cuts that leave distinct states.
    fn distinct_cuts(&self, options: &Options) -> Vec<Cut> {
        let mut seen = BTreeSet::new();
        let mut cuts = Vec::new();
        // Right before a flush, most data is unflushed.
        let flushes: Vec<usize> = (0..self.disk.step_count()).filter(|step| self.disk.is_flush(*step)).collect();
        let interval = (flushes.len() / MIN_RANDOM_CUTS).max(1);
        let random_steps: BTreeSet<usize> = flushes.into_iter().step_by(interval).collect();
        for step in 0..=self.disk.step_count() {
            let mut losses = vec![Loss::AllUnflushed, Loss::BytesOnly];
            if options.long || random_steps.contains(&step) {
                losses.extend([Loss::Random(options.seed), Loss::Torn(options.seed)]);
            }
            // The backend may receive requests between two steps.
            let (from, to) = self.disk.cut_time_range(step);
            let events_until = |at| self.events.iter().filter(|event| event.at <= at).count();
            for events in events_until(from)..=events_until(to) {
                for loss in &losses {
                    let state = self.disk.state_after_cut(step, *loss).fingerprint();
                    if seen.insert((state, events, self.disk.stdout_before(step).lines().count())) {
                        cuts.push(Cut { step, loss: *loss, events });
                    }
                }
            }
        }
        cuts.retain(|cut| options.selects_cell(&self.cut_name(cut)));
        cuts
    }

    fn cut_name(&self, cut: &Cut) -> String {
        let loss = match cut.loss {
            Loss::Nothing => "nothing",
            Loss::AllUnflushed => "strict",
            Loss::BytesOnly => "bytes",
            Loss::Random(_) => "lot",
            Loss::Torn(_) => "torn",
        };
        format!("{}/{loss}:{}+{}", self.workload.name, cut.step, cut.events)
    }

    fn run_cut(&self, cut: &Cut, options: &Options) -> CutResult {
        let mut verdict = self.check_cut(cut);
        if let Ok(verdict) = &mut verdict
            && options.keep
            && !verdict.violations.is_empty()
        {
            let kept = std::env::temp_dir().join(format!("copresence-cut-{}", self.cut_name(cut).replace('/', "-")));
            let restored = self.restore_cut(cut).and_then(|()| Ok(std::fs::rename(self.home.root(), &kept)?));
            // The next cut needs the folders of the home.
            let copied = restored.and_then(|()| copy_folder(&kept, self.home.root()));
            verdict.violations.push(format!("the state after the cut is kept in {}: {copied:?}", kept.display()));
        }
        CutResult {
            name: self.cut_name(cut),
            last_step: self.disk.describe_last_step(cut.step).to_owned(),
            loss: cut.loss,
            verdict,
        }
    }

    fn restore_cut(&self, cut: &Cut) -> Result<(), HarnessError> {
        self.disk.state_after_cut(cut.step, cut.loss).write_to_disk()
    }

    fn check_cut(&self, cut: &Cut) -> Result<Verdict, HarnessError> {
        self.restore_cut(cut)?;
        self.backend.await_requests()?;
        self.backend.rewind(self.events[..cut.events].to_vec());
        let run = FinishedRun { stdout: self.disk.stdout_before(cut.step), ..FinishedRun::default() };
        let state = CrashState::capture(&self.home, &self.backend, run, CrashCause::PowerCut)?;
        if self.workload.is_forget() {
            check_forgetting(&self.home, &self.backend, &state)
        } else {
            check_recovery(&self.home, &self.backend, &state)
        }
    }
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), HarnessError> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// One row per kind of loss, over all workloads.
fn table_by_loss(outcomes: &[CutResult]) -> Table {
    let mut rows: BTreeMap<Loss, OutcomeCounts> = BTreeMap::new();
    for result in outcomes {
        rows.entry(result.loss).or_default().count_cell(result.verdict.as_ref().ok());
    }
    let label = |loss| match loss {
        Loss::Nothing => "nothing",
        Loss::AllUnflushed => "all unflushed",
        Loss::BytesOnly => "bytes only",
        Loss::Random(_) => "random",
        Loss::Torn(_) => "torn",
    };
    let rows = rows.into_iter().map(|(loss, row)| (label(loss).to_owned(), row));
    outcomes::outcome_table("All workloads by kind of loss", "lost", "cuts", rows)
}

/// One row per kind of step, in the order of their first occurrence.
fn table_by_step(workload: &Workload, outcomes: &[CutResult]) -> Table {
    let mut rows: Vec<(String, OutcomeCounts)> = Vec::new();
    for result in outcomes {
        let index = rows.iter().position(|(label, _)| *label == result.last_step).unwrap_or_else(|| {
            rows.push((result.last_step.clone(), OutcomeCounts::default()));
            rows.len() - 1
        });
        rows[index].1.count_cell(result.verdict.as_ref().ok());
    }
    outcomes::outcome_table(workload.title, "cut after …", "cuts", rows)
}
