//! Every exit code of the contract, with the code word and the state of the last line.

use crate::support::backend::{API_KEY, Backend, PASSWORD, Script, USERNAME};
use crate::support::program::{Fixture, Live, Ran};
use crate::support::reply::Reply;
use serde_json::json;
use test_port::ReservedPort;

/// Visits once. A `--timeout` before which something must have been seen is long enough for a machine that stutters.
fn visit(backend: &Backend, more: &[&str]) -> Ran {
    Live::start(Fixture::new().visit(backend, more)).end()
}

fn generating(reply: Reply) -> Backend {
    Backend::start(Script { generate: vec![reply], ..Script::default() })
}

#[test]
fn wrong_usage_is_2_and_asks_nobody() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    let wrong: &[&[&str]] = &[
        &["--profile", "nope"],
        &["--qr", "code.jpg"],
        &["--poll", "often"],
        &["--poll", "10ms"],
        &["--timeout", "-5"],
        &["--link", "https://app.test/scan"],
        &["--no-such-flag"],
        &["--max-file-size", "lots"],
        &["--max-file-size", "0"],
        &["--har", "no/such/folder/x.har"],
        &["--config", "no-such-file.toml"],
        &["--qr", "no/such/folder/x.png"],
    ];
    for more in wrong {
        let ran = Live::start(fixture.visit(&backend, more)).end();
        assert_eq!(ran.exit, Some(2), "{more:?}\n{}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("error:"), "{more:?}: {}", ran.stderr);
    }
    // A folder that cannot be: told before a token is spent, not after.
    let fixture = Fixture::new();
    std::fs::write(fixture.out(), "a file").expect("written");
    let message = Live::start(fixture.visit(&backend, &[])).end().ends(2, "configuration", "issuing");
    assert!(message.contains("--out"), "{message}");
    assert!(backend.requests().is_empty(), "{:?}", backend.requests());
}

#[test]
fn a_wrong_configuration_has_a_last_line_too() {
    let fixture = Fixture::new();
    let ran = fixture.run(&["visit", "--json", "--profile", "nope"]);
    let message = ran.ends(2, "configuration", "issuing");
    assert!(message.contains("nope") && message.contains("sandbox"), "{message}");
}

#[test]
fn missing_credentials_are_3_and_named() {
    let backend = Backend::start(Script::default());
    let ran = Live::start(Fixture::new().anonymous_visit(backend.url(), &[])).end();
    ran.ends(3, "credentials_missing", "issuing");
    assert!(ran.stderr.contains("COPRESENCE_API_KEY") || ran.stderr.contains("keychain"), "{}", ran.stderr);

    let fixture = Fixture::new();
    let mut command = fixture.anonymous_visit(backend.url(), &[]);
    command.env("COPRESENCE_API_KEY", API_KEY);
    let ran = Live::start(command).end();
    let message = ran.ends(3, "credentials_missing", "issuing");
    assert!(message.contains("session token"), "{message}");
    assert!(backend.requests().is_empty());
}

#[test]
fn refused_credentials_are_3() {
    for reply in [
        Reply::json(401, &json!({"error": "unauthorized"})),
        Reply::json(403, &json!({"error": "forbidden"})),
        Reply::json(400, &json!({"code": 209, "error": "invalid session token"})),
    ] {
        visit(&generating(reply), &[]).ends(3, "credentials_refused", "issuing");
    }
}

#[test]
fn a_refused_login_is_3_and_asked_once() {
    let backend = Backend::start(Script { refuses_login: true, ..Script::default() });
    let fixture = Fixture::new();
    let mut command = fixture.anonymous_visit(backend.url(), &[]);
    command.env("COPRESENCE_API_KEY", API_KEY);
    command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
    Live::start(command).end().ends(3, "credentials_refused", "issuing");
    assert_eq!(backend.requests_to("/login").len(), 1);
}

#[test]
fn a_token_refused_at_once_is_4() {
    let backend = Backend::redeeming(vec![Reply::no_such_token()]);
    visit(&backend, &[]).ends(4, "token_refused", "inviting");
}

#[test]
fn a_token_that_runs_out_is_4() {
    let backend = Backend::redeeming(vec![Reply::unscanned(), Reply::no_such_token()]);
    visit(&backend, &[]).ends(4, "token_expired", "inviting");
    let backend = Backend::redeeming(vec![Reply::queued(1), Reply::processing(30), Reply::no_such_token()]);
    visit(&backend, &[]).ends(4, "token_expired", "making");
}

