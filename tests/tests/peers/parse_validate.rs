//! `copresence validate` at a backend on Parse Server: it reports what is wrong with that backend, and nothing else.

use crate::TestResult;
use crate::console::{FinishedRun, RunningConsole};
use crate::parse_stack::{BUSINESS, ParseStack};
use std::time::Duration;

/// `true` plays the phone: the backend associates an avatar with each token by itself.
const VALIDATE: [&str; 4] = ["validate", "--json", "--phone", "true"];
/// Long enough for the checks of tokens that were not scanned.
const SLOW_PHONE: &str = r#"{ "associate_after_ms": 15000, "making_ms": 8000 }"#;

/// Ids of the checks with this verdict and level, sorted.
fn checks_with(run: &FinishedRun, verdict: &str, level: &str) -> Vec<String> {
    let checks = run.events("check").into_iter().filter(|line| line["verdict"] == verdict && line["level"] == level);
    let ids = checks.map(|line| line["id"].as_str().unwrap_or_default().to_owned());
    // The GLB of the peers has no model of a head.
    let mut ids: Vec<_> = ids.filter(|id| !id.starts_with("avatar.")).collect();
    ids.sort();
    ids
}

/// Asserts the verdict of one check.
#[track_caller]
fn assert_verdict(run: &FinishedRun, id: &str, verdict: &str) {
    let found = run.events("check").into_iter().find(|line| line["id"] == id);
    assert!(found.is_some_and(|line| line["verdict"] == verdict), "{id} is not {verdict}: {}", run.describe());
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn validate_reports_what_is_wrong_with_the_backend_and_nothing_else() -> TestResult {
    let parse = ParseStack::start()?;
    parse.change_settings(SLOW_PHONE)?;
    let run = parse.console_with_login(BUSINESS, "")?.run(&VALIDATE)?;
    assert_eq!(checks_with(&run, "fail", "must"), Vec::<String>::new(), "{}", run.describe());
    // The backend sends no Cache-Control, and its framework answers unknown methods with a page.
    let expected = ["errors.form", "files.no-store", "http.no-store"];
    assert_eq!(checks_with(&run, "fail", "should"), expected, "{}", run.describe());
    for id in ["login.unknown-user", "generate.no-session", "redeem.unknown-400", "delivery.spent", "files.once"] {
        assert_verdict(&run, id, "pass");
    }
    assert_verdict(&run, "login.wrong-password", "skipped");
    assert_eq!(run.events("phone_needed").len(), 1);
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn validate_endures_a_restart_of_parse_server_while_the_avatar_is_made() -> TestResult {
    let mut parse = ParseStack::start()?;
    parse.change_settings(SLOW_PHONE)?;
    let console = parse.console_with_login(BUSINESS, "")?;
    let mut running: RunningConsole = console.start(&VALIDATE)?;
    running.wait_for_event("phone_needed")?;
    parse.kill_parse();
    std::thread::sleep(Duration::from_secs(10));
    parse.start_parse()?;
    let run = running.finish()?;
    assert_eq!(checks_with(&run, "fail", "must"), Vec::<String>::new(), "{}", run.describe());
    for id in ["visit.delivered", "files.download", "delivery.spent"] {
        assert_verdict(&run, id, "pass");
    }
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn validate_certifies_nothing_without_parse_server() -> TestResult {
    let mut parse = ParseStack::start()?;
    parse.kill_parse();
    let run = parse.console_with_login(BUSINESS, "")?.run(&VALIDATE)?;
    run.assert_exit(6);
    run.assert_mentions("502 Bad Gateway");
    assert_eq!(checks_with(&run, "pass", "must"), Vec::<String>::new());
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn validate_does_not_blame_the_backend_for_a_delivery_that_a_proxy_lost() -> TestResult {
    let parse = ParseStack::start()?;
    parse.change_settings(r#"{ "associate_after_ms": 15000, "making_ms": 2000, "redeem_then_502": 1 }"#)?;
    let run = parse.console_with_login(BUSINESS, "")?.run(&VALIDATE)?;
    assert_eq!(checks_with(&run, "fail", "must"), Vec::<String>::new(), "{}", run.describe());
    assert_verdict(&run, "visit.delivered", "inconclusive");
    run.assert_mentions("may have delivered the URLs");
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn validate_never_locks_the_account() -> TestResult {
    let parse = ParseStack::start()?;
    let mut console = parse.console_with_login((BUSINESS.0, "wrong horse"), "")?;
    // Parse Server locks the account at the third wrong password.
    for _ in 0..2 {
        let run = console.run(&["validate", "--json", "--no-phone"])?;
        run.assert_exit(3);
        run.assert_mentions("Invalid username/password");
        assert_eq!(checks_with(&run, "pass", "must"), Vec::<String>::new());
    }
    console.set_env("COPRESENCE_PASSWORD", BUSINESS.1);
    let run = console.run(&["validate", "--json", "--no-phone"])?;
    assert_verdict(&run, "login.gives-session", "pass");
    Ok(())
}
