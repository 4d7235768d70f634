//! `cargo xtask dev`: the window over the UI's development server, both following the sources.

use crate::children::{Running, interrupted};
use crate::plan::{self, Failure, Plan, line_of};
use crate::prerequisites::{self, For};
use crate::project::{self, newest};
use crate::{Options, display, ui};
use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant, SystemTime};

/// How often it is looked whether sources changed or a program ended.
const LOOK: Duration = Duration::from_millis(300);
/// How long the development server may take to listen.
const SERVER_STARTS: Duration = Duration::from_secs(30);

pub(crate) fn run(options: &Options) -> Result<(), Failure> {
    if let Some(why) = display::why_no_window() {
        let remedy = "start it in a desktop session, or under `xvfb-run`";
        return Err(Failure::new(format!("no window can be opened: {why}"), remedy));
    }
    let mut plan = Plan::default();
    prerequisites::steps(&mut plan, options, For::Window);
    ui::install(&mut plan);
    // Compiling the app asks for a built UI, though the development server's is shown.
    ui::build(&mut plan);
    plan.run()?;

    let config = project::root().join("src-tauri/tauri.dev.conf.json");
    let config = fs::read_to_string(&config).map_err(|error| {
        Failure::new(format!("{} cannot be read: {error}", config.display()), "is the clone complete?")
    })?;
    let mut server = start(&mut ui::server(), "`cd ui && npx vite` shows why")?;
    await_server(&mut server, port_of(&config).unwrap_or(5173))?;
    follow(&mut server, &config, &options.app_args)
}

/// Builds and shows the app, again each time when Rust sources change, until it or the server ends.
fn follow(server: &mut Running, config: &str, app_args: &[String]) -> Result<(), Failure> {
    loop {
        let seen = newest(&sources());
        // As the Tauri CLI does it: merged into `tauri.conf.json` at compile time.
        let mut cargo = project::cargo(&["build", "--package", "copresence-kiosk"]);
        let compiles = plan::run(cargo.env("TAURI_CONFIG", config), "").is_ok();
        let mut app = None;
        if compiles {
            eprintln!("The window opens. UI changes show at once, Rust changes build and start it again.");
            let mut command = Command::new(project::app());
            app = Some(start(command.args(app_args).current_dir(project::root()), "see above")?);
        } else if !interrupted() {
            eprintln!("The build failed; it is tried again when a source changes.");
        }
        if !changed_while_running(seen, &mut app, server)? {
            return Ok(());
        }
        eprintln!("A source changed: building again.");
    }
}

/// Waits; true when the sources changed, false when the app was closed.
fn changed_while_running(
    seen: Option<SystemTime>,
    app: &mut Option<Running>,
    server: &mut Running,
) -> Result<bool, Failure> {
    loop {
        if interrupted() {
            return Err(Failure::new("interrupted", ""));
        }
        if newest(&sources()) != seen {
            return Ok(true);
        }
        if let Some(app) = app
            && ended(app)
        {
            return Ok(false);
        }
        if ended(server) {
            return Err(Failure::new("the UI's development server ended", "its last lines above say why"));
        }
        std::thread::sleep(LOOK);
    }
}

fn sources() -> Vec<PathBuf> {
    ["crates", "src-tauri/src", "src-tauri/tauri.conf.json", "Cargo.toml", "Cargo.lock"]
        .map(|name| project::root().join(name))
        .to_vec()
}

fn start(command: &mut Command, remedy: &str) -> Result<Running, Failure> {
    Running::start(command).map_err(|error| {
        Failure::new(format!("`{}` could not be started: {error}", line_of(command)), remedy)
    })
}

fn ended(program: &mut Running) -> bool {
    !matches!(program.ended(), Ok(None))
}

fn await_server(server: &mut Running, port: u16) -> Result<(), Failure> {
    let deadline = Instant::now() + SERVER_STARTS;
    // `localhost`, not a number: which of its two addresses the server takes is the system's choice.
    while TcpStream::connect(("localhost", port)).is_err() {
        if ended(server) || interrupted() || Instant::now() > deadline {
            let what = format!("the UI's development server does not listen on port {port}");
            return Err(Failure::new(what, "is another program on that port? Its last lines above say more"));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// The port in the configuration's `"devUrl": "http://localhost:5173"`.
fn port_of(config: &str) -> Option<u16> {
    let url = config.split_once("\"devUrl\"")?.1.split('"').nth(1)?;
    url.trim_end_matches('/').rsplit(':').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_configuration() {
        assert_eq!(port_of(r#"{"build":{"devUrl":"http://localhost:5173/"}}"#), Some(5173));
        assert_eq!(port_of(r#"{ "build": { "devUrl" : "http://127.0.0.1:80" } }"#), Some(80));
        assert_eq!(port_of("{}"), None);
    }
}
