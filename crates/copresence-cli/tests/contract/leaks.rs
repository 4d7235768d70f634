//! Every planted secret, searched for in every form in all that the program writes, at its loudest, over crashes,
//! recoveries and backends that repeat what they were sent.

use crate::crash::{nothing_is_left, recovered, until_kept};
use crate::support::backend::{API_KEY, Backend, PASSWORD, SESSION_TOKEN, Script, TOKEN, USERNAME};
use crate::support::program::{Fixture, Live, Ran};
use crate::support::reply::{Asset, Manner, Reply, glb, zip};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;

/// As good as the file for as long as it lives.
const SIGNATURE: &str = "PLANTED-sig";
const CREDENTIALS: [&str; 4] = [API_KEY, SESSION_TOKEN, USERNAME, PASSWORD];

/// A secret in each way in which it could stand in a file.
fn forms(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let quoted = json!(secret).to_string();
    let percent: String = url::form_urlencoded::byte_serialize(bytes).collect();
    let each =
        |form: &dyn Fn(u8) -> String| bytes.iter().map(|byte| form(*byte)).collect::<Vec<_>>().concat();
    let all_percent = each(&|byte| format!("%{byte:02X}"));
    let hex = each(&|byte| format!("{byte:02x}"));
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
        // As `Debug` shows bytes.
        list,
        escaped,
        format!("{secret:?}").trim_matches('"').to_owned(),
    ];
    // Base64, wherever in a longer text it begins.
    for before in 0..3 {
        let whole = base64(&[vec![0; before], bytes.to_vec()].concat());
        // What is shared with the neighbours is left out.
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
    for three in bytes.chunks(3) {
        let bits = three.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte))
            << (8 * (3 - three.len()));
        let digits = (0..=three.len()).map(|n| char::from(DIGITS[bits >> (18 - 6 * n) & 63]));
        text.extend(digits);
        text.push_str(&"=".repeat(3 - three.len()));
    }
    text
}

#[test]
fn the_search_finds_what_it_searches() {
    assert_eq!(base64(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw==");
    for before in 0..3 {
        let hidden = base64(format!("{}{API_KEY} and more", "x".repeat(before)).as_bytes());
        assert!(forms(API_KEY).iter().any(|form| hidden.contains(form)), "{hidden}");
    }
    for hidden in ["50 4C", "PLANTED%2Dapi"] {
        assert!(!forms(API_KEY).iter().any(|form| hidden.contains(form)));
    }
}

/// Everything that a run left, by where it stands.
struct Left(Vec<(String, Vec<u8>)>);

impl Left {
    fn of(fixture: &Fixture, ran: &Ran) -> Self {
        let mut all = vec![("stdout".to_owned(), ran.stdout.clone().into_bytes())];
        all.push(("stderr".to_owned(), ran.stderr.clone().into_bytes()));
        let mut todo: Vec<PathBuf> = vec![fixture.root().to_owned()];
        while let Some(path) = todo.pop() {
            // Names of files tell as much as what is in them.
            all.push(("a file's name".to_owned(), path.as_os_str().as_encoded_bytes().to_vec()));
            if path.is_dir() {
                todo.extend(
                    std::fs::read_dir(&path).expect("readable").map(|entry| entry.expect("an entry").path()),
                );
            } else {
                all.push((path.display().to_string(), std::fs::read(&path).expect("readable")));
            }
        }
        Self(all)
    }

    /// Where a secret stands, in whatever form.
    fn places(&self, secret: &str) -> Vec<String> {
        let forms = forms(secret);
        let stands = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes);
            forms.iter().any(|form| text.contains(form.as_str()))
        };
        self.0.iter().filter(|(_, bytes)| stands(bytes)).map(|(place, _)| place.clone()).collect()
    }

    #[track_caller]
    fn holds_no(&self, secrets: &[&str]) {
        for secret in secrets {
            assert_eq!(self.places(secret), Vec::<String>::new(), "{secret}");
        }
    }

    /// A secret may stand in the journal while it is needed, and where people are shown it on purpose.
    #[track_caller]
    fn holds_only_in(&self, secret: &str, lawful: &[&str]) {
        let places = self.places(secret);
        let astray: Vec<_> = places
            .iter()
            .filter(|place| {
                let name = Path::new(place)
                    .file_name()
                    .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
                !lawful.iter().any(|lawful| {
                    name == *lawful || name.strip_prefix(lawful).is_some_and(|end| end.starts_with('-'))
                })
            })
            .collect();
        assert!(astray.is_empty(), "{secret} in {astray:?}");
    }
}

