//! `copresence completions` and `copresence man`, in real shells and with the real `man`.

use crate::support::program::TestHome;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Whether the tool is installed. Panics in CI if it is missing.
fn has_tool(tool: &str) -> bool {
    let is_installed = Command::new(tool).arg("--version").output().is_ok();
    assert!(is_installed || std::env::var_os("CI").is_none(), "{tool} is missing");
    if !is_installed {
        eprintln!("skipped: {tool} is not installed");
    }
    is_installed
}

/// Writes the completion script of a shell to a file of the home.
fn write_completions(home: &TestHome, shell: &str, file: &str) {
    let script = home.run_program(&["completions", shell]).expect_exit(0).stdout;
    std::fs::write(home.root().join(file), script).expect("written");
}

/// A command with the program in its PATH, in the folder of the home.
fn shell_command(home: &TestHome, program: &str) -> Command {
    let folder = Path::new(env!("CARGO_BIN_EXE_copresence")).parent().expect("a folder");
    let mut path = vec![folder.to_owned()];
    path.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home.root()).env("PATH", std::env::join_paths(path).expect("a PATH"));
    command.env("TERM", "dumb").env("LC_ALL", "C.UTF-8").current_dir(home.root()).stdin(Stdio::null());
    command
}

fn output_text(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn bash_completes_commands_options_and_values() {
    if !has_tool("bash") {
        return;
    }
    let home = TestHome::new();
    write_completions(&home, "bash", "copresence");
    // As readline calls it: the words of the line, and the index of the one to complete.
    let script = r#". ./copresence; complete -p copresence
        suggest() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _copresence copresence "${COMP_WORDS[$COMP_CWORD]}" "${COMP_WORDS[$COMP_CWORD - 1]}"; echo "${COMPREPLY[*]}"; }
        suggest copresence vali; suggest copresence validate --expected; suggest copresence validate --fail-on ''
        suggest copresence completions ''"#;
    let output = shell_command(&home, "bash").args(["--norc", "-c", script]).output().expect("bash starts");
    let (out, err) = output_text(&output);
    assert_eq!(err, "");
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].contains("-F _copresence"), "{out}");
    assert_eq!(lines[1..4], ["validate", "--expected-failures", "must should"], "{out}");
    assert!(lines[4].contains("bash") && lines[4].contains("powershell"), "{out}");
}

#[test]
fn fish_completes_commands_options_and_values() {
    if !has_tool("fish") {
        return;
    }
    let home = TestHome::new();
    write_completions(&home, "fish", "copresence.fish");
    let script = "source copresence.fish; complete -C 'copresence vali'; complete -C 'copresence validate --expected'; \
                  complete -C 'copresence validate --fail-on '";
    let output = shell_command(&home, "fish").args(["--no-config", "-c", script]).output().expect("fish starts");
    let (out, err) = output_text(&output);
    assert_eq!(err, "");
    let words: Vec<_> = out.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(words, ["validate", "--expected-failures", "must", "should"], "{out}");
}

#[test]
fn zsh_loads_the_function_by_its_file_name_and_completes_a_typed_line() {
    if !has_tool("zsh") {
        return;
    }
    let home = TestHome::new();
    write_completions(&home, "zsh", "_copresence");
    // A real line editor in a pseudo-terminal: the completed command runs, and prints its version.
    let script = "zmodload zsh/zpty; zpty shell zsh -f -i\n\
        zpty -w shell 'fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; PS1=; unsetopt zle_bracketed_paste'\n\
        zpty -w shell \"copresence vali\"$'\\t'\"--vers\"$'\\t'\n\
        zpty -w shell 'exit'\n\
        while zpty -r shell line; do print -rn -- \"$line\"; done";
    let output = shell_command(&home, "zsh").args(["-f", "-c", script]).output().expect("zsh starts");
    let (out, err) = output_text(&output);
    assert_eq!(err, "");
    let version = format!("copresence-validate {}", env!("CARGO_PKG_VERSION"));
    assert!(out.contains(&version), "{out:?}");
}

#[test]
fn every_shell_has_a_script_and_nothing_else_is_written() {
    let home = TestHome::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = home.run_program(&["completions", shell]).expect_exit(0);
        assert!(run.stdout.contains("--expected-failures") && run.stderr.is_empty(), "{shell}: {}", run.stderr);
    }
    home.run_program(&["completions", "csh"]).expect_exit(2);
    assert!(!home.data().exists(), "no log");
}

#[test]
fn man_shows_a_page_for_each_command_without_warnings() {
    let home = TestHome::new();
    home.run_program(&["man", "share/man1"]).expect_exit(0);
    let folder = home.root().join("share/man1");
    let entries = std::fs::read_dir(&folder).expect("made");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("readable").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    for name in ["copresence.1", "copresence-visit.1", "copresence-validate.1", "copresence-history-show.1"] {
        assert!(names.iter().any(|found| found == name), "{name}: {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("help")), "{names:?}");
    home.run_program(&["man", "/dev/null/man1"]).expect_exit(2);
    if !has_tool("man") || !has_tool("groff") {
        return;
    }
    for name in &names {
        let mut man = shell_command(&home, "man");
        man.args(["--warnings", "--encoding=UTF-8", "--local-file"]).arg(folder.join(name)).env("MANWIDTH", "100");
        let (out, err) = output_text(&man.output().expect("man starts"));
        assert_eq!(err, "", "{name}");
        let title = name.trim_end_matches(".1").replace("copresence-", "copresence ");
        assert!(out.contains("NAME") && out.contains("SYNOPSIS") && out.contains("OPTIONS"), "{title}: {out}");
    }
    let page = shell_command(&home, "man").args(["-P", "cat", "-l"]).arg(folder.join("copresence.1")).output();
    let (page, _) = output_text(&page.expect("man starts"));
    assert!(
        page.lines().any(|line| line.trim_start().starts_with("10  possibly consumed")),
        "one exit code a line: {page}"
    );
}
