//! `copresence validate`: a verdict needs an answer of the API. Addresses that are dead, wrong or behind a gate certify
//! nothing, and refused credentials are not the backend's failure.

use crate::support::backend::{API_KEY, Backend, BackendScript, PASSWORD, SESSION_TOKEN, USERNAME};
use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use test_port::ReservedPort;

/// A server that sends the same bytes in response to every request, whatever it asks for. Serves until the test ends.
struct CannedServer {
    url: String,
    requests: Arc<Mutex<usize>>,
}

impl CannedServer {
    fn start(response: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let requests = Arc::new(Mutex::new(0));
        let count = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // An error means that the client closed the connection.
                _ = read_request(&stream);
                *count.lock().expect("no panic") += 1;
                _ = (&stream).write_all(response.as_bytes());
            }
        });
        Self { url, requests }
    }
}

/// Reads a request with its body.
fn read_request(stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while reader.read_line(&mut line)? > 2 {
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        line.clear();
    }
    reader.read_exact(&mut vec![0; length])
}

fn http_response(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Runs `validate` with the test backend's API key and login.
fn run_validate(home: &TestHome, url: &str, more: &[&str]) -> FinishedRun {
    run_validate_with_password(home, url, PASSWORD, more)
}

fn run_validate_with_password(home: &TestHome, url: &str, password: &str, more: &[&str]) -> FinishedRun {
    let mut command = home.command(&["validate", "--api-url", url, "--no-phone"]);
    command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_USERNAME", USERNAME);
    command.env("COPRESENCE_PASSWORD", password).args(more);
    RunningProgram::start(command).wait()
}

fn parse_lines(run: &FinishedRun) -> Vec<Value> {
    run.stdout.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

/// Ids of the checks with a verdict of pass or fail.
fn judged_checks(lines: &[Value]) -> Vec<String> {
    let judged = lines.iter().filter(|line| line["verdict"] == "pass" || line["verdict"] == "fail");
    judged.map(|line| format!("{}: {}", line["id"], line["verdict"])).collect()
}

/// Checks that a run with JSON lines and one with text certify nothing, and say why in one sentence.
#[track_caller]
fn expect_nothing_certified(url: &str, exit: i32, code: &str, reason: &str) {
    let home = TestHome::new();
    let run = run_validate(&home, url, &["--json"]).expect_exit(exit);
    let lines = parse_lines(&run);
    assert_eq!(judged_checks(&lines), Vec::<String>::new(), "{reason}");
    let ended = lines.last().expect("a line");
    assert_eq!((&ended["exit"], &ended["code"]), (&exit.into(), &code.into()), "{ended}");
    assert!(ended["message"].as_str().is_some_and(|message| message.contains(reason)), "{ended}");
    assert!(ended["remedy"].as_str().is_some_and(|remedy| !remedy.is_empty()), "{ended}");

    let run = run_validate(&home, url, &[]).expect_exit(exit);
    assert_eq!(run.stdout.matches(reason).count(), 1, "one sentence says why: {}", run.stdout);
    assert!(run.stdout.lines().count() < 16, "{}", run.stdout);
    assert!(run.stdout.contains("What to do: "), "{}", run.stdout);
}

#[test]
fn a_backend_that_fails_or_does_not_answer_certifies_nothing() {
    let page = "<html><head><title>502 Bad Gateway</title></head></html>";
    for (head, body, reason) in [
        ("502 Bad Gateway\r\nContent-Type: text/html", page, "502 Bad Gateway"),
        ("500 Internal Server Error\r\nContent-Type: application/json", r#"{"error":"oops"}"#, "status 500"),
        ("503 Service Unavailable", "", "status 503"),
        ("504 Gateway Timeout\r\nContent-Type: application/json", r#"{"message":"Endpoint timed out"}"#, "status 504"),
    ] {
        let server = CannedServer::start(http_response(head, body));
        expect_nothing_certified(&server.url, 6, "backend_failing", reason);
    }
    let busy = CannedServer::start(http_response("429 Too Many Requests", r#"{"error":"slow down"}"#));
    expect_nothing_certified(&busy.url, 6, "backend_busy", "status 429");
    let closing = CannedServer::start(String::new());
    expect_nothing_certified(&closing.url, 6, "backend_unreachable", "The backend was not judged");
    let unused_port = ReservedPort::reserve_port().expect("a port");
    expect_nothing_certified(&format!("http://{unused_port}"), 6, "backend_unreachable", "the connection was refused");
}

#[test]
fn a_gate_in_front_of_the_backend_certifies_nothing() {
    let portal = "<!doctype html><title>Hotel Wi-Fi</title>";
    for (head, body, reason) in [
        ("200 OK\r\nContent-Type: text/html", portal, "Hotel Wi-Fi"),
        ("403 Forbidden\r\nContent-Type: text/html", "<html><title>Request blocked</title>", "Request blocked"),
        ("401 Unauthorized\r\nContent-Type: text/html", "<html><title>Log in</title>", "Log in"),
        ("403 Forbidden\r\nContent-Type: text/plain", "error code: 1020", "error code: 1020"),
        ("407 Proxy Authentication Required", "", "the proxy asks for a login"),
        ("302 Found\r\nLocation: http://login.hotel.test/", "", "login.hotel.test"),
        ("400 Bad Request\r\nContent-Type: text/html", "<html><title>400 plain HTTP</title>", "400 plain HTTP"),
    ] {
        let server = CannedServer::start(http_response(head, body));
        expect_nothing_certified(&server.url, 6, "gate", reason);
        assert_eq!(*server.requests.lock().expect("no panic"), 2 + 2, "one login in each run, and the sandbox's");
    }
}

#[test]
fn an_address_without_the_api_is_a_wrong_configuration() {
    for (head, body) in [
        ("404 Not Found\r\nContent-Type: text/html", "<!DOCTYPE html><pre>Cannot POST /login</pre>"),
        ("404 Not Found\r\nContent-Type: application/json", r#"{"detail":"Not Found"}"#),
        ("405 Method Not Allowed\r\nContent-Type: text/html", "<html><h1>405 Not Allowed</h1></html>"),
        ("404 Not Found", ""),
    ] {
        let server = CannedServer::start(http_response(head, body));
        expect_nothing_certified(&server.url, 2, "no_api", "there is no API at this address");
    }
    let moved = CannedServer::start(http_response("301 Moved Permanently\r\nLocation: /v1/login", ""));
    expect_nothing_certified(&moved.url, 2, "no_api", "redirected");
}

#[test]
fn refused_credentials_are_the_operators_failure_and_are_tried_once() {
    let home = TestHome::new();
    let backend = Backend::start(BackendScript::default());
    let run = run_validate_with_password(&home, backend.url(), "PLANTED-an-old-password", &["--json"]).expect_exit(3);
    let lines = parse_lines(&run);
    assert_eq!(judged_checks(&lines), Vec::<String>::new());
    let ended = lines.last().expect("a line");
    assert_eq!(ended["code"], "credentials_refused", "{ended}");
    assert!(ended["message"].as_str().is_some_and(|words| words.contains("Invalid username/password")), "{ended}");
    assert!(ended["remedy"].as_str().is_some_and(|words| words.contains("COPRESENCE_PASSWORD")), "{ended}");
    assert_eq!(
        backend.requests().iter().filter(|request| request.path == "/login").count(),
        1,
        "one refusal is enough"
    );

    // An API key that only the redeems verify.
    let denied = json!({"error": "unauthorized"});
    let script =
        || BackendScript { redeem: vec![crate::support::reply::Reply::json(403, &denied)], ..BackendScript::default() };
    let backend = Backend::start(script());
    let mut command =
        home.command(&["validate", "--api-url", backend.url(), "--no-phone", "--json", "--max-tokens", "1"]);
    command.env("COPRESENCE_API_KEY", API_KEY).env("COPRESENCE_SESSION_TOKEN", SESSION_TOKEN);
    let run = RunningProgram::start(command).wait().expect_exit(1);
    let failed: Vec<_> = parse_lines(&run).into_iter().filter(|line| line["verdict"] == "fail").collect();
    assert!(failed.iter().any(|line| line["id"] == "redeem.active-200"), "the key is right: generate verified it");
}

/// Logins that name the account with a password that is not its own.
fn wrong_passwords_for_the_account(backend: &Backend) -> usize {
    let logins = backend.requests().into_iter().filter(|request| request.path == "/login");
    let bodies = logins.map(|request| serde_json::from_slice::<Value>(&request.body).expect("JSON"));
    bodies.filter(|body| body["username"] == USERNAME && body["password"] != PASSWORD).count()
}

#[test]
fn no_wrong_password_is_tried_for_the_account_unless_allowed() {
    let home = TestHome::new();
    let backend = Backend::start(BackendScript::default());
    let run = run_validate(&home, backend.url(), &[]);
    assert_eq!(wrong_passwords_for_the_account(&backend), 0, "it could lock the account");
    assert!(run.stdout.contains("--allow-lockout"), "the plan says what is left out: {}", run.stdout);
    assert!(run.stdout.contains("a login of a user that does not exist"), "and what is tried: {}", run.stdout);
    assert!(!run.stdout.contains("a wrong password for the account"), "{}", run.stdout);

    let run = run_validate(&home, backend.url(), &["--allow-lockout"]);
    assert_eq!(wrong_passwords_for_the_account(&backend), 1);
    assert!(run.stdout.contains("one wrong password for the account"), "{}", run.stdout);

    let backend = Backend::start(BackendScript::default());
    let lines = parse_lines(&run_validate(&home, backend.url(), &["--json"]));
    assert_eq!(lines[0]["may_lock_account"], false, "{}", lines[0]);
    assert!(lines[0]["wrong_requests"].as_array().is_some_and(|all| all.len() > 5), "{}", lines[0]);
    let check = lines.iter().find(|line| line["id"] == "login.wrong-password").expect("a check");
    assert_eq!(check["verdict"], "skipped");
    let unknown = lines.iter().find(|line| line["id"] == "login.unknown-user").expect("a check");
    assert_eq!(unknown["verdict"], "pass");
}