/// At its loudest, with an archive.
fn loud(fixture: &Fixture, backend: &Backend, more: &[&str]) -> Command {
    let mut command = fixture.visit(backend, &["-vv", "--har", "exchanges.har"]);
    command.args(more).env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full");
    command
}

fn loud_recover(fixture: &Fixture) -> Ran {
    let mut command = fixture.recovering();
    command.arg("-vv").env("RUST_LOG", "trace");
    Live::start(command).end()
}

/// What each way of an answer repeats.
fn echoes(words: &str) -> Vec<Reply> {
    let plain: String = words.chars().filter(char::is_ascii).collect();
    vec![
        Reply::json(500, &json!({"code": 1, "error": words, words: {"nested": [words]}})),
        Reply::Whole(503, format!("<html><a href=\"http://x.test/?{plain}\">{words}</a>").into_bytes()),
        Reply::With(500, ("X-Debug", plain.clone()), words.as_bytes().to_vec()),
        Reply::With(302, ("Location", format!("http://x.test/{}", plain.replace(' ', "%20"))), Vec::new()),
        Reply::json(
            200,
            &json!({"avatar_ready": false, "payload_incomplete":
            {"completion_status": words, "completion_progress": 3, "queue_position": -1}}),
        ),
        Reply::Whole(200, format!("{{\"avatar_ready\": \"{plain}\"}}").into_bytes()),
    ]
}

fn everything() -> String {
    format!("key {API_KEY}, session {SESSION_TOKEN}, user {USERNAME}, pass {PASSWORD}")
}

#[test]
fn a_backend_that_repeats_all_that_it_was_sent_in_every_way() {
    let assets = vec![
        Asset::new(&format!("glb {API_KEY}"), glb(5_000)),
        Asset::new(&format!("{SESSION_TOKEN}.fbx"), zip()).but(Manner::Refuses(410)),
    ];
    let mut redeem = echoes(&format!("key {API_KEY}, session {SESSION_TOKEN}"));
    redeem.push(Reply::Urls);
    let backend = Backend::start(Script { redeem, assets, ..Script::default() });
    let fixture = Fixture::new();
    let mut live = Live::start(loud(&fixture, &backend, &[]));
    live.until("invited");
    if let Ok(arguments) = std::fs::read(format!("/proc/{}/cmdline", live.id())) {
        let arguments = String::from_utf8_lossy(&arguments).into_owned();
        assert!(CREDENTIALS.iter().all(|secret| !arguments.contains(secret)), "{arguments}");
    }
    let ran = live.end();
    assert_eq!(ran.exit, Some(7), "{}\n{}", ran.stdout, ran.stderr);
    let left = Left::of(&fixture, &ran);
    left.holds_no(&CREDENTIALS);
    left.holds_no(&[SIGNATURE]);
    // The link is for everybody to see while it lives; once it is over, it stands nowhere else.
    left.holds_only_in(TOKEN, &["stdout", "stderr"]);
}

#[test]
fn a_login_whose_answers_repeat_everything() {
    let echo = everything();
    let mut generate = vec![
        Reply::json(500, &json!({"error": echo})),
        Reply::With(429, ("Retry-After", "0".to_owned()), echo.clone().into_bytes()),
        Reply::Whole(503, format!("<html>{echo}</html>").into_bytes()),
    ];
    generate.extend(Script::default().generate);
    let backend = Backend::start(Script { generate, ..Script::default() });
    let fixture = Fixture::new();
    let mut command = loud(&fixture, &backend, &[]);
    command.env("COPRESENCE_USERNAME", USERNAME).env("COPRESENCE_PASSWORD", PASSWORD);
    command.env_remove("COPRESENCE_SESSION_TOKEN");
    let ran = Live::start(command).end();
    ran.ends(0, "saved", "saved");
    let left = Left::of(&fixture, &ran);
    left.holds_no(&CREDENTIALS);
    left.holds_only_in(TOKEN, &["stdout", "stderr"]);
}

