//! Files at an S3 server by presigned URLs.

use crate::avatar_files::generate_glb;
use crate::console::Console;
use crate::delivering_backend::DeliveringBackend;
use crate::s3_server::S3Server;
use crate::{HarnessError, TestResult};

/// A console at a backend that delivers one GLB by this URL.
fn console_for_url(url: String) -> Result<(DeliveringBackend, Console), HarnessError> {
    console_with_profile(url, "")
}

fn console_with_profile(url: String, profile: &str) -> Result<(DeliveringBackend, Console), HarnessError> {
    let backend = DeliveringBackend::start()?;
    backend.deliver(&[(url, "glb")]);
    let mut console = Console::new(&format!("api_url = \"{}\"\n{profile}", backend.url()))?;
    console.set_env("COPRESENCE_API_KEY", "peer-api-key");
    console.set_env("COPRESENCE_SESSION_TOKEN", "peer-session-token");
    Ok((backend, console))
}

#[test]
#[ignore = "needs moto, which `cargo xtask test` installs"]
fn presigned_url_delivers_the_object() -> TestResult {
    let glb = generate_glb(300_000, 20);
    let s3 = S3Server::start(&glb, &["identity"], 0)?;
    let (_backend, console) = console_for_url(s3.presigned_url("identity", 60)?)?;
    let visit = console.visit()?;
    visit.assert_exit(0);
    console.assert_only_avatar_has_files(&[("avatar.glb", &glb)]);
    visit.assert_never_mentions("X-Amz-Signature=");
    Ok(())
}

#[test]
#[ignore = "needs moto, which `cargo xtask test` installs"]
fn content_encoding_of_an_object_is_decoded_or_ignored() -> TestResult {
    let glb = generate_glb(300_000, 20);
    let s3 = S3Server::start(&glb, &["gzip", "br", "zstd", "UTF-8"], 0)?;
    let removed = "content_encoding_removed";
    for (encoding, note) in
        [("gzip", removed), ("br", removed), ("zstd", removed), ("UTF-8", "content_encoding_ignored")]
    {
        let (_backend, console) = console_for_url(s3.presigned_url(encoding, 60)?)?;
        let visit = console.visit()?;
        visit.assert_exit(0);
        console.assert_only_avatar_has_files(&[("avatar.glb", &glb)]);
        assert_eq!(visit.note_codes(), [note], "{encoding}");
    }
    Ok(())
}

#[test]
#[ignore = "needs moto, which `cargo xtask test` installs"]
fn expired_presigned_url_is_lost_and_told() -> TestResult {
    let s3 = S3Server::start(&generate_glb(1000, 21), &["identity"], 0)?;
    let (_backend, console) = console_for_url(s3.presigned_url("identity", 0)?)?;
    let visit = console.visit()?;
    visit.assert_exit(7);
    visit.assert_mentions("Request has expired");
    visit.assert_mentions("127.0.0.1");
    Ok(())
}

#[test]
#[ignore = "needs moto, which `cargo xtask test` installs"]
fn presigned_url_with_a_wrong_signature_is_lost_and_told() -> TestResult {
    let s3 = S3Server::start(&generate_glb(1000, 22), &["identity"], 0)?;
    // A backend that appends a parameter of its own breaks the signature.
    let (_backend, console) = console_for_url(s3.presigned_url("identity", 60)? + "&utm_source=kiosk")?;
    let visit = console.visit()?;
    visit.assert_exit(7);
    visit.assert_mentions("SignatureDoesNotMatch");
    Ok(())
}

#[test]
#[ignore = "needs moto, which `cargo xtask test` installs"]
fn presigned_url_of_a_backend_whose_clock_is_fast_is_kept_and_told() -> TestResult {
    let s3 = S3Server::start(&generate_glb(1000, 25), &["identity"], 0)?;
    let url = s3.presigned_url_by_a_fast_clock("identity", 60, 3600)?;
    let (_backend, console) = console_with_profile(url, "patience = \"2s\"")?;
    let visit = console.visit()?;
    visit.assert_exit(6);
    visit.assert_mentions("Request is not yet valid");
    visit.assert_mentions("clock");
    Ok(())
}

#[test]
#[ignore = "needs moto, which `cargo xtask test` installs"]
fn object_resumes_by_range_after_a_restart_of_the_s3_server() -> TestResult {
    visit_with_restart("identity")
}

#[test]
#[ignore = "needs moto, which `cargo xtask test` installs"]
fn encoded_object_resumes_by_range_after_a_restart_of_the_s3_server() -> TestResult {
    visit_with_restart("gzip")
}

/// A visit whose GLB is an object with this encoding, at an S3 server that is restarted in the middle of the file.
fn visit_with_restart(encoding: &str) -> TestResult {
    let glb = generate_glb(4_000_000, 23);
    let mut s3 = S3Server::start(&glb, &[encoding], 2_000_000)?;
    let (_backend, console) = console_for_url(s3.presigned_url(encoding, 600)?)?;
    let mut visit = console.start_visit()?;
    visit
        .wait_for("a part of the file", |line| line["event"] == "progress" && line["bytes"].as_u64() > Some(500_000))?;
    s3.kill();
    visit.wait_for_event("retrying")?;
    s3.start_again()?;
    visit.finish()?.assert_exit(0);
    console.assert_only_avatar_has_files(&[("avatar.glb", &glb)]);
    Ok(())
}

#[test]
#[ignore = "needs moto, which `cargo xtask test` installs"]
fn presigned_url_that_expires_in_the_middle_of_an_interrupted_file_is_told() -> TestResult {
    let mut s3 = S3Server::start(&generate_glb(4_000_000, 24), &["identity"], 500_000)?;
    let (_backend, console) = console_for_url(s3.presigned_url("identity", 5)?)?;
    let mut visit = console.start_visit()?;
    visit.wait_for("a part of the file", |line| line["event"] == "progress" && line["bytes"].as_u64() > Some(0))?;
    s3.kill();
    // The URL lives for 5 s. The server's own start takes a part of it; the rest passes here.
    std::thread::sleep(std::time::Duration::from_secs(5));
    s3.start_again()?;
    let visit = visit.finish()?;
    visit.assert_exit(7);
    visit.assert_mentions("Request has expired");
    Ok(())
}
