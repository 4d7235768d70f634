//! The real `copresence`, in folders of its own, with no environment but what a test gives it.

use super::backend::{API_KEY, Backend, SESSION_TOKEN};
use super::lines::Lines;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No test should need as long; one that does hangs.
const PATIENCE: Duration = Duration::from_secs(40);

/// Folders for one test: home, data, out.
pub(crate) struct Fixture {
    root: TempDir,
}

impl Fixture {
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

    /// The program with these arguments and nothing of this process's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_copresence"));
        command.env_clear().env("HOME", self.root()).env("COPRESENCE_DATA_DIR", self.data());
        for keep in ["PATH", "SYSTEMROOT", "TEMP", "TMP"] {
            if let Some(value) = std::env::var_os(keep) {
                command.env(keep, value);
            }
        }
        // A home of its own on every system, and no keychain on those that have a bus.
        command.env("APPDATA", self.root()).env("LOCALAPPDATA", self.root());
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        command.current_dir(self.root()).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs to the end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Live::start(self.command(args)).end()
    }

    /// `visit --json` at a backend, with API key and session token from the environment.
    pub(crate) fn visit(&self, backend: &Backend, more: &[&str]) -> Command {
        self.visit_at(backend.url(), more)
    }

    pub(crate) fn visit_at(&self, url: &str, more: &[&str]) -> Command {
        self.visit_every("60ms", url, more)
    }

    /// As `visit_at`, with another interval between its polls.
    pub(crate) fn visit_every(&self, poll: &str, url: &str, more: &[&str]) -> Command {
        let mut command = self.visiting(poll, url, more);
        command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
        command
    }

    /// The same, with no credential at all.
    pub(crate) fn anonymous_visit(&self, url: &str, more: &[&str]) -> Command {
        self.visiting("60ms", url, more)
    }

    fn visiting(&self, poll: &str, url: &str, more: &[&str]) -> Command {
        let link = "https://app.test/scan?exportToken={token}";
        let mut command =
            self.command(&["visit", "--json", "--poll", poll, "--api-url", url, "--link", link]);
        command.arg("--out").arg(self.out()).args(more);
        command
    }

    /// `recover --json`, with the same credentials.
    pub(crate) fn recover(&self) -> Ran {
        Live::start(self.recovering()).end()
    }

    pub(crate) fn recovering(&self) -> Command {
        let mut command = self.command(&["recover", "--json"]);
        command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
        command
    }

    /// Folders in OUT; none when it is not there.
    pub(crate) fn saved(&self) -> Vec<PathBuf> {
        folders(&self.out())
    }

    pub(crate) fn incomplete(&self) -> Vec<PathBuf> {
        folders(&self.data().join("incomplete"))
    }
}

fn folders(parent: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(parent) else { return Vec::new() };
    let mut all: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    all.sort();
    all
}

/// A run that is over.
pub(crate) struct Ran {
    /// `None`: killed by a signal.
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    pub(crate) fn lines(&self) -> Lines {
        Lines::read(&self.stdout)
    }

    /// Checks the exit code, and shows all that was said when it is another.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.exit, Some(code), "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Checks exit code and the last line's `exit`, `code` and `visit_state`; gives its message.
    #[track_caller]
    pub(crate) fn ends(&self, exit: i32, code: &str, state: &str) -> String {
        let said = format!("stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        assert_eq!(self.exit, Some(exit), "{said}");
        let lines = self.lines();
        let last = lines.ended();
        let told = (last["exit"].as_i64(), last["code"].as_str(), last["visit_state"].as_str());
        assert_eq!(told, (Some(exit.into()), Some(code), Some(state)), "{said}");
        last["message"].as_str().expect("a message").to_owned()
    }
}

/// A run that goes on; killed when it is dropped.
pub(crate) struct Live {
    child: Child,
    lines: Receiver<String>,
    stdout: String,
    stderr: Option<JoinHandle<String>>,
}

impl Live {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().expect("the program starts");
        let (tell, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
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

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The next line on stdout.
    pub(crate) fn line(&mut self) -> String {
        let line = self.lines.recv_timeout(PATIENCE).expect("a line in time");
        self.stdout.push_str(&line);
        self.stdout.push('\n');
        line
    }

    /// Waits for a line with this event.
    pub(crate) fn until(&mut self, event: &str) -> Value {
        self.until_line(|line| line["event"] == event)
    }

    pub(crate) fn until_line(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line: Value = serde_json::from_str(&self.line()).expect("a JSON line");
            if wanted(&line) {
                return line;
            }
        }
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = i32::try_from(self.child.id()).ok().and_then(rustix::process::Pid::from_raw);
        rustix::process::kill_process(id.expect("an id"), signal).expect("it runs");
    }

    /// As a power cut would.
    pub(crate) fn kill(mut self) -> Ran {
        self.child.kill().expect("it runs");
        self.end()
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ran {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.stdout.push_str(&line);
                    self.stdout.push('\n');
                }
                Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                    _ = self.child.kill();
                    let stderr = self.stderr.take().map(JoinHandle::join);
                    panic!("it does not end; stdout:\n{}\nstderr:\n{stderr:?}", self.stdout);
                }
            }
        }
        let exit = self.child.wait().expect("it ended").code();
        let stderr = self.stderr.take().expect("once").join().expect("read");
        Ran { exit, stdout: std::mem::take(&mut self.stdout), stderr }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
