//! Own scenarios and replays: `--scenario-file`, `--har` and `--replay`.

use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use std::path::Path;

/// Runs a visit with a simulated phone.
fn run_auto_visit(home: &TestHome, more: &[&str]) -> FinishedRun {
    let out = home.out();
    let mut args = vec!["visit", "--auto", "--json", "--poll", "60ms", "--out", out.to_str().expect("UTF-8")];
    args.extend(more);
    home.run_program(&args)
}

/// Writes a file of the test, and returns its path.
fn write_file(home: &TestHome, name: &str, text: &str) -> String {
    let path = home.root().join(name);
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

/// The file types in the manifest of a saved or incomplete avatar.
fn saved_types(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join("manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let files = manifest["files"].as_array().expect("a list");
    files.iter().map(|file| file["export_type"].as_str().expect("a type").to_owned()).collect()
}

/// Every status that a visit saw, without repetitions.
fn seen_statuses(run: &FinishedRun) -> Vec<String> {
    let lines = run.lines();
    let mut statuses: Vec<String> =
        lines.with_event("progress").iter().map(|line| line["status"].to_string()).collect();
    statuses.dedup();
    statuses
}

const SCENARIO: &str = r#"
name = "short"
about = "A failed recording, an unavailable backend, then two files."

[[steps]]
status = "in_queue"
queue_position = 2
lasts_per_position = "300ms"

[[steps]]
status = "processing"
progress = 50
lasts = "300ms"

[files]
export_types = ["glb", "png"]

[[faults]]
on = "redeem"
nth = [2, 3]
do = { status = { code = 503 } }

[[faults]]
on = "file"
nth = 1
do = { status = { code = 503 } }
"#;

#[test]
fn replay_of_a_recorded_visit_makes_the_same_visit_again() {
    let (home, again) = (TestHome::new(), TestHome::new());
    let scenario = write_file(&home, "short.toml", SCENARIO);
    let har = home.root().join("run.har").to_str().expect("UTF-8").to_owned();
    let recorded = run_auto_visit(&home, &["--scenario-file", &scenario, "--har", &har]);
    recorded.expect_end(0, "saved", "saved");
    let replayed = run_auto_visit(&again, &["--replay", &har]);
    replayed.expect_end(0, "saved", "saved");
    assert_eq!(seen_statuses(&replayed), seen_statuses(&recorded));
    assert_eq!(saved_types(&again.saved_folders()[0]), ["glb", "png"]);
    assert_eq!(saved_types(&again.saved_folders()[0]), saved_types(&home.saved_folders()[0]));
}

#[test]
fn replay_of_a_visit_without_an_avatar_ends_in_the_same_way() {
    let (home, again) = (TestHome::new(), TestHome::new());
    let har = home.root().join("run.har").to_str().expect("UTF-8").to_owned();
    let faults = r#"[{"on":"redeem","nth":3,"do":{"status":{"code":200,"body":"{\"avatar_ready\":7}"}}},
        {"on":"redeem","nth":4,"do":"reset"}]"#;
    let faults = write_file(&home, "faults.json", faults);
    let recorded =
        run_auto_visit(&home, &["--scenario", "token-expires", "--speed", "20", "--faults", &faults, "--har", &har]);
    let ended = recorded.lines().only_event("ended").clone();
    assert_ne!(ended["exit"], 0, "{ended}");
    let replayed = run_auto_visit(&again, &["--replay", &har]);
    let ended_again = replayed.lines().only_event("ended").clone();
    assert_eq!((&ended_again["exit"], &ended_again["code"]), (&ended["exit"], &ended["code"]));
}

#[test]
fn wrong_files_of_scenarios_and_replays_are_refused_with_their_place() {
    let home = TestHome::new();
    let wrong = write_file(&home, "wrong.toml", "name = \"x\"\nabout = \"y\"\nstep = []\n");
    let no_har = write_file(&home, "no.har", "{}");
    for (args, says) in [
        (["--scenario-file", &wrong], "wrong.toml, line 3, column 1: unknown field `step`, expected one of `name`"),
        (["--scenario-file", "gone.toml"], "gone.toml cannot be read"),
        (["--replay", &no_har], "not an HTTP Archive"),
        (["--replay", "gone.har"], "gone.har cannot be read"),
    ] {
        for command in ["sandbox", "visit"] {
            let run = home.run_program(&[command, args[0], args[1]]).expect_exit(2);
            assert!(run.stderr.contains(says), "{command} {args:?}: {}", run.stderr);
        }
    }
    for both in [["--scenario-file", &wrong], ["--replay", &no_har]] {
        let run = home.run_program(&[&["sandbox", "--scenario", "fails"][..], &both].concat()).expect_exit(2);
        assert!(run.stderr.contains("cannot be used with"), "{}", run.stderr);
    }
}

#[test]
fn printed_scenario_can_be_used_as_a_file() {
    let home = TestHome::new();
    let printed = home.run_program(&["sandbox", "--print-scenario", "existing-avatar"]).expect_exit(0);
    let own = write_file(&home, "own.toml", &printed.stdout);
    let run = run_auto_visit(&home, &["--scenario-file", &own]);
    run.expect_end(0, "saved", "saved");
}

#[test]
fn sandbox_stops_when_its_stdin_is_closed() {
    let home = TestHome::new();
    let mut command = home.command(&["sandbox", "--listen", "127.0.0.1:0", "--json", "--until-stdin-closes"]);
    command.stdin(std::process::Stdio::null());
    RunningProgram::start(command).wait().expect_exit(0);
}
