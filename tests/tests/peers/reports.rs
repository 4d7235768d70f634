//! The reports of `copresence validate`, read by the tools of their formats: Jenkins' schema of `JUnit` XML, har-validator, and
//! the SARIF validator with the rules of GitHub's code scanning. And its passport, read by the library of in-toto.

use crate::TestResult;
use crate::console::program_path;
use crate::peer_process::{python_bin_dir, target_dir};
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

/// A private key as `openssl genpkey -algorithm ed25519` prints it, without its armour.
const PASSPORT_KEY: &str = "MC4CAQAwBQYDK2VwBCIEIBVwNGntzB7K3irMRW8Cu7rMzKI7j8zduOSkNeM1zNPW";

#[test]
#[ignore = "needs tools from npm and PyPI, which `cargo xtask test` installs"]
fn passport_is_verified_by_the_library_of_in_toto() -> TestResult {
    let home = tempfile::Builder::new().prefix("copresence-passport-").tempdir()?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/reports/verify_passport.py");
    let mut command = Command::new(program_path()?);
    command.args(["validate", "--max-tokens", "0", "--passport", "passport.json"]).current_dir(home.path());
    command.env("COPRESENCE_DATA_DIR", home.path().join("data")).env("HOME", home.path());
    let run = command.env("COPRESENCE_PASSPORT_KEY", PASSPORT_KEY).output()?;
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let verify =
        |name: &str| Command::new(python_bin_dir().join("python")).arg(&script).arg(home.path().join(name)).output();
    let verified = verify("passport.json")?;
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let text = std::fs::read_to_string(home.path().join("passport.json"))?;
    std::fs::write(home.path().join("changed.json"), text.replace("eyJfdHlwZSI", "eyJfdHlwZSj"))?;
    assert!(!verify("changed.json")?.status.success(), "a changed payload was accepted");
    Ok(())
}
