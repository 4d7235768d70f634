//! One rehearsal: a sandbox, folders beside the real ones, and this program as a child process.

use super::cuttable_proxy::CuttableProxy;
use crate::common_options::CommonOptions;
use crate::failure::CommandFailure;
use copresence_engine::profile::{Profile, default_profiles_path};
use copresence_sandbox::{AvatarChoice, BuiltInScenarioName, SandboxSettings, Server, faults};
use serde_json::Value;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

/// Time limit of one child process.
const RUN_TIMEOUT: Duration = Duration::from_mins(5);
/// Attempts to finish a visit by `recover`, with a second in between.
const MAX_RECOVERIES: usize = 30;

/// Program, profile and folders that the rehearsals use.
pub(super) struct RehearsalSetup {
    program: PathBuf,
    config: Option<PathBuf>,
    profile: String,
    required_space: u64,
    /// The real data folder, beside whose files the rehearsals' data folders are made.
    data_parent: PathBuf,
    /// The real folder of avatars.
    out_parent: PathBuf,
}

impl RehearsalSetup {
    pub(super) fn new(
        common: &CommonOptions,
        profile: &Profile,
        data_parent: &Path,
        out_parent: &Path,
    ) -> Result<Self, CommandFailure> {
        let program = std::env::current_exe().map_err(|error| {
            CommandFailure::usage_error(format!("this program does not know its own file: {error}"))
        })?;
        Ok(Self {
            program,
            config: common.config.clone(),
            profile: profile.name.clone(),
            required_space: profile.limits.min_free_space,
            data_parent: data_parent.to_owned(),
            out_parent: out_parent.to_owned(),
        })
    }

    /// The user's data folder, in which the rehearsals make temporary ones.
    pub(super) fn user_data_folder(&self) -> &Path {
        &self.data_parent
    }

    /// Free space that the profile requires before a visit, in bytes.
    pub(super) fn required_free_bytes(&self) -> u64 {
        self.required_space
    }

    /// Writes a profiles file like the one in use, whose profile requires more free space than any disk has.
    fn write_profiles_requiring_impossible_space(&self, folder: &Path) -> Result<PathBuf, String> {
        let path = self.config.clone().unwrap_or_else(default_profiles_path);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            // Without the file there is only the built-in profile.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let mut config: toml::Table = text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
        let mut table = &mut config;
        for key in ["profiles", &self.profile, "downloads"] {
            let value = table.entry(key).or_insert_with(|| toml::Table::new().into());
            table = value.as_table_mut().ok_or_else(|| format!("{}: `{key}` is no table", path.display()))?;
        }
        table.insert("min_free_space".to_owned(), "1EiB".into());
        let written = folder.join("profiles.toml");
        std::fs::write(&written, config.to_string()).map_err(|error| error.to_string())?;
        Ok(written)
    }
}

/// What to do after an event of the visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActionAfterEvent {
    Continue,
    /// End the process as a power cut or a crash would.
    Kill,
    /// Cut the network until this long after the first request that fails for it.
    CutNetwork(Duration),
}

/// How a child process ended, and what it wrote.
#[derive(Debug)]
pub(super) struct FinishedChildProcess {
    /// `None` if it was killed.
    pub(super) exit: Option<i32>,
    /// The stable code of its last `ended` event.
    pub(super) code: Option<String>,
    /// The message of that event, else the last line of stderr.
    pub(super) message: String,
}

impl FinishedChildProcess {
    /// Whether the avatar is saved, by the program's own account.
    pub(super) fn has_reported_saved_avatar(&self) -> bool {
        self.code.as_deref() == Some("saved")
    }
}

/// A sandbox, a proxy and temporary folders for one rehearsal. They are removed when this value is dropped.
pub(super) struct Rehearsal<'a> {
    place: &'a RehearsalSetup,
    data: TempDir,
    out: TempDir,
    server: Server,
    proxy: CuttableProxy,
    redeems: Arc<AtomicUsize>,
    environment: Vec<(OsString, OsString)>,
    has_credentials: bool,
    /// A profiles file in place of the real one.
    config: Option<PathBuf>,
}

