//! Installs packages on Debian and Ubuntu.

use crate::project::{find_program, try_command_stdout};
use crate::steps::{StepFailure, StepSuccess, run_program_that_may_prompt};
use std::process::Command;

/// Whether this system has apt.
pub(crate) fn is_apt_available() -> bool {
    find_program("apt-get").is_some() && find_program("dpkg-query").is_some()
}

/// Installs packages, as root or through `sudo`.
pub(crate) fn install_packages(packages: &[&str]) -> Result<StepSuccess, StepFailure> {
    let by_hand = format!("as root: apt-get update && apt-get install --no-install-recommends {}", packages.join(" "));
    let Some(prefix) = root_command_prefix() else {
        let what = "packages are missing, this user is not root, and `sudo` was not found";
        return Err(StepFailure::new(what, by_hand));
    };
    eprintln!("        installing {}", packages.join(" "));
    let apt = |args: &[&str]| {
        let words: Vec<&str> =
            prefix.iter().copied().chain(["apt-get", "-o", "Acquire::Retries=5"]).chain(args.iter().copied()).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        run_program_that_may_prompt(&mut command, &by_hand)
    };
    // A fresh system has no package lists, an old one stale ones.
    apt(&["-q", "update"])?;
    let mut install = vec!["-q", "-y", "install", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)
}

/// The words before a command that must run as root; `None` when that is not possible. `env` keeps packages from
/// asking questions.
fn root_command_prefix() -> Option<Vec<&'static str>> {
    let quiet = ["env", "DEBIAN_FRONTEND=noninteractive"];
    if try_command_stdout("id", &["-u"])? == "0" {
        return Some(quiet.to_vec());
    }
    find_program("sudo").map(|_| [&["sudo"][..], &quiet].concat())
}
