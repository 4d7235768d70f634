//! `copresence sandbox -- COMMAND`.

use crate::support::program::{FinishedRun, RunningProgram, TestHome};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

/// Runs a shell script beside a sandbox. Its `$0` is the program.
fn run_script(home: &TestHome, options: &[&str], script: &str) -> FinishedRun {
    let command = ["--", "sh", "-c", script, env!("CARGO_BIN_EXE_copresence")];
    home.run_program(&[&["sandbox", "--speed", "60"], options, &command].concat())
}

#[test]
fn a_command_finds_url_and_credentials_in_its_environment_and_owns_stdout() {
    let home = TestHome::new();
    let script = r#""$0" visit --auto --json --poll 60ms --api-url "$COPRESENCE_SANDBOX_URL" --out out > visit.jsonl
        test $? = 0 && tail -n 1 visit.jsonl && echo "$COPRESENCE_SANDBOX_PHONE_URL" && test -n "$COPRESENCE_OPERATOR_KEY""#;
    let run = run_script(&home, &["-v"], script).expect_exit(0);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0].contains("\"code\":\"saved\""), "{}", run.stdout);
    assert!(lines[1].starts_with("http://127.0.0.1:") && !lines[1].ends_with(":8787"), "a free port: {}", lines[1]);
    assert!(run.stderr.contains("POST /generateExportToken"), "-v prints the requests: {}", run.stderr);

    let script = r#""$0" visit --json --timeout 1s --api-url "$COPRESENCE_SANDBOX_URL" | grep -c invited"#;
    let run = run_script(&home, &[], script).expect_exit(0);
    assert_eq!((run.stdout.as_str(), run.stderr.contains("/generateExportToken")), ("1\n", false), "{}", run.stderr);
}

#[test]
fn the_exit_code_is_that_of_the_command() {
    let home = TestHome::new();
    for (script, exit) in [("exit 0", 0), ("exit 42", 42), ("exit 255", 255), ("kill -KILL $$", 137)] {
        run_script(&home, &[], script).expect_exit(exit);
    }
    let run = home.run_program(&["sandbox", "--", "no-such-program-4711"]).expect_exit(127);
    assert!(run.stderr.contains("no-such-program-4711"), "{}", run.stderr);
    let file = home.root().join("not-executable");
    std::fs::write(&file, "").expect("written");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).expect("set");
    home.run_program(&["sandbox", "--", file.to_str().expect("UTF-8")]).expect_exit(126);
    home.run_program(&["sandbox", "--json", "--", "true"]).expect_exit(2);
    home.run_program(&["sandbox", "--list-faults", "--", "true"]).expect_exit(2);
}

#[test]
fn signals_are_passed_on_and_the_sandbox_ends_with_the_command() {
    use rustix::process::Signal;
    for (signal, name) in [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::HUP, "HUP"), (Signal::USR1, "USR1")] {
        let home = TestHome::new();
        // `wait` is interrupted by a signal with a trap, unlike a program in the foreground.
        let script = format!(
            "sleep 1000 & trap 'kill $!; echo got {name}; exit 7' {name}; echo \"$COPRESENCE_SANDBOX_URL\"; wait"
        );
        let mut program = RunningProgram::start(home.command(&["sandbox", "--", "sh", "-c", &script]));
        let url = program.next_line();
        let address = url.strip_prefix("http://").expect("a URL").to_owned();
        TcpStream::connect(&address).expect("the sandbox is ready before the command starts");
        program.send_signal(signal);
        let run = program.wait().expect_exit(7);
        assert_eq!(run.stdout, format!("{url}\ngot {name}\n"), "{}", run.stderr);
        assert!(TcpStream::connect(&address).is_err(), "the sandbox ended");
    }
}
