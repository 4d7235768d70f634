//! The folders of one cell with foreign files in them, and the real `copresence` with an environment that is defined
//! here.

use crate::HarnessError;
use crate::backend::{API_KEY, Backend, SESSION_TOKEN};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Time limit of a run. A run that exceeds it is considered hung.
pub(crate) const RUN_TIMEOUT: Duration = Duration::from_mins(1);

/// A temporary home with a data folder and an output folder.
pub(crate) struct TestHome {
    root: TempDir,
    /// The parent of OUT if that is on another disk.
    out_disk: Option<TempDir>,
    program: PathBuf,
}

/// Files that the program must not touch: path below the root, content, mode.
const FOREIGN_FILES: [(&str, &str, u32); 3] = [
    ("out/holiday.txt", "not ours", 0o644),
    ("out/2026-01-01-summer/avatar.glb", "not ours either", 0o600),
    ("data/notes.txt", "a stranger's notes", 0o644),
];

impl TestHome {
    pub(crate) fn new(program: &Path) -> Result<Self, HarnessError> {
        Self::create(program, None)
    }

    /// A home whose OUT is on another disk than its data folder.
    pub(crate) fn on_two_disks(program: &Path, other: &Path) -> Result<Self, HarnessError> {
        Self::create(program, Some(tempfile::Builder::new().prefix("copresence-matrix-").tempdir_in(other)?))
    }

    fn create(program: &Path, out_disk: Option<TempDir>) -> Result<Self, HarnessError> {
        let root = tempfile::Builder::new().prefix("copresence-matrix-").tempdir()?;
        let home = Self { root, out_disk, program: program.to_owned() };
        for (name, content, mode) in FOREIGN_FILES {
            let path = home.foreign_path(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, content)?;
            std::fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        Ok(home)
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.out_disk.as_ref().map_or_else(|| self.root(), TempDir::path).join("out")
    }

    fn foreign_path(&self, name: &str) -> PathBuf {
        match name.strip_prefix("out/") {
            Some(rest) => self.out().join(rest),
            None => self.root().join(name),
        }
    }

    /// Whether a path is a foreign file or a folder with one.
    pub(crate) fn is_foreign(&self, path: &Path) -> bool {
        FOREIGN_FILES.iter().any(|(name, ..)| self.foreign_path(name).starts_with(path))
    }

    /// Describes the changes to foreign files.
    pub(crate) fn foreign_file_changes(&self) -> Vec<String> {
        let mut changes = Vec::new();
        for (name, content, mode) in FOREIGN_FILES {
            let path = self.foreign_path(name);
            match std::fs::read(&path) {
                Ok(found) if found == content.as_bytes() => {}
                Ok(_) => changes.push(format!("the foreign file {name} was changed")),
                Err(error) => changes.push(format!("the foreign file {name} cannot be read: {error}")),
            }
            let now = path.metadata().map(|meta| meta.permissions().mode() & 0o777);
            if let Ok(now) = now
                && now != mode
            {
                changes.push(format!("the mode of the foreign file {name} was changed from {mode:o} to {now:o}"));
            }
        }
        changes
    }

    /// The program with these arguments and the environment of this home.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        self.apply_environment(&mut command);
        command.args(args);
        command
    }

    /// Replaces the environment of a command, including its working directory and pipes.
    pub(crate) fn apply_environment(&self, command: &mut Command) {
        command.env_clear().env("HOME", self.root()).env("COPRESENCE_DATA_DIR", self.data());
        for inherited in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(inherited) {
                command.env(inherited, value);
            }
        }
        // No keychain, even if the machine has a session bus.
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
        command.current_dir(self.root());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    /// The command `visit --json` for a backend.
    pub(crate) fn visit_command(&self, backend: &Backend) -> Command {
        let mut command = self.command(&["visit", "--json", "--poll", "50ms", "--api-url"]);
        command.arg(backend.url()).args(["--link", "https://app.test/scan?exportToken={token}", "--out"]);
        command.arg(self.out());
        command
    }

