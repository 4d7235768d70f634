//! `packaging/container/Containerfile`: what it copies exists, what it starts is this program, and its health check tells a
//! running sandbox from none.

use crate::support::program::{RunningProgram, TestHome};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use test_port::ReservedPort;

const CONTAINERFILE: &str = include_str!("../../../../packaging/container/Containerfile");
/// The port in the file.
const PORT: &str = "8787";

/// One instruction: its name, and the rest of its line. Continued lines are joined.
fn instructions() -> Vec<(String, String)> {
    let lines = CONTAINERFILE.lines().filter(|line| !line.trim_start().starts_with('#'));
    let text = lines.collect::<Vec<_>>().join("\n").replace("\\\n", " ");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .map(|line| line.split_once(' ').expect("an argument"))
        .map(|(a, b)| (a.to_owned(), b.trim().to_owned()))
        .collect()
}

/// The instructions of the last stage: what the image has.
fn last_stage() -> Vec<(String, String)> {
    let all = instructions();
    let start = all.iter().rposition(|(name, _)| name == "FROM").expect("a stage");
    all[start..].to_vec()
}

fn only(of: &[(String, String)], name: &str) -> String {
    let found: Vec<_> = of.iter().filter(|(known, _)| known == name).collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0].1.clone()
}

/// The JSON array in which an instruction names a program and its arguments.
fn exec_form(text: &str) -> Vec<String> {
    serde_json::from_str(&text[text.find('[').expect("an array")..]).expect("JSON")
}

#[test]
fn base_images_are_pinned_and_the_compiler_is_the_one_of_ci() {
    let images: Vec<_> =
        instructions().into_iter().filter(|(name, _)| name == "FROM").map(|(_, image)| image).collect();
    assert_eq!(images.len(), 2, "a stage that builds, and one that runs");
    for image in &images {
        let name = image.split(' ').next().expect("a name");
        let (_, tag) = name.rsplit_once(':').expect("a tag");
        assert!(name.starts_with("docker.io/library/") && tag != "latest", "{image}");
    }
    let ci = include_str!("../../../../.github/workflows/ci.yml");
    let compiler = ci.lines().find_map(|line| line.trim().strip_prefix("image: rust:")).expect("an image");
    let version = compiler.split('-').next().expect("a version");
    assert!(images[0].contains(&format!("rust:{version}-")), "{} is not {compiler}", images[0]);
    assert!(images[1].ends_with("-slim"), "small");
}

#[test]
fn everything_that_is_copied_exists_and_every_member_of_the_workspace_is_copied() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut copied = BTreeSet::new();
    for (_, paths) in instructions().iter().filter(|(name, _)| name == "COPY") {
        let mut words: Vec<_> = paths.split_whitespace().collect();
        words.pop();
        if let Some(from) = words.first().and_then(|word| word.strip_prefix("--from=")) {
            assert_eq!((from, &words[1..]), ("build", &["/src/target/release/copresence"][..]));
            continue;
        }
        for path in words {
            assert!(root.join(path).exists(), "{path}");
            copied.insert(path.to_owned());
        }
    }
    let manifest = include_str!("../../../../Cargo.toml");
    let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).expect("members");
    let members: Vec<String> = serde_json::from_str(members).expect("a list");
    for member in members {
        assert!(copied.contains(member.trim_end_matches("/*")), "{member} is not copied");
    }
}

#[test]
fn the_image_does_not_run_as_root_and_writes_to_its_own_folder() {
    let stage = last_stage();
    let user = only(&stage, "USER");
    let ids: Vec<u32> = user.split(':').map(|id| id.parse().expect("a number")).collect();
    assert!(ids.len() == 2 && ids.iter().all(|id| *id >= 1000), "{user}");
    let data = only(&stage, "ENV").strip_prefix("COPRESENCE_DATA_DIR=").expect("the data folder").to_owned();
    let run = only(&stage, "RUN");
    assert!(run.contains(&format!("--owner={} --group={} --mode=0700 {data}", ids[0], ids[1])), "{run}");
    assert!(run.contains(&format!("--uid {}", ids[0])), "{run}");
    let order = |wanted: &str| stage.iter().position(|(name, _)| name == wanted).expect("there");
    assert!(order("RUN") < order("USER") && order("USER") < order("ENTRYPOINT"));
}

/// Runs what the image runs, and its health check, with another port.
#[test]
fn the_health_check_tells_a_running_sandbox_from_none() {
    if Command::new("bash").arg("--version").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "bash is missing");
        return;
    }
    let stage = last_stage();
    let home = TestHome::new();
    let port = ReservedPort::reserve_port().expect("a port").hand_over_to_child_process();
    let number = port.reserved_port_number().to_string();
    assert_eq!(only(&stage, "EXPOSE"), PORT);
    assert_eq!(exec_form(&only(&stage, "ENTRYPOINT")), ["copresence"]);
    let copied = stage.iter().any(|(name, paths)| name == "COPY" && paths.ends_with("/usr/local/bin/copresence"));
    assert!(copied, "the entry point is on the PATH");
    let health = exec_form(&only(&stage, "HEALTHCHECK"));
    let is_healthy = || {
        let mut check = Command::new(&health[0]);
        check.args(health[1..].iter().map(|argument| argument.replace(PORT, &number)));
        check.output().expect("runs").status.success()
    };
    assert!(!is_healthy(), "nothing listens yet");
    let arguments: Vec<_> =
        exec_form(&only(&stage, "CMD")).iter().map(|argument| argument.replace(PORT, &number)).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).chain(["--json"]).collect();
    let mut program = RunningProgram::start(home.command(&arguments));
    program.wait_for_event("listening");
    assert!(is_healthy(), "the sandbox listens");
    program.kill();
    assert!(!is_healthy(), "the sandbox has ended");
}
