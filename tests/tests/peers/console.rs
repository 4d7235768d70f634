//! The real `copresence` with a home, a profile and an environment that the test defines.

use crate::HarnessError;
use crate::peer_process::target_dir;
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time limit of one run. A run that exceeds it is considered hung.
const RUN_TIMEOUT: Duration = Duration::from_mins(4);

/// A machine with `copresence` on it.
pub(crate) struct Console {
    home: TempDir,
    environment: Vec<(String, String)>,
}

impl Console {
    /// A console with this text as the keys of its profile `peer`.
    pub(crate) fn new(profile: &str) -> Result<Self, HarnessError> {
        let home = tempfile::Builder::new().prefix("copresence-peer-").tempdir()?;
        let link = "https://app.example/?exportToken={token}";
        std::fs::write(home.path().join("profiles.toml"), format!("[profiles.peer]\nlink = \"{link}\"\n{profile}"))?;
        Ok(Self { home, environment: Vec::new() })
    }

    /// Sets a variable of the environment, or replaces it.
    pub(crate) fn set_env(&mut self, name: &str, value: impl Into<String>) {
        self.environment.retain(|(existing, _)| existing != name);
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Runs `visit --json` to its end.
    pub(crate) fn visit(&self) -> Result<FinishedRun, HarnessError> {
        self.start_visit()?.finish()
    }

    /// Starts `visit --json`.
    pub(crate) fn start_visit(&self) -> Result<RunningConsole, HarnessError> {
        self.start(&["visit", "--json", "--poll", "200ms"])
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Result<FinishedRun, HarnessError> {
        self.start(args)?.finish()
    }

    /// Starts a command.
    pub(crate) fn start(&self, args: &[&str]) -> Result<RunningConsole, HarnessError> {
        let mut command = Command::new(program_path()?);
        command.env_clear().env("HOME", self.home.path()).envs(self.environment.iter().cloned());
        for inherited in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(inherited) {
                command.env(inherited, value);
            }
        }
        // No keychain, even if the machine has a session bus.
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        command.args(args).args(["--profile", "peer", "--config"]).arg(self.home.path().join("profiles.toml"));
        command.arg("--data-dir").arg(self.home.path().join("data")).arg("--out").arg(self.home.path().join("out"));
        command.current_dir(self.home.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        RunningConsole::start(command)
    }

    /// The folders of complete avatars. The names of folders with partial files begin with a dot.
    pub(crate) fn saved_avatars(&self) -> Result<Vec<PathBuf>, HarnessError> {
        let out = self.home.path().join("out");
        if !out.exists() {
            return Ok(Vec::new());
        }
        let mut avatars = Vec::new();
        for entry in out.read_dir()? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with('.') {
                avatars.push(entry.path());
            }
        }
        Ok(avatars)
    }

    /// Asserts that exactly one complete avatar exists, and that it has exactly these files.
    #[track_caller]
    pub(crate) fn assert_only_avatar_has_files(&self, files: &[(&str, &[u8])]) {
        let saved = self.saved_avatars().expect("readable");
        assert_eq!(saved.len(), 1, "complete avatars: {saved:?}");
        assert_avatar_has_files(&saved[0], files);
    }
}

/// Asserts that a folder has exactly these files and a manifest.
#[track_caller]
fn assert_avatar_has_files(directory: &Path, files: &[(&str, &[u8])]) {
    let names = directory.read_dir().expect("readable").map(|entry| entry.expect("readable").file_name());
    let mut found: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    found.sort();
    let mut expected: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    expected.push("manifest.json".to_owned());
    expected.sort();
    assert_eq!(found, expected);
    for (name, content) in files {
        let saved = std::fs::read(directory.join(name)).expect("readable");
        assert!(saved == *content, "{name}: {} bytes differ from the {} bytes sent", saved.len(), content.len());
    }
}

/// The `copresence` that `COPRESENCE` names, or the debug build.
pub(crate) fn program_path() -> Result<PathBuf, HarnessError> {
    let program = std::env::var_os("COPRESENCE").map_or_else(|| target_dir().join("debug/copresence"), PathBuf::from);
    if program.is_file() {
        return Ok(program);
    }
    Err(format!("{} does not exist; `cargo build -p copresence-cli` builds it", program.display()).into())
}

/// A run that goes on. It is killed when this value is dropped.
pub(crate) struct RunningConsole {
    child: Child,
    deadline: Instant,
    stdout: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    lines: Vec<String>,
}

impl RunningConsole {
    fn start(mut command: Command) -> Result<Self, HarnessError> {
        let mut child = command.spawn()?;
        let (sender, stdout) = channel();
        let out = BufReader::new(child.stdout.take().ok_or("no pipe")?);
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let err = child.stderr.take().ok_or("no pipe")?;
        let stderr = Some(std::thread::spawn(move || read_text(err)));
        Ok(Self { child, deadline: Instant::now() + RUN_TIMEOUT, stdout, stderr, lines: Vec::new() })
    }

