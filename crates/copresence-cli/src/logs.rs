//! Logging: to stderr at the requested level, and to a rotated file in the data folder. Logs contain no secrets: secret
//! types print masked, and exchanges are redacted before they are recorded.

use crate::common_options::CommonOptions;
use crate::context;
use crate::rotating_log::RotatingLog;
use copresence_engine::setup::DataStore;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Maximum size of one log file, in bytes; 10 MiB in all with the rotated ones.
const LOG_SIZE: u64 = 2 << 20;
/// Number of rotated files to keep.
const LOGS_KEPT: u32 = 4;

/// Starts logging. The returned guard flushes the file when it is dropped, so keep it until the program ends.
pub(crate) fn start_logging(common: &CommonOptions) -> Option<WorkerGuard> {
    let level = match common.verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        _ => LevelFilter::TRACE,
    };
    let folder = common.data_dir.clone().unwrap_or_else(DataStore::default_data_dir).join("logs");
    // Run without a log file if it cannot be created: opening the journal reports what is wrong with the folder.
    let file = context::create_private_folder(&folder)
        .and_then(|()| RotatingLog::new(&folder, "copresence", LOG_SIZE, LOGS_KEPT))
        .ok();
    let (writer, guard) = file.map(tracing_appender::non_blocking).unzip();
    let to_file = writer.map(|writer| {
        fmt::layer().with_ansi(false).with_writer(writer).with_filter(log_filter_from_level(LevelFilter::INFO))
    });
    let to_people = fmt::layer()
        .with_ansi(crate::output::can_animate_stderr(common.no_color))
        .with_writer(std::io::stderr)
        .without_time()
        .with_filter(log_filter_from_level(level));
    tracing_subscriber::registry().with(to_file).with(to_people).init();
    guard
}

/// Logs this workspace's crates at `level` and libraries at warnings only, because libraries would print headers.
fn log_filter_from_level(level: LevelFilter) -> Targets {
    let target = "copresence";
    Targets::new().with_default(LevelFilter::WARN.min(level)).with_target(target, level)
}
