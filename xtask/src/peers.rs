//! Visits with servers that are not ours: Parse Server on `PostgreSQL`, nginx, moto (S3) and mitmproxy. See
//! `tests/peers`.

use crate::project::{repository_root, target_dir};
use crate::steps::{StepPlan, run_program};
use crate::{Options, npm, python};
use std::process::Command;

/// Which of the tests against peer servers to run, by their duration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerTestSelection {
    /// Those that take seconds.
    Short,
    /// Those that wait for a minute as well. Their names begin with `long_`.
    All,
}

/// Adds the tests against peer servers, and the installation of those from npm and `PyPI`. The servers from Debian
/// are prerequisites. `cargo` is a command on the workspace, to which the selection of the tests is added.
pub(crate) fn add_peer_test_steps(
    plan: &mut StepPlan<'_>,
    options: &Options,
    mut cargo: Command,
    which: PeerTestSelection,
) {
    let install = !options.no_install;
    plan.add_function_step("Parse Server (npm ci)", move || {
        npm::ensure_locked_packages_installed(&repository_root().join("tests/peers/parse"), install)
    });
    plan.add_function_step("moto and mitmproxy", move || {
        let requirements = repository_root().join("tests/peers/requirements.txt");
        python::ensure_requirements_installed(&requirements, &target_dir().join("peers"), install)
    });
    // Each test starts some servers and then mostly waits.
    cargo.args(["--test", "peers", "--", "--ignored", "--test-threads=4"]);
    if which == PeerTestSelection::Short {
        cargo.args(["--skip", "::long_"]);
    }
    plan.add_function_step("visits with Parse Server, nginx, an S3 server and a proxy", move || {
        run_program(&mut cargo, "fix the tests named above; the output of their servers is printed with them")
    });
}
