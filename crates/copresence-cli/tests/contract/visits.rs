//! Visits at a backend that keeps the vendor's text, and what it sees of the client.

use crate::loop_alone::is_whole;
use crate::support::backend::{API_KEY, Backend, PASSWORD, SESSION_TOKEN, Script, TOKEN, USERNAME};
use crate::support::program::{Fixture, Live};
use crate::support::reply::{Asset, Reply, glb, zip};
use serde_json::json;

#[test]
fn a_visit_goes_from_the_code_to_the_files() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    let ran = Live::start(fixture.visit(&backend, &[])).end();
    ran.ends(0, "saved", "saved");
    let lines = ran.lines();
    assert_eq!(lines.order(), ["started", "invited", "status", "redeemed", "progress", "saved", "ended"]);
    assert_eq!(lines.statuses(), ["no_associated_avatar", "in_queue", "processing"]);
    let queued = lines.of("status")[1];
    assert_eq!((&queued["queue_position"], &queued["completion_progress"]), (&json!(2), &json!(0)));
    assert_eq!(lines.one("invited")["link"], "https://app.test/scan?exportToken=exp%2Btok%2F1%3D%26%3F");
    assert_eq!(lines.one("invited")["expires_at"], json!(null));
    assert_eq!(lines.one("redeemed")["exports"], json!(["glb"]));
    is_whole(&fixture.saved()[0], &lines);
}

#[test]
fn each_call_carries_the_headers_of_the_specification_and_no_more_credentials() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    Live::start(fixture.visit(&backend, &[])).end().ends(0, "saved", "saved");
    let generates = backend.requests_to("/generateExportToken");
    assert_eq!(generates.len(), 1, "a token is somebody's money");
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
    assert_eq!(backend.requests_to("/dl/").len(), 1, "a one-time URL is asked once");
    assert_eq!(backend.most_redeems_in_flight(), 1);
}

#[test]
fn a_login_gives_the_session_token() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    let mut command = fixture.anonymous_visit(backend.url(), &[]);
    command.env("COPRESENCE_API_KEY", API_KEY);
    command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
    Live::start(command).end().ends(0, "saved", "saved");
    assert_eq!(backend.requests_to("/login").len(), 1);
    assert_eq!(
        backend.requests_to("/generateExportToken")[0].header("x-copresence-session-token"),
        SESSION_TOKEN
    );
}

#[test]
fn a_session_token_that_ran_out_is_replaced_by_a_login_once() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    let mut command = fixture.visit(&backend, &[]);
    command.env("COPRESENCE_SESSION_TOKEN", "r:of-last-week");
    command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
    Live::start(command).end().ends(0, "saved", "saved");
    let order: Vec<_> = backend.requests().into_iter().map(|request| request.path).take(3).collect();
    assert_eq!(order, ["/generateExportToken", "/login", "/generateExportToken"]);
}

#[test]
fn what_the_specification_does_not_name_does_no_harm() {
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
    let backend = Backend::start(Script { assets, redeem, extras: true, ..Script::default() });
    let fixture = Fixture::new();
    let ran = Live::start(fixture.visit(&backend, &[])).end();
    ran.ends(0, "saved", "saved");
    let lines = ran.lines();
    assert_eq!(lines.statuses(), ["being_polished"]);
    let files = lines.one("saved")["files"].as_array().expect("a list").clone();
    let paths: Vec<_> = files.iter().filter_map(|file| file["path"].as_str()).collect();
    assert_eq!(paths[..3], ["avatar.glb", "avatar-2.glb", "avatar_fbx.zip"]);
    for path in &paths {
        assert!(path.starts_with("avatar") && !path.contains(['/', '\\']) && !path.contains(".."), "{path}");
    }
    assert_eq!(files[3]["export_type"], "../../etc/passwd", "as sent");
    is_whole(&fixture.saved()[0], &lines);
}

