//! `copresence load --worker` as a worker of the real Locust.

use crate::console::{Console, RunningConsole};
use crate::peer_process::{PeerProcess, http_request, scripts_dir, target_dir};
use crate::{HarnessError, TestResult};
use rustix::process::Signal;
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::{NamedTempFile, TempDir};
use test_port::ReservedPort;

/// Time limit for every change that a test waits for.
const PATIENCE: Duration = Duration::from_secs(90);
/// Time between two requests to the master's web page, which renews its figures every two seconds.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);

/// A Locust master with its web page.
struct Locust {
    process: Option<PeerProcess>,
    web_port: ReservedPort,
    worker_port: ReservedPort,
    folder: TempDir,
}

impl Locust {
    fn start() -> Result<Self, HarnessError> {
        let folder = tempfile::Builder::new().prefix("copresence-peer-locust-").tempdir()?;
        let web_port = ReservedPort::reserve_port()?.hand_over_to_child_process();
        let worker_port = ReservedPort::reserve_port()?.hand_over_to_child_process();
        let mut locust = Self { process: None, web_port, worker_port, folder };
        locust.start_master()?;
        Ok(locust)
    }

    /// Starts the master, on the same ports each time.
    fn start_master(&mut self) -> TestResult {
        let (web_port, worker_port) = (self.web_port.reserved_port_number(), self.worker_port.reserved_port_number());
        let mut command = Command::new(scripts_dir().join("locust/start.sh"));
        command.arg(target_dir().join("peers-locust/bin/locust"));
        command.arg(scripts_dir().join("../../docs/examples/locust/locustfile.py"));
        command.arg(worker_port.to_string()).arg(web_port.to_string());
        self.process = Some(PeerProcess::start("locust", command, web_port, self.folder.path())?);
        Ok(())
    }

    /// Ends the master without a message to its workers, as a crash does.
    fn kill_master(&mut self) -> TestResult {
        self.process.take().ok_or("it runs")?.kill();
        Ok(())
    }

    /// The figures of the web page.
    fn figures(&self) -> Result<Value, HarnessError> {
        let body = http_request(self.web_port.reserved_port_number(), "/stats/requests", &[], None)?;
        Ok(serde_json::from_str(&body)?)
    }

    /// Waits until the figures of the web page are as wanted.
    fn wait_for(&self, what: &str, is_reached: impl Fn(&Value) -> bool) -> Result<Value, HarnessError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let figures = self.figures()?;
            if is_reached(&figures) {
                return Ok(figures);
            }
            if Instant::now() > deadline {
                return Err(format!("{what} is not reached: {figures:#}").into());
            }
            std::thread::sleep(CHECK_INTERVAL);
        }
    }

    /// Starts so many users, as the form of the web page does.
    fn swarm(&self, users: u32, per_second: u32) -> TestResult {
        self.post_form("/swarm", &format!("user_count={users}&spawn_rate={per_second}"))
    }

    fn stop_users(&self) -> TestResult {
        self.post_form("/stop", "")
    }

    fn post_form(&self, path: &str, form: &str) -> TestResult {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.web_port.reserved_port_number()))?;
        write!(
            stream,
            "POST {path} HTTP/1.0\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
            form.len()
        )?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        let body = response.split_once("\r\n\r\n").map(|(_, body)| serde_json::from_str::<Value>(body));
        match body {
            Some(Ok(answer)) if answer["success"] == true => Ok(()),
            _ => Err(response.into()),
        }
    }
}

/// A sandbox of the real program, whose avatars are ready as soon as a code is scanned.
struct LoadedSandbox {
    port: u16,
    console: Console,
    _program: RunningConsole,
    _faults: NamedTempFile,
}

impl LoadedSandbox {
    fn start() -> Result<Self, HarnessError> {
        Self::start_with_faults("[]")
    }

    /// Starts the sandbox with a JSON list of faults.
    fn start_with_faults(list: &str) -> Result<Self, HarnessError> {
        let host = Console::new("api_url = \"http://127.0.0.1:9/\"\n")?;
        let faults = NamedTempFile::new()?;
        std::fs::write(faults.path(), list)?;
        let arguments = ["sandbox", "--json", "--listen", "127.0.0.1:0", "--scenario", "existing-avatar", "--faults"];
        let faults_path = faults.path().to_str().ok_or("a path in UTF-8")?;
        let mut program = host.start(&[&arguments[..], &[faults_path]].concat())?;
        let listening = program.wait_for_event("listening")?;
        let text = |field: &str| listening[field].as_str().unwrap_or_default().to_owned();
        let url = text("url");
        let port = url.rsplit_once(':').ok_or("a port")?.1.parse()?;
        let mut console = Console::new(&format!("api_url = \"{url}\"\n"))?;
        for (name, field) in [
            ("COPRESENCE_API_KEY", "api_key"),
            ("COPRESENCE_USERNAME", "username"),
            ("COPRESENCE_PASSWORD", "password"),
        ] {
            console.set_env(name, text(field));
        }
        Ok(Self { port, console, _program: program, _faults: faults })
    }

