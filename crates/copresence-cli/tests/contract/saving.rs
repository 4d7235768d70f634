//! The files of a spent token are saved completely, or kept as incomplete with exit code 7.

use crate::auto_visits::check_saved_folder;
use crate::support::backend::{Backend, BackendScript};
use crate::support::program::{RunningProgram, TestHome};
use crate::support::reply::{Asset, Reply, UrlBehavior, glb, zip};
use serde_json::Value;
use std::path::PathBuf;

fn backend_with_assets(assets: Vec<Asset>) -> Backend {
    Backend::start(BackendScript { assets, redeem: vec![Reply::Urls], ..BackendScript::default() })
}

/// Checks that a visit ends with 7, OUT is empty, and one incomplete folder exists. Returns the folder, its manifest
/// and the message. The manifest gets a field `has_glb`, because the files are removed on return.
#[track_caller]
fn run_until_saved_in_part(assets: Vec<Asset>, more: &[&str]) -> (PathBuf, Value, String) {
    let backend = backend_with_assets(assets);
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, more)).wait();
    let message = run.expect_end(7, "saved_in_part", "saving");
    assert!(run.lines().with_event("saved").is_empty(), "no `saved` for an incomplete avatar");
    assert!(home.saved_folders().is_empty(), "OUT has no incomplete avatar: {:?}", home.saved_folders());
    let kept = home.incomplete_folders();
    assert_eq!(kept.len(), 1, "{message}");
    let text = std::fs::read_to_string(kept[0].join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(manifest["complete"], false, "{text}");
    assert!(message.contains(kept[0].to_str().expect("UTF-8")), "the message has the folder: {message}");
    let has_glb = kept[0].join("avatar.glb").exists();
    let mut manifest = manifest;
    manifest["has_glb"] = has_glb.into();
    (kept[0].clone(), manifest, message)
}

fn assets_with_refused_file(status: u16) -> Vec<Asset> {
    vec![Asset::glb(), Asset::new("fbx", zip()).with_url_behavior(UrlBehavior::Refuses(status))]
}

#[test]
fn a_refused_file_does_not_affect_the_others() {
    for status in [404, 410] {
        let (_, manifest, message) = run_until_saved_in_part(assets_with_refused_file(status), &[]);
        assert_eq!(manifest["files"][0]["path"], "avatar.glb");
        assert!(manifest["has_glb"] == true, "the received file is kept");
        let missing = &manifest["missing"][0];
        assert_eq!((&missing["export_type"], &missing["path"]), (&"fbx".into(), &"avatar_fbx.zip".into()));
        assert!(missing["reason"].as_str().is_some_and(|why| why.contains(&status.to_string())), "{missing}");
        assert!(message.contains("avatar_fbx.zip"), "{message}");
    }
}

#[test]
fn a_required_export_must_be_delivered() {
    let (_, manifest, message) = run_until_saved_in_part(vec![Asset::glb()], &["--export", "fbx", "--export", "glb"]);
    assert_eq!(manifest["missing"].as_array().map(Vec::len), Some(1), "{manifest}");
    assert_eq!(manifest["missing"][0]["export_type"], "fbx");
    assert!(manifest["has_glb"] == true && message.contains("fbx"), "{message}");
}

#[test]
fn a_file_over_the_size_limit_is_not_saved_until_the_limit_is_larger() {
    let backend = backend_with_assets(vec![Asset::new("fbx", zip()), Asset::new("glb", glb(500_000))]);
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &["--max-file-size", "100KiB"])).wait();
    run.expect_end(6, "download_interrupted", "saving");
    // The profile's limit is larger.
    let recovered = home.run_recover().expect_exit(0);
    check_saved_folder(&home.saved_folders()[0], &recovered.lines());
}

#[test]
fn a_delivered_required_export_is_complete() {
    let backend = backend_with_assets(vec![Asset::new("GLB", glb(4_000)), Asset::new("fbx", zip())]);
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &["--export", "fbx", "--export", "glb"])).wait();
    run.expect_end(0, "saved", "saved");
    check_saved_folder(&home.saved_folders()[0], &run.lines());
}

