//! A backend that lies, stalls and attacks: every visit ends in time, with the right exit code, and leaves nothing
//! behind.
//!
//! `HOSTILE_CASES` and `HOSTILE_SEED` set the number of random cases and their seed; a failing case prints its seed.

mod generate;
mod hostile_backend;

use copresence_engine::clock::Clock;
use copresence_engine::events::VisitEvent;
use copresence_engine::profile::Profiles;
use copresence_engine::runner::{VisitConfig, VisitResult, run_visit};
use copresence_engine::setup::{DataStore, ProfileOrSandboxBackend, VisitOverrides, build_config_using_visit_history};
use copresence_engine::{Credentials, NoRecorder, install_crypto_provider};
use copresence_protocol::{ApiKey, SessionToken};
use copresence_store::Manifest;
use futures_util::StreamExt as _;
use hostile_backend::{Case, HostileBackend, RequestCounts, ScriptedAct, glb};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Far beyond what the limits below allow; a visit that is still there then hangs.
const CASE_TIMEOUT: Duration = Duration::from_mins(4);
/// Connections of Windows, and more so of Wine, are several times slower.
const PARALLEL_CASES: usize = if cfg!(windows) { 4 } else { 16 };
const MAX_FILE_SIZE: u64 = 100_000;

struct Fixture {
    root: tempfile::TempDir,
    data_store: DataStore,
    peer: HostileBackend,
    profiles: Profiles,
}

/// What came of one visit.
struct CaseResult {
    ended: VisitResult,
    events: Vec<VisitEvent>,
    counts: RequestCounts,
}

impl Fixture {
    async fn new() -> Self {
        Self::with_patience("4s").await
    }

    /// `patience`: the value of this key in the profile.
    async fn with_patience(patience: &str) -> Self {
        install_crypto_provider();
        let memory = Path::new("/dev/shm");
        // An fsync there costs nothing.
        let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
        let root = made.expect("a folder");
        let data_store = DataStore::open_or_create_data_store(&root.path().join("data")).expect("a data folder");
        let peer = HostileBackend::start().await;
        let config = root.path().join("profiles.toml");
        let text = format!(
            "[profiles.test]\napi_url = \"{}\"\nlink = \"https://app.test/?exportToken={{token}}\"\npatience = \"{patience}\"\n\
             polling.fastest = \"50ms\"\npolling.fixed = \"50ms\"\ndownloads.min_free_space = \"0B\"\n\
             network.connect = \"3s\"\nnetwork.silence = \"2500ms\"\nnetwork.call = \"6s\"\n\
             downloads.first_byte = \"2500ms\"\n",
            peer.url
        );
        std::fs::write(&config, text).expect("written");
        let profiles = Profiles::load_profiles(Some(&config)).expect("reads");
        Self { root, data_store, peer, profiles }
    }

    fn out(&self) -> PathBuf {
        self.root.path().join("out")
    }

    async fn visit(&self, number: usize, case: Case) -> CaseResult {
        self.peer.set_case(number, case);
        let profile = self.profiles.build_profile_by_name("test").expect("usable");
        let target = ProfileOrSandboxBackend {
            api_url: self.peer.url.clone(),
            link: profile.link.clone().expect("a link"),
            credentials: Credentials {
                api_key: Some(ApiKey::new("an-api-key")),
                session_token: Some(SessionToken::new(format!("case-{number}"))),
                ..Credentials::default()
            },
            is_embedded_sandbox: false,
        };
        let overrides = VisitOverrides {
            out_dir: Some(self.out()),
            timeout: Some(Duration::from_secs(40)),
            max_file_size: Some(MAX_FILE_SIZE),
            ..VisitOverrides::default()
        };
        let config = build_config_using_visit_history(&profile, &target, &self.data_store, &overrides).await;
        let mut config = VisitConfig { download_pause: Duration::from_millis(1), ..config };
        config.limits.parallel_downloads = 16;
        let events: Arc<Mutex<Vec<VisitEvent>>> = Arc::default();
        let result = events.clone();
        let api = target.build_api_client(&profile, Arc::new(NoRecorder)).expect("credentials");
        let event_sink = Arc::new(move |event| result.lock().expect("no panic").push(event));
        let visit = tokio::spawn(run_visit(
            config,
            self.data_store.context_with_default_recovery_limits(api, Clock::default(), event_sink),
            CancellationToken::new(),
        ));
        let ended = tokio::time::timeout(CASE_TIMEOUT, visit).await.unwrap_or_else(|_| panic!("case {number} hangs"));
        let ended = ended.unwrap_or_else(|error| panic!("case {number} panicked: {error}"));
        let events = events.lock().expect("no panic").clone();
        CaseResult { ended, events, counts: self.peer.request_counts(number) }
    }

