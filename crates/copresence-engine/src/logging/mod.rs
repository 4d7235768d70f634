//! Logging of the programs: to stderr, and to a rotated file in the data folder. Logs contain no secrets: secret types
//! print masked, and exchanges are redacted before they are recorded.

mod rotating_log;
mod single_line;

use rotating_log::RotatingLog;
use single_line::SingleLineWriter;
use std::path::Path;
use tracing_appender::non_blocking::WorkerGuard;
pub use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Maximum size of one log file, in bytes; 10 MiB in all with the rotated ones.
const LOG_SIZE: u64 = 2 << 20;
/// Number of rotated files to keep.
const LOGS_KEPT: u32 = 4;

/// The variable with levels by crate, as in `copresence_client=debug,copresence_store=trace`, for stderr and the log file.
pub const LOG_FILTER_VARIABLE: &str = "COPRESENCE_LOG";

/// How a program logs.
#[derive(Debug, Clone, Copy)]
pub struct LogConfig<'a> {
    /// Name of the program, and of its log file in `DATA_DIR/logs`. The file has the messages from INFO on.
    pub program: &'static str,
    /// The data folder.
    pub data_dir: &'a Path,
    /// Least severe messages on stderr.
    pub stderr_level: LevelFilter,
    /// Whether messages on stderr are colored.
    pub has_color: bool,
    /// Whether messages on stderr start with the time.
    pub has_time: bool,
}

/// Writes what is queued for the log file when it is dropped, so keep it until the program ends.
#[must_use = "the log file ends when this is dropped"]
pub struct LogFileGuard(#[expect(dead_code, reason = "kept for its drop")] Option<WorkerGuard>);

/// Starts logging. Without a log file if it cannot be created: opening the data folder reports what is wrong with it.
pub fn start_logging(config: &LogConfig<'_>) -> LogFileGuard {
    let folder = config.data_dir.join("logs");
    let file =
        create_private_folder(&folder).and_then(|()| RotatingLog::new(&folder, config.program, LOG_SIZE, LOGS_KEPT));
    let (file, error) = file.map_or_else(|error| (None, Some(error)), |file| (Some(file), None));
    let (writer, guard) = file.map(tracing_appender::non_blocking).unzip();
    let (levels, refused) = parse_levels_by_crate(&std::env::var(LOG_FILTER_VARIABLE).unwrap_or_default());
    let to_file = writer.map(|writer| {
        let to_line = move || SingleLineWriter(writer.clone());
        let filter = log_filter_quieting_libraries(LevelFilter::INFO).with_targets(levels.clone());
        fmt::layer().with_ansi(false).with_writer(to_line).with_filter(filter)
    });
    let to_stderr = fmt::layer().with_ansi(config.has_color).with_writer(|| SingleLineWriter(std::io::stderr()));
    let filter = log_filter_quieting_libraries(config.stderr_level).with_targets(levels.clone());
    let to_stderr = if config.has_time {
        to_stderr.with_filter(filter).boxed()
    } else {
        to_stderr.without_time().with_filter(filter).boxed()
    };
    tracing_subscriber::registry().with(to_file).with(to_stderr).init();
    if let Some(error) = error {
        tracing::warn!(%error, folder = %folder.display(), "messages go to stderr only: the log file cannot be opened");
    }
    if !refused.is_empty() {
        tracing::warn!(
            ?refused,
            "these parts of {LOG_FILTER_VARIABLE} are ignored: write CRATE=LEVEL, as in copresence_client=debug; other \
             crates than those of this program may log secrets"
        );
    }
    LogFileGuard(guard)
}

/// Parses levels by crate, separated by commas. Returns the usable ones, and the parts that are not.
fn parse_levels_by_crate(text: &str) -> (Vec<(String, LevelFilter)>, Vec<String>) {
    let (mut levels, mut refused) = (Vec::new(), Vec::new());
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let parsed = part.split_once('=').and_then(|(target, level)| {
            let target = target.trim().replace('-', "_");
            let is_own = target.starts_with("copresence");
            is_own.then(|| level.trim().parse::<LevelFilter>().ok()).flatten().map(|level| (target, level))
        });
        match parsed {
            Some(level) => levels.push(level),
            None => refused.push(part.to_owned()),
        }
    }
    (levels, refused)
}

/// Logs this workspace's crates at `level` and libraries at warnings only, because libraries would print headers.
fn log_filter_quieting_libraries(level: LevelFilter) -> Targets {
    Targets::new().with_default(LevelFilter::WARN.min(level)).with_target("copresence", level)
}

/// Creates a folder, with its parents, that only its owner can read: it holds avatars or visit times.
///
/// # Errors
/// When the folder cannot be created, or the path is a file.
pub fn create_private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_set_for_own_crates_only() {
        let (levels, refused) =
            parse_levels_by_crate("copresence_client=debug, copresence-store=TRACE,hyper=trace,debug,copresence=loud");
        let own = |name: &str, level| (name.to_owned(), level);
        assert_eq!(levels, [own("copresence_client", LevelFilter::DEBUG), own("copresence_store", LevelFilter::TRACE)]);
        assert_eq!(refused, ["hyper=trace", "debug", "copresence=loud"]);
        assert_eq!(parse_levels_by_crate(""), (Vec::new(), Vec::new()));
        let filter = log_filter_quieting_libraries(LevelFilter::WARN).with_targets(levels);
        assert!(filter.would_enable("copresence_client::transport", &tracing::Level::DEBUG));
        assert!(!filter.would_enable("copresence_engine", &tracing::Level::INFO));
        assert!(!filter.would_enable("hyper::client", &tracing::Level::INFO));
    }
}
