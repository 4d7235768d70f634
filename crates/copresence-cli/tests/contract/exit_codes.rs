//! Every exit code of the contract, with the error code and the state of the last line.

use crate::support::backend::{API_KEY, Backend, BackendScript, PASSWORD, USERNAME};
use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use crate::support::reply::Reply;
use serde_json::json;
use test_port::ReservedPort;

/// Runs a visit. A `--timeout` before which a response must be received is long enough for a busy machine.
fn run_visit(backend: &Backend, more: &[&str]) -> FinishedRun {
    RunningProgram::start(TestHome::new().visit_command(backend, more)).wait()
}

fn backend_with_generate(reply: Reply) -> Backend {
    Backend::start(BackendScript { generate: vec![reply], ..BackendScript::default() })
}

#[test]
fn invalid_usage_is_2_without_a_request() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
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
        let run = RunningProgram::start(home.visit_command(&backend, more)).wait();
        assert_eq!(run.exit, Some(2), "{more:?}\n{}\n{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("error:"), "{more:?}: {}", run.stderr);
    }
    // An invalid output folder is reported before a token is requested.
    let home = TestHome::new();
    std::fs::write(home.out(), "a file").expect("written");
    let message =
        RunningProgram::start(home.visit_command(&backend, &[])).wait().expect_end(2, "configuration", "issuing");
    assert!(message.contains("--out"), "{message}");
    assert!(backend.requests().is_empty(), "{:?}", backend.requests());
}

#[test]
fn an_invalid_configuration_has_a_last_line() {
    let home = TestHome::new();
    let run = home.run_program(&["visit", "--json", "--profile", "nope"]);
    let message = run.expect_end(2, "configuration", "issuing");
    assert!(message.contains("nope") && message.contains("sandbox"), "{message}");
}

#[test]
fn missing_credentials_are_3_and_named() {
    let backend = Backend::start(BackendScript::default());
    let run = RunningProgram::start(TestHome::new().anonymous_visit_command(backend.url(), &[])).wait();
    run.expect_end(3, "credentials_missing", "issuing");
    assert!(run.stderr.contains("COPRESENCE_API_KEY") || run.stderr.contains("keychain"), "{}", run.stderr);

    let home = TestHome::new();
    let mut command = home.anonymous_visit_command(backend.url(), &[]);
    command.env("COPRESENCE_API_KEY", API_KEY);
    let run = RunningProgram::start(command).wait();
    let message = run.expect_end(3, "credentials_missing", "issuing");
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
        run_visit(&backend_with_generate(reply), &[]).expect_end(3, "credentials_refused", "issuing");
    }
}

#[test]
fn a_refused_login_is_3_and_not_retried() {
    let backend = Backend::start(BackendScript { refuses_login: true, ..BackendScript::default() });
    let home = TestHome::new();
    let mut command = home.anonymous_visit_command(backend.url(), &[]);
    command.env("COPRESENCE_API_KEY", API_KEY);
    command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
    RunningProgram::start(command).wait().expect_end(3, "credentials_refused", "issuing");
    assert_eq!(backend.requests_to("/login").len(), 1);
}

#[test]
fn a_token_that_is_refused_immediately_is_4() {
    let backend = Backend::with_redeems(vec![Reply::no_such_token()]);
    run_visit(&backend, &[]).expect_end(4, "token_refused", "inviting");
}

#[test]
fn a_token_that_expires_is_4() {
    let backend = Backend::with_redeems(vec![Reply::unscanned(), Reply::no_such_token()]);
    run_visit(&backend, &[]).expect_end(4, "token_expired", "inviting");
    let backend = Backend::with_redeems(vec![Reply::queued(1), Reply::processing(30), Reply::no_such_token()]);
    run_visit(&backend, &[]).expect_end(4, "token_expired", "making");
}

#[test]
fn a_failed_avatar_is_5() {
    let backend = Backend::with_redeems(vec![Reply::processing(20), Reply::failed()]);
    let run = run_visit(&backend, &["--timeout", "5s"]);
    run.expect_end(5, "avatar_failed", "making");
    assert_eq!(run.lines().completion_statuses(), ["processing", "failed"]);
    let backend = Backend::with_redeems(vec![Reply::failed(), Reply::no_such_token()]);
    run_visit(&backend, &[]).expect_end(5, "avatar_failed", "making");
}

