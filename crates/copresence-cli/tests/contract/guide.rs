//! `docs/sandbox.md`, run as it stands: every command, in one shell, in its order, with what it says they print.

use crate::support::program::Fixture;
use std::path::Path;
use std::process::Command;
use test_port::ReservedPort;

const GUIDE: &str = include_str!("../../../../docs/sandbox.md");

/// The port of the guide.
const PORT: &str = "8787";

/// The commands, each block with what it is to print.
fn blocks() -> Vec<(String, Vec<String>)> {
    let mut blocks = Vec::new();
    for block in GUIDE.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap_or_default();
        let expected = block.lines().filter_map(|line| line.strip_prefix("# → ")).map(str::to_owned);
        blocks.push((block.to_owned(), expected.collect()));
    }
    blocks
}

/// A test that lacks its tools is left out on a developer's machine, and fails in CI.
fn tools_are_there() -> bool {
    let missing: Vec<_> = ["bash", "curl", "python3"]
        .into_iter()
        .filter(|tool| Command::new(tool).arg("--version").output().is_err())
        .collect();
    assert!(missing.is_empty() || std::env::var_os("CI").is_none(), "missing: {missing:?}");
    missing.is_empty()
}

#[test]
fn every_command_of_the_guide_does_what_the_guide_says() {
    if !tools_are_there() {
        eprintln!("left out: the guide needs bash, curl and python3");
        return;
    }
    let fixture = Fixture::new();
    let port = ReservedPort::reserve().expect("a port").for_child_process();
    let number = port.number().to_string();
    let mut script = "set -uo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null' EXIT\n".to_owned();
    for (index, (commands, _)) in blocks().iter().enumerate() {
        script.extend(["echo '=== ", &index.to_string(), "'\n", &commands.replace(PORT, &number)]);
    }
    let program = Path::new(env!("CARGO_BIN_EXE_copresence")).parent().expect("a folder");
    let mut path = vec![program.to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    // As the other tests of the program: an environment of its own.
    let mut command = fixture.command(&[]);
    let envs: Vec<_> =
        command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
    command = Command::new("bash");
    command.env_clear().envs(envs).env("PATH", std::env::join_paths(path).expect("a PATH"));
    command.env("EXAMPLES", concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").current_dir(fixture.root()).arg("-c").arg(&script);
    let ran = command.output().expect("bash runs");
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    let said: Vec<&str> = out.split("=== ").skip(1).collect();
    assert_eq!(said.len(), blocks().len(), "it broke off:\n{out}\n{err}");
    let mut checked = 0;
    for ((commands, expected), said) in blocks().iter().zip(said) {
        let mut rest = said;
        for part in expected.iter().flat_map(|line| line.split('…')) {
            let at = rest
                .find(part)
                .unwrap_or_else(|| panic!("{part:?} of\n{commands}\nis not in\n{said}\n{err}"));
            rest = &rest[at + part.len()..];
            checked += 1;
        }
    }
    assert!(checked >= 15, "the guide shows what it prints");
}
