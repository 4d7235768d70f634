//! Planted secrets reach the backend's sockets, and no byte of anything else.

use crate::support::backend::{API_KEY, Backend, PASSWORD, SESSION_TOKEN, Script, USERNAME};
use crate::support::program::{Fixture, Live, Ran};
use crate::support::reply::{Asset, Manner, Reply, zip};
use serde_json::json;
use std::path::Path;

/// Each secret, as itself and as other forms of it could stand in a file.
fn needles() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for secret in [API_KEY, SESSION_TOKEN, USERNAME, PASSWORD] {
        let quoted = json!(secret).to_string();
        let percent: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        for form in [secret, quoted.trim_matches('"'), &percent, &percent.replace('+', "%20")] {
            all.push(form.as_bytes().to_vec());
        }
    }
    all
}

#[track_caller]
fn clean(what: &str, bytes: &[u8]) {
    for needle in needles() {
        let found = bytes.windows(needle.len()).any(|window| window == needle);
        assert!(!found, "{} stands in {what}", String::from_utf8_lossy(&needle));
    }
}

fn clean_folder(folder: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files += clean_folder(&path);
        } else {
            clean(&path.display().to_string(), &std::fs::read(&path).expect("readable"));
            files += 1;
        }
    }
    files
}

fn visit(fixture: &Fixture, backend: &Backend, with_login: bool) -> Ran {
    let mut command = fixture.visit(backend, &["-vv", "--har", "exchanges.har", "--qr", "code.svg"]);
    if with_login {
        command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
        command.env("COPRESENCE_SESSION_TOKEN", "r:of-last-week");
    }
    let mut live = Live::start(command);
    live.until("invited");
    if cfg!(target_os = "linux") {
        let id = live.id();
        // The process may be over by now; what it showed while it ran is what counts.
        clean("its arguments", &std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default());
    }
    live.end()
}

#[track_caller]
fn nothing_leaked(fixture: &Fixture, ran: &Ran) {
    clean("stdout", ran.stdout.as_bytes());
    clean("stderr", ran.stderr.as_bytes());
    assert!(clean_folder(fixture.root()) >= 4, "journal, archive, code and log were looked at");
}

#[test]
fn no_secret_is_written_anywhere() {
    for with_login in [false, true] {
        let backend = Backend::start(Script::default());
        let fixture = Fixture::new();
        let ran = visit(&fixture, &backend, with_login);
        ran.ends(0, "saved", "saved");
        nothing_leaked(&fixture, &ran);
        let har = std::fs::read_to_string(fixture.root().join("exchanges.har")).expect("an archive");
        // Download URLs are as good as the files for as long as they live.
        let logs = std::fs::read_dir(fixture.data().join("logs")).expect("logs");
        let logs = logs.map(|entry| std::fs::read_to_string(entry.expect("readable").path()).expect("text"));
        let manifest = std::fs::read_to_string(fixture.saved()[0].join("manifest.json")).expect("a manifest");
        let told = [ran.stdout, ran.stderr, har.clone(), manifest];
        assert!(
            told.into_iter().chain(logs).all(|text| !text.contains("PLANTED-sig")),
            "a URL's signature is told"
        );
        let har: serde_json::Value = serde_json::from_str(&har).expect("JSON");
        let entries = har["log"]["entries"].as_array().expect("entries");
        let api = backend.requests().iter().filter(|request| !request.path.starts_with("/dl/")).count();
        assert!(entries.len() >= api, "every exchange is in it: {} of {api}", entries.len());
    }
}

fn echoes(words: &str) -> Vec<Reply> {
    vec![
        Reply::json(500, &json!({"code": 1, "error": words})),
        Reply::Whole(500, format!("<html>{words}</html>").into_bytes()),
        Reply::With(500, ("X-Debug", words.replace('ü', "u")), words.as_bytes().to_vec()),
    ]
}

#[test]
fn a_backend_that_echoes_them_gets_none_of_them_written() {
    // What each call was sent comes back in each way that an answer has.
    let echo = format!("key {API_KEY}, session {SESSION_TOKEN}, user {USERNAME}, pass {PASSWORD}");
    let mut generate = echoes(&echo);
    let mut redeem = echoes(&format!("key {API_KEY}"));
    redeem.push(Reply::Urls);
    generate.extend(Script::default().generate);
    let assets = vec![Asset::glb(), Asset::new("fbx", zip()).but(Manner::Refuses(410))];
    let backend = Backend::start(Script { generate, redeem, assets, ..Script::default() });
    let fixture = Fixture::new();
    let ran = visit(&fixture, &backend, true);
    assert_eq!(ran.exit, Some(7), "{}\n{}", ran.stdout, ran.stderr);
    clean("stderr", ran.stderr.as_bytes());
    clean("the archive", &std::fs::read(fixture.root().join("exchanges.har")).expect("an archive"));
}

