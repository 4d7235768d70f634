//! The matrices: what happens to avatars when the program is killed, the power fails, or the backend misbehaves.
//!
//! Each matrix runs the real `copresence` in its own folders, disturbs it at many points, runs `copresence recover`,
//! and checks the guarantees on the result. It prints a table of steps and outcomes. The exit code is 1 if a guarantee
//! was violated; each violation is printed at the end, with the command line that
//! reproduces it.

mod asset_files;
mod backend;
mod cells;
mod endurance;
mod faults;
mod guarantees;
mod journal_content;
mod kill;
mod outage;
mod outcomes;
mod power;
mod report;
mod sandbox_home;
mod test_home;
mod workloads;

use clap::{Parser, ValueEnum};
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;

/// An error of the test harness, not of the product.
type HarnessError = Box<dyn std::error::Error + Send + Sync>;

/// Test what happens to avatars when something fails at any step, and print the results as tables
#[derive(Debug, Clone, Parser)]
#[command(name = "matrices")]
struct Options {
    /// Matrices to run [default: all]
    #[arg(value_name = "MATRIX")]
    matrices: Vec<Matrix>,
    /// Run every step and many random instants instead of the short form
    #[arg(long)]
    long: bool,
    /// Seed of everything that is drawn at random
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Run only the cells whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Number of cells that run at once [default: three per core, because cells mostly wait for the disk]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Write the tables as Markdown files into this folder
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// Keep the folders of each cell that violates a guarantee
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Matrix {
    /// Kill the program at each crash point and at random instants
    Kill,
    /// Cut the power at each step, so that unflushed data is lost
    Power,
    /// Apply each fault of the sandbox to each endpoint, at several requests of a visit
    Faults,
    /// Serve a day of visitors in one process, with a backend that fails at random
    Endurance,
}

impl Matrix {
    fn run(self, options: &Options) -> Result<Report, HarnessError> {
        match self {
            Self::Kill => kill::run(options),
            Self::Power => power::run(options),
            Self::Faults => faults::run(options),
            Self::Endurance => endurance::run(options),
        }
    }

    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

impl Options {
    fn job_count(&self) -> usize {
        self.jobs.unwrap_or_else(|| 3 * std::thread::available_parallelism().map_or(1, usize::from)).max(1)
    }

    /// Whether a cell with this name is selected.
    fn selects_cell(&self, cell: &str) -> bool {
        self.only.as_ref().is_none_or(|only| cell.contains(only.as_str()))
    }

    /// Whether any cell of this workload may be selected.
    fn selects_workload(&self, workload: &str) -> bool {
        self.only.as_ref().is_none_or(|only| match only.split_once('/') {
            Some((name, _)) => name == workload,
            None => true,
        })
    }

    /// The command line that runs one cell again.
    fn reproduce_command(&self, matrix: &str, cell: &str) -> String {
        let long = if self.long { " --long" } else { "" };
        format!("matrices {matrix}{long} --seed {} --only '{cell}'", self.seed)
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let matrices = if options.matrices.is_empty() { Matrix::value_variants() } else { &options.matrices };
    let mut failures = Vec::new();
    for matrix in matrices {
        match matrix.run(&options) {
            Ok(report) => {
                report.print();
                failures.extend(report.violations.iter().map(ToString::to_string));
                if let Some(folder) = &options.write
                    && let Err(error) = report.write(folder, &matrix.name())
                {
                    failures.push(format!("{}: {error}", folder.display()));
                }
            }
            Err(error) => failures.push(format!("the matrix `{}` could not run: {error}", matrix.name())),
        }
    }
    // Last, because a log is read from its end.
    for failure in &failures {
        println!("{failure}\n");
    }
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
