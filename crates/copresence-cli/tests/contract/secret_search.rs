//! Searches everything that the program writes for every planted secret in every encoding: with the most verbose log,
//! over crashes and recoveries, and with backends that echo what they receive.

use crate::recovery::{check_nothing_to_recover, expect_recovered, wait_for_file_state};
use crate::support::backend::{API_KEY, Backend, BackendScript, PASSWORD, SESSION_TOKEN, TOKEN, USERNAME};
use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use crate::support::reply::{Asset, Reply, UrlBehavior, glb, zip};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Part of the download URLs, which give access to the files while they are valid.
const SIGNATURE: &str = "PLANTED-sig";
const CREDENTIALS: [&str; 4] = [API_KEY, SESSION_TOKEN, USERNAME, PASSWORD];

/// A secret in each encoding in which it could be in a file.
fn encodings(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let quoted = json!(secret).to_string();
    let percent: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let map_bytes = |form: &dyn Fn(u8) -> String| bytes.iter().map(|byte| form(*byte)).collect::<Vec<_>>().concat();
    let all_percent = map_bytes(&|byte| format!("%{byte:02X}"));
    let hex = map_bytes(&|byte| format!("{byte:02x}"));
    let list = bytes.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let escaped = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>().concat();
    let mut all = vec![
        secret.to_owned(),
        quoted.trim_matches('"').to_owned(),
        quoted.trim_matches('"').replace('/', "\\/"),
        percent.replace('+', "%20"),
        percent,
        all_percent.to_lowercase(),
        all_percent,
        hex.to_uppercase(),
        hex,
        // The `Debug` output of bytes.
        list,
        escaped,
        format!("{secret:?}").trim_matches('"').to_owned(),
    ];
    // Base64 at each possible alignment in a longer text.
    for before in 0..3 {
        let whole = base64(&[vec![0; before], bytes.to_vec()].concat());
        // Without the digits that are shared with the neighbouring bytes.
        let (from, to) = ([0, 2, 3][before], whole.len() - [0, 3, 2][(before + bytes.len()) % 3]);
        let middle = whole[from..to.max(from)].trim_end_matches('=').to_owned();
        all.extend([middle.replace('+', "-").replace('/', "_"), middle]);
    }
    all.retain(|form| form.len() >= 8);
    all
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        let digits = (0..=chunk.len()).map(|n| char::from(DIGITS[bits >> (18 - 6 * n) & 63]));
        text.extend(digits);
        text.push_str(&"=".repeat(3 - chunk.len()));
    }
    text
}

#[test]
fn the_search_finds_encoded_secrets() {
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
    for before in 0..3 {
        let encoded = base64(format!("{}{API_KEY} and more", "x".repeat(before)).as_bytes());
        assert!(encodings(API_KEY).iter().any(|form| encoded.contains(form)), "{encoded}");
    }
    for encoded in ["50 4C", "PLANTED%2Dapi"] {
        assert!(!encodings(API_KEY).iter().any(|form| encoded.contains(form)));
    }
}

/// Everything that a run left, by its place.
struct RunTraces(Vec<(String, Vec<u8>)>);

impl RunTraces {
    fn collect(home: &TestHome, run: &FinishedRun) -> Self {
        let mut all = vec![("stdout".to_owned(), run.stdout.clone().into_bytes())];
        all.push(("stderr".to_owned(), run.stderr.clone().into_bytes()));
        let mut todo: Vec<PathBuf> = vec![home.root().to_owned()];
        while let Some(path) = todo.pop() {
            // File names are searched like contents.
            all.push(("a file's name".to_owned(), path.as_os_str().as_encoded_bytes().to_vec()));
            if path.is_dir() {
                todo.extend(std::fs::read_dir(&path).expect("readable").map(|entry| entry.expect("an entry").path()));
            } else {
                all.push((path.display().to_string(), std::fs::read(&path).expect("readable")));
            }
        }
        Self(all)
    }

    /// The places with a secret in any encoding.
    fn places_with(&self, secret: &str) -> Vec<String> {
        let encodings = encodings(secret);
        let contains_secret = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            encodings.iter().any(|form| text.contains(form.as_str()))
        };
        self.0.iter().filter(|(_, bytes)| contains_secret(bytes)).map(|(place, _)| place.clone()).collect()
    }

    #[track_caller]
    fn expect_none_of(&self, secrets: &[&str]) {
        for secret in secrets {
            assert_eq!(self.places_with(secret), Vec::<String>::new(), "{secret}");
        }
    }

    /// Checks that a secret is only at allowed places: in the journal while it is needed, and where it is shown to
    /// people.
    #[track_caller]
    fn expect_only_in(&self, secret: &str, allowed: &[&str]) {
        let places = self.places_with(secret);
        let unexpected: Vec<_> = places
            .iter()
            .filter(|place| {
                let name = Path::new(place).file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
                !allowed.iter().any(|allowed| {
                    name == *allowed || name.strip_prefix(allowed).is_some_and(|end| end.starts_with('-'))
                })
            })
            .collect();
        assert!(unexpected.is_empty(), "{secret} in {unexpected:?}");
    }
}