    fn start_worker(&self, locust: &Locust) -> Result<RunningConsole, HarnessError> {
        self.start_worker_at_port(locust.worker_port.reserved_port_number())
    }

    /// Starts a worker whose master is at this port.
    fn start_worker_at_port(&self, port: u16) -> Result<RunningConsole, HarnessError> {
        let port = port.to_string();
        let master = ["load", "--json", "--worker", "--master-host", "127.0.0.1", "--master-port", &port];
        let visits = ["--poll", "100ms", "--scan-after", "150ms", "--pause", "100ms"];
        self.console.start(&[&master[..], &visits].concat())
    }

    /// Tokens that were issued, and redeems of all tokens, by the sandbox's own record.
    fn issued_and_redeems(&self) -> Result<(u64, u64), HarnessError> {
        let state: Value = serde_json::from_str(&http_request(self.port, "/sandbox/state", &[], None)?)?;
        let tokens = state["tokens"].as_array().ok_or("tokens")?;
        Ok((tokens.len() as u64, tokens.iter().filter_map(|token| token["redeems"].as_u64()).sum()))
    }

    /// How many requests the first fault was applied to.
    fn faulty_responses(&self) -> Result<u64, HarnessError> {
        let faults: Value = serde_json::from_str(&http_request(self.port, "/sandbox/faults", &[], None)?)?;
        Ok(faults[0]["struck"].as_u64().ok_or("a number")?)
    }
}

/// Passes connections on to a Locust master, until they are cut.
struct CuttableRelay {
    port: u16,
    /// The connections of workers, the oldest first.
    connections: Arc<Mutex<Vec<TcpStream>>>,
}

impl CuttableRelay {
    fn start(target: u16) -> Result<Self, HarnessError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let connections = Arc::new(Mutex::new(Vec::new()));
        let accepted = connections.clone();
        // Ends with the process of the test.
        std::thread::spawn(move || {
            for worker in listener.incoming() {
                _ = worker.and_then(|worker| Self::relay_connection(worker, target, &accepted));
            }
        });
        Ok(Self { port, connections })
    }

    fn relay_connection(worker: TcpStream, target: u16, accepted: &Mutex<Vec<TcpStream>>) -> std::io::Result<()> {
        let master = TcpStream::connect((Ipv4Addr::LOCALHOST, target))?;
        accepted.lock().expect("no panic").push(worker.try_clone()?);
        for (mut from, mut to) in [(worker.try_clone()?, master.try_clone()?), (master, worker)] {
            std::thread::spawn(move || {
                _ = std::io::copy(&mut from, &mut to);
                _ = to.shutdown(Shutdown::Both);
            });
        }
        Ok(())
    }

    /// Cuts the present connection, and waits for the next one.
    fn cut_connection_and_wait_for_next(&self) -> TestResult {
        let count = {
            let connections = self.connections.lock().expect("no panic");
            connections.last().ok_or("a connection")?.shutdown(Shutdown::Both)?;
            connections.len()
        };
        let deadline = Instant::now() + PATIENCE;
        while self.connections.lock().expect("no panic").len() == count {
            if Instant::now() > deadline {
                return Err("the worker does not connect again".into());
            }
            std::thread::sleep(CHECK_INTERVAL);
        }
        Ok(())
    }
}

/// The row of an endpoint on the master's page.
fn row<'a>(figures: &'a Value, name: &str) -> &'a Value {
    let rows = figures["stats"].as_array().expect("a list");
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("no row {name}: {figures:#}"))
}

fn requests(figures: &Value, name: &str) -> u64 {
    row(figures, name)["num_requests"].as_u64().expect("a number")
}

fn workers_in(figures: &Value, state: &str) -> usize {
    figures["workers"].as_array().map_or(0, |workers| workers.iter().filter(|worker| worker["state"] == state).count())
}

