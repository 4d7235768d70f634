//! Visits with a backend that follows the vendor's specification, and the requests that it receives.

use crate::auto_visits::check_saved_folder;
use crate::support::backend::{API_KEY, Backend, BackendScript, PASSWORD, SESSION_TOKEN, TOKEN, USERNAME};
use crate::support::program::{RunningProgram, TestHome};
use crate::support::reply::{Asset, Reply, glb, zip};
use serde_json::json;

#[test]
fn a_visit_runs_from_the_qr_code_to_the_saved_files() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &[])).wait();
    run.expect_end(0, "saved", "saved");
    let lines = run.lines();
    assert_eq!(lines.event_order(), ["started", "invited", "status", "redeemed", "progress", "saved", "ended"]);
    assert_eq!(lines.completion_statuses(), ["no_associated_avatar", "in_queue", "processing"]);
    let queued = lines.with_event("status")[1];
    assert_eq!((&queued["queue_position"], &queued["completion_progress"]), (&json!(2), &json!(0)));
    assert_eq!(lines.only_event("invited")["link"], "https://app.test/scan?exportToken=exp%2Btok%2F1%3D%26%3F");
    assert_eq!(lines.only_event("invited")["expires_at"], json!(null));
    assert_eq!(lines.only_event("redeemed")["exports"], json!(["glb"]));
    check_saved_folder(&home.saved_folders()[0], &lines);
}

#[test]
fn each_call_has_the_headers_of_the_specification_and_no_other_credentials() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    RunningProgram::start(home.visit_command(&backend, &[])).wait().expect_end(0, "saved", "saved");
    let generates = backend.requests_to("/generateExportToken");
    assert_eq!(generates.len(), 1, "a token costs money");
    assert_eq!(generates[0].method, "POST");
    assert_eq!(generates[0].header("X-Copresence-REST-API-Key"), API_KEY);
    assert_eq!(generates[0].header("X-Copresence-Session-Token"), SESSION_TOKEN);
    let redeems = backend.requests_to("/redeemExportToken");
    assert_eq!(redeems.len(), 4);
    for redeem in &redeems {
        assert_eq!(redeem.method, "GET");
        assert_eq!(redeem.header("X-Copresence-REST-API-Key"), API_KEY);
        assert_eq!(redeem.header("X-Copresence-Export-Token"), TOKEN);
        assert_eq!(redeem.header("X-Copresence-Session-Token"), "", "redeeming needs no session");
        assert!(redeem.body.is_empty() && redeem.path == "/redeemExportToken");
    }
    for download in backend.requests_to("/dl/") {
        assert!(download.headers.keys().all(|name| !name.starts_with("x-copresence")), "{download:?}");
    }
    assert_eq!(backend.requests_to("/dl/").len(), 1, "a one-time URL is requested once");
    assert_eq!(backend.max_redeems_in_flight(), 1);
}

#[test]
fn a_login_returns_the_session_token() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let mut command = home.anonymous_visit_command(backend.url(), &[]);
    command.env("COPRESENCE_API_KEY", API_KEY);
    command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
    RunningProgram::start(command).wait().expect_end(0, "saved", "saved");
    assert_eq!(backend.requests_to("/login").len(), 1);
    assert_eq!(backend.requests_to("/generateExportToken")[0].header("x-copresence-session-token"), SESSION_TOKEN);
}

#[test]
fn an_expired_session_token_is_replaced_by_one_login() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let mut command = home.visit_command(&backend, &[]);
    command.env("COPRESENCE_SESSION_TOKEN", "r:of-last-week");
    command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
    RunningProgram::start(command).wait().expect_end(0, "saved", "saved");
    let order: Vec<_> = backend.requests().into_iter().map(|request| request.path).take(3).collect();
    assert_eq!(order, ["/generateExportToken", "/login", "/generateExportToken"]);
}

#[test]
fn unknown_fields_and_types_are_accepted() {
    let assets = vec![
        Asset::glb(),
        Asset::new("glb", glb(7_000)),
        Asset::new("FBX", zip()),
        Asset::new("../../etc/passwd", b"some words".to_vec()),
        Asset::new("hologram/v9", b"\x01\x02\x03".to_vec()),
        Asset::new("", b"\x07\x07".to_vec()),
    ];
    let redeem = vec![
        Reply::json(
            200,
            &json!({"avatar_ready": false, "payload_complete": null, "eta": null, "payload_incomplete":
                {"completion_status": "being_polished", "completion_progress": 12, "queue_position": -1,
                 "since": [null]}}),
        ),
        Reply::Urls,
    ];
    let backend =
        Backend::start(BackendScript { assets, redeem, adds_unknown_fields: true, ..BackendScript::default() });
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &[])).wait();
    run.expect_end(0, "saved", "saved");
    let lines = run.lines();
    assert_eq!(lines.completion_statuses(), ["being_polished"]);
    let files = lines.only_event("saved")["files"].as_array().expect("a list").clone();
    let paths: Vec<_> = files.iter().filter_map(|file| file["path"].as_str()).collect();
    assert_eq!(paths[..3], ["avatar.glb", "avatar-2.glb", "avatar_fbx.zip"]);
    for path in &paths {
        assert!(path.starts_with("avatar") && !path.contains(['/', '\\']) && !path.contains(".."), "{path}");
    }
    assert_eq!(files[3]["export_type"], "../../etc/passwd", "as sent");
    check_saved_folder(&home.saved_folders()[0], &lines);
}