/// The command of a visit with the most verbose log and an archive.
fn verbose_visit_command(home: &TestHome, backend: &Backend, more: &[&str]) -> Command {
    let mut command = home.visit_command(backend, &["-vv", "--har", "exchanges.har"]);
    command.args(more).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    command
}

fn run_verbose_recover(home: &TestHome) -> FinishedRun {
    let mut command = home.recover_command();
    command.arg("-vv").env("RUST_LOG", "trace");
    RunningProgram::start(command).wait()
}

/// Responses that echo a text in each part of a response.
fn echo_replies(text: &str) -> Vec<Reply> {
    let plain: String = text.chars().filter(char::is_ascii).collect();
    vec![
        Reply::json(500, &json!({"code": 1, "error": text, text: {"nested": [text]}})),
        Reply::Complete(503, format!("<html><a href=\"http://x.test/?{plain}\">{text}</a>").into_bytes()),
        Reply::WithHeader(500, ("X-Debug", plain.clone()), text.as_bytes().to_vec()),
        Reply::WithHeader(302, ("Location", format!("http://x.test/{}", plain.replace(' ', "%20"))), Vec::new()),
        Reply::json(
            200,
            &json!({"avatar_ready": false, "payload_incomplete":
            {"completion_status": text, "completion_progress": 3, "queue_position": -1}}),
        ),
        Reply::Complete(200, format!("{{\"avatar_ready\": \"{plain}\"}}").into_bytes()),
    ]
}

fn all_credentials() -> String {
    format!("key {API_KEY}, session {SESSION_TOKEN}, user {USERNAME}, pass {PASSWORD}")
}

#[test]
fn a_backend_that_echoes_all_secrets_in_every_part_of_a_response() {
    let assets = vec![
        Asset::new(&format!("glb {API_KEY}"), glb(5_000)),
        Asset::new(&format!("{SESSION_TOKEN}.fbx"), zip()).with_url_behavior(UrlBehavior::Refuses(410)),
    ];
    let mut redeem = echo_replies(&format!("key {API_KEY}, session {SESSION_TOKEN}"));
    redeem.push(Reply::Urls);
    let backend = Backend::start(BackendScript { redeem, assets, ..BackendScript::default() });
    let home = TestHome::new();
    let mut program = RunningProgram::start(verbose_visit_command(&home, &backend, &[]));
    program.wait_for_event("invited");
    if let Ok(arguments) = std::fs::read(format!("/proc/{}/cmdline", program.process_id())) {
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        assert!(CREDENTIALS.iter().all(|secret| !arguments.contains(secret)), "{arguments}");
    }
    let run = program.wait();
    assert_eq!(run.exit, Some(7), "{}\n{}", run.stdout, run.stderr);
    let traces = RunTraces::collect(&home, &run);
    traces.expect_none_of(&CREDENTIALS);
    traces.expect_none_of(&[SIGNATURE]);
    // The link is shown to people during the visit; after the visit, it is nowhere else.
    traces.expect_only_in(TOKEN, &["stdout", "stderr"]);
}

#[test]
fn a_login_whose_responses_echo_everything() {
    let echo = all_credentials();
    let mut generate = vec![
        Reply::json(500, &json!({"error": echo})),
        Reply::WithHeader(429, ("Retry-After", "0".to_owned()), echo.clone().into_bytes()),
        Reply::Complete(503, format!("<html>{echo}</html>").into_bytes()),
    ];
    generate.extend(BackendScript::default().generate);
    let backend = Backend::start(BackendScript { generate, ..BackendScript::default() });
    let home = TestHome::new();
    let mut command = verbose_visit_command(&home, &backend, &[]);
    command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
    command.env_remove("COPRESENCE_SESSION_TOKEN");
    let run = RunningProgram::start(command).wait();
    run.expect_end(0, "saved", "saved");
    let traces = RunTraces::collect(&home, &run);
    traces.expect_none_of(&CREDENTIALS);
    traces.expect_only_in(TOKEN, &["stdout", "stderr"]);
}