#[test]
fn a_session_token_from_a_login_is_masked_in_later_answers_too() {
    let mut redeem = echoes(&format!("session {SESSION_TOKEN}"));
    redeem.push(Reply::Urls);
    let backend = Backend::start(Script { redeem, ..Script::default() });
    let fixture = Fixture::new();
    let ran = visit(&fixture, &backend, true);
    ran.ends(0, "saved", "saved");
    nothing_leaked(&fixture, &ran);
}

#[test]
fn a_url_with_credentials_in_it_is_refused_and_not_repeated() {
    let fixture = Fixture::new();
    let url = format!("https://someone:{API_KEY}@backend.test/");
    let ran = Live::start(fixture.anonymous_visit(&url, &[])).end();
    assert_eq!(ran.exit, Some(2));
    clean("stdout", ran.stdout.as_bytes());
    clean("stderr", ran.stderr.as_bytes());
}

/// Types into a terminal of its own, as a person does where the keychain fails: each value once its words are shown.
#[cfg(target_os = "linux")]
fn at_a_terminal(visit: &std::process::Command, typed: &[(&str, &str)]) -> (Option<i32>, String) {
    use std::io::{Read, Write};
    let words = std::iter::once(visit.get_program()).chain(visit.get_args());
    let line = words.map(|word| format!("'{}'", word.to_str().expect("text"))).collect::<Vec<_>>().join(" ");
    let mut terminal = std::process::Command::new("script");
    terminal.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]).env_clear();
    for (name, value) in visit.get_envs() {
        terminal.env(name, value.expect("set"));
    }
    terminal.current_dir(visit.get_current_dir().expect("a folder"));
    terminal.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut terminal = terminal.spawn().expect("script, of util-linux");
    let mut keys = terminal.stdin.take().expect("piped");
    let mut screen = terminal.stdout.take().expect("piped");
    let (mut shown, mut asked) = (Vec::new(), 0);
    let mut typed = typed.iter();
    let mut next = typed.next();
    let mut bytes = [0; 1024];
    // At its end a terminal is gone, which is an error on some kernels.
    while let Ok(read @ 1..) = screen.read(&mut bytes) {
        shown.extend(&bytes[..read]);
        let new = String::from_utf8_lossy(&shown[asked..]).into_owned();
        if let Some((words, value)) = next
            && new.contains(words)
        {
            asked = shown.len();
            writeln!(keys, "{value}").expect("it listens");
            next = typed.next();
        }
    }
    let exit = terminal.wait().expect("it ends").code();
    assert_eq!(next, None, "asked for all: {}", String::from_utf8_lossy(&shown));
    (exit, String::from_utf8_lossy(&shown).into_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn what_is_typed_for_one_run_serves_that_run_and_is_kept_nowhere() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    let typed = [
        ("  api-key: ", API_KEY),
        ("  session-token: ", SESSION_TOKEN),
        ("  username: ", ""),
        ("  password: ", ""),
    ];
    let (exit, shown) = at_a_terminal(&fixture.anonymous_visit(backend.url(), &["-vv"]), &typed);
    assert_eq!(exit, Some(0), "{shown}");
    assert_eq!(fixture.saved().len(), 1, "{shown}");
    clean("the terminal", shown.as_bytes());
    assert!(clean_folder(fixture.root()) >= 3, "journal, manifest and log were looked at");

    // The next run knows nothing of it, and asks nobody where nobody is.
    let before = backend.requests().len();
    let ran = Live::start(fixture.anonymous_visit(backend.url(), &[])).end();
    ran.ends(3, "credentials_missing", "issuing");
    assert_eq!(backend.requests().len(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn pasted_lines_answer_the_prompts_in_order_and_are_not_shown() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    let all = format!("{API_KEY}\n{SESSION_TOKEN}\n\n");
    let (exit, shown) =
        at_a_terminal(&fixture.anonymous_visit(backend.url(), &[]), &[("Credentials of", all.as_str())]);
    assert_eq!(exit, Some(0), "{shown}");
    clean("the terminal", shown.as_bytes());
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_at_a_credential_prompt_exits_130_and_sends_nothing() {
    let backend = Backend::start(Script::default());
    let fixture = Fixture::new();
    let (exit, shown) =
        at_a_terminal(&fixture.anonymous_visit(backend.url(), &[]), &[("  api-key: ", "\u{3}")]);
    assert_eq!(exit, Some(130), "{shown}");
    assert_eq!(backend.requests().len(), 0);
}