    /// Nothing stands but what may: whole avatars in OUT, incomplete ones and the journal in DATA.
    fn assert_no_leftovers(&self) {
        assert_eq!(file_names(self.root.path()), ["data", "out", "profiles.toml"]);
        for folder in file_names(&self.out()) {
            // What a visit left to be gone on with (its token or its URLs may live) stands hidden.
            if !folder.starts_with('.') {
                assert_avatar_is_sound(&self.out().join(folder), true);
            }
        }
        let incomplete = self.root.path().join("data/incomplete");
        for folder in file_names(&incomplete) {
            assert_avatar_is_sound(&incomplete.join(folder), false);
        }
        let allowed = [
            "incomplete",
            "journal.lock",
            "journal.sqlite",
            "journal.sqlite-shm",
            "journal.sqlite-wal",
            "live",
            "live.lock",
            "output-disks.json",
        ];
        let stray: Vec<_> = file_names(&self.root.path().join("data"))
            .into_iter()
            .filter(|name| !allowed.contains(&name.as_str()))
            .collect();
        assert!(stray.is_empty(), "{stray:?}");
    }
}

fn file_names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("a name")).collect();
    names.sort();
    names
}

/// A folder holds what its manifest says, under names of ours.
fn assert_avatar_is_sound(folder: &Path, complete: bool) {
    let json = std::fs::read(folder.join("manifest.json")).expect("a manifest");
    let manifest: Manifest = serde_json::from_slice(&json).expect("reads");
    assert_eq!((manifest.complete, manifest.missing.is_empty()), (complete, complete), "{}", folder.display());
    let mut due: HashSet<String> = manifest.files.iter().map(|file| file.path.clone()).collect();
    for file in &manifest.files {
        let bytes = std::fs::read(folder.join(&file.path)).expect("it stands there");
        assert_eq!(
            (bytes.len() as u64, copresence_store::Sha256Digest::sha256_of_bytes(&bytes)),
            (file.bytes, file.sha256)
        );
        assert!(file.bytes <= MAX_FILE_SIZE);
    }
    due.insert("manifest.json".to_owned());
    for name in file_names(folder) {
        let of_a_missing_one =
            !complete && manifest.missing.iter().any(|file| name == file.path || name == format!("{}.part", file.path));
        assert!(due.contains(&name) || of_a_missing_one, "{name} in {}", folder.display());
        assert!(
            name == "manifest.json"
                || copresence_store::is_avatar_file_name(name.strip_suffix(".part").unwrap_or(&name)),
            "{name}"
        );
    }
}

/// What holds of every visit, whatever it met.
fn assert_case_ended_well(what: &str, result: &CaseResult) {
    let CaseResult { ended, events, counts } = result;
    let exit = ended.outcome.exit_code();
    assert!(matches!(exit, 0 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10), "{what}: {ended:?}");
    let words: Vec<_> = events.iter().map(|event| event.kind.event_name()).collect();
    assert_eq!((words.first(), words.last()), (Some(&"started"), Some(&"ended")), "{what}");
    assert_eq!(words.iter().filter(|word| **word == "ended").count(), 1, "{what}");
    assert_eq!(words.contains(&"saved"), exit == 0 || words.contains(&"saved") && exit == 9, "{what}: {ended:?}");
    // A refusal (429, 5xx) makes no token, so it may be asked again; a lost answer may have made one.
    assert!(counts.generates <= 40, "{what}: tokens are not asked for without end: {counts:?}");
    assert!(words.iter().filter(|word| **word == "redeemed").count() <= 1, "{what}");
}

