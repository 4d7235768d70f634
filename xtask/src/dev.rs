//! `cargo xtask dev`: the window with the UI's development server; both follow changes of the sources.

use crate::prerequisites::{self, PrerequisitePurpose};
use crate::process_group::{ProcessGroup, is_interrupted};
use crate::project::{self, newest_change_time};
use crate::steps::{self, StepFailure, StepPlan, shell_command_line};
use crate::{Options, display, ui};
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// Time between two checks of sources and programs.
const POLL_INTERVAL: Duration = Duration::from_millis(300);
/// Time that the development server may take to listen.
const SERVER_START_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the app, and builds it again on changes, until it is closed.
///
/// # Errors
/// If no window can be opened, a prerequisite is missing, or the development server ends.
pub(crate) fn run_dev_app(options: &Options, app_args: &[String]) -> Result<(), StepFailure> {
    if let Some(reason) = display::missing_display_reason() {
        let remedy = "start it in a desktop session, or under `xvfb-run`";
        return Err(StepFailure::new(format!("no window can be opened: {reason}"), remedy));
    }
    let mut plan = StepPlan::default();
    prerequisites::add_prerequisite_steps(&mut plan, options, PrerequisitePurpose::Window);
    ui::add_npm_ci_if_stale(&mut plan);
    // The app compiles only with a built UI, although the window loads the development server's.
    ui::add_ui_build_if_stale(&mut plan);
    plan.run_steps()?;

    let config = project::repository_root().join("src-tauri/tauri.dev.conf.json");
    let config = fs::read_to_string(&config).map_err(|error| {
        StepFailure::new(format!("{} cannot be read: {error}", config.display()), "is the clone complete?")
    })?;
    let mut server = spawn_program_in_own_group(&mut ui::dev_server_command(), "`cd ui && npx vite` shows why")?;
    wait_for_dev_server(&mut server, parse_dev_server_port(&config).unwrap_or(5173))?;
    rebuild_app_on_change(&mut server, &config, app_args)
}

/// Builds and starts the app, again after each change of Rust sources, until the app or the server ends.
fn rebuild_app_on_change(server: &mut ProcessGroup, config: &str, app_args: &[String]) -> Result<(), StepFailure> {
    loop {
        let built_from = newest_change_time(&watched_sources());
        // As the Tauri CLI does: merged into `tauri.conf.json` at compile time.
        let mut cargo = project::cargo_command(&["build", "--package", "copresence-kiosk"]);
        let compiles = steps::run_program(cargo.env("TAURI_CONFIG", config), "").is_ok();
        let mut app = None;
        if compiles {
            eprintln!("The window opens. UI changes show at once; Rust changes build the app and start it again.");
            let mut command = Command::new(project::debug_program_path("copresence-kiosk"));
            app = Some(spawn_program_in_own_group(
                command.args(app_args).current_dir(project::repository_root()),
                "see above",
            )?);
        } else if !is_interrupted() {
            eprintln!("The build failed. Retrying when a source changes.");
        }
        if !wait_for_change_unless_app_exits(built_from, &mut app, server)? {
            return Ok(());
        }
        eprintln!("A source changed: building again.");
    }
}

/// Waits for a change of the sources (true) or for the app's end (false).
fn wait_for_change_unless_app_exits(
    built_from: Option<SystemTime>,
    app: &mut Option<ProcessGroup>,
    server: &mut ProcessGroup,
) -> Result<bool, StepFailure> {
    loop {
        if is_interrupted() {
            return Err(StepFailure::new("interrupted", ""));
        }
        if newest_change_time(&watched_sources()) != built_from {
            return Ok(true);
        }
        if let Some(app) = app
            && has_program_ended(app)
        {
            return Ok(false);
        }
        if has_program_ended(server) {
            return Err(StepFailure::new("the UI's development server ended", "its last lines above say why"));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// The files and folders whose change makes the app build again.
fn watched_sources() -> Vec<PathBuf> {
    ["crates", "src-tauri/src", "src-tauri/tauri.conf.json", "Cargo.toml", "Cargo.lock"]
        .map(|name| project::repository_root().join(name))
        .to_vec()
}

/// Spawns a program in its own process group. A failure names the command.
fn spawn_program_in_own_group(command: &mut Command, remedy: &str) -> Result<ProcessGroup, StepFailure> {
    ProcessGroup::spawn_in_new_group(command).map_err(|error| {
        StepFailure::new(format!("`{}` could not be started: {error}", shell_command_line(command)), remedy)
    })
}

/// Whether the program has ended, or its status cannot be read.
fn has_program_ended(program: &mut ProcessGroup) -> bool {
    !matches!(program.try_wait_for_program(), Ok(None))
}

/// Waits until the development server accepts connections.
fn wait_for_dev_server(server: &mut ProcessGroup, port: u16) -> Result<(), StepFailure> {
    let deadline = Instant::now() + SERVER_START_TIMEOUT;
    // The name and not an address: the system decides whether the server listens on IPv4 or IPv6.
    while TcpStream::connect(("localhost", port)).is_err() {
        if has_program_ended(server) || is_interrupted() || Instant::now() > deadline {
            let what = format!("the UI's development server does not listen on port {port}");
            return Err(StepFailure::new(
                what,
                "end another program on that port; the server's last lines above say more",
            ));
        }
        std::thread::sleep(POLL_INTERVAL);
    }
    Ok(())
}

/// The port in the configuration's `"devUrl": "http://localhost:5173"`.
fn parse_dev_server_port(config: &str) -> Option<u16> {
    let url = config.split_once("\"devUrl\"")?.1.split('"').nth(1)?;
    url.trim_end_matches('/').rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dev_port_is_read_from_the_configuration() {
        assert_eq!(parse_dev_server_port(r#"{"build":{"devUrl":"http://localhost:5173/"}}"#), Some(5173));
        assert_eq!(parse_dev_server_port(r#"{ "build": { "devUrl" : "http://127.0.0.1:80" } }"#), Some(80));
        assert_eq!(parse_dev_server_port("{}"), None);
    }
}
