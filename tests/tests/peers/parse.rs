//! Visits at a backend on Parse Server: logins, sessions, lost answers, and outages of each part.

use crate::TestResult;
use crate::parse_stack::{ACCOUNT_WITHOUT_ROLE, BUSINESS, ParseOptions, ParseStack};
use std::time::Duration;

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn visits_by_login_and_by_session_token_save_the_avatar() -> TestResult {
    let parse = ParseStack::start()?;
    let console = parse.console_with_login(BUSINESS, "")?;
    console.visit()?.assert_exit(0);
    console.assert_only_avatar_has_files(&parse.files());

    let mut console = parse.console("")?;
    console.set_env("COPRESENCE_SESSION_TOKEN", parse.log_in()?);
    console.visit()?.assert_exit(0);
    console.assert_only_avatar_has_files(&parse.files());
    assert_eq!(parse.count_requests("POST /login")?, 2, "one by the first console, one by hand");
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn wrong_password_and_lockout_are_told_in_the_words_of_parse_server() -> TestResult {
    let parse = ParseStack::start()?;
    let mut console = parse.console_with_login((BUSINESS.0, "wrong horse"), "")?;
    for _ in 0..3 {
        let refused = console.visit()?;
        refused.assert_exit(3);
        refused.assert_mentions("Invalid username/password");
        refused.assert_never_mentions("wrong horse");
    }
    assert_eq!(parse.count_requests("POST /login")?, 3, "one login per visit: each refusal counts against the account");
    console.set_env("COPRESENCE_PASSWORD", BUSINESS.1);
    let locked = console.visit()?;
    locked.assert_exit(3);
    locked.assert_mentions("Your account is locked due to multiple failed login attempts");
    assert_eq!(parse.count_tokens()?, 0);
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn revoked_session_is_replaced_by_a_login_or_told() -> TestResult {
    let parse = ParseStack::start()?;
    let session = parse.log_in()?;
    parse.log_out(&session)?;
    // A console with a session token only cannot help itself.
    let mut console = parse.console("")?;
    console.set_env("COPRESENCE_SESSION_TOKEN", &session);
    let refused = console.visit()?;
    refused.assert_exit(3);
    refused.assert_mentions("Invalid session token");
    refused.assert_mentions("COPRESENCE_SESSION_TOKEN");
    refused.assert_never_mentions(&session);
    // With a login as well, it logs in.
    console.set_env("COPRESENCE_USERNAME", BUSINESS.0);
    console.set_env("COPRESENCE_PASSWORD", BUSINESS.1);
    console.visit()?.assert_exit(0);
    console.assert_only_avatar_has_files(&parse.files());
    assert_eq!(parse.count_requests("POST /login")?, 2, "one by hand, one by the console");
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn session_that_is_revoked_right_after_its_login_is_not_replaced_forever() -> TestResult {
    let parse = ParseStack::start()?;
    parse.change_settings(r#"{ "revoke_next_sessions": 100 }"#)?;
    let console = parse.console_with_login(BUSINESS, "")?;
    let refused = console.visit()?;
    refused.assert_exit(3);
    refused.assert_mentions("Invalid session token");
    let logins = parse.count_requests("POST /login")?;
    assert!(logins <= 2, "{logins} logins");
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn account_without_the_role_is_refused_with_the_reason() -> TestResult {
    let parse = ParseStack::start()?;
    let refused = parse.console_with_login(ACCOUNT_WITHOUT_ROLE, "")?.visit()?;
    refused.assert_exit(3);
    refused.assert_mentions("a business account is required");
    assert_eq!(parse.count_tokens()?, 0);
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn visit_survives_a_restart_of_postgres() -> TestResult {
    check_visit_without_postgres_for(Duration::ZERO, 6000)
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn visit_survives_a_restart_of_parse_server() -> TestResult {
    let mut parse = ParseStack::start()?;
    parse.change_settings(r#"{ "making_ms": 6000 }"#)?;
    let console = parse.console_with_login(BUSINESS, "")?;
    let mut visit = console.start_visit()?;
    visit.wait_for("processing", |line| line["completion_status"] == "processing")?;
    parse.kill_parse();
    visit.wait_for_event("retrying")?;
    parse.start_parse()?;
    visit.finish()?.assert_exit(0);
    console.assert_only_avatar_has_files(&parse.files());
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn visit_survives_a_restart_of_the_backend_at_its_login() -> TestResult {
    let mut parse = ParseStack::start()?;
    parse.kill_parse();
    let console = parse.console_with_login(BUSINESS, "")?;
    let mut visit = console.start_visit()?;
    // The backend answers the login with 502, because Parse Server is away.
    visit.wait_for_event("retrying")?;
    parse.start_parse()?;
    visit.finish()?.assert_exit(0);
    console.assert_only_avatar_has_files(&parse.files());
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn visit_survives_a_restart_of_the_backend_after_the_delivery() -> TestResult {
    let mut parse = ParseStack::start()?;
    parse.change_settings(r#"{ "exit_after_delivery": true }"#)?;
    let console = parse.console_with_login(BUSINESS, "")?;
    let mut visit = console.start_visit()?;
    visit.wait_for_event("redeemed")?;
    parse.wait_for_end_of_backend()?;
    visit.wait_for_event("retrying")?;
    parse.start_backend()?;
    visit.finish()?.assert_exit(0);
    console.assert_only_avatar_has_files(&parse.files());
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn visit_survives_a_restart_of_the_backend_in_the_middle_of_a_file() -> TestResult {
    let mut parse = ParseStack::start_with(ParseOptions { glb_size: 2_000_000, ..ParseOptions::default() })?;
    // Parse Server's file adapter serves ranges.
    parse.change_settings(r#"{ "bytes_per_second": 500000, "is_url_spent_by_first_request": false }"#)?;
    let console = parse.console_with_login(BUSINESS, "")?;
    let mut visit = console.start_visit()?;
    visit.wait_for("a part of the GLB", |line| {
        line["event"] == "progress" && line["total"].as_u64() > Some(1_000_000) && line["bytes"].as_u64() > Some(0)
    })?;
    parse.kill_backend();
    visit.wait_for_event("retrying")?;
    parse.start_backend()?;
    visit.finish()?.assert_exit(0);
    console.assert_only_avatar_has_files(&parse.files());
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn download_url_on_the_name_of_a_container_is_the_misconfigured_public_server_url() -> TestResult {
    // The name of the container, as in many compose files.
    let public_url = Some("http://parse-server:1337/1".to_owned());
    let parse = ParseStack::start_with(ParseOptions { public_url, ..ParseOptions::default() })?;
    let console = parse.console_with_login(BUSINESS, "patience = \"3s\"")?;
    let visit = console.visit()?;
    visit.assert_exit(6);
    visit.assert_ended("download_interrupted");
    visit.assert_mentions("parse-server:1337");
    visit.assert_mentions("public URL is misconfigured");
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn redeem_that_spent_the_token_and_answered_5xx_ends_possibly_consumed() -> TestResult {
    let parse = ParseStack::start()?;
    for setting in ["redeem_then_502", "redeem_then_500"] {
        parse.change_settings(&format!("{{ \"{setting}\": 1 }}"))?;
        let console = parse.console_with_login(BUSINESS, "")?;
        let visit = console.visit()?;
        visit.assert_exit(10);
        assert_eq!(console.saved_avatars()?.len(), 0);
    }
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn generate_that_issued_a_token_and_answered_500_is_bounded_and_told() -> TestResult {
    let parse = ParseStack::start()?;
    parse.change_settings(r#"{ "generate_then_500": 100 }"#)?;
    let visit = parse.console_with_login(BUSINESS, "")?.visit()?;
    visit.assert_exit(6);
    visit.assert_mentions("may have been issued");
    let issued = parse.count_tokens()?;
    assert!(issued <= 3, "{issued} tokens were issued");
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn long_lockout_ends_after_a_minute() -> TestResult {
    let parse = ParseStack::start()?;
    let mut console = parse.console_with_login((BUSINESS.0, "wrong horse"), "")?;
    for _ in 0..4 {
        console.visit()?.assert_exit(3);
    }
    console.set_env("COPRESENCE_PASSWORD", BUSINESS.1);
    // Parse Server counts the minute from its last refusal.
    std::thread::sleep(Duration::from_secs(65));
    console.visit()?.assert_exit(0);
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn long_visit_survives_a_minute_without_postgres() -> TestResult {
    check_visit_without_postgres_for(Duration::from_mins(1), 20000)
}

/// Stops `PostgreSQL` while an avatar is made, from the first failed poll on for `outage`, and expects it to be saved.
fn check_visit_without_postgres_for(outage: Duration, making_ms: u32) -> TestResult {
    let mut parse = ParseStack::start()?;
    parse.change_settings(&format!(r#"{{ "making_ms": {making_ms} }}"#))?;
    let console = parse.console_with_login(BUSINESS, "")?;
    let mut visit = console.start_visit()?;
    visit.wait_for("processing", |line| line["completion_status"] == "processing")?;
    parse.stop_postgres()?;
    visit.wait_for_event("retrying")?;
    std::thread::sleep(outage);
    parse.start_postgres()?;
    visit.finish()?.assert_exit(0);
    console.assert_only_avatar_has_files(&parse.files());
    Ok(())
}

#[test]
#[ignore = "needs Parse Server and PostgreSQL, which `cargo xtask test` installs"]
fn sessions_are_logged_out_at_the_end_where_the_profile_says_how() -> TestResult {
    let parse = ParseStack::start()?;
    let console = parse.console_with_login(BUSINESS, "[profiles.peer.login]\nlogout_path = \"/logout\"\n")?;
    console.visit()?.assert_exit(0);
    assert_eq!(parse.count_sessions()?, 0);
    Ok(())
}
