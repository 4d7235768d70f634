//! The real `copresence` in temporary folders, with an environment that the test defines.

use super::backend::{API_KEY, Backend, SESSION_TOKEN};
use super::lines::JsonLines;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time limit of a run. A run that exceeds it is considered hung.
const RUN_TIMEOUT: Duration = Duration::from_secs(40);

/// Temporary folders of one test: home, data and output.
pub(crate) struct TestHome {
    root: TempDir,
}

impl TestHome {
    pub(crate) fn new() -> Self {
        Self { root: TempDir::new().expect("a temporary folder") }
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.root().join("out")
    }

    /// The program with these arguments and the environment of this home.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_copresence"));
        command.env_clear().env("HOME", self.root()).env("COPRESENCE_DATA_DIR", self.data());
        for inherited in ["PATH", "SYSTEMROOT", "TEMP", "TMP"] {
            if let Some(value) = std::env::var_os(inherited) {
                command.env(inherited, value);
            }
        }
        // The home on every system, and no keychain.
        command.env("APPDATA", self.root()).env("LOCALAPPDATA", self.root());
        if cfg!(target_os = "linux") {
            command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        } else {
            command.env("COPRESENCE_KEYCHAIN", "off");
        }
        command.current_dir(self.root()).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the program until it ends.
    pub(crate) fn run_program(&self, args: &[&str]) -> FinishedRun {
        RunningProgram::start(self.command(args)).wait()
    }

    /// The command `visit --json` for a backend, with API key and session token in the environment.
    pub(crate) fn visit_command(&self, backend: &Backend, more: &[&str]) -> Command {
        self.visit_command_at(backend.url(), more)
    }

    pub(crate) fn visit_command_at(&self, url: &str, more: &[&str]) -> Command {
        self.visit_command_with_poll("60ms", url, more)
    }

    /// The command `visit --json` with this interval between polls.
    pub(crate) fn visit_command_with_poll(&self, poll: &str, url: &str, more: &[&str]) -> Command {
        let mut command = self.base_visit_command(poll, url, more);
        command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
        command
    }

    /// The command `visit --json` without credentials.
    pub(crate) fn anonymous_visit_command(&self, url: &str, more: &[&str]) -> Command {
        self.base_visit_command("60ms", url, more)
    }

    fn base_visit_command(&self, poll: &str, url: &str, more: &[&str]) -> Command {
        let link = "https://app.test/scan?exportToken={token}";
        let mut command = self.command(&["visit", "--json", "--poll", poll, "--api-url", url, "--link", link]);
        command.arg("--out").arg(self.out()).args(more);
        if !more.contains(&"--config") {
            command.arg("--config").arg(self.write_config_with_short_patience());
        }
        command
    }

    /// Writes a file of profiles whose patience is so short that refusals are confirmed within two seconds.
    fn write_config_with_short_patience(&self) -> PathBuf {
        let config = self.root().join("short-patience.toml");
        std::fs::write(&config, "[profiles.sandbox]\npatience = \"12s\"\n").expect("written");
        config
    }

    /// Runs `recover --json` with the same credentials.
    pub(crate) fn run_recover(&self) -> FinishedRun {
        RunningProgram::start(self.recover_command()).wait()
    }

    pub(crate) fn recover_command(&self) -> Command {
        let mut command = self.command(&["recover", "--json"]);
        command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
        command
    }

    /// The folders in OUT. Empty if OUT does not exist.
    pub(crate) fn saved_folders(&self) -> Vec<PathBuf> {
        list_folders(&self.out())
    }

    pub(crate) fn incomplete_folders(&self) -> Vec<PathBuf> {
        list_folders(&self.data().join("incomplete"))
    }
}

fn list_folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut all: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    all.sort();
    all
}

/// A run that has ended.
pub(crate) struct FinishedRun {
    /// The exit code. `None` if a signal ended the program.
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl FinishedRun {
    pub(crate) fn lines(&self) -> JsonLines {
        JsonLines::parse(&self.stdout)
    }

    /// Checks the exit code, and panics with the output otherwise.
    #[track_caller]
    pub(crate) fn expect_exit(self, code: i32) -> Self {
        assert_eq!(self.exit, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Checks the exit code and the last line's `exit`, `code` and `visit_state`. Returns its message.
    #[track_caller]
    pub(crate) fn expect_end(&self, exit: i32, code: &str, state: &str) -> String {
        let output = format!("stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert_eq!(self.exit, Some(exit), "{output}");
        let lines = self.lines();
        let last = lines.ended_line();
        let printed = (last["exit"].as_i64(), last["code"].as_str(), last["visit_state"].as_str());
        assert_eq!(printed, (Some(exit.into()), Some(code), Some(state)), "{output}");
        last["message"].as_str().expect("a message").to_owned()
    }
}

/// A running program. It is killed when dropped.
pub(crate) struct RunningProgram {
    child: Child,
    lines: Receiver<String>,
    stdout: String,
    stderr: Option<JoinHandle<String>>,
}

impl RunningProgram {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut stderr = child.stderr.take().expect("piped");
        let stderr = std::thread::spawn(move || {
            let mut text = Vec::new();
            _ = stderr.read_to_end(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        });
        Self { child, lines, stdout: String::new(), stderr: Some(stderr) }
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next line on stdout.
    pub(crate) fn next_line(&mut self) -> String {
        let line = self.lines.recv_timeout(RUN_TIMEOUT).expect("a line in time");
        self.stdout.push_str(&line);
        self.stdout.push('\n');
        line
    }

    /// Waits for a line with this event, and returns it.
    pub(crate) fn wait_for_event(&mut self, event: &str) -> Value {
        self.wait_for_line(|line| line["event"] == event)
    }

    pub(crate) fn wait_for_line(&mut self, is_wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line: Value = serde_json::from_str(&self.next_line()).expect("a JSON line");
            if is_wanted(&line) {
                return line;
            }
        }
    }

    #[cfg(unix)]
    pub(crate) fn send_signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("an id"), signal).expect("it runs");
    }

    /// Kills the program with SIGKILL.
    pub(crate) fn kill(mut self) -> FinishedRun {
        self.child.kill().expect("it runs");
        self.wait()
    }

    /// Waits until the program ends.
    pub(crate) fn wait(mut self) -> FinishedRun {
        let deadline = Instant::now() + RUN_TIMEOUT;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.stdout.push_str(&line);
                    self.stdout.push('\n');
                }
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    _ = self.child.kill();
                    let stderr = self.stderr.take().map(JoinHandle::join);
                    panic!("the program does not end; stdout:\n{}\nstderr:\n{stderr:?}", self.stdout);
                }
            }
        }
        let exit = self.child.wait().expect("it ended").code();
        let stderr = self.stderr.take().expect("once").join().expect("read");
        FinishedRun { exit, stdout: std::mem::take(&mut self.stdout), stderr }
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
