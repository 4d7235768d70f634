//! `copresence doctor`: the state of this machine, and the exit code for scripts.

use crate::support::backend::{API_KEY, Backend, BackendScript, SESSION_TOKEN};
use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use serde_json::Value;
use test_port::ReservedPort;

fn parse_parts(run: &FinishedRun) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn part_state<'a>(parts: &'a [Value], part: &str) -> &'a str {
    let found = parts.iter().find(|view| view["part"] == part);
    found.and_then(|view| view["stand"].as_str()).unwrap_or_else(|| panic!("{part}: {parts:?}"))
}

/// Runs `doctor` for a backend that is not the sandbox.
fn run_doctor(home: &TestHome, url: &str, with_credentials: bool) -> FinishedRun {
    let mut command = home.command(&["doctor", "--json", "--api-url", url]);
    if with_credentials {
        command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
    }
    RunningProgram::start(command).wait()
}

#[test]
fn a_new_machine_is_ready_for_the_sandbox() {
    let home = TestHome::new();
    let run = home.run_program(&["doctor", "--json"]).expect_exit(0);
    let parts = parse_parts(&run);
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
        "graphics",
    ];
    assert_eq!(names, all);
    for part in ["profiles", "settings", "disk", "credentials", "backend"] {
        assert_eq!(part_state(&parts, part), "good", "{part}: {parts:?}");
    }
    // A test uses no keychain of the system.
    assert_eq!(part_state(&parts, "keychain"), "unknown");
    let people = home.run_program(&["doctor"]).expect_exit(0).stdout;
    assert_eq!(people.lines().filter(|line| !line.starts_with(' ')).count(), all.len(), "{people}");
    #[cfg(target_os = "linux")]
    assert!(people.contains("what to do: For `copresence-kiosk`"), "no display here: {people}");
}

#[test]
fn the_proxy_in_use_is_named_with_its_source_and_without_its_password() {
    let proxy = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let run_through_proxy = |variable: &str| {
        let address = proxy.url().replace("http://", "http://someone:secret-of-the-proxy@");
        let mut command = home.command(&["doctor", "--json", "--api-url", "http://backend.invalid/"]);
        command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
        let run = RunningProgram::start({
            command.env(variable, address);
            command
        });
        let run = run.wait();
        assert!(!run.stdout.contains("secret-of-the-proxy"), "{}", run.stdout);
        let backend = parse_parts(&run).into_iter().find(|part| part["part"] == "backend").expect("checked");
        backend["seen"].as_str().expect("text").to_owned()
    };
    for variable in ["HTTP_PROXY", "all_proxy"] {
        let seen = run_through_proxy(variable);
        // Windows does not distinguish the case of names.
        let shown = if cfg!(windows) { variable.to_ascii_uppercase() } else { variable.to_owned() };
        let expected = format!("; through the proxy {} (from {shown})", proxy.url().trim_end_matches('/'));
        assert!(seen.ends_with(&expected), "{seen}, not {expected}");
    }
    assert!(!run_through_proxy("HTTPS_PROXY").contains("through"), "it is for https only");
}

#[test]
fn missing_credentials_are_3_and_credentials_are_never_shown() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let well = run_doctor(&home, backend.url(), true).expect_exit(0);
    assert_eq!(part_state(&parse_parts(&well), "credentials"), "good");
    assert!(!format!("{}{}", well.stdout, well.stderr).contains(API_KEY));
    assert!(!format!("{}{}", well.stdout, well.stderr).contains(SESSION_TOKEN));
    for request in backend.requests() {
        assert_eq!((request.method.as_str(), request.path.as_str()), ("GET", "/redeemExportToken"));
        assert!(!format!("{request:?}").contains(API_KEY), "a probe has no credential");
    }
    let missing = run_doctor(&home, backend.url(), false).expect_exit(3);
    let parts = parse_parts(&missing);
    assert_eq!((part_state(&parts, "credentials"), part_state(&parts, "backend")), ("bad", "good"));
}

#[test]
fn an_unreachable_backend_is_6_with_a_remedy() {
    let unused_port = ReservedPort::reserve_port().expect("a port");
    let run = run_doctor(&TestHome::new(), &format!("http://{unused_port}"), true).expect_exit(6);
    let parts = parse_parts(&run);
    let backend = parts.iter().find(|view| view["part"] == "backend").expect("the backend part");
    assert_eq!(backend["stand"], "bad");
    assert!(backend["remedy"].as_str().is_some_and(|remedy| remedy.starts_with("TCP: ")), "{backend}");
}

#[test]
fn without_a_profile_the_one_of_the_window_is_checked() {
    let home = TestHome::new();
    let config = home.root().join("p.toml");
    let unused_port = ReservedPort::reserve_port().expect("a port");
    let text = format!("[profiles.booth]\napi_url = \"http://{unused_port}\"\nlink = \"https://b.test/{{token}}\"\n");
    std::fs::write(&config, text).expect("written");
    let config = config.to_str().expect("UTF-8");
    std::fs::create_dir_all(home.data()).expect("made");
    std::fs::write(home.data().join("settings.toml"), "profile = \"booth\"\n").expect("written");
    let chosen = parse_parts(&home.run_program(&["doctor", "--json", "--config", config]).expect_exit(3));
    assert_eq!((part_state(&chosen, "credentials"), part_state(&chosen, "backend")), ("bad", "bad"));
    assert!(chosen[0]["seen"].as_str().is_some_and(|seen| seen.contains("`booth`")), "{chosen:?}");
    let other = ["doctor", "--json", "--config", config, "--profile", "sandbox"];
    assert_eq!(part_state(&parse_parts(&home.run_program(&other).expect_exit(0)), "backend"), "good");
}

#[test]
fn an_invalid_configuration_is_2_and_all_other_parts_are_checked() {
    let home = TestHome::new();
    let config = home.root().join("p.toml");
    std::fs::write(&config, "[profiles.live\n").expect("written");
    let run = home.run_program(&["doctor", "--json", "--config", config.to_str().expect("UTF-8")]).expect_exit(2);
    let all_parts = parse_parts(&run);
    assert_eq!((part_state(&all_parts, "profiles"), part_state(&all_parts, "disk")), ("bad", "good"));

    let file = home.root().join("file");
    std::fs::write(&file, "no folder").expect("written");
    let run = home.run_program(&["doctor", "--json", "--data-dir", file.to_str().expect("UTF-8")]).expect_exit(2);
    assert_eq!(part_state(&parse_parts(&run), "disk"), "bad");
}