    pub(crate) fn recover_command(&self) -> Command {
        self.command(&["recover", "--json"])
    }

    /// Keeps the folders after the test, and returns their paths.
    pub(crate) fn keep_folders(mut self) -> Vec<PathBuf> {
        self.root.disable_cleanup(true);
        let mut kept = vec![self.root().to_owned()];
        if let Some(out_disk) = &mut self.out_disk {
            out_disk.disable_cleanup(true);
            kept.push(out_disk.path().to_owned());
        }
        kept
    }
}

/// The `copresence` under test: the one that `COPRESENCE` names, or the one beside this program.
pub(crate) fn find_program() -> Result<PathBuf, HarnessError> {
    if let Some(path) = std::env::var_os("COPRESENCE") {
        return Ok(std::path::absolute(path)?);
    }
    let here = std::env::current_exe()?;
    let beside = here.with_file_name(format!("copresence{}", std::env::consts::EXE_SUFFIX));
    if beside.is_file() {
        return Ok(beside);
    }
    Err(format!(
        "{} does not exist. Build it with `cargo build -p copresence-cli --features copresence-cli/crash-points`, or set COPRESENCE",
        beside.display()
    )
    .into())
}

/// A run that has ended.
#[derive(Debug, Default, Clone)]
pub(crate) struct FinishedRun {
    /// The exit code. `None` if a signal ended the program.
    pub(crate) exit: Option<i32>,
    /// Whether it was killed after [`RUN_TIMEOUT`].
    pub(crate) timed_out: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) duration: Duration,
}

impl FinishedRun {
    /// The lines that `--json` printed.
    pub(crate) fn json_lines(&self) -> Vec<serde_json::Value> {
        // The last line may be truncated by the crash.
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The output and the exit code in one sentence.
    pub(crate) fn describe(&self) -> String {
        let end = match (self.timed_out, self.exit) {
            (true, _) => "timed out".to_owned(),
            (_, Some(exit)) => format!("exit {exit}"),
            (_, None) => "ended by a signal".to_owned(),
        };
        format!("{end}; stdout: {}; stderr: {}", self.stdout.trim_end(), self.stderr.trim_end())
    }
}

/// A running program. It is killed when dropped.
pub(crate) struct RunningProgram {
    child: Child,
    began: Instant,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    closed: Receiver<()>,
}

impl RunningProgram {
    pub(crate) fn start(mut command: Command) -> Result<Self, HarnessError> {
        let began = Instant::now();
        let mut child =
            command.spawn().map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
        let (closed_sender, closed) = channel();
        let out = child.stdout.take().ok_or("no pipe")?;
        let err = child.stderr.take().ok_or("no pipe")?;
        let stdout = Some(std::thread::spawn(move || {
            let text = read_pipe(out);
            _ = closed_sender.send(());
            text
        }));
        let stderr = Some(std::thread::spawn(move || read_pipe(err)));
        Ok(Self { child, began, stdout, stderr, closed })
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        // Fails if the program has already ended.
        _ = self.child.kill();
    }

    /// Waits until the program ends, and kills it after [`RUN_TIMEOUT`].
    pub(crate) fn wait(mut self) -> FinishedRun {
        let timed_out = self.closed.recv_timeout(RUN_TIMEOUT).is_err();
        if timed_out {
            self.kill();
        }
        let exit = self.child.wait().ok().and_then(|status| status.code());
        let duration = self.began.elapsed();
        let join =
            |thread: Option<JoinHandle<String>>| thread.and_then(|thread| thread.join().ok()).unwrap_or_default();
        FinishedRun { exit, timed_out, stdout: join(self.stdout.take()), stderr: join(self.stderr.take()), duration }
    }
}

impl Drop for RunningProgram {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn read_pipe(mut pipe: impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    _ = pipe.by_ref().read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs a command until it ends.
pub(crate) fn run_to_end(command: Command) -> Result<FinishedRun, HarnessError> {
    Ok(RunningProgram::start(command)?.wait())
}
