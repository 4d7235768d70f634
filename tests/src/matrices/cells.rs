//! Runs many cells side by side, and keeps their order.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Runs each cell on one of `jobs` threads; the results stand in the cells' order.
pub(crate) fn run<C: Sync, R: Send>(jobs: usize, cells: &[C], act: impl Fn(&C) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = cells.iter().map(|_| Mutex::new(None)).collect();
    std::thread::scope(|scope| {
        for _ in 0..jobs.min(cells.len()) {
            scope.spawn(|| {
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(cell) = cells.get(index) else { return };
                    let result = act(cell);
                    if let Ok(mut place) = results[index].lock() {
                        *place = Some(result);
                    }
                    tell(done.fetch_add(1, Ordering::SeqCst) + 1, cells.len());
                }
            });
        }
    });
    results.into_iter().filter_map(|place| place.into_inner().ok().flatten()).collect()
}

fn tell(done: usize, all: usize) {
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
    fn results_stand_in_the_cells_order() {
        let cells: Vec<usize> = (0..50).collect();
        assert_eq!(super::run(4, &cells, |n| n * 2), (0..50).map(|n| n * 2).collect::<Vec<_>>());
    }
}
