//! The matrices: what becomes of avatars when the program is killed, the power fails, or the backend misbehaves.
//!
//! Each runs the real `copresence` in folders of its own, hurts it at many instants, lets `copresence recover` run,
//! and holds what is left to its claims. It prints its table of steps and outcomes, and ends with 1 when a claim was
//! broken, each breach with the command line that brings it back.

mod backend;
mod booth;
mod cells;
mod claims;
mod courses;
mod endurance;
mod fates;
mod faults;
mod files;
mod journal;
mod kill;
mod power;
mod report;
mod stand;

use clap::{Parser, ValueEnum};
use report::Report;
use std::path::PathBuf;
use std::process::ExitCode;

/// Why the matrices' own machinery, not the product, failed: what was tried, and what came of it.
type Trouble = Box<dyn std::error::Error + Send + Sync>;

/// What becomes of avatars when something goes wrong, at every step: as tables.
#[derive(Debug, Clone, Parser)]
#[command(name = "matrices")]
struct Options {
    /// Which ones; all of them when none is named
    #[arg(value_name = "MATRIX")]
    which: Vec<Which>,
    /// Every step and many random instants, instead of the bounded form
    #[arg(long)]
    long: bool,
    /// Decides what is drawn by lot
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Only the cells whose name contains this
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// How many cells at once [default: three a core, for they mostly wait for the disk]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Write the tables as Markdown into this folder
    #[arg(long, value_name = "FOLDER")]
    write: Option<PathBuf>,
    /// Keep the folders of each cell that broke a claim
    #[arg(long)]
    keep: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Which {
    /// The program is killed at each crash point and at random instants
    Kill,
    /// The power fails at each step, and what was not flushed is lost
    Power,
    /// Each fault of the sandbox, on each endpoint, at each place of a visit
    Faults,
    /// A day of visitors in one process, at a backend that fails at random
    Endurance,
}

impl Which {
    fn run(self, options: &Options) -> Result<Report, Trouble> {
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
    fn jobs(&self) -> usize {
        self.jobs.unwrap_or_else(|| 3 * std::thread::available_parallelism().map_or(1, usize::from)).max(1)
    }

    /// Whether a cell of this name is to run.
    fn wants(&self, cell: &str) -> bool {
        self.only.as_ref().is_none_or(|only| cell.contains(only.as_str()))
    }

    /// Whether any cell whose name begins so may run.
    fn wants_some_of(&self, course: &str) -> bool {
        self.only.as_ref().is_none_or(|only| match only.split_once('/') {
            Some((name, _)) => name == course,
            None => true,
        })
    }

    /// The command line that runs one cell again.
    fn again(&self, matrix: &str, cell: &str) -> String {
        let long = if self.long { " --long" } else { "" };
        format!("matrices {matrix}{long} --seed {} --only '{cell}'", self.seed)
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let which = if options.which.is_empty() { Which::value_variants() } else { &options.which };
    let mut whole = true;
    for matrix in which {
        match matrix.run(&options) {
            Ok(report) => {
                report.print();
                whole &= report.breaches.is_empty();
                if let Some(folder) = &options.write
                    && let Err(error) = report.write(folder, &matrix.name())
                {
                    eprintln!("{}: {error}", folder.display());
                    whole = false;
                }
            }
            Err(trouble) => {
                eprintln!("the matrix `{}` could not run: {trouble}", matrix.name());
                whole = false;
            }
        }
    }
    if whole { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
