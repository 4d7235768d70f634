//! The real Prometheus scrapes two booths with the configuration, rules and dashboard of `packaging/fleet`.
//!
//! The booths are two processes of the example `scraped_booth`: the panel and the metrics endpoint of the window program,
//! without its window.

use crate::peer_process::{PeerProcess, http_request, target_dir};
use crate::{HarnessError, TestResult};
use copresence_sandbox::{AvatarChoice, BuiltInScenarioName, SandboxSettings, Server, faults};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use test_port::ReservedPort;

/// Time limit for the first data of every query. It takes some seconds.
const DATA_TIMEOUT: Duration = Duration::from_mins(2);
/// Time between two looks.
const CHECK_INTERVAL: Duration = Duration::from_millis(200);
const TOKEN: &str = "planted-metrics-token";
/// The names of the booths in `prometheus.yml`, and its example targets.
const BOOTHS: [(&str, &str); 2] = [("entrance", "booth-1.example:9847"), ("hall 2", "booth-2.example:9847")];

/// A process of the example, with its endpoint. It ends with this value.
struct ScrapedBooth {
    child: Child,
    address: String,
}

impl ScrapedBooth {
    fn start(root: &Path, name: &str, server: &Server) -> Result<Self, HarnessError> {
        let program = target_dir().join("debug/examples/scraped_booth");
        let accepted = server.sandbox().accepted_credentials();
        let mut command = Command::new(&program);
        command
            .arg(root.join("profiles.toml"))
            .arg("fleet")
            .arg(root.join(name).join("data"))
            .arg(root.join(name).join("out"))
            .arg(root.join("booth-token"))
            .env("COPRESENCE_API_KEY", accepted.api_key.expose())
            .env("COPRESENCE_USERNAME", accepted.username.expose())
            .env("COPRESENCE_PASSWORD", accepted.password.expose())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            let build = "cargo build -p copresence-booth --example scraped_booth";
            format!("{}: {error}; `{build}` builds it", program.display())
        })?;
        let stdout = child.stdout.take().ok_or("no pipe")?;
        let mut address = String::new();
        BufReader::new(stdout).read_line(&mut address)?;
        Ok(Self { child, address: address.trim().to_owned() })
    }

    fn port(&self) -> Result<u16, HarnessError> {
        Ok(self.address.rsplit(':').next().ok_or("no port")?.parse()?)
    }
}

impl Drop for ScrapedBooth {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn fleet_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/fleet")
}

/// Writes the packaged configuration with the addresses of these booths, and a short interval.
fn write_configuration(root: &Path, booths: &[ScrapedBooth]) -> Result<PathBuf, HarnessError> {
    let mut text = std::fs::read_to_string(fleet_folder().join("prometheus.yml"))?.replace("15s", "1s");
    for ((_, example), booth) in BOOTHS.iter().zip(booths) {
        if !text.contains(example) {
            return Err(format!("prometheus.yml does not name {example}").into());
        }
        text = text.replace(example, &booth.address);
    }
    std::fs::copy(fleet_folder().join("alerts.yml"), root.join("alerts.yml"))?;
    let path = root.join("prometheus.yml");
    std::fs::write(&path, text)?;
    Ok(path)
}

fn start_prometheus(root: &Path, configuration: &Path, port: u16) -> Result<PeerProcess, HarnessError> {
    let mut command = Command::new("prometheus");
    command
        .arg(format!("--config.file={}", configuration.display()))
        .arg(format!("--storage.tsdb.path={}", root.join("tsdb").display()))
        .arg(format!("--web.listen-address={}:{port}", Ipv4Addr::LOCALHOST));
    let prometheus = PeerProcess::start("prometheus", command, port, root)?;
    // It listens before its database is open, and answers 503 until then.
    let deadline = Instant::now() + DATA_TIMEOUT;
    while let Err(error) = http_request(port, "/-/ready", &[], None) {
        if Instant::now() > deadline {
            return Err(format!("Prometheus is not ready: {error}").into());
        }
        std::thread::sleep(CHECK_INTERVAL);
    }
    Ok(prometheus)
}

/// The result of an instant query: one entry per series.
fn query(port: u16, expression: &str) -> Result<Vec<Value>, HarnessError> {
    let address = format!("http://{}:{port}", Ipv4Addr::LOCALHOST);
    let url = reqwest::Url::parse_with_params(&address, [("query", expression)])?;
    let path = format!("/api/v1/query?{}", url.query().unwrap_or_default());
    let response: Value = serde_json::from_str(&http_request(port, &path, &[], None)?)?;
    Ok(response["data"]["result"].as_array().cloned().unwrap_or_default())
}

