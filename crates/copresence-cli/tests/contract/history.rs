//! `copresence history`: list, show and forget.

use crate::support::backend::{Backend, BackendScript};
use crate::support::program::{RunningProgram, TestHome};
use crate::support::reply::Reply;
use serde_json::{Value, json};

/// Creates a saved visit and one with an expired token. Returns their ids.
fn create_two_visits() -> (TestHome, [String; 2]) {
    let home = TestHome::new();
    let id = |script: BackendScript, exit: i32| {
        let backend = Backend::start(script);
        let run = RunningProgram::start(home.visit_command(&backend, &[])).wait().expect_exit(exit);
        run.lines().0[0]["visit"].as_str().expect("an id").to_owned()
    };
    let saved = id(BackendScript::default(), 0);
    let redeem = vec![Reply::unscanned(), Reply::no_such_token()];
    let expired = id(BackendScript { redeem, ..BackendScript::default() }, 4);
    (home, [saved, expired])
}

#[test]
fn list_and_show_have_the_outcome_of_each_visit() {
    let (home, [saved, expired]) = create_two_visits();
    let lines = home.run_program(&["history", "list", "--json"]).expect_exit(0).stdout;
    let all: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let ids: Vec<_> = all.iter().filter_map(|visit| visit["visit"].as_str()).collect();
    assert_eq!(ids, [expired.as_str(), saved.as_str()], "the newest first");
    assert_eq!((&all[0]["ended"]["code"], &all[0]["ended"]["exit"]), (&"token_expired".into(), &4.into()));
    assert_eq!(all[1]["ended"]["code"], "saved");

    let people = home.run_program(&["history"]).expect_exit(0).stdout;
    assert!(people.contains(&saved) && people.contains("token_expired"), "{people}");

    let shown = home.run_program(&["history", "show", &saved, "--json"]).expect_exit(0).stdout;
    let shown: Value = serde_json::from_str(&shown).expect("one object");
    assert_eq!(shown["redeems"].as_array().map(Vec::len), Some(4), "{shown}");
    assert_eq!(shown["files"][0]["path"], "avatar.glb");
    assert!(!shown.to_string().contains("/dl/"), "no URL: {shown}");
    let people = home.run_program(&["history", "show", &saved]).expect_exit(0).stdout;
    assert!(people.contains("avatar.glb") && people.contains("with URLs"), "{people}");
    // The last characters of an id are enough.
    let end = &saved[saved.len() - 8..];
    assert!(home.run_program(&["history", "show", end]).expect_exit(0).stdout.contains(&saved));
}

#[test]
fn words_of_the_backend_cannot_make_lines_of_their_own() {
    let forged = "x\nEnded (exit 0)\u{2028}\u{9b}2J";
    let status = json!({"avatar_ready": false, "payload_incomplete": {"completion_status": forged,
        "completion_progress": -1, "queue_position": -1}});
    let generate = vec![Reply::json(200, &json!({"token": "abcdefgh"}))];
    let redeem = vec![Reply::unscanned(), Reply::json(200, &status)];
    let backend = Backend::start(BackendScript { generate, redeem, ..BackendScript::default() });
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &["--timeout", "700ms"])).wait().expect_exit(8);
    assert!(run.stderr.contains("x Ended (exit 0)"), "{}", run.stderr);
    let is_forged = |line: &str| line.trim_start().starts_with("Ended (exit 0)");
    assert!(!run.stderr.lines().any(is_forged), "{}", run.stderr);
    assert!(!run.stdout.contains(['\u{9b}', '\u{2028}']) && run.stdout.contains("\\u2028\\u009b2J"), "{}", run.stdout);
    let lines = run.lines().0;
    let statuses: Vec<_> = lines.iter().filter_map(|line| line["completion_status"].as_str()).collect();
    assert!(statuses.contains(&forged), "the same value: {statuses:?}");
    let id = lines[0]["visit"].as_str().expect("an id");
    let shown = home.run_program(&["history", "show", id]).expect_exit(0).stdout;
    assert!(!shown.lines().any(is_forged) && !shown.contains(['\u{9b}', '\u{2028}']), "{shown}");
}

#[test]
fn unknown_and_ambiguous_ids_are_2() {
    let (home, _) = create_two_visits();
    let run = home.run_program(&["history", "show", "zzzz"]).expect_exit(2);
    assert!(run.stderr.contains("there is no visit `zzzz`"), "{}", run.stderr);
    let run = home.run_program(&["history", "show", "0"]).expect_exit(2);
    assert!(run.stderr.contains("several"), "{}", run.stderr);
    home.run_program(&["history", "forget", "zzzz"]).expect_exit(2);
    home.run_program(&["history", "forget"]).expect_exit(2);
    home.run_program(&["history", "forget", "--all", "--older-than", "7d"]).expect_exit(2);
    assert_eq!(home.run_program(&["history", "--json"]).stdout.lines().count(), 2, "nothing was forgotten");
}

#[test]
fn forgotten_visits_are_removed_with_their_files() {
    let (home, [saved, expired]) = create_two_visits();
    let folder = home.saved_folders().remove(0);
    assert!(folder.exists());
    home.run_program(&["history", "forget", "--older-than", "7d"]).expect_exit(0);
    assert!(folder.exists(), "the visit is newer");
    let run = home.run_program(&["history", "forget", &saved, "--json"]).expect_exit(0);
    let report: Value = serde_json::from_str(&run.stdout).expect("one object");
    assert_eq!(report["forgotten"][0].as_str(), Some(saved.as_str()));
    assert_eq!(report["unfinished"].as_array().map(Vec::len), Some(0));
    assert!(!folder.exists(), "the files are removed");
    home.run_program(&["history", "show", &saved]).expect_exit(2);
    home.run_program(&["history", "show", &expired]).expect_exit(0);
    home.run_program(&["history", "forget", "--all"]).expect_exit(0);
    assert_eq!(home.run_program(&["history", "--json"]).expect_exit(0).stdout, "");
    let people = home.run_program(&["history"]).expect_exit(0);
    assert!(people.stderr.contains("No visits yet"), "{}", people.stderr);
}

/// M5: a visit that could have been recovered is named when it is forgotten.
#[test]
fn forgetting_names_the_visits_that_could_have_been_recovered() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    let home = TestHome::new();
    RunningProgram::start(home.visit_command(&backend, &["--timeout", "700ms"])).wait().expect_exit(8);
    let run = home.run_program(&["history", "forget", "--all"]).expect_exit(0);
    assert!(
        run.stderr.contains("was unfinished: `copresence recover` can no longer save its avatar"),
        "{}",
        run.stderr
    );
}
