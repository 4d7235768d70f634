//! A partner's backend issues the tokens and relays the redeems, without any Copresence credential.

use crate::support::backend::{Backend, BackendScript, TOKEN};
use crate::support::program::{RunningProgram, TestHome};
use crate::support::reply::Reply;
use crate::support::wire;
use serde_json::json;
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A partner's server: `POST /api/token` responds with a nested token, `GET /api/avatar` relays redeems.
struct PartnerServer {
    url: String,
    requests: Arc<Mutex<Vec<wire::Request>>>,
}

impl PartnerServer {
    fn start(files: &Backend) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let requests: Arc<Mutex<Vec<wire::Request>>> = Arc::default();
        let (recorded, file) = (requests.clone(), format!("{}/dl/0?sig=1", files.url()));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok).map(wire::Connection::new) {
                let Some(request) = wire::read_request(&stream.stream) else { continue };
                let body = match request.path.as_str() {
                    "/api/token" => json!({"data": {"copresence": {"exportToken": TOKEN}}, "ok": true}),
                    "/api/avatar" => json!({"avatar_ready": true,
                        "payload_complete": [{"download_URL": file, "export_type": "glb"}]}),
                    _ => json!({}),
                };
                recorded.lock().expect("alive").push(request);
                let body = body.to_string();
                _ = stream.write_head(200, &[], body.len());
                _ = stream.stream.write_all(body.as_bytes());
            }
        });
        Self { url, requests }
    }

    fn profile(&self, more: &str) -> String {
        format!(
            "[profiles.game]\nlink = \"https://app.test/?exportToken={{token}}\"\n\n[profiles.game.partner]\n\
             url = \"{0}/api/token\"\ntoken = \"/data/copresence/exportToken\"\nredeem_url = \"{0}/api/avatar\"\n{more}",
            self.url
        )
    }
}

fn visit_command(home: &TestHome, profile: &str) -> std::process::Command {
    let config = home.root().join("profiles.toml");
    std::fs::write(&config, profile).expect("written");
    let mut command = home.command(&["visit", "--json", "--poll", "60ms", "--profile", "game", "--config"]);
    command.arg(config).arg("--out").arg(home.out());
    command
}

#[test]
fn a_partners_backend_needs_no_copresence_credential() {
    let files = Backend::start(BackendScript { redeem: vec![Reply::Urls], ..BackendScript::default() });
    let partner = PartnerServer::start(&files);
    let home = TestHome::new();
    let run = RunningProgram::start(visit_command(&home, &partner.profile(""))).wait();
    run.expect_end(0, "saved", "saved");
    assert_eq!(run.lines().only_event("started")["profile"], "game");
    assert_eq!(home.saved_folders().len(), 1);
    let requests = partner.requests.lock().expect("alive");
    assert_eq!(requests[0].method, "POST");
    assert_eq!((requests[1].path.as_str(), requests[1].header("x-copresence-export-token")), ("/api/avatar", TOKEN));
    for request in requests.iter() {
        assert_eq!(request.header("x-copresence-rest-api-key"), "");
        assert_eq!(request.header("x-copresence-session-token"), "");
    }
}

#[test]
fn a_partner_key_of_the_environment_is_sent_only_to_the_partner() {
    let files = Backend::start(BackendScript { redeem: vec![Reply::Urls], ..BackendScript::default() });
    let partner = PartnerServer::start(&files);
    let home = TestHome::new();
    let profile = partner.profile("headers = { Authorization = \"Bearer {partner_key}\" }\n");
    let run = RunningProgram::start(visit_command(&home, &profile)).wait();
    run.expect_end(3, "credentials_missing", "issuing");
    assert!(run.stderr.contains("COPRESENCE_PARTNER_KEY"), "{}", run.stderr);
    assert!(partner.requests.lock().expect("alive").is_empty());

    let mut command = visit_command(&home, &profile);
    command.env("COPRESENCE_PARTNER_KEY", "PLANTED-partner");
    let run = RunningProgram::start(command).wait();
    run.expect_end(0, "saved", "saved");
    let requests = partner.requests.lock().expect("alive");
    assert!(requests.iter().all(|request| request.header("authorization") == "Bearer PLANTED-partner"), "{requests:?}");
    assert!(files.requests().iter().all(|request| request.header("authorization").is_empty()));
    assert!(!run.stdout.contains("PLANTED-partner") && !run.stderr.contains("PLANTED-partner"));
}

#[test]
fn a_missing_token_is_9() {
    let files = Backend::start(BackendScript::default());
    let partner = PartnerServer::start(&files);
    let home = TestHome::new();
    let profile = partner.profile("").replace("/data/copresence/exportToken", "/data/token");
    let message =
        RunningProgram::start(visit_command(&home, &profile)).wait().expect_end(9, "protocol_broken", "issuing");
    assert!(message.contains("/data/token") || message.contains("data.token"), "{message}");
}

#[test]
fn an_error_in_the_file_is_reported_with_its_line() {
    let home = TestHome::new();
    let run = RunningProgram::start(visit_command(&home, "[profiles.game]\nlink = \"x\"\napi_key = \"k\"\n")).wait();
    assert_eq!(run.exit, Some(2));
    assert!(run.stderr.contains("line 3") && run.stderr.contains("copresence credentials set"), "{}", run.stderr);
}
