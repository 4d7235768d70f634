//! Packages of Debian and Ubuntu.

use crate::plan::{Done, Failure, run_in_foreground};
use crate::project::{find_program, output_of};
use std::process::Command;

/// Whether this system has them.
pub(crate) fn here() -> bool {
    find_program("apt-get").is_some() && find_program("dpkg-query").is_some()
}

/// Installs packages, as root or through `sudo`.
pub(crate) fn install(packages: &[&str]) -> Result<Done, Failure> {
    let by_hand =
        format!("as root: apt-get update && apt-get install --no-install-recommends {}", packages.join(" "));
    let Some(prefix) = as_root() else {
        let what = "packages are missing, and neither is this user root nor is `sudo` there";
        return Err(Failure::new(what, by_hand));
    };
    eprintln!("        installing {}", packages.join(" "));
    let apt = |args: &[&str]| {
        let words: Vec<&str> = prefix
            .iter()
            .copied()
            .chain(["apt-get", "-o", "Acquire::Retries=5"])
            .chain(args.iter().copied())
            .collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        run_in_foreground(&mut command, &by_hand)
    };
    // A fresh system has no lists, an old one stale ones.
    apt(&["-q", "update"])?;
    let mut install = vec!["-q", "-y", "install", "--no-install-recommends"];
    install.extend(packages);
    apt(&install)
}

/// What stands before a command that must run as root; `None` when that is not possible. `env` keeps packages
/// from asking questions that nobody could answer here.
fn as_root() -> Option<Vec<&'static str>> {
    let quiet = ["env", "DEBIAN_FRONTEND=noninteractive"];
    if output_of("id", &["-u"])? == "0" {
        return Some(quiet.to_vec());
    }
    find_program("sudo").map(|_| [&["sudo"][..], &quiet].concat())
}
