//! Planted secrets are sent to the backend, and written nowhere else.

use crate::support::backend::{API_KEY, Backend, BackendScript, PASSWORD, SESSION_TOKEN, USERNAME};
use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use crate::support::reply::{Asset, Reply, UrlBehavior, zip};
use serde_json::json;
use std::path::Path;

/// Each secret, as plain text and in other encodings.
fn encoded_secrets() -> Vec<Vec<u8>> {
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
fn expect_no_secret(place: &str, bytes: &[u8]) {
    for secret in encoded_secrets() {
        let found = bytes.windows(secret.len()).any(|window| window == secret);
        assert!(!found, "{} is in {place}", String::from_utf8_lossy(&secret));
    }
}

fn expect_no_secret_in_folder(folder: &Path) -> usize {
    let mut files = 0;
    for entry in std::fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            files += expect_no_secret_in_folder(&path);
        } else {
            expect_no_secret(&path.display().to_string(), &std::fs::read(&path).expect("readable"));
            files += 1;
        }
    }
    files
}

fn run_visit(home: &TestHome, backend: &Backend, with_login: bool) -> FinishedRun {
    let mut command = home.visit_command(backend, &["-vv", "--har", "exchanges.har", "--qr", "code.svg"]);
    if with_login {
        command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
        command.env("COPRESENCE_SESSION_TOKEN", "r:of-last-week");
    }
    let mut program = RunningProgram::start(command);
    program.wait_for_event("invited");
    if cfg!(target_os = "linux") {
        let id = program.process_id();
        // Empty if the process has already ended.
        expect_no_secret("its arguments", &std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default());
    }
    program.wait()
}

#[track_caller]
fn check_all_output(home: &TestHome, run: &FinishedRun) {
    expect_no_secret("stdout", run.stdout.as_bytes());
    expect_no_secret("stderr", run.stderr.as_bytes());
    assert!(expect_no_secret_in_folder(home.root()) >= 4, "journal, archive, QR code and log were searched");
}

#[test]
fn no_secret_is_written_anywhere() {
    for with_login in [false, true] {
        let backend = Backend::start(BackendScript::default());
        let home = TestHome::new();
        let run = run_visit(&home, &backend, with_login);
        run.expect_end(0, "saved", "saved");
        check_all_output(&home, &run);
        let har = std::fs::read_to_string(home.root().join("exchanges.har")).expect("an archive");
        // Download URLs give access to the files while they are valid.
        let logs = std::fs::read_dir(home.data().join("logs")).expect("logs");
        let logs = logs.map(|entry| std::fs::read_to_string(entry.expect("readable").path()).expect("text"));
        let manifest = std::fs::read_to_string(home.saved_folders()[0].join("manifest.json")).expect("a manifest");
        let texts = [run.stdout, run.stderr, har.clone(), manifest];
        assert!(
            texts.into_iter().chain(logs).all(|text| !text.contains("PLANTED-sig")),
            "the signature of a URL was written"
        );
        let har: serde_json::Value = serde_json::from_str(&har).expect("JSON");
        let entries = har["log"]["entries"].as_array().expect("entries");
        let api = backend.requests().iter().filter(|request| !request.path.starts_with("/dl/")).count();
        assert!(entries.len() >= api, "the archive has all exchanges: {} of {api}", entries.len());
    }
}

#[cfg(unix)]
#[test]
fn the_archive_the_qr_code_and_the_log_are_readable_by_their_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    // A file that others can read from before.
    let earlier = home.root().join("code.svg");
    std::fs::write(&earlier, "").expect("written");
    std::fs::set_permissions(&earlier, std::fs::Permissions::from_mode(0o644)).expect("set");
    run_visit(&home, &backend, false).expect_end(0, "saved", "saved");
    for file in [home.root().join("exchanges.har"), earlier, home.data().join("logs/copresence.log")] {
        let mode = std::fs::metadata(&file).expect("written").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
}

#[cfg(unix)]
#[test]
fn a_symlink_in_place_of_an_output_file_is_not_followed() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let (link, target) = (home.root().join("link.har"), home.root().join("of-another-program"));
    std::fs::write(&target, "mine").expect("written");
    std::os::unix::fs::symlink(&target, &link).expect("a link");
    let har = link.to_str().expect("UTF-8");
    let run = RunningProgram::start(home.visit_command(&backend, &["--har", har])).wait().expect_exit(2);
    assert!(run.stderr.contains("symbolic link"), "{}", run.stderr);
    assert_eq!(std::fs::read_to_string(&target).expect("reads"), "mine");
    assert!(backend.requests_to("/generateExportToken").is_empty(), "no token was paid for");
}

fn echo_replies(status: u16, text: &str) -> Vec<Reply> {
    vec![
        Reply::json(status, &json!({"code": 1, "error": text})),
        Reply::Complete(status, format!("<html><title>{text}</title>{text}</html>").into_bytes()),
        Reply::WithHeader(status, ("X-Debug", text.replace('ü', "u")), text.as_bytes().to_vec()),
    ]
}

