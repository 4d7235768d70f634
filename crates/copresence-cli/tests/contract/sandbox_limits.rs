//! `copresence sandbox` does not run out of open files.

use crate::interruption::command_through;
use crate::support::program::{RunningProgram, TestHome};

#[test]
fn the_limit_of_open_files_is_raised_and_core_dumps_are_disabled_at_the_start() {
    let home = TestHome::new();
    let sandbox = home.command(&["sandbox", "--json", "--listen", "127.0.0.1:0"]);
    let script = "ulimit -Sn 200 && ulimit -Hn 2000 && exec \"$@\"";
    let mut program = RunningProgram::start(command_through("bash", &["-c", script, "bash"], &sandbox, &home));
    program.wait_for_event("listening");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", program.process_id())).expect("limits");
    let open_files = limits.lines().find(|line| line.starts_with("Max open files")).expect("a limit");
    assert_eq!(open_files.split_whitespace().nth(3), Some("2000"), "{open_files}");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().nth(4), Some("1"), "a core dump would contain credentials: {core}");
}