#[test]
#[ignore = "run by cargo xtask test"]
fn two_workers_and_their_master_count_the_same_requests() -> TestResult {
    let sandbox = LoadedSandbox::start()?;
    let mut locust = Locust::start()?;
    let workers = [sandbox.start_worker(&locust)?, sandbox.start_worker(&locust)?];
    locust.wait_for("two workers", |figures| workers_in(figures, "ready") == 2)?;
    locust.swarm(3, 10)?;
    locust.wait_for("three users", |figures| figures["state"] == "running" && figures["user_count"] == 3)?;
    locust.swarm(6, 2)?;
    locust.wait_for("a ramp to six users", |figures| figures["user_count"] == 6)?;
    locust.wait_for("some visits", |figures| {
        figures["stats"].as_array().is_some_and(|rows| rows.len() == 4) && requests(figures, "Aggregated") > 60
    })?;
    locust.stop_users()?;
    let figures = locust.wait_for("the stop", |figures| {
        figures["state"] == "stopped" && workers_in(figures, "ready") == 2 && figures["user_count"] == 0
    })?;
    // The page renews its figures every two seconds.
    let (issued, redeems) = sandbox.issued_and_redeems()?;
    let figures = if requests(&figures, "/redeemExportToken") == redeems {
        figures
    } else {
        locust.wait_for("the figures after the stop", |figures| requests(figures, "/redeemExportToken") == redeems)?
    };
    assert_eq!(requests(&figures, "/generateExportToken"), issued);
    assert_eq!(requests(&figures, "/redeemExportToken"), redeems);
    assert_eq!(requests(&figures, "/login"), 2, "one session for each worker");
    let total = requests(&figures, "Aggregated");
    assert_eq!(total, issued + redeems + 2);
    assert_eq!(row(&figures, "Aggregated")["num_failures"], 0, "{figures:#}");
    assert!(row(&figures, "/redeemExportToken")["avg_response_time"].as_f64().is_some_and(|time| time > 0.0));

    // A master that ends lets its workers go.
    locust.process.take().ok_or("it runs")?.stop()?;
    let mut reported = 0;
    for worker in workers {
        let run = worker.finish()?;
        run.assert_exit(0);
        let ended = run.events("ended").pop().ok_or("an end")?;
        let tokens = &ended["figures"]["tokens"];
        assert_eq!(tokens["double_deliveries"], 0);
        assert_eq!(
            tokens["issued"].as_u64(),
            Some(
                ["spent", "possibly_consumed", "refused", "unspent"]
                    .iter()
                    .filter_map(|fate| tokens[*fate].as_u64())
                    .sum()
            ),
        );
        reported += ended["reported_requests"].as_u64().ok_or("a number")?;
    }
    assert_eq!(reported, total, "the workers counted what the master counted");
    Ok(())
}

#[test]
#[ignore = "run by cargo xtask test --peers"]
fn long_failures_are_rows_and_a_lost_worker_is_replaced() -> TestResult {
    let fault = r#"[{"on": "redeem", "nth": {"rate": 0.2}, "do": {"status": {"code": 503}}}]"#;
    let sandbox = LoadedSandbox::start_with_faults(fault)?;
    let locust = Locust::start()?;
    let kept = sandbox.start_worker(&locust)?;
    let lost = sandbox.start_worker(&locust)?;
    locust.wait_for("two workers", |figures| workers_in(figures, "ready") == 2)?;
    locust.swarm(4, 10)?;
    locust.wait_for("four users", |figures| figures["user_count"] == 4)?;
    locust.wait_for("failures", |figures| figures["errors"].as_array().is_some_and(|errors| !errors.is_empty()))?;
    locust.stop_users()?;
    locust.wait_for("the stop", |figures| figures["state"] == "stopped" && workers_in(figures, "ready") == 2)?;
    // The page renews its figures every two seconds.
    let failures = sandbox.faulty_responses()?;
    let figures = locust.wait_for("all failures", |figures| {
        row(figures, "/redeemExportToken")["num_failures"].as_u64() == Some(failures)
    })?;
    assert_eq!(row(&figures, "/generateExportToken")["num_failures"], 0, "{figures:#}");
    let error = &figures["errors"][0];
    assert_eq!((&error["name"], &error["method"]), (&"/redeemExportToken".into(), &"GET".into()));
    assert!(error["error"].as_str().is_some_and(|text| text.starts_with("backend_failing")), "{error}");
    assert_eq!((&error["occurrences"], figures["errors"].as_array().map(Vec::len)), (&failures.into(), Some(1)));

    locust.swarm(4, 10)?;
    locust.wait_for("four users on two workers", |figures| {
        workers_in(figures, "running") == 2 && figures["user_count"] == 4
    })?;
    // Dropping a running console kills it.
    drop(lost);
    locust.wait_for("the loss of a worker", |figures| workers_in(figures, "running") == 1)?;
    let replacement = sandbox.start_worker(&locust)?;
    locust.wait_for("all users on two workers", |figures| {
        workers_in(figures, "running") == 2 && figures["user_count"] == 4
    })?;
    locust.stop_users()?;
    locust.wait_for("the stop", |figures| figures["user_count"] == 0)?;
    locust.process.ok_or("it runs")?.stop()?;
    for worker in [kept, replacement] {
        worker.finish()?.assert_exit(0);
    }
    Ok(())
}

