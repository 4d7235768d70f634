//! The fault matrix: each fault of the sandbox on each endpoint, at the first, a middle, the last and every request of
//! a visit. The visit must end with the exit code that is due, and `recover`, once the faults are over, must bring
//! what the backend still has to give.

mod cell;
mod variants;

use crate::report::{Breach, Report, Table};
use crate::{Options, Trouble, cells, stand};
use cell::{Cell, Verdict};
use copresence_sandbox::Endpoint;
use std::time::Instant;
use variants::{PLACES, Place, VARIANTS};

/// Most cells wait most of the time: for the patience that they try.
const JOBS_A_CORE: usize = 4;

pub(crate) fn run(options: &Options) -> Result<Report, Trouble> {
    let began = Instant::now();
    let program = stand::program()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let all: Vec<Cell> = all().into_iter().filter(|cell| options.wants(&cell.name)).collect();
    let play = |cell: &Cell| cell.run(&program, runtime.handle());
    let mut verdicts = cells::run(options.jobs() * JOBS_A_CORE, &all, play);
    // Among so many, a good answer may come later than a cell's limits allow: what breaks then holds alone.
    for (cell, verdict) in all.iter().zip(&mut verdicts) {
        let told = match verdict {
            Ok(verdict) if verdict.breaches.is_empty() => continue,
            Ok(verdict) => verdict.breaches.join("; "),
            Err(trouble) => trouble.to_string(),
        };
        eprintln!("{}, played among others: {told}. Once more, alone", cell.name);
        *verdict = play(cell);
    }
    let mut breaches = unstruck(options);
    for (cell, verdict) in all.iter().zip(&verdicts) {
        let told = match verdict {
            Ok(verdict) => verdict.breaches.clone(),
            Err(trouble) => vec![format!("the cell could not run: {trouble}")],
        };
        let again = options.again("faults", &cell.name);
        let breach = |what| Breach { cell: cell.name.clone(), what, again: again.clone() };
        breaches.extend(told.into_iter().map(breach));
    }
    let tables = PLACES.iter().filter_map(|(on, places)| table(*on, places, &all, &verdicts)).collect();
    Ok(Report {
        title: "Fault matrix".to_owned(),
        about: "A visit with three files at a sandbox that does one thing wrong, at the first, a middle, the last, or \
                every request on one endpoint. A cell is the visit's exit code; after an arrow, that of \
                `copresence recover` once the fault is over, where something was left for it."
            .to_owned(),
        tables,
        breaches,
        cells: all.len(),
        took: began.elapsed(),
    })
}

/// Faults of the sandbox's catalogue that no variant tries.
fn unstruck(options: &Options) -> Vec<Breach> {
    if options.only.is_some() {
        return Vec::new();
    }
    let tried = |name: &str| VARIANTS.iter().any(|variant| variant.effect.contains(&format!("\"{name}\"")));
    let missing = copresence_sandbox::faults::CATALOGUE.iter().filter(|entry| !tried(entry.name));
    missing
        .map(|entry| Breach {
            cell: entry.name.to_owned(),
            what: "the matrix does not try this fault of the sandbox".to_owned(),
            again: "matrices faults".to_owned(),
        })
        .collect()
}

fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for (on, places) in PLACES {
        for variant in VARIANTS {
            let Some(due) = variant.due(on) else { continue };
            for (place, due) in places.iter().zip(due) {
                cells.push(Cell::new(on, *place, variant, *due));
            }
        }
    }
    cells
}

/// One row a fault, one column a place.
fn table(
    on: Endpoint,
    places: &[Place],
    cells: &[Cell],
    verdicts: &[Result<Verdict, Trouble>],
) -> Option<Table> {
    let mut rows: Vec<(&str, Vec<String>)> = Vec::new();
    for (cell, verdict) in cells.iter().zip(verdicts).filter(|(cell, _)| cell.on == on) {
        if rows.last().is_none_or(|(name, _)| *name != cell.variant.name) {
            rows.push((cell.variant.name, Vec::new()));
        }
        let told = match verdict {
            Ok(verdict) => verdict.told(),
            Err(_) => "?".to_owned(),
        };
        if let Some((_, row)) = rows.last_mut() {
            row.push(told);
        }
    }
    if rows.is_empty() {
        return None;
    }
    let (_, _, method, path) = Endpoint::ALL.into_iter().find(|row| row.0 == on)?;
    let mut head = vec!["the backend answers with …".to_owned()];
    head.extend(places.iter().map(|place| place.word().to_owned()));
    let rows = rows.into_iter().map(|(name, row)| {
        let mut cells = vec![name.to_owned()];
        cells.extend(row);
        cells
    });
    Some(Table { title: format!("{method} {path}"), head, rows: rows.collect() })
}
