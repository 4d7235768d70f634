//! The smaller commands, and what is said to people.

use crate::support::backend::{API_KEY, Backend, PASSWORD, SESSION_TOKEN, Script, USERNAME};
use crate::support::program::{Fixture, Live};
use serde_json::Value;

#[test]
fn help_names_every_command_and_every_exit_code() {
    let fixture = Fixture::new();
    let help = fixture.run(&["--help"]).exits(0).stdout;
    for word in ["visit", "sandbox", "validate", "recover", "history", "credentials", "profile", "doctor"] {
        assert!(help.contains(&format!("\n  {word} ")), "{word}: {help}");
    }
    for code in ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "130"] {
        let row = |line: &str| {
            line.split_once("  ").is_some_and(|_| line.trim_start().starts_with(&format!("{code}  ")))
        };
        assert!(help.lines().any(row), "{code}: {help}");
    }
    let visit = fixture.run(&["visit", "--help"]).exits(0).stdout;
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
        assert!(!visit.contains(secret), "no flag of a visit takes a secret");
    }
    assert!(visit.lines().all(|line| line.chars().count() <= 100), "{visit}");
    assert!(fixture.run(&["--version"]).exits(0).stdout.starts_with("copresence "));
    fixture.run(&[]).exits(2);
    fixture.run(&["vist"]).exits(2);
}

#[test]
fn profiles_are_listed_shown_and_found() {
    let fixture = Fixture::new();
    assert_eq!(fixture.run(&["profile", "list"]).exits(0).stdout, "sandbox\n");
    let config = fixture.root().join("p.toml");
    let text = "[profiles.live]\napi_url = \"https://api.test/v1\"\nlink = \"https://app.test/?t={token}\"\ntimeout = \"5m\"\n";
    std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("UTF-8");
    let list = fixture.run(&["profile", "list", "--config", config, "--json"]).exits(0).stdout;
    assert_eq!(list, "{\"profile\":\"live\"}\n{\"profile\":\"sandbox\"}\n");
    let shown = fixture.run(&["profile", "show", "live", "--config", config, "--json"]).exits(0).stdout;
    let shown: Value = serde_json::from_str(&shown).expect("one object");
    assert_eq!((&shown["api_url"], &shown["timeout"]), (&"https://api.test/v1".into(), &"5m".into()));
    let text = fixture.run(&["profile", "show", "live", "--config", config]).exits(0).stdout;
    assert!(text.contains("https://app.test/?t={token}"), "{text}");
    assert_eq!(fixture.run(&["profile", "path", "--config", config]).exits(0).stdout.trim_end(), config);
    assert!(fixture.run(&["profile", "path"]).exits(0).stdout.trim_end().ends_with("profiles.toml"));
    let ran = fixture.run(&["profile", "show", "nope"]).exits(2);
    assert!(ran.stderr.contains("sandbox"), "{}", ran.stderr);
}

#[test]
fn credentials_are_told_by_place_and_never_by_value() {
    let fixture = Fixture::new();
    let mut command = fixture.command(&["credentials", "status"]);
    command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
    let ran = Live::start(command).end().exits(0);
    for slot in ["api-key", "session-token"] {
        let line = ran.stdout.lines().find(|line| line.starts_with(slot)).expect(slot);
        assert!(line.contains("environment (COPRESENCE_"), "{line}");
    }
    let mut command = fixture.command(&["credentials", "status", "--json"]);
    command.env("COPRESENCE_API_KEY", API_KEY);
    command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
    let json = Live::start(command).end().exits(0);
    let rows: Vec<Value> =
        json.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let set = |slot: &str| rows.iter().find(|row| row["credential"] == slot).map(|row| row["set"].clone());
    assert_eq!((set("password"), set("session-token")), (Some(true.into()), Some(false.into())));
    for ran in [ran, json] {
        let all = format!("{}{}", ran.stdout, ran.stderr);
        for secret in [API_KEY, SESSION_TOKEN, USERNAME, PASSWORD] {
            assert!(!all.contains(secret), "{all}");
        }
    }
}

#[test]
fn the_scenarios_are_those_of_the_catalogue() {
    let fixture = Fixture::new();
    let list = fixture.run(&["sandbox", "--list-scenarios"]).exits(0).stdout;
    for name in ["happy", "existing-avatar", "long-queue", "fails", "token-expires", "never-scanned"] {
        assert!(list.lines().any(|line| line.split_whitespace().next() == Some(name)), "{name}: {list}");
    }
}

#[test]
fn the_sandbox_says_what_it_accepts_and_what_it_is_asked() {
    let fixture = Fixture::new();
    let mut live =
        Live::start(fixture.command(&["sandbox", "--json", "--listen", "127.0.0.1:0", "--speed", "60"]));
    let first: Value = serde_json::from_str(&live.line()).expect("JSON");
    assert_eq!(first["event"], "listening");
    let words = ["url", "api_key", "session_token", "username", "password", "operator_key"];
    for word in words {
        assert!(first[word].as_str().is_some_and(|value| !value.is_empty()), "{word}: {first}");
    }
    let text = |word: &str| first[word].as_str().expect("checked").to_owned();
    let mut command =
        fixture.command(&["visit", "--json", "--auto", "--poll", "60ms", "--api-url", &text("url")]);
    command.env("COPRESENCE_API_KEY", text("api_key")).env("COPRESENCE_SESSION_TOKEN", text("session_token"));
    Live::start(command).end().ends(0, "saved", "saved");
    let generate = live.until_line(|line| line["path"] == "/generateExportToken");
    assert_eq!((&generate["event"], &generate["method"]), (&"request".into(), &"POST".into()));
    assert!(generate["status"].is_u64() && generate["at"].is_string(), "{generate}");
    assert!(!generate.to_string().contains(&text("api_key")), "masked: {generate}");
    live.until_line(|line| line["path"] == "/redeemExportToken" && line["status"] == 200);
    #[cfg(unix)]
    {
        live.signal(rustix::process::Signal::TERM);
        live.end().exits(0);
    }
}

#[test]
fn the_sandbox_prints_a_curl_line_for_each_endpoint() {
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.command(&["sandbox", "--listen", "127.0.0.1:0"]));
    let mut text = live.line();
    while !text.contains("/associate") {
        text.push_str(&live.line());
    }
    for word in
        ["curl -X POST", "/login", "/generateExportToken", "/redeemExportToken", "/phone?exportToken="]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_code_is_written_as_a_picture() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    for (name, begins) in [("code.png", &b"\x89PNG\r\n"[..]), ("code.SVG", b"<?xml")] {
        Live::start(fixture.visit(&backend, &["--qr", name])).end();
        let bytes = std::fs::read(fixture.root().join(name)).expect("written");
        assert!(bytes.starts_with(begins), "{name}");
    }
}

#[test]
fn recover_has_nothing_to_do_in_a_new_folder() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["recover"]).exits(0);
    assert!(ran.stderr.contains("Nothing to recover"), "{}", ran.stderr);
    assert_eq!(fixture.run(&["recover", "--json"]).exits(0).stdout, "");
}