#[test]
fn an_unreachable_backend_is_6() {
    let home = TestHome::new();
    let unused_port = ReservedPort::reserve_port().expect("a port");
    let url = format!("http://{unused_port}");
    let run = RunningProgram::start(home.visit_command_at(&url, &["--timeout", "5s"])).wait();
    let message = run.expect_end(6, "backend_unreachable", "issuing");
    assert!(message.contains("refused"), "{message}");
    assert_eq!(run.lines().with_event("retrying")[0]["code"], "backend_unreachable");
}

#[test]
fn a_backend_that_keeps_failing_is_6() {
    let failing = Reply::json(500, &json!({"code": 1, "error": "Internal server error"}));
    let run = run_visit(&backend_with_generate(failing.clone()), &["--timeout", "5s"]);
    run.expect_end(6, "backend_failing", "issuing");
    // With a token: after the profile's `patience`, or after `--timeout` if that is shorter.
    let backend = Backend::with_redeems(vec![Reply::unscanned(), failing]);
    let home = TestHome::new();
    let config = home.root().join("profiles.toml");
    std::fs::write(&config, "[profiles.sandbox]\npatience = \"1s\"\n").expect("written");
    let run =
        RunningProgram::start(home.visit_command(&backend, &["--config", config.to_str().expect("UTF-8")])).wait();
    run.expect_end(6, "backend_failing", "inviting");
    let run = run_visit(&backend, &["--timeout", "5s"]);
    assert_eq!(run.exit, Some(6), "{}", run.stdout);
}

#[test]
fn a_timeout_before_any_token_is_6() {
    run_visit(&backend_with_generate(Reply::Hangs), &["--timeout", "700ms"]).expect_end(
        6,
        "backend_unreachable",
        "issuing",
    );
}

#[test]
fn nobody_scanning_is_8() {
    let backend = Backend::with_redeems(vec![Reply::unscanned()]);
    run_visit(&backend, &["--timeout", "700ms"]).expect_end(8, "timed_out", "inviting");
    let backend = Backend::with_redeems(vec![Reply::processing(3)]);
    run_visit(&backend, &["--timeout", "5s"]).expect_end(8, "timed_out", "making");
}

#[test]
fn a_truncated_response_and_then_a_refusal_is_10() {
    let backend = Backend::with_redeems(vec![Reply::processing(99), Reply::UrlsTruncated]);
    let run = run_visit(&backend, &[]);
    let message = run.expect_end(10, "possibly_consumed", "making");
    assert!(message.contains("consumed"), "{message}");
    assert_eq!(run.lines().with_event("retrying")[0]["code"], "answer_lost");
    let backend = Backend::with_redeems(vec![Reply::ClosesConnection, Reply::no_such_token()]);
    run_visit(&backend, &[]).expect_end(10, "possibly_consumed", "inviting");
}

#[cfg(unix)]
#[test]
fn interrupted_is_130() {
    use rustix::process::Signal;
    for signal in [Signal::INT, Signal::TERM] {
        let backend = Backend::with_redeems(vec![Reply::unscanned()]);
        let home = TestHome::new();
        let mut program = RunningProgram::start(home.visit_command(&backend, &[]));
        program.wait_for_event("status");
        program.send_signal(signal);
        program.wait().expect_end(130, "interrupted", "inviting");
    }
    // A redeem is in flight, and its response is not received.
    let backend = Backend::with_redeems(vec![Reply::unscanned(), Reply::Hangs]);
    let home = TestHome::new();
    let mut program = RunningProgram::start(home.visit_command(&backend, &[]));
    program.wait_for_event("status");
    backend.wait_for_redeems(2);
    program.send_signal(Signal::INT);
    program.send_signal(Signal::TERM);
    let run = program.wait();
    assert_eq!(run.exit, Some(130), "the second signal ends the program: {}", run.stderr);
}
