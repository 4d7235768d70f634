//! Server processes: started in their own process groups, and ended with the test.

use crate::HarnessError;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::fs::File;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Time limit for the start and the end of a server. Both take seconds on a busy machine.
const TRANSITION_TIMEOUT: Duration = Duration::from_mins(2);

/// Time that a server has to end at the end of a test, before it is killed.
const END_GRACE: Duration = Duration::from_secs(5);

/// Time between two looks at a server that starts or ends.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// A server that runs until this value is dropped, which ends it and all its processes.
pub(crate) struct PeerProcess {
    name: &'static str,
    child: Child,
    log: PathBuf,
}

impl PeerProcess {
    /// Starts a server, and waits until it accepts connections on its port of 127.0.0.1. Its output is appended to
    /// `LOG_DIR/NAME.log`.
    pub(crate) fn start(
        name: &'static str,
        mut command: Command,
        port: u16,
        log_dir: &Path,
    ) -> Result<Self, HarnessError> {
        use std::os::unix::process::CommandExt as _;
        let log = log_dir.join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let child = command.spawn().map_err(|error| format!("{name} cannot be started: {error}; {INSTALL_REMEDY}"))?;
        let mut peer = Self { name, child, log };
        let deadline = Instant::now() + TRANSITION_TIMEOUT;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if let Some(status) = peer.child.try_wait()? {
                return Err(format!("{name} ended with {status}:\n{}\n{INSTALL_REMEDY}", peer.log_tail()).into());
            }
            if Instant::now() > deadline {
                return Err(format!("{name} does not listen on port {port}:\n{}", peer.log_tail()).into());
            }
            std::thread::sleep(CHECK_INTERVAL);
        }
        Ok(peer)
    }

    /// Ends the server as its operator would, and waits for its end.
    pub(crate) fn stop(mut self) -> Result<(), HarnessError> {
        self.ask_to_end();
        self.wait_for_end_until(Instant::now() + TRANSITION_TIMEOUT)
    }

    /// Kills the server and all its processes. The system closes their connections.
    pub(crate) fn kill(mut self) {
        self.kill_group();
    }

    /// Waits until the server ends by itself.
    pub(crate) fn wait_for_end(mut self) -> Result<(), HarnessError> {
        self.wait_for_end_until(Instant::now() + TRANSITION_TIMEOUT)
    }

    fn wait_for_end_until(&mut self, deadline: Instant) -> Result<(), HarnessError> {
        while self.child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                return Err(format!("{} does not end:\n{}", self.name, self.log_tail()).into());
            }
            std::thread::sleep(CHECK_INTERVAL);
        }
        Ok(())
    }

    /// Sends SIGINT to the server's main process, which ends its other processes. In `PostgreSQL` and nginx it means a
    /// fast shutdown.
    fn ask_to_end(&self) {
        if let Some(leader) = self.process_id() {
            // An error means that it has already ended.
            _ = kill_process(leader, Signal::INT);
        }
    }

    fn kill_group(&mut self) {
        if let Some(leader) = self.process_id() {
            _ = kill_process_group(leader, Signal::KILL);
        }
        _ = self.child.wait();
    }

    fn process_id(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// The last lines of the server's output.
    fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for PeerProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- output of {} ---\n{}", self.name, self.log_tail());
        }
        self.ask_to_end();
        _ = self.wait_for_end_until(Instant::now() + END_GRACE);
        self.kill_group();
    }
}

const INSTALL_REMEDY: &str = "`cargo xtask test --peers` installs all servers and runs these tests";

/// The folder with the start scripts and configurations of the servers.
pub(crate) fn scripts_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// The programs of the Python environment with moto and mitmproxy.
pub(crate) fn python_bin_dir() -> PathBuf {
    target_dir().join("peers/bin")
}

/// Cargo's target folder.
pub(crate) fn target_dir() -> PathBuf {
    // Cargo's folder for tests is a direct child of the target folder.
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("..")
}

/// A `GET`, or with a body a `POST`, to a server on 127.0.0.1. Returns the body of a 200.
pub(crate) fn http_request(
    port: u16,
    path: &str,
    headers: &[(&str, &str)],
    json: Option<&str>,
) -> Result<String, HarnessError> {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    let method = if json.is_some() { "POST" } else { "GET" };
    let body = json.unwrap_or_default();
    let type_and_length = [("Content-Type", "application/json"), ("Content-Length", &body.len().to_string())];
    let headers = headers.iter().chain(&type_and_length).map(|(name, value)| format!("{name}: {value}\r\n"));
    let headers: String = headers.collect();
    stream
        .write_all(format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n{headers}\r\n{body}").as_bytes())?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (head, body) = response.split_once("\r\n\r\n").ok_or("no response")?;
    if head.split(' ').nth(1) == Some("200") { Ok(body.to_owned()) } else { Err(response.into()) }
}
