//! The packages for other test tools: many tests in several workers, on one sandbox.

use crate::console::program_path;
use crate::peer_process::python_bin_dir;
use crate::{HarnessError, TestResult};
use std::collections::BTreeSet;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The folder of a package.
fn integration_dir(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../integrations").join(name)
}

/// Everything that a command printed.
fn printed(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Pytest with the plugin and no sandbox in its environment.
fn pytest_command() -> Result<Command, HarnessError> {
    let mut command = Command::new(python_bin_dir().join("python"));
    command.args(["-m", "pytest", "-p", "pytest_copresence.plugin", "-p", "no:cacheprovider", "--copresence-command"]);
    command.arg(program_path()?).env("PYTHONPATH", integration_dir("pytest-copresence").join("src"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").env_remove("COPRESENCE_SANDBOX_URL");
    Ok(command)
}

/// The values of a property in a `JUnit` report of pytest.
fn property_values<'a>(report: &'a str, name: &str) -> BTreeSet<&'a str> {
    let start = format!("<property name=\"{name}\" value=\"");
    report.split(start.as_str()).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

/// Whether something listens at a URL such as `http://127.0.0.1:1234`.
fn is_listening(url: &str) -> bool {
    TcpStream::connect(url.trim_start_matches("http://")).is_ok()
}

#[test]
#[ignore = "needs pytest and pytest-xdist, which `cargo xtask test` installs"]
fn pytest_workers_share_one_sandbox_and_each_test_has_its_world() -> TestResult {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report.xml");
    let mut command = pytest_command()?;
    command.args(["-n", "4", "-o", "junit_family=xunit1", "--junitxml"]).arg(&report);
    let run = command.current_dir(integration_dir("pytest-copresence")).output()?;
    assert!(run.status.success(), "{}", printed(&run));
    let report = std::fs::read_to_string(report)?;
    let sandboxes = property_values(&report, "sandbox");
    assert_eq!(sandboxes.len(), 1, "{sandboxes:?}");
    assert_eq!(property_values(&report, "worker"), BTreeSet::from(["gw0", "gw1", "gw2", "gw3"]));
    assert_eq!(property_values(&report, "token").len(), 1, "the same seed gives the same token in each of 40 worlds");
    assert!(sandboxes.iter().all(|url| !is_listening(url)), "the sandbox ends with pytest");
    Ok(())
}

#[test]
#[ignore = "needs pytest and pytest-xdist, which `cargo xtask test` installs"]
fn pytest_shows_the_requests_of_a_failed_test_and_what_is_missing() -> TestResult {
    let folder = tempfile::tempdir()?;
    let test = "import urllib.request\n\
        def test_fails(copresence_sandbox):\n\
        \x20   urllib.request.urlopen(copresence_sandbox.phone_url('x'))\n\
        def test_needs_none():\n\
        \x20   pass\n";
    std::fs::write(folder.path().join("test_client.py"), test)?;
    for workers in [&[][..], &["-n", "2"]] {
        let run = pytest_command()?.args(workers).current_dir(folder.path()).output()?;
        let shown = printed(&run);
        assert_eq!(run.status.code(), Some(1), "{shown}");
        assert!(shown.contains("Copresence sandbox (seed") && shown.contains("/phone?exportToken=…"), "{shown}");
        let mut missing = pytest_command()?;
        missing.args(workers).args(["--copresence-command", "no-such-program"]).current_dir(folder.path());
        let shown = printed(&missing.output()?);
        assert!(
            shown.contains("`no-such-program` cannot be started") && shown.contains("1 passed, 1 error"),
            "{shown}"
        );
    }
    Ok(())
}

/// A script of a package, with Node in the folder of `vitest-copresence`.
fn node_tool_command(arguments: &[&str]) -> Result<Command, HarnessError> {
    let mut command = Command::new("node");
    command.args(arguments).current_dir(integration_dir("vitest-copresence")).env_remove("COPRESENCE_SANDBOX_URL");
    command.env("COPRESENCE_COMMAND", std::path::absolute(program_path()?)?);
    Ok(command)
}

/// Runs a script of a package with Node, and expects success.
fn run_node_tool(arguments: &[&str], node_options: &str) -> TestResult {
    let run = node_tool_command(arguments)?.env("NODE_OPTIONS", node_options).output()?;
    assert!(run.status.success(), "{}", printed(&run));
    Ok(())
}

/// Vitest, then Jest: in one test, because they use the same compiled package.
#[test]
#[ignore = "needs Vitest and Jest, which `cargo xtask test` installs"]
fn vitest_and_jest_workers_share_one_sandbox_and_each_test_has_its_world() -> TestResult {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report.json");
    let output_file = format!("--outputFile={}", report.display());
    let test_counts = || -> Result<[serde_json::Value; 2], HarnessError> {
        let counts: serde_json::Value = serde_json::from_slice(&std::fs::read(&report)?)?;
        Ok([counts["numTotalTests"].clone(), counts["numFailedTests"].clone()])
    };
    run_node_tool(&["node_modules/typescript/bin/tsc"], "")?;
    run_node_tool(&["node_modules/vitest/vitest.mjs", "run", "--reporter=json", &output_file], "")?;
    // One of them runs only below.
    assert_eq!(test_counts()?, [47, 0]);
    let failing = ["node_modules/vitest/vitest.mjs", "run", "test/failure.test.ts"];
    let shown = printed(&node_tool_command(&failing)?.env("COPRESENCE_TEST_OF_FAILURE", "1").output()?);
    assert!(shown.contains("Copresence sandbox (seed") && shown.contains("/generateExportToken"), "{shown}");
    assert!(!shown.contains("no world with this id"), "{shown}");
    let jest = ["node_modules/jest/bin/jest.js", "--json", &output_file];
    run_node_tool(&jest, "")?;
    assert_eq!(test_counts()?, [42, 0]);
    // The package as an ECMAScript module.
    run_node_tool(&jest, "--experimental-vm-modules")?;
    assert_eq!(test_counts()?, [1, 0]);
    Ok(())
}