/// Every query of the dashboard with its panel's title, with values for Grafana's variables.
fn dashboard_queries() -> Result<Vec<(String, String)>, HarnessError> {
    let text = std::fs::read_to_string(fleet_folder().join("grafana-dashboard.json"))?;
    let dashboard: Value = serde_json::from_str(&text)?;
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().ok_or("no panels")? {
        let title = panel["title"].as_str().ok_or("a panel without a title")?;
        for target in panel["targets"].as_array().ok_or("a panel without queries")? {
            let expression = target["expr"].as_str().ok_or("a target without a query")?;
            let expression =
                expression.replace("$booth", ".*").replace("$__rate_interval", "30s").replace("$__range", "1m");
            if expression.contains('$') {
                return Err(format!("{title}: an unknown variable in {expression}").into());
            }
            queries.push((title.to_owned(), expression));
        }
    }
    Ok(queries)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Prometheus: `cargo xtask test` installs it and runs this"]
async fn prometheus_scrapes_two_booths_and_every_query_of_the_dashboard_returns_data() -> TestResult {
    let root = tempfile::Builder::new().prefix("copresence-peer-prometheus-").tempdir()?;
    let settings = SandboxSettings {
        scenario: BuiltInScenarioName::ExistingAvatar.into(),
        speed: 20.0,
        ..SandboxSettings::default()
    };
    let server = Server::start(settings, (Ipv4Addr::LOCALHOST, 0).into()).await?;
    let fault = r#"[{"on":"redeem","nth":2,"do":{"status":{"code":503}}}]"#;
    server.sandbox().set_faults(faults::parse_and_check_faults(fault.as_bytes())?)?;
    std::fs::write(root.path().join("booth-token"), TOKEN)?;
    std::fs::write(
        root.path().join("profiles.toml"),
        format!(
            "[profiles.fleet]\napi_url = \"{}\"\nlink = \"{}\"\npolling.fixed = \"200ms\"\n",
            server.local_url(),
            server.qr_link_template()
        ),
    )?;
    let booths: Vec<ScrapedBooth> =
        BOOTHS.iter().map(|(name, _)| ScrapedBooth::start(root.path(), name, &server)).collect::<Result<_, _>>()?;
    let configuration = write_configuration(root.path(), &booths)?;
    let port = ReservedPort::reserve_port()?.hand_over_to_child_process();
    let prometheus = start_prometheus(root.path(), &configuration, port.reserved_port_number())?;
    let queries = dashboard_queries()?;
    let deadline = Instant::now() + DATA_TIMEOUT;
    loop {
        scan_codes(&server);
        let missing = queries_without_data(port.reserved_port_number(), &queries)?;
        let saved = query(port.reserved_port_number(), "copresence_visits_total{outcome=\"saved\"} > 0")?;
        if missing.is_empty() && saved.len() == BOOTHS.len() {
            break;
        }
        assert!(Instant::now() < deadline, "no data: {missing:?}; saved: {saved:?}");
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
    let names = query(port.reserved_port_number(), "up{job=\"copresence\"} == 1")?;
    let mut names: Vec<&str> = names.iter().filter_map(|series| series["metric"]["booth"].as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, BOOTHS.map(|(name, _)| name));
    check_metrics_with_promtool(&booths[0])?;
    prometheus.stop()
}

/// Associates an avatar with each token that has none, as phones do.
fn scan_codes(server: &Server) {
    let Some(avatar) = server.sandbox().existing_avatars().into_iter().next() else { return };
    for token in server.sandbox().sandbox_state().tokens {
        // Fails for a token that has an avatar or is spent.
        _ = server.sandbox().associate_avatar(&token.token, &AvatarChoice::Existing(avatar.id.clone()), None);
    }
}

/// The queries whose result is empty, or has a value that is no number.
fn queries_without_data(port: u16, queries: &[(String, String)]) -> Result<Vec<String>, HarnessError> {
    let mut missing = Vec::new();
    for (title, expression) in queries {
        let series = query(port, expression)?;
        let has_number = series.iter().any(|series| {
            series["value"][1].as_str().is_some_and(|value| value.parse::<f64>().is_ok_and(f64::is_finite))
        });
        if !has_number {
            missing.push(format!("{title}: {expression}"));
        }
    }
    Ok(missing)
}

/// Lets `promtool check metrics` read what a booth serves.
fn check_metrics_with_promtool(booth: &ScrapedBooth) -> TestResult {
    let authorization = format!("Bearer {TOKEN}");
    let metrics = http_request(booth.port()?, "/metrics", &[("Authorization", &authorization)], None)?;
    let refused = http_request(booth.port()?, "/metrics", &[], None).expect_err("no token");
    assert!(refused.to_string().contains(" 401 "), "{refused}");
    let mut promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    promtool.stdin.take().ok_or("no pipe")?.write_all(metrics.as_bytes())?;
    let output = promtool.wait_with_output()?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.trim().is_empty(), "{complaints}\n{metrics}");
    Ok(())
}

#[test]
#[ignore = "needs Prometheus: `cargo xtask test` installs it and runs this"]
fn promtool_tests_the_alert_rules() -> TestResult {
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts.test.yml"]] {
        let output = Command::new("promtool").args(arguments).current_dir(fleet_folder()).output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}");
    }
    Ok(())
}

/// A rule that nothing tests may never fire.
#[test]
fn every_alert_rule_has_a_test_in_which_it_fires() -> TestResult {
    let read = |name: &str| std::fs::read_to_string(fleet_folder().join(name));
    let (rules, tests) = (read("alerts.yml")?, read("alerts.test.yml")?);
    let names: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(tests.contains(&format!("        alertname: {name}\n        exp_alerts:\n          - ")), "{name}");
    }
    Ok(())
}
