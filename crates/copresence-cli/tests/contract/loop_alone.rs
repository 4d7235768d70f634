//! `copresence visit --auto`: the whole loop with nobody present.

use crate::support::lines::Lines;
use crate::support::program::{Fixture, Live, Ran};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::path::Path;

fn auto(fixture: &Fixture, more: &[&str]) -> Ran {
    let out = fixture.out();
    let mut args = vec!["visit", "--auto", "--speed", "60", "--poll", "60ms", "--out"];
    args.push(out.to_str().expect("UTF-8"));
    args.extend(more);
    fixture.run(&args)
}

/// In lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The folder is what `saved` says, to the byte, and the manifest says the same.
#[track_caller]
pub(crate) fn is_whole(folder: &Path, lines: &Lines) {
    let saved = lines.one("saved");
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
    let told = saved["files"].as_array().expect("a list");
    let written = manifest["files"].as_array().expect("a list");
    assert_eq!(told.len(), written.len());
    let mut names = vec!["manifest.json".to_owned()];
    for (told, written) in told.iter().zip(written) {
        for field in ["path", "export_type", "bytes", "sha256"] {
            assert_eq!(told[field], written[field], "{text}");
        }
        assert!(written["format"].is_string(), "{text}");
        let path = told["path"].as_str().expect("a name");
        let bytes = std::fs::read(folder.join(path)).expect("it stands there");
        assert_eq!(told["bytes"].as_u64(), u64::try_from(bytes.len()).ok());
        let digest = sha256(&bytes);
        assert_eq!(told["sha256"].as_str(), Some(digest.as_str()), "{path}");
        names.push(path.to_owned());
    }
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .expect("readable")
        .map(|entry| entry.expect("readable").file_name().to_string_lossy().into_owned())
        .collect();
    found.sort();
    names.sort();
    assert_eq!(found, names, "nothing else stands in the folder");
}

#[test]
fn the_whole_loop_keeps_the_table_and_saves_what_it_says() {
    let fixture = Fixture::new();
    let ran = auto(&fixture, &["--json"]);
    ran.ends(0, "saved", "saved");
    let lines = ran.lines();
    let order = lines.order();
    assert_eq!(order[..2], ["started", "invited"]);
    assert_eq!(order[order.len() - 2..], ["saved", "ended"]);
    assert!(lines.of("redeemed").len() == 1 && !lines.of("progress").is_empty());
    lines.progress_is_sparse();
    let id = &lines.0[0]["visit"];
    assert!(lines.0.iter().all(|line| line["visit"] == *id), "one visit, one id");
    assert_eq!(lines.one("started")["profile"], "sandbox");
    // No download URL: the only URLs are the backend's own and the link.
    for line in lines.0.iter().filter(|line| line["event"] != "started" && line["event"] != "invited") {
        assert!(!line.to_string().contains("http"), "{line}");
    }
    let saved = fixture.saved();
    assert_eq!(saved.len(), 1, "one folder: {saved:?}");
    is_whole(&saved[0], &lines);
    assert!(saved[0].join("avatar.glb").exists());
    assert!(fixture.incomplete().is_empty());
}

#[cfg(unix)]
#[test]
fn somebodys_face_is_nobody_elses_to_read() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = Fixture::new();
    auto(&fixture, &[]).exits(0);
    let mut todo = vec![fixture.data()];
    todo.extend(fixture.saved());
    while let Some(path) = todo.pop() {
        let mode = std::fs::metadata(&path).expect("it stands there").permissions().mode() & 0o777;
        let due = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, due, "{} has mode {mode:o}", path.display());
        if path.is_dir() {
            todo.extend(std::fs::read_dir(&path).expect("readable").map(|e| e.expect("readable").path()));
        }
    }
}

#[test]
fn without_json_stdout_is_the_folder_alone() {
    let fixture = Fixture::new();
    let ran = auto(&fixture, &[]).exits(0);
    let saved = fixture.saved();
    assert_eq!(ran.stdout.trim_end(), saved[0].display().to_string());
    assert!(ran.stderr.contains("exportToken="), "the link is shown to people:\n{}", ran.stderr);
    assert!(ran.stderr.contains('█'), "and the code:\n{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "a pipe gets no colours:\n{}", ran.stderr);
}

#[test]
fn each_scenario_ends_with_the_code_of_the_contract() {
    for (scenario, exit, more) in [
        ("existing-avatar", 0, &[][..]),
        ("fails", 5, &["--timeout", "10s"]),
        ("never-scanned", 8, &["--timeout", "1s"]),
        ("token-expires", 4, &[]),
    ] {
        let fixture = Fixture::new();
        let mut args = vec!["--json", "--scenario", scenario];
        args.extend(more);
        let ran = auto(&fixture, &args);
        assert_eq!(ran.exit, Some(exit), "{scenario}:\n{}\n{}", ran.stdout, ran.stderr);
        assert_eq!(ran.lines().ended()["exit"], exit, "{scenario}");
        assert_eq!(fixture.saved().len(), usize::from(exit == 0), "{scenario}");
    }
}

#[test]
fn two_visits_at_once_share_a_data_folder() {
    let fixture = Fixture::new();
    let out = fixture.out();
    let args = ["visit", "--auto", "--json", "--speed", "20", "--poll", "60ms", "--out"];
    let start = || {
        let mut command = fixture.command(&args);
        command.arg(&out);
        Live::start(command)
    };
    let mut both = [start(), start()];
    // Both are under way before either is awaited.
    for live in &mut both {
        live.until("invited");
    }
    for live in both {
        let ran = live.end();
        ran.ends(0, "saved", "saved");
        let id = ran.lines().0[0]["visit"].clone();
        assert!(ran.lines().0.iter().all(|line| line["visit"] == id), "neither touches the other's visit");
    }
    assert_eq!(fixture.saved().len(), 2);
    let history = fixture.run(&["history", "--json"]).exits(0);
    assert_eq!(history.stdout.lines().count(), 2, "{}", history.stdout);
}
