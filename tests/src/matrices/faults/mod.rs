//! The fault matrix: each fault of the sandbox on each endpoint, at the first, a middle, the last and every request of
//! a visit. The visit must end with the expected exit code. After the faults, `recover` must save what the backend can
//! still deliver.

mod cell;
mod name_service;
mod outages;
mod variants;

use crate::report::{Report, Table, Violation};
use crate::{HarnessError, Options, cells, test_home};
use cell::{FaultCell, Verdict};
use copresence_sandbox::Endpoint;
use outages::{OutageCell, all_outage_cells, outage_tables, outage_violations};
use std::time::Instant;
use variants::{POSITIONS, RequestPosition, VARIANTS};

/// Parallel cells per job. Cells mostly wait for timeouts.
const CELLS_PER_JOB: usize = 4;

pub(crate) fn run(options: &Options) -> Result<Report, HarnessError> {
    let began = Instant::now();
    let program = test_home::find_program()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let all: Vec<FaultCell> = all_cells().into_iter().filter(|cell| options.selects_cell(&cell.name)).collect();
    let run_cell = |cell: &FaultCell| cell.run(&program, runtime.handle());
    let mut verdicts = cells::run_cells(options.job_count() * CELLS_PER_JOB, &all, run_cell);
    // Under load, responses may exceed the timeouts of a cell, so failed cells run once more alone.
    for (cell, verdict) in all.iter().zip(&mut verdicts) {
        let reason = match verdict {
            Ok(verdict) if verdict.violations.is_empty() => continue,
            Ok(verdict) => verdict.violations.join("; "),
            Err(error) => error.to_string(),
        };
        eprintln!("{} failed in parallel with others, and runs again alone: {reason}", cell.name);
        *verdict = run_cell(cell);
    }
    let mut violations = untested_faults(options);
    for (cell, verdict) in all.iter().zip(&verdicts) {
        let descriptions = match verdict {
            Ok(verdict) => verdict.violations.clone(),
            Err(error) => vec![format!("the cell could not run: {error}")],
        };
        let reproduce = options.reproduce_command("faults", &cell.name);
        let violation = |description| Violation { cell: cell.name.clone(), description, reproduce: reproduce.clone() };
        violations.extend(descriptions.into_iter().map(violation));
    }
    let outages = all_outage_cells(|name| options.selects_cell(name));
    let outage_verdicts =
        cells::run_cells(options.job_count() * CELLS_PER_JOB, &outages, |cell: &OutageCell| cell.run(&program));
    violations.extend(outage_violations(options, &outages, &outage_verdicts));
    let tables = POSITIONS.iter().filter_map(|(on, positions)| endpoint_table(*on, positions, &all, &verdicts));
    let tables = tables.chain(outage_tables(&outages, &outage_verdicts)).collect();
    Ok(Report {
        title: "Fault matrix".to_owned(),
        about:
            "A visit with three files and a sandbox that injects one fault, at the first, a middle, the last, or every \
                request of one endpoint. A cell is the exit code of the visit. After an arrow: the exit code of \
                `copresence recover` without the fault, if the visit was not finished. *Outages that end*: the backend, \
                which also serves the files, cannot be used for a time (here a tenth of the time of its column). *No route*: \
                `connect` fails with `ENETUNREACH`. The name servers are real ones, asked by the system's resolver."
                .to_owned(),
        tables,
        violations,
        cells: all.len() + outages.len(),
        duration: began.elapsed(),
    })
}

/// Violations for the faults of the sandbox's catalogue that no variant tests.
fn untested_faults(options: &Options) -> Vec<Violation> {
    if options.only.is_some() {
        return Vec::new();
    }
    let is_tested = |name: &str| VARIANTS.iter().any(|variant| variant.effect.contains(&format!("\"{name}\"")));
    let missing = copresence_sandbox::faults::CATALOGUE.iter().filter(|entry| !is_tested(entry.name));
    missing
        .map(|entry| Violation {
            cell: entry.name.to_owned(),
            description: "the matrix does not test this fault of the sandbox".to_owned(),
            reproduce: "matrices faults".to_owned(),
        })
        .collect()
}

fn all_cells() -> Vec<FaultCell> {
    let mut cells = Vec::new();
    for (on, positions) in POSITIONS {
        for variant in VARIANTS {
            let Some(expected_exits) = variant.expected_exits(on) else { continue };
            for (position, expected_exit) in positions.iter().zip(expected_exits) {
                cells.push(FaultCell::new(on, *position, variant, *expected_exit));
            }
        }
    }
    cells
}

/// The table of an endpoint: one row per fault, one column per position.
fn endpoint_table(
    on: Endpoint,
    positions: &[RequestPosition],
    cells: &[FaultCell],
    verdicts: &[Result<Verdict, HarnessError>],
) -> Option<Table> {
    let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
    for (cell, verdict) in cells.iter().zip(verdicts).filter(|(cell, _)| cell.on == on) {
        if rows.last().is_none_or(|(name, _)| *name != cell.variant.name) {
            rows.push((cell.variant.name, Vec::new()));
        }
        let label = match verdict {
            Ok(verdict) => verdict.describe(),
            Err(_) => "?".to_owned(),
        };
        if let Some((_, row)) = rows.last_mut() {
            row.push(label);
        }
    }
    if rows.is_empty() {
        return None;
    }
    let (_, _, method, path) = Endpoint::ALL.into_iter().find(|row| row.0 == on)?;
    let mut head = vec!["the backend responds with …".to_owned()];
    head.extend(positions.iter().map(|position| position.label().to_owned()));
    let rows = rows.into_iter().map(|(name, row)| {
        let mut cells = vec![name.to_owned()];
        cells.extend(row);
        cells
    });
    Some(Table { title: format!("{method} {path}"), head, rows: rows.collect() })
}
