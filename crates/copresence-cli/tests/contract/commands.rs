//! The smaller commands, help texts, and output for people.

use crate::support::backend::{API_KEY, Backend, BackendScript, PASSWORD, SESSION_TOKEN, USERNAME};
use crate::support::program::{RunningProgram, TestHome};
use serde_json::Value;

#[test]
fn help_names_every_command_and_every_exit_code() {
    let home = TestHome::new();
    let help = home.run_program(&["--help"]).expect_exit(0).stdout;
    for word in [
        "visit",
        "sandbox",
        "validate",
        "load",
        "recover",
        "history",
        "credentials",
        "profile",
        "doctor",
        "completions",
        "man",
    ] {
        assert!(help.contains(&format!("\n  {word} ")), "{word}: {help}");
    }
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11-14", "130"] {
        let row =
            |line: &str| line.split_once("  ").is_some_and(|_| line.trim_start().starts_with(&format!("{code}  ")));
        assert!(help.lines().any(row), "{code}: {help}");
    }
    let visit = home.run_program(&["visit", "--help"]).expect_exit(0).stdout;
    for flag in [
        "--profile",
        "--config",
        "--data-dir",
        "--api-url",
        "--link",
        "--out",
        "--json",
        "--verbose",
        "--no-color",
        "--auto",
        "--timeout",
        "--poll",
        "--export",
        "--qr",
        "--har",
        "--max-file-size",
        "--scenario",
        "--speed",
    ] {
        assert!(visit.contains(flag), "{flag}: {visit}");
    }
    assert!(visit.contains("15m") && visit.contains("2GiB"), "defaults: {visit}");
    for secret in ["--api-key", "--session-token", "--password", "--username"] {
        assert!(!visit.contains(secret), "no flag takes a secret");
    }
    assert!(visit.lines().all(|line| line.chars().count() <= 100), "{visit}");
    assert!(home.run_program(&["--version"]).expect_exit(0).stdout.starts_with("copresence "));
    home.run_program(&[]).expect_exit(2);
    home.run_program(&["vist"]).expect_exit(2);
}

#[test]
fn profiles_are_listed_shown_and_found() {
    let home = TestHome::new();
    assert_eq!(home.run_program(&["profile", "list"]).expect_exit(0).stdout, "sandbox\n");
    let config = home.root().join("p.toml");
    let text = "[profiles.live]\napi_url = \"https://api.test/v1\"\nlink = \"https://app.test/?t={token}\"\ntimeout = \"5m\"\n";
    std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("UTF-8");
    let list = home.run_program(&["profile", "list", "--config", config, "--json"]).expect_exit(0).stdout;
    assert_eq!(list, "{\"profile\":\"live\"}\n{\"profile\":\"sandbox\"}\n");
    let shown = home.run_program(&["profile", "show", "live", "--config", config, "--json"]).expect_exit(0).stdout;
    let shown: Value = serde_json::from_str(&shown).expect("one object");
    assert_eq!((&shown["api_url"], &shown["timeout"]), (&"https://api.test/v1".into(), &"5m".into()));
    let people = home.run_program(&["profile", "show", "live", "--config", config]).expect_exit(0).stdout;
    assert!(people.contains("https://app.test/?t={token}"), "{people}");
    assert_eq!(home.run_program(&["profile", "path", "--config", config]).expect_exit(0).stdout.trim_end(), config);
    assert!(home.run_program(&["profile", "path"]).expect_exit(0).stdout.trim_end().ends_with("profiles.toml"));
    let run = home.run_program(&["profile", "show", "nope"]).expect_exit(2);
    assert!(run.stderr.contains("sandbox"), "{}", run.stderr);
}