#[test]
fn secrets_that_a_backend_echoes_are_not_written() {
    // The responses echo all secrets in the body and in a header.
    let echo = format!("key {API_KEY}, session {SESSION_TOKEN}, user {USERNAME}, pass {PASSWORD}");
    // A 429 issues no token, so it may be repeated often.
    let mut generate = echo_replies(429, &echo);
    let mut redeem = echo_replies(500, &format!("key {API_KEY}"));
    redeem.push(Reply::Urls);
    generate.extend(BackendScript::default().generate);
    let assets = vec![Asset::glb(), Asset::new("fbx", zip()).with_url_behavior(UrlBehavior::Refuses(410))];
    let backend = Backend::start(BackendScript { generate, redeem, assets, ..BackendScript::default() });
    let home = TestHome::new();
    let run = run_visit(&home, &backend, true);
    assert_eq!(run.exit, Some(7), "{}\n{}", run.stdout, run.stderr);
    expect_no_secret("stderr", run.stderr.as_bytes());
    expect_no_secret("the archive", &std::fs::read(home.root().join("exchanges.har")).expect("an archive"));
}

#[test]
fn a_session_token_of_a_login_is_masked_in_later_responses() {
    let mut redeem = echo_replies(500, &format!("session {SESSION_TOKEN}"));
    redeem.push(Reply::Urls);
    let backend = Backend::start(BackendScript { redeem, ..BackendScript::default() });
    let home = TestHome::new();
    let run = run_visit(&home, &backend, true);
    run.expect_end(0, "saved", "saved");
    check_all_output(&home, &run);
}

#[test]
fn a_url_with_credentials_is_refused_and_not_printed() {
    let home = TestHome::new();
    let url = format!("https://someone:{API_KEY}@backend.test/");
    let run = RunningProgram::start(home.anonymous_visit_command(&url, &[])).wait();
    assert_eq!(run.exit, Some(2));
    expect_no_secret("stdout", run.stdout.as_bytes());
    expect_no_secret("stderr", run.stderr.as_bytes());
}

/// Runs the command in a pseudo-terminal, and types each value once its prompt is shown.
#[cfg(target_os = "linux")]
fn run_in_terminal(visit: &std::process::Command, typed: &[(&str, &str)]) -> (Option<i32>, String) {
    use std::io::{Read, Write};
    let arguments = std::iter::once(visit.get_program()).chain(visit.get_args());
    let line =
        arguments.map(|argument| format!("'{}'", argument.to_str().expect("text"))).collect::<Vec<_>>().join(" ");
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
    let (mut shown, mut searched) = (Vec::new(), 0);
    let mut typed = typed.iter();
    let mut next = typed.next();
    let mut bytes = [0; 1024];
    // At the end, reading from the terminal is an error on some kernels.
    while let Ok(read @ 1..) = screen.read(&mut bytes) {
        shown.extend(&bytes[..read]);
        let new = String::from_utf8_lossy(&shown[searched..]).into_owned();
        if let Some((prompt, value)) = next
            && new.contains(prompt)
        {
            searched = shown.len();
            writeln!(keys, "{value}").expect("the terminal reads");
            next = typed.next();
        }
    }
    let exit = terminal.wait().expect("the program ends").code();
    assert_eq!(next, None, "all values were requested: {}", String::from_utf8_lossy(&shown));
    (exit, String::from_utf8_lossy(&shown).into_owned())
}

#[cfg(target_os = "linux")]
#[test]
fn typed_credentials_are_used_for_one_run_and_not_saved() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let typed =
        [("  api-key: ", API_KEY), ("  session-token: ", SESSION_TOKEN), ("  username: ", ""), ("  password: ", "")];
    let (exit, shown) = run_in_terminal(&home.anonymous_visit_command(backend.url(), &["-vv"]), &typed);
    assert_eq!(exit, Some(0), "{shown}");
    assert_eq!(home.saved_folders().len(), 1, "{shown}");
    expect_no_secret("the terminal", shown.as_bytes());
    assert!(expect_no_secret_in_folder(home.root()) >= 3, "journal, manifest and log were searched");

    // The next run has no credentials, and does not prompt without a terminal.
    let before = backend.requests().len();
    let run = RunningProgram::start(home.anonymous_visit_command(backend.url(), &[])).wait();
    run.expect_end(3, "credentials_missing", "issuing");
    assert_eq!(backend.requests().len(), before);
}

#[cfg(target_os = "linux")]
#[test]
fn pasted_lines_answer_the_prompts_in_order_and_are_not_shown() {
    let backend = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let all = format!("{API_KEY}\n{SESSION_TOKEN}\n\n");
    let (exit, shown) =
        run_in_terminal(&home.anonymous_visit_command(backend.url(), &[]), &[("Credentials of", all.as_str())]);
    assert_eq!(exit, Some(0), "{shown}");
    expect_no_secret("the terminal", shown.as_bytes());
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_at_a_credential_prompt_exits_130_and_sends_nothing() {
    let backend = Backend::start(BackendScript::default());
    // The first text is written before the prompt reads from the terminal.
    for text in ["Credentials of", "  api-key: ", "  session-token: "] {
        let home = TestHome::new();
        let mut typed = vec![(text, "\u{3}")];
        if text == "  session-token: " {
            typed.insert(0, ("  api-key: ", API_KEY));
        }
        let (exit, shown) = run_in_terminal(&home.anonymous_visit_command(backend.url(), &[]), &typed);
        assert_eq!(exit, Some(130), "after {text:?}: {shown}");
        assert_eq!(backend.requests().len(), 0);
    }
}