#[test]
#[ignore = "run by cargo xtask test --peers"]
fn long_workers_join_again_after_a_cut_connection_a_pause_and_a_restart_of_the_master() -> TestResult {
    let sandbox = LoadedSandbox::start()?;
    let mut locust = Locust::start()?;
    let relay = CuttableRelay::start(locust.worker_port.reserved_port_number())?;
    let cut = sandbox.start_worker_at_port(relay.port)?;
    let paused = sandbox.start_worker(&locust)?;
    let all_users_run = |figures: &Value| workers_in(figures, "running") == 2 && figures["user_count"] == 4;
    locust.wait_for("two workers", |figures| workers_in(figures, "ready") == 2)?;
    locust.swarm(4, 10)?;
    locust.wait_for("four users", all_users_run)?;

    relay.cut_connection_and_wait_for_next()?;
    locust.wait_for("four users after a cut connection", all_users_run)?;

    paused.send_signal(Signal::STOP)?;
    locust.wait_for("a missing worker", |figures| workers_in(figures, "missing") == 1)?;
    paused.send_signal(Signal::CONT)?;
    locust.wait_for("four users after a pause", all_users_run)?;

    locust.kill_master()?;
    locust.start_master()?;
    locust.wait_for("two workers of the restarted master", |figures| workers_in(figures, "ready") == 2)?;
    // Nobody visits until the new master demands it.
    let (issued_before, redeems_before) = sandbox.issued_and_redeems()?;
    locust.swarm(4, 10)?;
    locust.wait_for("four users of the restarted master", all_users_run)?;
    locust.wait_for("some visits", |figures| requests(figures, "Aggregated") > 30)?;
    locust.stop_users()?;
    locust.wait_for("the stop", |figures| figures["user_count"] == 0 && workers_in(figures, "ready") == 2)?;
    let (issued, redeems) = sandbox.issued_and_redeems()?;
    let figures = locust.wait_for("the figures after the stop", |figures| {
        requests(figures, "/redeemExportToken") == redeems - redeems_before
    })?;
    assert_eq!(requests(&figures, "/generateExportToken"), issued - issued_before);
    assert_eq!(row(&figures, "Aggregated")["num_failures"], 0, "{figures:#}");
    locust.process.take().ok_or("it runs")?.stop()?;
    for worker in [cut, paused] {
        let run = worker.finish()?;
        run.assert_exit(0);
        run.assert_mentions("the connection to the Locust master is made anew");
    }
    Ok(())
}

#[test]
#[ignore = "run by cargo xtask test"]
fn the_example_manifest_fits_the_operators_schema() -> TestResult {
    let folder = scripts_dir().join("locust");
    let manifest = scripts_dir().join("../../docs/examples/locust/load-test.yaml");
    let check = |manifest: &std::path::Path| {
        let mut command = Command::new(target_dir().join("peers-locust/bin/python"));
        command
            .arg(folder.join("check_manifest.py"))
            .arg(folder.join("locusttest-v2.schema.json"))
            .arg(manifest)
            .output()
    };
    let checked = check(&manifest)?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let wrong = tempfile::Builder::new().suffix(".yaml").tempfile()?;
    std::fs::write(wrong.path(), std::fs::read_to_string(&manifest)?.replace("replicas: 4", "replica: 4"))?;
    let checked = check(wrong.path())?;
    assert!(!checked.status.success(), "the schema refuses unknown fields");
    // The worker's command is one that the program accepts, with what the operator appends.
    let text = std::fs::read_to_string(&manifest)?;
    let line = text.lines().find_map(|line| line.trim().strip_prefix("command: \"copresence ")).ok_or("a command")?;
    let arguments: Vec<_> = line.trim_end_matches('"').split(' ').collect();
    let appended = ["--worker", "--master-port=5557", "--master-host=127.0.0.1", "--help"];
    Console::new("")?.run(&[&arguments[..], &appended].concat())?.assert_exit(0);
    Ok(())
}
