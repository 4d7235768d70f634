//! A sandbox of the real program, and `copresence validate` at it.

use super::program::{FinishedRun, RunningProgram, TestHome};
use serde_json::Value;
use std::path::PathBuf;

/// A running sandbox with the environment variables of its credentials.
pub(crate) struct Sandbox {
    pub(crate) url: String,
    pub(crate) environment: Vec<(&'static str, String)>,
    pub(crate) _program: RunningProgram,
}

pub(crate) fn start_sandbox(home: &TestHome, more: &[&str]) -> Sandbox {
    let mut program =
        RunningProgram::start(home.command(&[&["sandbox", "--json", "--listen", "127.0.0.1:0"], more].concat()));
    let listening = program.wait_for_event("listening");
    let text = |field: &str| listening[field].as_str().expect("a text").to_owned();
    let environment = vec![
        ("COPRESENCE_API_KEY", text("api_key")),
        ("COPRESENCE_USERNAME", text("username")),
        ("COPRESENCE_PASSWORD", text("password")),
    ];
    Sandbox { url: text("url"), environment, _program: program }
}

pub(crate) fn run_validate(home: &TestHome, sandbox: &Sandbox, more: &[&str]) -> FinishedRun {
    let mut command = home.command(&["validate", "--api-url", &sandbox.url]);
    command.envs(sandbox.environment.iter().map(|(name, value)| (name, value))).args(more);
    RunningProgram::start(command).wait()
}

pub(crate) fn parse_lines(run: &FinishedRun) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

pub(crate) fn file_path(home: &TestHome, name: &str) -> (PathBuf, String) {
    let path = home.root().join(name);
    let text = path.to_str().expect("UTF-8").to_owned();
    (path, text)
}
