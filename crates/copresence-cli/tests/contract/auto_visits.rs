//! `copresence visit --auto`: complete visits with the embedded sandbox and a simulated phone.

use crate::support::lines::JsonLines;
use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::Path;

fn run_auto_visit(home: &TestHome, more: &[&str]) -> FinishedRun {
    let out = home.out();
    let mut args = vec!["visit", "--auto", "--speed", "60", "--poll", "60ms", "--out"];
    args.push(out.to_str().expect("UTF-8"));
    args.extend(more);
    home.run_program(&args)
}

/// The SHA-256 digest in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Checks that the folder, its manifest and the line `saved` have the same files with the same bytes.
#[track_caller]
pub(crate) fn check_saved_folder(folder: &Path, lines: &JsonLines) {
    let saved = lines.only_event("saved");
    let visit = saved["visit"].as_str().expect("an id");
    assert_eq!(saved["directory"].as_str().map(Path::new), Some(folder));
    let name = folder.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    let (date, id) = name.split_at("2026-01-01".len());
    assert!(date.parse::<jiff::civil::Date>().is_ok(), "{name}");
    assert_eq!(id, format!("-{visit}"), "OUT/<date>-<visit id>/");

    let text = std::fs::read_to_string(folder.join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(manifest["visit"].as_str(), Some(visit));
    assert!(manifest["schema_version"].is_u64() && manifest["complete"] == true, "{text}");
    assert!(manifest["times"]["started"].is_string() && manifest["times"]["saved"].is_string(), "{text}");
    let printed = saved["files"].as_array().expect("a list");
    let written = manifest["files"].as_array().expect("a list");
    assert_eq!(printed.len(), written.len());
    let mut names = vec!["manifest.json".to_owned()];
    for (printed, written) in printed.iter().zip(written) {
        for field in ["path", "export_type", "bytes", "sha256"] {
            assert_eq!(printed[field], written[field], "{text}");
        }
        assert!(written["format"].is_string(), "{text}");
        let path = printed["path"].as_str().expect("a name");
        let bytes = std::fs::read(folder.join(path)).expect("the file exists");
        assert_eq!(printed["bytes"].as_u64(), u64::try_from(bytes.len()).ok());
        let digest = sha256(&bytes);
        assert_eq!(printed["sha256"].as_str(), Some(digest.as_str()), "{path}");
        names.push(path.to_owned());
    }
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    names.sort();
    assert_eq!(found, names, "the folder has no other files");
}

#[test]
fn an_auto_visit_prints_the_lines_of_the_contract_and_saves_its_files() {
    let home = TestHome::new();
    let run = run_auto_visit(&home, &["--json"]);
    run.expect_end(0, "saved", "saved");
    let lines = run.lines();
    let order = lines.event_order();
    assert_eq!(order[..2], ["started", "invited"]);
    assert_eq!(order[order.len() - 2..], ["saved", "ended"]);
    assert!(lines.with_event("redeemed").len() == 1 && !lines.with_event("progress").is_empty());
    lines.check_progress_rate();
    let id = &lines.0[0]["visit"];
    assert!(lines.0.iter().all(|line| line["visit"] == *id), "one visit, one id");
    assert_eq!(lines.only_event("started")["profile"], "sandbox");
    // No line has a download URL.
    for line in lines.0.iter().filter(|line| line["event"] != "started" && line["event"] != "invited") {
        assert!(!line.to_string().contains("http"), "{line}");
    }
    let saved = home.saved_folders();
    assert_eq!(saved.len(), 1, "one folder: {saved:?}");
    check_saved_folder(&saved[0], &lines);
    assert!(saved[0].join("avatar.glb").exists());
    assert!(home.incomplete_folders().is_empty());
}

#[cfg(unix)]
#[test]
fn all_files_and_folders_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let home = TestHome::new();
    run_auto_visit(&home, &[]).expect_exit(0);
    let mut todo = vec![home.data()];
    todo.extend(home.saved_folders());
    while let Some(path) = todo.pop() {
        let mode = std::fs::metadata(&path).expect("the file exists").permissions().mode() & 0o777;
        let expected = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, expected, "{} has mode {mode:o}", path.display());
        if path.is_dir() {
            todo.extend(std::fs::read_dir(&path).expect("readable").map(|e| e.expect("readable").path()));
        }
    }
}

#[test]
fn without_json_stdout_has_only_the_folder() {
    let home = TestHome::new();
    let run = run_auto_visit(&home, &[]).expect_exit(0);
    let saved = home.saved_folders();
    assert_eq!(run.stdout.trim_end(), saved[0].display().to_string());
    assert!(run.stderr.contains("exportToken="), "the link is shown:\n{}", run.stderr);
    assert!(run.stderr.contains('█'), "the QR code is shown:\n{}", run.stderr);
    assert!(!run.stderr.contains('\u{1b}'), "a pipe gets no colours:\n{}", run.stderr);
}

#[test]
fn each_scenario_ends_with_the_code_of_the_contract() {
    for (scenario, exit, more) in [
        ("existing-avatar", 0, &[][..]),
        ("fails", 5, &["--timeout", "10s"]),
        ("never-scanned", 8, &["--timeout", "1s"]),
        ("token-expires", 4, &[]),
    ] {
        let home = TestHome::new();
        let mut args = vec!["--json", "--scenario", scenario];
        args.extend(more);
        let run = run_auto_visit(&home, &args);
        assert_eq!(run.exit, Some(exit), "{scenario}:\n{}\n{}", run.stdout, run.stderr);
        assert_eq!(run.lines().ended_line()["exit"], exit, "{scenario}");
        assert_eq!(home.saved_folders().len(), usize::from(exit == 0), "{scenario}");
    }
}

#[test]
fn two_visits_at_once_share_a_data_folder() {
    let home = TestHome::new();
    let out = home.out();
    let args = ["visit", "--auto", "--json", "--speed", "20", "--poll", "60ms", "--out"];
    let start = || {
        let mut command = home.command(&args);
        command.arg(&out);
        RunningProgram::start(command)
    };
    let mut both = [start(), start()];
    // Both run at the same time.
    for program in &mut both {
        program.wait_for_event("invited");
    }
    for program in both {
        let run = program.wait();
        run.expect_end(0, "saved", "saved");
        let id = run.lines().0[0]["visit"].clone();
        assert!(run.lines().0.iter().all(|line| line["visit"] == id), "no line of the other visit");
    }
    assert_eq!(home.saved_folders().len(), 2);
    let history = home.run_program(&["history", "--json"]).expect_exit(0);
    assert_eq!(history.stdout.lines().count(), 2, "{}", history.stdout);
}