#[test]
fn credentials_are_shown_by_source_and_never_by_value() {
    let home = TestHome::new();
    let mut command = home.command(&["credentials", "status"]);
    command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
    let run = RunningProgram::start(command).wait().expect_exit(0);
    for slot in ["api-key", "session-token"] {
        let line = run.stdout.lines().find(|line| line.starts_with(slot)).expect(slot);
        assert!(line.contains("environment (COPRESENCE_"), "{line}");
    }
    let mut command = home.command(&["credentials", "status", "--json"]);
    command.env("COPRESENCE_API_KEY", API_KEY);
    command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
    let json = RunningProgram::start(command).wait().expect_exit(0);
    let rows: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let set = |slot: &str| rows.iter().find(|row| row["credential"] == slot).map(|row| row["set"].clone());
    assert_eq!((set("password"), set("session-token")), (Some(true.into()), Some(false.into())));
    for run in [run, json] {
        let all = format!("{}{}", run.stdout, run.stderr);
        for secret in [API_KEY, SESSION_TOKEN, USERNAME, PASSWORD] {
            assert!(!all.contains(secret), "{all}");
        }
    }
}

#[test]
fn the_scenarios_are_those_of_the_catalogue() {
    let home = TestHome::new();
    let list = home.run_program(&["sandbox", "--list-scenarios"]).expect_exit(0).stdout;
    for name in ["happy", "existing-avatar", "long-queue", "fails", "token-expires", "never-scanned"] {
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}: {list}");
    }
}

#[test]
fn the_sandbox_prints_its_credentials_and_its_requests() {
    let home = TestHome::new();
    let mut program =
        RunningProgram::start(home.command(&["sandbox", "--json", "--listen", "127.0.0.1:0", "--speed", "60"]));
    let first: Value = serde_json::from_str(&program.next_line()).expect("JSON");
    assert_eq!(first["event"], "listening");
    let fields = ["url", "api_key", "session_token", "username", "password", "operator_key"];
    for field in fields {
        assert!(first[field].as_str().is_some_and(|value| !value.is_empty()), "{field}: {first}");
    }
    let text = |word: &str| first[word].as_str().expect("checked").to_owned();
    let mut command = home.command(&["visit", "--json", "--auto", "--poll", "60ms", "--api-url", &text("url")]);
    command.env("COPRESENCE_API_KEY", text("api_key")).env("COPRESENCE_SESSION_TOKEN", text("session_token"));
    RunningProgram::start(command).wait().expect_end(0, "saved", "saved");
    let generate = program.wait_for_line(|line| line["path"] == "/generateExportToken");
    assert_eq!((&generate["event"], &generate["method"]), (&"request".into(), &"POST".into()));
    assert!(generate["status"].is_u64() && generate["at"].is_string(), "{generate}");
    assert!(!generate.to_string().contains(&text("api_key")), "masked: {generate}");
    program.wait_for_line(|line| line["path"] == "/redeemExportToken" && line["status"] == 200);
    #[cfg(unix)]
    {
        program.send_signal(rustix::process::Signal::TERM);
        program.wait().expect_exit(0);
    }
}

#[test]
fn the_sandbox_prints_a_curl_line_for_each_endpoint() {
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.command(&["sandbox", "--listen", "127.0.0.1:0"]));
    let mut text = program.next_line();
    while !text.contains("/associate") {
        text.push_str(&program.next_line());
    }
    for word in ["curl -X POST", "/login", "/generateExportToken", "/redeemExportToken", "/phone?exportToken="] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn the_qr_code_is_written_as_a_picture() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    for (name, begins) in [("code.png", &b"\x89PNG\r\n"[..]), ("code.SVG", b"<?xml")] {
        RunningProgram::start(home.visit_command(&backend, &["--qr", name])).wait();
        let bytes = std::fs::read(home.root().join(name)).expect("written");
        assert!(bytes.starts_with(begins), "{name}");
    }
}

#[test]
fn recover_has_nothing_to_do_in_a_new_folder() {
    let home = TestHome::new();
    let run = home.run_program(&["recover"]).expect_exit(0);
    assert!(run.stderr.contains("Nothing to recover"), "{}", run.stderr);
    assert_eq!(home.run_program(&["recover", "--json"]).expect_exit(0).stdout, "");
}