fn ready_body(entries: &serde_json::Value) -> ScriptedAct {
    ScriptedAct::json(&serde_json::json!({"avatar_ready": true, "payload_complete": entries}))
}

fn progress_body(progress: &str) -> ScriptedAct {
    let body = format!(
        "{{\"avatar_ready\":false,\"payload_incomplete\":{{\"completion_progress\":{progress},\"completion_status\":\"processing\",\"queue_position\":-1}}}}"
    );
    ScriptedAct::response(200, body)
}

/// What an attack on a head does to any answer.
fn malformed_heads() -> Vec<(&'static str, ScriptedAct)> {
    let head = |events: &str| ScriptedAct::Say(format!("HTTP/1.1 200 OK\r\n{events}\r\n\r\n{{}}").into_bytes());
    let chunked = |size: &str| head(&format!("Transfer-Encoding: chunked\r\n\r\n{size}"));
    vec![
        ("a head without end", ScriptedAct::Repeat(b"HTTP/1.1 200 OK\r\n".to_vec(), b"X: y\r\n".to_vec())),
        ("one header without end", ScriptedAct::Repeat(b"HTTP/1.1 200 OK\r\nX: ".to_vec(), b"y".to_vec())),
        ("interim answers without end", ScriptedAct::Repeat(Vec::new(), b"HTTP/1.1 103 Early Hints\r\n\r\n".to_vec())),
        ("a negative length", head("Content-Length: -1")),
        ("two lengths", head("Content-Length: 2\r\nContent-Length: 3")),
        ("a length beyond numbers", head("Content-Length: 99999999999999999999999")),
        ("a chunk beyond numbers", chunked("fffffffffffffffff\r\n{}")),
        ("a chunk of nearly all", chunked("fffffffffffffff0\r\n{}")),
        ("a negative chunk", chunked("-2\r\n{}")),
        ("a NUL in a header", head("X: a\0b\r\nContent-Length: 2")),
        ("a bare return in a header", head("X: a\rY: b\r\nContent-Length: 2")),
        ("a header without a name", head(": x\r\nContent-Length: 2")),
        ("a drip", ScriptedAct::Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n".repeat(9))),
        ("nothing", ScriptedAct::SayAndStay(Vec::new())),
        ("no HTTP", ScriptedAct::Say(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec())),
        ("a reset", ScriptedAct::Reset(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())),
    ]
}

/// Every attack by its name, with the exits that are right.
#[expect(clippy::too_many_lines, reason = "a table")]
fn known_attacks(base: &str, number: &dyn Fn(usize) -> String) -> Vec<(String, Case, &'static [u8])> {
    let mut all: Vec<(String, Case, &'static [u8])> = Vec::new();
    let mut add = |name: &str, case: Case, exits| all.push((name.to_owned(), case, exits));
    let generate = |act| Case { generate: Some(act), ..Case::default() };
    let redeem = |act| Case { redeems: vec![act], ..Case::default() };
    let spaces =
        |start: &str| ScriptedAct::Repeat(format!("HTTP/1.1 200 OK\r\n\r\n{start}").into_bytes(), b" ".to_vec());

    for (name, token) in [
        ("a line end", "two\nlines"),
        ("a NUL", "a\0b"),
        ("unicode", "tök-😀"),
        ("nothing", ""),
        ("blanks", "   "),
        ("an escape", "\u{1b}[31m"),
        ("an injected header", "x\r\nX-Evil: 1"),
        ("right to left", "\u{202e}nekot"),
    ] {
        add(&format!("a token with {name}"), generate(ScriptedAct::json(&serde_json::json!({"token": token}))), &[9]);
    }
    add(
        "a token of a megabyte",
        generate(ScriptedAct::json(&serde_json::json!({"token": "t".repeat(1_000_000)}))),
        &[9],
    );
    add("a token of no text", generate(ScriptedAct::response(200, "{\"token\":17}")), &[9]);
    add("a token 100,000 deep", generate(ScriptedAct::response(200, "{\"token\":".repeat(100_000))), &[9]);
    add("a token that is no UTF-8", generate(ScriptedAct::response(200, b"{\"token\":\"\xff\xfe\"}")), &[9]);
    add("a token in 200 MB", generate(spaces("{\"token\":\"")), &[6]);
    for (name, act) in malformed_heads() {
        add(&format!("{name} for a token"), generate(act.clone()), &[6, 9]);
        // The next answer is a plain refusal: an answer was lost, or broke the protocol.
        add(&format!("{name} for a redeem"), redeem(act.clone()), &[9, 10]);
    }
    add("an answer of 200 MB", redeem(spaces("{\"avatar_ready\":")), &[10]);
    for (name, body) in [
        ("100,000 deep lists", "[".repeat(100_000).into_bytes()),
        ("100,000 deep objects", "{\"a\":".repeat(100_000).into_bytes()),
        ("no UTF-8", b"{\"avatar_ready\":\xff}".to_vec()),
        ("UTF-16", b"\xff\xfe{\0}\0".to_vec()),
        ("nothing", Vec::new()),
        ("a megabyte of blanks", vec![b' '; 1_000_000]),
        ("two values", b"{}{}".to_vec()),
    ] {
        add(&format!("an answer of {name}"), redeem(ScriptedAct::response(200, body)), &[10]);
    }
    for progress in ["1e400", "-1e400"] {
        add(&format!("a progress of {progress}"), redeem(progress_body(progress)), &[10]);
    }
    // The status word is clear.
    for progress in ["1e308", "99999999999999999999", "101", "-2", "0.5", "\"50\"", "null", "[]", "true"] {
        add(&format!("a progress of {progress}"), redeem(progress_body(progress)), &[4]);
    }
    let good =
        |kind: &str, path: &str| serde_json::json!({"download_URL": format!("{base}{path}"), "export_type": kind});
    let case = || number(0);
    let mut bom = b"\xef\xbb\xbf".to_vec();
    bom.extend(
        serde_json::json!({"avatar_ready": true, "payload_complete": [good("glb", &case())]}).to_string().bytes(),
    );
    add("an answer with a BOM", redeem(ScriptedAct::response(200, bom)), &[0]);
    let twice = format!(
        "{{\"avatar_ready\":false,\"avatar_ready\":true,\"payload_complete\":[],\"payload_complete\":[{}]}}",
        good("glb", &case())
    );
    add("an answer with each key twice", redeem(ScriptedAct::response(200, twice)), &[0]);
    for url in [
        "file:///etc/passwd",
        "ftp://127.0.0.1/x",
        "javascript:alert(1)",
        "data:,x",
        "",
        "http://",
        "\0",
        "x".repeat(9).as_str(),
    ] {
        add(
            &format!("a URL `{}`", url.escape_debug()),
            redeem(ready_body(&serde_json::json!([{"download_URL": url, "export_type": "glb"}]))),
            &[10],
        );
    }
    // It leads to the backend, which does not have the file.
    add(
        "a relative URL",
        redeem(ready_body(&serde_json::json!([{"download_URL": "/relative", "export_type": "glb"}]))),
        &[6],
    );
    for url in ["http://127.0.0.2:1/x", "https://127.0.0.1:1/x", "http://[::1]:1/x", "http://0.0.0.0:1/x"] {
        // Nothing listens there, which may change.
        add(
            &format!("an inner host {url}"),
            redeem(ready_body(&serde_json::json!([{"download_URL": url, "export_type": "glb"}]))),
            &[6],
        );
    }
    let with_password = base.replace("http://", "http://user:password@") + &case();
    add(
        "a URL with a password",
        redeem(ready_body(&serde_json::json!([{"download_URL": with_password, "export_type": "glb"}]))),
        &[0],
    );
    for kind in [
        "../../evil",
        "..\\evil",
        "/etc/passwd",
        "CON",
        "nul.glb",
        "\u{202e}blg",
        "a\0b",
        "manifest",
        ".",
        "glb\n",
        "\u{1b}[2J",
    ] {
        add(
            &format!("an export type `{}`", kind.escape_debug()),
            redeem(ready_body(&serde_json::json!([good(kind, &case())]))),
            &[0],
        );
    }
    add(
        "an export type of a megabyte",
        redeem(ready_body(&serde_json::json!([good(&"x".repeat(900_000), &case())]))),
        &[0],
    );
    add(
        "a header injected by a URL",
        redeem(ready_body(&serde_json::json!([good("glb", &(case() + "?a=b\r\nX-Evil:%201"))]))),
        &[0],
    );

    let file = |acts: Vec<ScriptedAct>| Case {
        redeems: vec![ready_body(&serde_json::json!([good("glb", &case())]))],
        files: acts,
        ..Case::default()
    };
    for (name, act) in malformed_heads() {
        // Lost for certain only if it is a whole response.
        add(&format!("{name} for a file"), file(vec![act]), &[6, 7]);
    }
    let body = |events: &str, bytes: &[u8]| {
        ScriptedAct::Say([format!("HTTP/1.1 200 OK\r\n{events}\r\n\r\n").as_bytes(), bytes].concat())
    };
    add(
        "a file without end",
        file(vec![ScriptedAct::Repeat(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), b"glTF".to_vec())]),
        &[6],
    );
    add(
        "a file that drips",
        file(vec![ScriptedAct::Drip([b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n", &glb(3000)[..]].concat())]),
        &[6],
    );
    add("a file of a petabyte", file(vec![body("Content-Length: 1125899906842624", &glb(500))]), &[6]);
    add(
        "a file that is not packed as stated",
        file(vec![body("Content-Encoding: gzip\r\nContent-Length: 500", &glb(500))]),
        &[0],
    );
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), 64 << 20), &mut bomb).expect("in memory");
    let bomb = bomb.finish().expect("in memory");
    let head = format!("Content-Encoding: gzip\r\nContent-Length: {}", bomb.len());
    add("a packed file that is too large when it is unpacked", file(vec![body(&head, &bomb)]), &[6]);
    add("a page for a file", file(vec![ScriptedAct::response(200, "<!doctype html><html>")]), &[6]);
    add("an empty file", file(vec![ScriptedAct::response(200, "")]), &[6]);
    add(
        "a part unasked",
        file(vec![ScriptedAct::Say(
            b"HTTP/1.1 206 X\r\nContent-Range: bytes 0-1/2\r\nContent-Length: 2\r\n\r\nab".to_vec(),
        )]),
        &[6],
    );
    for to in ["file:///etc/passwd", "ftp://x/", "//", "http://[", "\\\\evil\\share", "gopher://x"] {
        let head = format!("HTTP/1.1 302 X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        add(&format!("a file sent on to {to}"), file(vec![ScriptedAct::Say(head.into_bytes())]), &[6]);
    }
    let round = format!("HTTP/1.1 302 X\r\nLocation: /{}\r\nContent-Length: 0\r\n\r\n", case());
    add("a file sent round in circles", file(vec![ScriptedAct::Say(round.into_bytes())]), &[6]);
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_known_attack_ends_as_expected() {
    let fixture = Fixture::new().await;
    let base = fixture.peer.url.to_string();
    let count = known_attacks(&base, &|_| String::new()).len();
    let play = async |number: usize, case_number: usize| {
        let (name, case, exits) = known_attacks(&base, &|_| format!("case-{case_number}")).swap_remove(number);
        let began = Instant::now();
        let result = fixture.visit(case_number, case).await;
        eprintln!("{name}: exit {} after {:.1?}", result.ended.outcome.exit_code(), began.elapsed());
        assert_case_ended_well(&name, &result);
        let wrong = !exits.contains(&result.ended.outcome.exit_code());
        wrong.then(|| (number, format!("{name}: {:?}, not {exits:?}", result.ended.outcome)))
    };
    let visits = (0..count).map(|number| play(number, number));
    let wrong: Vec<_> = futures_util::stream::iter(visits).buffer_unordered(PARALLEL_CASES).collect().await;
    // On a machine that is busy a good answer may come too late among so many: alone it does not.
    let mut still_wrong = Vec::new();
    for (number, _) in wrong.into_iter().flatten() {
        still_wrong.extend(play(number, count + number).await);
    }
    let still_wrong: Vec<String> = still_wrong.into_iter().map(|(_, words)| words).collect();
    assert!(still_wrong.is_empty(), "{}", still_wrong.join("\n"));
    fixture.assert_no_leftovers();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_export_becomes_a_file() {
    // 10,000 take a while; a test run takes fewer.
    let many = usize::try_from(number_from_environment("HOSTILE_EXPORTS", 500)).expect("few");
    // Only the refusals end this visit, however slow the machine is.
    let fixture = Fixture::with_patience("3m").await;
    let base = fixture.peer.url.to_string();
    let list: Vec<_> =
        (0..many).map(|_| serde_json::json!({"download_URL": format!("{base}case-0"), "export_type": "x"})).collect();
    let refused = ScriptedAct::response(410, "{\"code\":\"gone\"}");
    let case = Case { redeems: vec![ready_body(&list.into())], files: vec![refused], ..Case::default() };
    let result = fixture.visit(0, case).await;
    assert_eq!((result.ended.outcome.exit_code(), result.counts.files), (7, 3 * many));
    fixture.assert_no_leftovers();
}

/// The reasons of what is missing are in the manifest, which a deletion reads, and in the outcome, which the screen shows.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_without_a_url_fill_neither_the_manifest_nor_the_outcome() {
    let fixture = Fixture::with_patience("3m").await;
    let file = serde_json::json!({"download_URL": format!("{}case-0", fixture.peer.url), "export_type": "glb"});
    let list: Vec<_> = std::iter::once(file).chain(std::iter::repeat_n(serde_json::json!(0), 200_000)).collect();
    let case = Case {
        redeems: vec![ready_body(&list.into())],
        files: vec![ScriptedAct::response(200, glb(1000))],
        ..Case::default()
    };
    let result = fixture.visit(0, case).await;
    assert_eq!(result.ended.outcome.exit_code(), 7, "{:?}", result.ended.outcome);
    assert!(format!("{:?}", result.ended.outcome).len() < 10_000);
    let manifest = result.ended.directory.expect("kept").join(copresence_store::MANIFEST_NAME);
    let size = std::fs::metadata(&manifest).expect("there").len();
    assert!(size < 100_000, "{size}");
    fixture.assert_no_leftovers();
}

fn number_from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_hostile_responses_leave_nothing_behind() {
    let case_count = if cfg!(windows) { 60 } else { 150 };
    let (seed, cases) =
        (number_from_environment("HOSTILE_SEED", 1), number_from_environment("HOSTILE_CASES", case_count));
    let fixture = Fixture::new().await;
    let base = fixture.peer.url.to_string();
    let visits = (0..usize::try_from(cases).expect("few")).map(|number| {
        let (fixture, base) = (&fixture, &base);
        async move {
            let result = fixture.visit(number, generate::random_case(seed, number, base)).await;
            assert_case_ended_well(&format!("HOSTILE_SEED={seed}, case {number}"), &result);
            result.ended.outcome.exit_code()
        }
    });
    let exits: Vec<u8> = futures_util::stream::iter(visits).buffer_unordered(PARALLEL_CASES).collect().await;
    fixture.assert_no_leftovers();
    // A generator of harmless answers would prove nothing, and one of noise alone would not get far.
    let count = |exit: u8| exits.iter().copied().map(u32::from).filter(|seen| *seen == u32::from(exit)).count();
    eprintln!("seed {seed}: {:?}", [0, 3, 4, 5, 6, 7, 8, 9, 10].map(|exit| (exit, count(exit))));
    assert!(count(0) + count(9) > 0, "seed {seed}: no avatar was saved: {exits:?}");
    assert!(count(7) + count(10) > 0, "seed {seed}: no avatar was lost: {exits:?}");
}