impl<'a> Rehearsal<'a> {
    /// Starts the sandbox, at `speed` simulated seconds per real second, and makes the folders.
    pub(super) async fn start(
        place: &'a RehearsalSetup,
        scenario: BuiltInScenarioName,
        speed: f64,
    ) -> Result<Self, String> {
        let settings = SandboxSettings { scenario: scenario.into(), speed, ..SandboxSettings::default() };
        let server = Server::start(settings, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
            .await
            .map_err(|error| format!("the sandbox cannot start: {error}"))?;
        let redeems = Arc::new(AtomicUsize::new(0));
        let count = redeems.clone();
        server.sandbox().add_request_watcher(move |sandbox, line| {
            if line.path.contains("redeemExportToken") {
                count.fetch_add(1, Ordering::Relaxed);
            }
            if line.path.contains("generateExportToken") {
                // The phone scans at once.
                for token in sandbox.sandbox_state().tokens {
                    _ = sandbox.associate_avatar(&token.token, &AvatarChoice::New, None);
                }
            }
        });
        let proxy = CuttableProxy::start(server.listen_address()).map_err(|error| format!("no port: {error}"))?;
        let folder = |parent: &Path, prefix: &str| {
            let made = tempfile::Builder::new().prefix(prefix).tempdir_in(parent);
            made.map_err(|error| format!("no folder can be made in {}: {error}", parent.display()))
        };
        Ok(Self {
            place,
            data: folder(&place.data_parent, "drill-")?,
            // Hidden, as the partial folders of visits are.
            out: folder(&place.out_parent, ".drill-")?,
            server,
            proxy,
            redeems,
            environment: Vec::new(),
            has_credentials: true,
            config: None,
        })
    }

    /// Sets a variable for the child processes.
    pub(super) fn set_child_environment_variable(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.environment.push((name.into(), value.into()));
    }

    /// Whether the child processes find the sandbox's credentials in their environment.
    #[cfg(target_os = "linux")]
    pub(super) fn set_credentials_in_child_environment(&mut self, has_credentials: bool) {
        self.has_credentials = has_credentials;
    }

    /// Number of requests to redeem so far.
    pub(super) fn count_redeem_requests(&self) -> usize {
        self.redeems.load(Ordering::Relaxed)
    }

    /// Number of Export Tokens that were issued: each costs money.
    pub(super) fn count_issued_tokens(&self) -> usize {
        self.server.sandbox().sandbox_state().tokens.len()
    }

    /// Replaces the sandbox's faults. The list is fixed and valid.
    pub(super) fn set_faults(&self, list: &str) -> Result<(), String> {
        let faults = faults::parse_and_check_faults(list.as_bytes()).map_err(|error| error.to_string())?;
        self.server.sandbox().set_faults(faults).map_err(|error| error.to_string())
    }

    /// Waits until a fault was applied to a request.
    async fn wait_for_applied_fault(&self) {
        while self.server.sandbox().active_faults_with_counts().iter().all(|fault| fault.struck == 0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Text of the child processes' log files.
    pub(super) fn read_log_files(&self) -> String {
        let Ok(entries) = std::fs::read_dir(self.data.path().join("logs")) else { return String::new() };
        entries.flatten().filter_map(|entry| std::fs::read_to_string(entry.path()).ok()).collect()
    }

    /// Number of complete avatars: folders with a manifest whose files have their sizes.
    pub(super) fn count_complete_avatars(&self) -> usize {
        let Ok(entries) = std::fs::read_dir(self.out.path()) else { return 0 };
        let folders = entries.flatten().map(|entry| entry.path()).filter(|path| {
            let is_hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            !is_hidden && path.is_dir()
        });
        folders.filter(|folder| is_complete_avatar(folder)).count()
    }

    /// Runs a visit. `at_event` decides after each of its events.
    pub(super) async fn run_visit(&mut self, at_event: impl FnMut(&Value) -> ActionAfterEvent) -> FinishedChildProcess {
        let command = self.build_child_command("visit");
        self.run_child_process(command, at_event).await
    }

    /// Runs a visit whose profile requires more free space than there is.
    pub(super) async fn run_visit_requiring_impossible_space(&mut self) -> Result<FinishedChildProcess, String> {
        self.config = Some(self.place.write_profiles_requiring_impossible_space(self.data.path())?);
        Ok(self.run_visit(|_| ActionAfterEvent::Continue).await)
    }

    /// Runs a visit whose files can have `kibibytes` at most, as on a disk that takes no more. `None` if this system cannot
    /// limit them.
    pub(super) async fn run_visit_with_file_size_limit(&mut self, kibibytes: u32) -> Option<FinishedChildProcess> {
        if !cfg!(unix) {
            return None;
        }
        let visit = self.build_child_command("visit");
        let visit = visit.as_std();
        let mut command = Command::new("sh");
        // In blocks of 512 bytes by POSIX.
        command.arg("-c").arg(format!("ulimit -f {} && exec \"$0\" \"$@\"", kibibytes * 2));
        command.arg(visit.get_program()).args(visit.get_args());
        self.set_child_environment(&mut command);
        Some(self.run_child_process(command, |_| ActionAfterEvent::Continue).await)
    }

    /// Runs a visit, and kills it while a redeem is in flight: the backend has received it, and has not responded.
    pub(super) async fn run_visit_and_kill_during_redeem(&mut self) -> Result<FinishedChildProcess, String> {
        self.set_faults(r#"[{"on":"redeem","nth":1,"do":{"delay":{"ms":120000}}}]"#)?;
        let command = self.build_child_command("visit");
        let mut child = start_child_killed_on_drop(command)?;
        tokio::select! {
            () = self.wait_for_applied_fault() => {}
            _ = child.wait() => {}
            () = tokio::time::sleep(RUN_TIMEOUT) => {}
        }
        _ = child.kill().await;
        self.server.sandbox().clear_faults();
        Ok(FinishedChildProcess { exit: None, code: None, message: "killed".to_owned() })
    }

    /// Runs `recover` until the avatar is saved, nothing is left to recover, or it was tried often.
    pub(super) async fn run_recovery_until_done(&mut self) -> FinishedChildProcess {
        let mut last =
            FinishedChildProcess { exit: None, code: None, message: "nothing was left to recover".to_owned() };
        for _ in 0..MAX_RECOVERIES {
            let command = self.build_child_command("recover");
            let run = self.run_child_process(command, |_| ActionAfterEvent::Continue).await;
            // `interrupted` with exit 0: the token is active, and the avatar is still made.
            let is_still_made = run.code.as_deref() == Some("interrupted") && run.exit == Some(0);
            let is_over = run.code.is_some() && run.exit != Some(6) && !is_still_made;
            let has_nothing_left = run.code.is_none() && run.message.is_empty();
            if !has_nothing_left {
                last = run;
            }
            if is_over || has_nothing_left {
                return last;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        last
    }

    /// Builds the command of a child process: a subcommand of this program with the rehearsal's folders and backend.
    fn build_child_command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.place.program);
        command.args([subcommand, "--json", "--profile"]).arg(&self.place.profile);
        if let Some(config) = self.config.as_ref().or(self.place.config.as_ref()) {
            command.arg("--config").arg(config);
        }
        let link = format!("http://{}/?exportToken={{token}}", self.proxy.listen_address());
        command.arg("--api-url").arg(format!("http://{}/", self.proxy.listen_address())).arg("--link").arg(link);
        command.arg("--data-dir").arg(self.data.path()).arg("--out").arg(self.out.path());
        self.set_child_environment(&mut command);
        command
    }

    /// Removes the caller's credentials, folders and HTTP proxy from the command's environment, and adds the variables
    /// of this rehearsal.
    fn set_child_environment(&self, command: &mut Command) {
        let own = [
            "COPRESENCE_SESSION_TOKEN",
            "COPRESENCE_API_KEY",
            "COPRESENCE_USERNAME",
            "COPRESENCE_PASSWORD",
            "COPRESENCE_DATA_DIR",
            "COPRESENCE_OUT",
        ];
        for name in own {
            command.env_remove(name);
        }
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
            command.env_remove(name);
        }
        if self.has_credentials {
            let accepted = self.server.sandbox().accepted_credentials();
            command.env("COPRESENCE_API_KEY", accepted.api_key.expose());
            command.env("COPRESENCE_USERNAME", accepted.username.expose());
            command.env("COPRESENCE_PASSWORD", accepted.password.expose());
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Runs a child process to its end.
    async fn run_child_process(
        &mut self,
        command: Command,
        mut at_event: impl FnMut(&Value) -> ActionAfterEvent,
    ) -> FinishedChildProcess {
        let failed = |message: String| FinishedChildProcess { exit: None, code: None, message };
        let mut child = match start_child_killed_on_drop(command) {
            Ok(child) => child,
            Err(error) => return failed(error),
        };
        let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return failed("no pipe".to_owned());
        };
        let messages = tokio::spawn(async move {
            let mut text = Vec::new();
            _ = stderr.read_to_end(&mut text).await;
            String::from_utf8_lossy(&text).into_owned()
        });
        let mut ended = None;
        // How long the network stays cut once a request has met the outage.
        let mut outage = None;
        let follow = async {
            let mut lines = BufReader::new(stdout).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
                match at_event(&event) {
                    ActionAfterEvent::Continue => {}
                    ActionAfterEvent::Kill => {
                        _ = child.kill().await;
                    }
                    ActionAfterEvent::CutNetwork(time) => {
                        self.proxy.end_and_refuse_connections();
                        outage = Some(time);
                    }
                }
                if event["event"] == "retrying"
                    && let Some(time) = outage.take()
                {
                    tokio::time::sleep(time).await;
                    if let Err(error) = self.proxy.accept_connections_again().await {
                        return Err(format!("the rehearsal's network cannot be mended: {error}"));
                    }
                }
                if event["event"] == "ended" {
                    ended = Some(event);
                }
            }
            if outage.is_some() {
                return Err("no request met the outage".to_owned());
            }
            child.wait().await.map_err(|error| error.to_string())
        };
        let status = match tokio::time::timeout(RUN_TIMEOUT, follow).await {
            Ok(Ok(status)) => status,
            Ok(Err(error)) => return failed(error),
            Err(_) => return failed(format!("it did not end within {} s", RUN_TIMEOUT.as_secs())),
        };
        let messages = messages.await.unwrap_or_default();
        let text = |key: &str| ended.as_ref().and_then(|event| event[key].as_str()).map(str::to_owned);
        let last_line = messages.lines().next_back().unwrap_or_default().to_owned();
        FinishedChildProcess { exit: status.code(), code: text("code"), message: text("message").unwrap_or(last_line) }
    }
}

/// Starts a child process with pipes, which ends with its handle.
fn start_child_killed_on_drop(mut command: Command) -> Result<Child, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|error| format!("this program cannot be started again: {error}"))
}

/// Whether a folder has a manifest, and each file of it with its size.
fn is_complete_avatar(folder: &Path) -> bool {
    let manifest = std::fs::read(folder.join("manifest.json")).ok();
    let manifest = manifest.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    let files = manifest.as_ref().and_then(|manifest| manifest["files"].as_array());
    files.is_some_and(|files| {
        !files.is_empty()
            && files.iter().all(|file| {
                let (Some(path), Some(bytes)) = (file["path"].as_str(), file["bytes"].as_u64()) else { return false };
                std::fs::metadata(folder.join(path)).is_ok_and(|found| found.len() == bytes)
            })
    })
}
