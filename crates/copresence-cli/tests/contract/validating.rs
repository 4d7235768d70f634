//! `copresence validate`: what it says, what it writes, and its exit codes.

use crate::support::program::{Fixture, Live, Ran};
use serde_json::Value;
use std::path::PathBuf;
use test_port::ReservedPort;

/// A sandbox of its own, with the environment that opens it.
struct Sandbox {
    url: String,
    environment: Vec<(&'static str, String)>,
    _live: Live,
}

fn sandbox(fixture: &Fixture, more: &[&str]) -> Sandbox {
    let mut live =
        Live::start(fixture.command(&[&["sandbox", "--json", "--listen", "127.0.0.1:0"], more].concat()));
    let listening = live.until("listening");
    let text = |field: &str| listening[field].as_str().expect("a text").to_owned();
    let environment = vec![
        ("COPRESENCE_API_KEY", text("api_key")),
        ("COPRESENCE_USERNAME", text("username")),
        ("COPRESENCE_PASSWORD", text("password")),
    ];
    Sandbox { url: text("url"), environment, _live: live }
}

fn validate(fixture: &Fixture, sandbox: &Sandbox, more: &[&str]) -> Ran {
    let mut command = fixture.command(&["validate", "--api-url", &sandbox.url]);
    command.envs(sandbox.environment.iter().map(|(name, value)| (name, value))).args(more);
    Live::start(command).end()
}

fn lines(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

fn file(fixture: &Fixture, name: &str) -> (PathBuf, String) {
    let path = fixture.root().join(name);
    let text = path.to_str().expect("UTF-8").to_owned();
    (path, text)
}

#[test]
fn the_embedded_sandbox_passes_and_every_report_is_written() {
    let fixture = Fixture::new();
    let (json, json_name) = file(&fixture, "report.json");
    let (html, html_name) = file(&fixture, "report.html");
    let (xml, xml_name) = file(&fixture, "report.xml");
    let (har, har_name) = file(&fixture, "report.har");
    let files = ["--report", &json_name, "--html", &html_name, "--junit", &xml_name, "--har", &har_name];
    let ran = fixture.run(&[&["validate"], &files[..]].concat()).exits(0);
    let judged = "pass          MUST   Each URL works once";
    for words in ["This makes 4 Export Tokens", "Passed: all", "(100 %)", judged] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    let read = |path| std::fs::read_to_string(path).expect("written");
    let report: Value = serde_json::from_str(&read(json)).expect("JSON");
    assert_eq!((&report["exit"], &report["target"]["sandbox"]), (&0.into(), &true.into()));
    assert!(read(html).starts_with("<!doctype html>") && read(xml).starts_with("<?xml"));
    let har: Value = serde_json::from_str(&read(har)).expect("JSON");
    assert!(har["log"]["entries"].as_array().is_some_and(|entries| entries.len() > 50));

    let ran = fixture.run(&["validate", "--baseline", &json_name, "--max-tokens", "1", "--json"]).exits(0);
    let lines = lines(&ran);
    assert_eq!((&lines[0]["event"], &lines[0]["tokens"]), (&"planned".into(), &1.into()));
    let changes = &lines[lines.len() - 2]["changes"];
    let skipped = |change: &Value| change["before"] == "pass" && change["now"] == "skipped";
    assert!(changes.as_array().is_some_and(|all| all.len() > 2 && all.iter().all(skipped)), "{changes}");
    let last = &lines[lines.len() - 1];
    assert_eq!((&last["event"], &last["exit"]), (&"ended".into(), &0.into()));
}

#[test]
fn a_backend_that_breaks_a_must_ends_with_1_and_differs_from_the_sandbox() {
    let fixture = Fixture::new();
    let (path, faults) = file(&fixture, "faults.json");
    let wrong = r#"[{"on":"redeem","ready":false,"do":{"wrong_shape":{"field":"payload_incomplete.queue_position","becomes":"other_type"}}}]"#;
    std::fs::write(path, wrong).expect("written");
    let wrong = sandbox(&fixture, &["--faults", &faults]);
    let (_, report) = file(&fixture, "wrong.json");
    let ran = validate(&fixture, &wrong, &["--report", &report]).exits(1);
    for words in ["fail          MUST", "expected  `queue_position`: -1", "to do     ", "Failed: "] {
        assert!(ran.stdout.contains(words), "{words}: {}", ran.stdout);
    }
    for (_, secret) in &wrong.environment {
        assert!(!ran.stdout.contains(secret.as_str()) && !ran.stderr.contains(secret.as_str()));
    }
    let ran = fixture.run(&["validate", "--compare", "sandbox", &report]).exits(1);
    assert!(ran.stdout.contains("payload_incomplete.queue_position"), "{}", ran.stdout);
    assert!(ran.stdout.contains("difference"), "{}", ran.stdout);
    let ran = fixture.run(&["validate", "--compare", &report, &report]).exits(0);
    assert!(ran.stdout.contains("No difference"), "{}", ran.stdout);
}

#[test]
fn refused_credentials_a_backend_that_is_gone_and_wrong_words_have_their_exit_codes() {
    let fixture = Fixture::new();
    let mut right = sandbox(&fixture, &[]);
    right.environment[2].1 = "another password".to_owned();
    let ran = validate(&fixture, &right, &["--json"]).exits(3);
    assert_eq!(lines(&ran).last().expect("a line")["exit"], 3);
    let nobody = ReservedPort::reserve().expect("a port");
    let nowhere = Sandbox { url: format!("http://{nobody}"), ..right };
    validate(&fixture, &nowhere, &[]).exits(6);
    let bare = fixture.run(&["validate", "--api-url", &nowhere.url]).exits(3);
    assert!(bare.stderr.contains("COPRESENCE_API_KEY"), "{}", bare.stderr);

    let (path, name) = file(&fixture, "no-report.json");
    std::fs::write(path, "{}").expect("written");
    let ran = fixture.run(&["validate", "--baseline", &name]).exits(2);
    assert!(ran.stderr.contains("no-report.json") && ran.stdout.is_empty(), "{}", ran.stderr);
    let ran = fixture.run(&["validate", "--html", "no/such/folder.html"]).exits(2);
    assert!(ran.stderr.contains("--html no/such/folder.html"), "{}", ran.stderr);
    let ran = fixture.run(&["validate", "--upstream", &nowhere.url, "--api-url", &nowhere.url]);
    assert_eq!(ran.exit, Some(3), "credentials come first: {}", ran.stderr);
    let help = fixture.run(&["validate", "--help"]).exits(0).stdout;
    assert!(help.lines().all(|line| line.chars().count() <= 100), "{help}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_run_with_130_and_reports_what_was_judged() {
    let fixture = Fixture::new();
    let (path, faults) = file(&fixture, "slow.json");
    // So slow that it is not over before it is stopped, and so quick that the stop need not wait.
    std::fs::write(path, r#"[{"on":"redeem","do":{"delay":{"median_ms":500,"sigma":0.0}}}]"#)
        .expect("written");
    let slow = sandbox(&fixture, &["--faults", &faults]);
    let (json, json_name) = file(&fixture, "report.json");
    let mut command =
        fixture.command(&["validate", "--json", "--api-url", &slow.url, "--report", &json_name]);
    command.envs(slow.environment.iter().map(|(name, value)| (name, value)));
    let mut live = Live::start(command);
    live.until_line(|line| line["id"] == "generate.distinct" && line["verdict"] == "pass");
    live.signal(rustix::process::Signal::INT);
    let ran = live.end().exits(130);
    let lines = lines(&ran);
    let last = &lines[lines.len() - 1];
    assert_eq!((&last["event"], &last["exit"]), (&"ended".into(), &130.into()));
    assert!(last["message"].as_str().is_some_and(|words| words.starts_with("Stopped: 0 of ")), "{last}");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(json).expect("written")).expect("JSON");
    let verdict = |id: &str| {
        let checks = report["checks"].as_array().expect("a list");
        checks.iter().find(|check| check["id"] == id).expect("a check")["verdict"].clone()
    };
    assert_eq!(
        (verdict("login.gives-session"), verdict("generate.distinct")),
        ("pass".into(), "pass".into())
    );
    assert_eq!(verdict("visit.delivered"), "skipped");
    assert_eq!(report["exit"], 130);
}
