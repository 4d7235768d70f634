//! `copresence validate --expected-failures`, `--write-expected` and `--fail-on`.

use crate::support::program::{FinishedRun, TestHome};
use crate::support::sandbox::{Sandbox, file_path, parse_lines, run_validate, start_sandbox};
use serde_json::{Value, json};

/// Breaks four MUST and one SHOULD.
const FAULTS: &str = r#"[
    {"on":"generate","do":{"status":{"code":200,"body":"{\"token\":\"one-for-everybody\"}"}}},
    {"on":"login","do":{"headers":{"set":{"cache-control":"public"}}}}
]"#;

/// A sandbox that breaks the same checks every time.
fn start_faulty_sandbox(home: &TestHome) -> Sandbox {
    let (path, faults) = file_path(home, "faults.json");
    std::fs::write(path, FAULTS).expect("written");
    start_sandbox(home, &["--faults", &faults])
}

/// Runs the checks that need no token, which take a fraction of a second.
fn run_short(home: &TestHome, sandbox: &Sandbox, more: &[&str]) -> FinishedRun {
    run_validate(home, sandbox, &[&["--max-tokens", "0"], more].concat())
}

fn read(home: &TestHome, name: &str) -> String {
    std::fs::read_to_string(home.root().join(name)).expect("written")
}

#[test]
fn known_failures_pass_in_every_report_until_another_check_fails() {
    let home = TestHome::new();
    let sandbox = start_faulty_sandbox(&home);
    run_short(&home, &sandbox, &[]).expect_exit(1);
    // The list is judged as written.
    let run = run_short(&home, &sandbox, &["--write-expected", "known.txt"]).expect_exit(0);
    assert!(run.stderr.contains("Wrote known.txt"), "{}", run.stderr);
    let list = read(&home, "known.txt");
    assert!(list.lines().any(|line| line.starts_with("generate.no-key ")), "{list}");
    assert!(!list.contains("http.no-store"), "a SHOULD does not fail the run: {list}");

    let files =
        ["--junit", "r.xml", "--html", "r.html", "--report", "r.json", "--sarif", "r.sarif", "--summary", "r.md"];
    let expected = ["--expected-failures", "known.txt"];
    let run = run_short(&home, &sandbox, &[&expected[..], &files].concat()).expect_exit(0);
    for text in ["known         MUST", "warn          SHOULD", "Passed: ", "failed as listed"] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
    assert!(!run.stdout.contains("fail          MUST"), "{}", run.stdout);
    assert!(!read(&home, "r.xml").contains("<failure"), "CI passes");
    assert!(read(&home, "r.xml").contains("KNOWN: expected no API key: a refusal"), "{}", read(&home, "r.xml"));
    assert!(read(&home, "r.html").contains("<h2>Known failures</h2>"));
    assert!(read(&home, "r.md").contains("### Known failures") && read(&home, "r.md").contains("`generate.no-key`"));
    let report: Value = serde_json::from_str(&read(&home, "r.json")).expect("JSON");
    assert_eq!((&report["exit"], &report["fail_on"]), (&0.into(), &"must".into()));
    let known = report["checks"].as_array().expect("a list").iter().filter(|check| check["expected_to_fail"] == true);
    assert!(known.into_iter().all(|check| check["verdict"] == "fail"));
    let sarif: Value = serde_json::from_str(&read(&home, "r.sarif")).expect("JSON");
    let results = sarif["runs"][0]["results"].as_array().expect("a list").clone();
    let suppressed = |rule: &str| {
        results.iter().find(|result| result["ruleId"] == rule).map(|result| result["suppressions"].is_array())
    };
    assert_eq!((suppressed("generate.no-key"), suppressed("http.no-store")), (Some(true), Some(false)));

    let run = run_short(&home, &sandbox, &[&expected[..], &["--fail-on", "should", "--json"]].concat()).expect_exit(1);
    let lines = parse_lines(&run);
    let ended = lines.last().expect("a line");
    assert_eq!((&ended["fail_on"], &ended["stale"]), (&"should".into(), &json!([])));
    assert!(ended["known_failures"].as_array().is_some_and(|ids| ids.contains(&"generate.no-key".into())), "{ended}");
    let check = |id: &str| lines.iter().find(|line| line["id"] == id).expect("a check")["expected_to_fail"].clone();
    assert_eq!((check("generate.no-key"), check("http.no-store")), (true.into(), false.into()));
}

