//! Ten thousand consoles in one process for ten minutes, at a sandbox in a process of its own. Prints the memory of both,
//! and compares what the consoles counted with the sandbox's request log and its tokens: `cargo build --release -p
//! copresence-cli && cargo bench -p product-tests --features peers --bench consoles [-- DURATION [OPTION…]]`. Options are those of
//! `copresence load`; `COPRESENCE` names another program than the release build.
//!
//! Fails if a request or token is not counted exactly once, or if the consoles need more memory than they may. Times are
//! only printed, because they depend on the machine.
#![cfg(target_os = "linux")]
#![allow(dead_code, reason = "the helpers of tests/peers have more than this needs")]

#[path = "../tests/peers/peer_process.rs"]
mod peer_process;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;
use tempfile::TempDir;

/// Why the measurement failed.
type HarnessError = Box<dyn std::error::Error>;

/// Number of requests by endpoint and status.
type RequestCounts = BTreeMap<(&'static str, u16), u64>;

const CONSOLES: u64 = 10_000;
/// Memory that the process of the consoles may need at most, in kilobytes.
const MAX_CONSOLE_MEMORY_KILOBYTES: u64 = 160_000;
/// Time without an argument.
const DEFAULT_DURATION: &str = "10m";
/// Time from a code to its scan. Each visit takes half to one and a half times as long: most of the consoles wait at any
/// time, and all 20,000 tokens that a sandbox remembers suffice.
const SCAN_AFTER: &str = "8m";
/// Time in which the consoles start.
const RAMP_UP: &str = "60s";
/// Time between two looks at the memory of a process.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
/// The endpoints, by the name that reports have for them and the path that the sandbox logs.
const ENDPOINTS: [(&str, &str); 4] =
    [("login", "/login"), ("issue", "/generateExportToken"), ("redeem", "/redeemExportToken"), ("logout", "/logout")];

fn main() -> Result<(), HarnessError> {
    // `cargo test --benches` runs this program too. It has no tests.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let duration = arguments.next().unwrap_or_else(|| DEFAULT_DURATION.to_owned());
    let more_options: Vec<String> = arguments.collect();
    let sandbox = LoggedSandbox::start()?;
    let report_folder = tempfile::tempdir()?;
    let (report, memory) = run_consoles(&sandbox, &duration, &more_options, report_folder.path())?;
    let sandbox_memory = peak_memory_kilobytes(&sandbox.process.0)?;
    let tokens: Value = serde_json::from_str(&peer_process::http_request(sandbox.port, "/sandbox/state", &[], None)?)?;
    let logged = sandbox.stop_and_count_requests()?;
    print_figures(&report, memory, sandbox_memory);
    let differences = compare_with_sandbox(&report["figures"], &logged, &tokens["tokens"])?;
    for difference in &differences {
        println!("DIFFERENT: {difference}");
    }
    if !differences.is_empty() {
        return Err("consoles and sandbox did not count the same".into());
    }
    println!("Consoles and sandbox counted the same: every request once, and every token.");
    if memory > MAX_CONSOLE_MEMORY_KILOBYTES {
        return Err(format!("the consoles need more than {MAX_CONSOLE_MEMORY_KILOBYTES} kB").into());
    }
    Ok(())
}

/// A process that is killed when this value is dropped.
struct KilledOnDrop(Child);

impl Drop for KilledOnDrop {
    fn drop(&mut self) {
        _ = self.0.kill();
        _ = self.0.wait();
    }
}

/// A sandbox that prints its request log.
struct LoggedSandbox {
    process: KilledOnDrop,
    url: String,
    port: u16,
    /// Credentials, as variables of the environment.
    credentials: Vec<(&'static str, String)>,
    log: JoinHandle<Result<RequestCounts, String>>,
    _home: TempDir,
}

impl LoggedSandbox {
    fn start() -> Result<Self, HarnessError> {
        let home = tempfile::tempdir()?;
        let mut command = copresence_command(home.path());
        command.args(["sandbox", "--json", "--listen", "127.0.0.1:0", "--scenario", "existing-avatar"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = KilledOnDrop(spawn(command)?);
        let mut lines = BufReader::with_capacity(1 << 20, process.0.stdout.take().ok_or("no pipe")?);
        let mut first = String::new();
        lines.read_line(&mut first)?;
        let listening: Value = serde_json::from_str(&first)?;
        let text = |field: &str| listening[field].as_str().unwrap_or_default().to_owned();
        let url = text("url");
        let port = url.rsplit_once(':').ok_or("a port")?.1.parse()?;
        let credentials = [
            ("COPRESENCE_API_KEY", "api_key"),
            ("COPRESENCE_USERNAME", "username"),
            ("COPRESENCE_PASSWORD", "password"),
        ];
        let credentials = credentials.into_iter().map(|(name, field)| (name, text(field))).collect();
        let log = std::thread::spawn(move || count_logged_requests(lines).map_err(|error| error.to_string()));
        Ok(Self { process, url, port, credentials, log, _home: home })
    }

    /// Ends the sandbox. Returns the requests in its log, which must be complete.
    fn stop_and_count_requests(mut self) -> Result<RequestCounts, HarnessError> {
        kill_process(Pid::from_child(&self.process.0), Signal::TERM)?;
        let counts = self.log.join().map_err(|_| "the thread that reads the log panicked")??;
        let mut complaints = String::new();
        self.process.0.stderr.take().ok_or("no pipe")?.read_to_string(&mut complaints)?;
        if complaints.contains("were not printed") {
            return Err(format!("the sandbox's log is not complete: {complaints}").into());
        }
        Ok(counts)
    }
}

/// Counts the requests of consoles in the lines of a sandbox.
fn count_logged_requests(lines: BufReader<ChildStdout>) -> Result<RequestCounts, HarnessError> {
    let mut counts = RequestCounts::new();
    for line in lines.lines() {
        let line: Value = serde_json::from_str(&line?)?;
        let Some((endpoint, _)) = ENDPOINTS.iter().find(|(_, path)| line["path"] == *path) else { continue };
        let status = u16::try_from(line["status"].as_u64().ok_or("a status")?)?;
        *counts.entry((endpoint, status)).or_default() += 1;
    }
    Ok(counts)
}

/// Runs the consoles. Returns their report and their peak memory in kilobytes.
fn run_consoles(
    sandbox: &LoggedSandbox,
    duration: &str,
    more_options: &[String],
    folder: &Path,
) -> Result<(Value, u64), HarnessError> {
    let report = folder.join("report.json");
    let mut command = copresence_command(folder);
    command.args(["load", "--api-url", &sandbox.url, "--consoles", &CONSOLES.to_string(), "--duration", duration]);
    command.args(["--ramp-up", RAMP_UP, "--scan-after", SCAN_AFTER, "--finish", "0s", "--report"]).arg(&report);
    command.args(more_options).envs(sandbox.credentials.iter().cloned());
    let mut process = KilledOnDrop(spawn(command)?);
    let mut memory = 0;
    let status = loop {
        // The peak never falls. It cannot be read any more when the process has ended.
        memory = peak_memory_kilobytes(&process.0).unwrap_or(0).max(memory);
        if let Some(status) = process.0.try_wait()? {
            break status;
        }
        std::thread::sleep(CHECK_INTERVAL);
    };
    if !status.success() {
        return Err(format!("`copresence load` ended with {status}").into());
    }
    Ok((serde_json::from_slice(&std::fs::read(report)?)?, memory))
}

/// The release build of `copresence`, or the program that `COPRESENCE` names, with its files in this folder.
fn copresence_command(home: &Path) -> Command {
    let release_build = || peer_process::target_dir().join("release/copresence");
    let mut command = Command::new(std::env::var_os("COPRESENCE").map_or_else(release_build, PathBuf::from));
    command.env_clear().env("HOME", home).stdin(Stdio::null());
    // No keychain, even if the machine has a session bus.
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent/bus");
    command
}

fn spawn(mut command: Command) -> Result<Child, HarnessError> {
    let started = command.spawn();
    let program = Path::new(command.get_program()).display();
    Ok(started.map_err(|error| format!("{program}: {error}; `cargo build --release -p copresence-cli` builds it"))?)
}

/// The largest resident memory that a process had so far, in kilobytes.
fn peak_memory_kilobytes(process: &Child) -> Result<u64, HarnessError> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.and_then(|rest| rest.split_whitespace().next()).ok_or("no VmHWM")?.parse()?)
}

fn print_figures(report: &Value, memory: u64, sandbox_memory: u64) {
    let figures = &report["figures"];
    let timeline = report["timeline"].as_array().map(Vec::as_slice).unwrap_or_default();
    let peak = |field: &str| timeline.iter().filter_map(|row| row[field].as_u64()).max().unwrap_or(0);
    let endpoint = |name: &str| {
        let all = figures["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().find(|endpoint| endpoint["endpoint"] == name).cloned().unwrap_or_default()
    };
    let (redeem, tokens, generator) = (endpoint("redeem"), &figures["tokens"], &figures["generator"]);
    let latency = &redeem["latency_ms"];
    println!("peak memory of the consoles   {memory} kB (at most {MAX_CONSOLE_MEMORY_KILOBYTES} kB)");
    println!("peak memory of the sandbox    {sandbox_memory} kB");
    println!("consoles at the same time     {}", peak("running_visits"));
    println!("polls                         {}, at most {} requests per second", redeem["requests"], peak("requests"));
    println!(
        "redeem latency                p50 {} ms, p99 {} ms, max {} ms",
        latency["p50"], latency["p99"], latency["max"]
    );
    println!("start lag                     p99 {} ms", generator["start_lag_ms"]["p99"]);
    println!("wait for a connection         p99 {} ms", generator["connection_wait_ms"]["p99"]);
    println!("tokens                        {} issued, {} spent", tokens["issued"], tokens["spent"]);
}

/// What the consoles counted in another way than the sandbox.
fn compare_with_sandbox(figures: &Value, logged: &RequestCounts, tokens: &Value) -> Result<Vec<String>, HarnessError> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, consoles: u64, sandbox: u64| {
        println!("{what:<30}{consoles} = {sandbox}");
        if consoles != sandbox {
            differences.push(format!("{what}: {consoles} by the consoles, {sandbox} by the sandbox"));
        }
    };
    let mut counted = RequestCounts::new();
    let mut without_response = 0;
    for endpoint in figures["endpoints"].as_array().ok_or("endpoints")? {
        let known = ENDPOINTS.iter().find(|(name, _)| endpoint["endpoint"] == *name);
        let (name, _) = known.ok_or_else(|| format!("an unknown endpoint: {endpoint}"))?;
        let mut responses = 0;
        for (status, count) in endpoint["statuses"].as_object().ok_or("statuses")? {
            let count = count.as_u64().ok_or("a number")?;
            counted.insert((name, status.parse()?), count);
            responses += count;
        }
        without_response += endpoint["requests"].as_u64().ok_or("a number")? - responses;
        without_response += endpoint["never_sent"].as_u64().ok_or("a number")?;
    }
    for key in counted.keys().chain(logged.keys()).collect::<std::collections::BTreeSet<_>>() {
        let count = |counts: &RequestCounts| counts.get(key).copied().unwrap_or(0);
        compare(&format!("{} with status {}", key.0, key.1), count(&counted), count(logged));
    }
    compare("requests without a response", without_response, 0);
    let own = |field: &str| figures["tokens"][field].as_u64().unwrap_or(0);
    let tokens = tokens.as_array().ok_or("tokens")?;
    let spent = tokens.iter().filter(|token| token["state"] == "spent").count() as u64;
    let redeems: u64 = tokens.iter().filter_map(|token| token["redeems"].as_u64()).sum();
    compare("tokens issued", own("issued"), tokens.len() as u64);
    compare("tokens spent", own("spent"), spent);
    compare("tokens not spent", own("unspent"), tokens.len() as u64 - spent);
    compare(
        "redeems of all tokens",
        counted.iter().filter(|(key, _)| key.0 == "redeem").map(|(_, count)| count).sum(),
        redeems,
    );
    for wrong in ["possibly_issued", "possibly_consumed", "refused", "double_deliveries", "issued_twice"] {
        compare(&format!("tokens {}", wrong.replace('_', " ")), own(wrong), 0);
    }
    let started = figures["visits"]["started"].as_u64().unwrap_or(0);
    if started < CONSOLES {
        differences.push(format!("only {started} of {CONSOLES} consoles started a visit"));
    }
    Ok(differences)
}
