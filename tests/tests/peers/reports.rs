//! The reports of `copresence validate`, read by the tools of their formats: Jenkins' schema of `JUnit` XML, har-validator, and
//! the SARIF validator with the rules of GitHub's code scanning.

use crate::TestResult;
use crate::console::program_path;
use crate::peer_process::target_dir;
use std::path::Path;
use std::process::Command;

/// Breaks one MUST and one SHOULD.
const FAULTS: &str = r#"[
    {"on":"redeem","ready":false,"do":{"wrong_shape":{"field":"payload_incomplete.queue_position","becomes":"other_type"}}},
    {"on":"redeem","do":{"headers":{"set":{"cache-control":"public"}}}}
]"#;

/// Writes every report of a run at a sandbox with faults, and checks them.
fn write_and_check_reports(known_failures: &str) -> TestResult {
    let home = tempfile::Builder::new().prefix("copresence-reports-").tempdir()?;
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/reports");
    std::fs::write(home.path().join("faults.json"), FAULTS)?;
    std::fs::write(home.path().join("known.txt"), known_failures)?;
    let program = program_path()?;
    let script = r#""$0" validate --api-url "$COPRESENCE_SANDBOX_URL" --expected-failures known.txt --junit report.xml \
        --har report.har --sarif report.sarif"#;
    let mut command = Command::new(&program);
    command.args(["sandbox", "--faults", "faults.json", "--", "sh", "-c", script]).arg(&program);
    command.env("COPRESENCE_DATA_DIR", home.path().join("data")).env("HOME", home.path()).current_dir(home.path());
    let run = command.output()?;
    let printed = String::from_utf8_lossy(&run.stdout);
    assert_eq!(run.status.code(), Some(1), "{printed}{}", String::from_utf8_lossy(&run.stderr));
    let mut check = Command::new("node");
    check.arg(scripts.join("check.mjs")).arg(home.path()).arg(target_dir().join("peers/junit-10.xsd"));
    let check = check.env("HOME", home.path()).output()?;
    let problems = String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "{problems}\n`cargo xtask test --peers` installs these tools");
    Ok(())
}

#[test]
#[ignore = "needs tools from npm and PyPI, which `cargo xtask test` installs"]
fn every_report_is_valid_for_the_tools_that_read_it() -> TestResult {
    write_and_check_reports("")
}

#[test]
#[ignore = "needs tools from npm and PyPI, which `cargo xtask test` installs"]
fn reports_with_known_and_stale_failures_are_valid_too() -> TestResult {
    write_and_check_reports("fresh.queue\nhttp.no-store\nfiles.once # Passes, so it is stale.\n")
}
