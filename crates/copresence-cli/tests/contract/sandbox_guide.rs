//! Runs every command of `docs/sandbox.md` in order in one shell, and checks the output that the guide shows.

use crate::support::program::TestHome;
use std::path::Path;
use std::process::Command;
use test_port::ReservedPort;

const GUIDE: &str = include_str!("../../../../docs/sandbox.md");

/// The port in the guide.
const PORT: &str = "8787";

/// The blocks of commands with their expected output.
fn command_blocks() -> Vec<(String, Vec<String>)> {
    let mut blocks = Vec::new();
    for block in GUIDE.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let expected = block.lines().filter_map(|line| line.strip_prefix("# → ")).map(str::to_owned);
        blocks.push((block.to_owned(), expected.collect()));
    }
    blocks
}

/// Whether the tools are installed. Panics in CI if one is missing.
fn has_tools() -> bool {
    let missing: Vec<_> = ["bash", "curl", "python3"]
        .into_iter()
        .filter(|tool| Command::new(tool).arg("--version").output().is_err())
        .collect();
    assert!(missing.is_empty() || std::env::var_os("CI").is_none(), "missing: {missing:?}");
    missing.is_empty()
}

#[test]
fn every_command_of_the_guide_prints_what_the_guide_shows() {
    if !has_tools() {
        eprintln!("skipped: the guide needs bash, curl and python3");
        return;
    }
    let home = TestHome::new();
    let port = ReservedPort::reserve_port().expect("a port").hand_over_to_child_process();
    let number = port.reserved_port_number().to_string();
    let mut script = "set -uo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n".to_owned();
    for (index, (commands, _)) in command_blocks().iter().enumerate() {
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
    assert_eq!(outputs.len(), command_blocks().len(), "the script ended early:\n{out}\n{err}");
    let mut checked = 0;
    for ((commands, expected), output) in command_blocks().iter().zip(outputs) {
        let mut rest = output;
        for part in expected.iter().flat_map(|line| line.split('…')) {
            let start =
                rest.find(part).unwrap_or_else(|| panic!("{part:?} of\n{commands}\nis not in\n{output}\n{err}"));
            rest = &rest[start + part.len()..];
            checked += 1;
        }
    }
    assert!(checked >= 15, "the guide shows what it prints");
}
