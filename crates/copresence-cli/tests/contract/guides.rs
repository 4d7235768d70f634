//! Runs every command of the guides in order, each guide in one shell, and checks the output that the guide shows.

use crate::support::program::TestHome;
use std::path::Path;
use std::process::Command;
use test_port::ReservedPort;

/// The port in the guides.
const PORT: &str = "8787";

/// The blocks of commands of a guide, with their expected output.
fn command_blocks(guide: &str) -> Vec<(String, Vec<String>)> {
    let mut blocks = Vec::new();
    for block in guide.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let expected = block.lines().filter_map(|line| line.strip_prefix("# → ")).map(str::to_owned);
        blocks.push((block.to_owned(), expected.collect()));
    }
    blocks
}

/// Whether the tools are installed. Panics in CI if one is missing.
fn has_tools() -> bool {
    let missing: Vec<_> =
        [("bash", "--version"), ("curl", "--version"), ("python3", "--version"), ("openssl", "version")]
            .into_iter()
            .filter(|(tool, version)| Command::new(tool).arg(version).output().is_err())
            .collect();
    assert!(missing.is_empty() || std::env::var_os("CI").is_none(), "missing: {missing:?}");
    missing.is_empty()
}

#[test]
fn sandbox_guide_prints_what_it_shows() {
    check_guide(include_str!("../../../../docs/sandbox.md"), 15);
}

#[test]
fn guide_for_qa_prints_what_it_shows() {
    check_guide(include_str!("../../../../docs/for-qa.md"), 10);
}

#[test]
fn guide_for_partners_prints_what_it_shows() {
    check_guide(include_str!("../../../../docs/for-partners.md"), 8);
}

#[test]
fn guide_for_operators_prints_what_it_shows() {
    check_guide(include_str!("../../../../docs/for-operators.md"), 8);
}

/// Runs every command of a guide, and checks at least `least` shown parts of the output.
fn check_guide(guide: &str, least: usize) {
    if !has_tools() {
        eprintln!("skipped: the guides need bash, curl, python3 and openssl");
        return;
    }
    let blocks = command_blocks(guide);
    let home = TestHome::new();
    let port = ReservedPort::reserve_port().expect("a port").hand_over_to_child_process();
    let number = port.reserved_port_number().to_string();
    let mut script = "set -uo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n".to_owned();
    for (index, (commands, _)) in blocks.iter().enumerate() {
        script.extend(["echo '=== ", &index.to_string(), "'\n", &commands.replace(PORT, &number)]);
    }
    let program = Path::new(env!("CARGO_BIN_EXE_copresence")).parent().expect("a folder");
    let mut path = vec![program.to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    // The environment of the other tests of the program.
    let mut command = home.command(&[]);
    let envs: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    command = Command::new("bash");
    command.env_clear().envs(envs).env("PATH", std::env::join_paths(path).expect("a PATH"));
    command.env("EXAMPLES", concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(home.root()).arg("-c").arg(&script);
    let run = command.output().expect("bash runs");
    let (out, err) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    let outputs: Vec<&str> = out.split("=== ").skip(1).collect();
    assert_eq!(outputs.len(), blocks.len(), "the script ended early:\n{out}\n{err}");
    let mut checked = 0;
    for ((commands, expected), output) in blocks.iter().zip(outputs) {
        let mut rest = output;
        for part in expected.iter().flat_map(|line| line.split('…')) {
            let start =
                rest.find(part).unwrap_or_else(|| panic!("{part:?} of\n{commands}\nis not in\n{output}\n{err}"));
            rest = &rest[start + part.len()..];
            checked += 1;
        }
    }
    assert!(checked >= least, "the guide shows what it prints: {checked} parts");
}
