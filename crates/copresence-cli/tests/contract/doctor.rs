//! `copresence doctor`: what works on this machine, and the exit code that a script can go by.

use crate::support::backend::{API_KEY, Backend, SESSION_TOKEN, Script};
use crate::support::program::{Fixture, Live, Ran};
use serde_json::Value;
use test_port::ReservedPort;

fn parts(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn state_of<'a>(parts: &'a [Value], part: &str) -> &'a str {
    let found = parts.iter().find(|view| view["part"] == part);
    found.and_then(|view| view["stand"].as_str()).unwrap_or_else(|| panic!("{part}: {parts:?}"))
}

/// At a backend that is no sandbox, with both credentials unless told otherwise.
fn at(fixture: &Fixture, url: &str, with_credentials: bool) -> Ran {
    let mut command = fixture.command(&["doctor", "--json", "--api-url", url]);
    if with_credentials {
        command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
    }
    Live::start(command).end()
}

#[test]
fn a_bare_machine_is_well_enough_for_the_sandbox() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["doctor", "--json"]).exits(0);
    let parts = parts(&ran);
    let names: Vec<_> = parts.iter().filter_map(|view| view["part"].as_str()).collect();
    let all = [
        "profiles",
        "settings",
        "disk",
        "keychain",
        "credentials",
        "backend",
        "clock",
        "display",
        "web_view",
    ];
    assert_eq!(names, all);
    for part in ["profiles", "settings", "disk", "credentials", "backend"] {
        assert_eq!(state_of(&parts, part), "good", "{part}: {parts:?}");
    }
    assert_eq!(state_of(&parts, "keychain"), if cfg!(target_os = "linux") { "unknown" } else { "good" });
    let text = fixture.run(&["doctor"]).exits(0).stdout;
    assert_eq!(text.lines().filter(|line| !line.starts_with(' ')).count(), all.len(), "{text}");
    #[cfg(target_os = "linux")]
    assert!(text.contains("what to do: For `copresence-kiosk`"), "no display here: {text}");
}

#[test]
fn missing_credentials_are_3_and_none_is_ever_shown() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    let well = at(&fixture, backend.url(), true).exits(0);
    assert_eq!(state_of(&parts(&well), "credentials"), "good");
    assert!(!format!("{}{}", well.stdout, well.stderr).contains(API_KEY));
    assert!(!format!("{}{}", well.stdout, well.stderr).contains(SESSION_TOKEN));
    for request in backend.requests() {
        assert_eq!(request.method, "HEAD", "{}", request.path);
        assert!(!format!("{request:?}").contains(API_KEY), "a probe carries no credential");
    }
    let missing = at(&fixture, backend.url(), false).exits(3);
    let parts = parts(&missing);
    assert_eq!((state_of(&parts, "credentials"), state_of(&parts, "backend")), ("bad", "good"));
}

#[test]
fn a_backend_that_is_not_there_is_6_with_what_to_do() {
    let nobody = ReservedPort::reserve().expect("a port");
    let ran = at(&Fixture::new(), &format!("http://{nobody}"), true).exits(6);
    let parts = parts(&ran);
    let backend = parts.iter().find(|view| view["part"] == "backend").expect("told");
    assert_eq!(backend["stand"], "bad");
    assert!(backend["remedy"].as_str().is_some_and(|remedy| remedy.starts_with("TCP: ")), "{backend}");
}

#[test]
fn without_a_profile_it_looks_at_the_one_that_the_window_would_take() {
    let fixture = Fixture::new();
    let config = fixture.root().join("p.toml");
    let nobody = ReservedPort::reserve().expect("a port");
    let text =
        format!("[profiles.booth]\napi_url = \"http://{nobody}\"\nlink = \"https://b.test/{{token}}\"\n");
    std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("UTF-8");
    std::fs::create_dir_all(fixture.data()).expect("made");
    std::fs::write(fixture.data().join("settings.toml"), "profile = \"booth\"\n").expect("written");
    let chosen = parts(&fixture.run(&["doctor", "--json", "--config", config]).exits(3));
    assert_eq!((state_of(&chosen, "credentials"), state_of(&chosen, "backend")), ("bad", "bad"));
    assert!(chosen[0]["seen"].as_str().is_some_and(|seen| seen.contains("`booth`")), "{chosen:?}");
    let other = ["doctor", "--json", "--config", config, "--profile", "sandbox"];
    assert_eq!(state_of(&parts(&fixture.run(&other).exits(0)), "backend"), "good");
}

#[test]
fn a_broken_configuration_is_2_and_the_rest_is_told_all_the_same() {
    let fixture = Fixture::new();
    let config = fixture.root().join("p.toml");
    std::fs::write(&config, "[profiles.live\n").expect("written");
    let ran = fixture.run(&["doctor", "--json", "--config", config.to_str().expect("UTF-8")]).exits(2);
    let told = parts(&ran);
    assert_eq!((state_of(&told, "profiles"), state_of(&told, "disk")), ("bad", "good"));

    let file = fixture.root().join("file");
    std::fs::write(&file, "no folder").expect("written");
    let ran = fixture.run(&["doctor", "--json", "--data-dir", file.to_str().expect("UTF-8")]).exits(2);
    assert_eq!(state_of(&parts(&ran), "disk"), "bad");
}