#[test]
fn what_a_crash_leaves_holds_the_token_in_the_journal_alone_and_no_credential() {
    let mut redeem = echo_replies(&format!("key {API_KEY}, session {SESSION_TOKEN}"));
    redeem.push(Reply::Hangs);
    let backend = Backend::start(BackendScript { redeem: redeem.clone(), ..BackendScript::default() });
    let home = TestHome::new();
    let program = RunningProgram::start(verbose_visit_command(&home, &backend, &["--timeout", "1h"]));
    backend.wait_for_redeems(2);
    let run = program.kill();
    let traces = RunTraces::collect(&home, &run);
    traces.expect_none_of(&CREDENTIALS);
    traces.expect_only_in(TOKEN, &["stdout", "stderr", "journal.sqlite"]);
    // The same for `recover`, with a backend that echoes.
    backend
        .respond_to_redeems_with(Reply::json(400, &json!({"code": 101, "error": format!("no token for {API_KEY}")})));
    let run = run_verbose_recover(&home);
    assert!(matches!(run.exit, Some(4 | 9 | 10)), "{}\n{}", run.stdout, run.stderr);
    let traces = RunTraces::collect(&home, &run);
    traces.expect_none_of(&CREDENTIALS);
    traces.expect_none_of(&[TOKEN]);
    check_nothing_to_recover(&home);
}

#[test]
fn after_a_crash_during_a_download_only_the_journal_has_the_urls() {
    let kind = format!("glb {API_KEY}");
    let assets = vec![Asset::new(&kind, glb(3 << 20)).with_url_behavior(UrlBehavior::StallsAfter(1 << 20))];
    let backend = Backend::start(BackendScript { assets, redeem: vec![Reply::Urls], ..BackendScript::default() });
    let home = TestHome::new();
    let program = RunningProgram::start(verbose_visit_command(&home, &backend, &[]));
    backend.wait_for_sent_bytes(1 << 20);
    wait_for_file_state(&home, "avatar_glb_1c.glb", |state| crate::recovery::received_bytes(state) > 0);
    let run = program.kill();
    let traces = RunTraces::collect(&home, &run);
    traces.expect_none_of(&CREDENTIALS);
    traces.expect_only_in(SIGNATURE, &["journal.sqlite"]);
    // The token is spent; the next checkpoint overwrites pages that had it.
    traces.expect_only_in(TOKEN, &["stdout", "stderr", "journal.sqlite"]);
    let run = run_verbose_recover(&home);
    expect_recovered(&FinishedRun { exit: run.exit, stdout: run.stdout.clone(), stderr: String::new() }, 0, "saved");
    let traces = RunTraces::collect(&home, &run);
    traces.expect_none_of(&CREDENTIALS);
    traces.expect_none_of(&[SIGNATURE, TOKEN]);
}

#[test]
fn after_a_lost_response_only_the_journal_has_the_urls_until_recovery() {
    let redeem = vec![Reply::processing(9), Reply::UrlsTruncated, Reply::Hangs];
    let assets = vec![Asset::glb(), Asset::new("fbx", zip()), Asset::new("zip", zip()), Asset::new("zip", zip())];
    let backend = Backend::start(BackendScript { redeem, assets, ..BackendScript::default() });
    let home = TestHome::new();
    let mut program = RunningProgram::start(verbose_visit_command(&home, &backend, &[]));
    program.wait_for_event("retrying");
    let run = program.kill();
    let traces = RunTraces::collect(&home, &run);
    traces.expect_only_in(SIGNATURE, &["journal.sqlite"]);
    let run = run_verbose_recover(&home);
    assert_eq!(run.exit, Some(7), "{}\n{}", run.stdout, run.stderr);
    let traces = RunTraces::collect(&home, &run);
    traces.expect_none_of(&CREDENTIALS);
    traces.expect_none_of(&[SIGNATURE, TOKEN]);
}

#[test]
fn a_partner_key_is_in_no_output() {
    const PARTNER_KEY: &str = "PLANTED-partner-key-31d4";
    // The partner's backend refuses the key.
    let partner = Backend::start(BackendScript::default());
    let home = TestHome::new();
    let config = home.root().join("profiles.toml");
    let profile = format!(
        "[profiles.mine]\nlink = \"https://app.test/{{token}}\"\n[profiles.mine.partner]\nurl = \"{0}/generateExportToken\"\n\
         redeem_url = \"{0}/redeemExportToken\"\nheaders = {{ X-Partner-Key = \"{{partner_key}}\" }}\n",
        partner.url()
    );
    std::fs::write(&config, profile).expect("written");
    let out = home.out();
    let mut command =
        home.command(&["visit", "--json", "-vv", "--har", "exchanges.har", "--profile", "mine", "--config"]);
    command.arg(&config).args(["--poll", "60ms", "--timeout", "3s", "--out"]).arg(&out);
    command.env("COPRESENCE_PARTNER_KEY", PARTNER_KEY).env("RUST_LOG", "trace");
    let run = RunningProgram::start(command).wait();
    assert!(!partner.requests().is_empty(), "{}", run.stderr);
    assert!(partner.requests().iter().all(|request| request.header("X-Partner-Key") == PARTNER_KEY));
    RunTraces::collect(&home, &run).expect_none_of(&[PARTNER_KEY]);
}