#[test]
fn a_listed_check_that_passes_is_stale_and_fails_the_run_in_every_report() {
    let home = TestHome::new();
    let healthy = start_sandbox(&home, &[]);
    let list = "# Of release 3, see TICKET-4.\ngenerate.no-key\nhttp.no-store # TICKET-5\nfiles.once\n";
    std::fs::write(home.root().join("known.txt"), list).expect("written");
    std::fs::write(home.root().join("r.md"), "Earlier step\n").expect("written");
    let files = ["--junit", "r.xml", "--html", "r.html", "--sarif", "r.sarif", "--summary", "r.md"];
    let expected = ["--expected-failures", "known.txt"];
    let run = run_short(&home, &healthy, &[&expected[..], &files].concat()).expect_exit(1);
    for text in ["stale         MUST", "stale         SHOULD", "Failed: 2 known failures pass (stale)"] {
        assert!(run.stdout.contains(text), "{text}: {}", run.stdout);
    }
    assert_eq!(read(&home, "r.xml").matches("type=\"STALE\"").count(), 2, "files.once is skipped, not stale");
    assert!(read(&home, "r.html").contains("<h2>Stale: known failures that pass</h2>"));
    assert_eq!(read(&home, "r.sarif").matches("\"ruleId\": \"expected-failures.stale\"").count(), 2);
    let summary = read(&home, "r.md");
    assert!(summary.starts_with("Earlier step\n\n## ❌ Failed"), "appended: {summary}");
    let run = run_short(&home, &healthy, &[&expected[..], &["--json"]].concat()).expect_exit(1);
    assert_eq!(parse_lines(&run).last().expect("a line")["stale"], json!(["generate.no-key", "http.no-store"]));

    run_short(&home, &healthy, &["--write-expected", "known.txt"]).expect_exit(0);
    assert_eq!(read(&home, "known.txt"), "# Of release 3, see TICKET-4.\nfiles.once\n");
    run_short(&home, &healthy, &expected).expect_exit(0);
}

#[test]
fn a_wrong_list_is_refused_with_its_position_before_the_run() {
    let home = TestHome::new();
    std::fs::write(home.root().join("known.txt"), "# Known\n  files.ones\n").expect("written");
    for flag in ["--expected-failures", "--write-expected"] {
        let run = home.run_program(&["validate", flag, "known.txt"]).expect_exit(2);
        assert!(run.stderr.contains("known.txt:2:3: no check has the id `files.ones`"), "{}", run.stderr);
        assert!(run.stdout.is_empty(), "{}", run.stdout);
    }
    let run = home.run_program(&["validate", "--expected-failures", "none.txt"]).expect_exit(2);
    assert!(run.stderr.contains("--write-expected writes one"), "{}", run.stderr);
    home.run_program(&["validate", "--fail-on", "never"]).expect_exit(2);
}

/// A run without a result changes neither the list nor the exit code.
#[test]
fn a_run_that_ended_early_does_not_write_the_list() {
    let home = TestHome::new();
    let mut sandbox = start_sandbox(&home, &[]);
    sandbox.environment[2].1 = "another password".to_owned();
    std::fs::write(home.root().join("known.txt"), "generate.no-key\n").expect("written");
    let run = run_short(&home, &sandbox, &["--write-expected", "known.txt"]).expect_exit(3);
    assert!(run.stderr.contains("known.txt was not changed"), "{}", run.stderr);
    assert_eq!(read(&home, "known.txt"), "generate.no-key\n");
    run_short(&home, &sandbox, &["--expected-failures", "known.txt"]).expect_exit(3);
}
