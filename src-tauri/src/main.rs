//! The desktop shell: a window around the kiosk application. It contains no application logic.
#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

mod args;
mod avatar_protocol;
mod awake;
mod backend;
mod checks;
mod commands;
mod display;
mod graphics;
mod picture_header;
mod shell;
mod simulator;
#[cfg(test)]
mod tests;
mod window;

use args::Args;
use clap::Parser;
use copresence_engine::credentials::EnvironmentCredentials;
use copresence_engine::logging::{self, LogConfig};
use std::fmt::Display;
use std::io::IsTerminal as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    copresence_engine::credentials::disable_core_dumps();
    copresence_engine::make_new_files_private();
    copresence_engine::install_crypto_provider();
    let data_dir = args.data_dir_or_default();
    let _log_file = logging::start_logging(&LogConfig {
        program: "copresence-kiosk",
        data_dir: &data_dir,
        stderr_level: args.log_level(),
        has_color: std::io::stderr().is_terminal(),
        has_time: true,
    });
    let environment = EnvironmentCredentials::read_from_environment_or_pipe_once();
    if !args.forget_pin && !args.set_pin {
        restart_program_if_needed(&environment);
    }
    copresence_sandbox::raise_open_file_limit();
    let done = if args.forget_pin {
        shell::forget_pin(&args)
    } else if args.set_pin {
        shell::set_pin(&args)
    } else {
        display::check_display().and_then(|()| shell::run_window_until_closed(&args, environment))
    };
    match done {
        Ok(exit) => ExitCode::from(exit),
        Err(failure) => {
            eprintln!("error: {}", failure.message);
            if args.errors_on_screen {
                display::show_error_dialog(&failure.message);
            }
            ExitCode::from(failure.exit)
        }
    }
}

/// Starts the program again if the web view's processes would inherit credentials, or need the graphics workaround.
fn restart_program_if_needed(environment: &EnvironmentCredentials) {
    let variables = graphics::restart_variables_for_nvidia_driver();
    if environment.are_inherited_by_children() || !variables.is_empty() {
        let error = environment.restart_with_piped_credentials(&variables);
        tracing::warn!(
            %error,
            inherits_credentials = environment.are_inherited_by_children(),
            missing_graphics_workaround = !variables.is_empty(),
            "the program cannot start itself again for the processes of the web view"
        );
    }
}

/// Why the program cannot start, with its exit code.
#[derive(Debug)]
struct StartError {
    exit: u8,
    message: String,
}

impl StartError {
    /// Wrong usage, invalid configuration, or a problem of this machine.
    fn usage(message: impl Display) -> Self {
        Self { exit: 2, message: format!("{message}") }
    }
}