#[test]
fn status_lines_are_printed_only_on_change() {
    let mut redeem = vec![Reply::unscanned(); 4];
    redeem.extend([Reply::queued(3), Reply::queued(3), Reply::queued(1)]);
    redeem.extend([Reply::processing(10), Reply::processing(10), Reply::processing(90), Reply::Urls]);
    let backend = Backend::with_redeems(redeem);
    let home = TestHome::new();
    let lines = RunningProgram::start(home.visit_command(&backend, &[])).wait().lines();
    assert_eq!(lines.ended_line()["exit"], 0);
    let statuses: Vec<_> = lines
        .with_event("status")
        .iter()
        .map(|line| (line["queue_position"].as_i64(), line["completion_progress"].as_i64()))
        .collect();
    let expected = [(-1, -1), (3, 0), (1, 0), (-1, 10), (-1, 90)];
    assert_eq!(statuses, expected.map(|(queue, progress)| (Some(queue), Some(progress))));
    assert!(lines.with_event("status").iter().all(|line| line["next_poll_ms"] == 60), "--poll is used");
}

#[test]
fn an_avatar_that_is_created_again_after_a_failure_is_saved() {
    let redeem = vec![Reply::processing(60), Reply::failed(), Reply::processing(5), Reply::Urls];
    let backend = Backend::with_redeems(redeem);
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &[])).wait();
    run.expect_end(0, "saved", "saved");
    assert_eq!(run.lines().completion_statuses(), ["processing", "failed", "processing"]);
}

#[test]
fn a_lost_response_is_reported_and_the_redeem_is_retried() {
    let redeem = vec![Reply::unscanned(), Reply::ClosesConnection, Reply::json(500, &json!({})), Reply::Urls];
    let backend = Backend::with_redeems(redeem);
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &[])).wait();
    run.expect_end(0, "saved", "saved");
    let lines = run.lines();
    let codes: Vec<_> = lines.with_event("retrying").iter().filter_map(|line| line["code"].as_str()).collect();
    assert_eq!(codes, ["answer_lost", "backend_failing"]);
    let attempts: Vec<_> = lines.with_event("retrying").iter().filter_map(|line| line["attempt"].as_u64()).collect();
    assert_eq!(attempts, [1, 2]);
    assert_eq!(backend.max_redeems_in_flight(), 1);
    assert_eq!(backend.requests_to("/redeemExportToken").len(), 4, "no request without a line");
}

#[test]
fn connections_that_close_without_notice_do_not_lose_a_redeem() {
    for requests in [1, 2, 100] {
        let backend =
            Backend::start(BackendScript { requests_per_connection: Some(requests), ..BackendScript::default() });
        let home = TestHome::new();
        let run = RunningProgram::start(home.visit_command(&backend, &[])).wait();
        run.expect_end(0, "saved", "saved");
        assert!(run.lines().with_event("retrying").is_empty(), "{}", run.stdout);
        assert_eq!(backend.requests_to("/generateExportToken").len(), 1);
        assert_eq!(backend.requests_to("/redeemExportToken").len(), 4);
        assert_eq!(backend.max_redeems_in_flight(), 1);
    }
}

#[test]
fn no_credential_follows_a_redirect() {
    let other = Backend::start(BackendScript::default());
    let redirect_to = |path| Reply::WithHeader(302, ("Location", format!("{}{path}", other.url())), Vec::new());
    let generate = vec![redirect_to("/generateExportToken")];
    let backend = Backend::start(BackendScript { generate, ..BackendScript::default() });
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &["--timeout", "1s"])).wait();
    assert_ne!(run.exit, Some(0));
    let redeem = vec![redirect_to("/redeemExportToken")];
    let backend = Backend::start(BackendScript { redeem, ..BackendScript::default() });
    let run = RunningProgram::start(home.visit_command(&backend, &["--timeout", "1s"])).wait();
    assert_ne!(run.exit, Some(0));
    assert!(other.requests().is_empty(), "{:?}", other.requests());
}

#[test]
fn a_reader_that_closes_stdout_does_not_end_the_visit() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let mut command = home.visit_command(&backend, &[]);
    command.stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("the program starts");
    let mut first = String::new();
    {
        use std::io::BufRead;
        let out = child.stdout.take().expect("piped");
        std::io::BufReader::new(out).read_line(&mut first).expect("a line");
        // As in `| head -1`, the reader closes the pipe here.
    }
    assert!(first.contains(r#""event":"started""#), "{first}");
    assert_eq!(child.wait().expect("the program ends").code(), Some(0));
    assert_eq!(home.saved_folders().len(), 1);
}