#[test]
fn a_failed_avatar_is_5() {
    let backend = Backend::redeeming(vec![Reply::processing(20), Reply::failed()]);
    let ran = visit(&backend, &["--timeout", "5s"]);
    ran.ends(5, "avatar_failed", "making");
    assert_eq!(ran.lines().statuses(), ["processing", "failed"]);
    let backend = Backend::redeeming(vec![Reply::failed(), Reply::no_such_token()]);
    visit(&backend, &[]).ends(5, "avatar_failed", "making");
}

#[test]
fn a_backend_out_of_reach_is_6() {
    let fixture = Fixture::new();
    let nobody = ReservedPort::reserve().expect("a port");
    let url = format!("http://{nobody}");
    let ran = Live::start(fixture.visit_at(&url, &["--timeout", "5s"])).end();
    let message = ran.ends(6, "backend_unreachable", "issuing");
    assert!(message.contains("refused"), "{message}");
    assert_eq!(ran.lines().of("retrying")[0]["code"], "backend_unreachable");
}

#[test]
fn a_backend_that_keeps_failing_is_6() {
    let failing = Reply::json(500, &json!({"code": 1, "error": "Internal server error"}));
    let ran = visit(&generating(failing.clone()), &["--timeout", "5s"]);
    ran.ends(6, "backend_failing", "issuing");
    // With a token: when the profile's patience ends, and also when `--timeout` comes first.
    let backend = Backend::redeeming(vec![Reply::unscanned(), failing]);
    let fixture = Fixture::new();
    let config = fixture.root().join("profiles.toml");
    std::fs::write(&config, "[profiles.sandbox]\npatience = \"1s\"\n").expect("written");
    let ran = Live::start(fixture.visit(&backend, &["--config", config.to_str().expect("UTF-8")])).end();
    ran.ends(6, "backend_failing", "inviting");
    let ran = visit(&backend, &["--timeout", "5s"]);
    assert_eq!(ran.exit, Some(6), "{}", ran.stdout);
}

#[test]
fn a_timeout_before_any_token_is_6() {
    visit(&generating(Reply::Never), &["--timeout", "700ms"]).ends(6, "backend_unreachable", "issuing");
}

#[test]
fn nobody_scanning_is_8() {
    let backend = Backend::redeeming(vec![Reply::unscanned()]);
    visit(&backend, &["--timeout", "700ms"]).ends(8, "timed_out", "inviting");
    let backend = Backend::redeeming(vec![Reply::processing(3)]);
    visit(&backend, &["--timeout", "5s"]).ends(8, "timed_out", "making");
}

#[test]
fn an_answer_cut_off_and_then_a_refusal_is_10() {
    let backend = Backend::redeeming(vec![Reply::processing(99), Reply::UrlsCut]);
    let ran = visit(&backend, &[]);
    let message = ran.ends(10, "possibly_consumed", "making");
    assert!(message.contains("consumed"), "{message}");
    assert_eq!(ran.lines().of("retrying")[0]["code"], "answer_lost");
    let backend = Backend::redeeming(vec![Reply::Dropped, Reply::no_such_token()]);
    visit(&backend, &[]).ends(10, "possibly_consumed", "inviting");
}

#[cfg(unix)]
#[test]
fn interrupted_is_130() {
    use rustix::process::Signal;
    for signal in [Signal::INT, Signal::TERM] {
        let backend = Backend::redeeming(vec![Reply::unscanned()]);
        let fixture = Fixture::new();
        let mut live = Live::start(fixture.visit(&backend, &[]));
        live.until("status");
        live.signal(signal);
        live.end().ends(130, "interrupted", "inviting");
    }
    // A redeem is under way, and its answer does not come.
    let backend = Backend::redeeming(vec![Reply::unscanned(), Reply::Never]);
    let fixture = Fixture::new();
    let mut live = Live::start(fixture.visit(&backend, &[]));
    live.until("status");
    backend.until_redeems(2);
    live.signal(Signal::INT);
    live.signal(Signal::TERM);
    let ran = live.end();
    assert_eq!(ran.exit, Some(130), "the second signal insists: {}", ran.stderr);
}
