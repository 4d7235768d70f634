//! Folders of its own for one cell, a stranger's files in them, and the real `copresence` with no environment but
//! what is given here.

use crate::Trouble;
use crate::backend::{API_KEY, Backend, SESSION_TOKEN};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// No run needs as long; one that does hangs.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Home, data, out.
pub(crate) struct Stand {
    root: TempDir,
    /// Where avatars go, when that is another disk.
    elsewhere: Option<TempDir>,
    program: PathBuf,
}

/// What nobody may touch: below the root, its content, its mode.
const STRANGERS: [(&str, &str, u32); 3] = [
    ("out/holiday.txt", "not ours", 0o644),
    ("out/2026-01-01-summer/avatar.glb", "not ours either", 0o600),
    ("data/notes.txt", "a stranger's notes", 0o644),
];

impl Stand {
    pub(crate) fn new(program: &Path) -> Result<Self, Trouble> {
        Self::with(program, None)
    }

    /// With avatars going to another disk than the data folder's.
    pub(crate) fn on_two_disks(program: &Path, other: &Path) -> Result<Self, Trouble> {
        Self::with(program, Some(tempfile::Builder::new().prefix("copresence-matrix-").tempdir_in(other)?))
    }

    fn with(program: &Path, elsewhere: Option<TempDir>) -> Result<Self, Trouble> {
        let root = tempfile::Builder::new().prefix("copresence-matrix-").tempdir()?;
        let stand = Self { root, elsewhere, program: program.to_owned() };
        for (name, content, mode) in STRANGERS {
            let path = stand.place(name);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(&path, content)?;
            std::fs::set_permissions(&path, Permissions::from_mode(mode))?;
        }
        Ok(stand)
    }

    pub(crate) fn root(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.root().join("data")
    }

    pub(crate) fn out(&self) -> PathBuf {
        self.elsewhere.as_ref().map_or_else(|| self.root(), TempDir::path).join("out")
    }

    fn place(&self, name: &str) -> PathBuf {
        match name.strip_prefix("out/") {
            Some(rest) => self.out().join(rest),
            None => self.root().join(name),
        }
    }

    /// Whether a path belongs to a stranger: one of the files, or a folder on the way to one.
    pub(crate) fn is_strangers(&self, path: &Path) -> bool {
        STRANGERS.iter().any(|(name, ..)| self.place(name).starts_with(path))
    }

    /// What was done to the stranger's files, in sentences.
    pub(crate) fn strangers_touched(&self) -> Vec<String> {
        let mut touched = Vec::new();
        for (name, content, mode) in STRANGERS {
            let path = self.place(name);
            match std::fs::read(&path) {
                Ok(there) if there == content.as_bytes() => {}
                Ok(_) => touched.push(format!("a stranger's {name} was changed")),
                Err(error) => touched.push(format!("a stranger's {name} is gone: {error}")),
            }
            let now = path.metadata().map(|meta| meta.permissions().mode() & 0o777);
            if let Ok(now) = now
                && now != mode
            {
                touched.push(format!("a stranger's {name} has the mode {now:o} now, and had {mode:o}"));
            }
        }
        touched
    }

    /// The program with these arguments, and nothing of this process's environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        self.dress(&mut command);
        command.args(args);
        command
    }

    /// Gives any command the environment of this stand.
    pub(crate) fn dress(&self, command: &mut Command) {
        command.env_clear().env("HOME", self.root()).env("COPRESENCE_DATA_DIR", self.data());
        for keep in ["PATH", "TMPDIR", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(keep) {
                command.env(keep, value);
            }
        }
        // No keychain, also where there is a bus.
        command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
        command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
        command.current_dir(self.root());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    }

    /// `visit --json` at a backend.
    pub(crate) fn visit(&self, backend: &Backend) -> Command {
        let mut command = self.command(&["visit", "--json", "--poll", "50ms", "--api-url"]);
        command.arg(backend.url()).args(["--link", "https://app.test/scan?exportToken={token}", "--out"]);
        command.arg(self.out());
        command
    }

    pub(crate) fn recover(&self) -> Command {
        self.command(&["recover", "--json"])
    }

    /// Leaves the folders where they are, and says where.
    pub(crate) fn keep(mut self) -> Vec<PathBuf> {
        self.root.disable_cleanup(true);
        let mut kept = vec![self.root().to_owned()];
        if let Some(elsewhere) = &mut self.elsewhere {
            elsewhere.disable_cleanup(true);
            kept.push(elsewhere.path().to_owned());
        }
        kept
    }
}

/// The `copresence` that is tested: `COPRESENCE` names it, or it stands beside this program.
pub(crate) fn program() -> Result<PathBuf, Trouble> {
    if let Some(path) = std::env::var_os("COPRESENCE") {
        return Ok(std::path::absolute(path)?);
    }
    let here = std::env::current_exe()?;
    let beside = here.with_file_name(format!("copresence{}", std::env::consts::EXE_SUFFIX));
    if beside.is_file() {
        return Ok(beside);
    }
    Err(format!(
        "there is no {}: `cargo build -p copresence-cli --features copresence-cli/crash-points` makes it, or COPRESENCE names another",
        beside.display()
    )
    .into())
}

/// A run that is over.
#[derive(Debug, Default, Clone)]
pub(crate) struct Ran {
    /// `None`: ended by a signal.
    pub(crate) exit: Option<i32>,
    /// It did not end by itself in time.
    pub(crate) hung: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Ran {
    /// The lines of `--json`.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        // The last one may have been cut off by the crash.
        self.stdout.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What it said and how it ended, for a breach.
    pub(crate) fn told(&self) -> String {
        let end = match (self.hung, self.exit) {
            (true, _) => "it hung".to_owned(),
            (_, Some(exit)) => format!("exit {exit}"),
            (_, None) => "ended by a signal".to_owned(),
        };
        format!("{end}; stdout: {}; stderr: {}", self.stdout.trim_end(), self.stderr.trim_end())
    }
}

/// A run that goes on; ended when dropped.
pub(crate) struct Live {
    child: Child,
    began: Instant,
    stdout: Option<JoinHandle<String>>,
    stderr: Option<JoinHandle<String>>,
    closed: Receiver<()>,
}

impl Live {
    pub(crate) fn start(mut command: Command) -> Result<Self, Trouble> {
        let began = Instant::now();
        let mut child = command
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
        let (tell, closed) = channel();
        let out = child.stdout.take().ok_or("no pipe")?;
        let err = child.stderr.take().ok_or("no pipe")?;
        let stdout = Some(std::thread::spawn(move || {
            let text = text(out);
            _ = tell.send(());
            text
        }));
        let stderr = Some(std::thread::spawn(move || text(err)));
        Ok(Self { child, began, stdout, stderr, closed })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn kill(&mut self) {
        // One that has ended meanwhile needs no killing.
        _ = self.child.kill();
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ran {
        let hung = self.closed.recv_timeout(PATIENCE).is_err();
        if hung {
            self.kill();
        }
        let exit = self.child.wait().ok().and_then(|status| status.code());
        let took = self.began.elapsed();
        let join = |thread: Option<JoinHandle<String>>| {
            thread.and_then(|thread| thread.join().ok()).unwrap_or_default()
        };
        Ran { exit, hung, stdout: join(self.stdout.take()), stderr: join(self.stderr.take()), took }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn text(mut pipe: impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    _ = pipe.by_ref().read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Runs to the end.
pub(crate) fn run(command: Command) -> Result<Ran, Trouble> {
    Ok(Live::start(command)?.end())
}