#[test]
fn an_interrupted_download_resumes_with_a_range() {
    let backend =
        backend_with_assets(vec![Asset::new("glb", glb(400_000)).with_url_behavior(UrlBehavior::CutAfter(150_000))]);
    let home = TestHome::new();
    let run = RunningProgram::start(home.visit_command(&backend, &[])).wait();
    run.expect_end(0, "saved", "saved");
    check_saved_folder(&home.saved_folders()[0], &run.lines());
    assert_eq!(std::fs::read(home.saved_folders()[0].join("avatar.glb")).expect("saved"), glb(400_000));
    let requests = backend.requests_to("/dl/0");
    assert_eq!(requests.len(), 2);
    assert!(requests[1].range_start().is_some_and(|at| at > 0 && at <= 150_000), "{:?}", requests[1]);
    assert_eq!(requests[1].header("if-range"), "\"one\"", "only if the file is unchanged");
}

/// L18: recovery removes partial folders of unfinished visits from `DATA/incomplete`.
#[test]
fn an_output_folder_among_the_incomplete_avatars_is_refused() {
    let home = TestHome::new();
    let backend = Backend::start(BackendScript::default());
    for below in ["incomplete", "incomplete/mine", "../data/incomplete/."] {
        let link = "https://app.test/scan?exportToken={token}";
        let mut command = home.command(&["visit", "--json", "--api-url", backend.url(), "--link", link]);
        command.arg("--out").arg(home.data().join(below));
        let run = RunningProgram::start(command).wait();
        assert_eq!(run.exit, Some(2), "{below}: {}{}", run.stdout, run.stderr);
        assert!(run.stderr.contains("incomplete avatars are kept and cleaned up there"), "{}", run.stderr);
    }
    assert!(backend.requests().is_empty());
}

/// As of a parent that only waits for the end, and of a full screen of `less`.
#[cfg(target_os = "linux")]
#[test]
fn avatar_is_saved_while_nobody_reads_the_output() {
    use std::io::Read as _;
    let backend = backend_with_assets(vec![Asset::glb()]);
    let home = TestHome::new();
    let (mut program, mut output) = save_avatar_with_unread_output(&backend, &home);
    let mut text = String::new();
    output.read_to_string(&mut text).expect("UTF-8");
    assert_eq!(program.wait().expect("ended").code(), Some(0));
    let lines: String = text.lines().filter(|line| line.starts_with('{')).flat_map(|line| [line, "\n"]).collect();
    let lines = crate::support::lines::JsonLines::parse(&lines);
    assert_eq!(lines.event_order().first(), Some(&"started"));
    assert_eq!(lines.ended_line()["exit"], 0);
}

#[cfg(target_os = "linux")]
#[test]
fn one_signal_ends_a_visit_whose_output_nobody_reads() {
    let backend = backend_with_assets(vec![Asset::glb()]);
    let home = TestHome::new();
    let (mut program, output) = save_avatar_with_unread_output(&backend, &home);
    let id = i32::try_from(program.id()).expect("a process id");
    let id = rustix::process::Pid::from_raw(id).expect("a process id");
    rustix::process::kill_process(id, rustix::process::Signal::TERM).expect("it runs");
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    let status = loop {
        if let Some(status) = program.try_wait().expect("a status") {
            break status;
        }
        if std::time::Instant::now() >= deadline {
            program.kill().expect("killed");
            panic!("the visit waits for its output to be read after a signal");
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    assert!(status.code().is_some(), "it was not killed: {status}");
    drop(output);
}

/// Runs a visit with a full pipe for its output until its avatar is saved. Returns the program, which may run, and the
/// other end of the pipe.
#[cfg(target_os = "linux")]
fn save_avatar_with_unread_output(backend: &Backend, home: &TestHome) -> (std::process::Child, std::io::PipeReader) {
    use std::io::Write as _;
    let (output, mut pipe) = std::io::pipe().expect("a pipe");
    let size = rustix::pipe::fcntl_getpipe_size(&pipe).expect("a size");
    pipe.write_all(&vec![b'\n'; size]).expect("filled");
    let mut command = home.visit_command(backend, &[]);
    command.stdout(pipe.try_clone().expect("another end")).stderr(pipe);
    let program = command.spawn().expect("it starts");
    // The command holds the pipe open, too.
    drop(command);
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while home.saved_folders().is_empty() {
        assert!(std::time::Instant::now() < deadline, "the visit waits for its output to be read");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    (program, output)
}
