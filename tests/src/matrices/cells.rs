//! Runs many cells in parallel and keeps their order.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs each cell on one of `jobs` threads. The results have the order of the cells.
pub(crate) fn run_cells<C: Sync, R: Send>(jobs: usize, cells: &[C], run_cell: impl Fn(&C) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = cells.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(cells.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(cell) = cells.get(index) else { return };
                    let result = run_cell(cell);
                    if let Ok(mut slot) = results[index].lock() {
                        *slot = Some(result);
                    }
                    print_progress(done.fetch_add(1, Ordering::SeqCst) + 1, cells.len());
                }
            });
        }
    });
    results.into_iter().filter_map(|slot| slot.into_inner().ok().flatten()).collect()
}

fn print_progress(done: usize, all: usize) {
    let mut out = std::io::stderr();
    if out.is_terminal() {
        _ = write!(out, "\r{done} of {all} cells");
        if done == all {
            _ = writeln!(out);
        }
    } else if done.is_multiple_of(100) || done == all {
        _ = writeln!(out, "{done} of {all} cells");
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn results_have_the_order_of_the_cells() {
        let cells: Vec<usize> = (0..50).collect();
        assert_eq!(super::run_cells(4, &cells, |n| n * 2), (0..50).map(|n| n * 2).collect::<Vec<_>>());
    }
}