#[test]
fn status_lines_come_on_change_only() {
    let mut redeem = vec![Reply::unscanned(); 4];
    redeem.extend([Reply::queued(3), Reply::queued(3), Reply::queued(1)]);
    redeem.extend([Reply::processing(10), Reply::processing(10), Reply::processing(90), Reply::Urls]);
    let backend = Backend::redeeming(redeem);
    let fixture = Fixture::new();
    let lines = Live::start(fixture.visit(&backend, &[])).end().lines();
    assert_eq!(lines.ended()["exit"], 0);
    let seen: Vec<_> = lines
        .of("status")
        .iter()
        .map(|line| (line["queue_position"].as_i64(), line["completion_progress"].as_i64()))
        .collect();
    let expected = [(-1, -1), (3, 0), (1, 0), (-1, 10), (-1, 90)];
    assert_eq!(seen, expected.map(|(queue, progress)| (Some(queue), Some(progress))));
    assert!(lines.of("status").iter().all(|line| line["next_poll_ms"] == 60), "--poll is kept");
}

#[test]
fn failed_and_then_made_again_is_saved() {
    let redeem = vec![Reply::processing(60), Reply::failed(), Reply::processing(5), Reply::Urls];
    let backend = Backend::redeeming(redeem);
    let fixture = Fixture::new();
    let ran = Live::start(fixture.visit(&backend, &[])).end();
    ran.ends(0, "saved", "saved");
    assert_eq!(ran.lines().statuses(), ["processing", "failed", "processing"]);
}

#[test]
fn an_answer_lost_is_told_and_asked_again() {
    let redeem = vec![Reply::unscanned(), Reply::Dropped, Reply::json(500, &json!({})), Reply::Urls];
    let backend = Backend::redeeming(redeem);
    let fixture = Fixture::new();
    let ran = Live::start(fixture.visit(&backend, &[])).end();
    ran.ends(0, "saved", "saved");
    let lines = ran.lines();
    let codes: Vec<_> = lines.of("retrying").iter().filter_map(|line| line["code"].as_str()).collect();
    assert_eq!(codes, ["answer_lost", "backend_failing"]);
    let attempts: Vec<_> = lines.of("retrying").iter().filter_map(|line| line["attempt"].as_u64()).collect();
    assert_eq!(attempts, [1, 2]);
    assert_eq!(backend.most_redeems_in_flight(), 1);
    assert_eq!(backend.requests_to("/redeemExportToken").len(), 4, "no request beside those that are told");
}

#[test]
fn connections_that_end_without_a_word_cost_no_redeem() {
    for requests in [1, 2, 100] {
        let backend = Backend::start(Script { keeps_alive: Some(requests), ..Script::default() });
        let fixture = Fixture::new();
        let ran = Live::start(fixture.visit(&backend, &[])).end();
        ran.ends(0, "saved", "saved");
        assert!(ran.lines().of("retrying").is_empty(), "{}", ran.stdout);
        assert_eq!(backend.requests_to("/generateExportToken").len(), 1);
        assert_eq!(backend.requests_to("/redeemExportToken").len(), 4);
        assert_eq!(backend.most_redeems_in_flight(), 1);
    }
}

#[test]
fn no_credential_follows_a_redirect() {
    let elsewhere = Backend::start(Script::default());
    let to = |path| Reply::With(302, ("Location", format!("{}{path}", elsewhere.url())), Vec::new());
    let generate = vec![to("/generateExportToken")];
    let backend = Backend::start(Script { generate, ..Script::default() });
    let fixture = Fixture::new();
    let ran = Live::start(fixture.visit(&backend, &["--timeout", "1s"])).end();
    assert_ne!(ran.exit, Some(0));
    let redeem = vec![to("/redeemExportToken")];
    let backend = Backend::start(Script { redeem, ..Script::default() });
    let ran = Live::start(fixture.visit(&backend, &["--timeout", "1s"])).end();
    assert_ne!(ran.exit, Some(0));
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
}

#[test]
fn a_reader_that_goes_away_ends_nothing() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    let mut command = fixture.visit(&backend, &[]);
    command.stderr(std::process::Stdio::null());
    let mut child = command.spawn().expect("it starts");
    let mut first = String::new();
    {
        use std::io::BufRead;
        let out = child.stdout.take().expect("piped");
        std::io::BufReader::new(out).read_line(&mut first).expect("a line");
        // `| head -1`: here the reader is gone.
    }
    assert!(first.contains(r#""event":"started""#), "{first}");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    assert_eq!(fixture.saved().len(), 1);
}