#[test]
fn what_a_crash_leaves_holds_the_token_in_the_journal_alone_and_no_credential() {
    let mut redeem = echoes(&format!("key {API_KEY}, session {SESSION_TOKEN}"));
    redeem.push(Reply::Never);
    let backend = Backend::start(Script { redeem: redeem.clone(), ..Script::default() });
    let fixture = Fixture::new();
    let live = Live::start(loud(&fixture, &backend, &["--timeout", "1h"]));
    backend.until_redeems(2);
    let ran = live.kill();
    let left = Left::of(&fixture, &ran);
    left.holds_no(&CREDENTIALS);
    left.holds_only_in(TOKEN, &["stdout", "stderr", "journal.sqlite"]);
    // And what recover makes of it, with a backend that repeats its words to it as well.
    backend
        .answer_from_now(Reply::json(400, &json!({"code": 101, "error": format!("no token for {API_KEY}")})));
    let ran = loud_recover(&fixture);
    assert!(matches!(ran.exit, Some(4 | 9 | 10)), "{}\n{}", ran.stdout, ran.stderr);
    let left = Left::of(&fixture, &ran);
    left.holds_no(&CREDENTIALS);
    left.holds_no(&[TOKEN]);
    nothing_is_left(&fixture);
}

#[test]
fn what_a_crash_in_a_download_leaves_holds_the_urls_in_the_journal_alone() {
    let kind = format!("glb {API_KEY}");
    let assets = vec![Asset::new(&kind, glb(3 << 20)).but(Manner::StallsAfter(1 << 20))];
    let backend = Backend::start(Script { assets, redeem: vec![Reply::Urls], ..Script::default() });
    let fixture = Fixture::new();
    let live = Live::start(loud(&fixture, &backend, &[]));
    backend.until_sent(1 << 20);
    until_kept(&fixture, "avatar_glb_1c.glb", |state| crate::crash::came(state) > 0);
    let ran = live.kill();
    let left = Left::of(&fixture, &ran);
    left.holds_no(&CREDENTIALS);
    left.holds_only_in(SIGNATURE, &["journal.sqlite"]);
    // It is spent, and pages that held it are overwritten with the next writing back at the latest.
    left.holds_only_in(TOKEN, &["stdout", "stderr", "journal.sqlite"]);
    let ran = loud_recover(&fixture);
    recovered(&Ran { exit: ran.exit, stdout: ran.stdout.clone(), stderr: String::new() }, 0, "saved");
    let left = Left::of(&fixture, &ran);
    left.holds_no(&CREDENTIALS);
    left.holds_no(&[SIGNATURE, TOKEN]);
}

#[test]
fn an_answer_that_was_lost_leaves_its_urls_in_the_journal_alone_until_it_is_cleared_up() {
    let redeem = vec![Reply::processing(9), Reply::UrlsCut, Reply::Never];
    let assets =
        vec![Asset::glb(), Asset::new("fbx", zip()), Asset::new("zip", zip()), Asset::new("zip", zip())];
    let backend = Backend::start(Script { redeem, assets, ..Script::default() });
    let fixture = Fixture::new();
    let mut live = Live::start(loud(&fixture, &backend, &[]));
    live.until("retrying");
    let ran = live.kill();
    let left = Left::of(&fixture, &ran);
    left.holds_only_in(SIGNATURE, &["journal.sqlite"]);
    let ran = loud_recover(&fixture);
    assert_eq!(ran.exit, Some(7), "{}\n{}", ran.stdout, ran.stderr);
    let left = Left::of(&fixture, &ran);
    left.holds_no(&CREDENTIALS);
    left.holds_no(&[SIGNATURE, TOKEN]);
}

#[test]
fn a_partners_key_is_nowhere_either() {
    const PARTNER_KEY: &str = "PLANTED-partner-key-31d4";
    // It accepts no such key, and says so: its own refusal is what is told.
    let partner = Backend::start(Script::default());
    let fixture = Fixture::new();
    let config = fixture.root().join("profiles.toml");
    let profile = format!(
        "[profiles.mine]\nlink = \"https://app.test/{{token}}\"\n[profiles.mine.partner]\nurl = \"{0}/generateExportToken\"\n\
         redeem_url = \"{0}/redeemExportToken\"\nheaders = {{ X-Partner-Key = \"{{partner_key}}\" }}\n",
        partner.url()
    );
    std::fs::write(&config, profile).expect("written");
    let out = fixture.out();
    let mut command = fixture.command(&[
        "visit",
        "--json",
        "-vv",
        "--har",
        "exchanges.har",
        "--profile",
        "mine",
        "--config",
    ]);
    command.arg(&config).args(["--poll", "60ms", "--timeout", "3s", "--out"]).arg(&out);
    command.env("COPRESENCE_PARTNER_KEY", PARTNER_KEY).env("RUST_LOG", "trace");
    let ran = Live::start(command).end();
    assert!(!partner.requests().is_empty(), "{}", ran.stderr);
    assert!(partner.requests().iter().all(|request| request.header("X-Partner-Key") == PARTNER_KEY));
    Left::of(&fixture, &ran).holds_no(&[PARTNER_KEY]);
}
