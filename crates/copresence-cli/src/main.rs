//! `copresence`: the test console. Runs visits, the sandbox and integration checks without a window.
//!
//! Exit codes and options are a contract: QA teams and partners script against them.

mod args;
mod common_options;
mod context;
mod credentials;
mod doctor;
mod embedded_sandbox;
mod failure;
mod history;
mod load;
mod no_echo;
mod output;
mod output_file;
mod profile;
mod qr_terminal;
mod recover;
mod remote_target;
mod sandbox;
mod shell_files;
mod signals;
mod simulation_options;
mod validate;
mod visit;

use args::{Args, Command};
use clap::Parser;
use common_options::CommonOptions;
use copresence_engine::logging::{self, LevelFilter, LogConfig, LogFileGuard};
use copresence_engine::setup::DataStore;
use failure::CommandFailure;
use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "crash-points")]
    if std::env::var_os("COPRESENCE_CRASH_POINTS").is_some() {
        copresence_engine::list_crash_points().for_each(|(name, words)| println!("{name}\t{words}"));
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    copresence_engine::credentials::disable_core_dumps();
    // Packages are built with these: no log, and no other file.
    match &args.command {
        Command::Completions { shell } => {
            shell_files::print_completions(*shell);
            return ExitCode::SUCCESS;
        }
        Command::Man { dir } => {
            let written = shell_files::write_man_pages(dir);
            return written.map_or_else(|failure| print_error_and_exit_code(&failure), |()| ExitCode::SUCCESS);
        }
        _ => {}
    }
    copresence_engine::install_crypto_provider();
    let _log_file = start_logging(&args.common);
    copresence_sandbox::raise_open_file_limit();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return print_error_and_exit_code(&CommandFailure::usage_error(format!(
                "the program cannot start its threads: {error}"
            )));
        }
    };
    let exit = match runtime.block_on(run_command(args)) {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => print_error_and_exit_code(&failure),
    };
    // Before the runtime ends: it handles a second Ctrl-C, which ends a program whose output nobody reads.
    output::await_written_output();
    exit
}

/// Starts logging to the data folder's log, and to stderr from the level of `-v` on.
fn start_logging(common: &CommonOptions) -> LogFileGuard {
    let stderr_level = match common.verbose {
        0 => LevelFilter::ERROR,
        1 => LevelFilter::INFO,
        _ => LevelFilter::TRACE,
    };
    let data_dir = common.data_dir.clone().unwrap_or_else(DataStore::default_data_dir);
    logging::start_logging(&LogConfig {
        program: "copresence",
        data_dir: &data_dir,
        stderr_level,
        has_color: output::can_animate_stderr(common.no_color),
        has_time: false,
    })
}

/// Runs the command of the command line, and returns the exit code.
async fn run_command(args: Args) -> Result<u8, CommandFailure> {
    signals::ignore_file_size_signal();
    let common = args.common;
    match args.command {
        Command::Visit(options) => visit::run_visit_command(&common, options).await,
        Command::Sandbox(options) => sandbox::run_sandbox_command(&common, options).await,
        Command::Validate(options) => validate::run_validate_command(&common, options).await,
        Command::Load(options) => load::run_load_command(&common, *options).await,
        Command::Recover => recover::run_recover_command(&common).await,
        Command::History { command } => history::run_history_command(&common, command.unwrap_or_default()).await,
        Command::Credentials { command } => credentials::run_credentials_command(&common, &command),
        Command::Profile { command } => profile::run_profile_command(&common, &command),
        Command::Doctor(options) => doctor::run_doctor_command(&common, options).await,
        // Done in `main`, without a runtime.
        Command::Completions { .. } | Command::Man { .. } => Ok(0),
    }
}

/// Prints the error to stderr, and returns its exit code.
fn print_error_and_exit_code(failure: &CommandFailure) -> ExitCode {
    for line in failure.message_and_remedy_lines() {
        output::eprint_sanitized_line(format_args!("{line}"));
    }
    output::await_written_output();
    ExitCode::from(failure.exit_code())
}
