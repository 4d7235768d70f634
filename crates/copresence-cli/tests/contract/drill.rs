//! `copresence doctor --drill`: a healthy machine keeps every promise, and the drill names the one that a sabotaged
//! program or machine breaks.

use crate::support::program::TestHome;
use serde_json::Value;
use std::process::Output;

/// What the drill printed for each loss.
fn results(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn names_with(output: &Output, held: impl Fn(&Value) -> bool) -> Vec<String> {
    let results = results(output);
    let names = results.iter().filter(|result| held(&result["held"])).filter_map(|result| result["loss"].as_str());
    names.map(str::to_owned).collect()
}

fn broken(output: &Output) -> Vec<String> {
    names_with(output, |held| *held == false)
}

/// Runs the drill for these losses, all if there are none.
fn drill(home: &TestHome, only: &[&str], profile: &str, sabotage: Option<&str>) -> Output {
    let config = home.root().join("profiles.toml");
    std::fs::write(&config, format!("[profiles.sandbox]\n{profile}\n")).expect("written");
    let mut command = home.command(&["doctor", "--drill", "--json", "--outage", "3s", "--config"]);
    command.arg(config).arg("--out").arg(home.out());
    for loss in only {
        command.args(["--only", loss]);
    }
    if let Some(sabotage) = sabotage {
        command.env("COPRESENCE_SABOTAGE", sabotage);
    }
    command.output().expect("run")
}

#[test]
#[ignore = "twelve visits take two minutes: `cargo xtask soak` runs it"]
fn a_healthy_machine_keeps_every_promise_and_nothing_is_left() {
    let home = TestHome::new();
    let output = drill(&home, &[], "", None);
    assert_eq!(output.status.code(), Some(0), "{:?}\n{}", results(&output), String::from_utf8_lossy(&output.stderr));
    let held = names_with(&output, |held| *held == true);
    let untested = names_with(&output, Value::is_null);
    assert_eq!(broken(&output), Vec::<String>::new());
    assert_eq!(held.len() + untested.len(), 12);
    // A clock needs a library that few machines have.
    assert!(untested.iter().all(|name| name == "clock") || !cfg!(target_os = "linux"), "{untested:?}");
    assert!(home.saved_folders().is_empty(), "{:?}", home.saved_folders());
    let left = std::fs::read_dir(home.data()).expect("there").flatten().map(|entry| entry.file_name());
    assert!(left.into_iter().all(|name| !name.to_string_lossy().starts_with("drill-")));
    let history = home.run_program(&["history", "--json"]).expect_exit(0);
    assert_eq!(history.stdout, "", "the real history has no rehearsed visit");
}

#[test]
fn a_profile_without_patience_breaks_the_promises_about_the_network() {
    let home = TestHome::new();
    let output = drill(&home, &["network_make"], "patience = \"1s\"", None);
    assert_eq!((output.status.code(), broken(&output)), (Some(1), vec!["network_make".to_owned()]));
    let results = results(&output);
    assert!(results[0]["remedy"].as_str().is_some_and(|remedy| remedy.contains("`patience`")), "{results:?}");
}

#[test]
fn a_profile_that_requires_no_space_breaks_the_promise_about_space() {
    let output = drill(&TestHome::new(), &["space"], "downloads.min_free_space = \"0B\"", None);
    assert_eq!((output.status.code(), broken(&output)), (Some(1), vec!["space".to_owned()]));
}

/// Also what a machine with a full disk gives.
#[test]
fn a_disk_without_the_required_space_is_named_at_once() {
    let output = drill(&TestHome::new(), &[], "downloads.min_free_space = \"1EiB\"", None);
    assert_eq!((output.status.code(), broken(&output)), (Some(1), vec!["nothing".to_owned()]));
    let results = results(&output);
    assert!(results[0]["seen"].as_str().is_some_and(|seen| seen.contains("disk_full")), "{results:?}");
}

#[cfg(feature = "crash-points")]
#[test]
fn a_journal_that_is_not_flushed_breaks_the_promise_about_power_cuts() {
    let output = drill(&TestHome::new(), &["power_cut"], "", Some("no-flush"));
    assert_eq!((output.status.code(), broken(&output)), (Some(1), vec!["power_cut".to_owned()]));
}

#[cfg(feature = "crash-points")]
#[test]
fn a_journal_that_nobody_reads_breaks_the_promises_about_kills() {
    let losses = ["kill_code", "kill_delivery"];
    let output = drill(&TestHome::new(), &losses, "", Some("no-journal"));
    assert_eq!((output.status.code(), broken(&output)), (Some(1), losses.map(str::to_owned).to_vec()));
}

#[test]
fn an_unknown_loss_is_refused_with_the_names_of_all() {
    let run = TestHome::new().run_program(&["doctor", "--drill", "--only", "flood"]).expect_exit(2);
    assert!(run.stderr.contains("kill_redeem"), "{}", run.stderr);
}
