//! Logs: to stderr as loud as asked for, and to a file in the data folder, which is kept small. No secret gets
//! here: secrets are types that print masked, and exchanges are redacted before they are recorded.

use crate::args::Common;
use crate::capped::Capped;
use crate::ground;
use kiosk::setup::Disk;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// The most bytes of a log file; with those before it, 10 MiB in all.
const LOG_SIZE: u64 = 2 << 20;
const LOGS_KEPT: u32 = 4;

/// Starts logging; what it gives must live as long as the program.
pub(crate) fn start(common: &Common) -> Option<WorkerGuard> {
    let level = match common.verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        _ => LevelFilter::TRACE,
    };
    let folder = common.data_dir.clone().unwrap_or_else(Disk::default_path).join("logs");
    // No log file is no reason not to run: the journal's own error will say what is wrong with the folder.
    let file = ground::private_folder(&folder)
        .and_then(|()| Capped::new(&folder, "copresence", LOG_SIZE, LOGS_KEPT))
        .ok();
    let (writer, guard) = file.map(tracing_appender::non_blocking).unzip();
    let to_file = writer
        .map(|writer| fmt::layer().with_ansi(false).with_writer(writer).with_filter(ours(LevelFilter::INFO)));
    let to_people = fmt::layer()
        .with_ansi(crate::output::is_lively(common.no_color))
        .with_writer(std::io::stderr)
        .without_time()
        .with_filter(ours(level));
    tracing_subscriber::registry().with(to_file).with(to_people).init();
    guard
}

/// Our own crates at the level; the libraries below (which would print headers) at warnings.
fn ours(level: LevelFilter) -> Targets {
    let crates = ["kiosk", "client", "store", "vault", "visit", "sandbox", "copresence"];
    Targets::new().with_default(LevelFilter::WARN.min(level)).with_targets(crates.map(|name| (name, level)))
}
