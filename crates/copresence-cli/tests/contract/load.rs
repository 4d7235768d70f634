//! `copresence load`: costs, thresholds, reports and exit codes.

use crate::support::backend::{API_KEY, Backend, BackendScript, SESSION_TOKEN};
use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use crate::support::sandbox::{file_path, parse_lines};
use serde_json::Value;

/// Fast visits at the embedded sandbox.
const FAST: [&str; 10] = [
    "load",
    "--scenario",
    "existing-avatar",
    "--scan-after",
    "50ms",
    "--poll",
    "60ms",
    "--download",
    "full",
    "--redeem-spent",
];

fn run_load(home: &TestHome, more: &[&str]) -> FinishedRun {
    home.run_program(&[&FAST[..], more].concat())
}

#[test]
fn a_passed_run_writes_its_reports() {
    let home = TestHome::new();
    let (json_path, json_name) = file_path(&home, "load.json");
    let (html_path, html_name) = file_path(&home, "load.html");
    let arguments = ["--arrivals", "10/s@1s", "--even", "--json", "--report", &json_name, "--html", &html_name];
    let thresholds = ["--threshold", "failures==0%", "--threshold", "issue_p99<30s"];
    let run = run_load(&home, &[&arguments[..], &thresholds].concat()).expect_exit(0);
    let lines = parse_lines(&run);
    assert_eq!((&lines[0]["event"], &lines[0]["target"]["is_sandbox"]), (&"started".into(), &true.into()));
    let ended = lines.last().expect("a line");
    assert_eq!((&ended["event"], &ended["report"]["exit"]), (&"ended".into(), &0.into()));
    let figures = &ended["report"]["figures"];
    assert_eq!((&figures["tokens"]["issued"], &figures["tokens"]["spent"]), (&9.into(), &9.into()), "{figures:#}");
    let report: Value = serde_json::from_slice(&std::fs::read(json_path).expect("written")).expect("JSON");
    assert_eq!(report, ended["report"]);
    let page = std::fs::read_to_string(html_path).expect("written");
    assert!(page.contains("Passed") && page.contains("<svg"), "{page}");
    assert!(!home.data().join("journal.sqlite").exists(), "no journal");
}

#[test]
fn a_threshold_that_is_not_satisfied_fails_the_run() {
    let home = TestHome::new();
    let arguments = ["--consoles", "2", "--duration", "500ms", "--threshold", "completed_visits>=1000"];
    let run = run_load(&home, &arguments).expect_exit(1);
    assert!(run.stdout.contains("FAILED  completed_visits>=1000"), "{}", run.stdout);
    assert!(run.stdout.contains("The load test failed: 1 of 2 thresholds."), "{}", run.stdout);
}

#[test]
fn tokens_of_a_real_backend_need_a_limit_and_a_confirmation() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let run = |more: &[&str]| {
        let visits = ["load", "--api-url", backend.url(), "--poll", "60ms", "--arrivals", "50/s@2s", "--json"];
        let mut command = home.command(&[&visits[..], more].concat());
        command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
        RunningProgram::start(command).wait()
    };
    let refused = run(&[]).expect_exit(2);
    assert!(refused.stderr.contains("--max-tokens"), "{}", refused.stderr);
    let refused = run(&["--max-tokens", "3"]).expect_exit(2);
    assert!(refused.stderr.contains("up to 3 Export Tokens") && refused.stderr.contains("--yes"), "{}", refused.stderr);
    assert_eq!(backend.requests_to("/generateExportToken").len(), 0);
    let allowed = run(&["--max-tokens", "3", "--yes"]);
    assert_eq!(backend.requests_to("/generateExportToken").len(), 3, "{}", allowed.stderr);
    let lines = parse_lines(&allowed);
    let report = &lines.last().expect("a line")["report"];
    assert_eq!(
        (&report["end"], &report["figures"]["tokens"]["issued"]),
        (&"token_limit".into(), &3.into()),
        "{report:#}"
    );
}

#[test]
fn wrong_options_are_refused_before_anything_is_requested() {
    let home = TestHome::new();
    for (arguments, expected) in [
        (&["--arrivals", "50"][..], "RATE@DURATION"),
        (&["--arrivals", "50/s"], "--duration"),
        (&["--arrivals", "5/s@1s", "--pause", "1s"], "--pause"),
        (&["--threshold", "issue_p99<500"], "duration"),
        (&["--threshold", "speed<1s"], "no metric"),
        (&["--worker"], "--master-host"),
        (&["--report", "no/such/folder/report.json"], "--report"),
        (&["--consoles", "0"], "--consoles"),
        (&["--phone", "sh -c 'open"], "quote"),
    ] {
        let run = home.run_program(&[&["load"][..], arguments].concat()).expect_exit(2);
        assert!(run.stderr.contains(expected), "{arguments:?}: {}", run.stderr);
    }
}

#[test]
fn an_unreachable_backend_and_missing_credentials_have_their_exit_codes() {
    let home = TestHome::new();
    let mut command = home.command(&["load", "--api-url", "http://127.0.0.1:9"]);
    command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
    let run = RunningProgram::start(command).wait().expect_exit(2);
    assert!(run.stderr.contains("--max-tokens"), "{}", run.stderr);
    let arguments = ["load", "--api-url", "http://127.0.0.1:9", "--max-tokens", "5", "--yes", "--duration", "100ms"];
    home.run_program(&arguments).expect_exit(3);
    let mut command = home.command(&[&arguments[..], &["--timeout", "1s", "--finish", "20s"]].concat());
    command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
    let run = RunningProgram::start(command).wait().expect_exit(6);
    assert!(run.stdout.contains("backend_unreachable"), "{}", run.stdout);
}

#[cfg(unix)]
#[test]
fn a_command_can_scan_the_codes_and_a_signal_ends_the_run_with_its_figures() {
    let home = TestHome::new();
    let arguments = ["load", "--json", "--consoles", "2", "--duration", "10m", "--poll", "60ms", "--scan-after", "0s"];
    let phone = ["--phone", "sh -c 'echo \"$COPRESENCE_PHONE_LINK\" >> links'"];
    let mut program = RunningProgram::start(home.command(&[&arguments[..], &phone].concat()));
    program.wait_for_line(|line| line["event"] == "progress" && line["tokens"]["issued"] == 2);
    program.send_signal(rustix::process::Signal::TERM);
    let run = program.wait().expect_exit(130);
    let lines = parse_lines(&run);
    let report = &lines.last().expect("a line")["report"];
    assert_eq!((&report["end"], &report["exit"]), (&"interrupted".into(), &130.into()), "{report:#}");
    assert_eq!(report["figures"]["tokens"]["unspent"], 2, "{report:#}");
    let phone_calls = std::fs::read_to_string(home.root().join("links")).expect("the command ran");
    assert!(phone_calls.lines().all(|link| link.contains("exportToken=")), "{phone_calls}");
}
