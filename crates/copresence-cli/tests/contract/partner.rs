//! A partner's own backend hands out the tokens and relays the redeems: no Copresence credential anywhere.

use crate::support::backend::{Backend, Script, TOKEN};
use crate::support::program::{Fixture, Live};
use crate::support::reply::Reply;
use crate::support::wire;
use serde_json::json;
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

/// A game's server: `POST /api/token` gives the token deep in its answer, `GET /api/avatar` relays redeems.
struct Game {
    url: String,
    seen: Arc<Mutex<Vec<wire::Request>>>,
}

impl Game {
    fn start(files: &Backend) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let seen: Arc<Mutex<Vec<wire::Request>>> = Arc::default();
        let (seen_here, file) = (seen.clone(), format!("{}/dl/0?sig=1", files.url()));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok).map(wire::Connection::new) {
                let Some(request) = wire::read(&stream.stream) else { continue };
                let body = match request.path.as_str() {
                    "/api/token" => json!({"data": {"copresence": {"exportToken": TOKEN}}, "ok": true}),
                    "/api/avatar" => json!({"avatar_ready": true,
                        "payload_complete": [{"download_URL": file, "export_type": "glb"}]}),
                    _ => json!({}),
                };
                seen_here.lock().expect("alive").push(request);
                let body = body.to_string();
                _ = stream.head(200, &[], body.len());
                _ = stream.stream.write_all(body.as_bytes());
            }
        });
        Self { url, seen }
    }

    fn profile(&self, more: &str) -> String {
        format!(
            "[profiles.game]\nlink = \"https://app.test/?exportToken={{token}}\"\n\n[profiles.game.partner]\n\
             url = \"{0}/api/token\"\ntoken = \"/data/copresence/exportToken\"\nredeem_url = \"{0}/api/avatar\"\n{more}",
            self.url
        )
    }
}

fn visit(fixture: &Fixture, profile: &str) -> std::process::Command {
    let config = fixture.root().join("profiles.toml");
    std::fs::write(&config, profile).expect("written");
    let mut command =
        fixture.command(&["visit", "--json", "--poll", "60ms", "--profile", "game", "--config"]);
    command.arg(config).arg("--out").arg(fixture.out());
    command
}

#[test]
fn a_partners_backend_needs_no_copresence_credential() {
    let files = Backend::start(Script { redeem: vec![Reply::Urls], ..Script::default() });
    let game = Game::start(&files);
    let fixture = Fixture::new();
    let ran = Live::start(visit(&fixture, &game.profile(""))).end();
    ran.ends(0, "saved", "saved");
    assert_eq!(ran.lines().one("started")["profile"], "game");
    assert_eq!(fixture.saved().len(), 1);
    let seen = game.seen.lock().expect("alive");
    assert_eq!(seen[0].method, "POST");
    assert_eq!((seen[1].path.as_str(), seen[1].header("x-copresence-export-token")), ("/api/avatar", TOKEN));
    for request in seen.iter() {
        assert_eq!(request.header("x-copresence-rest-api-key"), "");
        assert_eq!(request.header("x-copresence-session-token"), "");
    }
}

#[test]
fn a_partners_key_comes_from_the_environment_and_goes_to_the_partner_alone() {
    let files = Backend::start(Script { redeem: vec![Reply::Urls], ..Script::default() });
    let game = Game::start(&files);
    let fixture = Fixture::new();
    let profile = game.profile("headers = { Authorization = \"Bearer {partner_key}\" }\n");
    let ran = Live::start(visit(&fixture, &profile)).end();
    ran.ends(3, "credentials_missing", "issuing");
    assert!(ran.stderr.contains("COPRESENCE_PARTNER_KEY"), "{}", ran.stderr);
    assert!(game.seen.lock().expect("alive").is_empty());

    let mut command = visit(&fixture, &profile);
    command.env("COPRESENCE_PARTNER_KEY", "PLANTED-partner");
    let ran = Live::start(command).end();
    ran.ends(0, "saved", "saved");
    let seen = game.seen.lock().expect("alive");
    assert!(
        seen.iter().all(|request| request.header("authorization") == "Bearer PLANTED-partner"),
        "{seen:?}"
    );
    assert!(files.requests().iter().all(|request| request.header("authorization").is_empty()));
    assert!(!ran.stdout.contains("PLANTED-partner") && !ran.stderr.contains("PLANTED-partner"));
}

#[test]
fn a_token_that_is_not_at_its_place_is_9() {
    let files = Backend::start(Script::default());
    let game = Game::start(&files);
    let fixture = Fixture::new();
    let profile = game.profile("").replace("/data/copresence/exportToken", "/data/token");
    let message = Live::start(visit(&fixture, &profile)).end().ends(9, "protocol_broken", "issuing");
    assert!(message.contains("/data/token") || message.contains("data.token"), "{message}");
}

#[test]
fn a_mistake_in_the_file_is_named_by_line() {
    let fixture = Fixture::new();
    let ran = Live::start(visit(&fixture, "[profiles.game]\nlink = \"x\"\napi_key = \"k\"\n")).end();
    assert_eq!(ran.exit, Some(2));
    assert!(
        ran.stderr.contains("line 3") && ran.stderr.contains("copresence credentials set"),
        "{}",
        ran.stderr
    );
}