    /// Waits for the next line that `accept` accepts.
    pub(crate) fn wait_for(&mut self, what: &str, accept: impl Fn(&Value) -> bool) -> Result<Value, HarnessError> {
        while let Some(line) = self.next_line()? {
            let value: Value = serde_json::from_str(&line)?;
            if accept(&value) {
                return Ok(value);
            }
        }
        Err(format!("the run ended before {what}:\n{}", self.lines.join("\n")).into())
    }

    /// Waits for the next line with this `event`.
    pub(crate) fn wait_for_event(&mut self, event: &str) -> Result<Value, HarnessError> {
        self.wait_for(event, |line| line["event"] == event)
    }

    /// The next line of stdout; `None` at its end.
    fn next_line(&mut self) -> Result<Option<String>, HarnessError> {
        match self.stdout.recv_timeout(self.deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                self.lines.push(line.clone());
                Ok(Some(line))
            }
            Err(RecvTimeoutError::Disconnected) => Ok(None),
            Err(RecvTimeoutError::Timeout) => Err(format!("the run hangs:\n{}", self.lines.join("\n")).into()),
        }
    }

    /// Sends a signal to the program.
    pub(crate) fn send_signal(&self, signal: rustix::process::Signal) -> Result<(), HarnessError> {
        let process = rustix::process::Pid::from_child(&self.child);
        Ok(rustix::process::kill_process(process, signal)?)
    }

    /// Waits for the end of the run.
    pub(crate) fn finish(mut self) -> Result<FinishedRun, HarnessError> {
        while self.next_line()?.is_some() {}
        let exit = self.child.wait()?.code();
        let stderr = self.stderr.take().and_then(|thread| thread.join().ok()).unwrap_or_default();
        Ok(FinishedRun { exit, stdout: std::mem::take(&mut self.lines), stderr })
    }
}

impl Drop for RunningConsole {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- lines of copresence ---\n{}", self.lines.join("\n"));
        }
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn read_text(mut pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    _ = pipe.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A run that has ended.
#[derive(Debug)]
pub(crate) struct FinishedRun {
    exit: Option<i32>,
    stdout: Vec<String>,
    stderr: String,
}

impl FinishedRun {
    /// The exit code and all output, for the message of a failed assertion.
    pub(crate) fn describe(&self) -> String {
        format!("exit {:?}\n{}\n--- stderr ---\n{}", self.exit, self.stdout.join("\n"), self.stderr)
    }

    /// Asserts the exit code.
    #[track_caller]
    pub(crate) fn assert_exit(&self, expected: i32) {
        assert!(self.exit == Some(expected), "expected exit {expected}: {}", self.describe());
    }

    /// Asserts that the output has this text somewhere.
    #[track_caller]
    pub(crate) fn assert_mentions(&self, text: &str) {
        let all = self.describe();
        assert!(all.contains(text), "does not mention {text:?}: {all}");
    }

    /// Asserts that the output has this text nowhere.
    #[track_caller]
    pub(crate) fn assert_never_mentions(&self, text: &str) {
        let all = self.describe();
        assert!(!all.contains(text), "mentions {text:?}: {all}");
    }

    /// All lines of stdout with this `event`.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        let lines = self.stdout.iter().filter_map(|line| serde_json::from_str(line).ok());
        lines.filter(|line: &Value| line["event"] == event).collect()
    }

    /// Asserts the error code of the `ended` line, and returns its message.
    #[track_caller]
    pub(crate) fn assert_ended(&self, code: &str) -> String {
        let ended = self.events("ended");
        assert!(ended.last().is_some_and(|line| line["code"] == code), "expected {code}: {}", self.describe());
        ended[0]["message"].as_str().unwrap_or_default().to_owned()
    }

    /// Codes of the notes of all saved files, without repetition.
    #[track_caller]
    pub(crate) fn note_codes(&self) -> Vec<String> {
        let saved = self.events("saved");
        let saved = saved.first().unwrap_or_else(|| panic!("nothing saved: {}", self.describe()));
        let files = saved["files"].as_array().expect("a list");
        let notes = files.iter().flat_map(|file| file["notes"].as_array().cloned().unwrap_or_default());
        let mut codes: Vec<String> = notes.filter_map(|note| note["code"].as_str().map(str::to_owned)).collect();
        codes.sort();
        codes.dedup();
        codes
    }
}
