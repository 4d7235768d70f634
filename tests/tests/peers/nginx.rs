//! Files at nginx: ranges, validators, stored encodings, refusals, and restarts in the middle of a file.

use crate::avatar_files::generate_glb;
use crate::console::Console;
use crate::delivering_backend::DeliveringBackend;
use crate::nginx_server::NginxServer;
use crate::{HarnessError, TestResult};
use std::time::Duration;

/// At one megabyte a second, long enough to be interrupted.
const SLOW_SIZE: usize = 4_000_000;

/// A console at a backend that delivers one GLB by this URL.
fn console_for_url(url: String, profile: &str) -> Result<(DeliveringBackend, Console), HarnessError> {
    let backend = DeliveringBackend::start()?;
    backend.deliver(&[(url, "glb")]);
    let mut console = Console::new(&format!("api_url = \"{}\"\n{profile}", backend.url()))?;
    console.set_env("COPRESENCE_API_KEY", "peer-api-key");
    console.set_env("COPRESENCE_SESSION_TOKEN", "peer-session-token");
    Ok((backend, console))
}

/// A visit whose GLB is at a slow location of nginx, which is restarted in the middle of the file. Returns the requests
/// for the file.
fn visit_with_restart(
    location: &str,
    glb: &[u8],
    prepare: impl FnOnce(&NginxServer) -> Result<(), HarnessError>,
    while_stopped: impl FnOnce(&NginxServer) -> Result<Vec<u8>, HarnessError>,
) -> Result<Vec<String>, HarnessError> {
    let mut nginx = NginxServer::start(glb)?;
    prepare(&nginx)?;
    let (_backend, console) = console_for_url(nginx.glb_url(location), "")?;
    let mut visit = console.start_visit()?;
    visit.wait_for("a part of the file", |line| {
        line["event"] == "progress" && line["bytes"].as_u64() > Some(SLOW_SIZE as u64 / 8)
    })?;
    nginx.kill();
    let expected = while_stopped(&nginx)?;
    visit.wait_for_event("retrying")?;
    nginx.start_again()?;
    visit.finish()?.assert_exit(0);
    console.assert_only_avatar_has_files(&[("avatar.glb", &expected)]);
    nginx.requests()
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn file_resumes_by_range_and_etag_after_a_restart_of_nginx() -> TestResult {
    let glb = generate_glb(SLOW_SIZE, 2);
    let requests = visit_with_restart("slow", &glb, |_| Ok(()), |_| Ok(glb.clone()))?;
    let last = requests.last().ok_or("no request")?;
    assert!(last.contains(" 206 ") && last.contains("if-range=\"\\x22"), "an ETag in If-Range: {requests:?}");
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn file_resumes_by_range_and_date_after_a_restart_of_nginx() -> TestResult {
    let glb = generate_glb(SLOW_SIZE, 3);
    let requests = visit_with_restart("slow-without-etag", &glb, |_| Ok(()), |_| Ok(glb.clone()))?;
    let last = requests.last().ok_or("no request")?;
    assert!(last.contains(" 206 ") && last.contains("GMT"), "a date in If-Range: {requests:?}");
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn file_without_validator_is_saved_whole_after_a_restart_of_nginx() -> TestResult {
    let glb = generate_glb(SLOW_SIZE, 4);
    visit_with_restart("slow-without-validator", &glb, |_| Ok(()), |_| Ok(glb.clone()))?;
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn file_without_ranges_starts_over_after_a_restart_of_nginx() -> TestResult {
    let glb = generate_glb(SLOW_SIZE, 5);
    visit_with_restart("slow-without-ranges", &glb, |_| Ok(()), |_| Ok(glb.clone()))?;
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn encoded_file_resumes_after_a_restart_of_nginx() -> TestResult {
    let glb = generate_glb(SLOW_SIZE, 6);
    let requests =
        visit_with_restart("slow-gzip", &glb, |nginx| nginx.write_encoded(&glb, "gzip"), |_| Ok(glb.clone()))?;
    assert!(requests.last().is_some_and(|last| last.contains(" 206 ")), "{requests:?}");
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn file_that_changed_while_nginx_was_away_starts_over() -> TestResult {
    let (old, new) = (generate_glb(SLOW_SIZE, 7), generate_glb(SLOW_SIZE + 4, 8));
    let requests = visit_with_restart(
        "slow",
        &old,
        |_| Ok(()),
        |nginx| {
            nginx.write_file("identity/avatar.glb", &new)?;
            Ok(new.clone())
        },
    )?;
    assert!(requests.last().is_some_and(|last| last.contains(" 200 ")), "If-Range did not match: {requests:?}");
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn stored_content_encodings_are_decoded() -> TestResult {
    let glb = generate_glb(300_000, 9);
    let nginx = NginxServer::start(&glb)?;
    for encoding in ["gzip", "br", "zstd"] {
        nginx.write_encoded(&glb, encoding)?;
    }
    nginx.write_file("gzip-static/avatar.glb.gz", &crate::avatar_files::encode_content(&glb, "gzip")?)?;
    for location in ["gzip", "br", "zstd", "gzip-static"] {
        let (_backend, console) = console_for_url(nginx.glb_url(location), "")?;
        let visit = console.visit()?;
        visit.assert_exit(0);
        console.assert_only_avatar_has_files(&[("avatar.glb", &glb)]);
        assert_eq!(visit.note_codes(), ["content_encoding_removed"], "{location}");
    }
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn content_encodings_that_are_unknown_or_contradicted_are_ignored() -> TestResult {
    let glb = generate_glb(300_000, 10);
    let nginx = NginxServer::start(&glb)?;
    for location in ["aws-chunked", "gzip-by-header-only"] {
        let (_backend, console) = console_for_url(nginx.glb_url(location), "")?;
        let visit = console.visit()?;
        visit.assert_exit(0);
        console.assert_only_avatar_has_files(&[("avatar.glb", &glb)]);
        assert_eq!(visit.note_codes(), ["content_encoding_ignored"], "{location}");
    }
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn file_that_nginx_refuses_is_lost_and_told() -> TestResult {
    let nginx = NginxServer::start(&generate_glb(1000, 11))?;
    for (location, status) in [("missing", "404"), ("gone", "410")] {
        let (_backend, console) = console_for_url(nginx.glb_url(location), "")?;
        let visit = console.visit()?;
        visit.assert_exit(7);
        visit.assert_mentions(status);
        visit.assert_mentions("127.0.0.1");
        visit.assert_never_mentions("peer-signature");
        assert_eq!(console.saved_avatars()?.len(), 0);
        // Nothing is left to recover.
        console.run(&["recover", "--json"])?.assert_exit(0);
    }
    let errors = nginx.requests()?;
    assert_eq!(errors.len(), 6, "a URL that was refused three times is not requested again: {errors:?}");
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn error_page_with_status_200_is_no_avatar() -> TestResult {
    let nginx = NginxServer::start(&generate_glb(1000, 12))?;
    nginx.write_file(
        "error-page/avatar.glb",
        b"<!DOCTYPE html>\n<html><body>Sorry, something went wrong.</body></html>\n",
    )?;
    let (_backend, console) = console_for_url(nginx.glb_url("error-page"), "patience = \"2s\"")?;
    // The page may be the one of a network that asks for a login, so the URL is kept.
    console.visit()?.assert_exit(6);
    assert_eq!(console.saved_avatars()?.len(), 0);
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn file_host_that_is_down_interrupts_the_visit_and_recover_saves_it() -> TestResult {
    let glb = generate_glb(300_000, 13);
    for location in ["unavailable", "dropped", "identity"] {
        let mut nginx = NginxServer::start(&glb)?;
        // The same URL answers later.
        let url = nginx.glb_url(location);
        if location == "identity" {
            nginx.stop()?;
        }
        let (_backend, console) = console_for_url(url, "patience = \"2s\"")?;
        let visit = console.visit()?;
        visit.assert_exit(6);
        visit.assert_ended("download_interrupted");
        assert_eq!(console.saved_avatars()?.len(), 0);
        nginx.stop()?;
        console.run(&["recover", "--json"])?.assert_exit(6);
        nginx.serve_everywhere()?;
        console.run(&["recover", "--json"])?.assert_exit(0);
        console.assert_only_avatar_has_files(&[("avatar.glb", &glb)]);
    }
    Ok(())
}

#[test]
#[ignore = "needs nginx, which `cargo xtask test` installs"]
fn long_file_resumes_after_a_minute_without_nginx() -> TestResult {
    let glb = generate_glb(SLOW_SIZE, 14);
    let requests = visit_with_restart(
        "slow",
        &glb,
        |_| Ok(()),
        |_| {
            std::thread::sleep(Duration::from_mins(1));
            Ok(glb.clone())
        },
    )?;
    assert!(requests.last().is_some_and(|last| last.contains(" 206 ")), "{requests:?}");
    Ok(())
}
